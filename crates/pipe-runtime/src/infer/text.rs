//! What inference found, as lines that may be appended to a pipe file.

use super::report::InferReport;
use crate::pipe_file::comment;

impl InferReport {
    /// The report as YAML: the lines for a pipe file whose last block is `destination:`, and everything else as comments.
    /// Ends with a newline.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut note = |line: &str| {
            text.push_str("  ");
            text.push_str(&comment(line));
            text.push('\n');
        };
        note(&format!(
            "Inferred from {}{} {}; the lines down to the statement belong under `destination:`.",
            self.schema.map_or_else(String::new, |id| format!("schema {id} and ")),
            self.samples,
            match &self.topic {
                Some(topic) => format!("samples of the topic `{topic}`"),
                None => "documents".to_owned(),
            }
        ));
        for line in self.remarks() {
            note(&line);
        }
        text.push_str(&self.destination_yaml);
        for line in
            ["", "`housepipe run` creates the table with:"].into_iter().chain(self.create_table.lines())
        {
            text.push_str(comment(line).trim_end());
            text.push('\n');
        }
        text
    }

    /// What to know of the samples: those that are in no column.
    fn remarks(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(why) = &self.cut_short {
            lines.push(format!("not all samples came, and the newest may be missing: {why}"));
        }
        if let Some(problem) = &self.schema_problem {
            lines.push(format!("the schema that the newest record names is not used: {problem}"));
        }
        if let Some(first) = &self.first_refused {
            let codes: Vec<String> =
                self.refused_by_code.iter().map(|(code, count)| format!("{count} {code}")).collect();
            lines.push(format!(
                "{} of {} samples were refused ({}); the first ({}): {} at byte {}",
                self.refused,
                self.read,
                codes.join(", "),
                first.origin,
                first.message,
                first.position
            ));
        }
        if self.without_value > 0 {
            lines.push(format!(
                "{} samples have no value (tombstones); a pipe rejects such records",
                self.without_value
            ));
        }
        if self.framed > 0 {
            lines.push(format!(
                "{} samples were framed for a schema registry; the frame is taken off",
                self.framed
            ));
        }
        for key in &self.left_out {
            lines.push(format!("left out, the key {:?}: {}", key.key, key.reason));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::super::infer_lines;
    use crate::PipeDraft;

    const DOCUMENTS: &str = "\
{\"id\":1,\"kind\":\"a\",\"at\":\"2026-01-01T10:00:00Z\",\"odd name\":0.5}
{\"id\":2,\"kind\":\"a\",\"at\":\"2026-01-01T10:00:01Z\",\"\":1}
no document
";

    const DRAFT: &str = "\
name: clicks
source: { type: kafka, brokers: 'localhost:9092', topic: clicks }
destination:
";

    #[test]
    fn the_text_explains_itself_and_ends_a_pipe_file() {
        let draft = PipeDraft::parse(DRAFT, "p.yaml").unwrap();
        let report = infer_lines(DOCUMENTS.as_bytes(), "x", Some(&draft), "unused", 100).unwrap();
        expect![[r#"
              # Inferred from 2 documents; the lines down to the statement belong under `destination:`.
              # 1 of 3 samples were refused (1 invalid_json); the first (line 3): expected `null` at byte 0
              # left out, the key "": a column has a name, and this key is empty
              managed_table:
                engine: MergeTree
                # at for ranges of time, then id to tell rows apart
                order_by: [at, id]
                # months of at: whole partitions can be dropped when they are old, and there are few of them
                partition_by: toYYYYMM(at)
              columns:
                # 75 %: 2 whole numbers, none below zero (line 1)
                - { name: id, type: UInt64 }
                # 75 %: 2 texts, all the same (line 1)
                - { name: kind, type: String }
                # 75 %: 2 dates with time, to the second, with room for three digits more (line 1)
                - { name: at, type: "DateTime64(3, 'UTC')" }
                # 67 %: 1 number with a point; missing in 1 of 2 samples (line 2)
                - { name: "odd name", type: Nullable(Float64) }
            #
            # `housepipe run` creates the table with:
            # CREATE TABLE IF NOT EXISTS `clicks`
            # (
            #     `id` UInt64,
            #     `kind` String,
            #     `at` DateTime64(3, 'UTC'),
            #     `odd name` Nullable(Float64)
            # )
            # ENGINE = MergeTree
            # PARTITION BY (toYYYYMM(at))
            # ORDER BY (`at`, `id`)
            # SETTINGS non_replicated_deduplication_window = 10000
        "#]]
        .assert_eq(&report.text());
        let file = format!("{DRAFT}  url: http://localhost:8123\n  table: clicks\n{}", report.text());
        let pipe = crate::PipeFile::parse(&file, "p.yaml").unwrap();
        assert_eq!(pipe.destination.columns.len(), 4);
    }

    #[test]
    fn samples_that_are_missing_are_told() {
        let report = infer_lines(DOCUMENTS.as_bytes(), "x", None, "t", 100).unwrap();
        assert!(!report.text().contains("not all samples"), "{}", report.text());
        let report = super::InferReport { cut_short: Some("it took too long".to_owned()), ..report };
        let line = "# not all samples came, and the newest may be missing: it took too long\n";
        assert!(report.text().contains(line), "{}", report.text());
    }

    #[test]
    fn what_the_file_says_of_the_table_stays() {
        let managed = "destination: { table: t, managed_table: { engine: ReplacingMergeTree, order_by: [id], ttl: 'at + INTERVAL 1 DAY' } }\n";
        let draft = PipeDraft::parse(&DRAFT.replace("destination:\n", managed), "p.yaml").unwrap();
        let report = infer_lines(DOCUMENTS.as_bytes(), "x", Some(&draft), "unused", 100).unwrap();
        expect![[r#"
            CREATE TABLE IF NOT EXISTS `t`
            (
                `id` UInt64,
                `kind` String,
                `at` DateTime64(3, 'UTC'),
                `odd name` Nullable(Float64)
            )
            ENGINE = ReplacingMergeTree
            PARTITION BY (toYYYYMM(at))
            ORDER BY (`id`)
            TTL at + INTERVAL 1 DAY
            SETTINGS non_replicated_deduplication_window = 10000"#]]
        .assert_eq(&report.create_table);
        assert!(report.destination_yaml.contains("as the pipe file says"), "{}", report.destination_yaml);
    }
}
