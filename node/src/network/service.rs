//! The task that owns the swarm: dials peers, sends the refused away, carries gossip.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use chain::codec;
use futures::StreamExt as _;
use libp2p::gossipsub::{self, MessageAcceptance, MessageId, PublishError};
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, identify, ping};
use tokio::sync::{mpsc, watch};

use super::addresses::{self, Announcement, Announcer};
use super::behaviour::{self, Behaviour, BehaviourEvent};
use super::book::Book;
use super::gossip::{self, Topic, Topics};
use super::handshake::Mismatch;
use super::judge::Delivery;
use super::links::Senders;
use super::peer::Peer;

/// First pause before a peer is dialled again.
const DIAL_MIN: Duration = Duration::from_millis(100);
/// Longest pause before a peer is dialled again.
const DIAL_MAX: Duration = Duration::from_secs(2);
/// How often what is due is looked for: dialling, bans that end, gossip that waits.
const TICK: Duration = Duration::from_millis(50);
/// How long this node waits before it passes a good batch of transactions on. Its author sent it
/// to everyone it is connected with; by now they have said so, and only the others get it.
const RELAY_AFTER: Duration = Duration::from_millis(50);
/// Most batches that wait to be passed on. Further ones are not.
const RELAYS: usize = 1024;
/// Most bytes of gossip that wait for a peer to appear.
const UNSENT_BYTES: usize = 4 * 1024 * 1024;

/// What others ask of the task.
#[derive(Debug)]
pub(super) enum Command {
    Publish {
        topic: Topic,
        data: Vec<u8>,
    },
    /// Pass a message on, or not.
    Report {
        id: MessageId,
        relay: PeerId,
        acceptance: MessageAcceptance,
    },
    /// Pass a message on to those who still lack it in a while.
    AcceptLater {
        id: MessageId,
        relay: PeerId,
    },
    /// A member says where it listens.
    Announced {
        author: PeerId,
        announcement: Announcement,
    },
}

/// Where and when a peer is dialled.
#[derive(Debug)]
struct Dialling {
    configured: Vec<Multiaddr>,
    announced: Vec<Multiaddr>,
    next: Instant,
    pause: Duration,
    connected_at: Instant,
}

impl Dialling {
    fn new(now: Instant) -> Self {
        Self {
            configured: Vec::new(),
            announced: Vec::new(),
            next: now,
            pause: DIAL_MIN,
            connected_at: now,
        }
    }

    fn addresses(&self) -> Vec<Multiaddr> {
        self.configured.iter().chain(&self.announced).cloned().collect()
    }
}

pub(super) struct Service {
    pub(super) swarm: Swarm<Behaviour>,
    pub(super) book: Arc<Book>,
    pub(super) senders: Senders,
    pub(super) topics: Topics,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) deliveries: mpsc::Sender<Delivery>,
    pub(super) listening: watch::Sender<Vec<Multiaddr>>,
    /// What the operator says others should dial; if nothing, where this node listens.
    pub(super) announce: Vec<Multiaddr>,
    pub(super) announcer: Announcer,
    pub(super) members: Members,
}

/// The swarm's side of the book: what was done about it so far.
#[derive(Debug, Default)]
pub(super) struct Members {
    dialling: BTreeMap<PeerId, Dialling>,
    connections: BTreeMap<PeerId, BTreeSet<ConnectionId>>,
    allowed: BTreeSet<PeerId>,
    blocked: BTreeSet<PeerId>,
    unsent: VecDeque<(Topic, Vec<u8>)>,
    unsent_bytes: usize,
    /// What is to be passed on, and when.
    relays: VecDeque<(Instant, MessageId, PeerId)>,
}

impl Members {
    /// With the addresses of the configuration, each ending in the peer id.
    pub(super) fn new(addresses: impl IntoIterator<Item = (PeerId, Multiaddr)>) -> Self {
        let mut members = Self::default();
        for (id, address) in addresses {
            let now = Instant::now();
            let dialling = members.dialling.entry(id).or_insert_with(|| Dialling::new(now));
            dialling.configured.push(address);
        }
        members
    }
}

impl Service {
    pub(super) async fn run(mut self) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let book = self.book.clone();
        self.reconcile();
        loop {
            tokio::select! {
                event = self.swarm.select_next_some() => self.handle_event(event),
                command = self.commands.recv() => match command {
                    Some(command) => self.handle_command(command),
                    None => return,
                },
                () = book.changed.notified() => self.reconcile(),
                _ = tick.tick() => {
                    self.reconcile();
                    self.try_dial();
                    self.part();
                    self.try_unsent();
                    self.try_announce();
                    self.try_relay();
                }
            }
        }
    }

    /// Makes the swarm agree with the book.
    fn reconcile(&mut self) {
        let allowed = self.book.allowed();
        if allowed != self.members.allowed {
            for id in self.members.allowed.difference(&allowed) {
                // Where there is no connection there is nothing to close.
                let _ = self.swarm.disconnect_peer_id(*id);
            }
            for id in allowed.difference(&self.members.allowed) {
                if let Some(dialling) = self.members.dialling.get_mut(id) {
                    (dialling.next, dialling.pause) = (Instant::now(), DIAL_MIN);
                }
            }
            self.members.allowed = allowed;
            let allowed = &self.members.allowed;
            self.members
                .dialling
                .retain(|id, it| !it.configured.is_empty() || allowed.contains(id));
            self.announcer.hurry(Instant::now());
        }
        let blocked = self.book.blocked();
        if blocked != self.members.blocked {
            let gossip = &mut self.swarm.behaviour_mut().gossip.behaviour;
            for id in self.members.blocked.difference(&blocked) {
                gossip.remove_blacklisted_peer(id);
            }
            for id in blocked.difference(&self.members.blocked) {
                gossip.blacklist_peer(id);
            }
            self.members.blocked = blocked;
        }
        self.senders.reconcile(&self.book.peers());
    }

    /// Closes the connections of those who were told that they are refused.
    fn part(&mut self) {
        for id in self.book.overdue(Instant::now()) {
            // It may have gone by itself.
            let _ = self.swarm.disconnect_peer_id(id);
        }
    }

    /// Dials every peer that is allowed, known by address, not connected, and due.
    fn try_dial(&mut self) {
        let now = Instant::now();
        for (id, dialling) in &mut self.members.dialling {
            if now < dialling.next
                || !self.members.allowed.contains(id)
                || self.swarm.is_connected(id)
            {
                continue;
            }
            dialling.next = now + dialling.pause;
            dialling.pause = (dialling.pause * 2).min(DIAL_MAX);
            let options = DialOpts::peer_id(*id)
                .addresses(dialling.addresses())
                .condition(PeerCondition::DisconnectedAndNotDialing)
                .build();
            if let Err(error) = self.swarm.dial(options) {
                tracing::debug!(peer = %id, %error, "not dialling peer");
            }
        }
    }

    fn handle_command(&mut self, command: Command) {
        match command {
            Command::Publish { topic, data } => self.publish(topic, data),
            Command::Report { id, relay, acceptance } => self.report(&id, &relay, acceptance),
            Command::AcceptLater { id, relay } if self.members.relays.len() < RELAYS => {
                self.members.relays.push_back((Instant::now() + RELAY_AFTER, id, relay));
            }
            Command::AcceptLater { id, relay } => {
                self.report(&id, &relay, MessageAcceptance::Ignore);
            }
            Command::Announced { author, announcement } => {
                self.note_addresses(author, &announcement)
            }
        }
    }

    /// Dials a member where it says, if this node is not connected with it.
    fn note_addresses(&mut self, author: PeerId, announcement: &Announcement) {
        let mine = self.listening.borrow().iter().all(addresses::is_loopback);
        let announced = announcement.addresses(mine);
        if author == *self.swarm.local_peer_id() || !self.members.allowed.contains(&author) {
            return;
        }
        let now = Instant::now();
        let dialling = self.members.dialling.entry(author).or_insert_with(|| Dialling::new(now));
        if dialling.announced != announced {
            dialling.announced = announced;
            (dialling.next, dialling.pause) = (now, DIAL_MIN);
        }
    }

    /// Tells everyone where this node listens, from time to time.
    fn try_announce(&mut self) {
        if self.members.connections.is_empty() || !self.announcer.is_due(Instant::now()) {
            return;
        }
        let listening = self.listening.borrow().clone();
        let told = if self.announce.is_empty() { &listening } else { &self.announce };
        let data = codec::encode(&Announcement::new(told));
        self.publish(Topic::Addresses, data);
    }

    fn report(&mut self, id: &MessageId, relay: &PeerId, acceptance: MessageAcceptance) {
        let gossip = &mut self.swarm.behaviour_mut().gossip.behaviour;
        gossip.report_message_validation_result(id, relay, acceptance);
    }

    fn try_relay(&mut self) {
        let now = Instant::now();
        while let Some((_, id, relay)) = self.members.relays.pop_front_if(|(due, ..)| *due <= now) {
            self.report(&id, &relay, MessageAcceptance::Accept);
        }
    }

    fn publish(&mut self, topic: Topic, data: Vec<u8>) {
        if data.len() > gossip::MAX_BYTES {
            return;
        }
        let hash = self.topics.hash(topic);
        match self.swarm.behaviour_mut().gossip.behaviour.publish(hash, data.clone()) {
            Ok(_) | Err(PublishError::Duplicate) => {}
            Err(PublishError::NoPeersSubscribedToTopic | PublishError::AllQueuesFull(_)) => {
                self.keep_unsent(topic, data);
            }
            Err(error) => tracing::warn!(?topic, %error, "gossip refused a message"),
        }
    }

    /// Keeps what found no peer until one appears, the newest at the cost of the oldest. Final
    /// certificates are superseded by then, addresses told again.
    fn keep_unsent(&mut self, topic: Topic, data: Vec<u8>) {
        if matches!(topic, Topic::Finals | Topic::Addresses) || self.members.allowed.is_empty() {
            return;
        }
        let members = &mut self.members;
        members.unsent_bytes += data.len();
        members.unsent.push_back((topic, data));
        while members.unsent_bytes > UNSENT_BYTES {
            let Some((_, oldest)) = members.unsent.pop_front() else {
                return;
            };
            members.unsent_bytes -= oldest.len();
        }
    }

    fn try_unsent(&mut self) {
        if self.members.unsent.is_empty() || self.members.connections.is_empty() {
            return;
        }
        self.members.unsent_bytes = 0;
        for (topic, data) in std::mem::take(&mut self.members.unsent) {
            self.publish(topic, data);
        }
    }

    fn handle_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.handle_behaviour_event(event),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                let Some(peer) = self.book.get(&peer_id) else {
                    // Refused, and about to be told; or sent away since it was let in.
                    if self.book.refusal(&peer_id).is_none() {
                        let _ = self.swarm.disconnect_peer_id(peer_id);
                    }
                    return;
                };
                let connections = self.members.connections.entry(peer_id).or_default();
                connections.insert(connection_id);
                peer.set_address(Some(endpoint.get_remote_address().clone()));
                self.members.mark(&peer, true);
            }
            SwarmEvent::ConnectionClosed {
                peer_id, connection_id, num_established, cause, ..
            } => {
                if let Some(connections) = self.members.connections.get_mut(&peer_id) {
                    connections.remove(&connection_id);
                    if connections.is_empty() {
                        self.members.connections.remove(&peer_id);
                    }
                }
                if num_established > 0 {
                    return;
                }
                let cause = cause.map_or_else(|| "closed".to_owned(), |cause| cause.to_string());
                tracing::debug!(peer = %peer_id, cause, "disconnected");
                if let Some(peer) = self.book.get(&peer_id) {
                    peer.set_address(None);
                    self.members.mark(&peer, false);
                }
                self.book.leave(&peer_id);
            }
            SwarmEvent::OutgoingConnectionError { peer_id: Some(peer_id), error, .. } => {
                tracing::debug!(peer = %peer_id, %error, "cannot connect");
            }
            SwarmEvent::IncomingConnectionError { send_back_addr, error, peer_id, .. } => {
                tracing::debug!(from = %send_back_addr, ?peer_id, %error, "connection refused");
                self.book.refused_connections.fetch_add(1, Ordering::Relaxed);
            }
            SwarmEvent::NewListenAddr { address, .. } => {
                self.listening.send_modify(|addresses| addresses.push(address));
            }
            SwarmEvent::ListenerClosed { addresses, reason, .. } => {
                tracing::error!(?addresses, ?reason, "listening for peers ended");
            }
            SwarmEvent::ListenerError { error, .. } => {
                tracing::warn!(%error, "accepting a connection failed");
            }
            _ => {}
        }
    }

    fn handle_behaviour_event(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Gossip(gossipsub::Event::Message {
                propagation_source: relay,
                message_id: id,
                message,
            }) => self.deliver(id, relay, message),
            BehaviourEvent::Gossip(gossipsub::Event::Subscribed { .. }) => {
                self.announcer.hurry(Instant::now());
                self.try_unsent();
            }
            BehaviourEvent::Ping(ping::Event { peer, result: Ok(round_trip), .. }) => {
                if let Some(peer) = self.book.get(&peer) {
                    peer.set_round_trip(round_trip);
                }
            }
            BehaviourEvent::Ping(ping::Event { peer, connection, result: Err(error) }) => {
                tracing::debug!(%peer, %error, "peer does not answer");
                self.swarm.close_connection(connection);
            }
            BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. }) => {
                let Some(peer) = self.book.get(&peer_id) else {
                    return;
                };
                // Of another version or chain the handshake on the stream says more.
                if !info.protocol_version.starts_with(behaviour::PROTOCOL_PREFIX) {
                    return self.book.refuse(&peer_id, Mismatch::Stranger);
                }
                peer.set_version(info.agent_version);
            }
            _ => {}
        }
    }

    fn deliver(&mut self, id: MessageId, relay: PeerId, message: gossipsub::Message) {
        let topic = self.topics.topic(&message.topic);
        let acceptance = match (topic, message.source) {
            (Some(topic), Some(author)) => {
                let data = message.data;
                let delivery = Delivery { topic, id: id.clone(), relay, author, data };
                if self.deliveries.try_send(delivery).is_ok() {
                    return;
                }
                MessageAcceptance::Ignore
            }
            _ => MessageAcceptance::Reject,
        };
        self.report(&id, &relay, acceptance);
    }
}

impl Members {
    /// Notes that a peer is connected or not. One that stayed for a while is dialled afresh once
    /// it goes; one that hangs up at once is not run after.
    fn mark(&mut self, peer: &Peer, connected: bool) {
        peer.connected.send_replace(connected);
        let Some(dialling) = self.dialling.get_mut(&peer.id) else {
            return;
        };
        let now = Instant::now();
        if connected {
            dialling.connected_at = now;
        } else {
            if now.duration_since(dialling.connected_at) > DIAL_MAX {
                dialling.pause = DIAL_MIN;
            }
            dialling.next = now + dialling.pause;
        }
    }
}
