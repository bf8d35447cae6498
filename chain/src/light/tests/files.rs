//! Proof files: what they say, and that no byte of them can be changed.

use fuzz::corpus::Form;

use super::maker::{Maker, certify};
use crate::block::{BlockKind, Header};
use crate::certificate::VoteKind;
use crate::crypto::{Ed25519, Keypair};
use crate::light::{Claim, FinalityPath, PathError, Proof, ProofError, Trust};
use crate::state::RecordKey;
use crate::testing::{CHAIN, address, keypair, put, transfer};
use crate::types::{Digest, Epoch};

/// Three epochs with a bit of everything.
fn chain() -> Maker {
    let mut maker = Maker::new();
    maker.grow(vec![
        transfer(0, 0, 2, 25),
        transfer(1, 0, 2, 100),
        put(0, 1, "colour", "blue"),
        transfer(0, 2, 3, 1),
        transfer(0, 3, 3, 2),
    ]);
    maker.grow(vec![put(0, 4, "colour", "red")]);
    maker.change_epoch(2);
    maker.grow(vec![transfer(0, 5, 1, 7)]);
    maker.change_epoch(1);
    maker.grow(vec![transfer(0, 6, 1, 8), put(1, 1, "shape", "round\n")]);
    maker
}

/// A proof of every kind, with a part of the sentence that it must say.
fn proofs(maker: &Maker) -> Vec<(Proof, String)> {
    let entry = |name: &str| RecordKey::Entry(name.into());
    let votes = match &maker.kept[4].block.transactions[0] {
        crate::transaction::Transaction::Evidence(evidence) => evidence.as_ref().clone(),
        crate::transaction::Transaction::Signed(_) => panic!("a barrier begins with evidence"),
    };
    let pays = |amount| format!("{} pays {amount} to ", address(0));
    let says = |text: &str| text.to_owned();
    vec![
        (maker.prove_transaction(1, 0), format!("executed successfully: {}", pays(25))),
        (maker.prove_transaction(1, 1), says("without effect because balance 5 is below 100")),
        (maker.prove_transaction(3, 0), says("validator 2 of epoch 0 was caught equivocating")),
        (maker.prove_transaction(6, 0), pays(8)),
        (
            maker.prove_record(2, RecordKey::Account(address(0))),
            format!(
                "After block 2 of chain {CHAIN} the account {} owns 972 and has sent 5 ",
                address(0)
            ),
        ),
        (maker.prove_record(4, RecordKey::Account(address(9))), says("owns nothing")),
        (
            maker.prove_record(2, entry("colour")),
            says("the key \"colour\" holds \"red\" in version 2"),
        ),
        (maker.prove_record(6, entry("shape")), says("the key \"shape\" holds 0x726f756e640a")),
        (maker.prove_record(6, entry("color")), says("the key \"color\" does not exist")),
        (
            maker.prove_record(6, RecordKey::Validators(Epoch::new(2))),
            format!("the validators of epoch 2 are {}", keypair(1).public()),
        ),
        (
            maker.prove_record(6, RecordKey::Chain),
            says("epoch 2 votes, and all balances sum to 1005"),
        ),
        (maker.prove_evidence(&maker.double_proposal()), says("it proposed two different blocks")),
        (
            maker.prove_evidence(&votes),
            format!("{}, number 1 of epoch 1 of chain {CHAIN}, equivocated", keypair(2).public()),
        ),
        (maker.prove_fork(3, 3), says("The validators 1, 2 of epoch 0 signed for both")),
        (maker.prove_fork(6, 3), says("Two blocks are final at height 6 of chain")),
    ]
}

#[test]
fn a_fork_needs_two_blocks_of_one_height_and_a_quorum_for_each() {
    let maker = chain();
    let check = |proof: &Proof| maker.check(proof.to_json().as_bytes()).map(|_| ());
    assert_eq!(check(&maker.prove_fork(6, 3)), Ok(()));
    let below = PathError::BelowQuorum { signed: 2, needed: 3 };
    assert_eq!(check(&maker.prove_fork(6, 2)), Err(ProofError::NotFinal(below)));
    let Proof { chain_id, claim: Claim::Fork { first, second }, lineage } = maker.prove_fork(2, 3)
    else {
        panic!("a fork");
    };
    for (first, second) in [(first.clone(), first.clone()), (second, first)] {
        let claim = Claim::Fork { first, second };
        let proof = Proof { chain_id, claim, lineage: lineage.clone() };
        assert_eq!(check(&proof), Err(ProofError::NoFork));
    }
}

#[test]
fn proofs_of_every_kind_hold_and_say_what_they_prove() {
    let maker = chain();
    for (proof, says) in proofs(&maker) {
        let file = proof.to_json();
        assert_eq!(Proof::from_json(file.as_bytes()).unwrap(), proof);
        let verdict =
            maker.check(file.as_bytes()).unwrap_or_else(|error| panic!("{says}: {error}"));
        assert!(verdict.statement.contains(&says), "{says}: {}", verdict.statement);
        assert!(file.contains(&format!("\"statement\": {:?}", verdict.statement)), "{file}");
        assert_eq!(
            verdict.block.is_none(),
            matches!(proof.claim, Claim::Equivocation { .. } | Claim::Fork { .. })
        );
    }
}

/// Changes every byte of the files of one kind.
fn change_files(kind: impl Fn(&Claim) -> bool) {
    let maker = chain();
    let proofs = proofs(&maker).into_iter().map(|(proof, _)| proof);
    let files: Vec<String> =
        proofs.filter(|proof| kind(&proof.claim)).map(|proof| proof.to_json()).collect();
    assert!(files.len() >= 2);
    let (mut positions, mut changes) = (0, 0);
    for file in &files {
        positions += file.len();
        changes += change_every_byte(&maker, file.as_bytes());
    }
    println!("{} files, {positions} positions, {changes} changes, all refused", files.len());
}

#[test]
fn no_byte_of_a_file_about_a_transaction_can_be_changed() {
    change_files(|claim| matches!(claim, Claim::Transaction { .. }));
}

#[test]
fn no_byte_of_a_file_about_the_state_can_be_changed() {
    change_files(|claim| matches!(claim, Claim::Record { .. }));
}

#[test]
fn no_byte_of_a_file_about_an_equivocation_can_be_changed() {
    change_files(|claim| matches!(claim, Claim::Equivocation { .. }));
}

#[test]
fn no_byte_of_a_file_about_a_fork_can_be_changed() {
    change_files(|claim| matches!(claim, Claim::Fork { .. }));
}

/// Each byte plus one and with each of several bits flipped, left out, and doubled.
fn change_every_byte(maker: &Maker, file: &[u8]) -> usize {
    let mut tried = 0;
    let mut refused = |changed: &[u8], position: usize| {
        tried += 1;
        match maker.check(changed) {
            Ok(verdict) => panic!("accepted with byte {position} changed: {verdict:?}"),
            Err(error) => {
                let line = error.to_string();
                assert!(!line.is_empty() && !line.contains('\n'), "{position}: {line:?}");
            }
        }
    };
    let mut changed = file.to_vec();
    for position in 0..file.len() {
        let byte = file[position];
        for other in [byte.wrapping_add(1), byte ^ 1, byte ^ 0x20, byte ^ 0x80] {
            changed[position] = other;
            refused(&changed, position);
        }
        changed[position] = byte;
    }
    for position in 0..file.len() {
        let (before, after) = file.split_at(position);
        refused(&[before, &after[1..]].concat(), position);
        refused(&[before, &after[..1], after].concat(), position);
    }
    tried
}

#[test]
fn a_rewritten_file_is_refused() {
    let maker = chain();
    let file = maker.prove_transaction(1, 0).to_json();
    let refuse = |text: String, expected: &ProofError| {
        assert_eq!(&maker.check(text.as_bytes()).unwrap_err(), expected, "{text}");
    };
    refuse(file.replace('\n', ""), &ProofError::NotCanonical);
    refuse(format!("{file} "), &ProofError::NotCanonical);
    refuse(file.replace("pays 25", "pays 26"), &ProofError::NotCanonical);
    refuse(
        file.replace("\"lineage\": []", "\"lineage\": [],\n  \"x\": 1"),
        &ProofError::NotCanonical,
    );
    let upper = file.replace(&CHAIN.to_string(), &CHAIN.to_string().to_uppercase());
    refuse(upper, &ProofError::NotCanonical);
    refuse(file.replace("proof/1", "proof/2"), &ProofError::Format("catamaran-proof/2".into()));
    for text in ["", "{}", "[]", "null", "\u{feff}{}"] {
        assert!(matches!(maker.check(text.as_bytes()), Err(ProofError::Malformed(_))), "{text}");
    }
    let large = vec![b' '; Proof::MAX_FILE_BYTES + 1];
    assert_eq!(maker.check(&large).unwrap_err(), ProofError::TooLarge { len: large.len() });
}

#[test]
fn another_chain_convinces_nobody() {
    let maker = chain();
    let other = Trust { chain_id: Digest([7; 32]), ..maker.trust.clone() };
    let mut strangers = maker.trust.clone();
    for index in maker.trust.validators.indices() {
        let validator = strangers.validators.get_mut(index).unwrap();
        validator.consensus_key = keypair(20 + index.get() as u8).public();
    }
    for (mut proof, says) in proofs(&maker) {
        let refused = proof.verify(&other, &Ed25519).unwrap_err();
        assert!(matches!(refused, ProofError::OtherChain { .. }), "{says}: {refused}");
        proof.verify(&strangers, &Ed25519).unwrap_err();
        // Relabelled, every hash and signature is about another chain.
        proof.chain_id = other.chain_id;
        let refused = proof.verify(&other, &Ed25519).unwrap_err();
        assert!(!matches!(refused, ProofError::OtherChain { .. }), "{says}: {refused}");
    }
}

/// A proof of block 1 with another finality.
fn with_finality(
    maker: &Maker,
    change: impl Fn(&Header, &[Keypair]) -> FinalityPath,
) -> ProofError {
    let keys: Vec<Keypair> = (1..=4).map(keypair).collect();
    let mut proof = maker.prove_transaction(1, 0);
    if let Claim::Transaction { block, .. } = &mut proof.claim {
        block.finality = change(&block.header, &keys);
    }
    maker.check(proof.to_json().as_bytes()).unwrap_err()
}

#[test]
fn fewer_signers_than_a_quorum_make_nothing_final() {
    let maker = chain();
    let direct = |certificate| FinalityPath { certificate, headers: Vec::new() };
    for kind in [VoteKind::Commit, VoteKind::Prepare] {
        for voters in 0..3 {
            let refused =
                with_finality(&maker, |header, keys| direct(certify(header, kind, keys, voters)));
            let expected = PathError::BelowQuorum { signed: voters, needed: 3 };
            assert_eq!(refused, ProofError::NotFinal(expected));
        }
    }
    let ordered = with_finality(&maker, |header, keys| {
        direct(certify(header, VoteKind::PbftPrepare, keys, 4))
    });
    assert_eq!(ordered, ProofError::NotFinal(PathError::NotFinal));
    let forged = with_finality(&maker, |header, keys| {
        let mut mixed: Vec<Keypair> = keys.iter().map(|key| key.duplicate()).collect();
        mixed[1] = keypair(77);
        direct(certify(header, VoteKind::Commit, &mixed, 4))
    });
    assert_eq!(forged, ProofError::NotFinal(PathError::Signature));
}

#[test]
fn a_path_leads_to_the_block_itself() {
    let maker = chain();
    let commit = |header: &Header, keys: &[Keypair]| certify(header, VoteKind::Commit, keys, 3);
    let other = with_finality(&maker, |header, keys| {
        let other = Header { timestamp_ms: 1, ..header.clone() };
        FinalityPath { certificate: commit(&other, keys), headers: Vec::new() }
    });
    assert_eq!(other, ProofError::NotFinal(PathError::OtherBlock));
    let broken = with_finality(&maker, |header, keys| {
        let child = super::maker::above(header, BlockKind::Ordinary);
        let headers = vec![super::maker::above(&child, BlockKind::Ordinary)];
        FinalityPath { certificate: commit(&child, keys), headers }
    });
    assert_eq!(broken, ProofError::NotFinal(PathError::BrokenPath { index: 0 }));
    let long = with_finality(&maker, |header, keys| {
        let mut headers = vec![super::maker::above(header, BlockKind::Ordinary)];
        for _ in 0..64 {
            headers.push(super::maker::above(headers.last().unwrap(), BlockKind::Ordinary));
        }
        headers.reverse();
        FinalityPath { certificate: commit(&headers[0], keys), headers }
    });
    assert_eq!(long, ProofError::NotFinal(PathError::TooLong { len: 65 }));
}

#[test]
fn parts_of_other_proofs_do_not_fit() {
    let maker = chain();
    let (mut a, b) = (maker.prove_transaction(1, 0), maker.prove_transaction(1, 3));
    let Claim::Transaction { receipt, receipt_path, .. } = b.claim else { panic!("see above") };
    let good = a.claim.clone();
    if let Claim::Transaction { receipt: place, .. } = &mut a.claim {
        *place = receipt;
    }
    assert_eq!(a.verify(&maker.trust, &Ed25519), Err(ProofError::OtherReceipt));
    a.claim = good;
    if let Claim::Transaction { receipt_path: place, .. } = &mut a.claim {
        *place = crate::merkle::MerkleProof { index: 0, ..receipt_path };
    }
    assert_eq!(a.verify(&maker.trust, &Ed25519), Err(ProofError::ReceiptPath));

    // The lineage of an epoch too few, and of one too many.
    let entry = RecordKey::Entry(b"colour".to_vec());
    for (height, epochs) in [(6, 1), (4, 2), (4, 0)] {
        let mut proof = maker.prove_record(height, entry.clone());
        proof.lineage.0 = maker.lineage.0[..epochs].to_vec();
        let refused = proof.verify(&maker.trust, &Ed25519).unwrap_err();
        assert!(matches!(refused, ProofError::OtherEpoch { .. }), "{refused}");
    }

    // A value, or its absence, from another height.
    let old = maker.prove_record(1, entry.clone());
    let mut new = maker.prove_record(2, entry.clone());
    let absent = maker.prove_record(2, RecordKey::Entry(b"color".to_vec()));
    let Claim::Record { value: old_value, .. } = old.claim else { panic!("see above") };
    let Claim::Record { path: absent_path, .. } = absent.claim else { panic!("see above") };
    if let Claim::Record { value, .. } = &mut new.claim {
        *value = old_value;
    }
    assert_eq!(new.verify(&maker.trust, &Ed25519), Err(ProofError::StatePath));
    if let Claim::Record { value, path, .. } = &mut new.claim {
        (*value, *path) = (None, absent_path);
    }
    assert_eq!(new.verify(&maker.trust, &Ed25519), Err(ProofError::StatePath));
}

/// Files get a verdict, and none that was changed is a proof.
#[test]
fn fuzz_files() {
    let maker = chain();
    let files: Vec<Vec<u8>> =
        proofs(&maker).into_iter().map(|(proof, _)| proof.to_json().into_bytes()).collect();
    let target = fuzz::Target::new("proof-file", Form::Json, files.clone(), |bytes| {
        let holds = maker.check(bytes).is_ok();
        assert_eq!(holds, files.iter().any(|file| file == bytes), "a forged proof holds");
        holds
    });
    target.check();
}
