//! SCRAM-SHA-256, the client's side: it shows that it knows the password without saying it.
//!
//! RFC 5802 has the exchange and RFC 7677 the hash. The server's own proof is not looked at: it is ours, and a stranger
//! at its port is told by its cluster's name.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};

/// The name of the mechanism.
pub(super) const MECHANISM: &str = "SCRAM-SHA-256";
/// The client's first message without its header. PostgreSQL takes the user from the session, and the nonce may be any:
/// the server adds one of its own, which is new each time.
const FIRST: &str = "n=,r=housepipe-local-stack";
/// Far above the server's default of 4096.
const ITERATIONS_MAX: u32 = 1_000_000;
/// Length of a block of the hash, in bytes.
const BLOCK: usize = 64;

type Sum = [u8; 32];

/// The client's first message: no channel binding, then [`FIRST`].
pub(super) fn first() -> String {
    format!("n,,{FIRST}")
}

/// The client's last message, in answer to the server's first.
pub(super) fn last(password: &str, server_first: &str) -> io::Result<String> {
    answer(password, FIRST, server_first).ok_or_else(|| io::Error::other("SCRAM of another kind"))
}

/// As [`last`]; none where the server's message is not one.
fn answer(password: &str, first: &str, server_first: &str) -> Option<String> {
    let field = |name: &str| server_first.split(',').find_map(|field| field.strip_prefix(name));
    let salt = BASE64.decode(field("s=")?).ok()?;
    let iterations = field("i=")?.parse().ok().filter(|count| (1..=ITERATIONS_MAX).contains(count))?;
    // The header "n,," in base 64.
    let without_proof = format!("c=biws,r={}", field("r=")?);

    let salted = pbkdf2(password.as_bytes(), &salt, iterations);
    let client_key = hmac(&salted, b"Client Key");
    let stored_key = Sha256::digest(client_key);
    let message = format!("{first},{server_first},{without_proof}");
    let proof = xor(client_key, &hmac(&stored_key, message.as_bytes()));
    Some(format!("{without_proof},p={}", BASE64.encode(proof)))
}

/// The first block of PBKDF2 (RFC 8018), which is all that SCRAM takes.
fn pbkdf2(password: &[u8], salt: &[u8], iterations: u32) -> Sum {
    let mut last = hmac(password, &[salt, &1_u32.to_be_bytes()].concat());
    let mut sum = last;
    for _ in 1..iterations {
        last = hmac(password, &last);
        sum = xor(sum, &last);
    }
    sum
}

/// HMAC (RFC 2104).
fn hmac(key: &[u8], message: &[u8]) -> Sum {
    let mut block = [0; BLOCK];
    if key.len() > BLOCK {
        block[..size_of::<Sum>()].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message);
    let outer = Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner.finalize());
    outer.finalize().into()
}

fn xor(mut left: Sum, right: &Sum) -> Sum {
    left.iter_mut().zip(right).for_each(|(left, right)| *left ^= right);
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_7677_comes_out() {
        let first = "n=user,r=rOprNGfwEbeRWgbNEkqO";
        let nonce = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let server_first = format!("{nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
        let proof = "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        assert_eq!(answer("pencil", first, &server_first), Some(format!("c=biws,{nonce},{proof}")));
    }

    #[test]
    fn a_message_that_is_none_has_no_answer() {
        for message in ["", "r=a,s=W22Z", "r=a,s=?,i=1", "r=a,s=W22Z,i=0", "r=a,s=W22Z,i=4000000000"] {
            assert!(last("pencil", message).is_err(), "{message}");
        }
    }
}
