//! The live stage: follows every node of a network, and tells pages what happens.
//!
//! ```text
//!  every node ──▶ poll: how it is, twice a second at most  ──┐
//!  every node ──▶ hear: what its engine says, its messages ──┼──▶ state, stream ──▶ pages
//!  one node   ──▶ witness: blocks, and who signed          ──┘
//! ```
//!
//! Whatever the network does, pages get at most about sixty messages, forty blocks and ten looks at
//! nodes a second.

mod hear;
mod poll;
mod sampler;
mod state;
mod totals;
mod witness;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chain::types::ValidatorIndex;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::event::{Event, Fault, Send};
use super::stage::{Look, Member, Stage};
use super::stream::Stream;
use crate::machine::Ticks;
use sampler::Sampler;
pub(crate) use state::{Network, Shown, State};
use totals::Totals;

/// Pause between two looks at which nodes there are and how they are.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Pause between two samples of the messages.
const SAMPLE_EVERY: Duration = Duration::from_millis(100);
/// Most nodes that are followed.
const MAX_NODES: usize = 64;

/// A network on stage.
#[derive(Debug)]
pub struct Live {
    pub stage: Stage,
    pub stream: Stream,
    state: Mutex<State>,
    members: watch::Sender<Vec<Member>>,
    sampler: Sampler,
    totals: Totals,
}

impl Live {
    /// Begins to follow a network; the tasks end with the set.
    ///
    /// # Errors
    /// Where the testnet's directory is gone.
    pub fn start(stage: Stage) -> anyhow::Result<(Arc<Self>, JoinSet<()>)> {
        let members = watch::channel(stage.look()?.members).0;
        let live = Arc::new(Self {
            stage,
            stream: Stream::default(),
            state: Mutex::default(),
            members,
            sampler: Sampler::default(),
            totals: Totals::default(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&live).look());
        tasks.spawn(Arc::clone(&live).sample());
        tasks.spawn(Arc::clone(&live).count());
        tasks.spawn(witness::run(Arc::clone(&live)));
        Ok((live, tasks))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells every page, those that come later included.
    pub fn tell(&self, event: Event) {
        self.state().apply(&event);
        self.stream.tell(&event);
    }

    /// The nodes as they were half a second ago at most.
    pub fn members(&self) -> Vec<Member> {
        self.members.borrow().clone()
    }

    fn member(&self, id: usize) -> Option<Member> {
        self.members.borrow().iter().find(|member| member.id == id).cloned()
    }

    /// The node that sits in a seat.
    fn node_of(&self, seat: ValidatorIndex) -> Option<usize> {
        self.state().node_of(seat)
    }

    /// The network is cut or whole again, by whose order ever.
    fn set_partition(&self, groups: Option<Vec<Vec<usize>>>) {
        if self.state().partition == groups {
            return;
        }
        self.state().partition.clone_from(&groups);
        self.tell(match groups {
            Some(groups) => Event::Fault { fault: Fault::Partition { groups } },
            None => Event::Heal { core: None },
        });
    }

    /// Looks for nodes, and follows those that are new.
    async fn look(self: Arc<Self>) {
        let mut followers = JoinSet::new();
        let mut followed = BTreeSet::new();
        loop {
            // Without a directory there is nothing new; what is known still answers or does not.
            if let Ok(Look { members, partition }) = self.stage.look() {
                self.set_partition(partition);
                for member in members.iter().take(MAX_NODES) {
                    if followed.insert(member.id) {
                        followers.spawn(poll::run(Arc::clone(&self), member.id));
                        followers.spawn(hear::run(Arc::clone(&self), member.id));
                    }
                }
                self.members.send_replace(members);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Tells of messages, a few at a time.
    async fn sample(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(SAMPLE_EVERY);
        loop {
            ticks.tick().await;
            for send in self.sampler.take() {
                self.tell(Event::Send(send));
            }
        }
    }

    /// Tells the network's numbers once a second.
    async fn count(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        let mut before = Ticks::now();
        loop {
            ticks.tick().await;
            let now = Ticks::now();
            let idle = now.zip(before).map(|(now, before)| now.idle_since(&before));
            before = now;
            let load = self.state().load;
            let metrics = self.totals.metrics(load, idle);
            self.tell(Event::Metrics(metrics));
        }
    }

    /// Notes messages that a node sent to one other.
    fn note_sent(&self, send: Send) {
        self.totals.sent(send.count, send.bytes);
        let lost = {
            let state = self.state();
            state.is_deaf(send.to) || state.are_apart(send.from, send.to)
        };
        self.sampler.add(Send { lost, ..send });
    }
}
