//! The versions that docs/operations.md says are tested are those of the local stack and of compose.

use crate::text;

/// What stands in `text` behind `mark` and behind the next `opens`, up to `closes`.
fn behind<'a>(text: &'a str, mark: &str, opens: &str, closes: char) -> &'a str {
    let rest = text.split_once(mark).unwrap_or_else(|| panic!("no `{mark}`")).1;
    rest.split_once(opens).and_then(|(_, rest)| rest.split_once(closes)).unwrap().0
}

#[test]
fn the_versions_that_are_said_to_be_tested_are() {
    let (parts, compose) = (text("crates/local-stack/parts.toml"), text("deploy/compose.yaml"));
    let postgres = text("deploy/compose.postgres.yaml");
    let operations = text("docs/operations.md");
    let documented = operations.split_once("## Versions").unwrap().1;
    let of_part = |mark: &str| behind(&parts, mark, "version = \"", '"');
    for (name, tested, deployed) in [
        ("ClickHouse", of_part("name = \"chdb-core\""), behind(&compose, "clickhouse-server", ":", '}')),
        ("Kafka", of_part("\n[kafka]"), behind(&compose, "apache/kafka", ":", '}')),
        ("schema registry", of_part("\n[registry]"), ""),
        ("PostgreSQL", of_part("\n[postgres]"), behind(&postgres, "POSTGRES_IMAGE:-postgres", ":", '}')),
    ] {
        let begin = format!("| {name}");
        let row = documented.lines().find(|line| line.starts_with(&begin)).unwrap();
        let says = |version: &str| row.split([' ', ',', ')']).any(|word| word == version);
        assert!(says(tested), "{name} is tested with {tested}: {row}");
        assert!(deployed.is_empty() || says(deployed), "{name} is deployed as {deployed}: {row}");
    }
}
