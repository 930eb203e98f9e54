//! Signatures of webhook requests: HMAC-SHA256 over the time and the body.
//!
//! ```text
//! X-Tripline-Signature: t=1767225600,v1=<hex of HMAC-SHA256(secret, "1767225600." + body)>
//! ```
//! The receiver computes the same, compares in constant time, and refuses times that are too long ago.

use std::fmt::Write;

use ring::hmac;

use super::secret::Secret;

/// The header of a body that is sent at a time, in seconds since 1970.
pub fn signature(secret: &Secret, time: u64, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(format!("{time}.").as_bytes());
    context.update(body);
    let mut header = format!("t={time},v1=");
    for byte in context.sign().as_ref() {
        write!(header, "{byte:02x}").expect("a String takes any text");
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The second test case of RFC 4231, cut so that its first part is the time.
    #[test]
    fn it_is_hmac_sha256() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"Jefe");
        let tag = hmac::sign(&key, b"what do ya want for nothing?");
        let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        let own = signature(&Secret::new("Jefe"), 12, b"body");
        let tag = hmac::sign(&key, b"12.body");
        let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(own, format!("t=12,v1={hex}"));
    }
}
