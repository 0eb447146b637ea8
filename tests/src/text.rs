//! Texts that follow from a record's number, in Rust and in ClickHouse's SQL alike.

/// What each phrase of a text ends with, behind a number of up to 20 digits: as much variety as log lines have.
const PHRASE: &str = " is the number of an order that was taken and sent; ";
/// Odd numbers whose products have digits that no compression foresees.
const FACTORS: [u64; 2] = [0x9E37_79B9_7F4A_7C15, 0xD1B5_4A32_D192_ED03];

/// Texts of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Text {
    /// Phrases of each text, of some 50 to 70 bytes.
    pub(crate) phrases: u64,
    /// Different numbers that phrases begin with.
    pub(crate) numbers: u64,
}

impl Text {
    /// Of a record.
    pub(crate) fn of(self, id: u64) -> String {
        let [of_id, of_phrase] = FACTORS;
        let mixed = |phrase: u64| id.wrapping_mul(of_id).wrapping_add(phrase.wrapping_mul(of_phrase));
        (0..self.phrases).map(|phrase| format!("{}{PHRASE}", mixed(phrase) % self.numbers)).collect()
    }

    /// Whether a row has another text than its record. ClickHouse's products of UInt64 wrap as ours.
    pub(crate) fn differs_sql(self) -> String {
        let Text { phrases, numbers } = self;
        let [of_id, of_phrase] = FACTORS;
        format!(
            " OR text != arrayStringConcat(arrayMap(phrase -> concat(toString(\
             (id * {of_id} + phrase * {of_phrase}) % {numbers}), '{PHRASE}'), range({phrases})))"
        )
    }
}
