//! A broker of one test's own, beside the one that `deploy/kafka/with-broker.sh` has started.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

/// Ports that `broker.sh` needs.
const PORTS: u16 = 4;
/// Below those of outgoing connections, above those of `with-broker.sh`.
const FIRST_PORT: u16 = 32_100;
const LAST_PORT: u16 = 32_700;

/// Ended with its owner; if the test is killed, `with-broker.sh` ends it, since its folder lies in
/// that one's.
pub(crate) struct Broker {
    dir: PathBuf,
    address: String,
}

impl Broker {
    /// Its data lie in a folder of this name.
    pub(crate) fn start(name: &str) -> Self {
        let dir = folder().join(name);
        for port in (FIRST_PORT..LAST_PORT).step_by(usize::from(PORTS)) {
            let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
            if (port..port + PORTS).all(free) && script("start", &dir, Some(port)) {
                return Self { dir, address: format!("127.0.0.1:{port}") };
            }
        }
        panic!("no broker could be started in {}", dir.display());
    }

    /// `HOST:PORT`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Its data go too, and ending in good order takes half a minute.
        script("kill", &self.dir, None);
        drop(std::fs::remove_dir_all(&self.dir));
    }
}

#[expect(clippy::disallowed_methods, reason = "with-broker.sh names its folder by this")]
fn folder() -> PathBuf {
    std::env::var("KAFKA_BROKER_DIR").unwrap().into()
}

fn script(what: &str, dir: &std::path::Path, port: Option<u16>) -> bool {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/kafka/broker.sh");
    let mut command = Command::new(script);
    command.arg(what).arg(dir).args(port.map(|p| p.to_string()));
    command.status().unwrap().success()
}
