//! What a read sees at each level.

use ::chain::transaction::Body;
use ::chain::types::Height;
use node_api::block::BlockStatus;
use node_api::kv::{KvValue, ReadLevel};
use node_api::{ApiError, ErrorCode, HexBytes, KvApiClient as _, TxApiClient as _};

use super::fixture::Fixture;

async fn put(chain: &Fixture, nonce: u64, value: &str) {
    let body = Body::Put { key: b"k".to_vec(), value: value.as_bytes().to_vec() };
    chain.http().submit(chain.transaction(nonce, body).1).await.unwrap();
}

async fn get(chain: &Fixture, level: ReadLevel) -> KvValue {
    let key = HexBytes(b"k".to_vec());
    node_api::KvApiClient::get(&chain.http(), key, Some(level), None).await.unwrap()
}

fn seen(value: &KvValue) -> (Option<&[u8]>, Option<u64>, u64, BlockStatus) {
    let text = value.value.as_ref().map(|value| value.0.as_slice());
    (text, value.version, value.height.get(), value.status)
}

#[tokio::test(flavor = "multi_thread")]
async fn ordered_blocks_show_at_their_level_alone_and_are_labelled() {
    let mut chain = Fixture::start().await;
    let genesis = get(&chain, ReadLevel::Ordered).await;
    assert_eq!(seen(&genesis), (None, None, 0, BlockStatus::Final));
    assert_eq!(genesis.block, chain.genesis.hash());
    put(&chain, 0, "one").await;
    chain.make_block();
    put(&chain, 1, "two").await;
    let block = chain.propose();
    assert_eq!(get(&chain, ReadLevel::Ordered).await.height, Height::new(1), "only proposed");

    chain.view.mark_ordered(&block.hash());
    let ordered = get(&chain, ReadLevel::Ordered).await;
    assert_eq!(seen(&ordered), (Some(&b"two"[..]), Some(2), 2, BlockStatus::Ordered));
    assert_eq!(ordered.block, block.hash());
    let old = get(&chain, ReadLevel::Final).await;
    assert_eq!(seen(&old), (Some(&b"one"[..]), Some(1), 1, BlockStatus::Final));
    let prefix = HexBytes(b"k".to_vec());
    let page = chain.http().scan(prefix, None, None, Some(ReadLevel::Ordered), None).await.unwrap();
    assert_eq!((page.entries[0].version, page.status), (2, BlockStatus::Ordered));

    chain.finalize(&block);
    for level in [ReadLevel::Ordered, ReadLevel::Final] {
        let value = get(&chain, level).await;
        assert_eq!(seen(&value), (Some(&b"two"[..]), Some(2), 2, BlockStatus::Final), "{level:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_linearizable_read_waits_for_the_quorum_and_an_observer_gets_none() {
    let mut chain = Fixture::start().await;
    put(&chain, 0, "one").await;
    let client = chain.http();
    let reading = tokio::spawn(async move {
        let key = HexBytes(b"k".to_vec());
        node_api::KvApiClient::get(&client, key, Some(ReadLevel::Linearizable), None).await
    });
    chain.reading.notified().await;
    chain.make_block();
    assert!(!reading.is_finished(), "nobody has confirmed it");
    chain.consensus.answer_reads(Height::new(1));
    let value = reading.await.unwrap().unwrap();
    assert_eq!(seen(&value), (Some(&b"one"[..]), Some(1), 1, BlockStatus::Final));

    chain.status.send_modify(|status| status.me = None);
    let key = HexBytes(b"k".to_vec());
    let refused =
        node_api::KvApiClient::get(&chain.http(), key, Some(ReadLevel::Linearizable), None).await;
    let error = ApiError::from_client(&refused.unwrap_err()).unwrap();
    assert_eq!(error.code, ErrorCode::Unavailable);
    assert!(error.message.contains("no validator"), "{error}");
}
