use chain::access::AccessMode;
use std::fs;
use std::os::unix::fs::MetadataExt as _;

use super::*;

fn plan(validators: u16) -> Plan {
    Plan {
        chain: "test".into(),
        engine: EngineName::Hybrid,
        time_ms: 1_750_000_000_000,
        consensus: ConsensusParameters::default(),
        limits: Limits::default(),
        access: AccessMode::Open,
        ports: ports_from(20_000, 20_001, validators).unwrap(),
        accounts: 2,
        derived: Some(DerivedAccounts { dev_seed: "load".into(), count: 50 }),
        balance: Amount::new(1000),
    }
}

#[test]
fn a_network_is_complete_and_fits_together() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("net");
    let network = create(&plan(4), &out).unwrap();

    let genesis = Genesis::read(&network.genesis_file).unwrap();
    genesis.validate().unwrap();
    assert_eq!(genesis.hash(), network.chain_id);
    assert_eq!(genesis.balances.len(), 52);
    for (place, node) in network.nodes.iter().enumerate() {
        let validator = &genesis.validators[place];
        assert_eq!(Genesis::read(&node.home.join("genesis.json")).unwrap(), genesis);
        let key = |name: &str| keyfile::read(&node.home.join("keys").join(name)).unwrap().public();
        assert_eq!(key("validator.json"), validator.consensus_key);
        assert_eq!(key("network.json"), validator.network_key);
        assert_eq!(key("governance.json"), validator.governance_key);
        assert_eq!(node.peer_id, peer_id(&validator.network_key));
        assert!(node.home.join("data").is_dir());
        assert_eq!(fs::metadata(node.home.join("keys")).unwrap().mode() & 0o777, 0o700);

        let text = fs::read_to_string(node.home.join("config.toml")).unwrap();
        let config = NodeConfig::from_toml(&text).unwrap();
        assert_eq!(config.moniker, node.name);
        assert_eq!(config.rpc.listen.port(), node.ports.rpc);
        let peers: Vec<String> = network
            .nodes
            .iter()
            .filter(|other| other.name != node.name)
            .map(|other| format!("/ip4/127.0.0.1/tcp/{}/p2p/{}", other.ports.p2p, other.peer_id))
            .collect();
        assert_eq!(config.p2p.peers, peers);
    }
    for account in &network.accounts {
        let key = keyfile::read(&account.key_file).unwrap();
        assert_eq!(key.public().address(), account.address);
        assert!(genesis.balances.iter().any(|balance| balance.address == account.address));
    }
    let derived = accounts::derive("load", 49).public().address();
    assert!(genesis.balances.iter().any(|balance| balance.address == derived));
}

#[test]
fn a_directory_in_use_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("mine"), "x").unwrap();
    let error = create(&plan(4), directory.path()).unwrap_err();
    assert!(matches!(error, NetworkError::NotEmpty(_)), "{error}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn an_impossible_plan_writes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("net");
    let changes: [fn(&mut Plan); 3] = [
        |plan| plan.consensus.max_faulty = Some(2),
        |plan| plan.ports[1].rpc = plan.ports[0].p2p,
        |plan| plan.accounts = MAX_ACCOUNT_FILES + 1,
    ];
    for change in changes {
        let mut plan = plan(4);
        change(&mut plan);
        assert!(create(&plan, &out).is_err());
        assert!(!out.exists());
    }
}

#[test]
fn ports_are_spaced_and_bounded() {
    let ports = ports_from(26656, 26657, 3).unwrap();
    assert_eq!((ports[2].p2p, ports[2].rpc), (26676, 26677));
    assert!(matches!(ports_from(65_530, 65_531, 2), Err(NetworkError::NoPorts)));
}

#[test]
fn free_ports_avoid_those_in_use() {
    let first = free_ports(1).unwrap()[0];
    let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, first.rpc));
    let ports = free_ports(3).unwrap();
    assert!(ports.iter().all(|ports| ports.rpc != first.rpc), "{ports:?}");
}
