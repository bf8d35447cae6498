//! Histories of committed blocks, and what the policy makes of them.

use chain::block::{BlockKind, Header};
use chain::certificate::{Ballot, Certificate, Position, Signatures, Signers, VoteKind};
use chain::crypto::{PublicKey, Signature};
use chain::types::Digest;
use chain::validator::{Validator, ValidatorSet};

use super::*;
use crate::hybrid::rules::{Chapter, Rules};

const FAST: Mode = Mode::Fast;
const PBFT: Mode = Mode::Pbft;

/// A chain that grows: validator v mod n leads view v.
struct Chain {
    history: History,
    set: ValidatorSet,
    epoch: Epoch,
    height: u64,
    signers: Vec<u16>,
}

impl Chain {
    fn new(n: u16) -> Self {
        let key = |index: u16, use_: u8| {
            let mut bytes = [use_; 32];
            bytes[..2].copy_from_slice(&index.to_le_bytes());
            PublicKey(bytes)
        };
        let members = (0..n).map(|index| Validator {
            consensus_key: key(index, 1),
            network_key: key(index, 2),
            governance_key: key(index, 3),
            jailed: false,
            accused: false,
            since: Epoch::new(0),
        });
        Self {
            history: History::new(Chapter::calm_needed),
            set: ValidatorSet::new(Epoch::new(0), View::new(0), (n - 1) / 3, members),
            epoch: Epoch::new(0),
            height: 0,
            signers: (0..n).collect(),
        }
    }

    fn block(&mut self, view: u64, mode: Mode, accusations: Vec<Accusation>) {
        self.height += 1;
        let view = View::new(view);
        let header = Header {
            chain_id: Digest::ZERO,
            epoch: self.epoch,
            view,
            height: Height::new(self.height),
            mode,
            kind: BlockKind::Ordinary,
            parent: Digest::ZERO,
            proposer: self.set.leader(view),
            timestamp_ms: self.height,
            transactions_root: Digest::ZERO,
            receipts_root: Digest::ZERO,
            state_root: Digest::ZERO,
            validators_hash: Digest::ZERO,
            next_validators_hash: Digest::ZERO,
            justification_hash: Digest::ZERO,
        };
        let position = Position { epoch: self.epoch, view, height: header.height };
        let ballot = Ballot { kind: VoteKind::Prepare, position, block: Digest::ZERO };
        let signed = self.signers.iter().map(|at| (ValidatorIndex::new(*at), Signature([0; 64])));
        let signatures = Signatures::new(self.set.len(), &signed.collect::<Vec<_>>());
        let signers = Some(Signers::of(&Certificate { ballot, signatures }));
        self.history.push(&Footprint { header, signers, accusations });
    }

    fn blocks(&mut self, count: u64, view: u64, mode: Mode) -> &mut Self {
        (0..count).for_each(|_| self.block(view, mode, Vec::new()));
        self
    }

    fn accuses(&mut self, validator: u16, of_view: u64, view: u64, mode: Mode) -> &mut Self {
        let accused = ValidatorIndex::new(validator);
        self.block(
            view,
            mode,
            vec![Accusation { epoch: self.epoch, view: View::new(of_view), accused }],
        );
        self
    }

    /// The last block was a barrier.
    fn next_epoch(&mut self) -> &mut Self {
        self.epoch = self.epoch.next();
        self
    }

    fn place(&self, view: u64, start: Mode) -> Place {
        Place { epoch: self.epoch, view: View::new(view), start }
    }

    #[track_caller]
    fn says(&self, view: u64, start: Mode, mode: Mode, sentence: &str) {
        let place = self.place(view, start);
        assert_eq!(self.history.explain(Policy::Adaptive, place), sentence);
        assert_eq!(self.history.mode(Policy::Adaptive, place), mode);
    }

    fn passed_over(&self) -> Vec<usize> {
        let mut set = self.set.clone();
        set.epoch = self.epoch;
        self.history.passed_over(&set).into_iter().map(ValidatorIndex::as_usize).collect()
    }
}

#[test]
fn calm_weather_is_fast() {
    let mut chain = Chain::new(4);
    chain.says(0, FAST, FAST, "in fast from height 1 on: nothing speaks against it");
    chain.blocks(3, 0, FAST);
    chain.says(0, FAST, FAST, "in fast since the first block");
    chain.blocks(1000, 0, FAST);
    chain.says(0, FAST, FAST, "in fast since height 748 or longer: no view change since");
}

#[test]
fn a_timeout_asks_for_eight_calm_blocks() {
    let mut chain = Chain::new(4);
    chain.blocks(20, 0, FAST);
    let sentence =
        "in pbft from height 21 on: timeout of validator 0; fast again after 8 more calm blocks";
    chain.says(1, PBFT, PBFT, sentence);
    chain.blocks(7, 1, PBFT);
    let sentence =
        "in pbft since height 21: timeout of validator 0; fast again after 1 more calm block";
    chain.says(1, PBFT, PBFT, sentence);
    chain.blocks(1, 1, PBFT);
    chain.says(1, PBFT, FAST, "in fast from height 29 on: 8 calm blocks in pbft");
    chain.blocks(2, 1, FAST);
    chain.says(1, PBFT, FAST, "in fast since height 29, after 8 calm blocks in pbft");
}

#[test]
fn views_without_a_block_are_part_of_one_change() {
    let mut chain = Chain::new(7);
    chain.blocks(20, 1, FAST).blocks(1, 4, PBFT);
    let sentence = "in pbft since height 21: timeout of validator 1 and 2 after it; \
                    fast again after 7 more calm blocks";
    chain.says(4, PBFT, PBFT, sentence);
}

#[test]
fn the_cause_is_the_evidence_once_it_is_on_the_chain() {
    let mut chain = Chain::new(4);
    chain.blocks(9, 2, FAST).blocks(1, 3, PBFT);
    let sentence =
        "in pbft since height 10: timeout of validator 2; fast again after 7 more calm blocks";
    chain.says(3, PBFT, PBFT, sentence);
    chain.accuses(2, 2, 3, PBFT);
    let sentence =
        "in pbft since height 10: equivocation by validator 2; fast again after 6 more calm blocks";
    chain.says(3, PBFT, PBFT, sentence);
    // Its barrier opens an epoch, in its mode; calm is counted anew.
    chain.next_epoch();
    let sentence =
        "in pbft since height 10: equivocation by validator 2; fast again after 8 more calm blocks";
    chain.says(4, PBFT, PBFT, sentence);
    chain.blocks(8, 4, PBFT);
    chain.says(4, PBFT, FAST, "in fast from height 20 on: 8 calm blocks in pbft");
}

#[test]
fn evidence_of_another_view_is_not_the_cause() {
    let mut chain = Chain::new(4);
    chain.blocks(9, 2, FAST).accuses(3, 1, 3, PBFT);
    let sentence =
        "in pbft since height 10: timeout of validator 2; fast again after 7 more calm blocks";
    chain.says(3, PBFT, PBFT, sentence);
}

#[test]
fn an_epoch_that_begins_fast_goes_on_fast_until_its_first_leader_fails() {
    let mut chain = Chain::new(4);
    chain.blocks(9, 0, FAST).next_epoch();
    chain.says(1, FAST, FAST, "in fast since the first block");
    let sentence = "in pbft from height 10 on: timeout of the first leader of epoch 1; \
                    fast again after 8 more calm blocks";
    chain.says(2, PBFT, PBFT, sentence);
}

#[test]
fn calm_doubles_with_each_view_change_in_the_window_and_is_forgotten_with_it() {
    let mut chain = Chain::new(4);
    chain.blocks(10, 0, FAST);
    let mut asked = Vec::new();
    for view in 1..=8 {
        let place = chain.place(view, PBFT);
        asked.push(chain.history.calm_needed(place));
        chain.blocks(2, view, PBFT);
    }
    assert_eq!(asked, [8, 16, 32, 64, 128, 256, 512, 512]);
    let sentence = "in pbft since height 11: timeout of validator 0, then 7 more view changes; \
                    fast again after 510 more calm blocks";
    chain.says(8, PBFT, PBFT, sentence);
    let waited = (0..).find(|_| {
        chain.blocks(1, 8, PBFT);
        chain.history.mode(Policy::Adaptive, chain.place(8, PBFT)) == FAST
    });
    assert!(waited.is_some_and(|more| more < RECENT_HEADERS as u64), "{waited:?}");
    let after = chain.history.calm(chain.place(8, PBFT));
    println!("fast after {after} calm blocks, where 512 were asked for at first");
    assert!((128..=256).contains(&after), "{after}");
}

#[test]
fn a_static_policy_never_changes_its_mode() {
    let mut chain = Chain::new(4);
    chain.blocks(10, 0, FAST).blocks(3, 1, PBFT);
    for (policy, mode) in [(Policy::StaticFast, FAST), (Policy::StaticPbft, PBFT)] {
        for view in [1, 2] {
            let place = chain.place(view, PBFT);
            assert_eq!(chain.history.mode(policy, place), mode);
            let said = chain.history.explain(policy, place);
            assert_eq!(said, format!("in {mode} at all times: the policy is {policy}"));
        }
    }
}

/// Whoever started from a snapshot, or later, comes to the same once it has the window.
#[test]
fn the_verdict_follows_from_the_window_alone() {
    let mut chain = Chain::new(4);
    chain.blocks(40, 0, FAST).blocks(30, 1, PBFT).blocks(100, 1, FAST);
    let mut late = Chain { history: History::new(Chapter::calm_needed), ..Chain::new(4) };
    late.height = chain.height;
    for (count, view, mode) in [(60, 2, PBFT), (100, 2, FAST), (40, 3, PBFT), (56, 4, PBFT)] {
        chain.blocks(count, view, mode);
        late.blocks(count, view, mode);
    }
    assert_eq!(chain.history.samples, late.history.samples);
    let place = chain.place(4, PBFT);
    assert_eq!(
        chain.history.explain(Policy::Adaptive, place),
        late.history.explain(Policy::Adaptive, place)
    );
}

#[test]
fn who_signs_little_is_passed_over_and_comes_back_with_its_signatures() {
    let mut chain = Chain::new(4);
    chain.signers = vec![0, 1, 2];
    chain.blocks(15, 0, FAST);
    assert_eq!(chain.passed_over(), [0; 0], "fifteen certificates say nothing");
    chain.blocks(1, 0, FAST);
    assert_eq!(chain.passed_over(), [3]);
    chain.signers = vec![0, 2, 3];
    chain.blocks(15, 0, FAST);
    assert_eq!(chain.passed_over(), [3], "it signed 15 of 31");
    chain.blocks(1, 0, FAST);
    assert_eq!(chain.passed_over(), [0; 0], "each of the two signed half of them");
}

#[test]
fn whose_view_was_given_up_is_passed_over_while_the_window_shows_it() {
    let mut chain = Chain::new(4);
    chain.blocks(30, 0, FAST).blocks(1, 1, PBFT);
    assert_eq!(chain.passed_over(), [0]);
    chain.blocks(254, 1, PBFT);
    assert_eq!(chain.passed_over(), [0]);
    chain.blocks(1, 1, PBFT);
    assert_eq!(chain.passed_over(), [0; 0]);
}

#[test]
fn at_most_f_are_passed_over_the_worst_of_them() {
    let mut chain = Chain::new(7);
    chain.signers = vec![0, 1, 2, 3, 4];
    chain.blocks(30, 0, FAST).blocks(1, 1, PBFT).blocks(1, 2, PBFT);
    assert_eq!(chain.passed_over(), [5, 6], "0 and 1 failed once, 5 and 6 never sign");
    let mut lone = Chain::new(3);
    lone.blocks(30, 0, FAST).blocks(1, 1, PBFT);
    assert_eq!(lone.passed_over(), [0; 0], "nobody may be missing of three");
}

#[test]
fn the_jailed_do_not_lead_anyway_and_old_epochs_do_not_count() {
    let mut chain = Chain::new(7);
    chain.signers = vec![0, 1, 2, 3, 4];
    chain.blocks(64, 0, FAST);
    chain.set.get_mut(ValidatorIndex::new(5)).unwrap().jailed = true;
    assert_eq!(chain.passed_over(), [6]);
    chain.next_epoch();
    assert_eq!(chain.passed_over(), [6], "seats keep their holders over one change");
    chain.next_epoch();
    assert_eq!(chain.passed_over(), [0; 0]);
}
