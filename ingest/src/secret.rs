//! What a device shows to be believed: a password, a bearer token, an authentication code.
//!
//! Only a salted hash is kept. It is SHA-256 once and not a slow hash for passwords: it is checked
//! at every HTTP request of a phone and for a whole fleet that logs in at once, where a slow one
//! would be a way to stop the door. So a secret must be long ([`SECRET_MIN`]), and is best made by
//! a machine: short words could be guessed by whoever reads the log's devices, who is an
//! administrator anyway; the door itself lets nobody guess fast.

use std::fmt;
use std::hint::black_box;

use sha2::{Digest as _, Sha256};

/// Shortest secret, bytes.
pub const SECRET_MIN: usize = 8;
/// Longest secret, bytes; of longer ones that are shown the rest is not looked at.
pub const SECRET_MAX: usize = 128;
/// Bytes of a salt.
pub const SALT: usize = 16;
const HASH: usize = 32;

/// A secret that can be compared and not be read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret {
    salt: [u8; SALT],
    hash: [u8; HASH],
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

fn hash(salt: &[u8; SALT], secret: &[u8]) -> [u8; HASH] {
    Sha256::new().chain_update(salt).chain_update(secret).finalize().into()
}

impl Secret {
    /// Of a text, with a salt that is used for nothing else. `None`: shorter than [`SECRET_MIN`] or
    /// longer than [`SECRET_MAX`].
    pub fn new(salt: [u8; SALT], secret: &[u8]) -> Option<Self> {
        let fits = (SECRET_MIN..=SECRET_MAX).contains(&secret.len());
        fits.then(|| Self { salt, hash: hash(&salt, secret) })
    }

    /// Whether this is it. Takes the same time whatever of it is right.
    pub fn is(&self, shown: &[u8]) -> bool {
        let theirs = hash(&self.salt, shown.get(..=SECRET_MAX).unwrap_or(shown));
        let differ = |all: u8, (a, b): (&u8, u8)| black_box(all | (a ^ b));
        self.hash.iter().zip(theirs).fold(0, differ) == 0
    }

    /// Salt and hash, as they are stored.
    pub fn bytes(&self) -> Vec<u8> {
        [&self.salt[..], &self.hash].concat()
    }

    /// Reads what [`Secret::bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (salt, rest) = bytes.split_first_chunk()?;
        Some(Self { salt: *salt, hash: rest.try_into().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_secret_is_it() {
        let secret = Secret::new([7; SALT], b"correct horse").unwrap();
        assert!(secret.is(b"correct horse"));
        for wrong in [&b""[..], b"correct hors", b"correct horsf", b"correct horse ", &[0; 4096]] {
            assert!(!secret.is(wrong), "{wrong:?}");
        }
        let longest = Secret::new([7; SALT], &[b'x'; SECRET_MAX]).unwrap();
        assert!(longest.is(&[b'x'; SECRET_MAX]) && !longest.is(&[b'x'; SECRET_MAX + 1]));
        assert_eq!(Secret::from_bytes(&secret.bytes()), Some(secret));
        assert_eq!(Secret::from_bytes(&secret.bytes()[1..]), None);
        assert_ne!(Secret::new([8; SALT], b"correct horse").unwrap().hash, secret.hash);
        assert_eq!(Secret::new([7; SALT], b"short"), None);
        assert_eq!(format!("{secret:?}"), "Secret");
    }
}
