//! Servers of the crate `openraft`, on one thread of tokio, with logs in memory. It comes with no
//! storage of its own: this one keeps entries in a map, as its documentation shows it.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::Cursor;
use std::ops::RangeBounds;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use openraft::error::{InstallSnapshotError, RPCError, RaftError, Unreachable};
use openraft::network::{RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    VoteRequest, VoteResponse,
};
use openraft::storage::{LogFlushed, LogState, RaftLogStorage, RaftStateMachine, Snapshot};
use openraft::{
    BasicNode, Config, Entry, EntryPayload, LogId, OptionalSend, Raft, RaftLogReader,
    RaftSnapshotBuilder, SnapshotMeta, SnapshotPolicy, StorageError, StoredMembership, Vote,
};
use tokio::runtime::Runtime;

use super::{Contestant, OPERATION_BYTES, SERVERS};

openraft::declare_raft_types!(
    pub(super) Types: D = Vec<u8>, R = (), SnapshotData = Cursor<Vec<u8>>
);

type Server = Raft<Types>;
type Storage<T> = Result<T, StorageError<u64>>;
type Rpc<T, E = RaftError<u64>> = Result<T, RPCError<u64, BasicNode, E>>;

/// Three of them.
pub(super) struct Servers {
    runtime: Runtime,
    servers: Vec<Server>,
    wires: Wires,
    decided: Arc<AtomicU64>,
}

impl Servers {
    pub(super) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.expect("the system gives a thread");
        let (wires, decided) = (Wires::default(), Arc::new(AtomicU64::new(0)));
        let servers = runtime.block_on(start(&wires, &decided));
        Self { runtime, servers, wires, decided }
    }
}

/// Starts the servers; the first one leads.
async fn start(wires: &Wires, decided: &Arc<AtomicU64>) -> Vec<Server> {
    let config = Config {
        snapshot_policy: SnapshotPolicy::Never,
        // Nothing is lost here, and nobody shall stand for election while the thread is busy.
        election_timeout_min: 50_000,
        election_timeout_max: 60_000,
        heartbeat_interval: 10_000,
        max_payload_entries: 1_024,
        enable_elect: false,
        ..Config::default()
    };
    let config = Arc::new(config.validate().expect("a possible configuration"));
    let mut servers = Vec::new();
    for id in 0..SERVERS as u64 {
        let counts = if id == 0 { Arc::clone(decided) } else { Arc::default() };
        let machine = Machine { counts, ..Machine::default() };
        let server = Raft::new(id, Arc::clone(&config), wires.clone(), Log::default(), machine);
        servers.push(server.await.expect("a server starts on empty memory"));
    }
    wires.lock().clone_from(&servers);
    let members: BTreeMap<u64, BasicNode> =
        (0..SERVERS as u64).map(|id| (id, BasicNode::default())).collect();
    servers[0].initialize(members).await.expect("it is new");
    servers[0].trigger().elect().await.expect("anybody may stand for election");
    let wait = servers[0].wait(Some(Duration::from_secs(10)));
    wait.current_leader(0, "the first server leads").await.expect("nobody else stands");
    servers
}

impl Contestant for Servers {
    /// Each operation is a call of its own, as of so many clients.
    fn order(&mut self, operations: usize) {
        let leader = &self.servers[0];
        self.runtime.block_on(async {
            let calls = (0..operations).map(|_| leader.client_write(vec![0; OPERATION_BYTES]));
            for answer in join_all(calls).await {
                answer.expect("the leader takes writes");
            }
        });
    }

    fn messages(&self) -> u64 {
        self.wires.messages.load(Relaxed)
    }

    fn decided(&self) -> u64 {
        self.decided.load(Relaxed)
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for server in &self.servers {
            // One that ended already has nothing more to end.
            let _ = self.runtime.block_on(server.shutdown());
        }
    }
}

/// The network: calls of the other servers.
#[derive(Clone, Default)]
pub(super) struct Wires {
    servers: Arc<Mutex<Vec<Server>>>,
    messages: Arc<AtomicU64>,
}

impl Wires {
    fn lock(&self) -> MutexGuard<'_, Vec<Server>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RaftNetworkFactory<Types> for Wires {
    type Network = Wire;

    async fn new_client(&mut self, target: u64, _node: &BasicNode) -> Wire {
        Wire { wires: self.clone(), target }
    }
}

/// The way to one server.
pub(super) struct Wire {
    wires: Wires,
    target: u64,
}

impl Wire {
    /// Counts a question and its answer.
    fn target<E: std::error::Error>(&self) -> Rpc<Server, E> {
        self.wires.messages.fetch_add(2, Relaxed);
        let target = usize::try_from(self.target).expect("one of three");
        let server = self.wires.lock().get(target).cloned();
        server.ok_or_else(|| {
            RPCError::Unreachable(Unreachable::new(&std::io::Error::other("it is not there yet")))
        })
    }
}

impl RaftNetwork<Types> for Wire {
    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<Types>,
        _option: RPCOption,
    ) -> Rpc<AppendEntriesResponse<u64>> {
        let server = self.target()?;
        Ok(server.append_entries(request).await.expect("a server that runs answers"))
    }

    async fn install_snapshot(
        &mut self,
        request: InstallSnapshotRequest<Types>,
        _option: RPCOption,
    ) -> Rpc<InstallSnapshotResponse<u64>, RaftError<u64, InstallSnapshotError>> {
        let server = self.target()?;
        Ok(server.install_snapshot(request).await.expect("a server that runs answers"))
    }

    async fn vote(
        &mut self,
        request: VoteRequest<u64>,
        _option: RPCOption,
    ) -> Rpc<VoteResponse<u64>> {
        let server = self.target()?;
        Ok(server.vote(request).await.expect("a server that runs answers"))
    }
}

/// Entries and the vote of one server.
#[derive(Clone, Debug, Default)]
pub(super) struct Log(Arc<Mutex<Entries>>);

#[derive(Debug, Default)]
struct Entries {
    vote: Option<Vote<u64>>,
    entries: BTreeMap<u64, Entry<Types>>,
    purged: Option<LogId<u64>>,
}

impl Log {
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RaftLogReader<Types> for Log {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Storage<Vec<Entry<Types>>> {
        Ok(self.lock().entries.range(range).map(|(_, entry)| entry.clone()).collect())
    }
}

impl RaftLogStorage<Types> for Log {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Storage<LogState<Types>> {
        let log = self.lock();
        let last = log.entries.values().next_back().map(|entry| entry.log_id);
        Ok(LogState { last_purged_log_id: log.purged, last_log_id: last.or(log.purged) })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote<u64>) -> Storage<()> {
        self.lock().vote = Some(*vote);
        Ok(())
    }

    async fn read_vote(&mut self) -> Storage<Option<Vote<u64>>> {
        Ok(self.lock().vote)
    }

    async fn append<I>(&mut self, entries: I, flushed: LogFlushed<Types>) -> Storage<()>
    where
        I: IntoIterator<Item = Entry<Types>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries = entries.into_iter().map(|entry| (entry.log_id.index, entry));
        self.lock().entries.extend(entries);
        flushed.log_io_completed(Ok(()));
        Ok(())
    }

    async fn truncate(&mut self, from: LogId<u64>) -> Storage<()> {
        self.lock().entries.split_off(&from.index);
        Ok(())
    }

    async fn purge(&mut self, until: LogId<u64>) -> Storage<()> {
        let mut log = self.lock();
        log.entries = log.entries.split_off(&(until.index + 1));
        log.purged = Some(until);
        Ok(())
    }
}

/// A state machine that counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Machine {
    counts: Arc<AtomicU64>,
    applied: Option<LogId<u64>>,
    membership: StoredMembership<u64, BasicNode>,
}

impl RaftStateMachine<Types> for Machine {
    type SnapshotBuilder = Self;

    async fn applied_state(
        &mut self,
    ) -> Storage<(Option<LogId<u64>>, StoredMembership<u64, BasicNode>)> {
        Ok((self.applied, self.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Storage<Vec<()>>
    where
        I: IntoIterator<Item = Entry<Types>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut answers = Vec::new();
        for entry in entries {
            self.applied = Some(entry.log_id);
            match entry.payload {
                EntryPayload::Normal(_) => {
                    self.counts.fetch_add(1, Relaxed);
                }
                EntryPayload::Membership(membership) => {
                    self.membership = StoredMembership::new(Some(entry.log_id), membership);
                }
                EntryPayload::Blank => {}
            }
            answers.push(());
        }
        Ok(answers)
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn begin_receiving_snapshot(&mut self) -> Storage<Box<Cursor<Vec<u8>>>> {
        Ok(Box::default())
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta<u64, BasicNode>,
        _snapshot: Box<Cursor<Vec<u8>>>,
    ) -> Storage<()> {
        self.applied = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Storage<Option<Snapshot<Types>>> {
        Ok(None)
    }
}

/// Never asked for: the policy makes none.
impl RaftSnapshotBuilder<Types> for Machine {
    async fn build_snapshot(&mut self) -> Storage<Snapshot<Types>> {
        let meta = SnapshotMeta {
            last_log_id: self.applied,
            last_membership: self.membership.clone(),
            snapshot_id: "counted".to_owned(),
        };
        Ok(Snapshot { meta, snapshot: Box::default() })
    }
}
