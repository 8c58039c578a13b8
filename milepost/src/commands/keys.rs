//! `milepost keys create`: a key for a program, printed once.

use std::path::PathBuf;

use anyhow::Context;
use api::store::Store;
use api::store::keys::{Role, create};
use ingest::id::TenantId;

/// Keys of programs.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Make a key; works beside a running process.
    Create {
        /// Data directory of the installation.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Whose key it is.
        #[arg(long)]
        tenant: String,
        /// admin, dispatcher, viewer or driver.
        #[arg(long)]
        role: Role,
    },
}

/// Runs it: prints `{"key": …}`.
pub fn run(args: Args) -> anyhow::Result<()> {
    let What::Create { data, tenant, role } = args.what;
    let tenant = TenantId::new(&tenant)?;
    let store = Store::open(&data)?;
    let now = crate::clock::now();
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let made = store.write(move |connection| create(connection, &tenant, role, now));
    let key = runtime.block_on(made).context("make a key")?;
    store.close();
    #[expect(clippy::print_stdout, reason = "the command's answer")]
    {
        println!("{}", serde_json::json!({ "key": key }));
    }
    Ok(())
}
