//! What the node proves holds for whoever has the genesis.

use ::chain::codec;
use ::chain::crypto::Ed25519;
use ::chain::light::{Claim, Proof, Trust, Verdict};
use ::chain::state::{RecordKey, RecordValue};
use ::chain::transaction::Body;
use ::chain::types::{Amount, Digest, Epoch, Height};
use ::consensus::registry::EngineName;
use jsonrpsee::http_client::HttpClient;
use node_api::proof::{ProofApiClient, Subject};
use node_api::{ApiError, ErrorCode, HexBytes, TxApiClient};

use super::fixture::{Fixture, RICHES, alice, bob};

fn trust(chain: &Fixture) -> Trust {
    Trust { chain_id: chain.genesis.hash(), validators: chain.genesis.validator_set() }
}

/// What the node proves, checked.
async fn prove(chain: &Fixture, subject: Subject) -> (Claim, Verdict) {
    let file = ProofApiClient::get(&chain.http(), subject, None).await.unwrap().file;
    let proof = Proof::from_json(file.as_bytes()).unwrap();
    let verdict = proof.verify(&trust(chain), &Ed25519).unwrap();
    (proof.claim, verdict)
}

/// Why the node proves nothing.
async fn refusal(client: &HttpClient, subject: Subject) -> ApiError {
    let error = ProofApiClient::get(client, subject, None).await.unwrap_err();
    ApiError::from_client(&error).unwrap_or_else(|| panic!("not the node's: {error}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_and_the_state_are_proven() {
    let mut chain = Fixture::start().await;
    let client = chain.http();
    let (paid, bytes) = chain.transfer(0, 250);
    client.submit(bytes).await.unwrap();
    let put = Body::Put { key: b"colour".to_vec(), value: b"blue".to_vec() };
    client.submit(chain.transaction(1, put).1).await.unwrap();
    let (failed, bytes) = chain.transaction(2, Body::Delete { key: b"shape".to_vec() });
    client.submit(bytes).await.unwrap();
    let first = chain.make_block();
    assert_eq!(first.transactions.len(), 3);
    let second = chain.make_block();

    for (hash, says) in [
        (
            paid,
            format!("executed successfully: {} pays 250 to {}", alice().public().address(), bob()),
        ),
        (failed, "without effect because the key does not exist".to_owned()),
    ] {
        let (_, verdict) = prove(&chain, Subject::Transaction(hash)).await;
        assert!(verdict.statement.contains(&says), "{says}: {}", verdict.statement);
        let block = verdict.block.unwrap();
        assert_eq!((block.height, block.hash), (Height::new(1), first.hash()));
    }

    let record = |claim: Claim| match claim {
        Claim::Record { value, .. } => value,
        other => panic!("{other:?}"),
    };
    let (claim, verdict) = prove(&chain, Subject::Account(bob())).await;
    assert_eq!(verdict.block.unwrap().hash, second.hash(), "the last final block");
    let Some(RecordValue::Account(account)) = record(claim) else { panic!("bob was paid") };
    assert_eq!(account.balance, Amount::new(250));
    let nobody = ::chain::types::Address([9; 20]);
    assert_eq!(record(prove(&chain, Subject::Account(nobody)).await.0), None);
    let Some(RecordValue::Entry(entry)) =
        record(prove(&chain, Subject::Key(HexBytes(b"colour".to_vec()))).await.0)
    else {
        panic!("it was put")
    };
    assert_eq!(entry.value, b"blue");
    assert_eq!(record(prove(&chain, Subject::Key(HexBytes(b"shape".to_vec()))).await.0), None);
    let Some(RecordValue::Validators(set)) =
        record(prove(&chain, Subject::Validators(Epoch::new(0))).await.0)
    else {
        panic!("there is an epoch 0")
    };
    assert_eq!(*set, chain.genesis.validator_set());
    let key = HexBytes(codec::encode(&RecordKey::Chain));
    let Some(RecordValue::Chain(facts)) = record(prove(&chain, Subject::Record(key)).await.0)
    else {
        panic!("every state has it")
    };
    assert_eq!(facts.total_supply, Amount::new(RICHES));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_proven_is_refused_with_the_reason() {
    let mut chain = Fixture::start().await;
    let client = chain.http();
    let account = Subject::Account(bob());
    let early = refusal(&client, account.clone()).await;
    assert_eq!(early.code, ErrorCode::NotFound, "{early}");
    assert!(early.message.contains("no block yet"), "{early}");

    let (hash, bytes) = chain.transfer(0, 1);
    client.submit(bytes).await.unwrap();
    let pending = refusal(&client, Subject::Transaction(hash)).await;
    assert!(pending.message.contains("no transaction"), "{pending}");
    let block = chain.propose();
    chain.view.mark_ordered(&block.hash());
    let ordered = refusal(&client, Subject::Transaction(hash)).await;
    assert!(ordered.message.contains("not final yet"), "{ordered}");
    chain.finalize(&block);
    prove(&chain, Subject::Transaction(hash)).await;

    let table = [
        (Subject::Evidence(Digest([1; 32])), ErrorCode::NotFound, "no evidence"),
        (Subject::Key(HexBytes(vec![1; 300])), ErrorCode::InvalidParams, "300 bytes"),
        (Subject::Record(HexBytes(vec![1])), ErrorCode::InvalidParams, "not the key of one"),
        (Subject::Record(HexBytes(vec![1; 5000])), ErrorCode::InvalidParams, "at most"),
    ];
    for (subject, code, says) in table {
        let error = refusal(&client, subject).await;
        assert_eq!(error.code, code, "{error}");
        assert!(error.message.contains(says), "{error}");
    }

    let raft = Fixture::of(EngineName::Raft, |_| {}).await;
    let error = refusal(&raft.http(), account).await;
    assert!(error.message.contains("raft has no certificates"), "{error}");
}
