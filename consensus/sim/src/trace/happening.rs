//! What a sink is told.

use chain::block::Mode;
use chain::certificate::VoteKind;
use chain::types::{Digest, Epoch, Height, ValidatorIndex, View};
use consensus::engine::Time;
use consensus::message::{EngineMessage, Slot};
use serde::{Serialize, Serializer};

use crate::plan::Fault;

/// Something that happened in a run. `node` is who it happened to.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Happening<'a> {
    Start {
        node: usize,
    },
    Crash {
        node: usize,
    },
    /// From the plan.
    Fault {
        fault: &'a Fault,
    },
    /// The plan's faults are over and undone, or only among a core of nodes.
    Heal {
        core: Option<&'a [usize]>,
    },
    /// A client's transaction, offered to every node.
    Submit {
        transaction: Digest,
    },
    /// A message left. One that neither arrives nor is lost waits for the release of its link.
    Send {
        node: usize,
        from: usize,
        to: usize,
        message: &'static str,
        bytes: usize,
        #[serde(flatten)]
        place: Place,
        #[serde(rename = "arrives_ms", serialize_with = "optional_millis")]
        arrives: Option<Time>,
        lost: bool,
    },
    View {
        node: usize,
        epoch: Epoch,
        view: View,
        leader: ValidatorIndex,
    },
    Ordered {
        node: usize,
        height: Height,
        block: Digest,
    },
    Final {
        node: usize,
        height: Height,
        view: View,
        block: Digest,
        transactions: usize,
    },
    Mode {
        node: usize,
        height: Height,
        from: Mode,
        to: Mode,
    },
    Epoch {
        node: usize,
        epoch: Epoch,
        validators: usize,
    },
    /// Anything else that an engine says, in its own words.
    Event {
        node: usize,
        event: String,
    },
    Violation {
        property: &'a str,
        detail: &'a str,
    },
}

/// What a message is about, as far as it says so itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Place {
    pub view: Option<View>,
    pub height: Option<Height>,
    /// What its last vote promises, where it carries votes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vote: Option<VoteKind>,
}

impl Place {
    /// The last of the blocks it carries or of the statements it makes.
    pub fn of<M: EngineMessage>(message: &M, sender: ValidatorIndex, chain_id: &Digest) -> Self {
        let mut place = Self::default();
        message.statements(sender, chain_id, &mut |slot, _| {
            place = match slot {
                Slot::Proposal(at) => {
                    Self { view: Some(at.view), height: Some(at.height), vote: None }
                }
                Slot::Vote(kind, at) => {
                    Self { view: Some(at.view), height: Some(at.height), vote: Some(kind) }
                }
                Slot::ViewChange(_, view)
                | Slot::NewView(_, view)
                | Slot::ViewAck(_, view)
                | Slot::Election(_, view) => Self { view: Some(view), ..Self::default() },
            };
        });
        message.proposals().last().map_or(place, |block| Self {
            view: Some(block.header.view),
            height: Some(block.header.height),
            ..place
        })
    }
}

/// Milliseconds of simulated time, for people and plots.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn optional_millis<S: Serializer>(time: &Option<Time>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(super::millis).serialize(serializer)
}
