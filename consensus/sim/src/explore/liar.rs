//! A validator that leads the first view and lies: what it can sign, whatever the engine.

use std::collections::BTreeSet;

use chain::block::{Block, Header, Justification, Mode, SealedBlock, proposal_digest};
use chain::certificate::{Ballot, Certificate, Signatures, Vote, VoteKind};
use chain::crypto::{Signature, Signer};
use chain::types::{Digest, Epoch, Height, ValidatorIndex, View};
use chain::validator::ValidatorSet;
use consensus::application::{BuildKind, BuildRequest};
use consensus::engine::Engine;
use consensus::message::EngineMessage;

use super::node;
use super::scope::Scope;
use super::soup::{Letter, Said};
use crate::application::HashChain;
use crate::genesis::Genesis;

/// Leads view 0 and lies.
pub(super) const LIAR: ValidatorIndex = ValidatorIndex::new(0);
/// Leads view 1 and does not.
pub(super) const SUCCESSOR: ValidatorIndex = ValidatorIndex::new(1);

/// The liar's key, and the blocks that it proposes at height 1.
pub(super) struct Liar {
    pub(super) set: ValidatorSet,
    pub(super) chain_id: Digest,
    pub(super) blocks: Vec<SealedBlock>,
    signer: Box<dyn Signer + Send>,
}

impl Liar {
    /// With one block it only withholds that, its certificates and its votes; with two it
    /// equivocates.
    pub(super) fn new<E: Engine>(scope: &Scope, blocks: u64) -> Self {
        let genesis = node::genesis::<E>(scope);
        let signer = node::signer(LIAR);
        let propose = |time| first_block(&genesis, scope.mode, time, signer.as_ref());
        let blocks = (1..=blocks).map(propose).collect();
        Self { set: genesis.validators, chain_id: genesis.chain_id, blocks, signer }
    }

    /// Everybody else.
    pub(super) fn honest(&self) -> impl Iterator<Item = ValidatorIndex> {
        self.set.indices().filter(|index| *index != LIAR)
    }

    pub(super) fn sign(&self, digest: &Digest) -> Signature {
        self.signer.sign(digest)
    }

    pub(super) fn tell<M>(to: ValidatorIndex, message: M) -> Letter<M> {
        Letter { from: LIAR, to: Some(to), message }
    }

    pub(super) fn vote(&self, ballot: Ballot) -> Vote {
        Vote { ballot, voter: LIAR, signature: self.sign(&ballot.digest(&self.chain_id)) }
    }

    /// The certificate that the honest votes and the liar's make possible, if they do. Rules count
    /// signers and never ask who they are, so one certificate stands for all with as many: that of
    /// the first validators.
    pub(super) fn certificate<M: EngineMessage>(
        &self,
        said: &Said<'_, M>,
        ballot: Ballot,
        size: usize,
    ) -> Option<Certificate> {
        let of_ballot = votes(said).filter(|vote| vote.ballot == ballot);
        let voters: BTreeSet<ValidatorIndex> = of_ballot.map(|vote| vote.voter).collect();
        (voters.len() + 1 >= size).then(|| {
            let digest = ballot.digest(&self.chain_id);
            let signers = self.set.indices().take(size);
            let signatures: Vec<_> =
                signers.map(|place| (place, node::signer(place).sign(&digest))).collect();
            Certificate { ballot, signatures: Signatures::new(self.set.seats(), &signatures) }
        })
    }
}

/// A vote for a block in the view of its proposal.
pub(super) fn ballot(kind: VoteKind, block: &SealedBlock) -> Ballot {
    Ballot { kind, position: block.header.position(), block: block.hash() }
}

/// Every vote of the honest.
pub(super) fn votes<'a, M: EngineMessage>(
    said: &Said<'a, M>,
) -> impl Iterator<Item = &'a Vote> + use<'a, M> {
    said.letters().flat_map(|letter| letter.message.votes())
}

/// A block on genesis by the liar; two of different times are two blocks.
fn first_block(genesis: &Genesis, mode: Mode, time: u64, signer: &dyn Signer) -> SealedBlock {
    let Genesis { chain_id, hash, rule, validators, .. } = genesis;
    let state = node::hash_chain_state(genesis);
    let mut execution = HashChain::new(*chain_id, *rule, state, *hash);
    execution.set_time(time);
    let (epoch, view, height) = (Epoch::default(), View::default(), Height::new(1));
    let (parent, kind) = (*hash, BuildKind::Ordinary);
    let request = BuildRequest {
        parent,
        height,
        epoch,
        view,
        kind,
        bytes: Block::MAX_TRANSACTION_BYTES,
        evidence: Vec::new(),
    };
    let payload = execution.build(&request);
    let justification = Justification::default();
    let header = Header {
        chain_id: *chain_id,
        epoch,
        view,
        height,
        mode,
        kind: payload.kind,
        parent,
        proposer: LIAR,
        timestamp_ms: payload.timestamp_ms,
        transactions_root: payload.transactions_root,
        receipts_root: payload.receipts_root,
        state_root: payload.state_root,
        validators_hash: validators.hash(chain_id),
        next_validators_hash: payload.next_validators_hash,
        justification_hash: justification.hash(chain_id),
    };
    let signature = signer.sign(&proposal_digest(chain_id, &header.hash(chain_id)));
    let transactions = payload.transactions;
    SealedBlock::new(Block { header, signature, justification, transactions })
}
