//! Passwords: Argon2id, and as much work for a name that is not there as for one that is.

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};

use crate::store::StoreError;
use crate::store::keys::random_bytes;

/// Fewest and most characters.
pub(crate) const LENGTH: std::ops::RangeInclusive<usize> = 10..=200;
/// Hashes that are computed at a time, 19 MiB and some tens of milliseconds each.
pub(crate) const HASHES_MAX: usize = 2;
/// Stands in for the hash of somebody who is not there: of these parameters, of no password.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bWlsZXBvc3Qtbm9ib2R5IQ\
                      $AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The hash of a password, with its parameters and salt. Takes tens of milliseconds.
pub(crate) fn hash(password: &str) -> Result<String, StoreError> {
    let salt = random_bytes()?;
    // The defaults are OWASP's: 19 MiB, two passes, one lane.
    let made = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt[..16]);
    made.map(|hash| hash.to_string()).map_err(|e| StoreError::Value(e.to_string()))
}

/// Whether a password is the one of a hash; without a hash it is not, after the same time.
pub(crate) fn verify(password: &str, hash: Option<&str>) -> bool {
    let good = Argon2::default().verify_password(password.as_bytes(), hash.unwrap_or(NOBODY));
    good.is_ok() && hash.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_itself_is_accepted() {
        let kept = hash("correct horse battery").unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert!(verify("correct horse battery", Some(&kept)));
        assert!(!verify("correct horse batterx", Some(&kept)));
        assert!(!verify("correct horse battery", None));
        // The stand-in costs what a real one costs: it is understood and computed.
        let computed = Argon2::default().verify_password(b"", NOBODY).unwrap_err();
        assert_eq!(computed, argon2::password_hash::Error::PasswordInvalid);
    }
}
