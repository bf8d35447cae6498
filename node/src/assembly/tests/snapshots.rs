//! A validator that takes the place of what it missed from a snapshot.

use chain::snapshot::Offer;
use chain::types::Height;

use super::*;
use crate::snapshot::{Judge, SnapshotSink};
use crate::storage::GenesisState;

/// A node that takes a snapshot at every fourth block.
async fn run(cluster: &mut Cluster, place: usize) {
    let mut options = cluster.options(place);
    options.config.storage.snapshot_interval = 4;
    cluster.nodes[place] = Some(start(options).await.unwrap());
}

/// The newest snapshot above a height that all running nodes offer alike.
async fn common_offer(cluster: &Cluster, above: Height) -> Offer {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let offers: Vec<Vec<Offer>> =
            cluster.running().map(|node| node.upkeep.source.offers()).collect();
        let common = offers[0]
            .iter()
            .find(|offer| offer.height > above && offers.iter().all(|other| other.contains(offer)));
        if let Some(offer) = common {
            return *offer;
        }
        assert!(Instant::now() < deadline, "{offers:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validator_that_was_away_goes_on_from_a_snapshot_and_keeps_its_promises() {
    let mut cluster = Cluster::new();
    for place in 0..usize::from(VALIDATORS) {
        run(&mut cluster, place).await;
    }
    let first = cluster.submit_transfers().await;
    cluster.wait_final(&first).await;
    cluster.wait_equal().await;
    let away = (cluster.leader() + 1) % usize::from(VALIDATORS);
    let left = cluster.nodes[away].as_ref().unwrap().view.head().height;
    cluster.stop(away).await;
    while cluster.running().any(|node| node.view.head().height.get() < left.get() + 8) {
        let more = cluster.submit_transfers().await;
        cluster.wait_final(&more).await;
    }
    let offer = common_offer(&cluster, left).await;
    // Each piece from another peer.
    let sources: Vec<_> = cluster.running().map(|node| node.upkeep.source.clone()).collect();
    let home = Home::new(&cluster.homes[away]);
    let genesis = GenesisState::new(&home.genesis().unwrap()).unwrap();
    let judge = Judge::new(&genesis, None, false);
    let manifest = sources[0].manifest(&offer).unwrap();
    let mut sink =
        SnapshotSink::for_offer(&offer, &manifest, &judge, &chain::crypto::Ed25519).unwrap();
    for index in 0..sink.len() {
        let source = &sources[index % sources.len()];
        sink.add(index, &source.chunk(&offer, index).unwrap()).unwrap();
    }
    assert_eq!(sink.install(&home.data_path()).unwrap().0, offer.height);

    run(&mut cluster, away).await;
    let node = cluster.nodes[away].as_ref().unwrap();
    assert_eq!(node.view.lowest(), offer.height.next());
    cluster.wait_equal().await;
    // Its vote is needed now.
    cluster.stop((away + 1) % usize::from(VALIDATORS)).await;
    let last = cluster.submit_transfers().await;
    cluster.wait_final(&last).await;
    cluster.wait_equal().await;
    cluster.stop_all().await;
}
