//! The production engine with a bug between it and the driver.

use chain::crypto::Signer;
use chain::types::ValidatorIndex;
use chain::validator::ValidatorSet;
use consensus::application::Finals;
use consensus::engine::{
    Config, Engine, Fault, FaultModel, Input, Output, Recovered, Status, Time, Verified,
};
use consensus::hybrid::{Draft, Hybrid, Message, Safety};

/// What goes wrong. By default nothing.
pub(crate) trait Bug: Default + Send + 'static {
    /// Spoils what the engine is told about the chain.
    fn configure(_config: &mut Config) {}

    /// Spoils what the disk gave back.
    fn recover(_recovered: &mut Recovered<Safety>) {}

    /// Spoils what a peer says before it is verified.
    fn hear(&self, message: Message) -> Message {
        message
    }

    /// Spoils what happens to the engine.
    fn feed(&mut self, input: Input<Message>) -> Input<Message> {
        input
    }

    /// Spoils what the engine says after a step.
    fn spoil(&mut self, _output: &mut Output<Message, Draft>) {}

    /// Spoils what is about to be signed.
    fn sign(&self, draft: Draft) -> Draft {
        draft
    }

    /// Spoils when the engine wants to be woken.
    fn wake(&self, due: Option<Time>) -> Option<Time> {
        due
    }
}

#[derive(Debug)]
pub(crate) struct Planted<B> {
    engine: Hybrid,
    bug: B,
}

impl<B: Bug> Engine for Planted<B> {
    const NAME: &'static str = "hybrid with a planted bug";
    const FAULT_MODEL: FaultModel = FaultModel::Byzantine;
    const SWITCHES_MODES: bool = true;

    type Message = Message;
    type Draft = Draft;
    type Record = Safety;

    fn recover(
        mut config: Config,
        mut recovered: Recovered<Safety>,
        now: Time,
        output: &mut Output<Message, Draft>,
    ) -> Self {
        let mut bug = B::default();
        B::configure(&mut config);
        B::recover(&mut recovered);
        let engine = <Hybrid>::recover(config, recovered, now, output);
        bug.spoil(output);
        Self { engine, bug }
    }

    fn verify(&self, from: ValidatorIndex, message: Message) -> Result<Verified<Message>, Fault> {
        self.engine.verify(from, self.bug.hear(message))
    }

    fn sign(&self, draft: Draft, signer: &dyn Signer) -> Verified<Message> {
        self.engine.sign(self.bug.sign(draft), signer)
    }

    fn finals_message(finals: Finals) -> Message {
        <Hybrid>::finals_message(finals)
    }

    fn step(&mut self, now: Time, input: Input<Message>, output: &mut Output<Message, Draft>) {
        self.engine.step(now, self.bug.feed(input), output);
        self.bug.spoil(output);
    }

    fn next_timeout(&self) -> Option<Time> {
        self.bug.wake(self.engine.next_timeout())
    }

    fn record(&self) -> Safety {
        self.engine.record()
    }

    fn status(&self) -> Status {
        self.engine.status()
    }

    fn validators(&self) -> &ValidatorSet {
        self.engine.validators()
    }

    fn sets(&self) -> &[ValidatorSet] {
        self.engine.sets()
    }

    fn me(&self) -> Option<ValidatorIndex> {
        self.engine.me()
    }

    fn check_invariants(&self) {
        self.engine.check_invariants();
    }
}
