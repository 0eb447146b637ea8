//! Texts that follow from a record's number, in Rust and in ClickHouse's SQL alike.

/// What each phrase of a text ends with, behind a number of up to 20 digits: as much variety as log lines have.
const PHRASE: &str = " is the number of an order that was taken and sent; ";
/// Odd numbers whose products have digits that no compression foresees.
const FACTORS: [u64; 2] = [0x9E37_79B9_7F4A_7C15, 0xD1B5_4A32_D192_ED03];

/// The text of a record.
pub(crate) fn text(id: u64, phrases: u64) -> String {
    let [of_id, of_phrase] = FACTORS;
    let number = |phrase: u64| id.wrapping_mul(of_id).wrapping_add(phrase.wrapping_mul(of_phrase));
    (0..phrases).map(|phrase| format!("{}{PHRASE}", number(phrase))).collect()
}

/// Whether a row has another text than its record. ClickHouse's products of UInt64 wrap as ours.
pub(crate) fn text_sql(phrases: u64) -> String {
    let [of_id, of_phrase] = FACTORS;
    format!(
        " OR text != arrayStringConcat(arrayMap(phrase -> \
         concat(toString(id * {of_id} + phrase * {of_phrase}), '{PHRASE}'), range({phrases})))"
    )
}
