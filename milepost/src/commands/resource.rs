//! `milepost devices|vehicles|routes list|get|put|delete`: what the API does, for scripts.

use std::io::Read;

use anyhow::{Context, bail};
use ingest::id::{DeviceId, percent_encoded};
use serde_json::Value;

/// Resources on a page that is asked for.
const PAGE: usize = 1_000;
/// Longest body read from standard input, bytes.
const BODY_MAX: u64 = 1 << 20;

/// Where the API is and who asks.
#[derive(Debug, clap::Args)]
pub struct Remote {
    /// Address of the API, such as `http://127.0.0.1:8080`.
    #[arg(long, value_name = "URL")]
    api: String,
    /// A key as `keys create` printed it; none for open mode.
    #[arg(long)]
    key: Option<String>,
}

/// What to do with a resource.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Print all, one JSON line each.
    List(Remote),
    /// Print one.
    Get {
        /// Its id.
        id: String,
        /// Where, and who asks.
        #[command(flatten)]
        remote: Remote,
    },
    /// Make or change one from a JSON document, given or read from standard input; print it.
    Put {
        /// Its id.
        id: String,
        /// The document; absent: standard input.
        document: Option<String>,
        /// Where, and who asks.
        #[command(flatten)]
        remote: Remote,
    },
    /// Retire one.
    Delete {
        /// Its id.
        id: String,
        /// Where, and who asks.
        #[command(flatten)]
        remote: Remote,
    },
}

/// Runs a verb on a kind of resource: `devices`, `vehicles`, `routes`.
pub fn run(kind: &str, verb: Verb) -> anyhow::Result<()> {
    match verb {
        Verb::List(remote) => remote.list(kind),
        Verb::Get { id, remote } => {
            print(&remote.ask("GET", &path(kind, &id)?, None)?);
            Ok(())
        }
        Verb::Put { id, document, remote } => {
            let text = document.map_or_else(from_stdin, Ok)?;
            let body: Value = serde_json::from_str(&text).context("the document is not JSON")?;
            print(&remote.ask("PUT", &path(kind, &id)?, Some(&body))?);
            Ok(())
        }
        Verb::Delete { id, remote } => remote.ask("DELETE", &path(kind, &id)?, None).map(drop),
    }
}

fn path(kind: &str, id: &str) -> anyhow::Result<String> {
    Ok(format!("/v1/{kind}/{}", percent_encoded(&DeviceId::new(id)?)))
}

fn from_stdin() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin().take(BODY_MAX).read_to_string(&mut text)?;
    Ok(text)
}

#[expect(clippy::print_stdout, reason = "the command's answer")]
fn print(json: &Value) {
    println!("{json}");
}

impl Remote {
    fn list(&self, kind: &str) -> anyhow::Result<()> {
        let mut after = String::new();
        loop {
            let page = self.ask("GET", &format!("/v1/{kind}?limit={PAGE}{after}"), None)?;
            for member in page[kind].as_array().into_iter().flatten() {
                print(member);
            }
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return Ok(()),
            }
        }
    }

    /// The JSON of an answer; a problem document becomes an error with its detail.
    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let uri = format!("{}{path}", self.api.trim_end_matches('/'));
        let mut request = ureq::http::Request::builder().method(method).uri(&uri);
        request = request.header("Content-Type", "application/json");
        if let Some(key) = &self.key {
            request = request.header("Authorization", format!("Bearer {key}"));
        }
        let bytes = body.map(serde_json::to_vec).transpose()?.unwrap_or_default();
        let request = request.body(bytes).with_context(|| format!("--api `{}`", self.api))?;
        let mut answer = agent.run(request).with_context(|| format!("{method} {uri}"))?;
        let status = answer.status();
        let text = answer.body_mut().read_to_string()?;
        let json: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        if !status.is_success() {
            let detail = json["detail"].as_str().unwrap_or("no problem document");
            bail!("{method} {uri}: {status}: {detail}");
        }
        Ok(json)
    }
}
