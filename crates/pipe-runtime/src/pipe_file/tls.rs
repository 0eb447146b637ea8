//! `tls:` — whom a connection trusts, and what it shows.

use super::Problem;
use super::fields::{Fields, Located};

/// What the block says: paths of PEM files, or their texts.
pub(super) struct TlsTexts {
    pub(super) ca: Option<String>,
    /// Certificate and key.
    pub(super) client: Option<(String, String)>,
}

pub(super) fn tls(at: &Located<'_>, problems: &mut Vec<Problem>) -> Option<TlsTexts> {
    let mut fields = Fields::of(at, problems)?;
    let before = problems.len();
    let ca = fields.take("ca").and_then(|v| v.pem(problems));
    let certificate = fields.take("certificate");
    let key = fields.take("key");
    let client = match (&certificate, &key) {
        (Some(certificate), Some(key)) => certificate.pem(problems).zip(key.secret_pem(problems)),
        (Some(alone), None) => {
            problems.push(alone.problem("a client certificate needs its `key:`"));
            None
        }
        (None, Some(alone)) => {
            problems.push(alone.problem("a client key needs its `certificate:`"));
            None
        }
        (None, None) => None,
    };
    fields.finish(problems);
    (problems.len() == before).then_some(TlsTexts { ca, client })
}
