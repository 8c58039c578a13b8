//! A vector as its file spells it (`vectors/README.md`), and the bytes it stands for.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_json::Value;

/// One line of a vector file; what is not named here is for people.
#[derive(Debug, Deserialize)]
pub(super) struct Vector {
    #[serde(default)]
    pub(super) id: Value,
    #[serde(default)]
    pub(super) order: Value,
    #[serde(default)]
    kind: String,
    #[serde(flatten)]
    pub(super) message: Message,
    #[serde(default)]
    pub(super) decoder_config: Config,
    #[serde(default)]
    pub(super) depends_on_login: Vec<Earlier>,
}

impl Vector {
    /// Whether it asks for the stream splitter's next frame only.
    pub(super) fn is_frame(&self) -> bool {
        self.kind == "frame"
    }
}

/// Settings in force; those of other programs are left aside.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Config {
    #[serde(rename = "modelOverride")]
    pub(super) model_override: Option<String>,
    #[serde(alias = "format0", alias = "form")]
    pub(super) format: Option<String>,
    pub(super) arg1: Option<bool>,
}

/// A message: bytes as hex, text, or an HTTP request.
#[derive(Debug, Deserialize)]
pub(super) struct Message {
    payload_hex: Option<String>,
    text: Option<String>,
    pub(super) request: Option<Request>,
}

/// An HTTP request in parts.
#[derive(Debug, Deserialize)]
pub(super) struct Request {
    #[serde(default = "get")]
    method: String,
    #[serde(default = "root")]
    uri: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body_hex: Option<String>,
    body: Option<String>,
}

fn get() -> String {
    "GET".to_owned()
}

fn root() -> String {
    "/".to_owned()
}

/// A message of the same connection that came before.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Earlier {
    Hex(String),
    Whole(Message),
    Bare(Request),
}

impl Earlier {
    /// The bytes on the wire.
    pub(super) fn bytes(&self) -> anyhow::Result<Vec<u8>> {
        match self {
            Self::Hex(hex) => unhex(hex),
            Self::Whole(message) if message.is_empty() => bail!("an earlier message is empty"),
            Self::Whole(message) => message.bytes(),
            Self::Bare(request) => request.bytes(),
        }
    }
}

impl Message {
    fn is_empty(&self) -> bool {
        self.payload_hex.is_none() && self.text.is_none() && self.request.is_none()
    }
    /// The bytes on the wire.
    pub(super) fn bytes(&self) -> anyhow::Result<Vec<u8>> {
        match (&self.request, &self.payload_hex, &self.text) {
            (Some(request), ..) => request.bytes(),
            (_, Some(hex), _) => unhex(hex),
            (.., Some(text)) => Ok(text.clone().into_bytes()),
            _ => bail!("neither `payload_hex` nor `text` nor `request`"),
        }
    }
}

impl Request {
    fn bytes(&self) -> anyhow::Result<Vec<u8>> {
        let body = match (&self.body_hex, &self.body) {
            (Some(hex), _) => unhex(hex)?,
            (None, Some(text)) => text.clone().into_bytes(),
            (None, None) => Vec::new(),
        };
        let mut head =
            format!("{} {} HTTP/1.1\r\nHost: milepost\r\n", self.method, target(&self.uri));
        for (name, value) in &self.headers {
            let ours = ["host", "content-length", "transfer-encoding"];
            if !ours.iter().any(|o| name.eq_ignore_ascii_case(o)) {
                write!(head, "{name}: {value}\r\n")?;
            }
        }
        if !body.is_empty() {
            write!(head, "Content-Length: {}\r\n", body.len())?;
        }
        head.push_str("\r\n");
        Ok([head.into_bytes(), body].concat())
    }
}

/// A target without spaces and controls, which HTTP would end at.
fn target(uri: &str) -> String {
    let mut out = String::with_capacity(uri.len());
    for byte in uri.bytes() {
        if byte.is_ascii_graphic() {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").unwrap_or_default();
        }
    }
    out
}

fn unhex(hex: &str) -> anyhow::Result<Vec<u8>> {
    let digit = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    let bytes: Option<Vec<u8>> =
        pairs.iter().map(|[a, b]| Some(digit(*a)? << 4 | digit(*b)?)).collect();
    let shown: String = hex.chars().take(40).collect();
    bytes.filter(|_| rest.is_empty()).with_context(|| format!("`{shown}` is not hex"))
}
