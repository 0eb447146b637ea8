//! Secrets at rest: sealed with a key that the store does not have.
//!
//! A sealed text is `v1.` and the base64 of a nonce of 12 bytes, the encrypted text, and a tag of 16 bytes, made by ChaCha20-Poly1305
//! ([RFC 8439](https://www.rfc-editor.org/rfc/rfc8439)). Where it belongs, a pipe and the path of a key, is authenticated with it: a secret that
//! was moved to another place does not open.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest::{SHA256, digest};
use ring::hmac::{self, HMAC_SHA256};
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroize;

/// Letters of a key's text, at least: shorter ones are guessed.
const KEY_LENGTH_MIN: usize = 32;

const VERSION: &str = "v1.";

/// Seals and opens secrets.
pub struct Seal {
    key: LessSafeKey,
    /// For fingerprints; of the same text.
    fingerprints: hmac::Key,
    random: SystemRandom,
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

/// Why a secret could not be sealed or opened. It says nothing of what is in it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SealError {
    /// The key is too easily guessed.
    #[error(
        "the key for secrets has {0} letters; take {KEY_LENGTH_MIN} or more of a random text, such as `openssl rand -base64 32` gives"
    )]
    WeakKey(usize),
    /// It was sealed with another key, belongs elsewhere, or was changed.
    #[error("a secret does not open: it was sealed with another key, or was damaged")]
    DoesNotOpen,
    /// It was sealed by a newer version.
    #[error("a secret was sealed by a newer version of housepipe")]
    Newer,
    /// The operating system gave no random numbers.
    #[error("the operating system gives no random numbers")]
    NoRandom,
}

impl Seal {
    /// With the key that `text` holds: 32 letters or more, which somebody or something has made at random.
    ///
    /// # Errors
    /// [`SealError::WeakKey`] where it is shorter.
    pub fn new(text: &SecretString) -> Result<Seal, SealError> {
        let text = text.expose_secret().trim();
        if text.len() < KEY_LENGTH_MIN {
            return Err(SealError::WeakKey(text.len()));
        }
        let bytes = digest(&SHA256, text.as_bytes());
        // A digest of SHA-256 is as long as a key.
        let key = UnboundKey::new(&CHACHA20_POLY1305, bytes.as_ref()).map_err(|_| SealError::DoesNotOpen)?;
        let fingerprints = hmac::sign(&hmac::Key::new(HMAC_SHA256, bytes.as_ref()), b"fingerprints");
        let fingerprints = hmac::Key::new(HMAC_SHA256, fingerprints.as_ref());
        Ok(Seal { key: LessSafeKey::new(key), fingerprints, random: SystemRandom::new() })
    }

    /// A text of which a key can be made.
    ///
    /// # Errors
    /// [`SealError::NoRandom`].
    pub fn random_text() -> Result<SecretString, SealError> {
        let mut bytes = [0; 32];
        SystemRandom::new().fill(&mut bytes).map_err(|_| SealError::NoRandom)?;
        let text = STANDARD_NO_PAD.encode(bytes);
        bytes.zeroize();
        Ok(text.into())
    }

    /// A name that nothing else ever has: 24 hexadecimal digits.
    ///
    /// # Errors
    /// [`SealError::NoRandom`].
    pub fn random_id() -> Result<String, SealError> {
        let mut bytes = [0_u8; 12];
        SystemRandom::new().fill(&mut bytes).map_err(|_| SealError::NoRandom)?;
        Ok(bytes.iter().fold(String::new(), |id, byte| format!("{id}{byte:02x}")))
    }

    /// Seals `secret` for `place`.
    ///
    /// # Errors
    /// [`SealError::NoRandom`].
    pub fn seal(&self, place: &str, secret: &SecretString) -> Result<String, SealError> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).map_err(|_| SealError::NoRandom)?;
        self.seal_with(nonce, place, secret)
    }

    fn seal_with(
        &self,
        nonce: [u8; NONCE_LEN],
        place: &str,
        secret: &SecretString,
    ) -> Result<String, SealError> {
        let mut sealed = secret.expose_secret().as_bytes().to_vec();
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(place), &mut sealed)
            .map_err(|_| SealError::NoRandom)?;
        Ok(format!("{VERSION}{}", STANDARD_NO_PAD.encode([&nonce[..], &sealed].concat())))
    }

    /// A digest of `text` that nobody makes without the key.
    pub fn fingerprint(&self, text: &str) -> String {
        STANDARD_NO_PAD.encode(hmac::sign(&self.fingerprints, text.as_bytes()))
    }

    /// Opens what was sealed for `place`.
    ///
    /// # Errors
    /// [`SealError`] where the key or the place is another one, or the text was changed.
    pub fn open(&self, place: &str, sealed: &str) -> Result<SecretString, SealError> {
        let Some(text) = sealed.strip_prefix(VERSION) else {
            let is_newer = sealed.starts_with('v');
            return Err(if is_newer { SealError::Newer } else { SealError::DoesNotOpen });
        };
        let bytes = STANDARD_NO_PAD.decode(text).map_err(|_| SealError::DoesNotOpen)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>().ok_or(SealError::DoesNotOpen)?;
        let mut opened = sealed.to_vec();
        let plain = self
            .key
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(place), &mut opened)
            .map_err(|_| SealError::DoesNotOpen)?;
        let text = std::str::from_utf8(plain).map(SecretString::from).map_err(|_| SealError::DoesNotOpen);
        opened.zeroize();
        text
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn seal(key: &str) -> Seal {
        Seal::new(&key.into()).unwrap()
    }

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn what_is_sealed_opens_in_its_place_with_its_key_alone() {
        let mine = seal(KEY);
        let sealed = mine.seal("p1/source.auth.password", &"hunter2".into()).unwrap();
        assert!(!sealed.contains("hunter2"));
        assert_eq!(mine.open("p1/source.auth.password", &sealed).unwrap().expose_secret(), "hunter2");
        assert_eq!(
            seal(&format!(" {KEY}\n")).open("p1/source.auth.password", &sealed).unwrap().expose_secret(),
            "hunter2"
        );
        let refused = |outcome: Result<SecretString, SealError>| outcome.map(|_| ()).unwrap_err();
        assert_eq!(refused(mine.open("p2/source.auth.password", &sealed)), SealError::DoesNotOpen);
        let another = seal("another 6789abcdef0123456789abcdef");
        assert_eq!(refused(another.open("p1/source.auth.password", &sealed)), SealError::DoesNotOpen);
        for at in 0..sealed.len() {
            let mut bytes = sealed.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(mine.open("p1/source.auth.password", &changed).is_err(), "{changed}");
        }
        assert_eq!(refused(mine.open("p", "v2.AAAA")), SealError::Newer);
        for damaged in ["", "v1.", "v1.AAAA", "hunter2"] {
            assert_eq!(refused(mine.open("p", damaged)), SealError::DoesNotOpen, "{damaged}");
        }
    }

    #[test]
    fn two_seals_of_the_same_secret_differ() {
        let mine = seal(KEY);
        let secret = "hunter2".into();
        assert_ne!(mine.seal("p", &secret).unwrap(), mine.seal("p", &secret).unwrap());
        assert!(mine.seal("p", &String::new().into()).is_ok(), "also an empty one is a secret");
    }

    #[test]
    fn keys_are_long_and_random_ones_are_given() {
        assert_eq!(Seal::new(&"short".into()).unwrap_err(), SealError::WeakKey(5));
        let (a, b) = (Seal::random_text().unwrap(), Seal::random_text().unwrap());
        assert_ne!(a.expose_secret(), b.expose_secret());
        assert!(Seal::new(&a).is_ok());
        assert_eq!(format!("{:?}", seal(KEY)), "Seal");
        assert_eq!(seal(KEY).fingerprint("a"), seal(KEY).fingerprint("a"));
        assert_ne!(seal(KEY).fingerprint("a"), seal(KEY).fingerprint("b"));
        assert_ne!(seal(KEY).fingerprint("a"), Seal::new(&a).unwrap().fingerprint("a"));
    }

    /// The stored form: it must be read by every version to come.
    #[test]
    fn the_form_stays_as_it_is() {
        let sealed =
            seal(KEY).seal_with([7; NONCE_LEN], "p1/destination.password", &"hunter2".into()).unwrap();
        expect!["v1.BwcHBwcHBwcHBwcHFez0/DMzyy/IP6u9ZWt8vZ/x2FNdpV0"].assert_eq(&sealed);
        assert_eq!(seal(KEY).open("p1/destination.password", &sealed).unwrap().expose_secret(), "hunter2");
    }
}
