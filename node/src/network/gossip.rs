//! What is spread to everyone: topics, limits, and the settings of gossipsub.

use std::collections::HashSet;
use std::time::Duration;

use chain::types::Digest;
use libp2p::gossipsub::{self, IdentTopic, MessageId, TopicHash};
use libp2p::identity::Keypair;
use sha2::{Digest as _, Sha256};

use super::transactions::BATCH_MAX_BYTES;

/// Largest message of gossip, in bytes. Larger ones travel on direct streams alone.
pub(super) const MAX_BYTES: usize = 256 * 1024;
const _: () = assert!(BATCH_MAX_BYTES <= MAX_BYTES);

/// Messages that wait for one peer, at most.
const QUEUE: usize = 256;

type Filter = gossipsub::WhitelistSubscriptionFilter;
pub(super) type Behaviour = gossipsub::Behaviour<gossipsub::IdentityTransform, Filter>;

/// A subject of gossip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Batches of signed transactions.
    Transactions,
    /// Final certificates: how far the chain is.
    Finals,
    /// Proofs that a validator equivocated.
    Evidence,
    /// View changes, for those whom their sender does not reach.
    ViewChanges,
    /// Where members listen.
    Addresses,
}

impl Topic {
    pub(super) const ALL: [Self; 5] =
        [Self::Transactions, Self::Finals, Self::Evidence, Self::ViewChanges, Self::Addresses];

    const fn name(self) -> &'static str {
        match self {
            Self::Transactions => "transactions",
            Self::Finals => "finals",
            Self::Evidence => "evidence",
            Self::ViewChanges => "view-changes",
            Self::Addresses => "addresses",
        }
    }
}

/// The topics of one chain: their names contain the chain id, so chains never mix.
#[derive(Clone, Debug)]
pub(super) struct Topics([(Topic, TopicHash); Topic::ALL.len()]);

impl Topics {
    pub(super) fn new(chain_id: &Digest) -> Self {
        Self(Topic::ALL.map(|topic| (topic, ident(chain_id, topic).hash())))
    }

    pub(super) fn hash(&self, topic: Topic) -> TopicHash {
        let entry = self.0.iter().find(|(candidate, _)| *candidate == topic);
        entry.expect("every topic is in the table: it is made from Topic::ALL").1.clone()
    }

    pub(super) fn topic(&self, hash: &TopicHash) -> Option<Topic> {
        self.0.iter().find(|(_, candidate)| candidate == hash).map(|(topic, _)| *topic)
    }
}

fn ident(chain_id: &Digest, topic: Topic) -> IdentTopic {
    IdentTopic::new(format!("catamaran/1/{chain_id}/{}", topic.name()))
}

/// Identifies a message by its author, the author's count and its content: what is offered again
/// is spread again, for those who missed it.
fn message_id(message: &gossipsub::Message) -> MessageId {
    let mut hasher = Sha256::new();
    hasher.update(message.source.map(|author| author.to_bytes()).unwrap_or_default());
    hasher.update(message.sequence_number.unwrap_or_default().to_be_bytes());
    hasher.update(message.topic.as_str().as_bytes());
    hasher.update(&message.data);
    MessageId::new(&hasher.finalize()[..20])
}

/// Gossipsub for a small network of known members: authors sign, nothing is passed on before this
/// node judged it, only the topics of the chain exist.
///
/// # Errors
/// A sentence, where gossipsub refuses its settings.
pub(super) fn behaviour(key: &Keypair, chain_id: &Digest) -> Result<Behaviour, String> {
    let config = gossipsub::ConfigBuilder::default()
        .validation_mode(gossipsub::ValidationMode::Strict)
        .validate_messages()
        .message_id_fn(message_id)
        .max_transmit_size(MAX_BYTES)
        .heartbeat_initial_delay(Duration::from_millis(100))
        .heartbeat_interval(Duration::from_millis(500))
        .duplicate_cache_time(Duration::from_secs(5))
        // Who has a message says so to the others: cheaper than a second copy, whose signature would
        // be checked again.
        .idontwant_message_size_threshold(0)
        .connection_handler_queue_len(QUEUE)
        .publish_queue_duration(Duration::from_secs(2))
        .forward_queue_duration(Duration::from_secs(1))
        // Members come and go with their processes: they may rejoin a mesh soon.
        .prune_backoff(Duration::from_secs(5))
        .build()
        .map_err(|error| error.to_string())?;
    let topics = Topics::new(chain_id);
    let known: HashSet<TopicHash> = topics.0.iter().map(|(_, hash)| hash.clone()).collect();
    let mut behaviour = Behaviour::new_with_subscription_filter(
        gossipsub::MessageAuthenticity::Signed(key.clone()),
        config,
        gossipsub::WhitelistSubscriptionFilter(known),
    )?;
    for topic in Topic::ALL {
        behaviour.subscribe(&ident(chain_id, topic)).map_err(|error| error.to_string())?;
    }
    Ok(behaviour)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_of_two_chains_differ_and_lead_back() {
        let (ours, theirs) = (Topics::new(&Digest([1; 32])), Topics::new(&Digest([2; 32])));
        for topic in Topic::ALL {
            assert_eq!(ours.topic(&ours.hash(topic)), Some(topic));
            assert_eq!(ours.topic(&theirs.hash(topic)), None);
        }
    }
}
