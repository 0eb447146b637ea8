//! Settings of a table of the MergeTree family, as a pipe's author writes them: a name, and a value that is nothing but a value.

use crate::error::SinkError;
use crate::quote::quote_string;

/// Bytes of a setting's name and of its value, at most.
const SETTING_BYTES_MAX: usize = 256;

/// Settings of one table, at most.
const SETTINGS_MAX: usize = 100;

/// A setting of a table, such as `index_granularity` of `8192`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSetting {
    /// Its name, as ClickHouse knows it.
    pub name: String,
    /// Its value. A number and `true` or `false` go into the statement as they are, anything else as a text in quotes.
    pub value: String,
}

impl TableSetting {
    /// `name = value`. It is not checked.
    pub(crate) fn sql(&self) -> String {
        let is_bare = is_number(&self.value) || matches!(self.value.as_str(), "true" | "false");
        let value = if is_bare { self.value.clone() } else { quote_string(&self.value) };
        format!("{} = {value}", self.name)
    }
}

/// Checks the names of `settings`; whether ClickHouse has settings of these names, it says itself.
///
/// # Errors
/// [`SinkError::Definition`] names the first that is none.
pub fn check_settings(settings: &[TableSetting]) -> Result<(), SinkError> {
    let refuse =
        |text: &str, problem| Err(SinkError::Definition { part: "settings", text: text.to_owned(), problem });
    if settings.len() > SETTINGS_MAX {
        return refuse("", "are too many (100 at most)");
    }
    for (index, TableSetting { name, value }) in settings.iter().enumerate() {
        if !is_name(name) {
            return refuse(name, "is no name of a setting: letters, digits and `_`");
        }
        if name.len() > SETTING_BYTES_MAX || value.len() > SETTING_BYTES_MAX {
            return refuse(name, "is too long, or its value is (256 bytes at most)");
        }
        if settings[..index].iter().any(|earlier| earlier.name == *name) {
            return refuse(name, "stands twice");
        }
    }
    Ok(())
}

fn is_name(text: &str) -> bool {
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    starts && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Digits, perhaps with a sign and a point.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    are_digits(whole) && are_digits(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(name: &str, value: &str) -> TableSetting {
        TableSetting { name: name.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn values_stay_values() {
        for (value, sql) in [
            ("8192", "a = 8192"),
            ("-1", "a = -1"),
            ("0.5", "a = 0.5"),
            ("true", "a = true"),
            ("hot_and_cold", "a = 'hot_and_cold'"),
            ("", "a = ''"),
            ("1, b = 2", "a = '1, b = 2'"),
            ("disk(type = s3)", "a = 'disk(type = s3)'"),
            ("it's \\", r"a = 'it\'s \\'"),
            ("1.", "a = '1.'"),
            ("-", "a = '-'"),
        ] {
            assert_eq!(setting("a", value).sql(), sql);
        }
    }

    #[test]
    fn names_are_names() {
        assert!(check_settings(&[setting("index_granularity", "1"), setting("_x2", "")]).is_ok());
        for name in ["", "a b", "1a", "a=1", "a.b", "größe", "a`"] {
            assert!(check_settings(&[setting(name, "1")]).is_err(), "{name}");
        }
        assert!(check_settings(&[setting("a", "1"), setting("a", "2")]).is_err());
        assert!(check_settings(&[setting("a", &"x".repeat(300))]).is_err());
        let many: Vec<TableSetting> = (0..101).map(|n| setting(&format!("a{n}"), "1")).collect();
        assert!(check_settings(&many).is_err());
    }
}
