//! Pipe files for tests, as a user would write them.

use std::fmt::Write;

use housepipe_local_stack::{DATABASE, Stack, User};

/// A pipe file in the making.
#[derive(Debug, Clone, Default)]
pub struct PipeText {
    name: String,
    source: String,
    destination: String,
    rest: String,
}

impl PipeText {
    /// From `topic` into the table of the same name, over plain connections.
    pub fn new(stack: &Stack, topic: &str) -> PipeText {
        PipeText {
            name: topic.replace('_', "-"),
            source: format!("  type: kafka\n  brokers: '{}'\n  topic: {topic}\n", stack.kafka.bootstrap()),
            destination: format!(
                "  url: {}\n  database: {DATABASE}\n  table: {topic}\n",
                stack.clickhouse.url()
            ),
            rest: String::new(),
        }
    }

    /// The same over SASL_SSL as `user`.
    pub fn with_sasl(mut self, stack: &Stack, mechanism: &str, user: &str, password: &str) -> PipeText {
        self.source = self.source.replace(stack.kafka.bootstrap(), stack.kafka.bootstrap_sasl_ssl());
        let _ = write!(
            self.source,
            "  auth: {{ mechanism: {mechanism}, username: {user}, password: '{password}' }}\n  tls: {{ ca: '{}' }}\n",
            stack.kafka.ca_pem().display()
        );
        self
    }

    /// The same over SASL_SSL as the preset of `vendor`, with these `auth:`.
    pub fn with_preset(mut self, stack: &Stack, vendor: &str, auth: &str) -> PipeText {
        self.source = self.source.replace(stack.kafka.bootstrap(), stack.kafka.bootstrap_sasl_ssl());
        self.source = self.source.replace("type: kafka", &format!("type: {vendor}"));
        let _ = write!(
            self.source,
            "  auth: {{ {auth} }}\n  tls: {{ ca: '{}' }}\n",
            stack.kafka.ca_pem().display()
        );
        self
    }

    /// Writes as `user`.
    pub fn with_clickhouse_user(mut self, user: User) -> PipeText {
        let _ = write!(self.destination, "  username: {}\n  password: '{}'\n", user.name, user.password);
        self
    }

    /// Creates the table with these columns.
    pub fn with_new_table(mut self, columns: &str, order_by: &str) -> PipeText {
        let _ = write!(
            self.destination,
            "  managed_table: {{ order_by: [{order_by}] }}\n  columns: \"{columns}\"\n"
        );
        self
    }

    /// Adds lines to the destination.
    pub fn with_columns(mut self, lines: &str) -> PipeText {
        self.destination.push_str(lines);
        self
    }

    /// The same pipe under another name, in the same consumer group.
    pub fn renamed(mut self, name: &str) -> PipeText {
        let _ = writeln!(self.source, "  consumer_group: housepipe-{}", self.name);
        name.clone_into(&mut self.name);
        self
    }

    /// Replaces text of the finished file.
    pub fn replacing(mut self, from: &str, to: &str) -> PipeText {
        self.source = self.source.replace(from, to);
        self.destination = self.destination.replace(from, to);
        self.rest = self.rest.replace(from, to);
        self
    }

    /// Adds a block at the top level.
    pub fn with(mut self, block: &str) -> PipeText {
        self.rest.push_str(block);
        self.rest.push('\n');
        self
    }

    /// The whole file.
    pub fn text(&self) -> String {
        format!(
            "name: {}\nsource:\n{}destination:\n{}{}",
            self.name, self.source, self.destination, self.rest
        )
    }
}
