//! Expressions and engines that a pipe's author writes: checked so that they stay the part of the DDL that they are.

use crate::error::SinkError;

/// Bytes of an expression, at most.
const EXPRESSION_BYTES_MAX: usize = 4_096;

/// Words that begin another clause of CREATE TABLE and have no place outside parentheses of an expression.
const CLAUSES: &[&str] = &[
    "AS",
    "CLONE",
    "COMMENT",
    "EMPTY",
    "ENGINE",
    "FORMAT",
    "INTO",
    "ORDER",
    "PARTITION",
    "POPULATE",
    "PRIMARY",
    "SAMPLE",
    "SELECT",
    "SETTINGS",
    "TTL",
    "UNION",
];

/// Functions that look at something else than the row: files, other tables and dictionaries, the server itself; or that keep the server from
/// answering. In capital letters.
const LOOK_ELSEWHERE: &[&str] = &[
    "ADDRESSTOLINE",
    "ADDRESSTOLINEWITHINLINES",
    "ADDRESSTOSYMBOL",
    "CATBOOSTEVALUATE",
    "FILE",
    "FILESYSTEMAVAILABLE",
    "FILESYSTEMCAPACITY",
    "FILESYSTEMUNRESERVED",
    "GETCLIENTHTTPHEADER",
    "GETMACRO",
    "GETMERGETREESETTING",
    "GETOSKERNELVERSION",
    "GETSERVERSETTING",
    "GETSETTING",
    "GETSETTINGORDEFAULT",
    "HASCOLUMNINTABLE",
    "JOINGET",
    "JOINGETORNULL",
    "SHOWCERTIFICATE",
    "SLEEP",
    "SLEEPEACHROW",
];

/// What the names of functions over dictionaries begin with, in capital letters.
const OF_DICTIONARIES: &str = "DICT";

/// Engines that keep their rows on the server and reach nothing else. Others (URL, File, S3, MySQL, Executable ...)
/// would let the author of a pipe reach what the server can reach.
const PLAIN_ENGINES: &[&str] = &["Null", "Memory", "Log", "StripeLog", "TinyLog"];

/// Checks a condition that is put in parentheses behind WHERE. Words that begin another clause cannot do so there, and
/// some are columns of ours, such as `partition`. A query within it is refused as everywhere, and so is a name that it
/// gives to something: the server would take it for our column wherever that stands. `x::Type` casts without `AS`.
pub(crate) fn check_condition(text: &str) -> Result<(), SinkError> {
    scan(text, true, &[], &["SELECT", "AS"]).map_err(|problem| SinkError::Condition { problem })
}

/// Checks one expression of a sorting key, a partition key or a TTL.
pub(crate) fn check_expression(part: &'static str, text: &str) -> Result<(), SinkError> {
    scan(text, part != "ttl", CLAUSES, &["SELECT"]).map_err(|problem| SinkError::Definition {
        part,
        text: text.to_owned(),
        problem,
    })
}

/// Checks an engine; says whether it takes a sorting key.
pub(crate) fn check_engine(text: &str) -> Result<bool, SinkError> {
    let refuse = |problem| Err(SinkError::Definition { part: "engine", text: text.to_owned(), problem });
    let text = text.trim();
    let name_end = text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
    let (name, arguments) = text.split_at(name_end);
    let merge_tree = name.ends_with("MergeTree");
    if !merge_tree && !PLAIN_ENGINES.contains(&name) {
        return refuse("is not one of the MergeTree family, Null, Memory or Log");
    }
    let arguments = arguments.trim_start();
    if arguments.is_empty() {
        return Ok(merge_tree);
    }
    match scan(arguments, true, CLAUSES, &["SELECT"]) {
        Err(problem) => refuse(problem),
        Ok(()) if !arguments.starts_with('(') || closing(arguments) != Some(arguments.len() - 1) => {
            refuse("has more than a name and its arguments in parentheses")
        }
        Ok(()) => Ok(merge_tree),
    }
}

/// Checks that `text` is balanced, holds no comment, no second statement, none of `clauses` outside parentheses and none
/// of `never` anywhere.
fn scan(text: &str, commas_inside_only: bool, clauses: &[&str], never: &[&str]) -> Result<(), &'static str> {
    if text.trim().is_empty() {
        return Err("is empty");
    }
    if text.len() > EXPRESSION_BYTES_MAX {
        return Err("is too long (4096 bytes at most)");
    }
    let mut depth = Vec::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let mut taken = character.len_utf8();
        match character {
            '\'' | '"' | '`' => {
                taken = quoted(rest).ok_or("has a quote that is not closed")?;
                if character != '\'' && is_called(&rest[taken..]) {
                    return Err("has a function whose name is quoted");
                }
            }
            '(' => depth.push(')'),
            '[' => depth.push(']'),
            ')' | ']' => {
                if depth.pop() != Some(character) {
                    return Err("has parentheses that do not match");
                }
            }
            ',' if depth.is_empty() && commas_inside_only => return Err("has a comma outside parentheses"),
            ';' | '{' | '}' | '#' | '$' | '\\' | '\0' => {
                return Err("has a character that no expression needs");
            }
            _ if rest.starts_with("--") || rest.starts_with("/*") => return Err("has a comment"),
            _ if character.is_alphanumeric() || character == '_' => {
                taken = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
                let word = rest[..taken].to_ascii_uppercase();
                let word = word.as_str();
                if (depth.is_empty() && clauses.contains(&word)) || never.contains(&word) {
                    return Err("has a word that begins another clause");
                }
                if is_called(&rest[taken..])
                    && (LOOK_ELSEWHERE.contains(&word) || word.starts_with(OF_DICTIONARIES))
                {
                    return Err("calls a function that looks at something else than the row");
                }
            }
            _ if character.is_ascii() && !character.is_ascii_control() => {}
            '\n' | '\t' => {}
            _ => return Err("has a character that no expression needs"),
        }
        rest = &rest[taken..];
    }
    if depth.is_empty() { Ok(()) } else { Err("has parentheses that do not match") }
}

/// Whether what stands before `rest` is the name of a function that is called.
fn is_called(rest: &str) -> bool {
    rest.trim_start().starts_with('(')
}

/// Length of the quoted text that `text` begins with, quotes included.
pub(crate) fn quoted(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mark = *bytes.first()?;
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            byte if byte == mark => return Some(at + 1),
            _ => {}
        }
        at += 1;
    }
    None
}

/// What stands between the commas of `text` that are in no quotes and no brackets, trimmed.
pub(crate) fn parts(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start, mut at) = (Vec::new(), 0_usize, 0, 0);
    while let Some(character) = text[at..].chars().next() {
        match character {
            '\'' | '"' | '`' => {
                // A quote that is not closed reaches to the end.
                at += quoted(&text[at..]).unwrap_or(text.len() - at);
                continue;
            }
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
        at += character.len_utf8();
    }
    parts.push(text[start..].trim());
    parts
}

/// Index of the parenthesis that closes the one at the start.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(character) = text[at..].chars().next() {
        match character {
            '\'' | '"' | '`' => {
                at += quoted(&text[at..])?;
                continue;
            }
            '(' => depth += 1,
            ')' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
        at += character.len_utf8();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_users_write_passes() {
        for text in [
            "ts",
            "toYYYYMM(ts)",
            "(a, b)",
            "`odd name`",
            "cityHash64(id) % 16",
            "f('a)b;--', \"x\")[1]",
            "größe",
        ] {
            assert!(check_expression("order_by", text).is_ok(), "{text}");
        }
        for text in [
            "ts + INTERVAL 30 DAY",
            "ts + toIntervalDay(7) DELETE WHERE level = 'debug'",
            "a TO VOLUME 'x', b DELETE",
        ] {
            assert!(check_expression("ttl", text).is_ok(), "{text}");
        }
        for (engine, keyed) in [
            ("MergeTree", true),
            ("MergeTree()", true),
            ("ReplacingMergeTree(version)", true),
            ("ReplicatedMergeTree('/t/{shard}', '{replica}')", true),
            ("Null", false),
        ] {
            assert_eq!(check_engine(engine).unwrap(), keyed, "{engine}");
        }
    }

    #[test]
    fn parts_are_cut_at_commas_of_their_own() {
        assert_eq!(parts("'/t,1', '{r}', f(a, [b, c]), `d,`"), ["'/t,1'", "'{r}'", "f(a, [b, c])", "`d,`"]);
        assert_eq!(parts(""), [""]);
        assert_eq!(parts("a)b, 'c, d"), ["a)b", "'c, d"]);
    }

    #[test]
    fn functions_that_look_elsewhere_are_refused() {
        for text in [
            "toUInt64(file('/etc/hostname')) = 1",
            "sleep (3) = 0",
            "SleepEachRow(1)",
            "`file`('x') = ''",
            "\"sleep\" (3)",
            "dictGet('d', 'a', offset) = 1",
            "1 = getSetting('max_threads')",
        ] {
            assert!(check_condition(text).is_err(), "{text}");
            assert!(check_expression("order_by", text).is_err(), "{text}");
        }
        for text in ["file = 'x'", "length(file) > 3", "`file` = 'sleep(3)'", "(dict) = 1"] {
            assert!(check_condition(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_would_become_another_clause_is_refused() {
        for text in [
            "",
            " ",
            "a, b",
            "a) SETTINGS x = 1",
            "a SETTINGS x = 1",
            "a AS SELECT 1",
            "(SELECT 1)",
            "a; DROP TABLE t",
            "a -- b",
            "a /* b",
            "'a",
            "`a",
            "(a",
            "a]",
            "(a]",
            "a\\",
            "{a:String}",
            "a\0",
            "a ORDER BY b",
            "tuple() PRIMARY KEY a",
        ] {
            assert!(check_expression("order_by", text).is_err(), "{text}");
        }
        for engine in [
            "",
            "URL('http://169.254.169.254/', 'CSV')",
            "File(CSV)",
            "MergeTree ORDER BY x",
            "MergeTree() x",
            "MergeTree(a) (b)",
            "MergeTree(",
            "MergeTree; DROP",
            "Executable('x')",
            "Null AS SELECT 1",
            "Merge Tree",
        ] {
            assert!(check_engine(engine).is_err(), "{engine}");
        }
    }
}
