//! From facts to a verdict, without IO.

use super::facts::{DeduplicationFacts, EngineKind, TableFacts, TableName};
use super::finding::{Finding, Severity};
use super::horizon::{Horizon, WINDOW_PLAIN, WINDOW_REPLICATED, WINDOW_SECONDS, horizon_of, short_horizon};

/// A verdict on inserts into a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deduplication {
    /// How long a token is remembered; none where a table remembers none, or where it cannot be told.
    pub horizon: Option<Horizon>,
    /// What was found, refusals first.
    pub findings: Vec<Finding>,
}

impl Deduplication {
    /// Why a repeated insert would be loaded again; empty where it is dropped.
    pub fn refusals(&self) -> impl Iterator<Item = &Finding> {
        self.with(Severity::Refusal)
    }

    /// The verdict on inserts into both tables: what was found of either, and the horizon of the one that forgets first.
    #[must_use]
    pub fn and(mut self, other: Deduplication) -> Deduplication {
        self.findings.extend(other.findings);
        self.horizon =
            [self.horizon, other.horizon].into_iter().flatten().min_by_key(|horizon| horizon.seconds);
        self.in_order()
    }

    /// Refusals first; where there is one, there is no horizon.
    fn in_order(mut self) -> Deduplication {
        self.findings.sort_by_key(|finding| finding.severity() as u8);
        if self.refusals().next().is_some() {
            self.horizon = None;
        }
        self
    }

    /// The findings of this severity.
    pub fn with(&self, severity: Severity) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.severity() == severity)
    }
}

/// Judges `facts` for a load of `inserts_per_second`, which must be above 0; what is not counts as one insert a day.
///
/// `horizon = min(window_blocks / (inserts per second x table partitions per insert), window_seconds)`, over the
/// destination and every table that its materialized views feed.
pub fn judge(facts: &DeduplicationFacts, inserts_per_second: f64) -> Deduplication {
    let mut findings = Vec::new();
    let mut horizon: Option<Horizon> = None;
    for (table, view) in facts.tables() {
        findings.extend(obstacles(table, view));
        if table.is_assumed {
            findings.push(Finding::DefaultsUnseen { table: table.name.clone(), user: facts.user.clone() });
        }
        let next = horizon_of(table, inserts_per_second);
        findings.extend(next.as_ref().and_then(|next| short_horizon(table, next.seconds)));
        match next {
            Some(next) if horizon.as_ref().is_none_or(|first| next.seconds < first.seconds) => {
                horizon = Some(next);
            }
            _ => {}
        }
    }
    let unseen = facts.views.iter().filter(|view| view.target.is_none());
    findings.extend(unseen.map(|view| Finding::TargetUnseen {
        view: view.view.clone(),
        target: view.target_name.clone(),
        user: facts.user.clone(),
    }));
    Deduplication { horizon, findings }.in_order()
}

/// What is the matter with one table.
fn obstacles(table: &TableFacts, view: Option<&TableName>) -> Vec<Finding> {
    let (name, fed_by) = (|| table.name.clone(), || view.cloned());
    let mut findings = Vec::new();
    match &table.kind {
        EngineKind::Plain | EngineKind::Replicated => {
            if table.window_blocks == 0 || table.window_seconds == Some(0) {
                let setting = match (&table.kind, table.window_blocks) {
                    (EngineKind::Plain, _) => WINDOW_PLAIN,
                    (_, 0) => WINDOW_REPLICATED,
                    _ => WINDOW_SECONDS,
                };
                findings.push(Finding::NoWindow { table: name(), view: fed_by(), setting });
            }
            findings.extend(table.volatile_columns.iter().map(|column| Finding::VolatilePartition {
                table: name(),
                column: column.name.clone(),
                kind: column.kind.clone(),
                expression: column.expression.clone(),
                cause: column.cause.clone(),
            }));
            if !table.fsync_after_insert {
                findings.push(Finding::NotSynced { table: name() });
            }
        }
        EngineKind::Distributed { sharding_key, is_random: true } => {
            findings.push(Finding::RandomSharding { table: name(), sharding_key: sharding_key.clone() });
        }
        EngineKind::Distributed { .. } => findings.push(Finding::ShardsUnseen { table: name() }),
        // Rows pass through it to its views, and their targets drop what is repeated.
        EngineKind::Null => {}
        EngineKind::Other => findings.push(Finding::EngineForgets {
            table: name(),
            view: fed_by(),
            engine: table.engine.clone(),
        }),
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::facts::{ViewFacts, VolatileColumn};
    use super::*;

    fn table(table: &str, kind: EngineKind, window_blocks: u64) -> TableFacts {
        TableFacts {
            name: TableName { database: "d".to_owned(), table: table.to_owned() },
            engine: "Engine".to_owned(),
            kind,
            window_blocks,
            window_seconds: None,
            partition_key: String::new(),
            volatile_columns: Vec::new(),
            partitions_per_insert: 1,
            fsync_after_insert: true,
            is_assumed: false,
            blocks_written: Some(0),
        }
    }

    fn facts(destination: TableFacts) -> DeduplicationFacts {
        DeduplicationFacts {
            destination,
            views: Vec::new(),
            has_deduplicate_insert: true,
            user: "u".to_owned(),
        }
    }

    fn refusals(facts: &DeduplicationFacts) -> Vec<String> {
        judge(facts, 1.0).refusals().map(|finding| format!("{finding}; {}", finding.mend())).collect()
    }

    #[test]
    fn the_horizon_is_the_blocks_by_the_rate_and_never_beyond_the_seconds() {
        let judged = judge(&facts(table("t", EngineKind::Plain, 10_000)), 0.8);
        let horizon = judged.horizon.unwrap();
        assert_eq!((horizon.seconds, judged.findings.len()), (12_500, 0));
        assert_eq!(horizon.arithmetic, "10000 blocks / (0.80 inserts/s x 1 table partition(s)) = 3 h");

        let mut replicated = table("t", EngineKind::Replicated, 10_000);
        (replicated.window_seconds, replicated.partitions_per_insert) = (Some(3_600), 2);
        // 32 partitions with an insert every 2 s, each into one table partition and then into two.
        assert_eq!(judge(&facts(replicated.clone()), 16.0).horizon.unwrap().seconds, 312);
        let horizon = judge(&facts(replicated), 0.1).horizon.unwrap();
        assert_eq!(horizon.seconds, 3_600);
        assert!(horizon.arithmetic.ends_with("= 13 h, and at most 60 min"), "{}", horizon.arithmetic);
    }

    #[test]
    fn a_short_horizon_is_a_warning_with_a_window_for_an_hour() {
        let warned = |table: TableFacts, rate: f64| {
            let judged = judge(&facts(table), rate);
            assert!(judged.horizon.is_some());
            judged.with(Severity::Warning).map(Finding::mend).collect::<Vec<_>>()
        };
        let plain = |blocks| table("t", EngineKind::Plain, blocks);
        assert_eq!(warned(plain(60), 1.0), Vec::<String>::new());
        let small = "ALTER TABLE `d`.`t` MODIFY SETTING non_replicated_deduplication_window = 10000";
        assert_eq!(warned(plain(59), 1.0), [small]);
        let large = "ALTER TABLE `d`.`t` MODIFY SETTING non_replicated_deduplication_window = 1800000";
        assert_eq!(warned(plain(10_000), 500.0), [large]);
        let mut hasty = table("t", EngineKind::Replicated, 10_000);
        hasty.window_seconds = Some(30);
        let seconds = "ALTER TABLE `d`.`t` MODIFY SETTING replicated_deduplication_window_seconds = 3600";
        assert_eq!(warned(hasty, 1.0), [seconds]);
    }

    #[test]
    fn odd_rates_give_a_horizon_and_no_panic() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE] {
            let judged = judge(&facts(table("t", EngineKind::Plain, u64::MAX)), rate);
            assert!(judged.horizon.is_some(), "{rate}");
        }
    }

    #[test]
    fn the_table_that_forgets_first_counts() {
        let mut all = facts(table("t", EngineKind::Plain, 1_000));
        let view = TableName { database: "d".to_owned(), table: "v".to_owned() };
        let target = Some(table("target", EngineKind::Plain, 10));
        all.views.push(ViewFacts { view: view.clone(), target_name: None, target });
        assert_eq!(judge(&all, 1.0).horizon.unwrap().table.table, "target");
        all.views.push(ViewFacts { view, target_name: None, target: None });
        assert_eq!(judge(&all, 1.0).horizon, None);
        assert_eq!(
            refusals(&all),
            ["the table that the materialized view `d`.`v` writes to cannot be seen by this user; \
              GRANT SHOW TABLES, SHOW COLUMNS ON `d`.* TO `u`"]
        );
    }

    #[test]
    fn every_obstacle_is_named_with_what_mends_it() {
        assert_eq!(
            refusals(&facts(table("o`dd", EngineKind::Plain, 0))),
            [
                r"`d`.`o\`dd` remembers no tokens, since non_replicated_deduplication_window is 0; ALTER TABLE `d`.`o\`dd` MODIFY SETTING non_replicated_deduplication_window = 10000"
            ]
        );
        let mut replicated = table("t", EngineKind::Replicated, 100);
        replicated.window_seconds = Some(0);
        assert!(refusals(&facts(replicated))[0].contains("replicated_deduplication_window_seconds is 0"));
        assert!(refusals(&facts(table("t", EngineKind::Other, 0)))[0].contains("no Engine table does"));
        assert_eq!(refusals(&facts(table("t", EngineKind::Null, 0))), Vec::<String>::new());
        let sharded = |is_random| EngineKind::Distributed { sharding_key: "rand()".to_owned(), is_random };
        assert!(refusals(&facts(table("t", sharded(true), 0)))[0].contains("to shards by rand()"));
        let judged = judge(&facts(table("t", sharded(false), 0)), 1.0);
        assert_eq!((judged.refusals().count(), judged.with(Severity::Warning).count()), (0, 1));
        let mut daily = table("t", EngineKind::Plain, 10);
        daily.volatile_columns.push(VolatileColumn {
            name: "day".to_owned(),
            kind: "MATERIALIZED".to_owned(),
            expression: "today()".to_owned(),
            cause: "today".to_owned(),
        });
        assert!(
            refusals(&facts(daily))[0]
                .ends_with("ALTER TABLE `d`.`t` MODIFY COLUMN `day` REMOVE MATERIALIZED")
        );
        let mut unsynced = table("t", EngineKind::Plain, 10);
        unsynced.fsync_after_insert = false;
        assert_eq!(judge(&facts(unsynced), 1.0).with(Severity::Note).count(), 1);
    }
}
