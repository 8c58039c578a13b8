//! `milepost keys create|list|revoke`: keys of programs; a new one is printed once.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use api::store::keys::{Role, create, list, revoke};
use api::store::{Store, StoreError};
use ingest::id::TenantId;
use rusqlite::Connection;
use serde_json::{Value, json};

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
    /// Print a tenant's keys, without their secrets.
    List {
        /// Data directory of the installation.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Whose keys.
        #[arg(long)]
        tenant: String,
    },
    /// End a key, its sessions and its streams.
    Revoke {
        /// Data directory of the installation.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Whose key it is.
        #[arg(long)]
        tenant: String,
        /// Its public part, as `list` prints it.
        #[arg(long)]
        id: String,
    },
}

/// Runs it: `create` prints `{"key": …}`.
pub fn run(args: Args) -> anyhow::Result<()> {
    match args.what {
        What::Create { data, tenant, role } => {
            let (tenant, now) = (TenantId::new(&tenant)?, crate::clock::now());
            let key = with(&data, move |connection| create(connection, &tenant, role, now))?;
            print(&json!({ "key": key }));
        }
        What::List { data, tenant } => {
            let tenant = TenantId::new(&tenant)?;
            for key in with(&data, move |connection| list(connection, &tenant))? {
                print(&json!({ "id": key.id, "role": key.role.name() }));
            }
        }
        What::Revoke { data, tenant, id } => {
            let (tenant, now) = (TenantId::new(&tenant)?, crate::clock::now());
            let wanted = id.clone();
            if !with(&data, move |connection| revoke(connection, &tenant, &wanted, now))? {
                bail!("key `{id}` is none of this tenant's, expected an id that `list` prints");
            }
            print(&json!({ "revoked": id }));
        }
    }
    Ok(())
}

/// Does something with the keys of an installation, running or not.
fn with<T: Send + 'static>(
    data: &Path,
    work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
) -> anyhow::Result<T> {
    let store = Store::open(data)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let done = runtime.block_on(store.write(work)).context("keys");
    store.close();
    done
}

#[expect(clippy::print_stdout, reason = "the command's answer")]
fn print(json: &Value) {
    println!("{json}");
}
