//! An engine whose invariants are checked after every step.

use chain::crypto::Signer;
use chain::types::ValidatorIndex;
use chain::validator::ValidatorSet;
use consensus::application::Finals;
use consensus::engine::{
    Config, Engine, Fault, FaultModel, Input, Output, Recovered, Status, Time, Verified,
};

/// Runs another engine and asserts its invariants after every step.
#[derive(Clone, Debug)]
pub struct Checked<E>(pub E);

impl<E: Engine> Engine for Checked<E> {
    const NAME: &'static str = E::NAME;
    const FAULT_MODEL: FaultModel = E::FAULT_MODEL;

    type Message = E::Message;
    type Draft = E::Draft;
    type Record = E::Record;

    fn recover(
        config: Config,
        recovered: Recovered<E::Record>,
        now: Time,
        output: &mut Output<E::Message, E::Draft>,
    ) -> Self {
        let engine = E::recover(config, recovered, now, output);
        engine.check_invariants();
        Self(engine)
    }

    fn verify(
        &self,
        from: ValidatorIndex,
        message: E::Message,
    ) -> Result<Verified<E::Message>, Fault> {
        self.0.verify(from, message)
    }

    fn sign(&self, draft: E::Draft, signer: &dyn Signer) -> Verified<E::Message> {
        self.0.sign(draft, signer)
    }

    fn finals_message(finals: Finals) -> E::Message {
        E::finals_message(finals)
    }

    fn step(
        &mut self,
        now: Time,
        input: Input<E::Message>,
        output: &mut Output<E::Message, E::Draft>,
    ) {
        self.0.step(now, input, output);
        self.0.check_invariants();
    }

    fn next_timeout(&self) -> Option<Time> {
        self.0.next_timeout()
    }

    fn record(&self) -> E::Record {
        self.0.record()
    }

    fn status(&self) -> Status {
        self.0.status()
    }

    fn validators(&self) -> &ValidatorSet {
        self.0.validators()
    }

    fn sets(&self) -> &[ValidatorSet] {
        self.0.sets()
    }

    fn me(&self) -> Option<ValidatorIndex> {
        self.0.me()
    }

    fn check_invariants(&self) {
        self.0.check_invariants();
    }
}
