//! Types and columns: no panic, and what parses prints and parses again as the same.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use housepipe_transform::{Columns, DataType, Limits, Plan, PlanOptions, RowFormat};

use crate::input::Input;
use crate::plans;

pub(crate) fn check(data: &[u8]) {
    let text = match data.split_first() {
        // Types that are made of bytes get further than text does.
        Some((0, rest)) => plans::made_type(&mut Input::new(rest), 6),
        _ => String::from_utf8_lossy(data).into_owned(),
    };
    round_trip::<DataType>(&text);
    let Some(columns) = round_trip::<Columns>(&text).or_else(|| format!("a {text}").parse().ok()) else {
        return;
    };
    for format in [RowFormat::RowBinary, RowFormat::RowBinaryWithDefaults] {
        let mut limits = Limits::default();
        limits.row_bytes_max = 64 * 1024;
        let options = PlanOptions::default().with_format(format).with_limits(limits);
        match Plan::compile(&columns, &options) {
            Ok(plan) => assert!(!plan.columns().is_empty(), "a plan has columns"),
            Err(error) => assert!(!error.to_string().is_empty(), "an error says something"),
        }
    }
}

/// Parses, prints, and parses again.
fn round_trip<T: FromStr + Display + Debug + PartialEq>(text: &str) -> Option<T>
where
    T::Err: Display + Debug,
{
    let parsed: T = match text.parse() {
        Ok(parsed) => parsed,
        Err(error) => {
            let error: T::Err = error;
            assert!(!error.to_string().is_empty(), "an error says something");
            return None;
        }
    };
    let printed = parsed.to_string();
    match printed.parse::<T>() {
        Ok(again) => {
            assert_eq!(again, parsed, "{printed}");
            assert_eq!(again.to_string(), printed);
        }
        Err(error) => panic!("what {text:?} prints does not parse: {printed}: {error}"),
    }
    Some(parsed)
}
