//! Calls that wait, and reads that must not hold them up.

use std::time::Duration;

use ::chain::block::Mode;
use ::chain::types::{Digest, Height};
use node_api::transaction::{TxState, TxStatus};
use node_api::tx::Wait;
use node_api::{ConsensusApiClient as _, TxApiClient};
use tokio::task::JoinSet;

use super::fixture::Fixture;

const LONG: Duration = Duration::from_secs(30);

/// Asks for the fate of a transaction, with much time.
fn ask(chain: &Fixture, hash: Digest, wait: Wait) -> impl Future<Output = TxStatus> + Send + use<> {
    let client = chain.http();
    let timeout_ms = LONG.as_millis() as u64;
    async move { TxApiClient::status(&client, hash, Some(wait), Some(timeout_ms)).await.unwrap() }
}

/// Looks again until so many transactions are waited for.
async fn until_waited_for(chain: &Fixture, transactions: usize) {
    let entered = async {
        while chain.view.waited_for() != transactions {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, entered).await.expect("all calls wait");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_many_waiting_calls_is_woken_by_its_own_block() {
    let mut chain = Fixture::start().await;
    let client = chain.http();
    let (early, late): (Vec<_>, Vec<_>) = (
        (0..20).map(|nonce| chain.transfer(nonce, 1)).collect(),
        (20..40).map(|nonce| chain.transfer(nonce, 1)).collect(),
    );
    let mut waiting = JoinSet::new();
    for (height, group) in [(1, &early), (2, &late)] {
        for (hash, _) in group {
            for wait in [Wait::Final, Wait::Ordered] {
                let asked = ask(&chain, *hash, wait);
                waiting.spawn(async move { (height, wait, asked.await) });
            }
        }
    }
    until_waited_for(&chain, 40).await;

    for (height, group) in [(1, early), (2, late)] {
        for (_, bytes) in group {
            client.submit(bytes).await.unwrap();
        }
        let block = chain.propose();
        chain.view.mark_ordered(&block.hash());
        for (count, wait, state) in
            [(20, Wait::Ordered, TxState::Ordered), (20, Wait::Final, TxState::Final)]
        {
            if wait == Wait::Final {
                chain.finalize(&block);
            }
            for _ in 0..count {
                let woken = tokio::time::timeout(LONG, waiting.join_next()).await;
                let (expected, waited, status) = woken.expect("woken").expect("one").unwrap();
                assert_eq!((expected, waited, status.status), (height, wait, state));
                assert_eq!(status.height, Some(Height::new(height)));
            }
        }
    }
    assert_eq!((waiting.len(), chain.view.waited_for()), (0, 0));
}

/// However long the disk takes: what is new is in memory.
#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_a_new_transaction_does_not_wait_for_the_disk() {
    let mut chain = Fixture::start().await;
    let held = chain.view.hold_reads().await;
    let (hash, bytes) = chain.transfer(0, 1);
    let waiting = tokio::spawn(ask(&chain, hash, Wait::Final));
    until_waited_for(&chain, 1).await;
    let client = chain.http();
    client.submit(bytes).await.unwrap();
    let pending = TxApiClient::status(&client, hash, None, None).await.unwrap();
    assert_eq!(pending.status, TxState::Pending);
    chain.make_block();
    let woken = tokio::time::timeout(LONG, waiting).await.expect("woken").unwrap();
    assert_eq!(woken.status, TxState::Final);
    let settled = TxApiClient::status(&client, hash, None, None).await.unwrap();
    assert_eq!(settled.status, TxState::Final);

    // What nobody heard of may be on disk: this one has to wait.
    let unknown = tokio::spawn({
        let client = chain.http();
        async move { TxApiClient::status(&client, Digest([7; 32]), None, None).await }
    });
    client.submit(chain.transfer(1, 1).1).await.unwrap();
    assert!(!unknown.is_finished());
    drop(held);
    let unknown = tokio::time::timeout(LONG, unknown).await.expect("read").unwrap().unwrap();
    assert_eq!(unknown.status, TxState::Unknown);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_changes_of_mode_are_shown() {
    let mut chain = Fixture::start().await;
    for height in 1..=70 {
        chain.mode = if height % 2 == 0 { Mode::Fast } else { Mode::Pbft };
        chain.make_block();
    }
    let history = chain.http().state().await.unwrap().mode_history;
    let heights: Vec<u64> = history.iter().map(|change| change.height.get()).collect();
    assert_eq!(heights, (7..=70).collect::<Vec<_>>());
}
