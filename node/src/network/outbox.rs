//! Where the consensus thread's messages leave.

use std::marker::PhantomData;

use chain::validator::ValidatorSet;
use consensus::driver::Outbox;
use consensus::engine::Recipients;
use consensus::message::EngineMessage;

use super::message::{self, Frame};
use super::roster::SharedRoster;
use super::{NetworkHandle, Traffic, gossip};

/// Encodes a message once and queues it for everyone it is for. Never blocks.
#[derive(Debug)]
pub struct NetworkOutbox<M> {
    network: NetworkHandle,
    roster: SharedRoster,
    traffic: Traffic,
    message: PhantomData<fn(&M)>,
}

impl<M> NetworkOutbox<M> {
    pub const fn new(network: NetworkHandle, roster: SharedRoster, traffic: Traffic) -> Self {
        Self { network, roster, traffic, message: PhantomData }
    }
}

impl<M: EngineMessage> Outbox<M> for NetworkOutbox<M> {
    fn seat(&mut self, sets: &[ValidatorSet]) {
        self.roster.seat(sets);
        self.network.set_validators(sets);
    }

    fn send(&mut self, to: Recipients, message: &M) {
        let frame = Frame::new(message);
        self.traffic.note(to, message, frame.bytes.len());
        let roster = self.roster.get();
        match to {
            Recipients::One(index) => {
                if let Some(peer) = roster.peer(index) {
                    self.network.send(peer, frame);
                }
            }
            Recipients::Others => {
                for peer in roster.others() {
                    self.network.send(peer, frame.clone());
                }
                if let Some(topic) =
                    message::topic(message).filter(|_| frame.bytes.len() <= gossip::MAX_BYTES)
                {
                    self.network.publish(topic, frame.bytes.to_vec());
                }
            }
        }
    }
}
