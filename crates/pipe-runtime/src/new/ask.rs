//! Questions that are asked until the answer is a good one.

use secrecy::{ExposeSecret as _, SecretString};

use super::interview::{Interview, NoAnswer, Question};
use crate::shown::shown;

/// What stands for "nothing" in an answer, since an empty one takes the default.
pub(super) const NONE: &str = "-";

/// Characters of a reason that are shown, at most.
pub(super) const REASON_WIDTH: usize = 1_000;

/// Asks `text`, which `explanation` explains in a line, until `check` takes the answer.
pub(super) fn value<T>(
    talk: &mut dyn Interview,
    text: &str,
    explanation: &str,
    default: &str,
    mut check: impl FnMut(&str) -> Result<T, String>,
) -> Result<T, NoAnswer> {
    talk.say(&format!("\n{explanation}"))?;
    loop {
        let answer = talk.ask(Question { text, default })?;
        let answer = answer.trim();
        let answer = if answer.is_empty() { default } else { answer };
        match check(answer) {
            Ok(value) => return Ok(value),
            Err(reason) => talk.say(&format!("  {}", shown(&reason, REASON_WIDTH)))?,
        }
    }
}

/// Asks for one of `options`, each a word and what it means, by its number or its word. `default` is the word of one.
pub(super) fn choice<W: AsRef<str>>(
    talk: &mut dyn Interview,
    text: &str,
    explanation: &str,
    options: &[(W, String)],
    default: &str,
) -> Result<usize, NoAnswer> {
    let mut lines = explanation.to_owned();
    for (number, (word, meaning)) in options.iter().enumerate() {
        let meaning = if meaning.is_empty() { String::new() } else { format!("  {meaning}") };
        lines.push_str(&format!("\n  {:>2}  {}{meaning}", number + 1, word.as_ref()));
    }
    value(talk, text, &lines, default, |answer| {
        let by_word = options.iter().position(|(word, _)| word.as_ref().eq_ignore_ascii_case(answer));
        let by_number = || answer.parse::<usize>().ok()?.checked_sub(1).filter(|at| *at < options.len());
        by_word.or_else(by_number).ok_or_else(|| {
            format!(
                "`{answer}` is none of them; answer with a number from 1 to {}, or with a word",
                options.len()
            )
        })
    })
}

/// Asks for yes or no.
pub(super) fn yes(
    talk: &mut dyn Interview,
    text: &str,
    explanation: &str,
    default: bool,
) -> Result<bool, NoAnswer> {
    let default = if default { "yes" } else { "no" };
    value(talk, text, explanation, default, |answer| match answer.to_lowercase().as_str() {
        "y" | "yes" => Ok(true),
        "n" | "no" => Ok(false),
        _ => Err(format!("`{answer}` is neither yes nor no")),
    })
}

/// Asks for a secret that may not be empty.
pub(super) fn secret(
    talk: &mut dyn Interview,
    text: &str,
    explanation: &str,
) -> Result<SecretString, NoAnswer> {
    talk.say(&format!("\n{explanation}"))?;
    loop {
        let answer = talk.ask_secret(Question { text, default: "" })?;
        if !answer.expose_secret().is_empty() {
            return Ok(answer);
        }
        talk.say("  it is empty")?;
    }
}
