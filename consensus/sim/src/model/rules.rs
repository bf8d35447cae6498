//! The rules of the protocol that the many-view model can be told to break.

/// One switch per rule; [`Rules::REAL`] keeps them all. docs/protocol/hybrid.md, "Voting", "View
/// change" and "Epochs".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// A vote is on disk before it leaves.
    pub vote_synced: bool,
    /// With a commit vote the prepare certificate is on disk.
    pub prepare_certificate_synced: bool,
    /// With a vote its view's certificate is on disk.
    pub view_certificate_synced: bool,
    /// "I lead view v" is on disk before the first header of v.
    pub leader_mark_synced: bool,
    /// A view change is on disk, with the view it moves to, before it leaves.
    pub view_change_synced: bool,
    /// An acknowledgement of a view's tip is on disk before it leaves.
    pub view_ack_synced: bool,
    /// A view change reports votes and certificates of its own epoch only.
    pub reports_of_own_epoch: bool,
    /// Voting rule 2 for every vote: from the view's tip up through blocks of the view alone.
    pub votes_within_view: bool,
    /// Voting rule 4: nothing but a seal of a later view above a barrier.
    pub nothing_above_barriers: bool,
    /// The same is a condition of validity, so that such a block is no tip of a view either: it
    /// can become one without a single honest vote.
    pub invalid_above_barriers: bool,
    /// A seal makes its barrier final and is itself never part of the chain.
    pub seals_are_void: bool,
    /// An epoch's first view follows the view of its barrier, whichever certificate was seen.
    pub first_view_by_barrier: bool,
    /// Nobody acknowledges a tip that it has not executed.
    pub tips_are_executed: bool,
}

impl Rules {
    pub const REAL: Self = Self {
        vote_synced: true,
        prepare_certificate_synced: true,
        view_certificate_synced: true,
        leader_mark_synced: true,
        view_change_synced: true,
        view_ack_synced: true,
        reports_of_own_epoch: true,
        votes_within_view: true,
        nothing_above_barriers: true,
        invalid_above_barriers: true,
        seals_are_void: true,
        first_view_by_barrier: true,
        tips_are_executed: true,
    };
}

/// A named way to break one rule.
#[derive(Clone, Copy, Debug)]
pub struct BrokenRule {
    pub name: &'static str,
    pub rules: Rules,
}

/// Every rule broken on its own.
pub const BROKEN_RULES: [BrokenRule; 13] = [
    BrokenRule { name: "vote unsynced", rules: Rules { vote_synced: false, ..Rules::REAL } },
    BrokenRule {
        name: "prepare certificate unsynced",
        rules: Rules { prepare_certificate_synced: false, ..Rules::REAL },
    },
    BrokenRule {
        name: "view certificate unsynced",
        rules: Rules { view_certificate_synced: false, ..Rules::REAL },
    },
    BrokenRule {
        name: "leader mark unsynced",
        rules: Rules { leader_mark_synced: false, ..Rules::REAL },
    },
    BrokenRule {
        name: "ViewChange unsynced",
        rules: Rules { view_change_synced: false, ..Rules::REAL },
    },
    BrokenRule { name: "ViewAck unsynced", rules: Rules { view_ack_synced: false, ..Rules::REAL } },
    BrokenRule {
        name: "reports of an old epoch",
        rules: Rules { reports_of_own_epoch: false, ..Rules::REAL },
    },
    BrokenRule {
        name: "a vote through blocks of another view",
        rules: Rules { votes_within_view: false, ..Rules::REAL },
    },
    BrokenRule {
        name: "a vote above a barrier",
        rules: Rules {
            nothing_above_barriers: false,
            invalid_above_barriers: false,
            ..Rules::REAL
        },
    },
    BrokenRule {
        name: "a tip above a barrier",
        rules: Rules { invalid_above_barriers: false, ..Rules::REAL },
    },
    BrokenRule {
        name: "a seal counted as chain",
        rules: Rules { seals_are_void: false, ..Rules::REAL },
    },
    BrokenRule {
        name: "first view of an epoch from its certificate",
        rules: Rules { first_view_by_barrier: false, ..Rules::REAL },
    },
    BrokenRule {
        name: "a tip acknowledged without executing it",
        rules: Rules { tips_are_executed: false, ..Rules::REAL },
    },
];
