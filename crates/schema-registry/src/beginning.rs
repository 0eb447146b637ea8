//! What a body begins as that was cut off, since it is longer than allowed.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};

/// How much of a schema's text was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    Nothing,
    Begun,
    Whole,
}

/// Whether `beginning` is that of a registry's answer: of an object in which the text of a schema begins. Anything else that does
/// not end says nothing of a schema.
pub(crate) fn is_of_a_schema(beginning: &[u8]) -> bool {
    let mut text = Text::Nothing;
    let mut reader = serde_json::Deserializer::from_slice(beginning);
    let read = serde::Deserializer::deserialize_map(&mut reader, Members { text: &mut text });
    match text {
        Text::Nothing => false,
        // It may be no text at all.
        Text::Begun => read.is_err_and(|error| error.is_eof()),
        Text::Whole => true,
    }
}

/// Looks through the members of an answer for the text of a schema.
struct Members<'a> {
    text: &'a mut Text,
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer of a registry")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key::<String>()? {
            if name == "schema" {
                *self.text = Text::Begun;
                members.next_value::<String>()?;
                *self.text = Text::Whole;
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_schema_has_begun_or_not() {
        for beginning in [
            r#"{"schema":"#,
            r#"{"schema":""#,
            r#" { "schema" : "{\"type\":\"obj"#,
            r#"{"schema":"{\u00"#,
            r#"{"subject":"s","version":1,"id":7,"references":[{"name":"schema"}],"schema":"{"#,
            r#"{"schema":"{}","metadata":{"tags":["#,
            r#"{"schema":"{}","#,
        ] {
            assert!(is_of_a_schema(beginning.as_bytes()), "{beginning}");
        }
        for beginning in [
            "",
            "   ",
            "{",
            "<html>",
            "[",
            r#"[{"schema":""#,
            r#""{\"schema\":\"""#,
            r#"{"id":7,"#,
            r#"{"schema"#,
            r#"{"data":{"schema":"x"#,
            r#"{"schema":{"type":"obj"#,
            r#"{"schema":7,"#,
            "{\"schema\":\"a\nb",
        ] {
            assert!(!is_of_a_schema(beginning.as_bytes()), "{beginning}");
        }
        assert!(is_of_a_schema(b"{\"schema\":\"\xc3"), "cut off within a character");
    }
}
