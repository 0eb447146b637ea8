//! AWS Signature Version 4 of a request without a body, carried in its query.
//!
//! The algorithm is AWS's: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>.

use chrono::DateTime;
use hmac::{Hmac, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// All but what RFC 3986 calls unreserved.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Who signs.
#[derive(Debug, Clone)]
pub(super) struct Credentials {
    pub(super) access_key_id: String,
    pub(super) secret_access_key: SecretString,
    /// Of temporary credentials.
    pub(super) session_token: Option<SecretString>,
}

impl PartialEq for Credentials {
    fn eq(&self, other: &Credentials) -> bool {
        let Credentials { access_key_id, secret_access_key, session_token } = self;
        *access_key_id == other.access_key_id
            && secret_access_key.expose_secret() == other.secret_access_key.expose_secret()
            && session_token.as_ref().map(ExposeSecret::expose_secret)
                == other.session_token.as_ref().map(ExposeSecret::expose_secret)
    }
}

/// What is signed: `GET https://{host}/?{query}`.
pub(super) struct Request<'a> {
    pub(super) host: &'a str,
    /// Names and values, as they are before they are encoded.
    pub(super) query: &'a [(&'a str, &'a str)],
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    /// Seconds since 1970-01-01 UTC.
    pub(super) signed_at_s: i64,
    /// For how long the signature holds, in seconds.
    pub(super) expires_s: u32,
}

/// The encoded query with its signature. Whoever has it may do what was signed until it expires.
pub(super) fn presign(request: &Request<'_>, credentials: &Credentials) -> SecretString {
    let signing = Signing::new(request, credentials);
    let signature = signing.signature(credentials.secret_access_key.expose_secret());
    format!("{}&X-Amz-Signature={signature}", signing.query).into()
}

/// The steps between a request and its signature.
struct Signing {
    /// `20150830T123600Z`
    time: String,
    /// Day, region, service and the end.
    scope: [String; 4],
    /// Encoded and sorted.
    query: String,
    canonical: String,
}

impl Signing {
    fn new(request: &Request<'_>, credentials: &Credentials) -> Signing {
        let time = DateTime::from_timestamp(request.signed_at_s, 0).unwrap_or_default();
        let (day, time) = (time.format("%Y%m%d").to_string(), time.format("%Y%m%dT%H%M%SZ").to_string());
        let scope = [day, request.region.to_owned(), request.service.to_owned(), "aws4_request".to_owned()];
        let credential = format!("{}/{}", credentials.access_key_id, scope.join("/"));
        let expires = request.expires_s.to_string();
        let mut pairs = request.query.to_vec();
        pairs.extend([
            ("X-Amz-Algorithm", ALGORITHM),
            ("X-Amz-Credential", &credential),
            ("X-Amz-Date", &time),
            ("X-Amz-Expires", &expires),
            ("X-Amz-SignedHeaders", "host"),
        ]);
        if let Some(token) = &credentials.session_token {
            pairs.push(("X-Amz-Security-Token", token.expose_secret()));
        }
        let mut pairs: Vec<_> = pairs.iter().map(|(name, value)| (encode(name), encode(value))).collect();
        pairs.sort_unstable();
        let query: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let query = query.join("&");
        let no_body = hex(&Sha256::digest(b""));
        let canonical = format!("GET\n/\n{query}\nhost:{}\n\nhost\n{no_body}", request.host);
        Signing { time, scope, query, canonical }
    }

    fn text_to_sign(&self) -> String {
        let hash = hex(&Sha256::digest(self.canonical.as_bytes()));
        format!("{ALGORITHM}\n{}\n{}\n{hash}", self.time, self.scope.join("/"))
    }

    fn signature(&self, secret: &str) -> String {
        let mut key = format!("AWS4{secret}").into_bytes();
        for part in &self.scope {
            key = hmac(&key, part.as_bytes());
        }
        hex(&hmac(&key, self.text_to_sign().as_bytes()))
    }
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    // RFC 2104: a key that is longer than a block is hashed, a shorter one is padded; no length is refused.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    /// One case of `testdata/sigv4.json`, which says where they come from.
    #[derive(Deserialize)]
    struct Case {
        name: String,
        session_token: Option<String>,
        query: Vec<(String, String)>,
        canonical_request: Vec<String>,
        string_to_sign: Vec<String>,
        signature: String,
    }

    #[derive(Deserialize)]
    struct Suite {
        access_key_id: String,
        secret_access_key: String,
        region: String,
        service: String,
        host: String,
        signed_at_s: i64,
        expires_s: u32,
        cases: Vec<Case>,
    }

    #[test]
    fn signs_as_the_published_vectors_do() {
        let suite: Suite = serde_json::from_str(include_str!("../../testdata/sigv4.json")).unwrap();
        assert!(suite.cases.len() >= 4);
        for case in &suite.cases {
            let credentials = Credentials {
                access_key_id: suite.access_key_id.clone(),
                secret_access_key: suite.secret_access_key.clone().into(),
                session_token: case.session_token.clone().map(Into::into),
            };
            let query: Vec<(&str, &str)> =
                case.query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let request = Request {
                host: &suite.host,
                query: &query,
                region: &suite.region,
                service: &suite.service,
                signed_at_s: suite.signed_at_s,
                expires_s: suite.expires_s,
            };
            let signing = Signing::new(&request, &credentials);
            assert_eq!(signing.canonical, case.canonical_request.join("\n"), "{}", case.name);
            assert_eq!(signing.text_to_sign(), case.string_to_sign.join("\n"), "{}", case.name);
            let signed = presign(&request, &credentials);
            let end = format!("&X-Amz-Signature={}", case.signature);
            assert!(signed.expose_secret().ends_with(&end), "{}", case.name);
        }
    }

    #[test]
    fn the_key_is_derived_as_aws_documents_it() {
        // The example of "Deriving the signing key" in the AWS documentation of Signature Version 4.
        let mut key = b"AWS4wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_vec();
        for part in ["20150830", "us-east-1", "iam", "aws4_request"] {
            key = hmac(&key, part.as_bytes());
        }
        assert_eq!(hex(&key), "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
    }
}
