//! `milepost demo`: a synthetic town, its fleet, all roles in one process; prints the URL.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use engine::road::{Road, import};
use ingest::id::TenantId;
use simulator::live::{DemoSettings, demo_fleet, ports};

mod customer;

use crate::clock;
use crate::config::Config;
use crate::log::{self, disk::Settings};
use crate::roles::{Answers, Door, Keeping, Meaning, Parts, Process, make_private, stop_signal};

/// Vans of the demo; at least 60 of them move in any minute.
const VANS: u32 = 200;
/// Seconds between two fixes of a van.
const INTERVAL_S: f64 = 5.0;
/// The town's seed: everybody sees the same one.
const SEED: u64 = 1;
/// Whose fleet it is.
const TENANT: &str = "demo";

/// Shows all of it: a synthetic town, 200 vans, orders, live ETAs.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An OpenStreetMap extract to drive in instead of the synthetic town
    #[arg(long, value_name = "FILE.osm.pbf")]
    map: Option<PathBuf>,
    /// Where the page is served; loopback only
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Keep the installation here instead of in a folder that is removed at the end
    #[arg(long)]
    data: Option<PathBuf>,
}

/// A folder that goes with the demo.
struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.keep
            && let Err(error) = std::fs::remove_dir_all(&self.path)
        {
            eprintln!("milepost: `{}` could not be removed: {error}", self.path.display());
        }
    }
}

/// Runs until SIGINT or SIGTERM.
pub fn run(args: Args) -> anyhow::Result<()> {
    let folder = Folder {
        keep: args.data.is_some(),
        path: args.data.unwrap_or_else(|| {
            std::env::temp_dir().join(format!("milepost-demo-{}", std::process::id()))
        }),
    };
    make_private(&folder.path)?;
    Settings::of(&folder.path)
        .check_room()
        .with_context(|| format!("nothing can be kept in `{}`", folder.path.display()))?;
    let map = build_map(args.map.as_deref(), &folder.path)?;
    let page = args.listen.unwrap_or_else(usual_place);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(show(&folder.path, &map, &page));
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    done
}

async fn show(data: &Path, map: &Path, page: &str) -> anyhow::Result<()> {
    let tenant = TenantId::new(TENANT)?;
    let anywhere = vec!["127.0.0.1:0".to_owned()];
    let parts = Parts {
        gateway: Some(Door { listen: anywhere.clone(), register_unknown: None }),
        engine: Some(Meaning { map: map.to_owned(), instance: "demo".into() }),
        api: Some(Answers {
            data: data.to_owned(),
            listen: vec![format!("api={page}")],
            open: Some(tenant.clone()),
            map: Some(map.to_owned()),
            queries: true,
        }),
        archive: Some(Keeping { data: Some(data.to_owned()), instance: "demo".into() }),
        ops: anywhere,
    };
    let process = Process::start(parts, &Config::default(), log::open(Some(data), None)?).await?;
    let address = process.api_address().context("the api has no address")?;
    let stop = Arc::new(AtomicBool::new(false));
    let settings = DemoSettings {
        road: Arc::new(Road::open(map)?),
        seed: SEED,
        vehicles: VANS,
        tenant,
        protocols: ["teltonika", "osmand", "t55"].map(str::to_owned).into(),
        ports: ports(&process.listening().to_string()),
        api: (format!("http://{address}"), None),
        interval_s: INTERVAL_S,
        clock: clock::wall(),
        stop: Arc::clone(&stop),
    };
    let fleet = std::thread::Builder::new()
        .name("demo-fleet".into())
        .spawn(move || demo_fleet(settings))
        .context("start the fleet")?;
    #[expect(clippy::print_stdout, reason = "the command's answer")]
    {
        println!("http://{address}/");
    }
    eprintln!("{VANS} vans are on their way; end with Ctrl-C");
    let (api, ended) = (format!("http://{address}"), Arc::clone(&stop));
    let linked = tokio::task::spawn_blocking(move || {
        if let Some(path) = customer::link(&api, &ended) {
            eprintln!("a customer waits for their order: {api}{path}");
        }
    });
    stop_signal().await?;
    stop.store(true, Ordering::Release);
    linked.await?;
    let driven = tokio::task::spawn_blocking(move || fleet.join()).await?;
    process.stop().await?;
    match driven {
        Ok(driven) => driven.context("drive the fleet"),
        Err(_panic) => anyhow::bail!("the fleet has panicked"),
    }
}

/// The map to drive on: of the given extract, or of the town.
fn build_map(extract: Option<&Path>, folder: &Path) -> anyhow::Result<PathBuf> {
    let target = folder.join("demo.mpr");
    let town = folder.join("town.osm.pbf");
    let source = if let Some(extract) = extract {
        extract
    } else {
        eprintln!("building the town…");
        std::fs::write(&town, simulator::town::town(SEED)).context("write the town")?;
        &town
    };
    import::build(source, &target).with_context(|| format!("import `{}`", source.display()))?;
    Ok(target)
}

/// The usual port, or a free one where that is taken.
fn usual_place() -> String {
    let usual = "127.0.0.1:8080";
    if TcpListener::bind(usual).is_ok() { usual.into() } else { "127.0.0.1:0".into() }
}
