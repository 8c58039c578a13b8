//! The one binary: reads the command line, runs one command, says in one line what went wrong.

use std::process::ExitCode;

use clap::Parser;
use milepost::commands::{Cli, run};

fn main() -> ExitCode {
    // Bad usage ends inside with status 2 and clap's own message.
    let cli = Cli::parse();
    let filter = tracing_subscriber::EnvFilter::new("warn,milepost=info");
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::debug!(?error, "command failed");
            // One line, also where a library's message has several.
            let line: Vec<_> = format!("{error:#}").split_whitespace().map(str::to_owned).collect();
            eprintln!("milepost: {}", line.join(" "));
            ExitCode::FAILURE
        }
    }
}
