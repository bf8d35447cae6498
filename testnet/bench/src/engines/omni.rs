//! Servers of the crate `omnipaxos` with its own storage in memory.

use omnipaxos::macros::Entry;
use omnipaxos::messages::Message;
use omnipaxos::util::NodeId;
use omnipaxos::{ClusterConfig, OmniPaxos, ServerConfig};
use omnipaxos_storage::memory_storage::MemoryStorage;

use super::{Contestant, OPERATION_BYTES, SERVERS};

#[derive(Clone, Debug, Entry)]
#[expect(dead_code, reason = "what is ordered is opaque: nobody looks into it")]
struct Operation(Vec<u8>);

type Server = OmniPaxos<Operation, MemoryStorage<Operation>>;

/// Three of them.
pub(super) struct Servers {
    servers: Vec<Server>,
    leader: usize,
    messages: u64,
    outgoing: Vec<Message<Operation>>,
}

impl Servers {
    pub(super) fn new() -> Self {
        let nodes: Vec<NodeId> = (1..=SERVERS as NodeId).collect();
        let server = |pid: &NodeId| {
            let cluster = ClusterConfig {
                configuration_id: 1,
                nodes: nodes.clone(),
                ..ClusterConfig::default()
            };
            let server = ServerConfig { pid: *pid, ..ServerConfig::default() };
            cluster.build_for_server(server, MemoryStorage::default()).expect("a possible cluster")
        };
        let servers = nodes.iter().map(server).collect();
        let mut servers = Self { servers, leader: 0, messages: 0, outgoing: Vec::new() };
        servers.elect();
        servers
    }

    fn elect(&mut self) {
        for _ in 0..1_000 {
            self.servers.iter_mut().for_each(Server::tick);
            self.talk();
            if let Some((leader, true)) = self.servers[0].get_current_leader() {
                self.leader = usize::try_from(leader).expect("one of three") - 1;
                return;
            }
        }
        panic!("omnipaxos elects no leader in 1000 ticks");
    }

    /// Delivers until nobody says anything.
    fn talk(&mut self) {
        loop {
            let mut outgoing = std::mem::take(&mut self.outgoing);
            for server in &mut self.servers {
                server.take_outgoing_messages(&mut outgoing);
            }
            if outgoing.is_empty() {
                return;
            }
            self.messages += outgoing.len() as u64;
            for message in outgoing.drain(..) {
                let to = usize::try_from(message.get_receiver()).expect("one of three") - 1;
                self.servers[to].handle_incoming(message);
            }
            self.outgoing = outgoing;
        }
    }
}

impl Contestant for Servers {
    fn order(&mut self, operations: usize) {
        for _ in 0..operations {
            let operation = Operation(vec![0; OPERATION_BYTES]);
            self.servers[self.leader].append(operation).expect("it is not being reconfigured");
        }
        self.talk();
    }

    fn messages(&self) -> u64 {
        self.messages
    }

    fn decided(&self) -> u64 {
        self.servers[self.leader].get_decided_idx() as u64
    }
}
