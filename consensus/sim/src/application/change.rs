//! Changes of the validator set, as a transaction of the hash chain asks for them.

use bincode::{Decode, Encode};
use chain::codec::{self, Bounded};
use chain::crypto::PublicKey;
use chain::quorum::Quorums;
use chain::transaction::Body;
use chain::types::View;
use chain::validator::{Validator, ValidatorSet};

/// A put under this key asks for a [`Change`], its value.
const KEY: &[u8] = b"validators";

/// What is asked for. What makes no possible set of it, or the same, does nothing.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Change {
    /// The first so many validators of genesis are the set: any number leaves or joins at once.
    First(u8),
    Admit(Validator),
    Remove(PublicKey),
    /// One joins as another leaves: what a new consensus key is.
    Replace {
        old: PublicKey,
        new: Validator,
    },
    Jail(PublicKey),
    Pardon(PublicKey),
}

impl Bounded for Change {
    const MAX_BYTES: usize = 512;
}

impl Change {
    pub(crate) fn body(&self) -> Body {
        Body::Put { key: KEY.to_vec(), value: codec::encode(self) }
    }

    /// The change that a transaction asks for.
    pub(super) fn of(body: &Body) -> Option<Self> {
        match body {
            Body::Put { key, value } if key == KEY => codec::decode(value).ok(),
            _ => None,
        }
    }

    /// The set after a barrier of this view, on a chain that started with `first`.
    pub(crate) fn apply(
        &self,
        current: &ValidatorSet,
        first: &ValidatorSet,
        view: View,
    ) -> Option<ValidatorSet> {
        let mut set = current.successor(view);
        self.make(&mut set, first)?;
        // A set that tolerates no liars stays one: its engine counts on nobody to lie.
        let lone = first.max_faulty.max(current.max_faulty) == 0;
        if !matches!(self, Self::First(_)) && !lone {
            set.max_faulty = Quorums::default_max_faulty(set.len()) as u16;
        }
        set.check().is_ok().then_some(set)
    }

    fn make(&self, set: &mut ValidatorSet, first: &ValidatorSet) -> Option<()> {
        let fresh = |validator: &Validator, set: &ValidatorSet| Validator {
            since: set.epoch,
            ..validator.clone()
        };
        match self {
            Self::First(count) => {
                let wanted: Vec<&Validator> =
                    first.members().map(|(_, member)| member).take(usize::from(*count)).collect();
                let is_wanted =
                    |key: &PublicKey| wanted.iter().any(|member| member.consensus_key == *key);
                let leaving: Vec<_> =
                    set.members().filter(|(_, v)| !is_wanted(&v.consensus_key)).collect();
                let leaving: Vec<_> = leaving.into_iter().map(|(index, _)| index).collect();
                let joining: Vec<_> = wanted
                    .iter()
                    .filter(|v| set.index_of(&v.consensus_key).is_none())
                    .map(|v| fresh(v, set))
                    .collect();
                if leaving.is_empty() && joining.is_empty() {
                    return None;
                }
                // Who joins takes no seat that somebody leaves in the same change.
                joining.into_iter().for_each(|validator| {
                    set.admit(validator);
                });
                leaving.into_iter().for_each(|index| {
                    set.remove(index);
                });
            }
            Self::Admit(validator) => {
                set.admit(fresh(validator, set));
            }
            Self::Remove(key) => {
                set.remove(set.index_of(key)?);
            }
            Self::Replace { old, new } => {
                set.replace(set.index_of(old)?, fresh(new, set));
            }
            Self::Jail(key) => {
                let validator = set.index_of(key).and_then(|index| set.get_mut(index))?;
                if std::mem::replace(&mut validator.jailed, true) {
                    return None;
                }
            }
            Self::Pardon(key) => {
                let epoch = set.epoch;
                let validator = set.index_of(key).and_then(|index| set.get_mut(index))?;
                if !validator.jailed && !validator.accused {
                    return None;
                }
                (validator.jailed, validator.accused, validator.since) = (false, false, epoch);
            }
        }
        Some(())
    }
}
