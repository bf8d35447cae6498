use chain::block::Mode;
use chain::crypto::Keypair;
use chain::types::{Digest, Height, ValidatorIndex};
use chain::validator::{Validator, ValidatorSet};
use node_api::block::Finality;
use node_api::chain::{ChainStatus, SyncStatus, ValidatorList};

use super::*;
use crate::rpc::Health;

const VALIDATORS: u16 = 4;

fn name(place: u16) -> String {
    format!("peer{place}")
}

/// Of a validator that answered just now, some milliseconds ahead, in this view.
fn peer(place: u16, view: u64, clock_ahead_ms: i64) -> PeerInfo {
    PeerInfo {
        id: name(place),
        member: true,
        address: None,
        connected: true,
        blocked: false,
        banned: None,
        banned_for: None,
        word: Some(Word {
            height: Height::new(9),
            epoch: Epoch::new(0),
            view: View::new(view),
            clock_ahead_ms,
        }),
        word_ms_ago: Some(300),
        version: None,
        round_trip_us: None,
        score: 100,
        bytes_in: 0,
        bytes_out: 0,
        dropped: 0,
    }
}

fn validators() -> ValidatorList {
    let key = |seed| Keypair::from_seed(&[seed; 32]).public();
    let validator = |seed| Validator {
        consensus_key: key(seed),
        network_key: key(seed + 50),
        governance_key: key(seed + 100),
        jailed: false,
        accused: false,
        since: Epoch::new(0),
    };
    let set = ValidatorSet::new(Epoch::new(0), View::new(0), 1, (0..4).map(validator));
    let info = |(index, it): (ValidatorIndex, &Validator)| ValidatorInfo {
        index,
        name: Some(format!("node{index}")),
        consensus_key: it.consensus_key,
        network_key: it.network_key,
        governance_key: it.governance_key,
        peer_id: name(index.get()),
        jailed: false,
        accused: false,
        since: it.since,
        signed_last: None,
        took_part: None,
        connected: true,
    };
    ValidatorList {
        epoch: set.epoch,
        first_view: set.first_view,
        quorums: set.quorums(),
        leader: None,
        validators: set.members().map(info).collect(),
    }
}

/// Of node 0, whose others are these.
fn report(peers: Vec<PeerInfo>) -> NodeReport {
    NodeReport {
        health: Health {
            ok: true,
            problems: Vec::new(),
            height_final: Height::new(9),
            validators_reachable: 1 + peers.len(),
            quorum: 3,
            pending: 0,
            since_final_ms: 400,
            stalled: false,
            synced: true,
        },
        chain: ChainStatus {
            chain_id: Digest([1; 32]),
            name: "test".into(),
            engine: "hybrid".into(),
            finality: Finality::Certified,
            version: "0".into(),
            moniker: "node0".into(),
            peer_id: name(0),
            validator: Some(ValidatorIndex::new(0)),
            height_final: Height::new(9),
            height_lowest: Height::new(1),
            hash: Digest([2; 32]),
            state_root: Digest([3; 32]),
            timestamp_ms: 0,
            height_ordered: Height::new(9),
            epoch: Epoch::new(0),
            view: View::new(7),
            mode: Some(Mode::Fast),
            leader: None,
            validators: VALIDATORS.into(),
            peers: 3,
            pending: 0,
            synced: true,
            sync: SyncStatus { fetching: false, target: Height::new(9), peers: 3, heard: 4 },
        },
        validators: validators(),
        peers,
        timeout_ms: 500,
    }
}

fn found(report: &NodeReport) -> Vec<Finding> {
    judge(report, &BTreeMap::new(), &NodeConfig::new("node0")).1
}

fn on(report: &NodeReport, topic: Topic) -> Finding {
    let all = found(report);
    let of_topic = all.iter().find(|finding| finding.topic == topic);
    of_topic.unwrap_or_else(|| panic!("nothing on {topic:?}: {all:?}")).clone()
}

#[test]
fn a_healthy_node_has_no_findings_and_a_table() {
    let healthy = report((1..4).map(|place| peer(place, 7, 20)).collect());
    assert_eq!(found(&healthy), [] as [Finding; 0]);
    let (table, _) = judge(&healthy, &BTreeMap::new(), &NodeConfig::new("node0"));
    let states: Vec<&str> = table.iter().map(|seen| seen.state.as_str()).collect();
    assert_eq!(states, ["this node", "connected", "connected", "connected"]);
    assert_eq!(table[2].view, Some(7));
    assert!(summary(&healthy).contains("node0 is validator 0 of chain test (hybrid): height 9"));
}

#[test]
fn a_silent_validator_counts_as_missing() {
    let mut peers: Vec<_> = (1..4).map(|place| peer(place, 7, 0)).collect();
    peers[0].word_ms_ago = Some(14_000);
    let silent = on(&report(peers.clone()), Topic::Silent);
    assert_eq!(silent.says, "node1: connected, but silent for 14 s");
    assert_eq!(on(&report(peers.clone()), Topic::Quorum).level, Level::Warning);
    peers[1].connected = false;
    let quorum = on(&report(peers), Topic::Quorum);
    assert_eq!(quorum.level, Level::Broken);
    assert!(quorum.says.contains("2 of 4 validators answer this node, a quorum has 3"));
    assert!(quorum.says.ends_with("missing: node1, node2"), "{}", quorum.says);
}

#[test]
fn clocks_are_held_against_the_middle_one() {
    let ahead = |offsets: [i64; 3]| {
        let peers = (1..4).zip(offsets).map(|(place, ms)| peer(place, 7, ms));
        on(&report(peers.collect()), Topic::Clock)
    };
    assert_eq!(ahead([10, 9_000, -20]).says, "the clock of node2 is 9.0 s ahead of the others");
    assert_eq!(
        ahead([5_000, 5_100, 4_900]).says,
        "the clock of this node is 5.0 s behind the others"
    );
    let broken = ahead([0, -700_000, 0]);
    assert_eq!((broken.level, broken.topic), (Level::Broken, Topic::Clock));
}

#[test]
fn views_matter_where_nothing_moves() {
    let peers: Vec<_> =
        [7, 7, 9].into_iter().zip(1..).map(|(view, it)| peer(it, view, 0)).collect();
    let mut stalled = report(peers);
    assert_eq!(found(&stalled), [] as [Finding; 0], "somebody is always the first in a new view");
    stalled.health.stalled = true;
    let views = on(&stalled, Topic::Views).says;
    assert!(views.contains("view 7: node0 and node1 and node2"), "{views}");
    assert!(views.contains("view 9: node3"), "{views}");
    assert_eq!(on(&stalled, Topic::Stall).level, Level::Broken);
}

#[test]
fn a_peer_of_another_chain_is_broken_however_many_are_left() {
    let mut peers: Vec<_> = (1..4).map(|place| peer(place, 7, 0)).collect();
    peers[2].connected = false;
    peers[2].banned = Some("it is on another chain, with the genesis 00".into());
    peers[2].banned_for = Some(BanCause::OtherChain);
    let other = on(&report(peers), Topic::OtherChain);
    assert_eq!(other.level, Level::Broken);
    assert!(other.says.starts_with("node3: it is on another chain"), "{}", other.says);
    assert!(other.advice.contains("genesis hash"));
}
