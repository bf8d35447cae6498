//! Broken versions of the selection rule, made without touching it: by its thresholds, by what it
//! is told about leaders, and by what it is given to read.

use chain::quorum::Quorums;

/// One way to break the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// A fast-final block can fall short of the support it needs.
    SupportPlusOne,
    UnderEquivocationMinusOne,
    UnderEquivocationPlusOne,
    /// Two certificates of one view can exclude each other.
    QuorumMinusOne,
    FastQuorumMinusOne,
    /// `p` is one too high, and every threshold that derives from it follows.
    SilentPlusOne,
    /// The report of a leader that is proven to have equivocated is read like any other.
    KeepEquivocator,
    /// A last vote counts although no certificate of its view is under it.
    UnanchoredVote,
    /// `support` is n - 2f - p even where `quorum` - f is lower.
    SupportIgnoresQuorum,
}

impl Mutant {
    pub const ALL: [Self; 9] = [
        Self::SupportPlusOne,
        Self::UnderEquivocationMinusOne,
        Self::UnderEquivocationPlusOne,
        Self::QuorumMinusOne,
        Self::FastQuorumMinusOne,
        Self::SilentPlusOne,
        Self::KeepEquivocator,
        Self::UnanchoredVote,
        Self::SupportIgnoresQuorum,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::SupportPlusOne => "`support` + 1",
            Self::UnderEquivocationMinusOne => "`support_under_equivocation` - 1",
            Self::UnderEquivocationPlusOne => "`support_under_equivocation` + 1",
            Self::QuorumMinusOne => "`quorum` - 1",
            Self::FastQuorumMinusOne => "`fast_quorum` - 1",
            Self::SilentPlusOne => "`p` + 1",
            Self::KeepEquivocator => "the equivocator's report kept",
            Self::UnanchoredVote => "a last vote without its anchor",
            Self::SupportIgnoresQuorum => "`support` = n - 2f - p (`ordered`)",
        }
    }

    /// The thresholds that this mutant works with.
    pub fn quorums(self, real: Quorums) -> Quorums {
        let Quorums { n, f, p, quorum, .. } = real;
        match self {
            Self::SupportPlusOne => Quorums { support: real.support + 1, ..real },
            Self::UnderEquivocationMinusOne => {
                Quorums { support_under_equivocation: real.support_under_equivocation - 1, ..real }
            }
            Self::UnderEquivocationPlusOne => {
                Quorums { support_under_equivocation: real.support_under_equivocation + 1, ..real }
            }
            Self::QuorumMinusOne => Quorums { quorum: quorum - 1, ..real },
            Self::FastQuorumMinusOne => Quorums { fast_quorum: real.fast_quorum - 1, ..real },
            Self::SilentPlusOne => Quorums {
                p: p + 1,
                fast_quorum: n - p - 1,
                support: (n - 2 * f).saturating_sub(p + 1).min(quorum - f),
                support_under_equivocation: n - 2 * f - p,
                ..real
            },
            Self::SupportIgnoresQuorum => Quorums { support: n - 2 * f - p, ..real },
            Self::KeepEquivocator | Self::UnanchoredVote => real,
        }
    }

    /// Whether the mutant can lose a block among `n` validators, `f` of them at fault. Elsewhere
    /// it is another spelling of a safe rule.
    pub fn is_unsafe(self, Quorums { n, f, p, quorum, .. }: Quorums) -> bool {
        match self {
            // Safe where two branches can not both reach the lowered threshold.
            Self::UnderEquivocationMinusOne => n == 3 * f + 2 * p - 1,
            // The bound n ≥ 3f + 2p - 1 with the raised p.
            Self::SilentPlusOne => n + 1 < 3 * f + 2 * (p + 1),
            Self::SupportIgnoresQuorum => quorum - f < n - 2 * f - p,
            _ => true,
        }
    }
}
