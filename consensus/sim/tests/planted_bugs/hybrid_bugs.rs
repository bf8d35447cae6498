//! The bugs around the hybrid, one type each.

use std::sync::Arc;
use std::time::Duration;

use chain::block::Mode;
use chain::certificate::{Certificate, Signatures};
use chain::crypto::{PublicKey, Signature, Verifier};
use chain::types::{Digest, ValidatorIndex};
use consensus::application::Executed;
use consensus::engine::{Config, Input, Outgoing, Output, Recovered, Request, Time};
use consensus::hybrid::{Draft, Message, Rules, Safety, ViewReport};

use crate::hybrid_engine::Bug;

type Out = Output<Message, Draft>;

/// Shows that it is the bugs that are caught.
#[derive(Debug, Default)]
pub(crate) struct Nothing;

impl Bug for Nothing {}

/// Promises leave before they are on disk: the order of the driver, reversed.
#[derive(Debug, Default)]
pub(crate) struct ReleasesFirst;

impl Bug for ReleasesFirst {
    fn spoil(&mut self, output: &mut Out) {
        let waiting = std::mem::take(&mut output.send_after_persist);
        output.send.extend(waiting);
    }
}

/// The leader's blocks leave before its mark is on disk, as if the disk could keep up.
#[derive(Debug, Default)]
pub(crate) struct ProposesFirst;

impl Bug for ProposesFirst {
    fn spoil(&mut self, output: &mut Out) {
        let is_append = |outgoing: &Outgoing<Message, Draft>| {
            matches!(
                outgoing,
                Outgoing::Ready(_, Message::Append(_))
                    | Outgoing::Sign(_, Draft::AppendWithVote { .. })
            )
        };
        let waiting = std::mem::take(&mut output.send_after_persist);
        let (early, rest) = waiting.into_iter().partition(is_append);
        output.send.extend::<Vec<_>>(early);
        output.send_after_persist = rest;
    }
}

/// A storage that says "synced" and forgets.
#[derive(Debug, Default)]
pub(crate) struct NeverPersists;

impl Bug for NeverPersists {
    fn spoil(&mut self, output: &mut Out) {
        output.persist = false;
        output.blocks.clear();
    }
}

/// The record is written without the blocks that it rests on.
#[derive(Debug, Default)]
pub(crate) struct LosesBlocks;

impl Bug for LosesBlocks {
    fn spoil(&mut self, output: &mut Out) {
        output.blocks.clear();
    }
}

/// The last vote and its block are not read back: the lock is lost.
#[derive(Debug, Default)]
pub(crate) struct ForgetsVote;

impl Bug for ForgetsVote {
    fn recover(recovered: &mut Recovered<Safety>) {
        recovered.blocks.clear();
        if let Some(record) = &mut recovered.record {
            record.last_vote = None;
            record.high_qc = None;
        }
    }
}

/// The view moved to is not read back: votes again in views that it left.
#[derive(Debug, Default)]
pub(crate) struct ViewMovesDown;

impl Bug for ViewMovesDown {
    fn recover(recovered: &mut Recovered<Safety>) {
        let first = recovered.validators.first_view;
        if let Some(record) = &mut recovered.record {
            let voted = record.last_vote.as_ref().map_or(first, |vote| vote.block.position.view);
            record.view = record.view.min(voted);
            record.view_change = None;
            record.new_view = None;
            record.ack = None;
        }
    }
}

/// View changes do not tell the last vote.
#[derive(Debug, Default)]
pub(crate) struct ReportsNoVote;

impl Bug for ReportsNoVote {
    fn sign(&self, draft: Draft) -> Draft {
        report(draft, |report| report.last_vote = None)
    }
}

/// View changes tell neither the last vote nor the highest certificate.
#[derive(Debug, Default)]
pub(crate) struct ReportsNothing;

impl Bug for ReportsNothing {
    fn sign(&self, draft: Draft) -> Draft {
        report(draft, |report| {
            report.last_vote = None;
            report.high_qc = None;
        })
    }
}

fn report(draft: Draft, spoil: impl FnOnce(&mut ViewReport)) -> Draft {
    match draft {
        Draft::ViewChange(mut report) => {
            spoil(&mut report);
            Draft::ViewChange(report)
        }
        other => other,
    }
}

/// A new view starts as if nobody had reported anything.
#[derive(Debug, Default)]
pub(crate) struct IgnoresReports;

impl Bug for IgnoresReports {
    fn configure(config: &mut Config) {
        config.verifier = Arc::new(Gullible);
    }

    fn hear(&self, message: Message) -> Message {
        match message {
            Message::ViewChange(mut change) => {
                change.report.last_vote = None;
                change.report.high_qc = None;
                Message::ViewChange(change)
            }
            other => other,
        }
    }
}

/// Takes every signature for good.
#[derive(Debug)]
struct Gullible;

impl Verifier for Gullible {
    fn verify(&self, _key: &PublicKey, _digest: &Digest, _signature: &Signature) -> bool {
        true
    }
}

/// No signature is checked.
#[derive(Debug, Default)]
pub(crate) struct ChecksNoSignature;

impl Bug for ChecksNoSignature {
    fn configure(config: &mut Config) {
        config.verifier = Arc::new(Gullible);
    }
}

/// A block that execution refused is voted for all the same.
#[derive(Debug, Default)]
pub(crate) struct VotesForInvalid;

impl Bug for VotesForInvalid {
    fn feed(&mut self, input: Input<Message>) -> Input<Message> {
        match input {
            Input::Executed { block, verdict: Err(_) } => {
                let verdict = Ok(Executed { next_validators: None, early: Duration::ZERO });
                Input::Executed { block, verdict }
            }
            other => other,
        }
    }
}

/// The certificate of a final block is one signature short.
#[derive(Debug, Default)]
pub(crate) struct CountsOneShort;

impl Bug for CountsOneShort {
    fn spoil(&mut self, output: &mut Out) {
        for commit in &mut output.commits {
            if let Some(proof) = &mut commit.proof {
                proof.certificate = without_last(&proof.certificate);
            }
        }
    }
}

fn without_last(certificate: &Certificate) -> Certificate {
    let mut signers: Vec<(ValidatorIndex, Signature)> =
        certificate.signatures.iter().map(|(index, signature)| (index, *signature)).collect();
    signers.pop();
    Certificate { ballot: certificate.ballot, signatures: Signatures::new(4, &signers) }
}

/// Two acknowledgements for one new view: of its tip, and of another branch.
#[derive(Debug, Default)]
pub(crate) struct AcksTwoBranches;

impl Bug for AcksTwoBranches {
    fn spoil(&mut self, output: &mut Out) {
        let second: Vec<_> = output
            .send_after_persist
            .iter()
            .filter_map(|outgoing| match outgoing {
                Outgoing::Sign(to, Draft::ViewAck(start)) => {
                    let mut other = *start;
                    other.tip = Digest::ZERO;
                    Some(Outgoing::Sign(*to, Draft::ViewAck(other)))
                }
                _ => None,
            })
            .collect();
        output.send_after_persist.extend(second);
    }
}

/// The mode of a block is its height's: odd and even take turns.
#[derive(Debug, Default)]
pub(crate) struct FlapsModes;

impl Bug for FlapsModes {
    fn sign(&self, draft: Draft) -> Draft {
        match draft {
            Draft::Proposal { mut header, justification, transactions } => {
                let odd = header.height.get() % 2 == 1;
                header.mode = if odd { Mode::Fast } else { Mode::Pbft };
                Draft::Proposal { header, justification, transactions }
            }
            other => other,
        }
    }
}

/// Eight calm blocks are enough, however often views were given up before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CalmNeverDoubles;

impl Rules for CalmNeverDoubles {
    fn calm_needed(_escalations: u32) -> u64 {
        8
    }
}

/// Nobody is ever woken: timers run only while messages come.
#[derive(Debug, Default)]
pub(crate) struct TimersNeverFire;

impl Bug for TimersNeverFire {
    fn wake(&self, _due: Option<Time>) -> Option<Time> {
        None
    }
}

/// The back-off of the view timer has no cap.
#[derive(Debug, Default)]
pub(crate) struct UncappedTimers;

impl Bug for UncappedTimers {
    fn configure(config: &mut Config) {
        config.timeout_max = Duration::from_secs(24 * 3600);
    }
}

/// A timer is set to a moment that is over.
#[derive(Debug, Default)]
pub(crate) struct TimersSpin;

impl Bug for TimersSpin {
    fn wake(&self, due: Option<Time>) -> Option<Time> {
        due.map(|_| Time::default())
    }
}

/// Whoever is behind is served from one block too far on.
#[derive(Debug, Default)]
pub(crate) struct ServesAGap;

impl Bug for ServesAGap {
    fn spoil(&mut self, output: &mut Out) {
        for request in &mut output.requests {
            if let Request::ServeFinals { from, .. } = request {
                *from = from.next();
            }
        }
    }
}

/// Missing blocks are not asked for.
#[derive(Debug, Default)]
pub(crate) struct NeverFetches;

impl Bug for NeverFetches {
    fn spoil(&mut self, output: &mut Out) {
        output.send.retain(|outgoing| {
            !matches!(
                outgoing,
                Outgoing::Ready(_, Message::FetchBlocks { .. } | Message::FetchFinals { .. })
            )
        });
    }
}

/// Suspicions are kept to oneself.
#[derive(Debug, Default)]
pub(crate) struct SuspectsInSilence;

impl Bug for SuspectsInSilence {
    fn spoil(&mut self, output: &mut Out) {
        let keep = |outgoing: &Outgoing<Message, Draft>| {
            !matches!(outgoing, Outgoing::Sign(_, Draft::Suspect { .. }))
        };
        output.send.retain(keep);
        output.send_after_persist.retain(keep);
    }
}
