//! Named points at which a validator of a testnet can be told to end, as if its power were cut off
//! its processor: nothing runs after that, not even a destructor.

use std::fmt;
use std::str::FromStr;
use std::sync::Mutex;

use chain::block::{BlockKind, Mode};
use consensus::application::Commit;
use consensus::message::EngineMessage;
use node::assembly::Moment;
use serde::{Deserialize, Serialize};

/// A point. Those in pairs lie right before and right after one effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CrashPoint {
    /// The safety record is about to be synced.
    Persist,
    /// It is synced, and nothing that waited for it has left.
    Persisted,
    /// A promise is about to leave: a vote, a proposal, a view change.
    Release,
    /// It has been handed to the network.
    Released,
    /// A message that ends or begins a view is about to leave.
    ViewChange,
    /// Final blocks are about to be written.
    Commit,
    Committed,
    /// A block in another mode than the one before is about to be written.
    ModeChange,
    ModeChanged,
    /// The last block of an epoch is about to be written.
    EpochEnd,
    EpochEnded,
    /// A snapshot is about to be taken.
    Snapshot,
    SnapshotTaken,
}

impl CrashPoint {
    pub const ALL: [Self; 13] = [
        Self::Persist,
        Self::Persisted,
        Self::Release,
        Self::Released,
        Self::ViewChange,
        Self::Commit,
        Self::Committed,
        Self::ModeChange,
        Self::ModeChanged,
        Self::EpochEnd,
        Self::EpochEnded,
        Self::Snapshot,
        Self::SnapshotTaken,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Persist => "persist",
            Self::Persisted => "persisted",
            Self::Release => "release",
            Self::Released => "released",
            Self::ViewChange => "view-change",
            Self::Commit => "commit",
            Self::Committed => "committed",
            Self::ModeChange => "mode-change",
            Self::ModeChanged => "mode-changed",
            Self::EpochEnd => "epoch-end",
            Self::EpochEnded => "epoch-ended",
            Self::Snapshot => "snapshot",
            Self::SnapshotTaken => "snapshot-taken",
        }
    }

    /// Whether only leaders that change between two modes bring anybody there.
    pub const fn needs_modes(self) -> bool {
        matches!(self, Self::ModeChange | Self::ModeChanged)
    }

    /// Whether it lies at the end of an epoch.
    pub const fn ends_epoch(self) -> bool {
        matches!(self, Self::EpochEnd | Self::EpochEnded)
    }

    /// Whether something must happen for a validator to come there.
    pub const fn is_rare(self) -> bool {
        self.needs_modes()
            || self.ends_epoch()
            || matches!(self, Self::ViewChange | Self::Snapshot | Self::SnapshotTaken)
    }
}

impl fmt::Display for CrashPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for CrashPoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|point| point.name() == text)
            .ok_or_else(|| format!("expected one of {}", Self::ALL.map(Self::name).join(", ")))
    }
}

/// Which points a node's moments are.
#[derive(Debug, Default)]
pub struct Points {
    /// Of the last block that was written, where there was one since the start.
    mode: Mutex<Option<Mode>>,
}

impl Points {
    /// The points that a moment is, in their order.
    pub fn of(&self, moment: Moment<'_>) -> Vec<CrashPoint> {
        match moment {
            Moment::Persist => vec![CrashPoint::Persist],
            Moment::Persisted => vec![CrashPoint::Persisted],
            Moment::Commit(commits) => {
                let rare = [CrashPoint::EpochEnd, CrashPoint::ModeChange];
                self.rare(commits, rare, false).chain([CrashPoint::Commit]).collect()
            }
            Moment::Committed(commits) => {
                let rare = [CrashPoint::EpochEnded, CrashPoint::ModeChanged];
                self.rare(commits, rare, true).chain([CrashPoint::Committed]).collect()
            }
            Moment::Snapshot(_) => vec![CrashPoint::Snapshot],
            Moment::SnapshotTaken(_) => vec![CrashPoint::SnapshotTaken],
        }
    }

    /// Which of the two rare things the blocks do: end an epoch, change the mode.
    fn rare(
        &self,
        commits: &[Commit],
        [epoch, mode]: [CrashPoint; 2],
        done: bool,
    ) -> impl Iterator<Item = CrashPoint> {
        let mut known = self.mode.lock().expect("nothing panics while it is held");
        let headers = || commits.iter().map(|commit| &commit.block.header);
        let modes = known.iter().copied().chain(headers().map(|header| header.mode));
        let modes: Vec<Mode> = modes.collect();
        let changes = modes.windows(2).any(|pair| pair[0] != pair[1]);
        let ends = headers().any(|header| header.kind == BlockKind::Barrier);
        if done {
            *known = modes.last().copied();
        }
        [ends.then_some(epoch), changes.then_some(mode)].into_iter().flatten()
    }
}

/// Whether a message ends or begins a view.
pub fn changes_view(message: &impl EngineMessage) -> bool {
    matches!(
        message.kind(),
        "view_change"
            | "new_view"
            | "view_ack"
            | "vote_request"
            | "vote_reply"
            | "prepare"
            | "promise"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_read_by_their_names() {
        for point in CrashPoint::ALL {
            assert_eq!(point.name().parse(), Ok(point));
        }
        assert!("lunch".parse::<CrashPoint>().is_err_and(|error| error.contains("persisted")));
    }

    #[test]
    fn the_plain_moments_are_one_point_each() {
        let points = Points::default();
        assert_eq!(points.of(Moment::Persist), [CrashPoint::Persist]);
        assert_eq!(points.of(Moment::Committed(&[])), [CrashPoint::Committed]);
    }
}
