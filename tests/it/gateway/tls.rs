//! TLS at the door: who is believed, what is renewed, who is kept out.
//!
//! `tls/` holds an authority without its key, two certificates of the door and one of a device, good
//! until 2126; they are nobody's but these tests'.

use std::path::{Path, PathBuf};

use gateway::{StartError, TlsFiles};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

use super::*;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("it/gateway/tls").join(name)
}

/// A folder of its own with a copy of the door's files.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("milepost-tls-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let folder = Self(folder);
        folder.put("door");
        folder
    }
    /// Puts a certificate and its key in place.
    fn put(&self, name: &str) {
        for kind in ["pem", "key"] {
            std::fs::copy(file(&format!("{name}.{kind}")), self.0.join(format!("cert.{kind}")))
                .unwrap();
        }
    }
    fn files(&self, clients: Option<PathBuf>) -> TlsFiles {
        TlsFiles { certificate: self.0.join("cert.pem"), key: self.0.join("cert.key"), clients }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

async fn door(files: TlsFiles, proxies: &[&str]) -> Door {
    let anywhere: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let plain = Listen::plain(by_name("owntracks"), Transport::Mqtt, anywhere);
    let proxies = proxies.iter().map(|n| gateway::Network::parse(n).unwrap()).collect();
    let listen = vec![Listen { tls: Some(files), ..plain }];
    Door::with(Settings { listen, proxies, ..Settings::default() }).await
}

/// A client that believes the tests' authority, and shows the device's certificate or none.
fn connector(shows: bool) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file("ca.pem")).unwrap()).unwrap();
    let provider = Arc::new(crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = if shows {
        let chain = vec![CertificateDer::from_pem_file(file("device.pem")).unwrap()];
        config
            .with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(file("device.key")).unwrap())
    } else {
        Ok(config.with_no_client_auth())
    };
    TlsConnector::from(Arc::new(config.unwrap()))
}

async fn encrypted(door: &Door, shows: bool) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = door.connect("owntracks", Transport::Mqtt).await;
    connector(shows).connect(ServerName::try_from("localhost").unwrap(), stream).await
}

/// The certificate that the door shows.
async fn shown(door: &Door) -> CertificateDer<'static> {
    let stream = encrypted(door, false).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

fn closed(door: &Door, reason: &str) -> f64 {
    door.metric(&format!(
        "milepost_gateway_connections_closed_total{{protocol=\"owntracks\",reason=\"{reason}\"}}"
    ))
}

#[tokio::test]
async fn a_phone_is_answered_over_tls_when_its_place_is_durable() {
    let folder = Folder::new("answered");
    let door = door(folder.files(None), &[]).await;
    assert!(door.gateway.listening()[0].tls);
    let mut stream = encrypted(&door, false).await.unwrap();
    let mut phone = encoder("owntracks", Transport::Mqtt);
    stream.write_all(&phone.login()).await.unwrap();
    assert_eq!(answer(&mut stream, phone.as_mut()).await, Answer::LoggedIn);
    stream.write_all(&phone.packet(&reports(1))).await.unwrap();
    assert_eq!(answer(&mut stream, phone.as_mut()).await, Answer::Stored);
    assert_eq!(door.inputs().len(), 1);
    // Its end is told, not cut.
    stream.write_all(&[0xe0, 0]).await.unwrap();
    assert_eq!(stream.read(&mut [0; 16]).await.unwrap(), 0);
    door.gateway.stop().await;
}

#[tokio::test]
async fn a_certificate_is_renewed_and_a_broken_one_is_not_used() {
    let folder = Folder::new("renewed");
    let door = door(folder.files(None), &[]).await;
    let certificate = |name: &str| CertificateDer::from_pem_file(file(name)).unwrap();
    assert_eq!(shown(&door).await, certificate("door.pem"));
    let reload = door.gateway.reload();
    reload();
    folder.put("renewed");
    assert_eq!(shown(&door).await, certificate("door.pem"));
    reload();
    assert_eq!(shown(&door).await, certificate("renewed.pem"));
    std::fs::write(folder.0.join("cert.pem"), "half a file").unwrap();
    reload();
    assert_eq!(shown(&door).await, certificate("renewed.pem"));
    let reloads = |outcome: &str| {
        door.metric(&format!("milepost_gateway_certificate_reloads_total{{outcome=\"{outcome}\"}}"))
    };
    assert!((reloads("used") - 1.0).abs() < 0.5 && (reloads("refused") - 1.0).abs() < 0.5);
    door.gateway.stop().await;
}

#[tokio::test]
async fn devices_show_a_certificate_where_they_must() {
    let folder = Folder::new("clients");
    let door = door(folder.files(Some(file("ca.pem"))), &[]).await;
    let mut phone = encoder("owntracks", Transport::Mqtt);
    let mut stream = encrypted(&door, true).await.unwrap();
    stream.write_all(&phone.login()).await.unwrap();
    assert_eq!(answer(&mut stream, phone.as_mut()).await, Answer::LoggedIn);
    // Without one the handshake seems to end well on the client's side; nothing is answered.
    let mut phone = encoder("owntracks", Transport::Mqtt);
    if let Ok(mut stream) = encrypted(&door, false).await {
        let sent = stream.write_all(&phone.login()).await.is_ok();
        assert!(!sent || stream.read(&mut [0; 16]).await.is_err());
    }
    until(|| closed(&door, "tls") > 0.5).await;
    door.gateway.stop().await;
}

#[tokio::test]
async fn what_is_no_handshake_ends_and_a_slow_one_is_not_waited_for() {
    let folder = Folder::new("noise");
    let door = door(folder.files(None), &[]).await;
    let mut stream = door.connect("owntracks", Transport::Mqtt).await;
    stream.write_all(&encoder("owntracks", Transport::Mqtt).login()).await.unwrap();
    // An alert of TLS, then the end.
    let mut rest = Vec::new();
    assert!(stream.read_to_end(&mut rest).await.is_err() || rest.first() == Some(&0x15));
    until(|| closed(&door, "tls") > 0.5).await;
    let mut slow = door.connect("owntracks", Transport::Mqtt).await;
    slow.write_all(&[0x16, 3, 1]).await.unwrap();
    until(|| door.metric("milepost_gateway_connections") > 0.5).await;
    tokio::time::pause();
    assert!(matches!(slow.read(&mut [0; 16]).await, Ok(0) | Err(_)));
    tokio::time::resume();
    until(|| closed(&door, "progress_timeout") > 0.5).await;
    door.gateway.stop().await;
}

#[tokio::test]
async fn a_proxy_announces_before_tls() {
    let folder = Folder::new("proxied");
    let door = door(folder.files(None), &["127.0.0.1/32"]).await;
    let mut stream = door.connect("owntracks", Transport::Mqtt).await;
    stream.write_all(b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\n").await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = connector(false).connect(name, stream).await.unwrap();
    let mut phone = encoder("owntracks", Transport::Mqtt);
    stream.write_all(&phone.login()).await.unwrap();
    assert_eq!(answer(&mut stream, phone.as_mut()).await, Answer::LoggedIn);
    door.gateway.stop().await;
}

#[tokio::test]
async fn a_door_without_its_files_does_not_open() {
    let log: Arc<dyn Log> = Arc::new(MemoryLog::new(4, Arc::new(Timestamp::default)));
    for (certificate, key) in
        [("door.pem", "none.key"), ("door.pem", "device.key"), ("ca.key", "door.key")]
    {
        let files = TlsFiles { certificate: file(certificate), key: file(key), clients: None };
        let anywhere: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let plain = Listen::plain(by_name("gt06"), Transport::Tcp, anywhere);
        let listen = vec![Listen { tls: Some(files), ..plain }];
        let settings = Settings { listen, ..Settings::default() };
        let metrics = gateway::Metrics::default();
        let opened =
            Gateway::start(settings, Arc::clone(&log), Arc::new(Timestamp::default), &metrics);
        assert!(matches!(opened.await, Err(StartError::Tls { .. })), "{certificate} {key}");
    }
}
