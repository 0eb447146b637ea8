//! Events of a web shop: narrow records, mostly numbers.

use super::random::{Random, number, text};
use super::{Corpus, columns, open};

/// 12 fields, about 280 bytes: times, numbers of all kinds, short texts, one that is null in a third of the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Events {
    seed: u64,
    with_id: bool,
}

impl Events {
    /// The columns without the number.
    pub const COLUMNS: &'static str = "ts DateTime64(6, 'UTC'), user_id UInt64, session_id String, event String, \
         value Float64, lat Float64, lon Float64, is_mobile Bool, count UInt32, delta Int64, country String, \
         referrer Nullable(String)";

    /// The events of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed, with_id: false }
    }

    /// The same with a first field `id` that holds the record's number, so that lost and doubled rows can be told.
    #[must_use]
    pub const fn with_id(mut self) -> Self {
        self.with_id = true;
        self
    }
}

impl Corpus for Events {
    fn name(&self) -> &'static str {
        "events"
    }

    fn columns(&self) -> String {
        columns(Self::COLUMNS, self.with_id)
    }

    fn write(&self, index: u64, record: &mut Vec<u8>) {
        let random = &mut Random::new(self.seed, index);
        open(record, self.with_id.then_some(index));
        record.extend_from_slice(b"\"ts\":\"");
        random.time(record, 50_000);
        record.extend_from_slice(b"\",\"user_id\":");
        // Ids of all lengths, from 14 bits to 44.
        let shift = 20 + random.below(30);
        number(record, random.next() >> shift);
        record.extend_from_slice(b",\"session_id\":\"");
        random.uuid(record);
        let event = random.pick(&["page_view", "click", "purchase", "scroll"]);
        // Below 2^53, so that the conversions to floating point are exact.
        let value = random.below(10_000_000) as f64 / 100.0;
        let latitude = random.below(180_000_000) as f64 / 1e6 - 90.0;
        let longitude = random.below(360_000_000) as f64 / 1e6 - 180.0;
        let is_mobile = random.pick(&["true", "false"]);
        // Counts of all lengths, mostly small.
        let bits = 1 + random.below(20);
        let count = random.below(1 << bits);
        let delta = i128::from(random.below(2_000_000)) - 1_000_000;
        let country = random.pick(&["DE", "US", "FR", "JP"]);
        text(
            record,
            format_args!(
                "\",\"event\":\"{event}\",\"value\":{value},\"lat\":{latitude},\"lon\":{longitude},\
                 \"is_mobile\":{is_mobile},\"count\":{count},\"delta\":{delta},\"country\":\"{country}\",\"referrer\":"
            ),
        );
        if random.below(3) == 0 {
            record.extend_from_slice(b"null}");
        } else {
            text(record, format_args!("\"https://www.example.com/p/{}\"}}", random.below(100_000)));
        }
    }
}
