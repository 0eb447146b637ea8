//! The ClickHouse user that is made for a pipe: its name and its password, where the pipe file leaves them to the service.

use housepipe_runtime::Document;
use secrecy::ExposeSecret;

use crate::seal::{Seal, SealError};

/// What the name of such a user begins with; the pipe's name is the rest.
const PREFIX: &str = "housepipe_";

/// Gives a pipe that is to have a user of its own a name for it, and a password that nobody has to know, where it has none.
///
/// # Errors
/// [`SealError::NoRandom`].
pub(super) fn fill_in(document: &mut Document) -> Result<(), SealError> {
    if !document.has("destination.access") {
        return Ok(());
    }
    if let Some(name) = document.text_at("name").map(str::to_owned) {
        document.add("destination", "username", &format!("{PREFIX}{name}"));
    }
    if !document.has("destination.password") {
        document.add("destination", "password", Seal::random_text()?.expose_secret());
    }
    Ok(())
}

/// The same of a draft, which may have no name yet.
///
/// # Errors
/// [`SealError::NoRandom`].
pub(super) fn fill_in_draft(document: &mut Document) -> Result<(), SealError> {
    fill_in(document)?;
    if document.has("destination.access") {
        // Where the pipe has a name, it is there already.
        document.add("destination", "username", &format!("{PREFIX}draft"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(destination: &str) -> Document {
        let text = format!("name: clicks\ndestination: {destination}\n");
        let mut document = Document::parse(&text, "a pipe").unwrap();
        fill_in(&mut document).unwrap();
        document
    }

    #[test]
    fn what_is_left_out_is_filled_in_and_what_is_there_stays() {
        let document = filled("{ access: full }");
        assert_eq!(document.text_at("destination.username"), Some("housepipe_clicks"));
        let password = document.text_at("destination.password").unwrap().to_owned();
        assert!(password.len() > 40, "{password}");
        assert_ne!(filled("{ access: full }").text_at("destination.password"), Some(password.as_str()));
        let document = filled("{ access: { role: r }, username: u, password: p }");
        assert_eq!(document.text_at("destination.username"), Some("u"));
        assert_eq!(document.text_at("destination.password"), Some("p"));
        for untouched in ["{ table: t }", "none"] {
            let document = filled(untouched);
            assert!(!document.has("destination.username") && !document.has("destination.password"));
        }
    }
}
