//! Simplex, as its documentation sets it up: its runtime on one worker thread, its network in
//! memory without delays or losses, its journals in a directory in memory.
//!
//! A leader sends its block to everybody; the others vote for it once they have it and hashed it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::tokio::sync::watch;
use anyhow::Context as _;
use commonware_actor::Feedback;
use commonware_consensus::simplex::config::{Config, Floor, ForwardPolicy, SkipPolicy};
use commonware_consensus::simplex::elector::RoundRobin;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::{Activity, Context};
use commonware_consensus::simplex::{Engine, Plan};
use commonware_consensus::types::{Epoch, ViewDelta};
use commonware_consensus::{Automaton, CertifiableAutomaton, Relay, Reporter, Viewable};
use commonware_cryptography::ed25519::{PrivateKey, PublicKey};
use commonware_cryptography::sha256::Digest;
use commonware_cryptography::{Hasher as _, Sha256, Signer as _};
use commonware_p2p::{Receiver as _, Recipients, Sender as _};
use commonware_parallel::Sequential;
use commonware_runtime::buffer::paged::CacheRef;
use commonware_runtime::{IoBuf, Runner as _, Spawner as _, Supervisor as _, tokio};
use commonware_utils::channel::oneshot;
use commonware_utils::ordered::Set;
use commonware_utils::{NZDuration, NZU16, NZUsize};

use super::wires::{self, Ear, Mouth, Trusting};
use super::{Load, Ordered, Since, VALIDATORS};

const NAMESPACE: &[u8] = b"bench";
/// Views before anything is measured.
const WARM_UP: u64 = 36;
/// No view fails: nobody is dead and nothing is lost.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn order(load: Load) -> anyhow::Result<Ordered> {
    let memory = Path::new("/dev/shm");
    let directory =
        if memory.is_dir() { tempfile::tempdir_in(memory)? } else { tempfile::tempdir()? };
    let config = tokio::Config::new()
        .with_worker_threads(1)
        .with_storage_directory(directory.path().join("journals"));
    tokio::Runner::new(config).start(|context| measure(context, load))
}

async fn measure(context: tokio::Context, load: Load) -> anyhow::Result<Ordered> {
    let block_bytes = if load.payloads == 1 { 0 } else { load.block_bytes() };
    let mut decided = start(&context, block_bytes)?;
    let last = WARM_UP + load.blocks;
    let first = *decided.wait_for(|view| *view >= WARM_UP).await?;
    let since = Since::now()?;
    let last = *decided.wait_for(|view| *view >= last).await?;
    // Every view that is decided has a block: none was skipped, or the reporter had failed.
    since.until_now(last - first)
}

/// Starts four validators; tells the highest decided view of the first.
fn start(context: &tokio::Context, block_bytes: usize) -> anyhow::Result<watch::Receiver<u64>> {
    let keys = (0..VALIDATORS as u64).map(PrivateKey::from_seed);
    let mut keys: Vec<PrivateKey> = keys.collect();
    keys.sort_by_key(PrivateKey::public_key);
    let members: Vec<PublicKey> = keys.iter().map(PrivateKey::public_key).collect();
    let channel = || wires::channel(&members).into_iter();
    let channels = channel().zip(channel()).zip(channel()).zip(channel());
    let (decided, seen) = watch::channel(0);
    for (place, (key, ends)) in keys.into_iter().zip(channels).enumerate() {
        let context = context.child("validator").with_attribute("place", place);
        let (((votes, certificates), resolver), (sender, receiver)) = ends;
        let store = Arc::default();
        listen(&context, receiver, Arc::clone(&store));
        let application = Application { store, sender, block_bytes };
        let scheme = Scheme::signer(NAMESPACE, Set::from_iter_dedup(members.clone()), key)
            .context("a validator is one of the participants")?;
        let config = Config {
            scheme,
            elector: <RoundRobin>::default(),
            blocker: Trusting::default(),
            automaton: application.clone(),
            relay: application,
            reporter: Tell((place == 0).then(|| decided.clone())),
            track_historical_votes: false,
            strategy: Sequential,
            partition: format!("validator-{place}"),
            mailbox_size: NZUsize!(1024),
            epoch: Epoch::new(1),
            floor: Floor::Genesis(Sha256::hash(&[NAMESPACE])),
            replay_buffer: NZUsize!(1024 * 1024),
            write_buffer: NZUsize!(1024 * 1024),
            page_cache: CacheRef::new(NZU16!(4096), NZUsize!(256)),
            leader_timeout: PATIENCE,
            certification_timeout: PATIENCE * 2,
            timeout_retry: PATIENCE,
            view_retention: ViewDelta::new(10),
            skip: SkipPolicy::Disabled,
            fetch_timeout: NZDuration!(PATIENCE),
            fetch_retry_delay: Duration::from_millis(100),
            forward: ForwardPolicy::Disabled,
        };
        Engine::new(context.child("engine"), config).start(votes, certificates, resolver);
    }
    Ok(seen)
}

/// Takes in blocks: each is hashed as it comes.
fn listen(context: &tokio::Context, mut receiver: Ear, store: Arc<Mutex<Store>>) {
    context.child("blocks").spawn(move |_| async move {
        while let Ok((_, block)) = receiver.recv().await {
            let digest = Sha256::hash(&[block.as_ref()]);
            lock(&store).arrived(digest, block);
        }
    });
}

fn lock(store: &Mutex<Store>) -> std::sync::MutexGuard<'_, Store> {
    store.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The blocks of a validator, and who waits for one.
#[derive(Default)]
struct Store {
    blocks: HashMap<Digest, IoBuf>,
    waiting: HashMap<Digest, oneshot::Sender<bool>>,
}

impl Store {
    fn arrived(&mut self, digest: Digest, block: IoBuf) {
        self.blocks.insert(digest, block);
        if let Some(waiting) = self.waiting.remove(&digest) {
            // Who no longer waits does not need the answer.
            let _ = waiting.send(true);
        }
    }
}

/// What simplex orders: blocks of bytes.
#[derive(Clone)]
struct Application {
    store: Arc<Mutex<Store>>,
    sender: Mouth,
    block_bytes: usize,
}

impl Automaton for Application {
    type Context = Context<Digest, PublicKey>;
    type Digest = Digest;

    async fn propose(&mut self, context: Self::Context) -> oneshot::Receiver<Digest> {
        let view = context.round.view().get().to_le_bytes();
        let mut block = vec![0; self.block_bytes.max(view.len())];
        block[..view.len()].copy_from_slice(&view);
        let digest = Sha256::hash(&[&block]);
        lock(&self.store).arrived(digest, block.into());
        let (answer, receiver) = oneshot::channel();
        let _ = answer.send(digest);
        receiver
    }

    async fn verify(&mut self, _: Self::Context, block: Digest) -> oneshot::Receiver<bool> {
        let (answer, receiver) = oneshot::channel();
        let mut store = lock(&self.store);
        if store.blocks.contains_key(&block) {
            let _ = answer.send(true);
        } else {
            store.waiting.insert(block, answer);
        }
        receiver
    }
}

impl CertifiableAutomaton for Application {}

impl Relay for Application {
    type Digest = Digest;
    type PublicKey = PublicKey;
    type Plan = Plan<PublicKey>;

    fn broadcast(&mut self, block: Digest, _: Self::Plan) -> Feedback {
        let block = lock(&self.store).blocks.get(&block).cloned();
        if let Some(block) = block {
            self.sender.send(Recipients::All, block, false);
        }
        Feedback::Ok
    }
}

/// Tells which view was decided last, where anybody wants to know.
#[derive(Clone)]
struct Tell(Option<watch::Sender<u64>>);

impl Reporter for Tell {
    type Activity = Activity<Scheme, Digest>;

    fn report(&mut self, activity: Self::Activity) -> Feedback {
        match (&self.0, activity) {
            (Some(decided), Activity::Finalization(block)) => {
                decided.send_modify(|view| *view = block.view().get().max(*view));
            }
            (_, Activity::Nullification(_)) => panic!("a view of simplex failed"),
            _ => {}
        }
        Feedback::Ok
    }
}
