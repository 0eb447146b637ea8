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

/// Words that begin a query where they stand first in parentheses: `(FROM t)` is one without SELECT.
const QUERIES: &[&str] =
    &["DESC", "DESCRIBE", "EXPLAIN", "FROM", "SELECT", "SHOW", "TABLE", "VALUES", "WITH"];

/// Words that are values.
const VALUES: &[&str] = &["FALSE", "INF", "NAN", "NULL", "TRUE"];

/// Functions that look at something else than the row: files, other tables and dictionaries, the server itself, models and services; or that
/// keep the server from answering. In capital letters.
const LOOK_ELSEWHERE: &[&str] = &[
    "ADDRESSTOLINE",
    "ADDRESSTOLINEWITHINLINES",
    "ADDRESSTOSYMBOL",
    "AICLASSIFY",
    "AIEMBED",
    "AIEXTRACT",
    "AIFILTER",
    "AIGENERATE",
    "AIREDACT",
    "AISIMILARITY",
    "AITRANSLATE",
    "BUILDID",
    "CATBOOSTEVALUATE",
    "CURRENTHANDLER",
    "CURRENTREQUESTURL",
    "EVALMLMETHOD",
    "FILE",
    "FILESYSTEMAVAILABLE",
    "FILESYSTEMCAPACITY",
    "FILESYSTEMUNRESERVED",
    "FQDN",
    "FULLHOSTNAME",
    "GENERATESERIALID",
    "GETCLIENTHTTPHEADER",
    "GETMACRO",
    "GETMAXTABLENAMELENGTHFORDATABASE",
    "GETMERGETREESETTING",
    "GETOSKERNELVERSION",
    "GETSERVERPORT",
    "GETSERVERSETTING",
    "GETSETTING",
    "GETSETTINGORDEFAULT",
    "GLOBALIN",
    "GLOBALINIGNORESET",
    "GLOBALNOTIN",
    "GLOBALNOTINIGNORESET",
    "GLOBALNOTNULLIN",
    "GLOBALNOTNULLINIGNORESET",
    "GLOBALNULLIN",
    "GLOBALNULLINIGNORESET",
    "HASCOLUMNINTABLE",
    "HOSTNAME",
    "INIGNORESET",
    "JOINGET",
    "JOINGETORNULL",
    "LOGTRACE",
    "NAIVEBAYESCLASSIFIER",
    "NAIVEBAYESCLASSIFIERWITHALLPROBS",
    "NAIVEBAYESCLASSIFIERWITHPROB",
    "NOTIN",
    "NOTINIGNORESET",
    "NOTNULLIN",
    "NOTNULLINIGNORESET",
    "NULLIN",
    "NULLINIGNORESET",
    "REVISION",
    "SERVERTIMEZONE",
    "SERVERUUID",
    "SHOWCERTIFICATE",
    "SLEEP",
    "SLEEPEACHROW",
    "TCPPORT",
    "UPTIME",
    "VERSION",
    "ZOOKEEPERSESSIONUPTIME",
];

/// What the names of functions over dictionaries begin with, in capital letters: those that are defined, and those of regions that a server has.
const OF_DICTIONARIES: [&str; 2] = ["DICT", "REGION"];

/// Engines that keep their rows on the server and reach nothing else. Others (URL, File, S3, MySQL, Executable ...)
/// would let the author of a pipe reach what the server can reach.
const PLAIN_ENGINES: &[&str] = &["Null", "Memory", "Log", "StripeLog", "TinyLog"];

/// Checks a condition that is put in parentheses behind WHERE. Words that begin another clause cannot do so there, and
/// some are columns of ours, such as `partition`. A query within it is refused as everywhere, and so is a name that it
/// gives to something: the server would take it for our column wherever that stands. `x::Type` casts without `AS`.
pub(crate) fn check_condition(text: &str) -> Result<(), SinkError> {
    let rules = Rules {
        takes_commas: false,
        clauses: &[],
        never: &["APPLY", "AS", "SELECT"],
        is_of_our_columns: true,
    };
    rules.check(text).map_err(|problem| SinkError::Condition { problem })
}

/// Checks one expression of a sorting key, a partition key or a TTL.
pub(crate) fn check_expression(part: &'static str, text: &str) -> Result<(), SinkError> {
    let rules = Rules { takes_commas: part == "ttl", ..Rules::OF_A_PART };
    rules.check(text).map_err(|problem| SinkError::Definition { part, text: text.to_owned(), problem })
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
    match Rules::OF_A_PART.check(arguments) {
        Err(problem) => refuse(problem),
        Ok(()) if !arguments.starts_with('(') || closing(arguments) != Some(arguments.len() - 1) => {
            refuse("has more than a name and its arguments in parentheses")
        }
        Ok(()) => Ok(merge_tree),
    }
}

/// What a text may hold.
struct Rules {
    /// Whether it may be several expressions.
    takes_commas: bool,
    /// Words that have no place outside parentheses.
    clauses: &'static [&'static str],
    /// Words that have no place anywhere.
    never: &'static [&'static str],
    /// Whether all columns are ours, so that the name of a function that looks elsewhere can be nothing else: some functions take another one by
    /// its name.
    is_of_our_columns: bool,
}

impl Rules {
    /// Those of one expression, or of the arguments of an engine.
    const OF_A_PART: Rules =
        Rules { takes_commas: false, clauses: CLAUSES, never: &["SELECT"], is_of_our_columns: false };

    /// Checks that `text` is balanced, holds no comment, no query, no second statement, nothing that looks at something else than the row, and no
    /// word that has no place in it.
    fn check(&self, text: &str) -> Result<(), &'static str> {
        if text.trim().is_empty() {
            return Err("is empty");
        }
        if text.len() > EXPRESSION_BYTES_MAX {
            return Err("is too long (4096 bytes at most)");
        }
        let mut depth = Vec::new();
        let mut rest = text;
        // Whether nothing stands between here and the last parenthesis.
        let mut is_first = false;
        while let Some(character) = rest.chars().next() {
            let mut taken = character.len_utf8();
            match character {
                '\'' => taken = quoted(rest).ok_or(NOT_CLOSED)?,
                '"' | '`' => {
                    taken = quoted(rest).ok_or(NOT_CLOSED)?;
                    if is_called(&rest[taken..]) {
                        return Err("has a function whose name is quoted");
                    }
                    self.check_name(&rest[1..taken - 1].to_ascii_uppercase(), false)?;
                }
                '(' => depth.push(')'),
                '[' => depth.push(']'),
                ')' | ']' => {
                    if depth.pop() != Some(character) {
                        return Err("has parentheses that do not match");
                    }
                }
                ',' if depth.is_empty() && !self.takes_commas => {
                    return Err("has a comma outside parentheses");
                }
                ';' | '{' | '}' | '#' | '$' | '\\' | '\0' => {
                    return Err("has a character that no expression needs");
                }
                _ if rest.starts_with("--") || rest.starts_with("/*") => return Err("has a comment"),
                _ if character.is_alphanumeric() || character == '_' => {
                    taken = word(rest).len();
                    let word = rest[..taken].to_ascii_uppercase();
                    self.check_word(&word, depth.is_empty(), is_first, &rest[taken..])?;
                }
                _ if character.is_ascii() && !character.is_ascii_control() => {}
                '\n' | '\t' => {}
                _ => return Err("has a character that no expression needs"),
            }
            is_first = character == '(' || (is_first && character.is_whitespace());
            rest = &rest[taken..];
        }
        if depth.is_empty() { Ok(()) } else { Err("has parentheses that do not match") }
    }

    /// Checks a word in capital letters, and what it does with what comes `behind` it.
    fn check_word(
        &self,
        word: &str,
        is_outside: bool,
        is_first: bool,
        behind: &str,
    ) -> Result<(), &'static str> {
        let is_function = word == "EMPTY" && is_called(behind);
        if (is_outside && !is_function && self.clauses.contains(&word)) || self.never.contains(&word) {
            return Err("has a word that begins another clause");
        }
        // Behind a column of that name comes something else.
        let goes_on = |c: char| c.is_alphanumeric() || "_`\"'(*".contains(c);
        if is_first && QUERIES.contains(&word) && behind.trim_start().starts_with(goes_on) {
            return Err("has a query in parentheses; a column of that name is written in backquotes");
        }
        // Whatever else stands there may be the name of a table.
        if word == "IN" && !is_list_of_values(behind.trim_start()) {
            return Err("has IN before something else than a list of values, such as `IN ('a', 'b')`");
        }
        self.check_name(word, is_called(behind))
    }

    /// Checks what may be the name of a function, in capital letters.
    fn check_name(&self, name: &str, is_called: bool) -> Result<(), &'static str> {
        let looks_elsewhere = LOOK_ELSEWHERE.contains(&name)
            || OF_DICTIONARIES.iter().any(|beginning| name.starts_with(beginning));
        if looks_elsewhere && (is_called || self.is_of_our_columns) {
            return Err("has a function that looks at something else than the row");
        }
        Ok(())
    }
}

const NOT_CLOSED: &str = "has a quote that is not closed";

/// The word that `text` begins with.
fn word(text: &str) -> &str {
    &text[..text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len())]
}

/// Whether `text` begins with a list in brackets that is written out: values, lists of them, and calls of functions with them. Names alone may be
/// those of tables, also such as begin with a digit.
fn is_list_of_values(text: &str) -> bool {
    let (mut depth, mut rest, mut is_type) = (0_usize, text, false);
    while let Some(character) = rest.chars().next() {
        let mut taken = character.len_utf8();
        match character {
            '(' | '[' => depth += 1,
            _ if depth == 0 => return false,
            ')' | ']' if depth == 1 => return true,
            ')' | ']' => depth -= 1,
            '\'' => match quoted(rest) {
                Some(length) => taken = length,
                None => return false,
            },
            ':' if rest.starts_with("::") => taken = 2,
            ',' | '+' | '-' => {}
            _ if character.is_whitespace() => {}
            '.' | '0'..='9' => match number(rest) {
                Some(length) => taken = length,
                None => return false,
            },
            _ => {
                let name = word(rest);
                let behind = rest[name.len()..].trim_start();
                let of_time = ["DATE", "TIMESTAMP"].contains(&name.to_ascii_uppercase().as_str());
                let is_value = VALUES.contains(&name.to_ascii_uppercase().as_str())
                    || (of_time && behind.starts_with('\''))
                    || behind.starts_with('(')
                    || is_type;
                if name.is_empty() || !is_value {
                    return false;
                }
                taken = name.len();
            }
        }
        is_type = rest.starts_with("::") || (is_type && character.is_whitespace());
        rest = &rest[taken..];
    }
    false
}

/// Length of the number that `text` begins with, where nothing that could make a name of it stands behind it.
fn number(text: &str) -> Option<usize> {
    let digits = |from: usize| text[from..].bytes().take_while(u8::is_ascii_digit).count();
    let mut at = digits(0);
    let whole = at;
    if text.starts_with("0x") || text.starts_with("0X") {
        let hex = text[2..].bytes().take_while(u8::is_ascii_hexdigit).count();
        if hex == 0 {
            return None;
        }
        at = 2 + hex;
    } else {
        if text[at..].starts_with('.') {
            at += 1 + digits(at + 1);
            if at == whole + 1 && whole == 0 {
                return None;
            }
        }
        if text[at..].starts_with(['e', 'E']) {
            at += 1 + usize::from(text[at + 1..].starts_with(['+', '-']));
            let exponent = digits(at);
            if exponent == 0 {
                return None;
            }
            at += exponent;
        }
    }
    let is_whole = !text[at..].starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '.');
    is_whole.then_some(at)
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
            assert!(check_expression("order_by", text).is_ok(), "{text}");
            assert!(check_condition(text).is_err(), "no column of ours is called so: {text}");
        }
        for text in [
            "startsWith(arrayMap(file, ['/etc/hostname'])[1], 'a')",
            "arrayExists(`file`, ['a'])",
            "arrayMap(\"dictHas\", ['a']) = [1]",
            "(COLUMNS('raw_message') APPLY upper) != ''",
            "hostName() = 'a'",
        ] {
            assert!(check_condition(text).is_err(), "{text}");
        }
        assert!(check_condition("message = 'file, sleep(3) and APPLY'").is_ok());
        assert!(check_engine("ReplacingMergeTree(desc)").is_ok());
        assert!(check_expression("ttl", "ts + INTERVAL 1 DAY DELETE WHERE code IN (1db.2t)").is_err());
        assert!(check_expression("ttl", "ts + INTERVAL 1 DAY DELETE WHERE code IN (1, 2)").is_ok());
        assert!(
            check_expression("order_by", "empty(a)").is_ok()
                && check_expression("order_by", "a EMPTY").is_err()
        );
    }

    #[test]
    fn tables_are_looked_at_by_nobody() {
        for text in [
            "'a' IN sec.keys",
            "'a' IN (sec.keys)",
            "'a' not in ( ( sec.keys ) )",
            "'a' GLOBAL IN sec",
            "'a' IN `sec`",
            "'a' IN (`sec`)",
            "'a' IN (\"sec\")",
            "'a' IN [sec]",
            "'a' IN numbers(3)",
            "'a' IN ('b', sec)",
            "'a' IN (2024_keys)",
            "'a' IN (1db.2t)",
            "'a' IN (1e)",
            "'a' IN (0xkeys)",
            "'a' IN (0x)",
            "'a' IN (1.t)",
            "'a' IN (.t)",
            "'a' IN (1::UInt8, sec)",
            "'a' IN (toString(sec.keys))",
            "'a' IN (date)",
            "'a' IN ('b', sec.keys",
            "'a' IN",
            "in('a', sec.keys)",
            "NOT in('a', sec.keys)",
            "notIn('a', sec.keys)",
            "nullIn ('a', sec.keys)",
            "globalNotNullInIgnoreSet('a', sec.keys)",
            "1 = (FROM sec)",
            "exists( from sec)",
            "1 IN (VALUES (1))",
            "1 = (WITH 1 AS a FROM sec)",
            "1 = ((\n\tFROM sec))",
            "'x' = aiGenerate('m', 'p')",
        ] {
            assert!(check_condition(text).is_err(), "{text}");
            assert!(check_expression("order_by", text).is_err(), "{text}");
        }
        for text in [
            "code IN ('a', 'b')",
            "code NOT IN ('it''s', 'b\\\'c', '(')",
            "(partition, offset) IN ((1, 2), (3, -4.5e3))",
            "offset IN [1, 0x1F, NULL, true, .5, 1., 2e+3]",
            "toDate(at) IN (toDate('2024-01-01'), today())",
            "toDate(at) IN (DATE '2024-01-01')",
            "offset IN (1::UInt64, 2 :: DateTime64(3))",
            "notEmpty(toString(from)) AND if(show, 1, 2) = 1",
            "empty(message)",
            "`in` = 1",
            "extract(day FROM ts) = 1",
            "(`from` = 1)",
            "x IS DISTINCT FROM 1",
        ] {
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
