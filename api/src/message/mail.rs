//! One try at a mail, by SMTP.

use std::time::{Duration, UNIX_EPOCH};

use ingest::time::Timestamp;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, SmtpTransport, Transport as _};
use thiserror::Error;

use super::webhook::Tried;
use super::{MailSettings, Message};

/// How long the server may take for each step.
const STEP_MAX: Duration = Duration::from_secs(10);

/// Why mail cannot be set up.
#[derive(Debug, Error)]
pub enum BadMail {
    /// The server's URL.
    #[error("mail.smtp is `{0}`, expected smtp://HOST:PORT or smtps://USER:PASSWORD@HOST")]
    Server(String),
    /// The sender's address.
    #[error("mail.from is `{0}`, expected an address such as Milepost <post@example.org>")]
    From(String),
    /// Where customers reach us.
    #[error("mail.page is `{0}`, expected https://HOST, without a path")]
    Page(String),
}

/// Sends mail.
pub(crate) struct Mail {
    transport: SmtpTransport,
    from: Mailbox,
}

/// A header that lettre does not know.
#[derive(Clone)]
struct Plain(&'static str, String);

impl Plain {
    fn value(&self) -> HeaderValue {
        HeaderValue::new(HeaderName::new_from_ascii_str(self.0), self.1.clone())
    }
}

impl Mail {
    /// `None` where no server is configured.
    pub(crate) fn new(settings: &MailSettings) -> Result<Option<Self>, BadMail> {
        let page = settings.page.as_deref().unwrap_or("https://x");
        let host = page.strip_prefix("https://").or_else(|| page.strip_prefix("http://"));
        if host.is_none_or(|host| host.is_empty() || host.contains(['/', ' ', '"', '<'])) {
            return Err(BadMail::Page(page.to_owned()));
        }
        let Some(url) = &settings.smtp else { return Ok(None) };
        let builder = SmtpTransport::from_url(url).map_err(|_bad| BadMail::Server(url.clone()))?;
        let from = settings.from.clone();
        let from = from.parse().map_err(|_bad| BadMail::From(settings.from.clone()))?;
        Ok(Some(Self { transport: builder.timeout(Some(STEP_MAX)).build(), from }))
    }

    /// One try. Blocks.
    pub(crate) fn send(&self, message: &Message, now: Timestamp) -> Tried {
        let mail = match self.built(message, now) {
            Ok(mail) => mail,
            Err(why) => return Tried::Never(why),
        };
        match self.transport.send(&mail) {
            Ok(_) => Tried::Sent,
            Err(error) if error.is_permanent() => Tried::Never(said(&error)),
            Err(error) => Tried::Again(said(&error)),
        }
    }

    fn built(&self, message: &Message, now: Timestamp) -> Result<lettre::Message, String> {
        let address: Address = message.recipient.parse().map_err(|e| format!("{e}"))?;
        let at = UNIX_EPOCH + Duration::from_micros(now.micros().max(0) as u64);
        let host = self.from.email.domain();
        let mut builder = lettre::Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, address))
            .subject(&message.subject)
            .date(at)
            .message_id(Some(format!("<{}@{host}>", message.id)))
            .raw_header(Plain("Auto-Submitted", "auto-generated".to_owned()).value());
        if let Some(url) = &message.farewell {
            let one_click = "List-Unsubscribe=One-Click".to_owned();
            builder = builder
                .raw_header(Plain("List-Unsubscribe", format!("<{url}>")).value())
                .raw_header(Plain("List-Unsubscribe-Post", one_click).value());
        }
        let built = match &message.html {
            Some(html) => builder
                .multipart(MultiPart::alternative_plain_html(message.body.clone(), html.clone())),
            None => builder.body(message.body.clone()),
        };
        built.map_err(|e| e.to_string())
    }
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mail").field("from", &self.from).finish_non_exhaustive()
    }
}

/// What the server said, at most 200 characters.
fn said(error: &lettre::transport::smtp::Error) -> String {
    let source = std::error::Error::source(error).map(|source| format!(": {source}"));
    format!("{error}{}", source.unwrap_or_default()).chars().take(200).collect()
}

/// Whether a text is the address of a mailbox.
pub(crate) fn is_address(text: &str) -> bool {
    text.len() <= 254 && text.parse::<Address>().is_ok()
}
