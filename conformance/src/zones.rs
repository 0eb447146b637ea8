//! Types with every time zone that there is.

use housepipe_transform::TimeZone;

use crate::types::Kind;

/// A type for each zone: whole seconds for some, ticks for the others.
pub(crate) fn types() -> Vec<(&'static str, Kind)> {
    let text = |(index, zone): (usize, TimeZone)| match index % 4 {
        0 => format!("DateTime('{zone}')"),
        precision => format!("DateTime64({}, '{zone}')", precision * 3 - 3),
    };
    // The table of types is made once and lives as long as the program, and so do these texts.
    TimeZone::all().enumerate().map(text).map(|text| (&*text.leak(), Kind::Zoned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::compiles;

    #[test]
    fn every_zone_has_a_type_that_compiles() {
        let types = types();
        assert!(types.len() > 500);
        for (text, _) in types {
            compiles(&format!("a {text}")).unwrap();
        }
    }
}
