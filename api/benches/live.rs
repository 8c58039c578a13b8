//! What a look at the fleet costs: `cargo bench -p api --bench live`.
//!
//! 100,000 vehicles lie evenly in a square: first what it costs to take one's position in, encoded
//! for whoever will look. Then a viewport of about 125 of them, by the function that makes the
//! answer of `GET /v1/vehicles?bbox=`, and the same asked over a socket, against `GEOSEARCH … BYBOX
//! … WITHCOORD` of a `redis-server` that this starts (left out, and said, where there is none): CPU
//! of either server. Then 9,000 streams over sockets, each with a viewport of its own. Once every one
//! of them has all that is there, the fleet moves: CPU of the threads that serve a frame of news,
//! memory a client, and how old the news is when it arrives. What a stream begins with is not
//! counted: it comes in one piece of many frames.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::io::{BufRead, BufReader, Read as _, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use api::live::Bounds;
use api::{Api, Metrics, Settings};
use engine::model::{Body, Output, PositionOutput};
use engine::record::output_envelope;
use ingest::fix::{Fix, Measured, Report};
use ingest::id::{DeviceId, TenantId};
use ingest::log::{Clock, Log, MemoryLog, Topic};
use ingest::record::DeviceInput;
use ingest::time::Timestamp;

const VEHICLES: usize = 100_000;
/// A side of the square, degrees: 40 km.
const SIDE: f64 = 0.36;
/// A viewport of about 125 of them.
const LOOK: f64 = SIDE * 0.035_36;
const LOOKS: usize = 4_000;
/// Vehicles of one answer at most, as the api bounds it.
const LOOK_MAX: usize = 1_000;
const CLIENTS: usize = 9_000;
/// Vehicles that move in each second while the clients look.
const MOVES: usize = 1_000;
const SECONDS: u64 = 20;
/// How long the streams may take to begin.
const BEGIN_MAX: Duration = Duration::from_mins(3);
const START_S: i64 = 1_800_000_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let data = std::env::temp_dir().join(format!("milepost-bench-live-{}", std::process::id()));
    let clock = clock();
    let log = Arc::new(MemoryLog::new(16, Arc::clone(&clock)));
    let serving = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("serve")
        .enable_all()
        .build()?;
    let tenant = TenantId::new("bench")?;
    let settings = Settings {
        listen: "127.0.0.1:0".parse()?,
        data: data.clone(),
        open: Some(tenant.clone()),
        road: None,
        secure: false,
        messages: api::message::Settings::default(),
        metrics: Metrics::default(),
        archive: None,
    };
    let api = serving.block_on(Api::start(settings, Arc::clone(&log) as _, Arc::clone(&clock)))?;
    for first in (0..VEHICLES).step_by(1_000) {
        serving.block_on(say(&log, &clock, first..first + 1_000, 1))?;
    }
    while api.live().vehicles() < VEHICLES || api.ready().is_err() {
        std::thread::sleep(Duration::from_millis(20));
    }
    println!("a position taken in: {:.1} µs CPU", threads_cpu_us("api-live") / VEHICLES as f64);
    let (ours, hits) = viewports(&api, &tenant);
    println!("viewport of {hits:.0} of {VEHICLES}: {ours:.1} µs CPU encoded");
    println!("the same by GET over a socket: {:.1} µs CPU of the server", gets(&api)?);
    match redis()? {
        Some((theirs, found)) => {
            println!("Redis GEO, viewport of {found:.0}: {theirs:.1} µs CPU of its server");
            println!("ratio {:.1}", theirs / ours);
        }
        None => println!("skipped: no redis-server on this machine"),
    }
    streams(&api, &serving, &log, &clock)?;
    serving.block_on(api.stop());
    drop(std::fs::remove_dir_all(data));
    Ok(())
}

/// Moves on with the machine's own steps from a fixed moment.
fn clock() -> Clock {
    let started = tokio::time::Instant::now();
    Arc::new(move || Timestamp::from_seconds(START_S).plus(started.elapsed()))
}

/// The next in a row that looks like chance (golden ratio).
fn spread(n: usize, share: f64) -> f64 {
    (n as f64 * share).fract()
}

fn place(vehicle: usize, seq: u64) -> (f64, f64) {
    let drift = seq as f64 * 1e-5;
    let lng = -8.8 + SIDE * spread(vehicle, 0.618_033_988_749_895) + drift;
    (lng, 41.0 + SIDE * spread(vehicle, 0.754_877_666_246_693))
}

fn output(vehicle: usize, seq: u64, at: Timestamp) -> Option<Output> {
    let (lng, lat) = place(vehicle, seq);
    let (speed, heading) = (Some(8.4), Some(91.0));
    let measured = Measured { lng, lat, valid: true, speed, heading, ..Measured::default() };
    let device = DeviceId::new(&format!("35209308{vehicle:07}")).ok()?;
    let fix = Some(Fix::new(measured).ok()?);
    let report = Report { time: Some(at), fix, ..Report::of(device) };
    let input = DeviceInput::new(&TenantId::new("bench").ok()?, "osmand", report, at);
    let output = PositionOutput { input, matched: None, backfill: false, route: None, world: 1 };
    Some(Output { seq, body: Body::Position(Box::new(output)) })
}

/// Appends a position of each of some vehicles, as an engine would.
async fn say(
    log: &MemoryLog,
    clock: &Clock,
    vehicles: std::ops::Range<usize>,
    seq: u64,
) -> Result<(), ingest::log::LogError> {
    let now = clock();
    let record = |vehicle: usize| {
        let output = output(vehicle, seq, now)?;
        let key = format!("bench/van-{vehicle}");
        Some(output_envelope(&output, now).into_record(Topic::Outputs, key.into()))
    };
    log.append(vehicles.filter_map(record).collect()).await.map(|_| ())
}

fn look(n: usize) -> Bounds {
    let west = -8.8 + (SIDE - LOOK) * spread(n, 0.569_840_290_998_053);
    let south = 41.0 + (SIDE - LOOK) * spread(n, 0.347_810_384_779_93);
    Bounds { west, south, east: west + LOOK, north: south + LOOK }
}

/// CPU of a viewport, microseconds, and how many vehicles it holds.
fn viewports(api: &Api, tenant: &TenantId) -> (f64, f64) {
    let mut text = Vec::new();
    let mut run = |times: usize| {
        let (mut hits, before) = (0, thread_cpu_us());
        for n in 0..times {
            text.clear();
            let (found, _) = api.live().tell_inside(tenant, look(n), (None, LOOK_MAX), &mut text);
            hits += found;
            std::hint::black_box(&text);
        }
        ((thread_cpu_us() - before) / times as f64, hits as f64 / times as f64)
    };
    run(LOOKS / 4);
    run(LOOKS)
}

/// CPU of the threads that serve a viewport to one client that asks over and over.
fn gets(api: &Api) -> Result<f64, Box<dyn std::error::Error>> {
    let socket = TcpStream::connect(api.listening())?;
    socket.set_nodelay(true)?;
    let (mut writer, mut reader) = (socket.try_clone()?, BufReader::new(socket));
    let mut body = Vec::new();
    let before = threads_cpu_us("serve");
    for n in 0..LOOKS {
        let Bounds { west, south, east, north } = look(n);
        let request = format!(
            "GET /v1/vehicles?limit={LOOK_MAX}&bbox={west:.6},{south:.6},{east:.6},{north:.6} \
             HTTP/1.1\r\nHost: {}\r\n\r\n",
            api.listening()
        );
        writer.write_all(request.as_bytes())?;
        let mut length = 0;
        loop {
            let head = line(&mut reader)?.to_ascii_lowercase();
            if let Some(bytes) = head.strip_prefix("content-length:") {
                length = bytes.trim().parse()?;
            }
            if head.trim().is_empty() {
                break;
            }
        }
        body.resize(length, 0);
        reader.read_exact(&mut body)?;
    }
    Ok((threads_cpu_us("serve") - before) / LOOKS as f64)
}

/// The same of Redis: CPU of its process a viewport, and how many it finds.
fn redis() -> Result<Option<(f64, f64)>, Box<dyn std::error::Error>> {
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let started = std::process::Command::new("redis-server")
        .args(["--port", &port.to_string(), "--save", "", "--appendonly", "no"])
        .args(["--bind", "127.0.0.1", "--daemonize", "no"])
        .stdout(std::process::Stdio::null())
        .spawn();
    let Ok(mut server) = started else { return Ok(None) };
    let measured = measure_redis(port, server.id());
    server.kill()?;
    server.wait()?;
    measured.map(Some)
}

fn measure_redis(port: u16, process: u32) -> Result<(f64, f64), Box<dyn std::error::Error>> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut tries = 0;
    let socket = loop {
        match TcpStream::connect(address) {
            Ok(socket) => break socket,
            Err(error) if tries > 200 => return Err(error.into()),
            Err(_) => {
                tries += 1;
                std::thread::sleep(Duration::from_millis(25));
            }
        }
    };
    let (mut writer, mut reader) = (socket.try_clone()?, BufReader::new(socket));
    for first in (0..VEHICLES).step_by(500) {
        let mut command = "*1502\r\n$6\r\nGEOADD\r\n$5\r\nfleet\r\n".to_owned();
        for vehicle in first..first + 500 {
            let (lng, lat) = place(vehicle, 1);
            for word in [format!("{lng:.7}"), format!("{lat:.7}"), format!("van-{vehicle}")] {
                command.extend(["$", &word.len().to_string(), "\r\n", &word, "\r\n"]);
            }
        }
        writer.write_all(command.as_bytes())?;
        line(&mut reader)?;
    }
    let mut hits = 0;
    let before = process_cpu_us(process);
    for n in 0..LOOKS {
        let bounds = look(n);
        let lng = f64::midpoint(bounds.west, bounds.east);
        let lat = f64::midpoint(bounds.south, bounds.north);
        let (wide, high) = (LOOK * 111.195 * lat.to_radians().cos(), LOOK * 111.195);
        writer.write_all(
            format!("GEOSEARCH fleet FROMLONLAT {lng:.7} {lat:.7} BYBOX {wide:.6} {high:.6} km WITHCOORD\r\n")
                .as_bytes(),
        )?;
        let found = line(&mut reader)?.trim_start_matches('*').trim().parse::<usize>()?;
        // Each: an array of the name and of an array of two coordinates.
        for _ in 0..found * 8 {
            line(&mut reader)?;
        }
        hits += found;
    }
    Ok(((process_cpu_us(process) - before) / LOOKS as f64, hits as f64 / LOOKS as f64))
}

fn line(reader: &mut impl BufRead) -> Result<String, std::io::Error> {
    let mut text = String::new();
    reader.read_line(&mut text)?;
    Ok(text)
}

/// What the clients counted.
#[derive(Default)]
struct Counted {
    /// Clients that have all that was there when they came.
    begun: AtomicUsize,
    /// Frames of news.
    frames: AtomicU64,
    bytes: AtomicU64,
    /// Frames by how many milliseconds old they were, to a second and above.
    ages: Vec<AtomicU64>,
    stop: AtomicBool,
}

fn streams(
    api: &Api,
    serving: &tokio::runtime::Runtime,
    log: &Arc<MemoryLog>,
    clock: &Clock,
) -> Result<(), Box<dyn std::error::Error>> {
    let counted =
        Counted { ages: (0..1_001).map(|_| AtomicU64::new(0)).collect(), ..Counted::default() };
    let counted = Arc::new(counted);
    let looking = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("look")
        .enable_all()
        .build()?;
    let (address, before) = (api.listening(), resident_kb());
    for n in 0..CLIENTS {
        let (counted, clock) = (Arc::clone(&counted), Arc::clone(clock));
        looking.spawn(client(address, n, counted, clock));
        if n % 100 == 99 {
            std::thread::sleep(Duration::from_millis(60));
        }
    }
    let waited = tokio::time::Instant::now();
    while counted.begun.load(Ordering::Relaxed) < CLIENTS {
        if waited.elapsed() > BEGIN_MAX {
            let begun = counted.begun.load(Ordering::Relaxed);
            return Err(format!("`{begun}` streams have begun, expected {CLIENTS}").into());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    std::thread::sleep(Duration::from_secs(2));
    let memory = resident_kb() - before;
    for counter in counted.ages.iter().chain([&counted.frames, &counted.bytes]) {
        counter.store(0, Ordering::Relaxed);
    }
    let busy = threads_cpu_us("serve") + threads_cpu_us("api-live");
    for second in 0..SECONDS {
        let first = second as usize * MOVES * 7 % VEHICLES;
        serving.block_on(say(log, clock, first..(first + MOVES).min(VEHICLES), 2 + second))?;
        std::thread::sleep(Duration::from_secs(1));
    }
    let busy = threads_cpu_us("serve") + threads_cpu_us("api-live") - busy;
    let frames = counted.frames.load(Ordering::Relaxed);
    counted.stop.store(true, Ordering::Relaxed);
    println!(
        "{CLIENTS} streams over {VEHICLES} vehicles, {MOVES} moves/s for {SECONDS} s: {frames} frames, \
         {:.1} µs CPU a frame, {:.2} cores, {:.1} kB of memory a client (both ends)",
        busy / frames.max(1) as f64,
        busy / (SECONDS as f64 * 1e6),
        memory as f64 / CLIENTS as f64
    );
    let bytes = counted.bytes.load(Ordering::Relaxed);
    println!(
        "{:.0} bytes/s a client; a frame is {} ms old at its client in the middle, {} ms at p99",
        bytes as f64 / SECONDS as f64 / CLIENTS as f64,
        counted.age(0.5),
        counted.age(0.99)
    );
    looking.shutdown_background();
    Ok(())
}

impl Counted {
    /// A frame has come. What a stream begins with has no id but at its end.
    fn take(&self, frame: &str, now: Timestamp) {
        // Before the end of the first piece stands the length of the piece, as HTTP/1.1 cuts it.
        if frame.lines().any(|line| line.starts_with("id: ")) && !frame.contains("event: ") {
            self.begun.fetch_add(1, Ordering::Relaxed);
        }
        if !frame.contains("event: position\nid: ") {
            return;
        }
        self.frames.fetch_add(1, Ordering::Relaxed);
        let time = frame.split("\"time\":\"").nth(1).and_then(|rest| rest.split('"').next());
        if let Some(time) = time.and_then(|time| Timestamp::parse(time).ok()) {
            let ms = (now.seconds_since(time) * 1e3).max(0.0) as usize;
            self.ages[ms.min(self.ages.len() - 1)].fetch_add(1, Ordering::Relaxed);
        }
    }

    fn age(&self, share: f64) -> usize {
        let all: u64 = self.ages.iter().map(|n| n.load(Ordering::Relaxed)).sum();
        let mut left = (all as f64 * share) as u64;
        for (ms, n) in self.ages.iter().enumerate() {
            let here = n.load(Ordering::Relaxed);
            if left < here {
                return ms;
            }
            left -= here;
        }
        self.ages.len()
    }
}

/// One browser: reads what it is told, and how old each position is.
async fn client(address: SocketAddr, n: usize, counted: Arc<Counted>, clock: Clock) {
    let Ok(socket) = tokio::net::TcpStream::connect(address).await else { return };
    let Bounds { west, south, east, north } = look(n);
    let request = format!(
        "GET /v1/stream?kinds=position&bbox={west:.6},{south:.6},{east:.6},{north:.6} HTTP/1.1\r\n\
         Host: 127.0.0.1:{}\r\n\r\n",
        address.port()
    );
    // A new socket has room for a request.
    if socket.writable().await.is_err() || socket.try_write(request.as_bytes()).is_err() {
        return;
    }
    let (mut bytes, mut text) = (vec![0; 4 << 10], Vec::new());
    while socket.readable().await.is_ok() {
        let read = match socket.try_read(&mut bytes) {
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
            Err(_) => return,
        };
        if read == 0 || counted.stop.load(Ordering::Relaxed) {
            return;
        }
        counted.bytes.fetch_add(read as u64, Ordering::Relaxed);
        text.extend_from_slice(&bytes[..read]);
        let whole = text.windows(2).rposition(|two| two == b"\n\n").map_or(0, |at| at + 2);
        let frames = String::from_utf8_lossy(&text[..whole]);
        for frame in frames.split("\n\n") {
            counted.take(frame, clock());
        }
        drop(frames);
        text.drain(..whole);
    }
}

fn thread_cpu_us() -> f64 {
    cpu_us("/proc/thread-self/schedstat")
}

fn cpu_us(path: &str) -> f64 {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|n| n.parse::<u64>().ok()).unwrap_or_default();
    nanos as f64 / 1e3
}

/// CPU of this process's threads of a name.
fn threads_cpu_us(name: &str) -> f64 {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let named = threads.filter(|thread| {
        let comm = std::fs::read_to_string(thread.path().join("comm")).unwrap_or_default();
        comm.trim() == name
    });
    named.map(|thread| cpu_us(&thread.path().join("schedstat").to_string_lossy())).sum()
}

/// CPU of another process, all its threads.
fn process_cpu_us(process: u32) -> f64 {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten();
    threads.flatten().map(|t| cpu_us(&t.path().join("schedstat").to_string_lossy())).sum()
}

fn resident_kb() -> i64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()).and_then(|n| n.parse().ok()).unwrap_or(0)
}
