//! `milepost topics create|check`: the topics on a Kafka cluster.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

use crate::config::Config;
use crate::log::kafka::{Properties, brokers, topics};

/// Makes or checks the topics on a Kafka cluster.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Makes the topics that are missing.
    Create {
        #[command(flatten)]
        cluster: Cluster,
        /// Copies of each partition; -1 is the cluster's own default.
        #[arg(long, default_value_t = -1, allow_negative_numbers = true)]
        replication: i32,
    },
    /// Refuses wrong partitions, retention or time type.
    Check {
        #[command(flatten)]
        cluster: Cluster,
    },
}

#[derive(Debug, ClapArgs)]
struct Cluster {
    /// `kafka://HOST:PORT[,HOST:PORT…]`
    #[arg(long)]
    log: String,
    /// Configuration file.
    #[arg(long)]
    config: Option<PathBuf>,
}

impl Cluster {
    fn properties(&self) -> anyhow::Result<Properties> {
        let config = Config::load(self.config.as_deref())?;
        Ok(Properties::new(brokers(&self.log)?, &config.log.kafka))
    }
}

/// Prints one JSON document.
pub fn run(args: Args) -> anyhow::Result<()> {
    let answer = match args.what {
        What::Create { cluster, replication } => {
            let made = topics::create(&cluster.properties()?, replication)?;
            serde_json::json!({ "created": made })
        }
        What::Check { cluster } => {
            let partitions = topics::check(&cluster.properties()?)?;
            let partitions: serde_json::Map<_, _> =
                partitions.into_iter().map(|(topic, n)| (topic.name(), n.into())).collect();
            serde_json::json!({ "partitions": partitions })
        }
    };
    #[expect(clippy::print_stdout, reason = "a command answers on stdout")]
    {
        println!("{answer}");
    }
    Ok(())
}
