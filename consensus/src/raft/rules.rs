//! The decisions on which safety and liveness hang, one small function each.
//!
//! [`Thesis`] takes every default. Tests override one at a time and show that the simulator notices.

use std::collections::BTreeSet;

use chain::types::{ValidatorIndex, View};
use chain::validator::ValidatorSet;

use super::configuration::{Configuration, is_majority};
use super::message::LogEnd;

/// What Ongaro's thesis prescribes; section numbers are its own.
pub trait Rules: std::fmt::Debug + Send + 'static {
    /// 3.6.1: whether a candidate's log is at least as up to date as the voter's.
    fn is_up_to_date(candidate: LogEnd, voter: LogEnd) -> bool {
        candidate >= voter
    }

    /// 3.6.2: whether replicas of an entry of this term may be counted in the current one.
    fn may_count(entry: View, current: View) -> bool {
        entry == current
    }

    /// 9.6: whether a candidate asks first whether it could win, and changes nothing by asking.
    fn asks_before_election() -> bool {
        true
    }

    /// 6.2 and 4.2.3: whether a leader without a majority steps down, and whoever hears a leader
    /// ignores candidates.
    fn checks_quorum() -> bool {
        true
    }

    /// 4.3: the sets that have a say while a change of members is under way, of the old one and
    /// those that changes in the log make of it.
    fn voting_sets(sets: Vec<ValidatorSet>) -> Vec<ValidatorSet> {
        sets
    }

    /// 4.3: whether these are enough to elect or to commit.
    fn is_quorum(configuration: &Configuration, voters: &BTreeSet<ValidatorIndex>) -> bool {
        configuration.sets().iter().all(|set| is_majority(set, voters))
    }

    /// 4.1: whether a leader may append a change of members, given whether it has committed an entry
    /// of its own term (Ongaro, "bug in single-server membership changes", raft-dev 2015).
    fn may_change_members(own_term_committed: bool) -> bool {
        own_term_committed
    }

    /// 6.4: whether a new leader appends an entry of its own before anything else.
    fn starts_with_own_entry() -> bool {
        true
    }
}

/// The rules as they are written.
#[derive(Clone, Copy, Debug)]
pub struct Thesis;

impl Rules for Thesis {}
