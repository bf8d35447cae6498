//! What nodes ask each other to catch up, in the canonical encoding.

use bincode::{Decode, Encode};
use chain::codec::Bounded;
use chain::snapshot::{Manifest, Offer};
use chain::state::Chunk;
use chain::types::{Digest, Epoch, Height, View};
use consensus::application::Finals;

use crate::network::{MAX_ANSWER, MAX_QUESTION};

/// What a node asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) enum Request {
    /// How far it is, and what it has.
    Status,
    /// A run of final blocks that begins at `from` and covers `until`, as far as it goes: see
    /// [`Store::final_run_until`](crate::storage::Store::final_run_until).
    Finals { from: Height, until: Height },
    /// What a snapshot is made of.
    Manifest(Offer),
    /// A part of the state of a snapshot.
    Chunk { offer: Offer, index: u32 },
}

impl Request {
    /// Longest answer, in bytes.
    pub(super) const fn max_answer(&self) -> usize {
        const AROUND: usize = 1024;
        match self {
            Self::Status => AROUND,
            // As the largest engine message.
            Self::Finals { .. } => 8 * 1024 * 1024 + AROUND,
            Self::Manifest(_) => Manifest::MAX_BYTES + AROUND,
            Self::Chunk { .. } => Chunk::MAX_BYTES + AROUND,
        }
    }
}

const _: () = assert!(Manifest::MAX_BYTES + 1024 <= MAX_ANSWER);

impl Bounded for Request {
    const MAX_BYTES: usize = MAX_QUESTION;
}

/// What a node answers.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) enum Response {
    Status(Status),
    /// `None`: there is no such run here.
    Finals(Option<Finals>),
    /// An encoded [`Manifest`]; `None`: the snapshot is not held any more.
    Manifest(Option<Vec<u8>>),
    /// An encoded [`Chunk`]; `None`: there is none.
    Chunk(Option<Vec<u8>>),
}

impl Bounded for Response {
    const MAX_BYTES: usize = MAX_ANSWER;
}

/// How far a node is, and what it has.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Status {
    /// Its last final block; genesis has height 0.
    pub(super) height: Height,
    pub(super) hash: Digest,
    /// The lowest block that it can serve.
    pub(super) lowest: Height,
    /// The snapshots that it can serve, newest first.
    pub(super) offers: Vec<Offer>,
    /// Where its engine is.
    pub(super) epoch: Epoch,
    pub(super) view: View,
    /// Its clock as it answered, Unix milliseconds: for people, nothing depends on it.
    pub(super) clock_ms: u64,
}
