//! Simplex's network as queues in memory: nothing is lost, delayed, copied or encrypted.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use commonware_actor::{Feedback, Unreliable};
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::{
    BlockedSubscription, Blocker, CheckedSender, LimitedSender, Message, Receiver, Recipients,
};
use commonware_runtime::IoBufs;
use commonware_utils::NZUsize;
use commonware_utils::channel::ring;
use commonware_utils::ordered::Set;
use tokio::sync::mpsc;

/// The ends of one channel, one pair for each member.
pub(super) fn channel(members: &[PublicKey]) -> Vec<(Mouth, Ear)> {
    let (mouths, ears): (Vec<_>, Vec<_>) =
        members.iter().map(|_| mpsc::unbounded_channel()).unzip();
    let everybody: Arc<[_]> = members.iter().cloned().zip(mouths).collect();
    let mouth = |me: &PublicKey| Mouth { me: me.clone(), everybody: Arc::clone(&everybody) };
    members.iter().map(mouth).zip(ears.into_iter().map(Ear)).collect()
}

/// Sends.
#[derive(Clone)]
pub(super) struct Mouth {
    me: PublicKey,
    everybody: Arc<[(PublicKey, mpsc::UnboundedSender<Message<PublicKey>>)]>,
}

impl LimitedSender for Mouth {
    type PublicKey = PublicKey;
    type Checked<'a> = Aimed<'a>;

    fn check(&mut self, recipients: Recipients<PublicKey>) -> Result<Aimed<'_>, SystemTime> {
        Ok(Aimed { mouth: self, recipients })
    }
}

/// Knows to whom.
pub(super) struct Aimed<'a> {
    mouth: &'a Mouth,
    recipients: Recipients<PublicKey>,
}

impl Aimed<'_> {
    fn is_for(&self, peer: &PublicKey) -> bool {
        *peer != self.mouth.me
            && match &self.recipients {
                Recipients::All => true,
                Recipients::Some(peers) => peers.contains(peer),
                Recipients::One(one) => one == peer,
            }
    }
}

impl CheckedSender for Aimed<'_> {
    type PublicKey = PublicKey;

    fn recipients(&self) -> Vec<PublicKey> {
        let peers = self.mouth.everybody.iter().map(|(peer, _)| peer);
        peers.filter(|peer| self.is_for(peer)).cloned().collect()
    }

    fn send(self, message: impl Into<IoBufs> + Send, _: bool) -> Unreliable<Feedback> {
        let message = message.into().coalesce();
        for (_, ear) in self.mouth.everybody.iter().filter(|(peer, _)| self.is_for(peer)) {
            // Who hears nothing any more is being stopped.
            let _ = ear.send((self.mouth.me.clone(), message.clone()));
        }
        Unreliable::Outcome(Feedback::Ok)
    }
}

/// Receives.
#[derive(Debug)]
pub(super) struct Ear(mpsc::UnboundedReceiver<Message<PublicKey>>);

#[derive(Debug, thiserror::Error)]
#[error("nobody sends any more")]
pub(super) struct Silence;

impl Receiver for Ear {
    type Error = Silence;
    type PublicKey = PublicKey;

    async fn recv(&mut self) -> Result<Message<PublicKey>, Silence> {
        self.0.recv().await.ok_or(Silence)
    }

    fn capacity(&self) -> NonZeroUsize {
        NZUsize!(1024)
    }
}

/// Shuts nobody out: nobody lies here.
#[derive(Clone, Default)]
pub(super) struct Trusting(Arc<Mutex<Vec<ring::Sender<Set<PublicKey>>>>>);

impl Blocker for Trusting {
    type PublicKey = PublicKey;

    fn block(&mut self, peer: PublicKey) -> Feedback {
        panic!("simplex shuts out {peer}")
    }

    fn blocked(&mut self) -> BlockedSubscription<PublicKey> {
        let (sender, receiver) = ring::channel(NZUsize!(1));
        sender.send_lossy(Set::default());
        // A subscription lasts as long as its sender.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        receiver
    }
}

#[cfg(test)]
mod tests {
    use commonware_cryptography::Signer as _;
    use commonware_cryptography::ed25519::PrivateKey;
    use commonware_p2p::Sender as _;
    use commonware_runtime::IoBuf;

    use super::*;

    #[test]
    fn a_message_reaches_those_it_is_for_and_never_its_sender() {
        let members: Vec<_> = (0..3).map(|seed| PrivateKey::from_seed(seed).public_key()).collect();
        let (mut mouths, mut ears): (Vec<_>, Vec<_>) = channel(&members).into_iter().unzip();
        let mut heard = |recipients: Recipients<PublicKey>| -> Vec<bool> {
            mouths[0].send(recipients, IoBuf::from(vec![7]), false);
            let from_first = |ear: &mut Ear| {
                let message = ear.0.try_recv().ok();
                message.is_some_and(|(from, bytes)| from == members[0] && bytes.as_ref() == [7])
            };
            ears.iter_mut().map(from_first).collect()
        };
        assert_eq!(heard(Recipients::All), [false, true, true]);
        assert_eq!(heard(Recipients::One(members[1].clone())), [false, true, false]);
        assert_eq!(heard(Recipients::Some(members.clone())), [false, true, true]);
        assert_eq!(heard(Recipients::One(members[0].clone())), [false; 3]);
    }
}
