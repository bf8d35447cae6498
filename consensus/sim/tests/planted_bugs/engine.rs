//! The production engine with a bug between it and the driver.

use std::marker::PhantomData;

use chain::crypto::Signer;
use chain::types::ValidatorIndex;
use chain::validator::ValidatorSet;
use consensus::application::Finals;
use consensus::engine::{
    Config, Engine, Fault, FaultModel, Input, Outgoing, Output, Recovered, Status, Time, Verified,
};
use consensus::hybrid::{Draft, Hybrid, Message, Safety};

/// What goes wrong.
pub(crate) trait Bug: Send + 'static {
    /// Spoils what the engine says after a step.
    fn spoil(output: &mut Output<Message, Draft>);
}

/// Promises leave before they are on disk: the order of the driver, reversed.
#[derive(Debug)]
pub(crate) struct ReleasesFirst;

impl Bug for ReleasesFirst {
    fn spoil(output: &mut Output<Message, Draft>) {
        let waiting = std::mem::take(&mut output.send_after_persist);
        output.send.extend(waiting);
    }
}

/// The leader's blocks leave before its mark is on disk, as if the disk could keep up.
#[derive(Debug)]
pub(crate) struct ProposesFirst;

impl Bug for ProposesFirst {
    fn spoil(output: &mut Output<Message, Draft>) {
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

/// Nothing is ever written: a storage that says "synced" and forgets.
#[derive(Debug)]
pub(crate) struct NeverPersists;

impl Bug for NeverPersists {
    fn spoil(output: &mut Output<Message, Draft>) {
        output.persist = false;
        output.blocks.clear();
    }
}

/// The record is written without the blocks that it rests on.
#[derive(Debug)]
pub(crate) struct LosesBlocks;

impl Bug for LosesBlocks {
    fn spoil(output: &mut Output<Message, Draft>) {
        output.blocks.clear();
    }
}

/// Does nothing: shows that it is the bugs that are caught.
#[derive(Debug)]
pub(crate) struct None;

impl Bug for None {
    fn spoil(_output: &mut Output<Message, Draft>) {}
}

#[derive(Debug)]
pub(crate) struct Planted<B>(Hybrid, PhantomData<B>);

impl<B: Bug> Engine for Planted<B> {
    const NAME: &'static str = "hybrid with a planted bug";
    const FAULT_MODEL: FaultModel = FaultModel::Byzantine;

    type Message = Message;
    type Draft = Draft;
    type Record = Safety;

    fn recover(
        config: Config,
        recovered: Recovered<Safety>,
        now: Time,
        output: &mut Output<Message, Draft>,
    ) -> Self {
        let engine = Hybrid::recover(config, recovered, now, output);
        B::spoil(output);
        Self(engine, PhantomData)
    }

    fn verify(&self, from: ValidatorIndex, message: Message) -> Result<Verified<Message>, Fault> {
        self.0.verify(from, message)
    }

    fn sign(&self, draft: Draft, signer: &dyn Signer) -> Verified<Message> {
        self.0.sign(draft, signer)
    }

    fn finals_message(finals: Finals) -> Message {
        Hybrid::finals_message(finals)
    }

    fn step(&mut self, now: Time, input: Input<Message>, output: &mut Output<Message, Draft>) {
        self.0.step(now, input, output);
        B::spoil(output);
    }

    fn next_timeout(&self) -> Option<Time> {
        self.0.next_timeout()
    }

    fn record(&self) -> Safety {
        self.0.record()
    }

    fn status(&self) -> Status {
        self.0.status()
    }

    fn validators(&self) -> &ValidatorSet {
        self.0.validators()
    }

    fn me(&self) -> Option<ValidatorIndex> {
        self.0.me()
    }

    fn check_invariants(&self) {
        self.0.check_invariants();
    }
}
