//! The bytes and digests of everything that is hashed or signed, pinned in `../vectors/golden.txt`.
//!
//! A difference means that old and new nodes no longer agree. Where that is intended,
//! `GOLDEN=rewrite cargo test -p chain --test encoding` writes the file anew, for review in the diff.

use std::fmt::Write as _;
use std::path::Path;

use chain::codec::{self, Bounded, CodecError};
use chain::execute::{BlockContext, execute};
use chain::governance::RecentBlock;
use chain::ledger::Tip;
use chain::merkle::{List, receipts_root};
use chain::state::{RecordKey, State};
use chain::types::{Digest, Height, View};

use crate::samples::{self, CHAIN, Samples};

/// Lines of a name, an encoding and a digest, either of which may be `-`.
#[derive(Default)]
struct Golden {
    lines: String,
}

impl Golden {
    fn line(&mut self, name: &str, encoding: Option<&[u8]>, digest: Option<Digest>) {
        let encoding = encoding.map_or("-".to_owned(), hex::encode);
        let digest = digest.map_or("-".to_owned(), |digest| digest.to_string());
        writeln!(self.lines, "{name} {encoding} {digest}").unwrap();
    }

    /// Pins a value's encoding, after seeing that it decodes to the same value and nothing else.
    fn value<T>(&mut self, name: &str, value: &T, digest: Option<Digest>)
    where
        T: bincode::Encode + bincode::Decode<()> + Bounded + PartialEq + std::fmt::Debug,
    {
        let encoding = codec::encode(value);
        assert_eq!(codec::decode::<T>(&encoding).as_ref(), Ok(value), "{name}");
        let mut longer = encoding.clone();
        longer.push(0);
        assert!(
            matches!(
                codec::decode::<T>(&longer),
                Err(CodecError::Trailing { left: 1 } | CodecError::TooLarge { .. })
            ),
            "{name} with a byte more"
        );
        assert!(codec::decode::<T>(&encoding[..encoding.len() - 1]).is_err(), "{name} cut short");
        self.line(name, Some(&encoding), digest);
    }
}

#[test]
fn encodings_and_digests_are_as_they_always_were() {
    let samples = Samples::new();
    let mut golden = Golden::default();
    keys(&mut golden, &samples);
    transactions(&mut golden, &samples);
    votes(&mut golden, &samples);
    blocks(&mut golden, &samples);
    execution(&mut golden, &samples);

    let chain = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs this");
    let path = Path::new(&chain).join("tests/vectors/golden.txt");
    if std::env::var_os("GOLDEN").is_some_and(|value| value == "rewrite") {
        std::fs::write(&path, &golden.lines).unwrap();
    }
    let pinned = std::fs::read_to_string(&path).unwrap();
    for (found, expected) in golden.lines.lines().zip(pinned.lines()) {
        assert_eq!(found, expected);
    }
    assert_eq!(golden.lines.lines().count(), pinned.lines().count());
}

fn keys(golden: &mut Golden, samples: &Samples) {
    let key = samples.key(1);
    golden.line("public-key", Some(&key.0), None);
    golden.line("address", Some(&key.address().0), None);
    golden.line(&format!("address-text-{}", key.address()), None, None);
}

fn transactions(golden: &mut Golden, samples: &Samples) {
    for (name, transaction) in samples.transactions() {
        let payload = codec::encode(&transaction.payload);
        let digest = transaction.payload.signing_digest();
        golden.line(&format!("payload-{name}"), Some(&payload), Some(digest));
        golden.value(&format!("transaction-{name}"), &transaction, Some(transaction.hash()));
    }
    for (name, transaction) in samples.block_transactions() {
        golden.value(
            &format!("block-transaction-{name}"),
            &transaction,
            Some(transaction.hash(&CHAIN)),
        );
    }
}

fn votes(golden: &mut Golden, samples: &Samples) {
    for (name, vote) in [("prepare", samples.prepare(1)), ("commit", samples.commit(2))] {
        golden.value(&format!("vote-{name}"), &vote, Some(vote.ballot.digest(&CHAIN)));
    }
    let certificate = samples.certificate();
    golden.value("certificate", &certificate, Some(certificate.ballot.digest(&CHAIN)));
    let certificate = samples.view_certificate();
    golden.value("view-certificate", &certificate, Some(certificate.start.digest(&CHAIN)));
    for (name, evidence) in samples.evidence() {
        golden.value(&format!("evidence-{name}"), &evidence, Some(evidence.hash(&CHAIN)));
    }
    let set = samples.validators();
    golden.value("validator-set", &set, Some(set.hash(&CHAIN)));
}

fn blocks(golden: &mut Golden, samples: &Samples) {
    let block = samples.block();
    let header = &block.header;
    golden.line("header", Some(&codec::encode(header)), Some(header.hash(&CHAIN)));
    let proposal = chain::block::proposal_digest(&CHAIN, &header.hash(&CHAIN));
    golden.line("proposal", None, Some(proposal));
    let justification = &block.justification;
    let digest = justification.hash(&CHAIN);
    golden.line("justification", Some(&codec::encode(justification)), Some(digest));
    golden.value("block", &*block, Some(block.hash()));
    assert!(block.matches_header());
    assert_eq!(Tip::from(&block).hash, block.hash());
}

fn execution(golden: &mut Golden, samples: &Samples) {
    let genesis = samples.genesis();
    golden.line("state-genesis", None, Some(genesis.root()));
    let context = BlockContext {
        chain_id: CHAIN,
        parent: RecentBlock { height: Height::new(0), hash: CHAIN, signers: None },
        view: View::new(9),
        verifier: &chain::crypto::Ed25519,
    };
    let transactions: Vec<_> =
        samples.executable().into_iter().map(|(_, transaction)| transaction).collect();
    let hashes: Vec<Digest> = transactions.iter().map(|item| item.hash(&CHAIN)).collect();
    let execution = execute(&genesis, &context, &transactions).unwrap();
    let succeeded =
        execution.receipts.iter().filter(|receipt| receipt.outcome.is_success()).count();
    assert_eq!(succeeded, 12, "each body does its work once");
    for (place, receipt) in execution.receipts.iter().enumerate() {
        golden.value(&format!("receipt-{place}"), receipt, Some(receipt.hash()));
    }
    golden.line("transactions-root", None, Some(List::Transactions.root(&hashes)));
    golden.line("transactions-root-empty", None, Some(List::Transactions.root(&[])));
    golden.line("receipts-root", None, Some(receipts_root(&execution.receipts)));
    golden.line("receipts-root-empty", None, Some(receipts_root(&[])));
    golden.line("state-executed", None, Some(execution.state.root()));
    records(golden, &execution.state);
    let proof = samples::merkle_proof(&hashes);
    assert!(proof.verify(List::Transactions, &List::Transactions.root(&hashes), &hashes[2]));
    golden.value("merkle-proof", &proof, None);
}

fn records(golden: &mut Golden, state: &State) {
    for (place, (key, value)) in state.records().enumerate() {
        golden.value(&format!("record-{place}-key"), key, Some(key.hash()));
        golden.value(&format!("record-{place}-value"), value, Some(value.hash()));
        let proof = state.prove(key);
        assert!(proof.verify(&state.root(), key, Some(value)));
        golden.value(&format!("record-{place}-proof"), &proof, None);
    }
    let absent = RecordKey::Entry(b"absent".to_vec());
    let proof = state.prove(&absent);
    assert!(proof.verify(&state.root(), &absent, None));
    golden.value("record-absent-proof", &proof, Some(absent.hash()));
}
