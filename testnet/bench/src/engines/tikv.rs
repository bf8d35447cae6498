//! Servers of the crate `raft`, TiKV's, with its own storage in memory.

use raft::eraftpb::{ConfState, Entry, Message};
use raft::storage::MemStorage;
use raft::{Config, RawNode, StateRole};
use slog::{Discard, Logger, o};

use super::{Contestant, OPERATION_BYTES, SERVERS};

type Server = RawNode<MemStorage>;

/// Three of them.
pub(super) struct Servers {
    servers: Vec<Server>,
    leader: usize,
    messages: u64,
    /// Operations that the leader knows committed.
    decided: u64,
}

impl Servers {
    pub(super) fn new() -> Self {
        let voters: Vec<u64> = (1..=SERVERS as u64).collect();
        let logger = Logger::root(Discard, o!());
        let server = |id: &u64| {
            let config = Config {
                id: *id,
                election_tick: 10,
                heartbeat_tick: 3,
                max_size_per_msg: 8 * 1024 * 1024,
                max_inflight_msgs: 256,
                ..Config::default()
            };
            let state = ConfState::from((voters.clone(), Vec::new()));
            let storage = MemStorage::new_with_conf_state(state);
            RawNode::new(&config, storage, &logger).expect("a possible server")
        };
        let servers = voters.iter().map(server).collect();
        let mut servers = Self { servers, leader: 0, messages: 0, decided: 0 };
        servers.servers[0].campaign().expect("anybody may stand for election");
        servers.talk();
        assert_eq!(servers.servers[0].raft.state, StateRole::Leader, "nobody else stands");
        servers
    }

    /// Carries out what servers want and delivers, until nobody says anything.
    fn talk(&mut self) {
        loop {
            let mut outgoing = Vec::new();
            for place in 0..self.servers.len() {
                while self.servers[place].has_ready() {
                    self.carry_out(place, &mut outgoing);
                }
            }
            if outgoing.is_empty() {
                return;
            }
            self.messages += outgoing.len() as u64;
            for message in outgoing {
                let to = usize::try_from(message.to).expect("one of three") - 1;
                self.servers[to].step(message).expect("a server's message is in order");
            }
        }
    }

    /// One `Ready`, in the order that the crate's documentation asks for.
    fn carry_out(&mut self, place: usize, outgoing: &mut Vec<Message>) {
        let server = &mut self.servers[place];
        let mut ready = server.ready();
        outgoing.extend(ready.take_messages());
        let mut decided = operations(&ready.take_committed_entries());
        if !ready.entries().is_empty() {
            server.mut_store().wl().append(ready.entries()).expect("entries that follow");
        }
        if let Some(state) = ready.hs() {
            server.mut_store().wl().set_hardstate(state.clone());
        }
        outgoing.extend(ready.take_persisted_messages());
        let mut light = server.advance(ready);
        if let Some(commit) = light.commit_index() {
            server.mut_store().wl().mut_hard_state().set_commit(commit);
        }
        outgoing.extend(light.take_messages());
        decided += operations(&light.take_committed_entries());
        server.advance_apply();
        if place == self.leader {
            self.decided += decided;
        }
    }
}

/// A new leader's own entry is empty.
fn operations(entries: &[Entry]) -> u64 {
    entries.iter().filter(|entry| !entry.get_data().is_empty()).count() as u64
}

impl Contestant for Servers {
    fn order(&mut self, operations: usize) {
        for _ in 0..operations {
            let proposed = self.servers[self.leader].propose(Vec::new(), vec![0; OPERATION_BYTES]);
            proposed.expect("the leader takes proposals");
        }
        self.talk();
    }

    fn messages(&self) -> u64 {
        self.messages
    }

    fn decided(&self) -> u64 {
        self.decided
    }
}
