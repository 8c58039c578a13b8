//! What a device may be told to do, and what came of it.
//!
//! A person orders, the log keeps, a gateway that has the device on a connection tells it in its
//! own protocol ([`crate::protocol::Decode::command`]), and what comes of it goes to the log too.

use thiserror::Error;

/// Shortest time between reports that may be ordered, seconds.
pub const INTERVAL_MIN_S: u32 = 5;
/// Longest, seconds: a day.
pub const INTERVAL_MAX_S: u32 = 86_400;
/// Most bytes of a text in the device's own words.
pub const TEXT_MAX: usize = 160;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Say where you are.
    Position,
    /// Report so often while driving, seconds.
    Interval(u32),
    /// Start anew.
    Restart,
    /// Keep the engine from running.
    EngineStop,
    /// Let the engine run.
    EngineResume,
    /// Words of the device's own, printable ASCII.
    Text(String),
}

/// Words that are no command.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotACommand {
    /// Nobody knows it.
    #[error("command `{0}` is not position, interval, restart, engine_stop, engine_resume or text")]
    Name(String),
    /// What it needs is missing or out of range.
    #[error("command needs {0}")]
    Argument(&'static str),
}

impl Command {
    /// As JSON and the log spell it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Position => "position",
            Self::Interval(_) => "interval",
            Self::Restart => "restart",
            Self::EngineStop => "engine_stop",
            Self::EngineResume => "engine_resume",
            Self::Text(_) => "text",
        }
    }

    /// Whether it can do harm: an engine that stops on a motorway, or words that may say anything.
    /// Such a command needs a second person, and a door that was opened for it.
    pub const fn is_harmful(&self) -> bool {
        matches!(self, Self::EngineStop | Self::Text(_))
    }

    /// The command of a name, with the seconds or the words that it needs.
    pub fn new(name: &str, seconds: Option<u32>, words: Option<&str>) -> Result<Self, NotACommand> {
        let seconds = seconds.filter(|s| (INTERVAL_MIN_S..=INTERVAL_MAX_S).contains(s));
        let printable = |text: &&str| {
            (1..=TEXT_MAX).contains(&text.len()) && text.bytes().all(|b| (0x20..0x7f).contains(&b))
        };
        Ok(match name {
            "position" => Self::Position,
            "interval" => {
                Self::Interval(seconds.ok_or(NotACommand::Argument("5 to 86400 seconds"))?)
            }
            "restart" => Self::Restart,
            "engine_stop" => Self::EngineStop,
            "engine_resume" => Self::EngineResume,
            "text" => {
                let words = words.filter(printable);
                let wrong = NotACommand::Argument("1 to 160 printable ASCII characters of text");
                Self::Text(words.ok_or(wrong)?.to_owned())
            }
            _ => return Err(NotACommand::Name(name.chars().take(40).collect())),
        })
    }
}

/// What came of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Its bytes are on the way to the device. Not the end where the protocol has answers.
    Sent,
    /// The device has answered.
    Answered,
    /// The device did not come in time, or has not been told in time.
    Expired,
    /// Its protocol, or the way it travels, has no such command.
    Unsupported,
    /// It can do harm and nobody else has approved it, or the door is not open for such.
    Refused,
    /// Too many wait.
    Full,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 6] =
        [Self::Sent, Self::Answered, Self::Expired, Self::Unsupported, Self::Refused, Self::Full];

    /// As JSON and the log spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Answered => "answered",
            Self::Expired => "expired",
            Self::Unsupported => "unsupported",
            Self::Refused => "refused",
            Self::Full => "full",
        }
    }

    /// The outcome of a name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|o| o.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_what_they_are_called() {
        for (name, seconds, words) in [
            ("position", None, None),
            ("interval", Some(30), None),
            ("restart", None, None),
            ("engine_stop", None, None),
            ("engine_resume", None, None),
            ("text", None, Some("getver")),
        ] {
            assert_eq!(Command::new(name, seconds, words).unwrap().name(), name);
        }
        for (name, seconds, words) in [
            ("", None, None),
            ("interval", None, None),
            ("interval", Some(1), None),
            ("text", None, Some("")),
            ("text", None, Some("two\r\nlines")),
        ] {
            assert!(Command::new(name, seconds, words).is_err(), "{name} {seconds:?} {words:?}");
        }
        assert!(Command::EngineStop.is_harmful() && !Command::EngineResume.is_harmful());
        assert!(Outcome::ALL.iter().all(|o| Outcome::by_name(o.name()) == Some(*o)));
    }
}
