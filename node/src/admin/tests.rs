use std::os::unix::fs::MetadataExt as _;

use chain::block::Mode;
use chain::crypto::{Ed25519, Keypair};
use chain::types::{Digest, Epoch, Height, View};
use chain::validator::{Validator, ValidatorSet};
use consensus::engine::{FaultModel, Role};
use consensus::hybrid::Message;

use super::*;
use crate::network::{Network, NetworkConfig, Open, peer_id};

fn key(place: u8) -> Keypair {
    Keypair::from_seed(&[place + 1; 32])
}

fn status() -> Status {
    Status {
        role: Role::Follower,
        epoch: Epoch::new(0),
        view: View::new(3),
        leader: None,
        mode: Mode::Fast,
        mode_reason: "calm".into(),
        final_height: Height::new(7),
        final_hash: Digest([7; 32]),
        ordered_height: Height::new(8),
        head_height: Height::new(9),
        timeout: Duration::from_millis(500),
        pacing: None,
        me: None,
        certificate: None,
        evidence_pending: 0,
    }
}

struct World {
    directory: tempfile::TempDir,
    network: Network<Message>,
    _socket: AdminSocket,
}

impl World {
    async fn new() -> Self {
        let validator = |place| Validator {
            consensus_key: key(place).public(),
            network_key: key(place).public(),
            governance_key: key(place).public(),
            jailed: false,
            accused: false,
            since: Epoch::new(0),
        };
        let (network, _transactions) = Network::start(NetworkConfig {
            chain_id: Digest([1; 32]),
            key: key(0),
            listen: "/ip4/127.0.0.1/tcp/0".parse().unwrap(),
            peers: Vec::new(),
            announce: Vec::new(),
            validators: ValidatorSet::new(Epoch::new(0), View::new(0), 0, (0..3).map(validator)),
            fault_model: FaultModel::Byzantine,
            verifier: Arc::new(Ed25519),
            access: Arc::new(Open),
        })
        .await
        .unwrap();
        let directory = tempfile::tempdir().unwrap();
        let status = watch::channel(status()).1;
        // A socket that a dead process left behind.
        drop(std::os::unix::net::UnixListener::bind(directory.path().join(SOCKET)).unwrap());
        let listener = AdminListener::bind(directory.path()).unwrap();
        let socket = AdminSocket::start(
            listener,
            network.handle.clone(),
            status,
            Box::new(|| Ok(json!({ "height": 7 }))),
        );
        Self { directory, network, _socket: socket }
    }

    async fn connect(&self) -> BufReader<UnixStream> {
        BufReader::new(UnixStream::connect(self.directory.path().join(SOCKET)).await.unwrap())
    }
}

async fn ask(stream: &mut BufReader<UnixStream>, line: &str) -> Value {
    stream.get_mut().write_all(format!("{line}\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_line(&mut answer).await.unwrap();
    serde_json::from_str(&answer).unwrap()
}

#[tokio::test]
async fn the_operator_sees_and_filters_peers() {
    let world = World::new().await;
    let mut stream = world.connect().await;
    let id = peer_id(&key(1).public()).unwrap();

    let answer = ask(&mut stream, r#"{"method":"status"}"#).await;
    assert_eq!(answer["ok"], true);
    assert_eq!(answer["status"]["height_final"], 7);
    assert_eq!(answer["status"]["mode"], "fast");

    let line = json!({ "method": "block_peers", "peers": [id.to_string()] }).to_string();
    assert_eq!(ask(&mut stream, &line).await, json!({ "ok": true }));
    assert_eq!(world.network.handle.blocked().into_iter().collect::<Vec<_>>(), [id]);
    let answer = ask(&mut stream, r#"{"method":"peers"}"#).await;
    let blocked: Vec<_> = answer["peers"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|peer| peer["blocked"] == true)
        .map(|peer| peer["id"].clone())
        .collect();
    assert_eq!(blocked, [json!(id.to_string())]);
    assert_eq!(answer["peers"].as_array().unwrap().len(), 2);

    let other = peer_id(&key(2).public()).unwrap();
    let line = json!({ "method": "block_peers", "peers": [other.to_string()] }).to_string();
    ask(&mut stream, &line).await;
    let line = json!({ "method": "unblock_peers", "peers": [id.to_string()] }).to_string();
    ask(&mut stream, &line).await;
    assert_eq!(world.network.handle.blocked().into_iter().collect::<Vec<_>>(), [other]);
    assert_eq!(ask(&mut stream, r#"{"method":"unblock_peers"}"#).await, json!({ "ok": true }));
    assert!(world.network.handle.blocked().is_empty());
}

#[tokio::test]
async fn nonsense_is_refused_in_words_and_changes_nothing() {
    let world = World::new().await;
    let mut stream = world.connect().await;
    for line in [
        "",
        "hello",
        r#"{"method":"explode"}"#,
        r#"{"method":"block_peers"}"#,
        r#"{"method":"block_peers","peers":["me"]}"#,
        r#"{"method":"unblock_peers","peers":["me"]}"#,
        r#"{"method":"peers","of":"whom"}"#,
    ] {
        let answer = ask(&mut stream, line).await;
        assert_eq!(answer["ok"], false, "{line}");
        assert!(!answer["error"].as_str().unwrap().is_empty(), "{line}");
    }
    assert!(world.network.handle.blocked().is_empty());
    let endless = "x".repeat(2 * MAX_LINE as usize);
    let answer = ask(&mut stream, &endless).await;
    assert_eq!(answer["error"], "a line has at most 65536 bytes");
}

#[tokio::test]
async fn only_the_owner_may_use_the_socket_and_it_goes_with_the_node() {
    let world = World::new().await;
    let path = world.directory.path().join(SOCKET);
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    drop(world._socket);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_home_too_deep_for_a_socket_is_refused_in_words() {
    let directory = tempfile::tempdir().unwrap();
    let most = MAX_PATH - directory.path().as_os_str().len() - "//".len() - SOCKET.len();
    let fitting = directory.path().join("h".repeat(most));
    let deep = directory.path().join("h".repeat(most + 1));
    for home in [&fitting, &deep] {
        std::fs::create_dir(home).unwrap();
    }
    drop(AdminListener::bind(&fitting).unwrap());
    let error = AdminListener::bind(&deep).unwrap_err().to_string();
    assert!(error.contains("longer than the 103 bytes") && error.contains("the home"), "{error}");
}
