//! Changes of keys, told without gaps.

use std::collections::BTreeMap;
use std::time::Duration;

use ::chain::transaction::{Body, Expected};
use ::chain::types::Height;
use jsonrpsee::core::client::Subscription;
use jsonrpsee::ws_client::WsClient;
use node_api::kv::{Cursor, KvChange, KvEvent};
use node_api::{ErrorCode, HexBytes, KvApiClient as _, TxApiClient as _};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::fixture::Fixture;

async fn next(subscription: &mut Subscription<KvEvent>) -> KvEvent {
    let next = tokio::time::timeout(Duration::from_secs(20), subscription.next());
    next.await.expect("in time").expect("open").expect("readable")
}

async fn watch(client: &WsClient, prefix: &str, from: Option<Cursor>) -> Subscription<KvEvent> {
    client.subscribe_changes(HexBytes(prefix.into()), from, None).await.unwrap()
}

/// The next change; progress on the way moves the cursor.
async fn change(subscription: &mut Subscription<KvEvent>, cursor: &mut Option<Cursor>) -> KvChange {
    loop {
        match next(subscription).await {
            KvEvent::Change(change) => {
                assert!(cursor.is_none_or(|before| before < change.cursor), "in order");
                *cursor = Some(change.cursor);
                return change;
            }
            KvEvent::Progress { cursor: reached, .. } => {
                assert!(cursor.is_none_or(|before| before <= reached), "never back");
                *cursor = Some(reached);
            }
            ended @ KvEvent::Ended { .. } => panic!("{ended:?}"),
        }
    }
}

fn put(key: &str, value: &str) -> Body {
    Body::Put { key: key.into(), value: value.into() }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_below_the_prefix_comes_in_order_and_nothing_else() {
    let mut chain = Fixture::start().await;
    let client = chain.ws().await;
    let mut changes = watch(&client, "a/", None).await;
    let started = next(&mut changes).await;
    let cursor = Cursor::at(Height::new(1));
    assert_eq!(started, KvEvent::Progress { cursor, height: Height::new(0) });
    let absent = Expected::Absent;
    let swap = |expected, value: &str| Body::CompareAndSwap {
        key: b"a/1".to_vec(),
        expected,
        value: value.into(),
    };
    let bodies = [
        put("a/1", "one"),
        put("b/1", "elsewhere"),
        swap(absent, "refused"),
        swap(Expected::Version(1), "two"),
        Body::Delete { key: b"a/none".to_vec() },
        Body::Delete { key: b"a/1".to_vec() },
        put("a/1", "again"),
    ];
    let mut hashes = Vec::new();
    for (nonce, body) in (0..).zip(bodies) {
        let (hash, bytes) = chain.transaction(nonce, body);
        chain.http().submit(bytes).await.unwrap();
        hashes.push(hash);
    }
    chain.make_block();
    let mut cursor = None;
    let expected = [
        (0, Some("one"), Some(1)),
        (3, Some("two"), Some(2)),
        (5, None, None),
        (6, Some("again"), Some(1)),
    ];
    for (place, value, version) in expected {
        let told = change(&mut changes, &mut cursor).await;
        assert_eq!(told.transaction, hashes[place]);
        assert_eq!(told.value, value.map(|value| HexBytes(value.into())), "{told:?}");
        assert_eq!(told.version, version, "{told:?}");
        assert_eq!(told.cursor, Cursor { height: Height::new(1), index: place as u32 + 1 });
    }
    // A second subscriber that starts in the middle of the block.
    let middle = Cursor { height: Height::new(1), index: 4 };
    let mut rest = watch(&client, "", Some(middle)).await;
    assert_eq!(change(&mut rest, &mut None).await.transaction, hashes[5]);

    let ahead = Cursor::at(Height::new(3));
    let refused = client.subscribe_changes(HexBytes::default(), Some(ahead), None).await;
    assert!(refused.unwrap_err().to_string().contains("is ahead"), "not final here yet");
}

/// Blocks at random while a subscriber comes and goes at random, always with its last cursor: it
/// sees every change exactly once, and what it saw makes the state.
#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_that_comes_back_misses_nothing_and_sees_nothing_twice() {
    let (cases, blocks) = (12, 12);
    for seed in 0..cases {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let mut chain = Fixture::start().await;
        let client = chain.ws().await;
        let mut subscription = watch(&client, "k", None).await;
        let (mut nonce, mut written, mut told) = (0, Vec::new(), Vec::new());
        let mut cursor = None;
        for _ in 0..blocks {
            for _ in 0..dice.next_u32() % 5 {
                let key = format!("k{}", dice.next_u32() % 3);
                let body = match dice.next_u32() % 4 {
                    0 => Body::Delete { key: key.into() },
                    1 => put("other", "x"),
                    _ => put(&key, &format!("value {nonce}")),
                };
                let (hash, bytes) = chain.transaction(nonce, body);
                chain.http().submit(bytes).await.unwrap();
                written.push(hash);
                nonce += 1;
            }
            chain.make_block();
            if dice.next_u32() % 2 == 0 {
                // It takes some of what there is, and is gone.
                for _ in 0..dice.next_u32() % 4 {
                    let soon = Duration::from_millis(20);
                    let taken = tokio::time::timeout(soon, change(&mut subscription, &mut cursor));
                    let Ok(change) = taken.await else { break };
                    told.push(change);
                }
                // Where nothing was heard yet, it began before the first block.
                let from = cursor.unwrap_or(Cursor::at(Height::new(1)));
                drop(subscription);
                subscription = watch(&client, "k", Some(from)).await;
            }
        }
        let (hash, bytes) = chain.transaction(nonce, put("k-last", "x"));
        chain.http().submit(bytes).await.unwrap();
        chain.make_block();
        while told.last().is_none_or(|change: &KvChange| change.transaction != hash) {
            told.push(change(&mut subscription, &mut cursor).await);
        }
        let order = |change: &KvChange| (change.height, change.cursor.index);
        assert!(told.windows(2).all(|pair| order(&pair[0]) < order(&pair[1])), "seed {seed}");
        let mut state = BTreeMap::new();
        for change in &told {
            match &change.value {
                Some(value) => {
                    let version = change.version.expect("a write makes a version");
                    state.insert(change.key.clone(), (value.clone(), version));
                }
                None => drop(state.remove(&change.key).expect("only what is there is deleted")),
            }
        }
        let prefix = HexBytes(b"k".to_vec());
        let page = client.scan(prefix, None, None, None, None).await.unwrap();
        let entries = page.entries.into_iter();
        let found: BTreeMap<_, _> =
            entries.map(|entry| (entry.key, (entry.value, entry.version))).collect();
        assert_eq!(state, found, "seed {seed}");
    }
    println!("{cases} random subscribers over {blocks} blocks each");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_without_a_place_is_refused() {
    let chain = Fixture::start().await;
    let mut clients = Vec::new();
    let mut open = Vec::new();
    for _ in 0..8 {
        let client = chain.ws().await;
        for _ in 0..8 {
            open.push(watch(&client, "", None).await);
        }
        clients.push(client);
    }
    let late = chain.ws().await;
    let refused = late.subscribe_changes(HexBytes::default(), None, None).await.unwrap_err();
    let error = node_api::ApiError::from_client(&refused).unwrap();
    assert_eq!(error.code, ErrorCode::Overloaded, "{error}");
}
