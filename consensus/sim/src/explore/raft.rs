//! Raft with three servers over two terms, crashes included.

use std::fmt::Debug;
use std::marker::PhantomData;
use std::time::Duration;

use chain::block::Mode;
use chain::types::View;
use consensus::engine::Engine;
use consensus::raft::Message;

use super::scope::{Case, Scope};
use super::soup::Letter;
use crate::plan::EngineOptions;

/// Up to this many terms, timers and crashes, for production Raft or one like it with a planted bug.
#[derive(Clone, Copy, Debug)]
pub struct Elections<E> {
    pub terms: u64,
    /// How many timers of each of the three fire.
    pub timeouts: [u8; 3],
    pub crashes: u8,
    pub transactions: u64,
    pub max_states: usize,
    pub engine: PhantomData<E>,
}

impl<E: Engine<Message = Message> + Clone + Debug> Case for Elections<E> {
    type Engine = E;

    fn scope(&self) -> Scope {
        Scope {
            validators: 3,
            max_faulty: 0,
            mode: Mode::Fast,
            transactions: self.transactions,
            timeouts: self.timeouts.to_vec(),
            crashes: self.crashes,
            max_states: self.max_states,
            options: EngineOptions { heartbeat: Duration::from_secs(1), ..Scope::OPTIONS },
        }
    }

    /// Left out: catching up on the final chain, since whoever is behind may stay behind; reads;
    /// terms above the last one.
    fn keeps(&self, letter: &Letter<Message>) -> bool {
        let term = match &letter.message {
            Message::Append(append) => append.term,
            Message::AppendReply(reply) => reply.term,
            Message::VoteRequest(request) => request.term,
            Message::VoteReply(reply) => reply.term,
            _ => return false,
        };
        term <= View::new(self.terms)
    }

    /// A timer that fires finds everything due, whenever within the timeout that was.
    fn ignores(&self) -> &[&str] {
        &["election_at", "draws"]
    }
}
