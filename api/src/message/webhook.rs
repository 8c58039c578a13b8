//! One try at a webhook, signed as Standard Webhooks says (standardwebhooks.com, spec 1.0.0).
//!
//! `webhook-id` names the message over all tries, `webhook-timestamp` is the try's time in
//! seconds, `webhook-signature` holds `v1,` and the base64 of HMAC-SHA256 over
//! `id.timestamp.body`, once for each secret in force. Secrets are `whsec_` and base64 of 32
//! random bytes.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use ingest::time::Timestamp;
use sha2::Sha256;
use ureq::unversioned::transport::DefaultConnector;

use super::address::{Guard, PRIVATE};
use crate::store::StoreError;
use crate::store::keys::random_bytes;
use crate::store::webhooks::WebhookRow;

/// A try's whole time, from the name's resolution to the answer's last byte.
const TRY_MAX: Duration = Duration::from_secs(10);
/// Bytes of an answer that are read; what it says is not kept.
const ANSWER_MAX: u64 = 64 * 1024;
/// Bytes of an answer's head.
const HEAD_MAX: usize = 16 * 1024;
/// What secrets begin with.
const PREFIX: &str = "whsec_";

/// What became of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tried {
    /// The receiver has it.
    Sent,
    /// To be tried again; why.
    Again(String),
    /// Never to be tried again; why.
    Never(String),
    /// Nothing is configured that could send it; why.
    Kept(String),
    /// It no longer matters.
    Dropped,
}

/// A new secret.
pub(crate) fn new_secret() -> Result<String, StoreError> {
    Ok(format!("{PREFIX}{}", STANDARD.encode(random_bytes()?)))
}

/// `v1,…` for each secret, by spaces.
pub(crate) fn signatures(secrets: &[&str], id: &str, seconds: i64, body: &str) -> String {
    let sign = |secret: &&str| {
        let key = STANDARD.decode(secret.strip_prefix(PREFIX).unwrap_or(secret)).ok()?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
        mac.update(format!("{id}.{seconds}.{body}").as_bytes());
        Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    };
    secrets.iter().filter_map(sign).collect::<Vec<_>>().join(" ")
}

/// Sends to webhooks.
#[derive(Debug)]
pub(crate) struct Post {
    agent: ureq::Agent,
}

impl Post {
    /// Private addresses are refused unless allowed.
    pub(crate) fn new(allow_private: bool) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_global(Some(TRY_MAX))
            .max_response_header_size(HEAD_MAX)
            .user_agent(concat!("milepost/", env!("CARGO_PKG_VERSION")))
            .build();
        let agent =
            ureq::Agent::with_parts(config, DefaultConnector::default(), Guard::new(allow_private));
        Self { agent }
    }

    /// One try. Blocks for up to 10 s.
    pub(crate) fn send(&self, to: &WebhookRow, id: &str, body: &str, now: Timestamp) -> Tried {
        let seconds = now.micros().div_euclid(1_000_000);
        let signature = signatures(&to.secrets(now), id, seconds, body);
        let sent = self
            .agent
            .post(&to.url)
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", seconds.to_string())
            .header("webhook-signature", signature)
            .send(body);
        match sent {
            Ok(mut response) => {
                // Read for the connection's sake alone; too long or cut off, it is closed.
                let rest = response.body_mut().with_config().limit(ANSWER_MAX).read_to_vec();
                drop(rest);
                answered(response.status().as_u16())
            }
            Err(ureq::Error::Io(error))
                if error.kind() == std::io::ErrorKind::PermissionDenied
                    && error.to_string() == PRIVATE =>
            {
                Tried::Never(format!("the receiver has {PRIVATE}"))
            }
            Err(error) => Tried::Again(said(&error)),
        }
    }
}

fn answered(status: u16) -> Tried {
    match status {
        200..=299 => Tried::Sent,
        300..=399 => Tried::Again(format!("answered {status}; redirects are not followed")),
        410 => Tried::Never("answered 410, gone".to_owned()),
        _ => Tried::Again(format!("answered {status}")),
    }
}

/// What went wrong in our own words.
fn said(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "no answer within 10 s".to_owned(),
        ureq::Error::HostNotFound => "the name is not known".to_owned(),
        other => other.to_string().chars().take(200).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_implementation_makes_the_same_signatures() {
        let (old, new) = (new_secret().unwrap(), new_secret().unwrap());
        let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", "{\"test\": 2432232314}");
        let ours = signatures(&[&new, &old], id, 1_614_265_330, body);
        let theirs = [&new, &old].map(|secret| {
            let other = standardwebhooks::Webhook::new(secret).unwrap();
            other.sign(id, 1_614_265_330, body.as_bytes()).unwrap()
        });
        assert_eq!(ours, theirs.join(" "));
        // The vector of the specification's own libraries.
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        assert_eq!(
            signatures(&[secret], id, 1_614_265_330, body),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }
}
