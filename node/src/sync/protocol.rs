//! What nodes ask each other to catch up, in the canonical encoding.

use bincode::{Decode, Encode};
use chain::codec::Bounded;
use chain::types::{Digest, Height};
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
}

impl Bounded for Request {
    const MAX_BYTES: usize = MAX_QUESTION;
}

/// What a node answers.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) enum Response {
    Status(Status),
    /// `None`: there is no such run here.
    Finals(Option<Finals>),
}

impl Bounded for Response {
    const MAX_BYTES: usize = MAX_ANSWER;
}

/// How far a node is, and what it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Status {
    /// Its last final block; genesis has height 0.
    pub height: Height,
    pub hash: Digest,
    /// The lowest block that it can serve.
    pub lowest: Height,
}
