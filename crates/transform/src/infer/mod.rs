//! Columns out of samples.
//!
//! [`Inference`] looks at samples one by one (`sample.rs`, `walk.rs`) and keeps what it saw at each path (`node.rs` and the facts
//! in it); `finish` chooses types (`choose/`) and the keys of a table (`keys.rs`).

mod choose;
mod clash;
mod distinct;
mod expected;
mod inferred;
mod key_names;
mod keys;
mod limits;
mod mark;
mod names;
mod node;
mod number;
mod sample;
#[cfg(test)]
mod tests;
mod text;
mod trial;
mod walk;

pub use expected::ExpectedColumn;
pub use inferred::{Inferred, InferredColumn, LeftOutKey, PartitionKey, RefusedSample};
pub use limits::{InferenceLimits, InferenceOptions};

use crate::encode::{Cursor, Fault};
use crate::plan::PlanError;
use crate::reject::{Reject, RejectCode};
use expected::ExpectedColumns;
use limits::LEVELS_MAX;
use mark::Mark;
use node::Objects;
use trial::Trial;
use walk::Walk;

/// Looks at samples, and says which columns they fit.
///
/// ```
/// use housepipe_transform::{Inference, InferenceOptions};
///
/// let mut inference = Inference::new();
/// inference.add(br#"{"id":1,"ts":"2024-05-01T10:00:00.250Z","tags":["new"]}"#, 17)?;
/// inference.add(br#"{"id":2,"ts":"2024-05-01T10:00:01Z","ip":"10.0.0.1"}"#, 18)?;
/// assert!(inference.add(b"no JSON", 19).is_err());
///
/// let inferred = inference.finish(&InferenceOptions::default());
/// assert_eq!(
///     inferred.columns().to_string(),
///     "id UInt64, ts DateTime64(3, 'UTC'), tags Array(String), ip Nullable(IPv4)"
/// );
/// assert_eq!(inferred.order_by, ["ts", "id"]);
/// assert_eq!(inferred.partition_by.map(|key| key.to_string()).as_deref(), Some("toYYYYMM(ts)"));
/// assert_eq!((inferred.columns[3].decided_by, inferred.columns[3].reason.as_str()),
///     (Some(18), "1 IPv4 address; missing in 1 of 2 samples"));
/// assert_eq!((inferred.samples, inferred.refused), (2, 1));
/// # Ok::<(), housepipe_transform::Reject>(())
/// ```
///
/// # How types are chosen
///
/// The law above all others: every sample that was added can be loaded into the columns, with both semantics and the
/// [limits](crate::Limits) of a plan by default. (A plan with [`strict_utf8`](crate::PlanOptions::strict_utf8) refuses
/// samples that are not UTF-8, whatever the columns.) Where two types would do, the one is taken that later records are
/// likely to fit as well.
///
/// | seen at a path | type |
/// |---|---|
/// | `true`, `false`; also 0 and 1, beside them or under names such as `is_new` | Bool |
/// | whole numbers | UInt64, with a minus Int64; 128 or 256 bits where they are larger. Less only where the meaning of a name bounds it (`status_code`, `port`) |
/// | whole numbers under the name of a time, in the range of seconds since 1970 | DateTime('UTC') |
/// | the same in milliseconds or smaller units | Int64: a number is read as seconds for a DateTime64 |
/// | numbers with a point, also mixed with whole ones; whole ones under names such as `temperature` | Float64; DateTime64 for seconds since 1970 under the name of a time; Decimal(18, 4) under the name of an amount of money, with four digits at most behind the point. So are whole numbers under the name of a price, or of an amount beside such amounts |
/// | texts that are all UUIDs, IPv4 addresses, addresses, dates, dates with time in the notation of ISO 8601 | UUID, IPv4, IPv6, Date or Date32, DateTime64 of 3, 6 or 9 digits in UTC |
/// | other texts | String; LowCardinality(String) where they repeat |
/// | arrays | Array of what their elements are |
/// | objects that mostly have the same keys | Tuple with names |
/// | objects whose keys vary or look like data, with values of one kind; with texts also under names such as `labels` | Map(String, …) |
/// | other objects | JSON |
/// | what is mixed otherwise, or what the type above would refuse | String, which takes any value as its text |
/// | nothing but nulls | Nullable(String) |
///
/// A path that was null or missing becomes Nullable, or LowCardinality(Nullable(…)). Arrays, maps, tuples and JSON cannot:
/// there an empty one is stored. Inside of a Tuple that is missing in some samples all elements are missing in them, so
/// they are Nullable.
///
/// To ClickHouse a name with a point is that of a part of another column. Where a type would clash with another column for
/// that, it is JSON or String.
///
/// # Confidence
///
/// Of a path with `n` values that are not null, of which `k` are of the kinds that the type is made for, it is
/// `(k + 1) / (n + 2)`: by Laplace's rule of succession the chance that the next value is of such a kind, too. 48 texts of
/// 48 give 0.98, one of one 0.67, and nothing at all 0.5. A String that stands for mixed values is made for the texts
/// among them. An Array, a Map and a Tuple have the least confidence of themselves and of all that is in them; JSON is not
/// looked into. It says nothing of keys: whether a Tuple has all of them depends on samples that were not seen.
#[derive(Debug)]
pub struct Inference {
    limits: InferenceLimits,
    trial: Trial,
    columns: Objects,
    expected: ExpectedColumns,
    paths_left: usize,
    refused: u64,
    first_refused: Option<RefusedSample>,
    /// How often keys were met for which there was no column any more, and the first of them.
    without_column: u64,
    first_without_column: Option<Box<[u8]>>,
}

impl Default for Inference {
    fn default() -> Self {
        Self::new()
    }
}

impl Inference {
    /// An inference that has seen nothing yet, with the default limits.
    #[must_use]
    pub fn new() -> Inference {
        Inference::with_limits(InferenceLimits::default())
    }

    /// An inference that has seen nothing yet, with these limits.
    #[must_use]
    pub fn with_limits(mut limits: InferenceLimits) -> Inference {
        limits.levels_max = limits.levels_max.min(LEVELS_MAX);
        Inference {
            trial: Trial::new(),
            columns: Objects::default(),
            expected: ExpectedColumns::default(),
            paths_left: limits.paths_max,
            refused: 0,
            first_refused: None,
            without_column: 0,
            first_without_column: None,
            limits,
        }
    }

    /// Expects a column, as the records' schema has it; to be called before samples are added. A type that is certain is
    /// chosen where all samples fit it and stay in it what they are, and where they do not know better: a number that is a moment
    /// by name and size, an amount of money. A column that no sample has is added behind the others.
    ///
    /// ```
    /// use housepipe_transform::{ExpectedColumn, Inference};
    ///
    /// let mut inference = Inference::new();
    /// for (name, ty) in [("level", "UInt8"), ("note", "Nullable(String)"), ("id", "UInt8")] {
    ///     inference.expect(ExpectedColumn::new(name, ty.parse()?, "the schema says so"))?;
    /// }
    /// inference.add(br#"{"id":700,"level":3}"#, 0)?;
    /// let columns = inference.finish(&Default::default()).columns();
    /// assert_eq!(columns.to_string(), "id UInt64, level UInt8, note Nullable(String)");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`PlanError`] where no plan could have such a column, or there are more of them than columns may be.
    pub fn expect(&mut self, column: ExpectedColumn) -> Result<(), PlanError> {
        if self.expected.len() >= self.limits.columns_max {
            return Err(PlanError::NotSupported {
                column: column.name,
                ty: column.ty.to_string(),
                reason: "there are more columns than the limit",
            });
        }
        self.expected.push(column)
    }

    /// Looks at a sample. `origin` is the caller's own number for it, such as its place in a list of partitions and
    /// offsets: results name samples by it, and nothing else is done with it.
    ///
    /// # Errors
    /// [`Reject`] where no columns could take the sample: it is not a JSON object, has a key twice, or is larger than a
    /// limit. It is counted, the first one is remembered, and nothing else of it is.
    pub fn add(&mut self, sample: &[u8], origin: u64) -> Result<(), Reject> {
        let mark = Mark { index: self.columns.seen.count, origin };
        let added = self.note(sample, mark).map_err(Fault::into_reject);
        self.trial.give_back();
        added.inspect_err(|reject| {
            self.refused += 1;
            self.first_refused.get_or_insert_with(|| RefusedSample { origin, reject: reject.clone() });
        })
    }

    fn note(&mut self, sample: &[u8], mark: Mark) -> Result<(), Fault> {
        if self.columns.seen.count >= self.limits.samples_max {
            return Err(Fault::new(RejectCode::RecordTooLarge, 0, "there are more samples than the limit"));
        }
        let entries = sample::entries(sample, &self.limits, &mut self.trial)?;
        sample::check_case(&entries, &self.columns, &self.limits)?;
        self.columns.begin(mark);
        let mut walk = Walk {
            limits: &self.limits,
            trial: &mut self.trial,
            paths_left: &mut self.paths_left,
            mark,
            is_utf8: std::str::from_utf8(sample).is_ok(),
        };
        let (mut met, mut guess) = (0, 0);
        for (key, value_at) in &entries {
            let has_room =
                self.columns.fields.len() < self.limits.columns_max && key.len() <= self.limits.key_bytes_max;
            let place = self.columns.find(key, guess).or_else(|| has_room.then(|| self.columns.push(key)));
            let Some(at) = place else {
                self.expected.has_no_place(key);
                self.without_column += 1;
                let shown = &key[..key.len().min(self.limits.key_bytes_max)];
                self.first_without_column.get_or_insert_with(|| shown.into());
                continue;
            };
            guess = at + 1;
            self.columns.meet(at);
            let node = &mut self.columns.fields[at].node;
            met += usize::from(node.gap.is_none());
            let mut c = Cursor { bytes: sample, at: *value_at };
            self.expected.note(key, &c, walk.trial, mark);
            walk.value(node, &mut c, self.limits.levels_max)?;
        }
        self.columns.end(met, mark);
        Ok(())
    }

    /// How many samples were added, refused ones not counted.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.columns.seen.count
    }

    /// The columns that fit all samples seen so far. More may be added afterwards.
    #[must_use]
    pub fn finish(&self, options: &InferenceOptions) -> Inferred {
        inferred::infer(self, options)
    }
}
