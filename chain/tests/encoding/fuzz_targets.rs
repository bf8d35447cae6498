//! Everything in this package that reads what others wrote, given what nobody meant.

use std::sync::Arc;

use bincode::{Decode, Encode};
use chain::block::{Block, Header, SealedBlock, SignedHeader};
use chain::certificate::{Certificate, ViewCertificate, Vote};
use chain::codec::{self, Bounded};
use chain::crypto::{Ed25519, Signature};
use chain::evidence::Evidence;
use chain::execute::{BlockContext, execute};
use chain::governance::RecentBlock;
use chain::ledger::{Ledger, Tip};
use chain::merkle::MerkleProof;
use chain::receipt::Receipt;
use chain::state::{Assembly, Chunk, Cut, RecordKey, RecordValue, State, StateProof};
use chain::transaction::{SignedTransaction, Transaction};
use chain::types::{Digest, Height, View};
use chain::validator::ValidatorSet;
use fuzz::Target;
use fuzz::corpus::Form;

use crate::samples::{self, CHAIN, Samples};

/// Whatever a decoder accepts is the one encoding of its value.
fn round_trip<T: Encode + Decode<()> + Bounded>(
    name: &'static str,
    values: impl IntoIterator<Item = T>,
) {
    reading(name, values, |_: &T| {});
}

/// The same, and something more is done with the value.
fn reading<T: Encode + Decode<()> + Bounded>(
    name: &'static str,
    values: impl IntoIterator<Item = T>,
    mut with: impl FnMut(&T),
) {
    let samples: Vec<_> = values.into_iter().map(|value| codec::encode(&value)).collect();
    Target::new(name, Form::Codec, samples, |bytes| {
        let Ok(value) = codec::decode::<T>(bytes) else { return false };
        assert_eq!(codec::encode(&value), bytes, "two encodings of one value");
        with(&value);
        true
    })
    .check();
}

/// What was changed and still decodes does not verify.
fn verifying<T: Encode + Decode<()> + Bounded + Clone>(
    name: &'static str,
    values: &[T],
    verify: impl Fn(&T) -> bool,
) {
    let originals: Vec<_> = values.iter().map(codec::encode).collect();
    reading(name, values.to_vec(), |value| {
        assert_eq!(verify(value), originals.contains(&codec::encode(value)), "a forgery verifies");
    });
}

/// A signed header by itself: it travels within votes and evidence.
#[derive(Clone, Encode, Decode)]
struct ProposedHeader(SignedHeader);

impl Bounded for ProposedHeader {
    const MAX_BYTES: usize = Header::MAX_BYTES + Signature::LEN;
}

fn transactions(samples: &Samples) -> Vec<Transaction> {
    samples.executable().into_iter().map(|(_, transaction)| transaction).collect()
}

const CONTEXT: BlockContext<'static> = BlockContext {
    chain_id: CHAIN,
    parent: RecentBlock { height: Height::new(0), hash: CHAIN, signers: None },
    view: View::new(0),
    verifier: &Ed25519,
};

#[test]
fn fuzz_statements() {
    let samples = Samples::new();
    let set = samples.validators();
    let votes = [samples.prepare(1), samples.commit(3)];
    verifying("vote", &votes, |vote: &Vote| vote.verify(&CHAIN, &set, &Ed25519));
    let header = ProposedHeader(samples.block().signed_header());
    verifying("header", &[header], |it: &ProposedHeader| it.0.verify(&CHAIN, &set, &Ed25519));
    verifying("certificate", &[samples.certificate()], |certificate: &Certificate| {
        certificate.verify(&CHAIN, &set, &Ed25519)
    });
    verifying("view-certificate", &[samples.view_certificate()], |it: &ViewCertificate| {
        it.verify(&CHAIN, &set, &Ed25519)
    });
    let evidence = samples.evidence().map(|(_, evidence)| evidence);
    verifying("evidence", &evidence, |it: &Evidence| it.verify(&CHAIN, &set, &Ed25519));
}

#[test]
fn fuzz_encoded_values() {
    let samples = Samples::new();
    let all = transactions(&samples);
    let hashes: Vec<Digest> = all.iter().map(|item| item.hash(&CHAIN)).collect();
    let signed = samples.transactions().into_iter().map(|(_, transaction)| transaction);
    round_trip::<SignedTransaction>("signed-transaction", signed);
    round_trip::<Transaction>("transaction", all.clone());
    round_trip::<ValidatorSet>("validator-set", [samples.validators()]);
    let execution = execute(&samples.genesis(), &CONTEXT, &all).unwrap();
    round_trip::<Receipt>("receipt", execution.receipts);
    round_trip::<MerkleProof>("merkle-proof", [samples::merkle_proof(&hashes)]);
    let state = execution.state;
    round_trip::<RecordKey>("record-key", state.records().map(|(key, _)| key.clone()));
    round_trip::<RecordValue>("record-value", state.records().map(|(_, value)| value.clone()));
    round_trip::<StateProof>("state-proof", state.records().map(|(key, _)| state.prove(key)));
}

/// Blocks get a verdict, and none that was changed is good.
#[test]
fn fuzz_blocks() {
    let samples = Samples::new();
    let sample = samples.block();
    // The parent of the sample, so that the first check does not end it.
    let tip = Tip {
        hash: sample.header.parent,
        height: sample.header.height.previous(),
        ..Tip::genesis(CHAIN, 0, samples.validators().hash(&CHAIN))
    };
    let mut ledger = Ledger::new(CHAIN, Arc::new(Ed25519), tip, samples.genesis());
    let mut verdicts = std::collections::HashSet::new();
    Target::new("block", Form::Codec, [sample.encoded().to_vec()], |bytes| {
        let Ok(block) = SealedBlock::from_encoded(bytes.to_vec()) else { return false };
        assert_eq!(codec::encode::<Block>(&block), bytes, "two encodings of one block");
        // Some transactions are known, by no rule that matters.
        let known = |hash: &Digest| hash.0[0] & 1 == 0;
        let refused = ledger.execute(&block, &known).expect_err("its roots are made up");
        verdicts.insert(std::mem::discriminant(&refused));
        assert_eq!(ledger.overlay_count(), 0);
        true
    })
    .check();
    println!("{} kinds of verdict", verdicts.len());
    assert!(verdicts.len() >= 5);
}

/// The total of all balances of a state.
fn total(state: &State) -> u128 {
    let accounts = state.records().filter_map(|(_, value)| match value {
        RecordValue::Account(account) => Some(account.balance.get()),
        _ => None,
    });
    accounts.fold(0, u128::saturating_add)
}

/// Execution is total: any transactions have a result, no balance comes from nowhere, and a second
/// execution gives the same state.
#[test]
fn fuzz_execution() {
    let samples = Samples::new();
    let genesis = samples.genesis();
    let before = total(&genesis);
    let good = samples.executable().into_iter().map(|(_, transaction)| codec::encode(&transaction));
    let all = transactions(&samples);
    Target::new("execution", Form::Codec, good, |bytes| {
        let Ok(odd) = codec::decode::<Transaction>(bytes) else { return false };
        let block: Vec<_> = all.iter().cloned().chain([odd]).collect();
        if let Ok(execution) = execute(&genesis, &CONTEXT, &block) {
            assert_eq!(execution.receipts.len(), block.len());
            assert_eq!(total(&execution.state), before, "money from nowhere");
            let again = execute(&genesis, &CONTEXT, &block).expect("it went well before");
            assert_eq!(again.state.root(), execution.state.root());
        }
        true
    })
    .slow(4)
    .check();
}

/// Only the records of a part are taken for it, and only all parts make the state.
#[test]
fn fuzz_snapshot_chunks() {
    let samples = Samples::new();
    let state = execute(&samples.genesis(), &CONTEXT, &transactions(&samples)).unwrap().state;
    let cut = state.cut();
    let root = state.root();
    verifying("snapshot-cut", std::slice::from_ref(&cut), |cut: &Cut| cut.verify(&root).is_ok());
    let chunks: Vec<Chunk> = cut.0.iter().map(|part| state.chunk(part).unwrap()).collect();
    verifying("snapshot-chunk", &chunks, |chunk: &Chunk| {
        let mut assembly = Assembly::new(cut.clone(), root).unwrap();
        (0..=cut.0.len()).any(|index| assembly.add(index, chunk.clone()).is_ok())
    });
}
