//! `milepost decode`: protocol vectors in, one answer line each out. The gateway's decoders on
//! bytes from a file, for scoring, for looking at a capture, for finding out what a device said.

use std::io::{BufRead, Read as _, Write};

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use clap::builder::PossibleValuesParser;
use ingest::fix::Report;
use ingest::id::DeviceId;
use ingest::protocol::{self, Admission, Checksum, Decode, Options, Protocol, Step, Transport};
use ingest::time::Timestamp;

mod answer;
mod vector;

use answer::Answer;
use vector::Vector;

/// Longest line of input, bytes.
const LINE_MAX: u64 = 16 << 20;

/// Decodes vectors from standard input: one JSON object a line, one answer line each, in order.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Protocol of the vectors.
    #[arg(long, value_name = "NAME", value_parser = names())]
    protocol: String,
    /// What to do with frames whose checksum is wrong.
    #[arg(long, value_enum, default_value_t = Policy::Strict)]
    checksum: Policy,
    /// Show attributes under another program's names and units.
    #[arg(long, value_enum, value_name = "KEYS")]
    keys: Option<Keys>,
    /// Time of receipt, RFC 3339: completes messages without a date.
    #[arg(long, value_name = "TIME", default_value = "2026-01-01T00:00:00Z", value_parser = Timestamp::parse)]
    received_at: Timestamp,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Policy {
    /// Refuse them.
    Strict,
    /// Decode them all the same, with `checksum_ok` false.
    Lenient,
}

/// Whose names attributes have.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Keys {
    /// Traccar's.
    Traccar,
}

fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(protocol::PROTOCOLS.iter().map(|p| p.name()))
}

/// Runs the command.
pub fn run(args: &Args) -> anyhow::Result<()> {
    answer_all(args, std::io::stdin().lock(), std::io::stdout().lock())
}

/// Answers every line of `input` on `output`, each at once, so that both may be pipes.
fn answer_all(args: &Args, mut input: impl BufRead, mut output: impl Write) -> anyhow::Result<()> {
    let protocol = protocol::by_name(&args.protocol)
        .with_context(|| format!("protocol `{}` is not spoken here", args.protocol))?;
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let read = (&mut input).take(LINE_MAX).read_until(b'\n', &mut line);
        if read.context("read standard input")? == 0 {
            break;
        }
        if line.len() as u64 == LINE_MAX {
            bail!("line {number} is longer than {LINE_MAX} bytes");
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let vector: Vector = serde_json::from_slice(&line)
            .with_context(|| format!("line {number} is not a vector"))?;
        let answer = answer(protocol, &vector, args)
            .with_context(|| format!("line {number} is not a vector"))?;
        serde_json::to_writer(&mut output, &answer).context("write an answer")?;
        output.write_all(b"\n").and_then(|()| output.flush()).context("write an answer")?;
    }
    Ok(())
}

fn answer(protocol: &dyn Protocol, vector: &Vector, args: &Args) -> anyhow::Result<Answer> {
    let options = Options {
        checksum: match args.checksum {
            Policy::Strict => Checksum::Strict,
            Policy::Lenient => Checksum::Lenient,
        },
        model: vector.decoder_config.model_override.clone(),
        format: vector.decoder_config.format.clone(),
    };
    let transport = transport(protocol, vector);
    let mut decoder = protocol.decoder(transport, &options);
    let mut answer = Answer::to(vector);
    if vector.is_frame() {
        decoder.feed(&vector.message.bytes()?, args.received_at);
        answer.frame(decoder.frame());
        return Ok(answer);
    }
    for earlier in &vector.depends_on_login {
        converse(decoder.as_mut(), &earlier.bytes()?, args, None)?;
    }
    converse(decoder.as_mut(), &vector.message.bytes()?, args, Some(&mut answer))?;
    Ok(answer)
}

/// How a vector's message would arrive: `arg1` true is the connectionless form.
fn transport(protocol: &dyn Protocol, vector: &Vector) -> Transport {
    let wanted = match (&vector.message.request, vector.decoder_config.arg1) {
        (Some(_), _) => Transport::Http,
        (None, Some(true)) => Transport::Udp,
        (None, _) => Transport::Tcp,
    };
    let speaks = protocol.transports();
    if speaks.contains(&wanted) { wanted } else { speaks.first().copied().unwrap_or(wanted) }
}

/// Feeds one whole message and takes down what the decoder makes of it.
fn converse(
    decoder: &mut dyn Decode,
    bytes: &[u8],
    args: &Args,
    mut answer: Option<&mut Answer>,
) -> anyhow::Result<()> {
    let mut report = Report::of(DeviceId::new("-").context("a device id")?);
    decoder.feed(bytes, args.received_at);
    decoder.end();
    loop {
        match decoder.poll(&mut report) {
            Ok(Step::NeedBytes | Step::Close) => return Ok(()),
            Ok(Step::Identify(_)) => decoder.admit(Admission::Admitted),
            Ok(Step::Report) => {
                if let Some(answer) = &mut answer {
                    answer.report(&report, args.keys.map(|Keys::Traccar| args.protocol.as_str()));
                }
            }
            Ok(Step::Reply { bytes, .. }) => {
                if let Some(answer) = &mut answer {
                    answer.reply(&bytes);
                }
            }
            Err(error) => {
                if let Some(answer) = &mut answer {
                    answer.error(&error);
                }
                if !error.recoverable {
                    return Ok(());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
