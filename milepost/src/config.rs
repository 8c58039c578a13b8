//! Configuration: defaults, then `milepost.toml`, then `MILEPOST_*`, then flags.
//!
//! Parsed once into [`Config`] and turned into each crate's own small structs. A key is documented
//! once, in [`KEYS`]; `deploy/milepost.toml` is made from it, and a test compares.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use api::analytics::Limits;
use api::archive::Store;
use api::archive::keep::Rules;
use api::archive::schema::Table as Archived;
use engine::alert::Policy;
use engine::eta::EtaModel;
use gateway::{Network, TlsFiles};
use ingest::protocol::{PROTOCOLS, Protocol, Transport};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The log.
    pub log: Log,
    /// The door.
    pub gateway: Gateway,
    /// Meaning.
    pub engine: Engine,
    /// The HTTP API.
    pub api: Api,
    /// What is kept for good.
    pub archive: Archive,
    /// What queries may use.
    pub sql: Sql,
    /// Programs that are told.
    pub webhooks: Webhooks,
    /// Mail to customers.
    pub mail: Mail,
    /// Health and metrics.
    pub ops: Ops,
    /// Thresholds of the rules.
    pub policy: Policy,
    /// Priors of the prediction.
    pub eta: EtaModel,
}

/// `[log]`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `[log.kafka]`: any property of librdkafka.
    pub kafka: BTreeMap<String, String>,
}

/// `[gateway]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gateway {
    /// Host that every protocol listens on.
    pub host: String,
    /// `[gateway.listen]`: protocol, `mqtt` or `any` -> `HOST:PORT`, instead of host and usual
    /// port.
    pub listen: BTreeMap<String, String>,
    /// Ranges that are believed for whom they connect.
    pub proxies: Vec<String>,
    /// Sockets that share each address; 0: one for each processor.
    pub sockets: usize,
    /// `[gateway.tls]`: further sockets, named as in `listen`.
    pub tls: BTreeMap<String, DoorTls>,
    /// `[gateway.limits]`.
    pub limits: DoorLimits,
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".into(),
            listen: BTreeMap::new(),
            proxies: Vec::new(),
            sockets: 1,
            tls: BTreeMap::new(),
            limits: DoorLimits::default(),
        }
    }
}

/// One socket of `[gateway.tls]`; all but `clients` are needed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoorTls {
    /// `HOST:PORT`.
    pub listen: String,
    /// PEM file of its certificate and those between it and the root.
    pub certificate: String,
    /// PEM file of the certificate's key.
    pub key: String,
    /// PEM file of authorities whose certificates devices must show; absent: they show none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clients: Option<String>,
}

/// `[gateway.limits]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DoorLimits {
    /// Connections at a time.
    pub connections: usize,
    /// Connections at a time from one address.
    pub connections_per_address: u32,
    /// Bytes a second from one device; 0: any.
    pub bytes_per_device: u32,
    /// Datagrams a second from one address.
    pub datagrams_per_address: u32,
    /// Connections accepted in a second.
    pub accepts_per_second: u32,
    /// Whether devices are told what can do harm.
    pub harmful_commands: bool,
    /// Ranges free of limits of one address or device.
    pub exempt: Vec<String>,
}

impl Default for DoorLimits {
    fn default() -> Self {
        let limits = gateway::Limits::default();
        Self {
            connections: limits.connections,
            connections_per_address: limits.connections_per_address,
            bytes_per_device: limits.bytes_per_device,
            datagrams_per_address: limits.datagrams_per_address,
            accepts_per_second: limits.accepts_per_second,
            harmful_commands: limits.harmful_commands,
            exempt: Vec::new(),
        }
    }
}

/// `[engine]`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Engine {
    /// Threads that own partitions; 0: one for every two processors.
    pub shards: usize,
    /// Goes on although inputs that were never stepped are gone by retention.
    pub accept_loss: bool,
}

/// `[api]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Api {
    /// `HOST:PORT`.
    pub listen: String,
    /// Browsers reach it over TLS, by a proxy.
    pub secure: bool,
}

impl Default for Api {
    fn default() -> Self {
        Self { listen: "127.0.0.1:8080".into(), secure: false }
    }
}

/// `[archive]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Archive {
    /// Folder or bucket; empty: `archive` under the data directory; `off`: none.
    pub place: String,
    /// Rows wait for so long before they are stored, seconds.
    pub flush_s: f64,
    /// Days that positions and paths are kept; 0: for ever.
    pub positions_days: u32,
    /// Days that arrivals as published are kept; 0: for ever.
    pub etas_days: u32,
    /// Days that events are kept; 0: for ever.
    pub events_days: u32,
    /// Days that files which nothing lists any more are kept.
    pub unlisted_days: u32,
    /// `[archive.options]`: of the bucket.
    pub options: BTreeMap<String, String>,
}

impl Default for Archive {
    fn default() -> Self {
        Self {
            place: String::new(),
            flush_s: 60.0,
            positions_days: 90,
            etas_days: 0,
            events_days: 0,
            unlisted_days: 7,
            options: BTreeMap::new(),
        }
    }
}

/// `[sql]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sql {
    /// Memory of all queries together, MiB.
    pub memory_mib: u32,
    /// Disk of all queries together, MiB.
    pub disk_mib: u32,
    /// Longest that a query runs unless it asks for less or more, seconds.
    pub seconds: f64,
    /// Queries at a time.
    pub queries: usize,
    /// Threads that compute.
    pub threads: usize,
    /// `HOST:PORT` of Arrow Flight SQL; empty: shut.
    pub flight: String,
    /// `HOST:PORT` of PostgreSQL's protocol; empty: shut.
    pub postgres: String,
}

impl Default for Sql {
    fn default() -> Self {
        let limits = Limits::new(Path::new("").to_owned());
        Self {
            memory_mib: (limits.memory_bytes >> 20) as u32,
            disk_mib: (limits.disk_bytes >> 20) as u32,
            seconds: limits.seconds,
            queries: limits.queries,
            threads: limits.threads,
            flight: "127.0.0.1:8815".into(),
            postgres: "127.0.0.1:5433".into(),
        }
    }
}

/// `[webhooks]`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Webhooks {
    /// May go to loopback and private addresses.
    pub allow_private: bool,
}

/// `[mail]`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mail {
    /// `smtp://HOST:PORT` or `smtps://USER:PASSWORD@HOST`.
    pub smtp: String,
    /// The sender's address.
    pub from: String,
    /// Where customers reach the api.
    pub page: String,
}

/// `[ops]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ops {
    /// `HOST:PORT` of `/livez`, `/readyz` and `/metrics`.
    pub listen: String,
}

impl Default for Ops {
    fn default() -> Self {
        Self { listen: "127.0.0.1:9464".into() }
    }
}

/// Each key with what it is, in the order of the sample file. Keys of tables that users fill
/// themselves (`log.kafka`, `gateway.listen`) are named by the table alone.
pub const KEYS: &[(&str, &str)] = &[
    ("log.kafka", "Any property of librdkafka for --log kafka://…, such as \"sasl.username\"."),
    ("gateway.host", "Host that every protocol listens on, each at its usual port."),
    (
        "gateway.proxies",
        "Ranges that connect for others and must say for whom (PROXY protocol 1 or 2).",
    ),
    (
        "gateway.sockets",
        "Sockets that share each address, so that as many processors accept; 0: one for each.",
    ),
    (
        "gateway.listen",
        "One protocol elsewhere: teltonika = \"0.0.0.0:5027\"; mqtt is owntracks over MQTT; any \
         takes all, told apart by their first bytes.",
    ),
    (
        "gateway.tls",
        "One more socket of a protocol, over TLS: mqtt = { listen = \"0.0.0.0:8883\", certificate = \
         \"FILE\", key = \"FILE\" }; with clients = \"FILE\", devices must show a certificate of its \
         authorities. Files are PEM and read again when they change, at once on SIGHUP.",
    ),
    ("gateway.limits.connections", "Connections at a time, all protocols together."),
    ("gateway.limits.connections_per_address", "Connections at a time from one address."),
    (
        "gateway.limits.bytes_per_device",
        "Bytes a second from one device once it has said what 8 seconds allow; 0: any. What comes faster waits.",
    ),
    ("gateway.limits.datagrams_per_address", "Datagrams a second from one address."),
    (
        "gateway.limits.accepts_per_second",
        "Connections accepted in a second; a fifth of that after a start, rising for ten seconds.",
    ),
    (
        "gateway.limits.harmful_commands",
        "Whether devices are told what can do harm, such as to stop an engine, once two approve.",
    ),
    (
        "gateway.limits.exempt",
        "Ranges without limits of one address or device, where many devices share an address; loopback is one.",
    ),
    ("engine.shards", "Threads that own partitions; 0: one for every two processors."),
    ("engine.accept_loss", "Go on although inputs never stepped are gone by retention."),
    ("api.listen", "Where the HTTP API listens."),
    ("api.secure", "Browsers reach it over TLS, by a proxy: cookies are Secure."),
    ("archive.place", "Folder or s3://BUCKET/PREFIX; empty: DATA/archive; off: nothing is kept."),
    (
        "archive.flush_s",
        "Rows wait so long before they are stored, seconds; SQL sees them at once.",
    ),
    ("archive.positions_days", "Days that positions and paths are kept; 0: for ever."),
    ("archive.etas_days", "Days that arrivals as published are kept; 0: for ever."),
    ("archive.events_days", "Days that events are kept; 0: for ever."),
    ("archive.unlisted_days", "Days that files which nothing lists any more are kept."),
    ("archive.options", "Of the bucket: aws_region, aws_endpoint, aws_access_key_id and so on."),
    (
        "sql.memory_mib",
        "Memory of all queries together, MiB; what needs more spills or is refused.",
    ),
    ("sql.disk_mib", "Disk that queries spill to, MiB."),
    ("sql.seconds", "Longest that a query runs unless it asks for less, seconds."),
    ("sql.queries", "Queries that run at a time; others wait 5 s, then are refused."),
    ("sql.threads", "Threads that compute; 0: one for each processor."),
    ("sql.flight", "Where Arrow Flight SQL listens, for ADBC and its drivers; empty: shut."),
    ("sql.postgres", "Where PostgreSQL's protocol listens, for psql and Grafana; empty: shut."),
    ("webhooks.allow_private", "Webhooks may go to loopback and private addresses; never in demo."),
    (
        "mail.smtp",
        "Server that sends mail: smtp://HOST:PORT or smtps://USER:PASSWORD@HOST; empty: none.",
    ),
    ("mail.from", "Address that mail comes from, such as Milepost <post@example.org>."),
    ("mail.page", "Where customers reach the api, for links in mail: https://HOST; empty: none."),
    ("ops.listen", "Where /livez, /readyz and /metrics listen."),
    ("policy.late_raise", "Raise predicted late from this probability on."),
    ("policy.late_clear", "Clear it at this probability and below."),
    ("policy.late_hold_s", "It must hold this long before it is raised, seconds, …"),
    ("policy.late_hold_share", "…and this share of the time until the window closes, …"),
    ("policy.late_at_once", "…unless it closes within the hour and this is reached."),
    ("policy.late_clear_hold_s", "Clearing must hold this long, seconds."),
    ("policy.soon_s", "Arriving soon: expected within this time, seconds."),
    ("policy.off_route_m", "Off route: this far off every quick way to the next stop, metres…"),
    ("policy.off_route_hold_s", "…for this long, seconds."),
    ("policy.long_stop_s", "Long stop: standing where no stop is for this long, seconds."),
    ("policy.long_stop_m", "Standing means within this radius, metres."),
    ("policy.no_signal_s", "No signal: silent for this long, seconds, …"),
    ("policy.no_signal_intervals", "…or this many usual intervals, whichever is longer."),
    ("policy.arrive_m", "At a stop: within this radius of the door, metres."),
    ("policy.depart_m", "Left a stop: beyond this radius, metres."),
    ("policy.reroute_gain_s", "A reroute must gain this much, seconds, …"),
    ("policy.reroute_gain_share", "…and this share of what is left of the leg."),
    ("policy.reroute_pause_s", "At least this long between proposals for one vehicle, seconds."),
];

/// The environment's prefix; [`SHARED`] alone is not a setting.
const PREFIX: &str = "MILEPOST_";
/// Where tests find data that is not part of the project.
const SHARED: &str = "MILEPOST_SHARED";
/// Read when it is there and no other file is named.
const FILE: &str = "milepost.toml";

impl Config {
    /// Reads the file (`None`: `milepost.toml` where it exists) and the environment.
    pub fn load(file: Option<&Path>) -> anyhow::Result<Self> {
        let path = file.unwrap_or(Path::new(FILE));
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if file.is_none() && e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => {
                return Err(e).with_context(|| format!("configuration `{}`", path.display()));
            }
        };
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
        let environment = std::env::vars();
        Self::read(&text, environment)
            .with_context(|| format!("configuration `{}`", path.display()))
    }

    /// Reads a file's text, then variables.
    pub fn read(
        text: &str,
        environment: impl Iterator<Item = (String, String)>,
    ) -> anyhow::Result<Self> {
        let mut table: Table = text.parse()?;
        let defaults = Table::try_from(Self::default())?;
        let ours = environment.filter(|(n, _)| n.starts_with(PREFIX) && n != SHARED);
        for (name, value) in ours {
            let Some(path) = path_of(&defaults, &name) else {
                bail!("environment variable `{name}` is not a setting");
            };
            let kind = find(&defaults, &path);
            let value = kind
                .and_then(|k| like(k, &value))
                .with_context(|| format!("`{name}` is `{value}`, expected {}", expected(kind)))?;
            put(&mut table, &path, value);
        }
        let config: Self = table.try_into()?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> anyhow::Result<()> {
        for name in self.gateway.listen.keys().chain(self.gateway.tls.keys()) {
            door_socket(name)?;
        }
        for range in self.gateway.limits.exempt.iter().chain(&self.gateway.proxies) {
            Network::parse(range)?;
        }
        Ok(())
    }

    /// The archive of a data directory; `None`: it is switched off.
    pub fn archive(&self, data: Option<&Path>) -> anyhow::Result<Option<Store>> {
        let Archive { place, options, .. } = &self.archive;
        let place = match (place.as_str(), data) {
            ("off", _) => return Ok(None),
            ("", Some(data)) => data.join("archive").display().to_string(),
            ("", None) => bail!("no archive is named: expected `archive.place` or `--data DIR`"),
            (place, _) => place.to_owned(),
        };
        let store = Store::open(&place, options);
        store.map(Some).with_context(|| format!("open archive `{place}`"))
    }

    /// How long what is kept.
    pub fn keep(&self) -> Rules {
        let Archive { positions_days, etas_days, events_days, unlisted_days, .. } = self.archive;
        let days = [
            (Archived::Positions, positions_days),
            (Archived::Paths, positions_days),
            (Archived::Etas, etas_days),
            (Archived::Events, events_days),
        ];
        Rules { days: days.into(), unlisted_days }
    }

    /// What queries may use; they spill into `disk`.
    pub fn query_limits(&self, disk: &Path) -> Limits {
        let Sql { memory_mib, disk_mib, seconds, queries, threads, .. } = self.sql;
        Limits {
            memory_bytes: (memory_mib as usize) << 20,
            disk_bytes: u64::from(disk_mib) << 20,
            seconds,
            queries: queries.max(1),
            threads,
            ..Limits::new(disk.to_owned())
        }
    }

    /// How messages are sent.
    pub fn messages(&self) -> api::message::Settings {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let Mail { smtp, from, page } = &self.mail;
        let mail =
            api::message::MailSettings { smtp: given(smtp), from: from.clone(), page: given(page) };
        api::message::Settings { allow_private: self.webhooks.allow_private, mail }
    }

    /// The door's bounds.
    pub fn limits(&self) -> anyhow::Result<gateway::Limits> {
        let limits = &self.gateway.limits;
        let mut exempt = gateway::Limits::default().exempt;
        for range in &limits.exempt {
            exempt.push(Network::parse(range)?);
        }
        Ok(gateway::Limits {
            connections: limits.connections,
            connections_per_address: limits.connections_per_address,
            bytes_per_device: limits.bytes_per_device,
            datagrams_per_address: limits.datagrams_per_address,
            accepts_per_second: limits.accepts_per_second,
            harmful_commands: limits.harmful_commands,
            exempt,
        })
    }

    /// Sockets that share each of the door's addresses.
    pub fn door_sockets(&self) -> usize {
        let processors = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        if self.gateway.sockets == 0 { processors() } else { self.gateway.sockets }
    }

    /// Ranges that connect for others and say for whom.
    pub fn proxies(&self) -> anyhow::Result<Vec<Network>> {
        Ok(self.gateway.proxies.iter().map(|n| Network::parse(n)).collect::<Result<_, _>>()?)
    }

    /// The door's sockets: every protocol and transport at its usual port, unless `flags` or the
    /// file say otherwise, and those over TLS. A flag is `HOST:PORT`, for all that listen (the api
    /// and ops too), or `NAME=HOST:PORT`. `any` opens when it is named, or all are.
    pub fn sockets(&self, flags: &[String]) -> anyhow::Result<Vec<gateway::Listen>> {
        let mut every = None;
        let mut one: BTreeMap<&str, &str> =
            self.gateway.listen.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        for flag in flags {
            match flag.split_once('=') {
                None => every = Some(address(flag)?),
                Some((name, _)) if ROLES.contains(&name) => {}
                Some((name, place)) => {
                    door_socket(name)?;
                    one.insert(name, place);
                }
            }
        }
        let mut sockets = Vec::new();
        for (name, protocol, transport) in door_sockets() {
            let place = match (one.get(name), every, protocol) {
                (Some(place), _, _) => address(place)?,
                (None, Some(every), _) => every,
                (None, None, Some(protocol)) => {
                    address(&format!("{}:{}", self.gateway.host, protocol.port(transport)))?
                }
                (None, None, None) => continue,
            };
            sockets.push(gateway::Listen::plain(protocol, transport, place));
            let over_tls = self.gateway.tls.get(name).filter(|_| transport != Transport::Udp);
            if let Some(tls) = over_tls {
                let place = every.map_or_else(|| address(&tls.listen), Ok)?;
                let files = TlsFiles {
                    certificate: PathBuf::from(&tls.certificate),
                    key: PathBuf::from(&tls.key),
                    clients: tls.clients.as_ref().map(PathBuf::from),
                };
                let plain = gateway::Listen::plain(protocol, transport, place);
                sockets.push(gateway::Listen { tls: Some(files), ..plain });
            }
        }
        Ok(sockets)
    }

    /// Where analysts' programs connect, by flag or file.
    pub fn doors(&self, flags: &[String]) -> anyhow::Result<api::Places> {
        let place = |role: &str, configured: &str| {
            let open = !configured.is_empty();
            open.then(|| self.role_socket(role, flags)).transpose()
        };
        Ok(api::Places {
            flight: place("flight", &self.sql.flight)?,
            postgres: place("postgres", &self.sql.postgres)?,
        })
    }

    /// Where a role listens that is no protocol of devices ([`ROLES`]), by flag or file.
    pub fn role_socket(&self, role: &str, flags: &[String]) -> anyhow::Result<SocketAddr> {
        let mut place = address(match role {
            "api" => &self.api.listen,
            "flight" => &self.sql.flight,
            "postgres" => &self.sql.postgres,
            _ => &self.ops.listen,
        })?;
        for flag in flags {
            match flag.split_once('=') {
                None => place = address(flag)?,
                Some((name, given)) if name == role => place = address(given)?,
                Some(_) => {}
            }
        }
        Ok(place)
    }

    /// The commented sample file.
    pub fn sample() -> anyhow::Result<String> {
        let defaults = Table::try_from(Self::default())?;
        let mut text = String::from(
            "# Milepost's settings with their defaults. Order of precedence: these defaults, this\n\
             # file (milepost.toml or --config FILE), MILEPOST_* variables (MILEPOST_API_LISTEN),\n\
             # flags.\n",
        );
        let mut section = "";
        for (key, what) in KEYS {
            let (table, name) = key.rsplit_once('.').unwrap_or(("", key));
            let value = find(&defaults, &parts(key)).cloned();
            let (table, name) =
                if matches!(value, Some(Value::Table(_))) { (*key, "") } else { (table, name) };
            if table != section {
                section = table;
                write!(text, "\n[{section}]\n")?;
            }
            writeln!(text, "# {what}")?;
            if let (Some(value), false) = (value, name.is_empty()) {
                writeln!(text, "# {name} = {value}")?;
            }
        }
        Ok(text)
    }
}

/// Names of `--listen` that are no protocol.
const ROLES: [&str; 4] = ["api", "flight", "ops", "postgres"];

/// A socket of the door as it is named: by its protocol, `mqtt` where it speaks that, or
/// [`gateway::ANY`].
type DoorSocket = (&'static str, Option<&'static dyn Protocol>, Transport);

/// Every socket that the door can open, by protocol.
fn door_sockets() -> impl Iterator<Item = DoorSocket> {
    let named = |protocol: &'static dyn Protocol, transport: Transport| {
        let mqtt = transport == Transport::Mqtt;
        let name = if mqtt { transport.name() } else { protocol.name() };
        (name, Some(protocol), transport)
    };
    let of = move |protocol: &&'static dyn Protocol| {
        let protocol = *protocol;
        protocol.transports().iter().map(move |transport| named(protocol, *transport))
    };
    let any = [Transport::Tcp, Transport::Udp].map(|transport| (gateway::ANY, None, transport));
    PROTOCOLS.iter().flat_map(of).chain(any)
}

/// Refuses a name that no socket of the door has.
fn door_socket(name: &str) -> anyhow::Result<()> {
    if door_sockets().any(|(known, ..)| known == name) {
        return Ok(());
    }
    let mut known: Vec<_> = door_sockets().map(|(known, ..)| known).collect();
    known.dedup();
    bail!("protocol `{name}` is unknown, expected one of {}", known.join(", "))
}

/// `HOST:PORT`, host names resolved.
fn address(text: &str) -> anyhow::Result<SocketAddr> {
    use std::net::ToSocketAddrs as _;
    text.to_socket_addrs()
        .ok()
        .and_then(|mut found| found.next())
        .with_context(|| format!("address `{text}` is not HOST:PORT, such as 127.0.0.1:8080"))
}

fn parts(key: &str) -> Vec<String> {
    key.split('.').map(str::to_owned).collect()
}

/// The key that a variable means: its name is the key's, upper case, `_` for `.`.
fn path_of(defaults: &Table, name: &str) -> Option<Vec<String>> {
    let wanted = name.strip_prefix(PREFIX)?.to_lowercase();
    let mut open: Vec<Vec<String>> = defaults.keys().map(|k| vec![k.clone()]).collect();
    while let Some(path) = open.pop() {
        match find(defaults, &path) {
            Some(Value::Table(table)) => {
                open.extend(
                    table.keys().map(|k| [path.as_slice(), std::slice::from_ref(k)].concat()),
                );
            }
            Some(_) if path.join("_") == wanted => return Some(path),
            _ => {}
        }
    }
    None
}

fn find<'a>(table: &'a Table, path: &[String]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    let value = table.get(first)?;
    if rest.is_empty() { Some(value) } else { find(value.as_table()?, rest) }
}

fn put(table: &mut Table, path: &[String], value: Value) {
    let Some((first, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        table.insert(first.clone(), value);
    } else {
        let inner = table.entry(first.clone()).or_insert_with(|| Value::Table(Table::new()));
        if let Value::Table(inner) = inner {
            put(inner, rest, value);
        }
    }
}

/// A variable's text as a value of the same kind as the default.
fn like(kind: &Value, text: &str) -> Option<Value> {
    match kind {
        Value::String(_) => Some(Value::String(text.to_owned())),
        Value::Integer(_) => text.parse().ok().map(Value::Integer),
        Value::Float(_) => text.parse().ok().map(Value::Float),
        Value::Boolean(_) => text.parse().ok().map(Value::Boolean),
        Value::Array(_) => Some(Value::Array(
            text.split(',')
                .filter(|p| !p.is_empty())
                .map(|p| Value::String(p.trim().into()))
                .collect(),
        )),
        Value::Table(_) | Value::Datetime(_) => None,
    }
}

fn expected(kind: Option<&Value>) -> &'static str {
    match kind {
        Some(Value::Integer(_)) => "a whole number",
        Some(Value::Float(_)) => "a number",
        Some(Value::Boolean(_)) => "true or false",
        _ => "another value",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, variables: &[(&str, &str)]) -> anyhow::Result<Config> {
        Config::read(text, variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())))
    }

    #[test]
    fn later_sources_win() {
        let file = "[api]\nlisten = \"127.0.0.1:1\"\n[engine]\nshards = 3\n";
        let config = read(file, &[("MILEPOST_API_LISTEN", "127.0.0.1:2"), ("PATH", "x")]).unwrap();
        assert_eq!((config.api.listen.as_str(), config.engine.shards), ("127.0.0.1:2", 3));
        let place = config.role_socket("api", &["api=127.0.0.1:3".into()]).unwrap();
        assert_eq!(place.port(), 3);
        let limit = ("MILEPOST_GATEWAY_LIMITS_CONNECTIONS", "7");
        assert_eq!(read("", &[limit]).unwrap().gateway.limits.connections, 7);
    }

    #[test]
    fn what_is_unknown_or_wrong_is_named() {
        for (file, variables, named) in [
            ("[api]\nlisen = \"x\"", vec![], "lisen"),
            ("", vec![("MILEPOST_API_LISEN", "x")], "MILEPOST_API_LISEN"),
            ("", vec![("MILEPOST_ENGINE_SHARDS", "two")], "a whole number"),
            ("[gateway.listen]\nnope = \"127.0.0.1:1\"", vec![], "nope"),
            ("[gateway.limits]\nexempt = [\"10.0.0.0/99\"]", vec![], "10.0.0.0/99"),
            ("[gateway]\nproxies = [\"10.0.0.0/98\"]", vec![], "10.0.0.0/98"),
            ("[gateway.tls.mqtt]\nlisten = \"127.0.0.1:1\"", vec![], "certificate"),
        ] {
            let error = format!("{:#}", read(file, &variables).unwrap_err());
            assert!(error.contains(named), "{error}");
        }
        assert!(read("", &[(SHARED, "/somewhere")]).is_ok());
    }

    #[test]
    fn the_doors_sockets_are_named_by_protocol_mqtt_and_any() {
        let tls = "[gateway.tls.mqtt]\nlisten = \"127.0.0.1:8883\"\ncertificate = \"c.pem\"\n\
                   key = \"k.pem\"\n";
        let config = read(tls, &[]).unwrap();
        let places = |flags: &[&str]| {
            let flags: Vec<String> = flags.iter().map(|f| (*f).to_owned()).collect();
            let shown = |l: &gateway::Listen| {
                let tls = if l.tls.is_some() { " tls" } else { "" };
                format!("{} {} {}{tls}", l.name(), l.transport.name(), l.address.port())
            };
            config.sockets(&flags).unwrap().iter().map(shown).collect::<Vec<_>>()
        };
        let usual = places(&[]);
        for socket in ["owntracks http 5144", "owntracks mqtt 1883", "owntracks mqtt 8883 tls"] {
            assert!(usual.iter().any(|s| s == socket), "{socket}");
        }
        assert!(!usual.iter().any(|s| s.starts_with("any")));
        let named = places(&["mqtt=127.0.0.1:7", "any=127.0.0.1:8"]);
        for socket in ["owntracks http 5144", "owntracks mqtt 7", "any tcp 8", "any udp 8"] {
            assert!(named.iter().any(|s| s == socket), "{socket}");
        }
        assert!(places(&["127.0.0.1:0"]).iter().all(|s| s.contains(" 0")));
    }

    #[test]
    fn the_sample_file_is_this_configuration() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/milepost.toml");
        let stored = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(stored, Config::sample().unwrap(), "deploy/milepost.toml is out of date");
        let mut all = Vec::new();
        leaves(&Table::try_from(Config::default()).unwrap(), "", &mut all);
        for key in all.iter().filter(|k| !k.starts_with("eta.")) {
            assert!(KEYS.iter().any(|(k, _)| k == key), "{key} has no line in KEYS");
        }
    }

    fn leaves(table: &Table, under: &str, out: &mut Vec<String>) {
        for (key, value) in table {
            let key = if under.is_empty() { key.clone() } else { format!("{under}.{key}") };
            match value {
                Value::Table(inner) if !inner.is_empty() => leaves(inner, &key, out),
                _ => out.push(key),
            }
        }
    }
}
