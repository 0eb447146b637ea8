//! `If-Match`: the states of a pipe that a call is about (RFC 9110, section 13.1.1).

use axum::http::{HeaderMap, header};

use super::problem::{Problem, ProblemCode};

/// What the header says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum IfMatch {
    /// It is not there.
    Absent,
    /// Whichever state there is.
    Any,
    /// One of these revisions. Weak tags match nothing, and neither do those that the service never gave: they are left out.
    These(Vec<i64>),
}

impl IfMatch {
    /// What these headers say.
    ///
    /// # Errors
    /// [`ProblemCode::InvalidRequest`] where it is no list of tags.
    pub(super) fn of(headers: &HeaderMap) -> Result<IfMatch, Problem> {
        let lines: Vec<&str> = headers
            .get_all(header::IF_MATCH)
            .iter()
            .map(|value| value.to_str().unwrap_or_default().trim())
            .collect();
        match lines.as_slice() {
            [] => Ok(IfMatch::Absent),
            ["*"] => Ok(IfMatch::Any),
            lines => revisions(&lines.join(",")).map(IfMatch::These).ok_or_else(|| {
                Problem::new(
                    ProblemCode::InvalidRequest,
                    "`If-Match` is an `ETag` that the service gave, such as \"3\", several with commas between them, or *",
                )
            }),
        }
    }
}

/// The revisions that a list of tags names; none where it is no such list, or is empty.
fn revisions(list: &str) -> Option<Vec<i64>> {
    let (mut revisions, mut has_tag, mut rest) = (Vec::new(), false, list);
    loop {
        // An element of a list may be empty.
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return has_tag.then_some(revisions);
        }
        let weak = rest.strip_prefix("W/");
        let (tag, behind) = weak.unwrap_or(rest).strip_prefix('"')?.split_once('"')?;
        if weak.is_none() {
            revisions.extend(tag.parse::<i64>());
        }
        has_tag = true;
        rest = behind.trim_start_matches([' ', '\t']);
        if !rest.is_empty() && !rest.starts_with(',') {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_tags_is_read_as_http_has_it() {
        for (list, found) in [
            ("\"3\"", Some(vec![3])),
            ("\"3\", \"4\"", Some(vec![3, 4])),
            (", \"3\" ,,\t\"a,b\",", Some(vec![3])),
            ("W/\"3\"", Some(vec![])),
            ("W/\"3\", \"4\"", Some(vec![4])),
            ("", None),
            (",", None),
            ("3", None),
            ("\"3", None),
            ("\"3\" \"4\"", None),
            ("\"3\", *", None),
            ("w/\"3\"", None),
        ] {
            assert_eq!(revisions(list), found, "{list}");
        }
    }
}
