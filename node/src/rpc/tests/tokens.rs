//! Namespaces that are not open to everybody.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::chain::access::Access;
use ::chain::codec;
use ::chain::crypto::Keypair;
use ::chain::namespace::{NamespaceAction, NamespaceRules};
use ::chain::reading::{ReadClaim, Scope};
use ::chain::transaction::Body;
use jsonrpsee::core::ClientError;
use node_api::kv::KvEvent;
use node_api::{ApiError, ErrorCode, HexBytes, KvApiClient as _, TxApiClient as _};

use super::fixture::{Fixture, alice, bob};

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

/// A token of somebody's that lives so long.
fn token(chain: &Fixture, key: &Keypair, scope: Scope, life: Duration) -> Option<HexBytes> {
    let claim = ReadClaim {
        chain_id: chain.genesis.hash(),
        account: None,
        key: key.public(),
        scope,
        expires_ms: now_ms() + life.as_millis() as u64,
    };
    Some(HexBytes(codec::encode(&claim.sign(key))))
}

/// Alice's namespace `n`, which Bob may read.
async fn start() -> Fixture {
    let mut chain = Fixture::start().await;
    let readers = Access::Accounts(vec![bob()]);
    let rules = NamespaceRules { writers: Access::Anyone, readers };
    let create = NamespaceAction::Create { name: b"n".to_vec(), rules };
    let put = |key: &str| Body::Put { key: key.into(), value: b"x".to_vec() };
    let bodies = [Body::Namespace(create), put("m/1"), put("n/1"), put("n/2"), put("o/1")];
    for (nonce, body) in (0..).zip(bodies) {
        chain.http().submit(chain.transaction(nonce, body).1).await.unwrap();
    }
    chain.make_block();
    chain
}

fn refusal<T: std::fmt::Debug>(answer: Result<T, ClientError>) -> ApiError {
    ApiError::from_client(&answer.unwrap_err()).expect("an error of the node")
}

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(flavor = "multi_thread")]
async fn reads_need_a_token_of_somebody_who_may() {
    let chain = start().await;
    let client = chain.http();
    let get = |auth| node_api::KvApiClient::get(&client, HexBytes(b"n/1".to_vec()), None, auth);
    let nobody = refusal(get(None).await);
    assert_eq!(nobody.code, ErrorCode::Forbidden);
    assert!(nobody.message.contains("namespace n"), "{nobody}");
    let (alice, bob) = (alice(), Keypair::from_seed(&[2; 32]));
    let carol = Keypair::from_seed(&[3; 32]);
    let everything = |key| token(&chain, key, Scope::Everything, HOUR);
    for key in [&bob, &alice] {
        assert!(get(everything(key)).await.unwrap().value.is_some());
    }
    assert!(refusal(get(everything(&carol)).await).message.contains("do not let"));
    let narrow = token(&chain, &bob, Scope::Namespace(b"o".to_vec()), HOUR);
    assert!(refusal(get(narrow).await).message.contains("does not open namespace n"));
    let long = token(&chain, &bob, Scope::Everything, HOUR * 25);
    assert!(refusal(get(long).await).message.contains("24 hours"));
    let garbage = refusal(get(Some(HexBytes(vec![7; 9]))).await);
    assert_eq!(garbage.code, ErrorCode::InvalidParams, "{garbage}");

    let shown = client.namespace(HexBytes(b"n".to_vec())).await.unwrap();
    assert_eq!(shown.owner, alice.public().address());
    assert_eq!(refusal(client.namespace(HexBytes(b"m".to_vec())).await).code, ErrorCode::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_leaves_nothing_out_silently() {
    let chain = start().await;
    let client = chain.http();
    let scan = |prefix: &str, start: Option<&str>, limit, auth| {
        let start = start.map(|start| HexBytes(start.into()));
        client.scan(HexBytes(prefix.into()), start, limit, None, auth)
    };
    for prefix in ["", "n", "n/", "n/7"] {
        let error = refusal(scan(prefix, None, None, None).await);
        assert_eq!(error.code, ErrorCode::Forbidden, "{prefix}: {error}");
        assert!(error.message.contains("namespace n"), "{prefix}: {error}");
    }
    let first = scan("", None, Some(1), None).await.unwrap();
    assert_eq!(first.entries.len(), 1);
    assert_eq!(first.next, Some(HexBytes(b"n/".to_vec())), "its keys are not told");
    assert_eq!(scan("", Some("n0"), None, None).await.unwrap().entries.len(), 1);
    let bob = Keypair::from_seed(&[2; 32]);
    let auth = token(&chain, &bob, Scope::Everything, HOUR);
    assert_eq!(scan("", None, None, auth).await.unwrap().entries.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_ends_where_it_may_not_go_on_and_says_so() {
    let mut chain = start().await;
    let client = chain.ws().await;
    let mut events = client.subscribe_changes(HexBytes::default(), None, None).await.unwrap();
    let refused = client.subscribe_changes(HexBytes(b"n/".to_vec()), None, None).await;
    assert_eq!(refusal(refused).code, ErrorCode::Forbidden);
    let bob = Keypair::from_seed(&[2; 32]);
    let brief = token(&chain, &bob, Scope::Everything, Duration::from_secs(6));
    let mut bobs = client.subscribe_changes(HexBytes::default(), None, brief).await.unwrap();
    assert!(matches!(events.next().await, Some(Ok(KvEvent::Progress { .. }))));
    assert!(matches!(bobs.next().await, Some(Ok(KvEvent::Progress { .. }))));

    let put = |key: &str| Body::Put { key: key.into(), value: b"y".to_vec() };
    for (nonce, body) in (5..).zip([put("m/1"), put("n/1")]) {
        chain.http().submit(chain.transaction(nonce, body).1).await.unwrap();
    }
    chain.make_block();
    let Some(Ok(KvEvent::Change(open))) = events.next().await else { panic!("m is open") };
    let Some(Ok(KvEvent::Ended { cursor, code, message })) = events.next().await else {
        panic!("n is not")
    };
    assert_eq!((cursor, code), (open.cursor, ErrorCode::Forbidden));
    assert!(message.contains("namespace n"), "{message}");

    for key in ["m/1", "n/1"] {
        let Some(Ok(KvEvent::Change(change))) = bobs.next().await else { panic!("{key}") };
        assert_eq!(change.key, HexBytes(key.into()));
    }
    // Whatever comes after the token has expired ends it.
    let end = now_ms() + 20_000;
    while token_is_alive(&mut chain, &mut bobs).await {
        assert!(now_ms() < end, "it lives too long");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Makes a block with a change; says whether it was told.
async fn token_is_alive(
    chain: &mut Fixture,
    events: &mut jsonrpsee::core::client::Subscription<KvEvent>,
) -> bool {
    let nonce = chain.view.head().state.account(&alice().public().address()).nonce;
    let body = Body::Put { key: b"n/1".to_vec(), value: b"z".to_vec() };
    chain.http().submit(chain.transaction(nonce, body).1).await.unwrap();
    chain.make_block();
    match events.next().await {
        Some(Ok(KvEvent::Change(_) | KvEvent::Progress { .. })) => true,
        Some(Ok(KvEvent::Ended { code, .. })) => {
            assert_eq!(code, ErrorCode::Forbidden);
            false
        }
        other => panic!("{other:?}"),
    }
}
