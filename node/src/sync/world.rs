//! What catching up needs of the node around it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chain::codec;
use chain::types::{Digest, Height};
use chain::validator::ValidatorSet;
use consensus::application::Finals;
use consensus::engine::{Engine, Status};
use tokio::sync::{Mutex, watch};

use super::protocol::{Request, Response, Status as PeerStatus};
use crate::chain_view::ChainView;
use crate::clock::unix_ms;
use crate::network::{AskError, Inbox, NetworkHandle, PeerId, Reachable, Word};

/// Where this node stands.
#[derive(Clone, Debug)]
pub(super) struct Here {
    pub(super) height: Height,
    pub(super) hash: Digest,
    /// The set in force above.
    pub(super) set: ValidatorSet,
    /// Whether this node is in it, by the keys it runs with.
    pub(super) is_member: bool,
}

/// Why a peer's answer is no use.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error("an answer that is none: {0}")]
    Malformed(String),
}

/// The other nodes.
pub(super) trait Others: Send + Sync + 'static {
    fn reachable(&self) -> Vec<Reachable>;
    /// Asks a peer; also how long the answer was.
    fn ask(
        &self,
        peer: PeerId,
        request: Request,
        patience: Duration,
    ) -> impl Future<Output = Result<(Response, usize), Failed>> + Send;
    /// Notes that a peer lied.
    fn blame(&self, peer: &PeerId, why: &str);
}

/// The node around the catching up.
pub(super) trait World: Others {
    fn here(&self) -> Here;
    /// The greatest final height that gossip showed.
    fn best_final(&self) -> Height;
    /// Gives a run of so many bytes to the engine.
    fn feed(&self, finals: Finals, bytes: usize) -> impl Future<Output = ()> + Send;
    /// Ends when something above may have changed.
    fn changed(&self) -> impl Future<Output = ()> + Send;
}

/// A running node.
pub(super) struct NodeWorld<E: Engine> {
    view: ChainView,
    network: NetworkHandle,
    inbox: Arc<Inbox<E::Message>>,
    status: watch::Receiver<Status>,
    /// What was seen of the engine's status and of gossip so far.
    changes: Mutex<(watch::Receiver<Status>, watch::Receiver<Height>)>,
}

impl<E: Engine> NodeWorld<E> {
    pub(super) fn new(
        view: ChainView,
        network: NetworkHandle,
        inbox: Arc<Inbox<E::Message>>,
        status: watch::Receiver<Status>,
    ) -> Self {
        let changes = Mutex::new((status.clone(), network.best_final_changes()));
        Self { view, network, inbox, status, changes }
    }
}

impl Others for NetworkHandle {
    fn reachable(&self) -> Vec<Reachable> {
        Self::reachable(self)
    }

    async fn ask(
        &self,
        peer: PeerId,
        request: Request,
        patience: Duration,
    ) -> Result<(Response, usize), Failed> {
        let question = codec::encode(&request);
        let bytes = Self::ask(self, peer, &question, request.max_answer(), patience).await?;
        let len = bytes.len();
        let decoded = tokio::task::spawn_blocking(move || codec::decode(&bytes)).await;
        let decoded = decoded.map_err(|error| Failed::Malformed(error.to_string()))?;
        decoded.map(|it| (it, len)).map_err(|error| Failed::Malformed(error.to_string()))
    }

    fn blame(&self, peer: &PeerId, why: &str) {
        self.report_lie(peer, why);
    }
}

impl<E: Engine> Others for NodeWorld<E> {
    fn reachable(&self) -> Vec<Reachable> {
        self.network.reachable()
    }

    async fn ask(
        &self,
        peer: PeerId,
        request: Request,
        patience: Duration,
    ) -> Result<(Response, usize), Failed> {
        let asked = Instant::now();
        let answer = Others::ask(&self.network, peer, request, patience).await;
        if let Ok((Response::Status(PeerStatus { height, epoch, view, clock_ms, .. }), _)) = &answer
        {
            // It looked at its clock about half way.
            let half_way = asked.elapsed().as_millis() as i64 / 2;
            let clock_ahead_ms = clock_ms.cast_signed().saturating_sub(unix_ms() as i64 - half_way);
            let word = Word { height: *height, epoch: *epoch, view: *view, clock_ahead_ms };
            self.network.note_word(&peer, word);
        }
        answer
    }

    fn blame(&self, peer: &PeerId, why: &str) {
        self.network.report_lie(peer, why);
    }
}

impl<E: Engine> World for NodeWorld<E> {
    fn here(&self) -> Here {
        let head = self.view.head();
        let is_member = self.status.borrow().me.is_some();
        let set = head.state.validators().clone();
        Here { height: head.height, hash: head.hash, set, is_member }
    }

    fn best_final(&self) -> Height {
        self.network.best_final()
    }

    async fn feed(&self, finals: Finals, bytes: usize) {
        let message = E::finals_message(finals);
        self.inbox.put(self.network.me(), message, bytes).await;
    }

    async fn changed(&self) {
        let mut changes = self.changes.lock().await;
        let (status, best) = &mut *changes;
        // A part that ended will never change again.
        tokio::select! {
            Ok(()) = status.changed() => {}
            Ok(()) = best.changed() => {}
            else => std::future::pending().await,
        }
    }
}
