//! What the hosts of one registry say to a question that none of them has the answer to, put together.

use crate::error::{ErrorClass, RegistryError};

/// The errors of the hosts that were asked.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// What a host says of the schema.
    verdict: Option<RegistryError>,
    /// Why others say nothing, and whether they have been silent for so long that they are not waited for.
    silent: Vec<(RegistryError, bool)>,
}

impl Said {
    /// A host has answered, and says that the schema is not to be had.
    pub(crate) fn verdict(&mut self, error: RegistryError) {
        // Who has it, though too large, knows more than who has not heard of it yet.
        if self.verdict.as_ref().is_none_or(|said| said.is_absence() && !error.is_absence()) {
            self.verdict = Some(error);
        }
    }

    /// A host has not answered; whether it counts as gone.
    pub(crate) fn nothing(&mut self, error: RegistryError, is_gone: bool) {
        self.silent.push((error, is_gone));
    }

    /// A verdict is believed where nobody is left who may know better: a host that is away may have heard of what the others have
    /// not. One that is away for good would hold up records for ever, so that it is not waited for after a while.
    pub(crate) fn outcome(self) -> RegistryError {
        let Some(verdict) = self.verdict else {
            let errors = self.silent.into_iter().map(|(error, _)| error);
            return worth_waiting_for(errors)
                .unwrap_or(RegistryError::Config { problem: "no url is given".to_owned() });
        };
        let may_come = self.silent.into_iter().filter(|(_, is_gone)| !is_gone).map(|(error, _)| error);
        match worth_waiting_for(may_come) {
            None => verdict,
            Some(source) => {
                RegistryError::Unconfirmed { verdict: Box::new(verdict), source: Box::new(source) }
            }
        }
    }
}

/// The first error that may pass, else the first one: while a host may come back, it is worth while to wait.
fn worth_waiting_for(errors: impl Iterator<Item = RegistryError>) -> Option<RegistryError> {
    errors.reduce(|kept, error| {
        let is_better = error.class() == ErrorClass::Retry && kept.class() != ErrorClass::Retry;
        if is_better { error } else { kept }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framing::SchemaId;

    fn absent(url: &str) -> RegistryError {
        RegistryError::NoSchema { url: url.to_owned(), id: SchemaId(7) }
    }

    fn away(url: &str) -> RegistryError {
        RegistryError::TimedOut { url: url.to_owned(), after_ms: 1 }
    }

    fn wrong(url: &str) -> RegistryError {
        RegistryError::NotARegistry { url: url.to_owned(), status: 200, what: "text/html".to_owned() }
    }

    fn large(url: &str) -> RegistryError {
        RegistryError::TooLarge { url: url.to_owned(), limit_bytes: 1 }
    }

    fn outcome(verdicts: &[RegistryError], silent: &[(RegistryError, bool)]) -> RegistryError {
        let mut said = Said::default();
        for (error, is_gone) in silent {
            said.nothing(error.clone(), *is_gone);
        }
        verdicts.iter().for_each(|error| said.verdict(error.clone()));
        said.outcome()
    }

    #[test]
    fn a_verdict_is_believed_where_nobody_is_left_who_may_know_better() {
        for silent in [&[][..], &[(away("b"), true)][..], &[(wrong("b"), true), (away("c"), true)][..]] {
            let error = outcome(&[absent("a")], silent);
            assert!(matches!(error, RegistryError::NoSchema { .. }), "{error}");
        }
        for (silent, class) in [
            (&[(away("b"), false)][..], ErrorClass::Retry),
            (&[(away("b"), true), (wrong("c"), false)][..], ErrorClass::Hold),
            (&[(wrong("b"), false), (away("c"), false)][..], ErrorClass::Retry),
        ] {
            let error = outcome(&[absent("a")], silent);
            assert!(matches!(error, RegistryError::Unconfirmed { .. }), "{error}");
            assert_eq!(error.class(), class, "{error}");
            assert!(!error.is_absence(), "it is not remembered as one");
        }
    }

    #[test]
    fn who_has_it_though_too_large_knows_more_than_who_has_not() {
        for verdicts in [[absent("a"), large("b")], [large("b"), absent("a")]] {
            let error = outcome(&verdicts, &[]);
            assert!(matches!(error, RegistryError::TooLarge { .. }), "{error}");
        }
        let error = outcome(&[large("a")], &[(away("b"), false)]);
        assert_eq!(error.class(), ErrorClass::Retry, "{error}");
    }

    #[test]
    fn without_a_verdict_the_error_that_may_pass_counts() {
        for silent in [[(away("a"), true), (wrong("b"), false)], [(wrong("b"), false), (away("a"), true)]] {
            assert!(matches!(outcome(&[], &silent), RegistryError::TimedOut { .. }));
        }
        assert!(matches!(outcome(&[], &[]), RegistryError::Config { .. }));
    }
}
