//! Linearizable reads between whole nodes.

use super::*;
use crate::consensus_host::ReadError;

/// Long enough for a quorum to answer on a busy machine.
const ANSWERED: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_sees_what_any_node_called_final_and_fails_without_a_quorum() {
    let mut cluster = Cluster::start().await;
    for reader in 0..4 {
        let transfer = cluster.transfer(0);
        let writer = cluster.nodes[(reader + 1) % 4].as_ref().unwrap();
        let hash = writer.pool.submit(HashedTransaction::new(transfer)).await.unwrap();
        let told = writer.view.wait(&hash, crate::chain_view::BlockStatus::Final);
        let told = tokio::time::timeout(PATIENCE, told).await.unwrap().unwrap();
        let crate::chain_view::TxStatus::Final(at) = told else { panic!("{told:?}") };

        let reader = cluster.nodes[reader].as_ref().unwrap();
        let reads = (0..20).map(|_| reader.consensus.handle.read(ANSWERED));
        for height in futures::future::join_all(reads).await {
            assert!(height.unwrap() >= at.height);
        }
        assert!(reader.view.head().height >= at.height);
    }
    // Two of four are no quorum, whatever they hold.
    cluster.stop(0).await;
    cluster.stop(1).await;
    let patience = Duration::from_secs(1);
    for node in cluster.running() {
        let read = node.consensus.handle.read(patience).await;
        assert_eq!(read, Err(ReadError::Unconfirmed(patience)));
    }
    cluster.run(0).await;
    let node = cluster.nodes[2].as_ref().unwrap();
    let read = node.consensus.handle.read(ANSWERED).await;
    assert!(read.is_ok(), "three are a quorum again: {read:?}");
    cluster.stop_all().await;
}
