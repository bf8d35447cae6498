use fuzz::corpus::Form;

use super::*;
use crate::block::{Block, proposal_digest};
use crate::certificate::{Ballot, Certificate, Signatures, VoteKind};
use crate::codec;
use crate::crypto::Signer;
use crate::ledger::Ledger;
use crate::light::{EpochChange, FinalityPath};
use crate::testing::{CHAIN, Cheap, Proposal, double_vote, ledger, signer, state_with, transfer};
use crate::types::ValidatorIndex;

/// A chain of four validators that was cut at its tip.
struct Cutting {
    ledger: Ledger,
    trust: Trust,
    blocks: Vec<SealedBlock>,
    lineage: Lineage,
    nonce: u64,
}

fn sealed(mut block: Block) -> SealedBlock {
    let digest = proposal_digest(&CHAIN, &block.header.hash(&CHAIN));
    block.signature = signer(block.header.proposer.get()).sign(&digest);
    SealedBlock::new(block)
}

fn certificate(header: &Header, kind: VoteKind, voters: u16) -> Certificate {
    let ballot = Ballot { kind, position: header.position(), block: header.hash(&CHAIN) };
    let signatures: Vec<_> = (0..voters)
        .map(|voter| (ValidatorIndex::new(voter), signer(voter).sign(&ballot.digest(&CHAIN))))
        .collect();
    Certificate { ballot, signatures: Signatures::new(4, &signatures) }
}

fn proof(header: &Header) -> FinalityProof {
    FinalityProof { certificate: certificate(header, VoteKind::Commit, 3), headers: Vec::new() }
}

impl Cutting {
    fn new() -> Self {
        let state = state_with(&[1_000_000, 5]);
        let trust = Trust { chain_id: CHAIN, validators: state.validators().clone() };
        let (blocks, lineage) = (Vec::new(), Lineage::default());
        Self { ledger: ledger(&state), trust, blocks, lineage, nonce: 0 }
    }

    fn push(&mut self, proposal: Proposal) {
        let parent = self.ledger.tip().hash;
        let block = sealed(Proposal { parent, ..proposal }.block(&mut self.ledger));
        self.ledger.execute(&block, &|_| true).unwrap();
        self.ledger.commit(&block.hash()).unwrap();
        self.blocks.push(block);
    }

    fn grow(mut self, blocks: usize) -> Self {
        for _ in 0..blocks {
            let transactions = vec![transfer(0, self.nonce, 1, 1)];
            self.nonce += 1;
            self.push(Proposal { transactions, ..Proposal::on(Digest::ZERO) });
        }
        self
    }

    /// A barrier: somebody is jailed.
    fn change(mut self) -> Self {
        let epoch = self.ledger.state().chain().epoch.get();
        let evidence = vec![double_vote(epoch, 3 - epoch as u16, 1)];
        self.push(Proposal { evidence, ..Proposal::on(Digest::ZERO) });
        let barrier = self.blocks.last().unwrap().header.clone();
        assert_eq!(barrier.kind, BlockKind::Barrier);
        self.lineage.0.push(EpochChange {
            finality: FinalityPath::from(proof(&barrier)),
            validators: self.ledger.state().validators().clone(),
            barrier,
        });
        self
    }

    fn manifest(&self) -> Manifest {
        let (tip, below) = self.blocks.split_last().unwrap();
        let recent = &below[below.len().saturating_sub(6)..];
        Manifest {
            tip: tip.clone(),
            recent: recent.iter().map(|block| block.header.clone()).collect(),
            ancestry: Ancestry::Certified {
                lineage: self.lineage.clone(),
                proof: proof(&tip.header),
            },
            cut: self.ledger.state().cut(),
        }
    }

    fn reported(&self) -> Manifest {
        let barriers = self.lineage.0.iter().map(|change| change.barrier.clone()).collect();
        Manifest { ancestry: Ancestry::Reported { barriers }, ..self.manifest() }
    }

    fn terms(&self) -> Terms<'_> {
        Terms {
            trust: &self.trust,
            certified: true,
            checkpoint: None,
            believed: false,
            verifier: &Cheap,
        }
    }

    /// Why a manifest that is changed like this is refused.
    #[track_caller]
    fn refusal(&self, change: &dyn Fn(&mut Manifest)) -> ManifestError {
        let mut manifest = self.manifest();
        change(&mut manifest);
        manifest.verify(&self.terms()).expect_err("a lie")
    }

    fn checkpoint(&self, height: u64) -> Checkpoint {
        let block = &self.blocks[height as usize - 1];
        Checkpoint { height: block.header.height, hash: block.hash() }
    }
}

fn lineage_of(manifest: &mut Manifest) -> &mut Lineage {
    match &mut manifest.ancestry {
        Ancestry::Certified { lineage, .. } => lineage,
        Ancestry::Reported { .. } => panic!("a certified chain"),
    }
}

fn proof_of(manifest: &mut Manifest) -> &mut FinalityProof {
    match &mut manifest.ancestry {
        Ancestry::Certified { proof, .. } => proof,
        Ancestry::Reported { .. } => panic!("a certified chain"),
    }
}

#[test]
fn a_snapshot_is_proven_from_genesis_over_every_epoch() {
    for chain in [
        Cutting::new().grow(1),
        Cutting::new().grow(20),
        Cutting::new().grow(3).change().grow(4),
        // The last block is a barrier itself.
        Cutting::new().grow(3).change(),
    ] {
        let manifest = chain.manifest();
        assert_eq!(manifest.verify(&chain.terms()), Ok(()));
        assert_eq!(manifest.check_state(chain.ledger.state()), Ok(()));
        assert_eq!(manifest.epoch(), chain.ledger.state().chain().epoch);
        let encoded = codec::encode(&manifest);
        assert_eq!(codec::decode::<Manifest>(&encoded), Ok(manifest.clone()));
        // The same state at the same block has the same name, whoever signed.
        let mut other = manifest.clone();
        proof_of(&mut other).certificate = certificate(&manifest.tip.header, VoteKind::Commit, 4);
        assert_eq!(other.verify(&chain.terms()), Ok(()));
        assert_eq!(other.offer(), manifest.offer());
    }
}

#[test]
fn a_proof_may_come_from_a_block_above() {
    let longer = Cutting::new().grow(6);
    let above = longer.blocks[5].clone();
    let chain = Cutting::new().grow(5);
    let mut manifest = chain.manifest();
    *proof_of(&mut manifest) =
        FinalityProof { headers: vec![above.signed_header()], ..proof(&above.header) };
    assert_eq!(manifest.verify(&chain.terms()), Ok(()));
    proof_of(&mut manifest).headers[0].signature.0[5] ^= 1;
    assert_eq!(manifest.verify(&chain.terms()), Err(ManifestError::Signature));
}

/// Each part of a snapshot of an honest chain, changed as a liar would.
#[test]
fn what_a_liar_changes_is_refused() {
    let chain = Cutting::new().grow(3).change().grow(4);
    let other = Cutting::new().grow(9);
    // The last block.
    chain.refusal(&|manifest| manifest.tip = other.blocks[7].clone());
    let body = |change: &dyn Fn(&mut Block)| {
        let mut block = Block::clone(&chain.blocks[7]);
        change(&mut block);
        SealedBlock::new(block)
    };
    let tip = body(&|block| block.transactions.clear());
    assert_eq!(chain.refusal(&|manifest| manifest.tip = tip.clone()), ManifestError::OtherBody);
    let tip = body(&|block| block.signature.0[1] ^= 1);
    assert_eq!(chain.refusal(&|manifest| manifest.tip = tip.clone()), ManifestError::Signature);
    let tip = body(&|block| block.header.state_root.0[1] ^= 1);
    chain.refusal(&|manifest| manifest.tip = tip.clone());
    let tip = body(&|block| block.header.height = Height::new(0));
    assert_eq!(chain.refusal(&|manifest| manifest.tip = tip.clone()), ManifestError::NoTip);
    let tip = body(&|block| block.header.chain_id = Digest([9; 32]));
    let found = Digest([9; 32]);
    assert_eq!(
        chain.refusal(&|manifest| manifest.tip = tip.clone()),
        ManifestError::OtherChain { found, expected: CHAIN }
    );
    // The headers below.
    for place in 0..6 {
        chain.refusal(&|manifest| manifest.recent[place].timestamp_ms += 1);
        if place > 0 {
            chain.refusal(&|manifest| {
                manifest.recent.remove(place);
            });
        }
    }
    let many = vec![chain.blocks[0].header.clone(); Manifest::MAX_RECENT + 1];
    assert_eq!(
        chain.refusal(&|manifest| manifest.recent = many.clone()),
        ManifestError::TooManyRecent(Manifest::MAX_RECENT + 1)
    );
    // The proof and the way to it.
    let header = &chain.blocks[7].header;
    for certificate in [
        certificate(header, VoteKind::Commit, 2),
        certificate(header, VoteKind::PbftPrepare, 4),
        certificate(&chain.blocks[6].header, VoteKind::Commit, 4),
    ] {
        let found = chain.refusal(&|manifest| proof_of(manifest).certificate = certificate.clone());
        assert_eq!(found, ManifestError::NotFinal);
    }
    assert!(matches!(
        chain.refusal(&|manifest| lineage_of(manifest).0.clear()),
        ManifestError::OtherEpoch { .. }
    ));
    assert!(matches!(
        chain.refusal(&|manifest| lineage_of(manifest).0[0].validators.max_faulty = 0),
        ManifestError::Lineage(_)
    ));
    assert_eq!(
        chain.refusal(&|manifest| {
            manifest.ancestry =
                Ancestry::Reported { barriers: vec![chain.blocks[3].header.clone()] };
        }),
        ManifestError::NotCertified
    );
    // The state.
    chain.refusal(&|manifest| manifest.cut.0[0].root.0[0] ^= 1);
    chain.refusal(&|manifest| manifest.cut.0.clear());
    let manifest = chain.manifest();
    assert_eq!(manifest.check_state(other.ledger.state()), Err(ManifestError::OtherState));
    let foreign = Trust { chain_id: Digest([1; 32]), ..chain.trust.clone() };
    let terms = Terms { trust: &foreign, ..chain.terms() };
    assert!(matches!(manifest.verify(&terms), Err(ManifestError::OtherChain { .. })));
}

#[test]
fn a_chain_without_certificates_needs_a_checkpoint_or_faith() {
    let chain = Cutting::new().grow(3).change().grow(4);
    let manifest = chain.reported();
    let terms = Terms { certified: false, ..chain.terms() };
    assert_eq!(manifest.verify(&terms), Err(ManifestError::Unproven));
    assert_eq!(manifest.verify(&Terms { believed: true, ..terms }), Ok(()));
    let with = |checkpoint| Terms { checkpoint: Some(checkpoint), ..terms };
    assert_eq!(manifest.verify(&with(chain.checkpoint(8))), Ok(()));
    assert_eq!(chain.manifest().verify(&terms), Err(ManifestError::Certified));
    // Barriers that do not fit the headers.
    let refuse = |barriers: Vec<Header>| {
        let manifest = Manifest { ancestry: Ancestry::Reported { barriers }, ..chain.reported() };
        manifest.verify(&Terms { believed: true, ..terms }).expect_err("a lie")
    };
    assert!(matches!(refuse(Vec::new()), ManifestError::OtherEpoch { .. }));
    let barrier = chain.blocks[3].header.clone();
    for wrong in [
        Header { timestamp_ms: 1, ..barrier.clone() },
        Header { height: Height::new(1), ..barrier.clone() },
        Header { height: Height::new(9), ..barrier.clone() },
        Header { kind: BlockKind::Ordinary, ..barrier.clone() },
        Header { epoch: Epoch::new(1), ..barrier },
    ] {
        assert!(matches!(refuse(vec![wrong]), ManifestError::Barrier(_)));
    }
}

#[test]
fn a_checkpoint_must_be_shown_and_must_match() {
    let chain = Cutting::new().change().grow(11);
    let manifest = chain.manifest();
    let verify =
        |checkpoint| manifest.verify(&Terms { checkpoint: Some(checkpoint), ..chain.terms() });
    // The last block, the recent ones, the barrier.
    for height in [12, 11, 6, 1] {
        assert_eq!(verify(chain.checkpoint(height)), Ok(()), "height {height}");
    }
    for height in [2, 5, 13] {
        let checkpoint = Checkpoint { height: Height::new(height), hash: Digest([1; 32]) };
        let found = verify(checkpoint).unwrap_err().to_string();
        assert!(found.contains("between 6 and 12"), "{found}");
    }
    let wrong = Checkpoint { hash: Digest([1; 32]), ..chain.checkpoint(9) };
    assert!(matches!(
        verify(wrong),
        Err(ManifestError::Checkpoint(CheckpointError::OtherBlock { .. }))
    ));
}

#[test]
fn checkpoints_are_written_as_they_are_read() {
    let checkpoint = Checkpoint { height: Height::new(50), hash: Digest([0xab; 32]) };
    let text = checkpoint.to_string();
    assert_eq!(text, format!("50:{}", "ab".repeat(32)));
    assert_eq!(text.parse(), Ok(checkpoint));
    for wrong in ["", "50", "50:", ":ab", "-1:ab", "x:".to_owned().as_str(), "50:abcd"] {
        assert!(wrong.parse::<Checkpoint>().is_err(), "{wrong:?}");
    }
}

/// Manifests get a verdict; what is accepted although it was changed names the same snapshot: other
/// votes for the same block.
#[test]
fn fuzz_manifests() {
    let chain = Cutting::new().grow(3).change().grow(4);
    let terms = chain.terms();
    let offer = chain.manifest().offer();
    let samples = [chain.manifest(), chain.reported()].map(|manifest| codec::encode(&manifest));
    let target = fuzz::Target::new("snapshot-manifest", Form::Codec, samples, |bytes| {
        let Ok(manifest) = codec::decode::<Manifest>(bytes) else { return false };
        assert_eq!(codec::encode(&manifest), bytes, "two encodings of one manifest");
        if manifest.verify(&terms).is_ok() {
            assert_eq!(manifest.offer(), offer, "another snapshot");
        }
        true
    });
    target.slow(2).check();
}
