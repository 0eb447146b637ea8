//! What a token endpoint answers: <https://www.rfc-editor.org/rfc/rfc6749#section-5>.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;

/// Characters of an issuer's own words that an error repeats, at most.
const WORDS_MAX: usize = 200;

/// For how long a token is taken to hold where nothing says it, in seconds.
const LIFETIME_ASSUMED_S: i64 = 300;

/// The parts of an answer that are of use.
#[derive(Deserialize)]
struct Fields {
    access_token: Option<String>,
    token_type: Option<String>,
    /// Seconds; some issuers write the number as text.
    expires_in: Option<Value>,
}

/// A token as an issuer gave it.
#[derive(Debug)]
pub(super) struct Issued {
    pub(super) value: SecretString,
    /// The subject of a JSON Web Token.
    pub(super) subject: Option<String>,
    /// Milliseconds since 1970-01-01 UTC.
    pub(super) expires_ms: i64,
}

/// The token in an answer that came at `now_ms`; the error says why there is none, and quotes nothing of a token.
pub(super) fn issued(body: &[u8], now_ms: i64) -> Result<Issued, String> {
    // The error of the parser may quote the text.
    let fields: Fields =
        serde_json::from_slice(body).map_err(|_| "it is no JSON object of a token".to_owned())?;
    let value = SecretString::from(fields.access_token.ok_or("it has no `access_token`")?);
    if let Some(kind) = fields.token_type.filter(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(format!("its `token_type` is `{}`, and kafka takes Bearer alone", plain(&kind)));
    }
    // RFC 6750, section 2.1.
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if value.expose_secret().is_empty() || !value.expose_secret().bytes().all(legal) {
        return Err("its `access_token` has characters that a token cannot have".to_owned());
    }
    let claims = claims(value.expose_secret());
    let by_claim =
        claims.as_ref().and_then(|claims| whole(claims.get("exp")?)).map(|at_s| at_s.saturating_mul(1_000));
    let by_answer = fields
        .expires_in
        .as_ref()
        .and_then(whole)
        .map(|for_s| now_ms.saturating_add(for_s.saturating_mul(1_000)));
    let expires_ms = match (by_claim, by_answer) {
        (Some(claim), Some(answer)) => claim.min(answer),
        (Some(at), None) | (None, Some(at)) => at,
        (None, None) => now_ms.saturating_add(LIFETIME_ASSUMED_S * 1_000),
    };
    if expires_ms <= now_ms {
        return Err(
            "its token has ended already: compare the clocks of the issuer and of this machine".to_owned()
        );
    }
    let subject = claims.and_then(|claims| Some(plain(claims.get("sub")?.as_str()?)));
    Ok(Issued { value, subject, expires_ms })
}

/// The issuer's reason of a refusal, where it gave one in the form of the standard.
pub(super) fn refusal(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
        error_description: Option<String>,
    }
    let refusal: Refusal = serde_json::from_slice(body).ok()?;
    Some(match refusal.error_description {
        Some(description) => format!("{}: {}", plain(&refusal.error), plain(&description)),
        None => plain(&refusal.error),
    })
}

/// The claims of a JSON Web Token. Its signature is the broker's to check.
fn claims(token: &str) -> Option<serde_json::Map<String, Value>> {
    let claims = token.split('.').nth(1)?;
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// A number, also as text, without its fraction.
fn whole(value: &Value) -> Option<i64> {
    if let Some(text) = value.as_str() {
        return text.trim().parse().ok();
    }
    // Claims may have a fraction. What is out of range is as good as never.
    #[expect(clippy::cast_possible_truncation, reason = "a cast of a float saturates")]
    value.as_i64().or_else(|| value.as_f64().map(|number| number as i64))
}

/// Words of somebody else: short, and without characters that do something to a terminal or a log.
fn plain(words: &str) -> String {
    let cleaned = words.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut plain: String = cleaned.clone().take(WORDS_MAX).collect();
    if cleaned.count() > WORDS_MAX {
        plain.push('…');
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_767_225_600_000;

    fn jwt(claims: &str) -> String {
        format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(claims))
    }

    fn of(json: &str) -> Result<Issued, String> {
        issued(json.as_bytes(), NOW_MS)
    }

    #[test]
    fn the_earlier_end_counts() {
        let token = |exp_s: i64| jwt(&format!("{{\"exp\":{}.5,\"sub\":\"loader\"}}", NOW_MS / 1_000 + exp_s));
        for (exp_s, expires_in, lifetime_s) in [(600, "3600", 600), (3_600, "60", 60), (600, "\"120\"", 120)]
        {
            let answer = of(&format!(
                "{{\"access_token\":\"{}\",\"token_type\":\"bearer\",\"expires_in\":{expires_in}}}",
                token(exp_s)
            ))
            .unwrap();
            assert_eq!(answer.expires_ms, NOW_MS + lifetime_s * 1_000);
            assert_eq!(answer.subject.as_deref(), Some("loader"));
        }
        let only_claim = of(&format!("{{\"access_token\":\"{}\"}}", token(600))).unwrap();
        assert_eq!(only_claim.expires_ms, NOW_MS + 600_000);
        let opaque = of("{\"access_token\":\"abc\",\"expires_in\":60}").unwrap();
        assert_eq!((opaque.expires_ms, opaque.subject), (NOW_MS + 60_000, None));
        let bare = of("{\"access_token\":\"abc\"}").unwrap();
        assert_eq!(bare.expires_ms, NOW_MS + LIFETIME_ASSUMED_S * 1_000);
        assert_eq!(bare.value.expose_secret(), "abc");
        let forever = of("{\"access_token\":\"abc\",\"expires_in\":9223372036854775807}").unwrap();
        assert_eq!(forever.expires_ms, i64::MAX);
    }

    #[test]
    fn what_is_no_token_says_why_and_quotes_no_token() {
        let ended = format!("{{\"access_token\":\"{}\"}}", jwt("{\"exp\":1767225599}"));
        for (body, words) in [
            ("<html>hunter2</html>", "no JSON"),
            ("", "no JSON"),
            ("[]", "no JSON"),
            ("{}", "no `access_token`"),
            ("{\"access_token\":7}", "no JSON"),
            ("{\"access_token\":\"\"}", "characters"),
            ("{\"access_token\":\"hunter2\\u0000\"}", "characters"),
            ("{\"access_token\":\"hunter2\\u0001auth=x\"}", "characters"),
            ("{\"access_token\":\"hunter2\",\"token_type\":\"mac\\u001b[2J\"}", "`mac [2J`"),
            ("{\"access_token\":\"hunter2\",\"expires_in\":0}", "clocks"),
            ("{\"access_token\":\"hunter2\",\"expires_in\":-9e99}", "clocks"),
            (&ended, "clocks"),
        ] {
            let error = of(body).unwrap_err();
            assert!(error.contains(words) && !error.contains("hunter2"), "{body}: {error}");
        }
    }

    #[test]
    fn a_refusal_is_quoted_in_short() {
        assert_eq!(
            refusal(b"{\"error\":\"invalid_client\",\"error_description\":\"no such\\nclient\"}").as_deref(),
            Some("invalid_client: no such client")
        );
        assert_eq!(refusal(b"{\"error\":\"invalid_scope\"}").as_deref(), Some("invalid_scope"));
        assert_eq!(refusal(b"<html>"), None);
        let long = format!("{{\"error\":\"{}\"}}", "ü".repeat(5_000));
        assert_eq!(refusal(long.as_bytes()).unwrap().chars().count(), WORDS_MAX + 1);
    }
}
