//! Parts of a pipe file as text, with comments for whoever reads it.

use std::fmt::Write as _;

use housepipe_ch_sink::TableSetting;
use housepipe_transform::Source;

use super::yaml::{Entry, Node, Value};

/// A column as it is written into a pipe file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ColumnLines {
    pub(crate) name: String,
    /// Its type, as ClickHouse writes it.
    pub(crate) type_sql: String,
    /// What fills it: a field, a path or a virtual column.
    pub(crate) source: Source,
    /// Lines above it.
    pub(crate) comments: Vec<String>,
}

/// How a table is created, as it is written into a pipe file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableLines {
    pub(crate) engine: String,
    pub(crate) order_by: Vec<String>,
    pub(crate) order_by_comment: String,
    pub(crate) partition_by: Option<String>,
    pub(crate) partition_by_comment: String,
    pub(crate) ttl: Option<String>,
    pub(crate) settings: Vec<TableSetting>,
}

/// Spaces before a key of `destination:`.
const INDENT: &str = "  ";

impl TableLines {
    /// The block `managed_table:`, as it stands below `destination:`.
    pub(crate) fn block(&self) -> String {
        let mut text = format!("{INDENT}managed_table:\n{INDENT}{INDENT}engine: {}\n", quoted(&self.engine));
        let mut line = |text_of_line: &str| {
            let _ = writeln!(text, "{INDENT}{INDENT}{text_of_line}");
        };
        if self.order_by.is_empty() {
            line(&comment(&format!("no sorting key: {}", self.order_by_comment)));
        } else {
            line(&comment(&self.order_by_comment));
            let keys: Vec<String> = self.order_by.iter().map(|key| quoted(key)).collect();
            line(&format!("order_by: [{}]", keys.join(", ")));
        }
        match &self.partition_by {
            Some(key) => {
                line(&comment(&self.partition_by_comment));
                line(&format!("partition_by: {}", quoted(key)));
            }
            None => line(&comment(&format!("no partition_by: {}", self.partition_by_comment))),
        }
        if let Some(ttl) = &self.ttl {
            line(&format!("ttl: {}", quoted(ttl)));
        }
        if !self.settings.is_empty() {
            let setting = |it: &TableSetting| format!("{}: {}", quoted(&it.name), in_line_text(&it.value));
            line(&format!(
                "settings: {{ {} }}",
                self.settings.iter().map(setting).collect::<Vec<_>>().join(", ")
            ));
        }
        text
    }
}

impl ColumnLines {
    /// The block `columns:`, as it stands below `destination:`.
    pub(crate) fn block(columns: &[ColumnLines]) -> String {
        let mut text = format!("{INDENT}columns:\n");
        for column in columns {
            for line in &column.comments {
                let _ = writeln!(text, "{INDENT}{INDENT}{}", comment(line));
            }
            let (name, type_sql) = (quoted(&column.name), quoted(&column.type_sql));
            let from = match &column.source {
                source if *source == Source::of_column(&column.name) => String::new(),
                // Such as the field of the record, and not the virtual column of that name.
                source => format!(", from: {}", quoted(&source.to_string())),
            };
            let _ = writeln!(text, "{INDENT}{INDENT}- {{ name: {name}, type: {type_sql}{from} }}");
        }
        text
    }
}

/// A whole document, block by block; what a list holds stands on a line each.
pub(super) fn document(root: &Node) -> String {
    let mut out = String::new();
    if let Value::Map(entries) = &root.value {
        entries.iter().for_each(|entry| block(&entry.key, &entry.node, 0, &mut out));
    } else {
        let _ = writeln!(out, "{}", in_line(root));
    }
    out
}

fn block(key: &str, node: &Node, depth: usize, out: &mut String) {
    let (indent, key) = (INDENT.repeat(depth), quoted(key));
    let has_parts = |item: &Node| matches!(item.value, Value::Map(_) | Value::List(_));
    match &node.value {
        Value::Map(entries) if !entries.is_empty() => {
            let _ = writeln!(out, "{indent}{key}:");
            entries.iter().for_each(|entry| block(&entry.key, &entry.node, depth + 1, out));
        }
        Value::List(items) if items.iter().any(has_parts) => {
            let _ = writeln!(out, "{indent}{key}:");
            for item in items {
                let _ = writeln!(out, "{indent}{INDENT}- {}", in_line(item));
            }
        }
        _ => {
            let _ = writeln!(out, "{indent}{key}: {}", in_line(node));
        }
    }
}

/// A value within a line.
fn in_line(node: &Node) -> String {
    match &node.value {
        Value::Null => "null".to_owned(),
        Value::Plain(text) => in_line_text(text),
        Value::Text(text) => quoted(text),
        Value::List(items) => format!("[{}]", items.iter().map(in_line).collect::<Vec<_>>().join(", ")),
        Value::Map(entries) if entries.is_empty() => "{}".to_owned(),
        Value::Map(entries) => {
            let entry = |entry: &Entry| format!("{}: {}", quoted(&entry.key), in_line(&entry.node));
            format!("{{ {} }}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
    }
}

/// A text that may be a number or a truth value.
fn in_line_text(text: &str) -> String {
    if is_number_or_flag(text) { text.to_owned() } else { quoted(text) }
}

/// Whether text that stood without quotes means the same without them anywhere.
fn is_number_or_flag(text: &str) -> bool {
    text.parse::<i64>().is_ok_and(|number| number.to_string() == text) || matches!(text, "true" | "false")
}

/// `text` as a comment of one line, without anything that would act on a terminal.
pub(crate) fn comment(text: &str) -> String {
    let mut out = String::from("# ");
    for character in text.chars() {
        if is_plain(character) { out.push(character) } else { out.extend(character.escape_default()) }
    }
    out
}

/// Why `text` cannot stand as a value in a pipe file, if it cannot.
pub(crate) fn unwritable(text: &str) -> Option<&'static str> {
    if text.trim().is_empty() {
        Some("it is blank")
    } else if text.contains("${") {
        Some("`${` begins a reference in a pipe file")
    } else {
        None
    }
}

/// `text` as a YAML scalar, in quotes where it needs some.
pub(crate) fn quoted(text: &str) -> String {
    const WORDS: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    let is_name = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '(' | ')' | '-' | '.' | '/'))
        && !WORDS.iter().any(|word| word.eq_ignore_ascii_case(text));
    if is_name {
        return text.to_owned();
    }
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if is_plain(c) => out.push(c),
            c => {
                let _ = write!(out, "\\U{:08X}", u32::from(c));
            }
        }
    }
    out.push('"');
    out
}

/// Whether a character may stand in a file that people look at: no control characters, none that turns the direction of
/// text around, none that YAML takes for the end of a line or for a mark.
fn is_plain(character: char) -> bool {
    !(character.is_control()
        || ('\u{200b}'..='\u{202e}').contains(&character)
        || ('\u{2066}'..='\u{2069}').contains(&character)
        || matches!(character, '\u{feff}' | '\u{fffe}' | '\u{ffff}'))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;

    use super::super::yaml;
    use super::*;

    #[test]
    fn blocks_are_as_people_write_them() {
        let table = TableLines {
            engine: "ReplacingMergeTree(v)".to_owned(),
            order_by: vec!["ts".to_owned(), "odd name".to_owned()],
            order_by_comment: "ts for ranges of time".to_owned(),
            partition_by: Some("toYYYYMM(ts)".to_owned()),
            partition_by_comment: "months of ts".to_owned(),
            ttl: Some("ts + INTERVAL 30 DAY".to_owned()),
            settings: [("index_granularity", "8192"), ("storage_policy", "hot cold")]
                .map(|(name, value)| TableSetting { name: name.to_owned(), value: value.to_owned() })
                .into(),
        };
        let bare =
            TableLines { order_by: vec![], partition_by: None, ttl: None, settings: vec![], ..table.clone() };
        let column = |name: &str, type_sql: &str| ColumnLines {
            name: name.to_owned(),
            type_sql: type_sql.to_owned(),
            source: Source::Field(name.to_owned()),
            comments: vec!["98 %: all\nof them".to_owned()],
        };
        let offset = ColumnLines {
            source: Source::of_column("_offset"),
            comments: Vec::new(),
            ..column("_offset", "UInt64")
        };
        let columns = ColumnLines::block(&[
            column("ts", "DateTime64(3, 'UTC')"),
            column("n", "UInt64"),
            column("_key", "String"),
            offset.clone(),
            ColumnLines { name: "place".to_owned(), ..offset },
        ]);
        expect![[r#"
            destination:
              managed_table:
                engine: ReplacingMergeTree(v)
                # ts for ranges of time
                order_by: [ts, "odd name"]
                # months of ts
                partition_by: toYYYYMM(ts)
                ttl: "ts + INTERVAL 30 DAY"
                settings: { index_granularity: 8192, storage_policy: "hot cold" }
              managed_table:
                engine: ReplacingMergeTree(v)
                # no sorting key: ts for ranges of time
                # no partition_by: months of ts
              columns:
                # 98 %: all\nof them
                - { name: ts, type: "DateTime64(3, 'UTC')" }
                # 98 %: all\nof them
                - { name: "n", type: UInt64 }
                # 98 %: all\nof them
                - { name: _key, type: String, from: "`_key`" }
                - { name: _offset, type: UInt64 }
                - { name: place, type: UInt64, from: _offset }
        "#]]
        .assert_eq(&format!("destination:\n{}{}{columns}", table.block(), bare.block()));
    }

    fn read_back(text: &str) -> Option<String> {
        let document = format!("k: {{ a: {}, b: [{}] }}\n", quoted(text), quoted(text));
        let Value::Map(entries) = yaml::load(&document).ok()?.value else { return None };
        let Value::Map(entries) = &entries.first()?.node.value else { return None };
        let [a, b] = &entries[..] else { return None };
        let Value::List(b) = &b.node.value else { return None };
        let text = |value: &Value| match value {
            Value::Text(text) | Value::Plain(text) => Some(text.clone()),
            _ => None,
        };
        let (a, b) = (text(&a.node.value)?, text(&b.first()?.value)?);
        (a == b).then_some(a)
    }

    #[test]
    fn odd_texts_are_read_back_as_they_are() {
        for text in [
            "",
            "null",
            "~",
            "a: b",
            "- x",
            "#c",
            "a #b",
            "{",
            "]",
            "\"",
            "\\",
            "\\n",
            "\n\t\0",
            "\u{85}",
            "\u{2028}",
            "\u{feff}a",
            "é",
            "日本",
            "😀",
            "'",
            "%",
            "@",
            "`",
            "!t",
            "&a",
            "*a",
            "|",
            ">",
            "0x1",
            " ",
            "x ",
            "\u{202e}",
            "\u{200f}",
        ] {
            assert_eq!(read_back(text).as_deref(), Some(text), "{text:?}: {}", quoted(text));
            assert!(!comment(text).contains(['\n', '\u{1b}', '\u{202e}']), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_back_as_it_is(text in any::<String>()) {
            prop_assert_eq!(read_back(&text), Some(text.clone()), "{}", quoted(&text));
        }
    }
}
