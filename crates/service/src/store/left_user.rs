//! The ClickHouse user that an edit leaves behind.

use housepipe_runtime::Document;

/// Where a user is, and which one.
const PLACE: [&str; 2] = ["destination.username", "destination.url"];

/// What is told of the user that was made for a pipe, where an edit has it go on by another one, or elsewhere. It is not dropped: until the edit
/// has come about in every process, the pipe inserts by it.
pub(super) fn left_behind(before: &Document, after: &Document) -> Option<String> {
    let user = before.text_at(PLACE[0]).filter(|_| before.has("destination.access"))?;
    let is_the_same = PLACE.iter().all(|key| before.text_at(key) == after.text_at(key));
    (!is_the_same || !after.has("destination.access")).then(|| {
        format!(
            "the clickhouse user `{user}`, which was made for the pipe, stays as it is; drop it where nobody needs it"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_that_an_edit_leaves_behind_is_named() {
        let of =
            |destination: &str| Document::parse(&format!("destination: {destination}\n"), "a pipe").unwrap();
        let before = of("{ access: full, url: 'http://a:8123', username: mine, table: t }");
        for same in [
            "{ access: full, url: 'http://a:8123', username: mine, table: u }",
            "{ access: { role: r }, url: 'http://a:8123', username: mine }",
        ] {
            assert_eq!(left_behind(&before, &of(same)), None, "{same}");
        }
        for other in [
            "{ url: 'http://a:8123', username: mine }",
            "{ url: 'http://a:8123' }",
            "{ access: full, url: 'http://a:8123', username: other }",
            "{ access: full, url: 'http://b:8123', username: mine }",
        ] {
            let told = left_behind(&before, &of(other)).unwrap_or_default();
            assert!(told.contains("`mine`"), "{other}: {told}");
        }
        assert_eq!(left_behind(&of("{ username: u }"), &of("{ username: v }")), None);
    }
}
