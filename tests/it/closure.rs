//! A dispatcher closes a street that the simulator's vans would take: they are sent round.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use api::{Api, Settings as ApiSettings};
use engine::model::{Body, EventKind, StopState};
use engine::path::Router;
use engine::record::output_from_envelope;
use engine::road::{EdgeId, Place, Profile, Road, import};
use engine::runtime::{Engine, Maps, Settings as EngineSettings};
use gateway::Metrics;
use ingest::id::StopId;
use ingest::log::{Log, MemoryLog, Topic};
use ingest::protocol::Transport;
use ingest::record::{Envelope, Kind};
use ingest::time::Timestamp;
use ingest::units::Position;
use serde_json::{Value, json};
use simulator::drive::FleetSettings;
use simulator::drive::journey::Rates;
use simulator::faults::Faults;
use simulator::live::{self, LiveSettings};

use crate::line::{door, eventually, records, stop, tenant, with_roles};

/// Edges between a van and the street to be closed on its way, at least.
const AHEAD: usize = 8;
const VANS: u32 = 20;

/// The simulator's town, imported.
fn town() -> Arc<Road> {
    let folder = std::env::temp_dir().join(format!("milepost-closure-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (source, map): (PathBuf, PathBuf) = (folder.join("t.osm.pbf"), folder.join("t.mpr"));
    std::fs::write(&source, simulator::town::town(7)).unwrap();
    import::build(&source, &map).unwrap();
    let road = Road::open(&map).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    Arc::new(road)
}

async fn api(log: &Arc<dyn Log>, road: &Arc<Road>, data: &std::path::Path) -> Api {
    let settings = ApiSettings {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        data: data.to_owned(),
        open: Some(tenant()),
        road: Some(Arc::clone(road)),
        secure: false,
        messages: api::message::Settings::default(),
        metrics: api::Metrics::default(),
        archive: None,
    };
    Api::start(settings, Arc::clone(log), milepost::clock::wall()).await.unwrap()
}

/// Every output there is: whose, when it became visible, what.
fn said(log: &dyn Log) -> Vec<(String, Timestamp, Body)> {
    let said = |record: ingest::log::Record| {
        let key = String::from_utf8_lossy(&record.key).into_owned();
        let envelope = Envelope::decode(record.value.unwrap()).unwrap();
        (key, record.appended_at, output_from_envelope(&envelope).unwrap().body)
    };
    records(log, Topic::Outputs).into_iter().map(said).collect()
}

#[derive(Default)]
struct Seen {
    on: Option<EdgeId>,
    doors: BTreeMap<StopId, Position>,
    next: Option<StopId>,
}

/// A van, and an edge on the way to its next stop that it has not come to yet.
fn ahead(log: &dyn Log, road: &Road) -> Option<(String, EdgeId)> {
    let mut vans: BTreeMap<String, Seen> = BTreeMap::new();
    for (key, _, body) in said(log) {
        let van = vans.entry(key).or_default();
        match body {
            Body::Path(path) => {
                let last = path.edges.last();
                van.on = last.and_then(|e| road.edge_of(e.way, e.from_node, e.to_node));
            }
            Body::Eta(eta) => {
                let doors = eta.stops.iter().zip(&eta.planned);
                van.doors.extend(doors.map(|(stop, plan)| (stop.stop.clone(), plan.position)));
                for line in eta.stops {
                    match line.state {
                        StopState::Next => van.next = Some(line.stop),
                        _ if van.next.as_ref() == Some(&line.stop) => van.next = None,
                        _ => {}
                    }
                }
            }
            Body::Position(_) | Body::Event(_) => {}
        }
    }
    let (mut router, mut near) = (Router::new(), Vec::new());
    vans.into_iter().find_map(|(key, van)| {
        let door = *van.doors.get(&van.next?)?;
        road.near(door, 300.0, 1, &mut near);
        let from = Place { edge: van.on?, offset_m: 0.0 };
        let path = router.route(road, from, near.first()?.place, Profile::Van)?;
        let free = path.edges.get(AHEAD..path.edges.len().checked_sub(AHEAD)?)?;
        free.first().map(|&edge| (key, edge))
    })
}

fn ask(method: &str, url: &str, body: Option<&Value>) -> (u16, Value) {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let request = ureq::http::Request::builder().method(method).uri(url);
    let request = request.header("Content-Type", "application/json");
    let bytes = body.map(|b| serde_json::to_vec(b).unwrap()).unwrap_or_default();
    let mut response = agent.run(request.body(bytes).unwrap()).unwrap();
    let text = response.body_mut().read_to_string().unwrap_or_default();
    (response.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::Null))
}

fn fleet() -> FleetSettings {
    FleetSettings {
        seed: 7,
        vehicles: VANS,
        minutes: 60.0,
        start: milepost::clock::now(),
        tenant: tenant(),
        protocols: vec!["teltonika".to_owned()],
        rates: Rates::NONE,
        jam: None,
    }
}

#[test]
fn vans_are_sent_round_a_street_that_is_closed() {
    let data = std::env::temp_dir().join(format!("milepost-closure-ops-{}", std::process::id()));
    drop(std::fs::remove_dir_all(&data));
    with_roles(sent_round(data.clone()));
    drop(std::fs::remove_dir_all(&data));
}

async fn sent_round(data: PathBuf) {
    let (road, clock) = (town(), milepost::clock::wall());
    let log: Arc<dyn Log> = Arc::new(MemoryLog::new(4, Arc::clone(&clock)));
    let maps = Maps::of(vec![(road.hash().to_owned(), Arc::clone(&road))]);
    let settings = EngineSettings { maps, strict: true, ..EngineSettings::default() };
    let engine = Engine::start(Arc::clone(&log), settings, Arc::clone(&clock)).unwrap();
    let api = api(&log, &road, &data).await;
    let gateway = door(Arc::clone(&log), &Metrics::default()).await;
    eventually("they are ready", || engine.ready().is_ok() && api.ready().is_ok()).await;

    let url = format!("http://{}", api.listening());
    let over = Arc::new(AtomicBool::new(false));
    let place = (("teltonika".to_owned(), Transport::Tcp), gateway.listening()[0].address);
    let simulation = LiveSettings {
        road: Arc::clone(&road),
        fleet: fleet(),
        ports: [place].into_iter().collect(),
        api: (url.clone(), None),
        interval_s: 1.0,
        records_per_packet: 1,
        faults: Faults::default(),
        ledger: None,
        clock: Arc::clone(&clock),
        stop: Arc::clone(&over),
    };
    let driving = tokio::task::spawn_blocking(move || live::run(simulation, &|_| {}));

    let mut found = None;
    eventually("a van on its way", || {
        found = ahead(&*log, &road);
        found.is_some()
    })
    .await;
    let (key, edge) = found.unwrap();
    let (way, from, to) = road.osm(edge);
    let asked = json!({"edge": [way, from, to], "reason": "a burst pipe"});
    let closing = format!("{url}/v1/closures");
    let post = move || ask("POST", &closing, Some(&asked));
    let (status, closure) = tokio::task::spawn_blocking(post).await.unwrap();
    assert_eq!(status, 201, "{closure}");

    let proposed = |body: &Body| match body {
        Body::Event(event) if event.kind == EventKind::RerouteProposed => {
            let closed = event.cause.as_ref().is_some_and(|cause| cause.ends_with("is closed"));
            let edges = event.proposal.as_ref().map(|p| &p.edges);
            closed && edges.is_some_and(|edges| !edges.contains(&(way, from, to)))
        }
        _ => false,
    };
    let mut told = None;
    eventually("a way round is proposed", || {
        let said = said(&*log).into_iter();
        told = said.filter(|(van, _, body)| *van == key && proposed(body)).map(|s| s.1).next();
        told.is_some()
    })
    .await;
    let closed_at = records(&*log, Topic::Worlds).into_iter().find_map(|record| {
        let envelope = Envelope::decode(record.value?).ok()?;
        (envelope.kind == Kind::Closure).then_some(record.appended_at)
    });
    let after_s = told.unwrap().seconds_since(closed_at.unwrap());
    eprintln!("a way round was proposed {after_s:.3} s after the closure was durable");

    let path = format!("{url}/v1/closures/{}", closure["id"].as_str().unwrap());
    let delete = move || ask("DELETE", &path, None);
    assert_eq!(tokio::task::spawn_blocking(delete).await.unwrap().0, 204);
    over.store(true, Ordering::Relaxed);
    drop(driving.await.unwrap());
    gateway.stop().await;
    stop(engine).await;
    api.stop().await;
}
