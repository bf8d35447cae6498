//! Beginning with a snapshot of the state, from several peers, before the node itself starts.
//!
//! Every piece is checked as it comes: the manifest against the genesis, over all changes of the
//! validators, and each chunk against the state root that the manifest proves. So one honest peer is
//! enough, and whoever gives anything else is found out. On chains whose validators only crash the
//! word of a validator or of a configured peer counts, or a checkpoint.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chain::crypto::Verifier;
use chain::snapshot::{Checkpoint, CheckpointError, ManifestError, Offer};
use chain::types::{Digest, Height};
use consensus::engine::FaultModel;

use super::protocol::{Request, Response};
use super::world::Others;
use crate::network::{NetworkHandle, PeerId, Reachable};
use crate::snapshot::{Judge, SnapshotError, SnapshotSink};
use crate::storage::GenesisState;
use crate::storage::install::{self, InstallError};

/// How long offers are waited for.
const LISTEN: Duration = Duration::from_secs(30);
/// How long more offers are waited for once one is there.
const COMPARE: Duration = Duration::from_secs(2);
const ASK_EVERY: Duration = Duration::from_millis(250);
/// How long a peer has for an answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// Chunks that one peer is asked for at one time.
const PER_PEER: usize = 2;
/// Offers that are tried before blocks are fetched instead. Each that fails for a lie leaves one
/// peer less to listen to.
const ATTEMPTS: usize = 64;
/// Time between two lines in the log.
const LOG_EVERY: Duration = Duration::from_secs(5);
/// A node that has blocks begins anew only with a snapshot so far above them.
const WORTH_IT: u64 = 1_000;

/// What a snapshot is fetched for.
#[derive(Clone)]
pub struct Beginning {
    pub genesis: GenesisState,
    pub verifier: Arc<dyn Verifier>,
    pub checkpoint: Option<Checkpoint>,
    /// The node's data directory.
    pub data: PathBuf,
}

impl std::fmt::Debug for Beginning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Beginning").field("data", &self.data).finish_non_exhaustive()
    }
}

/// Why there is no beginning with a snapshot, and none without one either.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    #[error(transparent)]
    Install(#[from] InstallError),
    #[error("the snapshot was lost on the way: {0}")]
    Lost(String),
    #[error("the chain is another one than that of the checkpoint: {0}")]
    Checkpoint(CheckpointError),
}

/// A snapshot that peers offer, and who does.
type Offers = BTreeMap<(Height, Digest), Vec<PeerId>>;

/// What came of one offer.
enum Attempt {
    Done(Height),
    /// With these peers, who lied, or do not show what the operator asks for.
    Failed(BTreeSet<PeerId>),
}

impl Beginning {
    /// Fetches the highest snapshot that is offered and makes the store begin with it. Answers its
    /// height; `None` where no peer offers one that is worth it: then blocks are fetched.
    ///
    /// # Errors
    /// [`BeginError`] where the data directory is in use, newer, damaged, or of another chain.
    pub async fn fetch(self, others: &NetworkHandle) -> Result<Option<Height>, BeginError> {
        self.fetch_from(others).await
    }

    pub(super) async fn fetch_from(
        self,
        others: &impl Others,
    ) -> Result<Option<Height>, BeginError> {
        let (data, chain_id) = (self.data.clone(), self.genesis.chain_id);
        let here = tokio::task::spawn_blocking(move || install::final_height(&data, chain_id));
        let here = here.await.map_err(|error| BeginError::Lost(error.to_string()))?;
        let here = here.map_err(InstallError::from)?.unwrap_or_default();
        let floor = match here.get() {
            0 => Height::new(0),
            height => Height::new(height + WORTH_IT),
        };
        let mut useless = BTreeSet::new();
        for _ in 0..ATTEMPTS {
            let offers = self.listen(others, floor, &useless).await;
            let Some((&(height, id), holders)) = offers.last_key_value() else { break };
            tracing::info!(%height, peers = holders.len(), "fetching a snapshot");
            match self.attempt(others, Offer { height, id }, holders).await? {
                Attempt::Done(height) => return Ok(Some(height)),
                Attempt::Failed(more) => useless.extend(more),
            }
        }
        tracing::warn!("no peer gave a snapshot that helps: blocks are fetched instead");
        Ok(None)
    }

    /// Whether what a peer says may be tried at all.
    fn may_ask(&self, peer: &Reachable) -> bool {
        match self.genesis.engine.fault_model() {
            FaultModel::Byzantine => true,
            FaultModel::Crash => peer.member || peer.configured || self.checkpoint.is_some(),
        }
    }

    /// What peers offer above a height, once somebody offered something.
    async fn listen(
        &self,
        others: &impl Others,
        floor: Height,
        useless: &BTreeSet<PeerId>,
    ) -> Offers {
        // A node that has blocks does well without.
        let patience = if floor.get() == 0 { LISTEN } else { COMPARE * 2 };
        let mut until = Instant::now() + patience;
        let (mut offers, mut found) = (Offers::new(), false);
        while Instant::now() < until {
            offers.clear();
            let peers = others.reachable();
            let peers =
                peers.iter().filter(|peer| self.may_ask(peer) && !useless.contains(&peer.id));
            let asked = peers.map(async |peer| {
                (peer.id, others.ask(peer.id, Request::Status, ASK_EVERY * 8).await)
            });
            for (peer, answer) in futures::future::join_all(asked).await {
                let Ok((Response::Status(status), _)) = answer else { continue };
                for offer in status.offers.iter().filter(|offer| offer.height > floor) {
                    offers.entry((offer.height, offer.id)).or_default().push(peer);
                }
            }
            if !found && !offers.is_empty() {
                (found, until) = (true, until.min(Instant::now() + COMPARE));
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
        offers
    }

    async fn attempt(
        &self,
        others: &impl Others,
        offer: Offer,
        holders: &[PeerId],
    ) -> Result<Attempt, BeginError> {
        let mut fetching = Fetching::new(others, offer, holders);
        let Some(mut sink) = self.manifest(&mut fetching).await? else {
            return Ok(Attempt::Failed(fetching.useless));
        };
        let mut logged = Instant::now();
        let mut missing: VecDeque<usize> = (0..sink.len()).collect();
        let mut asking = futures::stream::FuturesUnordered::new();
        loop {
            while let Some(index) = missing.front().copied() {
                let Some(peer) = fetching.choose() else { break };
                missing.pop_front();
                let index32 = u32::try_from(index).expect("a cut has far fewer parts");
                let request = Request::Chunk { offer, index: index32 };
                asking
                    .push(async move { (peer, index, others.ask(peer, request, PATIENCE).await) });
            }
            let Some((peer, index, answer)) = futures::StreamExt::next(&mut asking).await else {
                break;
            };
            fetching.answered(&peer);
            let chunk = match answer {
                Ok((Response::Chunk(Some(chunk)), _)) => chunk,
                _ => {
                    // It does not hold the snapshot any more, or does not answer.
                    fetching.leave(&peer);
                    missing.push_front(index);
                    continue;
                }
            };
            let (taken, back) = add(sink, index, chunk).await?;
            sink = back;
            if let Err(lie) = taken {
                fetching.blame(peer, &lie);
                missing.push_front(index);
            }
            if logged.elapsed() >= LOG_EVERY {
                logged = Instant::now();
                let (all, left) = (sink.len(), sink.missing());
                tracing::info!(height = %offer.height, chunks = all - left, of = all, "snapshot");
            }
        }
        if sink.missing() > 0 {
            return Ok(Attempt::Failed(fetching.useless));
        }
        self.install(sink).await
    }

    /// The manifest, from the first holder that gives a true one.
    async fn manifest<O: Others>(
        &self,
        fetching: &mut Fetching<'_, O>,
    ) -> Result<Option<SnapshotSink>, BeginError> {
        while let Some(peer) = fetching.choose() {
            let offer = fetching.offer;
            let answer = fetching.others.ask(peer, Request::Manifest(offer), PATIENCE).await;
            fetching.answered(&peer);
            let Ok((Response::Manifest(Some(manifest)), _)) = answer else {
                fetching.leave(&peer);
                continue;
            };
            let judge = Judge::new(&self.genesis, self.checkpoint, fetching.is_believed(&peer));
            let verifier = Arc::clone(&self.verifier);
            let checking = tokio::task::spawn_blocking(move || {
                SnapshotSink::for_offer(&offer, &manifest, &judge, verifier.as_ref())
            });
            match checking.await.map_err(|error| BeginError::Lost(error.to_string()))? {
                Ok(sink) => return Ok(Some(sink)),
                Err(SnapshotError::Manifest(ManifestError::Checkpoint(error))) => {
                    self.doubt(fetching, peer, error)?;
                }
                Err(lie) => fetching.blame(peer, &lie),
            }
        }
        Ok(None)
    }

    /// A snapshot does not show the block of the checkpoint. Where it is proven all the same, that is
    /// nobody's lie: it may be too far above.
    fn doubt<O: Others>(
        &self,
        fetching: &mut Fetching<'_, O>,
        peer: PeerId,
        error: CheckpointError,
    ) -> Result<(), BeginError> {
        let is_proven = self.genesis.engine.fault_model() == FaultModel::Byzantine;
        if is_proven && matches!(error, CheckpointError::OtherBlock { .. }) {
            return Err(BeginError::Checkpoint(error));
        }
        tracing::warn!(%peer, %error, "a snapshot that cannot be used");
        fetching.give_up(peer);
        Ok(())
    }

    async fn install(&self, sink: SnapshotSink) -> Result<Attempt, BeginError> {
        let data = self.data.clone();
        let installing = tokio::task::spawn_blocking(move || sink.install(&data));
        match installing.await.map_err(|error| BeginError::Lost(error.to_string()))? {
            Ok((height, hash)) => {
                tracing::info!(%height, %hash, "the store begins with a snapshot");
                Ok(Attempt::Done(height))
            }
            Err(SnapshotError::Install(error)) => Err(error.into()),
            Err(error) => Err(BeginError::Lost(error.to_string())),
        }
    }
}

/// Takes a chunk in, where others do not wait for it.
async fn add(
    mut sink: SnapshotSink,
    index: usize,
    chunk: Vec<u8>,
) -> Result<(Result<(), SnapshotError>, SnapshotSink), BeginError> {
    let adding = tokio::task::spawn_blocking(move || (sink.add(index, &chunk), sink));
    adding.await.map_err(|error| BeginError::Lost(error.to_string()))
}

/// Who holds a snapshot, and what each is asked for.
struct Fetching<'a, O> {
    others: &'a O,
    offer: Offer,
    /// How much each is asked for now.
    open: BTreeMap<PeerId, usize>,
    /// Who is not to be listened to any more.
    useless: BTreeSet<PeerId>,
}

impl<'a, O: Others> Fetching<'a, O> {
    fn new(others: &'a O, offer: Offer, holders: &[PeerId]) -> Self {
        let open = holders.iter().map(|holder| (*holder, 0)).collect();
        Self { others, offer, open, useless: BTreeSet::new() }
    }

    /// The least busy holder.
    fn choose(&mut self) -> Option<PeerId> {
        let free = self.open.iter_mut().filter(|(_, open)| **open < PER_PEER);
        let (peer, open) = free.min_by_key(|(_, open)| **open)?;
        *open += 1;
        Some(*peer)
    }

    fn answered(&mut self, peer: &PeerId) {
        if let Some(open) = self.open.get_mut(peer) {
            *open -= 1;
        }
    }

    /// Whether the word of a peer counts where validators only crash.
    fn is_believed(&self, peer: &PeerId) -> bool {
        let all = self.others.reachable();
        all.iter().any(|it| it.id == *peer && (it.member || it.configured))
    }

    /// It holds the snapshot no more.
    fn leave(&mut self, peer: &PeerId) {
        self.open.remove(peer);
    }

    fn give_up(&mut self, peer: PeerId) {
        self.open.remove(&peer);
        self.useless.insert(peer);
    }

    fn blame(&mut self, peer: PeerId, lie: &SnapshotError) {
        tracing::warn!(%peer, %lie, "a peer gave a piece of a snapshot that is wrong");
        self.others.blame(&peer, "a wrong piece of a snapshot");
        self.give_up(peer);
    }
}
