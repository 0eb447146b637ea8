//! What an edit leaves behind: a ClickHouse user, and a consumer group.

use std::borrow::Cow;

use housepipe_runtime::Document;

/// Where a user is, and which one.
const USER: [&str; 2] = ["destination.username", "destination.url"];
/// Where a group is, and which one.
const GROUP: [&str; 2] = ["source.consumer_group", "source.brokers"];

/// What is told of the user that was made for the pipe `name`, and of its consumer group, where an edit has it go on by another one, or elsewhere.
/// Neither goes: until the edit has come about in every process, the pipe uses them.
pub(super) fn left_behind(name: &str, before: &Document, after: &Document) -> Option<String> {
    let told = [user(before, after), group(name, before, after)];
    let told: Vec<String> = told.into_iter().flatten().collect();
    (!told.is_empty()).then(|| told.join("; "))
}

fn user(before: &Document, after: &Document) -> Option<String> {
    let user = before.text_at(USER[0]).filter(|_| before.has("destination.access"))?;
    let is_the_same = USER.iter().all(|key| before.text_at(key) == after.text_at(key));
    (!is_the_same || !after.has("destination.access")).then(|| {
        format!(
            "the clickhouse user `{user}`, which was made for the pipe, stays as it is; drop it where nobody needs it"
        )
    })
}

fn group(name: &str, before: &Document, after: &Document) -> Option<String> {
    let of = |document: &Document| -> String {
        let named = document.text_at(GROUP[0]).map(Cow::Borrowed);
        named.unwrap_or_else(|| Cow::Owned(format!("housepipe-{name}"))).into_owned()
    };
    let (was, brokers) = (of(before), before.text_at(GROUP[1]).unwrap_or_default());
    let is_the_same = was == of(after) && Some(brokers) == after.text_at(GROUP[1]);
    (!is_the_same).then(|| {
        format!(
            "the consumer group `{was}` at {brokers} stays with its offsets; delete it where nobody needs it"
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
        let left_behind = |before: &Document, after: &Document| user(before, after);
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

    #[test]
    fn a_group_that_an_edit_leaves_behind_is_named() {
        let of = |source: &str| Document::parse(&format!("source: {source}\n"), "a pipe").unwrap();
        let before = of("{ brokers: 'a:9092', topic: t }");
        for same in
            ["{ brokers: 'a:9092', topic: u }", "{ brokers: 'a:9092', consumer_group: housepipe-clicks }"]
        {
            assert_eq!(left_behind("clicks", &before, &of(same)), None, "{same}");
        }
        for other in ["{ brokers: 'b:9092' }", "{ brokers: 'a:9092', consumer_group: other }"] {
            let told = left_behind("clicks", &before, &of(other)).unwrap_or_default();
            assert!(told.contains("`housepipe-clicks` at a:9092"), "{other}: {told}");
        }
    }
}
