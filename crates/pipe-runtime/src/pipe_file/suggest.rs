//! The nearest known word to a mistyped one, and words of others as messages quote them.

use std::borrow::Cow;

/// Bytes of a word that others are likened to, at most: whoever sends a longer one has not mistyped one of ours, and likening takes as many steps
/// as the word has letters.
const TYPED_BYTES_MAX: usize = 64;

/// The word of `known` that `typed` was most likely meant to be, if one is near enough.
///
/// Near enough is an edit distance of a third of the longer word, at least 1: `tabel` finds `table`, `x` finds nothing.
pub(super) fn nearest(typed: &str, known: &[&'static str]) -> Option<&'static str> {
    if typed.len() > TYPED_BYTES_MAX {
        return None;
    }
    let typed = typed.to_lowercase();
    let letters = typed.chars().count();
    known
        .iter()
        // No fewer edits than letters that one has more.
        .filter(|word| word.chars().count().abs_diff(letters) <= near_enough(word.chars().count(), letters))
        .map(|word| (distance(&typed, &word.to_lowercase()), *word))
        .filter(|(distance, word)| *distance <= near_enough(word.chars().count(), letters))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

fn near_enough(a: usize, b: usize) -> usize {
    (a.max(b) / 3).max(1)
}

/// The text, or its first `letters_max` letters and `…`.
pub(super) fn cut(text: &str, letters_max: usize) -> Cow<'_, str> {
    match text.char_indices().nth(letters_max) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// Edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`: the optimal string alignment distance.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replace = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replace.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_word_that_was_meant() {
        let known = ["brokers", "topic", "consumer_group", "offset", "auth", "tls"];
        for (typed, meant) in [
            ("broker", Some("brokers")),
            ("tpoic", Some("topic")),
            ("Topic", Some("topic")),
            ("consumergroup", Some("consumer_group")),
            ("group", None),
            ("zzz", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, &known), meant, "{typed}");
        }
    }

    #[test]
    fn a_long_word_is_likened_to_none_and_cut_where_it_is_quoted() {
        assert_eq!(nearest(&"a".repeat(TYPED_BYTES_MAX), &["a"]), None);
        let known = Box::leak("a".repeat(TYPED_BYTES_MAX + 2).into_boxed_str());
        assert_eq!(nearest(&known[1..=TYPED_BYTES_MAX], &[known]), Some(&*known));
        assert_eq!(nearest(&known[1..], &[known]), None, "it is not even looked at");
        assert_eq!(cut("ääää", 4), "ääää");
        assert_eq!(cut("ääää", 3), "äää…");
    }

    #[test]
    fn counts_a_swap_as_one_edit() {
        assert_eq!(distance("tabel", "table"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("same", "same"), 0);
    }
}
