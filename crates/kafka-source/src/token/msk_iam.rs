//! Tokens of AWS MSK's IAM access control: a signed request that is never sent to AWS, only shown to the broker.
//!
//! The form is that of AWS's signers for SASL/OAUTHBEARER, such as
//! <https://github.com/aws/aws-msk-iam-sasl-signer-python>.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};

use super::Token;
use super::sigv4::{Credentials, Request, presign};
use crate::SourceError;

/// For how long a token holds, in seconds: as long as AWS's own signers have it.
const TOKEN_LIFETIME_S: u32 = 900;

/// The service whose action is signed.
const SERVICE: &str = "kafka-cluster";

/// The right to connect, which is what the token asks for.
const ACTION: &str = "kafka-cluster:Connect";

/// How the token names the program that made it, behind what is signed.
const USER_AGENT: &str = concat!("housepipe%2F", env!("CARGO_PKG_VERSION"));

/// Letters of a region's name, at most.
const REGION_LENGTH_MAX: usize = 32;

/// An identity of AWS that signs tokens for MSK.
#[derive(Debug, Clone, PartialEq)]
pub struct MskIam {
    region: String,
    credentials: Credentials,
}

impl MskIam {
    /// Signs with an access key for the cluster's region. `session_token` belongs to temporary credentials alone.
    ///
    /// Nothing renews temporary credentials: brokers refuse tokens that they have signed once they have ended.
    ///
    /// ```
    /// use housepipe_kafka_source::MskIam;
    /// assert!(MskIam::new("eu-central-1", "AKIDEXAMPLE", "secret", None).is_ok());
    /// assert!(MskIam::new("eu-central-1.evil.example", "AKIDEXAMPLE", "secret", None).is_err());
    /// ```
    ///
    /// # Errors
    /// [`SourceError::Config`] where the region is none, or a part of the key is empty.
    pub fn new(
        region: impl Into<String>,
        access_key_id: impl Into<String>,
        secret_access_key: impl Into<SecretString>,
        session_token: Option<SecretString>,
    ) -> Result<MskIam, SourceError> {
        let (region, access_key_id) = (region.into(), access_key_id.into());
        let secret_access_key = secret_access_key.into();
        let refuse =
            |key: &str, reason: &str| SourceError::Config { key: key.to_owned(), reason: reason.to_owned() };
        // It becomes a part of a host's name.
        let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if region.is_empty() || region.len() > REGION_LENGTH_MAX || !region.bytes().all(legal) {
            return Err(refuse("region", "a region of AWS is written as `eu-central-1`"));
        }
        if access_key_id.is_empty() || !access_key_id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(refuse("access_key_id", "an access key id has letters and digits alone"));
        }
        if secret_access_key.expose_secret().is_empty() {
            return Err(refuse("secret_access_key", "it is empty"));
        }
        let session_token = session_token.filter(|token| !token.expose_secret().is_empty());
        Ok(MskIam { region, credentials: Credentials { access_key_id, secret_access_key, session_token } })
    }

    /// The region of a broker by its host name, such as that of `b-1.demo.abc123.c2.kafka.us-east-1.amazonaws.com`; none where
    /// it is not one that AWS gave.
    ///
    /// ```
    /// use housepipe_kafka_source::MskIam;
    /// assert_eq!(MskIam::region_of("b-1.demo.abc123.c2.kafka.us-east-1.amazonaws.com"), Some("us-east-1"));
    /// assert_eq!(MskIam::region_of("boot-x1.c1.kafka-serverless.eu-west-1.amazonaws.com"), Some("eu-west-1"));
    /// assert_eq!(MskIam::region_of("kafka.example.com"), None);
    /// ```
    pub fn region_of(host: &str) -> Option<&str> {
        let name = host.strip_suffix(".amazonaws.com").or_else(|| host.strip_suffix(".amazonaws.com.cn"))?;
        let (rest, region) = name.rsplit_once('.')?;
        let service = rest.rsplit_once('.').map_or(rest, |(_, service)| service);
        matches!(service, "kafka" | "kafka-serverless").then_some(region)
    }

    /// A token that holds from `now_s` on, in seconds since 1970-01-01 UTC.
    pub(super) fn token(&self, now_s: i64) -> Token {
        let host = format!("kafka.{}.amazonaws.com", self.region);
        let request = Request {
            host: &host,
            query: &[("Action", ACTION)],
            region: &self.region,
            service: SERVICE,
            signed_at_s: now_s,
            expires_s: TOKEN_LIFETIME_S,
        };
        let query = presign(&request, &self.credentials);
        let url = format!("https://{host}/?{}&User-Agent={USER_AGENT}", query.expose_secret());
        Token {
            value: BASE64_URL_SAFE_NO_PAD.encode(url).into(),
            principal: self.credentials.access_key_id.clone(),
            extensions: Vec::new(),
            made_ms: now_s.saturating_mul(1_000),
            expires_ms: now_s.saturating_add(i64::from(TOKEN_LIFETIME_S)).saturating_mul(1_000),
        }
    }

    pub(super) fn region(&self) -> &str {
        &self.region
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const SIGNED_AT_S: i64 = 1_767_225_600;

    fn decoded(token: &Token) -> (String, BTreeMap<String, String>) {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(token.value.expose_secret()).unwrap();
        let url = url::Url::parse(std::str::from_utf8(&bytes).unwrap()).unwrap();
        assert_eq!((url.scheme(), url.path()), ("https", "/"));
        let pairs = url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned()));
        (url.host_str().unwrap().to_owned(), pairs.collect())
    }

    #[test]
    fn a_token_is_a_signed_request_to_connect() {
        let iam = MskIam::new("us-east-1", "AKIDEXAMPLE", "secret/+key", None).unwrap();
        let token = iam.token(SIGNED_AT_S);
        assert!(!token.value.expose_secret().contains(['=', '+', '/']), "base64 for URLs, without padding");
        let (host, query) = decoded(&token);
        assert_eq!(host, "kafka.us-east-1.amazonaws.com");
        let signature = &query["X-Amz-Signature"];
        assert!(signature.len() == 64 && signature.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let rest: Vec<(&str, &str)> = query
            .iter()
            .filter(|(name, _)| *name != "X-Amz-Signature")
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let user_agent = format!("housepipe/{}", env!("CARGO_PKG_VERSION"));
        assert_eq!(
            rest,
            [
                ("Action", "kafka-cluster:Connect"),
                ("User-Agent", &user_agent),
                ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
                ("X-Amz-Credential", "AKIDEXAMPLE/20260101/us-east-1/kafka-cluster/aws4_request"),
                ("X-Amz-Date", "20260101T000000Z"),
                ("X-Amz-Expires", "900"),
                ("X-Amz-SignedHeaders", "host"),
            ]
        );
        assert_eq!(token.expires_ms, (SIGNED_AT_S + 900) * 1_000);
        assert!(!format!("{token:?} {iam:?}").contains("secret/+key"));
        assert!(!format!("{token:?}").contains(token.value.expose_secret()));
    }

    #[test]
    fn a_session_token_is_a_part_of_what_is_signed() {
        let with = |session: Option<&str>| {
            MskIam::new("us-east-1", "AKID", "secret", session.map(Into::into)).unwrap().token(SIGNED_AT_S)
        };
        let (_, without) = decoded(&with(None));
        let (_, query) = decoded(&with(Some("FwoGZ+/=")));
        assert_eq!(query["X-Amz-Security-Token"], "FwoGZ+/=");
        assert_ne!(query["X-Amz-Signature"], without["X-Amz-Signature"]);
        assert!(!decoded(&with(Some(""))).1.contains_key("X-Amz-Security-Token"));
    }

    #[test]
    fn what_cannot_sign_is_refused_without_its_value() {
        for (region, id, secret) in [
            ("", "AKID", "s"),
            ("us-east-1/x", "AKID", "s"),
            ("us.east.1", "AKID", "s"),
            ("us-east-1", "", "s"),
            ("us-east-1", "AK/ID hush", "s"),
            ("us-east-1", "AKID", ""),
        ] {
            let error = MskIam::new(region, id, secret, None).unwrap_err();
            assert!(matches!(error, SourceError::Config { .. }), "{error:?}");
            assert!(!error.to_string().contains("hush"), "{error}");
        }
    }

    #[test]
    fn only_hosts_of_msk_tell_a_region() {
        assert_eq!(MskIam::region_of("b-2.x.y.c3.kafka.cn-north-1.amazonaws.com.cn"), Some("cn-north-1"));
        for host in [
            "s3.us-east-1.amazonaws.com",
            "amazonaws.com",
            ".amazonaws.com",
            "kafka.us-east-1.amazonaws.com.evil",
        ] {
            assert_eq!(MskIam::region_of(host), None, "{host}");
        }
    }
}
