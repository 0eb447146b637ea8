//! Signed tokens (<https://www.rfc-editor.org/rfc/rfc7519>) and the key by which they are checked.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, SigningKey};
use serde_json::{Value, json};

use crate::error::{Result, StackError};

/// The name of the only key.
const KEY_ID: &str = "1";
/// Bytes of each of the two numbers of a signature, and of a point.
const NUMBER_BYTES: usize = 32;

/// A key of the curve P-256, for the algorithm ES256.
#[derive(Debug)]
pub(super) struct Key(KeyPair);

impl Key {
    pub(super) fn generate() -> Result<Self> {
        KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map(Key).map_err(failed)
    }

    /// The public key, as brokers read it: <https://www.rfc-editor.org/rfc/rfc7517>.
    pub(super) fn jwk(&self) -> Value {
        // The byte 4 for a point that is not compressed, and its two numbers.
        let (x, y) = self.0.public_key_raw().get(1..).unwrap_or_default().split_at(NUMBER_BYTES);
        let encode = |bytes| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": KEY_ID, "x": encode(x), "y": encode(y) })
    }

    pub(super) fn sign(&self, claims: &Value) -> Result<String> {
        let header = json!({ "alg": "ES256", "typ": "JWT", "kid": KEY_ID });
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&header), part(claims));
        let signature = self.0.sign(text.as_bytes()).map_err(failed)?;
        let signature = plain(&signature).ok_or_else(|| failed(rcgen::Error::RingUnspecified))?;
        Ok(format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// A signature in DER (a sequence of two integers) as tokens have it: the two numbers, one behind the other.
fn plain(der: &[u8]) -> Option<Vec<u8>> {
    let mut rest = der.strip_prefix(&[0x30])?.get(1..)?;
    let mut numbers = Vec::with_capacity(2 * NUMBER_BYTES);
    for _ in 0..2 {
        let length = usize::from(*rest.strip_prefix(&[2])?.first()?);
        let number = rest.get(2..2 + length)?;
        rest = rest.get(2 + length..)?;
        // A zero in front says that it is positive; zeros are missing where it is small.
        let number = if length > NUMBER_BYTES { number.strip_prefix(&[0])? } else { number };
        numbers.resize(numbers.len() + NUMBER_BYTES.checked_sub(number.len())?, 0);
        numbers.extend_from_slice(number);
    }
    Some(numbers)
}

fn failed(source: rcgen::Error) -> StackError {
    StackError::Certificate { which: "issuer's", source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_a_signature_keep_their_width() {
        let short = [vec![0x30, 0x27, 2, 1, 7, 2, 33, 0], vec![0x80; 32]].concat();
        let expected = [vec![0; 31], vec![7], vec![0x80; 32]].concat();
        assert_eq!(plain(&short), Some(expected));
        for broken in [&short[..10], &[0x30, 2, 2, 1], b"", b"no signature"] {
            assert_eq!(plain(broken), None);
        }
    }

    #[test]
    fn a_token_has_three_parts() {
        let token = Key::generate().unwrap().sign(&json!({ "sub": "loader" })).unwrap();
        let parts: Vec<Vec<u8>> =
            token.split('.').map(|part| BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).collect();
        assert_eq!(parts.len(), 3);
        assert_eq!(serde_json::from_slice::<Value>(&parts[1]).unwrap(), json!({ "sub": "loader" }));
        assert_eq!(parts[2].len(), 2 * NUMBER_BYTES);
    }
}
