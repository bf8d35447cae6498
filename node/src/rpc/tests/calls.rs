//! Every method by its generated client.

use std::collections::BTreeSet;
use std::time::Duration;

use ::chain::mempool::MempoolLimits;
use ::chain::transaction::Body;
use ::chain::types::{Amount, Digest, Epoch, Height};
use jsonrpsee::core::ClientError;
use node_api::block::{BlockRef, BlockStatus, Detail};
use node_api::consensus::Role;
use node_api::transaction::{TxBody, TxContent, TxState};
use node_api::tx::{SubmitResult, Wait};
use node_api::{
    AccountApiClient, ApiError, ChainApiClient as _, ConsensusApiClient as _, ErrorCode, HexBytes,
    KvApiClient as _, RpcApiClient as _, TxApiClient,
};

use super::fixture::{Fixture, RICHES, alice, bob};
use crate::sync::SyncProgress;

/// The code of a refusal by the node.
fn code(error: &ClientError) -> ErrorCode {
    ApiError::from_client(error).unwrap_or_else(|| panic!("not the node's: {error}")).code
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_goes_from_pending_over_ordered_to_final() {
    let mut chain = Fixture::start().await;
    let client = chain.http();
    let (hash, bytes) = chain.transfer(0, 250);
    assert_eq!(
        TxApiClient::status(&client, hash, None, None).await.unwrap().status,
        TxState::Unknown
    );
    assert_eq!(client.submit(bytes.clone()).await.unwrap().hash, hash);
    assert_eq!(client.submit(bytes.clone()).await.unwrap().hash, hash, "the same bytes are safe");
    assert_eq!(
        TxApiClient::status(&client, hash, None, None).await.unwrap().status,
        TxState::Pending
    );
    let account = AccountApiClient::get(&client, alice().public().address()).await.unwrap();
    assert_eq!((account.nonce, account.next_nonce), (0, 1));

    let block = chain.propose();
    chain.view.mark_ordered(&block.hash());
    let ordered = TxApiClient::status(&client, hash, Some(Wait::Ordered), None).await.unwrap();
    assert_eq!((ordered.status, ordered.height), (TxState::Ordered, Some(Height::new(1))));
    let shown = client.block(BlockRef::Height(Height::new(1)), None).await.unwrap();
    assert_eq!((shown.status, shown.hash), (BlockStatus::Ordered, block.hash()));
    assert_eq!(heights(&client).await, (0, 1));

    chain.finalize(&block);
    let settled = TxApiClient::status(&client, hash, Some(Wait::Final), None).await.unwrap();
    assert_eq!(settled.status, TxState::Final);
    assert_eq!((settled.index, settled.block), (Some(0), Some(block.hash())));
    assert!(settled.receipt.unwrap().ok);
    let account = AccountApiClient::get(&client, alice().public().address()).await.unwrap();
    assert_eq!(account.balance, Amount::new(RICHES - 250));
    assert_eq!((account.nonce, account.next_nonce, account.height), (1, 1, Height::new(1)));
    assert_eq!(AccountApiClient::get(&client, bob()).await.unwrap().balance, Amount::new(250));

    let replay = client.submit(bytes).await.unwrap_err();
    assert_eq!(code(&replay), ErrorCode::Duplicate, "{replay}");
    assert!(replay.to_string().contains("block 1"), "{replay}");
}

/// Final and ordered height.
async fn heights(client: &jsonrpsee::http_client::HttpClient) -> (u64, u64) {
    let status = node_api::ChainApiClient::status(client).await.unwrap();
    (status.height_final.get(), status.height_ordered.get())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_call_is_woken_by_finality_and_not_before() {
    let mut chain = Fixture::start().await;
    let client = chain.ws().await;
    let (hash, bytes) = chain.transfer(0, 1);
    client.submit(bytes).await.unwrap();
    let waiting = {
        let client = chain.http();
        tokio::spawn(async move {
            TxApiClient::status(&client, hash, Some(Wait::Final), Some(30_000)).await
        })
    };
    let in_vain = TxApiClient::status(&client, hash, Some(Wait::Final), Some(20)).await.unwrap();
    assert_eq!(in_vain.status, TxState::Pending, "time ran out: what holds is told");
    assert!(!waiting.is_finished());
    chain.make_block();
    let woken = tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap().unwrap();
    assert_eq!(woken.unwrap().status, TxState::Final);
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_transactions_say_why() {
    let mut chain = Fixture::start().await;
    let client = chain.http();
    let transfer =
        |amount| Body::Transfer { to: bob(), amount: Amount::new(amount), memo: Vec::new() };
    let mut other_chain = chain.signed(0, transfer(1)).payload;
    other_chain.chain_id = Digest([9; 32]);
    let mut expired = chain.signed(0, transfer(1)).payload;
    expired.expiry = Height::new(0);
    let mut far = chain.signed(0, transfer(1)).payload;
    far.expiry = Height::new(MempoolLimits::LIFETIME + 1);
    let mut forged = chain.signed(0, transfer(1));
    forged.signature.0[0] ^= 1;
    let long = Body::Put { key: vec![7; 300], value: Vec::new() };
    let encoded = |transaction| HexBytes(::chain::codec::encode(&transaction));
    let table = [
        (encoded(other_chain.sign(&alice())), ErrorCode::OtherChain),
        (encoded(expired.sign(&alice())), ErrorCode::Expired),
        (encoded(far.sign(&alice())), ErrorCode::ExpiryTooFar),
        (encoded(forged), ErrorCode::BadSignature),
        (chain.transaction(0, long).1, ErrorCode::TooLarge),
        (chain.transfer(0, RICHES + 1).1, ErrorCode::InsufficientBalance),
        (chain.transfer(1_000_000, 1).1, ErrorCode::NonceGap),
        (HexBytes(vec![1, 2, 3]), ErrorCode::Malformed),
        (HexBytes(vec![0; 300_000]), ErrorCode::TooLarge),
    ];
    for (bytes, expected) in table {
        let error = client.submit(bytes).await.unwrap_err();
        assert_eq!(code(&error), expected, "{error}");
    }
    let (_, first) = chain.transfer(0, 1);
    client.submit(first).await.unwrap();
    chain.make_block();
    let used = client.submit(chain.transfer(0, 2).1).await.unwrap_err();
    assert_eq!(code(&used), ErrorCode::BadNonce, "{used}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_answers_for_each_and_is_bounded() {
    let chain = Fixture::start().await;
    let client = chain.http();
    let batch = vec![
        chain.transfer(0, 1).1,
        HexBytes(vec![1]),
        chain.transfer(1, 1).1,
        chain.transfer(1, 2).1,
    ];
    let results = client.submit_batch(batch).await.unwrap();
    let codes: Vec<_> = results
        .iter()
        .map(|result| match result {
            SubmitResult::Accepted { hash } => Ok(*hash),
            SubmitResult::Refused { error } => Err(error.code),
        })
        .collect();
    assert_eq!(codes.len(), 4);
    assert_eq!(codes[0], Ok(chain.transfer(0, 1).0));
    assert_eq!(codes[1], Err(ErrorCode::Malformed));
    assert_eq!(codes[2], Ok(chain.transfer(1, 1).0));
    assert_eq!(codes[3], Err(ErrorCode::BadNonce));
    let error = client.submit_batch(vec![HexBytes(vec![]); 1025]).await.unwrap_err();
    assert_eq!(code(&error), ErrorCode::InvalidParams, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_transaction_is_final_without_effect() {
    let mut chain = Fixture::start().await;
    let client = chain.http();
    let (hash, bytes) = chain.transaction(0, Body::Delete { key: b"nothing".to_vec() });
    client.submit(bytes).await.unwrap();
    chain.make_block();
    let failed = TxApiClient::status(&client, hash, Some(Wait::Final), None).await.unwrap();
    assert_eq!(failed.status, TxState::Failed);
    let receipt = failed.receipt.unwrap();
    assert_eq!((receipt.ok, receipt.code.as_deref()), (false, Some("key_not_found")));
    assert!(receipt.reason.unwrap().contains("does not exist"));
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_are_found_by_height_word_and_hash() {
    let mut chain = Fixture::start().await;
    let client = chain.http();
    for nothing in
        [BlockRef::Latest, BlockRef::Height(Height::new(0)), BlockRef::Hash(Digest::ZERO)]
    {
        let error = client.block(nothing, None).await.unwrap_err();
        assert_eq!(code(&error), ErrorCode::NotFound, "{nothing}: {error}");
    }
    let (hash, bytes) = chain.transfer(0, 5);
    client.submit(bytes).await.unwrap();
    let block = chain.make_block();
    let names = [BlockRef::Latest, BlockRef::Height(Height::new(1)), BlockRef::Hash(block.hash())];
    for name in names {
        let shown = client.block(name, None).await.unwrap();
        assert_eq!((shown.hash, shown.status), (block.hash(), BlockStatus::Final));
        assert_eq!(shown.header, block.header);
        assert_eq!(shown.transaction_hashes, Some(vec![hash]));
        assert_eq!(shown.transactions, None);
        assert_eq!(shown.certificate.unwrap().signers.len(), 1);
    }
    let full = client.block(BlockRef::Latest, Some(Detail::Full)).await.unwrap();
    assert_eq!(full.transaction_hashes, None);
    let [transaction] = full.transactions.unwrap().try_into().unwrap();
    assert!(transaction.receipt.unwrap().ok);
    let TxContent::Account { sender, nonce, body, .. } = transaction.content else {
        panic!("from an account");
    };
    assert_eq!((sender, nonce), (alice().public().address(), 0));
    assert_eq!(
        body,
        TxBody::Transfer { to: bob(), amount: Amount::new(5), memo: HexBytes::default() }
    );
    let none = client.block(BlockRef::Latest, Some(Detail::None)).await.unwrap();
    assert_eq!((none.transaction_count, none.transaction_hashes), (1, None));

    // A proposal that nothing speaks for is not shown.
    let proposed = chain.propose();
    let error = client.block(BlockRef::Hash(proposed.hash()), None).await.unwrap_err();
    assert_eq!(code(&error), ErrorCode::NotFound, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_read_and_scanned_page_by_page() {
    let mut chain = Fixture::start().await;
    let client = chain.http();
    let keys = ["a/1", "a/2", "a/3", "b/1"];
    for (nonce, key) in (0..).zip(keys) {
        let body = Body::Put { key: key.into(), value: format!("v{nonce}").into() };
        client.submit(chain.transaction(nonce, body).1).await.unwrap();
    }
    chain.make_block();
    let kv = |key: &str| node_api::KvApiClient::get(&client, HexBytes(key.into()), None, None);
    assert_eq!(kv("a/2").await.unwrap().value, Some(HexBytes(b"v1".to_vec())));
    assert_eq!(kv("none").await.unwrap().value, None);

    let first = client.scan(HexBytes(b"a/".to_vec()), None, Some(2), None, None).await.unwrap();
    assert_eq!(first.entries.len(), 2);
    assert_eq!(first.next, Some(HexBytes(b"a/3".to_vec())));
    let second =
        client.scan(HexBytes(b"a/".to_vec()), first.next, Some(2), None, None).await.unwrap();
    assert_eq!((second.entries.len(), second.next), (1, None));
    assert_eq!(second.entries[0].key, HexBytes(b"a/3".to_vec()));
    let all = client.scan(HexBytes::default(), None, None, None, None).await.unwrap();
    assert_eq!(all.entries.len(), 4);
    // A start that is no key, and one before the prefix.
    let between = client
        .scan(HexBytes(b"a".to_vec()), Some(HexBytes(b"a/1x".to_vec())), None, None, None)
        .await;
    assert_eq!(between.unwrap().entries.len(), 2);
    let before = client
        .scan(HexBytes(b"b".to_vec()), Some(HexBytes(b"a/1".to_vec())), None, None, None)
        .await;
    assert_eq!(before.unwrap().entries.len(), 1);
    for limit in [0, 257] {
        let error =
            client.scan(HexBytes::default(), None, Some(limit), None, None).await.unwrap_err();
        assert_eq!(code(&error), ErrorCode::InvalidParams, "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn status_validators_and_state_tell_who_and_where() {
    let mut chain = Fixture::start().await;
    let client = chain.http();
    let genesis = node_api::ChainApiClient::status(&client).await.unwrap();
    assert_eq!((genesis.chain_id, genesis.hash), (chain.genesis.hash(), chain.genesis.hash()));
    assert_eq!(genesis.timestamp_ms, chain.genesis.time_ms);
    let block = chain.make_block();
    let status = node_api::ChainApiClient::status(&client).await.unwrap();
    assert_eq!((status.name.as_str(), status.engine.as_str()), ("test", "hybrid"));
    assert_eq!((status.height_final, status.hash), (Height::new(1), block.hash()));
    assert_eq!(status.state_root, block.header.state_root);
    assert!(status.synced);
    chain.peers.show_height(100);
    let behind = node_api::ChainApiClient::status(&client).await.unwrap();
    assert!(!behind.synced && behind.sync.target == Height::new(100));
    chain.peers.show_height(1);
    chain.sync.send_replace(SyncProgress { heard: 1, needed: 3, ..SyncProgress::unknown() });
    let unsure = node_api::ChainApiClient::status(&client).await.unwrap();
    assert!(!unsure.synced, "too few were heard of");

    let list = client.validators(None).await.unwrap();
    assert_eq!((list.epoch, list.validators.len()), (Epoch::new(0), 1));
    let only = &list.validators[0];
    assert_eq!((only.name.as_deref(), only.signed_last), (Some("only"), Some(true)));
    assert!(only.connected && !only.jailed);
    let error = client.validators(Some(Epoch::new(1))).await.unwrap_err();
    assert_eq!(code(&error), ErrorCode::NotFound, "{error}");
    assert_eq!(client.evidence(None).await.unwrap(), []);

    let state = client.state().await.unwrap();
    assert_eq!((state.role, state.height_final), (Role::Leader, Height::new(1)));
    assert_eq!((state.timeout_ms, state.quorums.quorum), (500, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_lists_exactly_what_is_served() {
    let chain = Fixture::start().await;
    let document = chain.http().discover().await.unwrap();
    let described: BTreeSet<String> = document["methods"]
        .as_array()
        .unwrap()
        .iter()
        .map(|method| method["name"].as_str().unwrap().to_owned())
        .collect();
    let page = super::pages::get(&chain, "/").await.1;
    let served: BTreeSet<String> = page
        .lines()
        .skip_while(|line| !line.starts_with("Methods"))
        .skip(1)
        .map(|line| line.trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    assert_eq!(described, served);
    assert_eq!(served.len(), 23);
}
