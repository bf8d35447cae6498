//! No change of the members where it would leave the chain without slack.
//!
//! A new set that counts on somebody who is silent can stop the chain for good: nothing but a vote
//! of the new set could take the change back. So every member must have taken part lately, or more
//! of them than a quorum needs.

use std::collections::BTreeSet;

use crate::crypto::PublicKey;
use crate::execute::Executor;
use crate::governance::RECENT_BLOCKS;
use crate::receipt::GovernanceRefusal;
use crate::types::Height;
use crate::validator::ValidatorSet;

impl Executor<'_> {
    /// The rule, for the set that would follow. Engines without certificates say nothing of who
    /// takes part: there is no rule then.
    pub(super) fn check_slack(
        &self,
        next: &ValidatorSet,
        joiner: Option<&PublicKey>,
    ) -> Result<(), GovernanceRefusal> {
        let current = self.voters();
        let same = next.len() == current.len()
            && next.members().all(|(_, member)| current.index_of(&member.consensus_key).is_some());
        if same || self.draft.parameters().crash_only {
            return Ok(());
        }
        let mut active = self.active_lately();
        active.extend(joiner);
        let active = next.members().filter(|(_, member)| active.contains(&member.consensus_key));
        let (members, active) = (next.len(), active.count());
        let needed = members.min(next.quorums().quorum + 1);
        if active >= needed {
            return Ok(());
        }
        let count = |count| u16::try_from(count).unwrap_or(u16::MAX);
        Err(GovernanceRefusal::NoSlack {
            members: count(members),
            active: count(active),
            needed: count(needed),
        })
    }

    /// The consensus keys that signed a certificate that one of the last blocks carries.
    fn active_lately(&self) -> BTreeSet<PublicKey> {
        let parent = self.context.parent.height.get();
        let oldest = parent.saturating_sub(RECENT_BLOCKS - 1);
        let blocks = (oldest..=parent).filter_map(|height| self.draft.recent(Height::new(height)));
        self.draft.base().signers_of(blocks).into_keys().collect()
    }
}
