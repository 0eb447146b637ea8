//! What a user has been granted, held against what it is to have, so that a start sends no statement where nothing is to change.

use std::collections::BTreeSet;

use crate::error::SinkError;
use crate::quote::quote_identifier;
use crate::sink::Sink;
use crate::user::{Access, PipeUser};

impl Sink {
    /// Whether `user` has what `access` says and nothing else, as the server that is asked tells it. A server that writes it otherwise than
    /// it was granted, as it does with ALL, is taken to say no.
    ///
    /// # Errors
    /// Any [`SinkError`] of a request that the server has not answered.
    pub async fn has_exactly(&self, user: &PipeUser, access: &Access) -> Result<bool, SinkError> {
        let name = quote_identifier(&user.name);
        let operation = format!("a question for the grants of the user {name}");
        let granted = match self.read_all::<String>(&operation, &format!("SHOW GRANTS FOR {name}")).await {
            Ok(granted) => granted,
            // The statement that grants will say more of it.
            Err(error) if error.code().is_some() => return Ok(false),
            Err(error) => return Err(error),
        };
        let has: BTreeSet<Element> = granted.iter().flat_map(|line| of_line(line)).collect();
        let wanted: BTreeSet<Element> = access.granted().iter().flat_map(|list| elements(list)).collect();
        Ok(has == wanted)
    }
}

/// A right and where it holds, as database and table; or a role, which holds nowhere.
type Element = (String, Vec<String>);

/// The elements of a line of SHOW GRANTS. What is not a plain grant is an element that nothing else is.
fn of_line(line: &str) -> Vec<Element> {
    let list = line.strip_prefix("GRANT ").and_then(|rest| {
        let (list, to) = parts(rest, " TO ").split_last().map(|(to, list)| (list.join(" TO "), *to))?;
        (!list.is_empty() && parts(to, " WITH ").len() == 1).then_some(list)
    });
    list.map_or_else(|| vec![(line.to_owned(), Vec::new())], |list| elements(&list))
}

/// Of `SELECT, INSERT ON a.b, SELECT ON c.d`: each right by its place.
fn elements(list: &str) -> Vec<Element> {
    let (mut elements, mut waiting) = (Vec::new(), Vec::new());
    for item in parts(list, ", ") {
        match parts(item, " ON ")[..] {
            [right, place] => {
                let place: Vec<String> = parts(place, ".").into_iter().map(bare).collect();
                waiting.push(right);
                elements.extend(waiting.drain(..).map(|right: &str| (right.to_owned(), place.clone())));
            }
            _ => waiting.push(item),
        }
    }
    elements.extend(waiting.into_iter().map(|role| (bare(role), Vec::new())));
    elements
}

/// `text` cut at each `mark` that is neither within a quoted name nor within the columns of a right.
fn parts<'t>(text: &'t str, mark: &str) -> Vec<&'t str> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut is_quoted, mut is_escaped, mut depth) = (false, false, 0_usize);
    for (at, character) in text.char_indices() {
        if at >= start && !is_quoted && depth == 0 && text[at..].starts_with(mark) {
            parts.push(&text[start..at]);
            start = at + mark.len();
        }
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '`' => is_quoted = !is_quoted,
            '(' if !is_quoted => depth += 1,
            ')' if !is_quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// A name without the quotes that it may have.
fn bare(name: &str) -> String {
    let Some(quoted) = name.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')) else {
        return name.to_owned();
    };
    let (mut bare, mut characters) = (String::new(), quoted.chars());
    while let Some(character) = characters.next() {
        bare.extend(if character == '\\' { characters.next() } else { Some(character) });
    }
    bare
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deduplication::TableName;
    use crate::user::LookBack;

    fn is_right(access: &Access, lines: &[&str]) -> bool {
        let has: BTreeSet<Element> = lines.iter().flat_map(|line| of_line(line)).collect();
        has == access.granted().iter().flat_map(|list| elements(list)).collect()
    }

    #[test]
    fn grants_are_known_as_the_server_writes_them() {
        let table = |database: &str, table: &str| TableName {
            database: database.to_owned(),
            table: table.to_owned(),
        };
        let access = Access::Tables {
            database: "an`a ON b".to_owned(),
            tables: vec!["clicks".to_owned(), "odd, TO WITH".to_owned()],
            looks_back: Some(LookBack { elsewhere: vec![table("archive", "daily")] }),
        };
        let lines = [
            "GRANT CREATE TEMPORARY TABLE ON *.* TO housepipe_clicks",
            "GRANT SHOW TABLES, SHOW COLUMNS ON `an\\`a ON b`.* TO housepipe_clicks",
            "GRANT SELECT, INSERT ON `an\\`a ON b`.clicks TO housepipe_clicks",
            "GRANT SELECT, INSERT ON `an\\`a ON b`.`odd, TO WITH` TO housepipe_clicks",
            "GRANT SHOW TABLES, SHOW COLUMNS ON archive.daily TO housepipe_clicks",
            "GRANT SELECT ON system.merge_tree_settings TO housepipe_clicks",
            "GRANT SELECT ON system.parts TO housepipe_clicks",
            "GRANT SELECT ON system.replicated_merge_tree_settings TO housepipe_clicks",
        ];
        assert!(is_right(&access, &lines));
        for at in 0..lines.len() {
            let mut fewer = lines.to_vec();
            fewer.remove(at);
            assert!(!is_right(&access, &fewer), "without {}", lines[at]);
        }
        for more in [
            "GRANT loaders TO housepipe_clicks",
            "GRANT SELECT ON other.* TO housepipe_clicks",
            "GRANT SELECT(a, b) ON `an\\`a ON b`.clicks TO housepipe_clicks",
            "GRANT SELECT ON system.parts TO housepipe_clicks WITH GRANT OPTION",
            "REVOKE SELECT ON `an\\`a ON b`.clicks FROM housepipe_clicks",
        ] {
            let lines: Vec<&str> = lines.iter().copied().chain([more]).collect();
            assert!(!is_right(&access, &lines), "{more}");
        }
    }

    #[test]
    fn a_role_is_known_and_all_rights_are_not() {
        let role = Access::Role("load`ers".to_owned());
        assert!(is_right(&role, &["GRANT `load\\`ers` TO u"]));
        assert!(!is_right(&role, &["GRANT `load\\`ers`, others TO u"]));
        assert!(!is_right(&role, &["GRANT `load\\`ers` TO u WITH ADMIN OPTION"]));
        assert!(!is_right(&role, &[]));
        let all = Access::Database { database: "d".to_owned(), looks_back: None };
        assert!(!is_right(&all, &["GRANT SHOW, SELECT, INSERT ON d.* TO u"]));
    }
}
