use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use chain::block::{Block, BlockKind, SealedBlock};
use chain::codec;
use chain::crypto::{Ed25519, Keypair};
use chain::finality::FinalityProof;
use chain::snapshot::Offer;
use chain::types::{Amount, Height, View};
use chain::validator::ValidatorSet;
use consensus::application::Finals;
use consensus::engine::FaultModel;
use consensus::registry::EngineName;
use fuzz::corpus::Form;
use genesis::Genesis;
use genesis::spec::{GenesisBalance, GenesisValidator};
use tokio::sync::Notify;

use super::fetch::WrongChain;
use super::protocol::{Request, Response, Status as PeerStatus};
use super::window::{Run, Window};
use super::world::{Failed, Here, Others, World};
use super::*;
use crate::network::{AskError, PeerId, Reachable};
use crate::storage::FinalBlock;
use crate::testing::signed_chain::Chain;

const BLOCKS: usize = 2_000;
const PATIENCE: Duration = Duration::from_secs(120);

fn consensus_key(place: u8) -> Keypair {
    Keypair::from_seed(&[place + 101; 32])
}

fn id(place: u8) -> PeerId {
    crate::network::peer_id(&Keypair::from_seed(&[place + 1; 32]).public()).unwrap()
}

fn sender() -> Keypair {
    Keypair::from_seed(&[99; 32])
}

fn genesis() -> Genesis {
    let validator = |place: u8| GenesisValidator {
        name: format!("node{place}"),
        consensus_key: consensus_key(place).public(),
        network_key: Keypair::from_seed(&[place + 1; 32]).public(),
        governance_key: Keypair::from_seed(&[place + 201; 32]).public(),
    };
    Genesis {
        format_version: Genesis::FORMAT_VERSION,
        chain: "test".into(),
        time_ms: 1_700_000_000_000,
        engine: EngineName::Hybrid,
        consensus: Default::default(),
        limits: Default::default(),
        validators: (0..4).map(validator).collect(),
        access: Default::default(),
        governance: Default::default(),
        roles: Vec::new(),
        balances: vec![GenesisBalance {
            address: sender().public().address(),
            amount: Amount::new(1),
        }],
    }
}

/// The true chain: two epochs, 2,000 blocks.
struct Truth {
    chain: Chain,
    /// The sets of its epochs.
    sets: [ValidatorSet; 2],
}

fn truth() -> &'static Truth {
    static TRUTH: OnceLock<Truth> = OnceLock::new();
    TRUTH.get_or_init(|| {
        let keys = (0..4).map(consensus_key).collect();
        let mut chain = Chain::new(&genesis(), keys, sender());
        let first = chain.set().clone();
        chain.grow(BLOCKS / 2 - 1, 1);
        chain.jail(3);
        let second = chain.set().clone();
        chain.grow(BLOCKS / 2, 1);
        assert_eq!(chain.height(), Height::new(BLOCKS as u64));
        Truth { chain, sets: [first, second] }
    })
}

fn block_at(height: Height) -> &'static FinalBlock {
    &truth().chain.blocks[height.get() as usize - 1]
}

/// How a peer behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Honest,
    /// Answers after so long.
    Slow(Duration),
    /// Says that it has everything, and serves nothing.
    EmptyHanded,
    /// Never says anything.
    Silent,
    /// Claims a height that nobody has.
    Boasting,
    ForgedProof,
    NoProof,
    OtherContent,
    OtherSignature,
    Gap,
    OtherHeight,
    OtherAnswer,
    Garbage,
}

impl Manner {
    /// What no correct node says, so that it is found out.
    const LIES: [Self; 8] = [
        Self::ForgedProof,
        Self::NoProof,
        Self::OtherContent,
        Self::OtherSignature,
        Self::Gap,
        Self::OtherHeight,
        Self::OtherAnswer,
        Self::Garbage,
    ];

    fn status(self) -> PeerStatus {
        let tip = block_at(truth().chain.height());
        let height = match self {
            Self::Boasting => Height::new(u64::MAX - 1),
            _ => tip.block.header.height,
        };
        PeerStatus {
            height,
            hash: tip.block.hash(),
            lowest: Height::new(1),
            offers: Vec::new(),
            epoch: tip.block.header.epoch,
            view: tip.block.header.view,
            clock_ms: 0,
        }
    }

    fn finals(self, from: Height, until: Height) -> Response {
        let Some(mut finals) = true_run(from, until) else {
            return Response::Finals(None);
        };
        let middle = finals.blocks.len() / 2;
        match self {
            Self::Honest | Self::Slow(_) => {}
            Self::EmptyHanded | Self::Silent | Self::Boasting | Self::Garbage => {
                return Response::Finals(None);
            }
            Self::ForgedProof => {
                let proof = finals.proof.as_mut().unwrap();
                proof.certificate.ballot.position.view = View::new(77);
            }
            Self::NoProof => finals.proof = None,
            Self::OtherContent => {
                let mut block = Block::clone(&finals.blocks[middle]);
                block.transactions.clear();
                finals.blocks[middle] = SealedBlock::new(block);
            }
            Self::OtherSignature => {
                let mut block = Block::clone(&finals.blocks[middle]);
                block.signature.0[5] ^= 1;
                finals.blocks[middle] = SealedBlock::new(block);
            }
            Self::Gap => drop(finals.blocks.remove(middle)),
            Self::OtherHeight => {
                return Response::Finals(true_run(from.next(), until.next()));
            }
            Self::OtherAnswer => return Response::Status(self.status()),
        }
        Response::Finals(Some(finals))
    }
}

/// What an honest node serves.
fn true_run(from: Height, until: Height) -> Option<Finals> {
    let blocks = truth().chain.blocks.get(from.get() as usize - 1..)?;
    let mut run: Vec<SealedBlock> = Vec::new();
    let mut best: Option<(usize, FinalityProof)> = None;
    for item in blocks.iter().take(Finals::MAX_BLOCKS) {
        run.push(item.block.clone());
        if let Some(proof) = &item.proof {
            best = Some((run.len(), proof.clone()));
            if item.block.header.height >= until {
                break;
            }
        }
        if item.block.header.kind == BlockKind::Barrier {
            break;
        }
    }
    let (len, proof) = best?;
    run.truncate(len);
    Some(Finals { blocks: run, proof: Some(proof) })
}

/// A node that is only a height, and its peers.
struct Fake {
    peers: Vec<(Reachable, Manner)>,
    is_member: bool,
    here: Mutex<Here>,
    /// Runs that were fed and are not committed yet, and the most there ever were.
    waiting: Mutex<(Vec<Finals>, usize)>,
    moved: Notify,
    blamed: Mutex<BTreeMap<PeerId, String>>,
    asked: Mutex<BTreeMap<PeerId, usize>>,
}

impl Fake {
    fn new(peers: impl IntoIterator<Item = Manner>) -> Arc<Self> {
        let peer = |place: u8, manner| {
            (Reachable { id: id(place), member: true, configured: true }, manner)
        };
        Self::with((0..).zip(peers).map(|(place, manner)| peer(place, manner)).collect())
    }

    fn with(peers: Vec<(Reachable, Manner)>) -> Arc<Self> {
        let set = truth().sets[0].clone();
        let hash = truth().chain.chain_id;
        Arc::new(Self {
            peers,
            is_member: false,
            here: Mutex::new(Here { height: Height::new(0), hash, set, is_member: false }),
            waiting: Mutex::default(),
            moved: Notify::new(),
            blamed: Mutex::default(),
            asked: Mutex::default(),
        })
    }

    /// Commits what was fed, as an engine does: only what it has not, and only the truth.
    fn commit(&self) {
        let Some(finals) = self.waiting.lock().unwrap().0.pop() else { return };
        let mut here = self.here.lock().unwrap();
        for block in finals.blocks {
            let header = &block.header;
            if header.height <= here.height {
                continue;
            }
            assert_eq!((header.height, header.parent), (here.height.next(), here.hash), "in order");
            assert_eq!(block, block_at(header.height).block, "nothing but the truth");
            (here.height, here.hash) = (header.height, block.hash());
            if header.kind == BlockKind::Barrier {
                here.set = truth().sets[1].clone();
            }
        }
        drop(here);
        self.moved.notify_one();
    }

    fn height(&self) -> Height {
        self.here.lock().unwrap().height
    }

    /// Catches up, with an engine that commits every few milliseconds.
    async fn catch_up(self: &Arc<Self>, fault_model: FaultModel) -> SyncProgress {
        let (running, progress) = self.start(fault_model, None);
        let deadline = Instant::now() + PATIENCE;
        while self.height() < truth().chain.height() {
            assert!(Instant::now() < deadline, "at {} with {:?}", self.height(), self.peers);
            assert!(!running.is_finished());
            self.commit();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        running.abort();
        *progress.borrow()
    }

    fn start(
        self: &Arc<Self>,
        fault_model: FaultModel,
        checkpoint: Option<Checkpoint>,
    ) -> (tokio::task::JoinHandle<WrongChain>, watch::Receiver<SyncProgress>) {
        let chain_id = truth().chain.chain_id;
        let rules = Rules { chain_id, fault_model, verifier: Arc::new(Ed25519), checkpoint };
        let (sender, progress) = watch::channel(SyncProgress::unknown());
        let fetcher = Fetcher::new(Arc::clone(self), rules, Counters::default(), sender);
        (tokio::spawn(fetcher.run()), progress)
    }
}

impl Others for Fake {
    fn reachable(&self) -> Vec<Reachable> {
        self.peers.iter().map(|(peer, _)| *peer).collect()
    }

    async fn ask(
        &self,
        peer: PeerId,
        request: Request,
        patience: Duration,
    ) -> Result<(Response, usize), Failed> {
        let manner = self.peers.iter().find(|(it, _)| it.id == peer).unwrap().1;
        let response = match request {
            Request::Status => Response::Status(manner.status()),
            Request::Finals { from, until } => {
                *self.asked.lock().unwrap().entry(peer).or_default() += 1;
                match manner {
                    Manner::Silent => {
                        tokio::time::sleep(patience).await;
                        return Err(AskError::TimedOut.into());
                    }
                    Manner::Garbage => return Err(Failed::Malformed("nothing".into())),
                    Manner::Slow(pause) => tokio::time::sleep(pause).await,
                    _ => tokio::time::sleep(Duration::from_millis(5)).await,
                }
                manner.finals(from, until)
            }
            Request::Manifest(_) | Request::Chunk { .. } => panic!("nobody offers snapshots"),
        };
        let bytes = codec::encode(&response);
        Ok((codec::decode(&bytes).unwrap(), bytes.len()))
    }

    fn blame(&self, peer: &PeerId, why: &str) {
        self.blamed.lock().unwrap().insert(*peer, why.to_owned());
    }
}

impl World for Fake {
    fn here(&self) -> Here {
        Here { is_member: self.is_member, ..self.here.lock().unwrap().clone() }
    }

    fn best_final(&self) -> Height {
        Height::new(0)
    }

    async fn feed(&self, finals: Finals, _: usize) {
        let mut waiting = self.waiting.lock().unwrap();
        waiting.0.insert(0, finals);
        waiting.1 = waiting.1.max(waiting.0.len());
    }

    async fn changed(&self) {
        self.moved.notified().await;
    }
}

const SLOW: Manner = Manner::Slow(Duration::from_millis(1500));

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fresh_node_catches_up_although_one_peer_lies_one_is_slow_and_one_has_nothing() {
    for lie in Manner::LIES {
        let node = Fake::new([lie, SLOW, Manner::EmptyHanded, Manner::Honest]);
        let began = Instant::now();
        let progress = node.catch_up(FaultModel::Byzantine).await;
        let seconds = began.elapsed().as_secs_f64();
        println!("{BLOCKS} blocks with {lie:?} in {seconds:.2} s");
        let blamed = node.blamed.lock().unwrap().clone();
        assert_eq!(blamed.keys().copied().collect::<Vec<_>>(), [id(0)], "{lie:?}: {blamed:?}");
        assert_eq!(node.asked.lock().unwrap()[&id(0)], 1, "not asked again: {lie:?}");
        assert!(progress.heard == 4 && progress.target == truth().chain.height());
        assert!(node.waiting.lock().unwrap().1 <= 2, "as fast as the engine commits");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_and_boasting_peers_hold_nobody_up_for_long() {
    for manner in [Manner::Silent, Manner::Boasting] {
        let node = Fake::new([manner, Manner::EmptyHanded, Manner::Honest, Manner::Honest]);
        node.catch_up(FaultModel::Byzantine).await;
        assert!(node.blamed.lock().unwrap().is_empty(), "{manner:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_honest_peers_share_the_work() {
    let node = Fake::new([Manner::Honest; 4]);
    node.catch_up(FaultModel::Byzantine).await;
    let asked = node.asked.lock().unwrap().clone();
    assert!(asked.len() == 4 && asked.values().all(|questions| *questions >= 2), "{asked:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_validators_only_crash_their_word_counts_and_that_of_guests_does_not() {
    let peer = |place, member| Reachable { id: id(place), member, configured: false };
    let peers = vec![
        (peer(0, false), Manner::OtherSignature),
        (peer(1, true), Manner::Honest),
        (peer(2, true), SLOW),
        (peer(3, false), Manner::Boasting),
    ];
    let node = Fake::with(peers);
    node.catch_up(FaultModel::Crash).await;
    let asked = node.asked.lock().unwrap().clone();
    assert!(!asked.contains_key(&id(0)) && !asked.contains_key(&id(3)), "{asked:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_without_the_block_of_the_checkpoint_is_refused_before_it_is_taken() {
    for (height, agrees) in [(1_500, false), (1_500, true)] {
        let height = Height::new(height);
        let hash = if agrees { block_at(height).block.hash() } else { Digest([1; 32]) };
        let node = Fake::new([Manner::Honest, Manner::Honest]);
        let checkpoint = Checkpoint { height, hash };
        let (running, _) = node.start(FaultModel::Byzantine, Some(checkpoint));
        let deadline = Instant::now() + PATIENCE;
        while !running.is_finished() && node.height() < truth().chain.height() {
            assert!(Instant::now() < deadline);
            node.commit();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        if agrees {
            running.abort();
            continue;
        }
        let found = running.await.unwrap().found;
        assert_eq!(found, block_at(height).block.hash());
        assert!(node.height() < height);
        let error = CheckpointError { checkpoint, found }.to_string();
        assert!(error.contains("1500") && error.contains(&found.to_string()), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_not_synced_before_it_heard_of_a_quorum() {
    // Two of four: it cannot know whether it lacks something.
    let node = Fake::new([Manner::Honest, Manner::Honest]);
    let progress = node.catch_up(FaultModel::Byzantine).await;
    assert_eq!((progress.heard, progress.needed), (2, 3));
    assert!(!progress.is_synced(truth().chain.height(), 16));
}

fn run(from: u64, until: u64, bytes: usize) -> Run {
    let finals = true_run(Height::new(from), Height::new(until)).unwrap();
    Run { supplier: id(from as u8 % 4), finals, bytes, checked: true }
}

#[test]
fn the_window_is_bounded_in_pieces_and_in_bytes() {
    let (now, root) = (Instant::now(), Height::new(0));
    let mut window = Window::new(root);
    window.slide(root, Height::new(u64::MAX - 1));
    let wanted = window.wanted(now);
    assert_eq!(wanted.len(), 12);
    assert_eq!((wanted[0].0.from, wanted[11].0.until), (Height::new(1), Height::new(12 * 96)));

    // So much is held above that only the lowest piece is still worth a question.
    for (piece, _) in &wanted[1..5] {
        let (from, until) = (piece.from.get(), piece.until.get());
        window.put(*piece, run(from, until, 12 << 20));
    }
    let left: Vec<Height> = window.wanted(now).iter().map(|(piece, _)| piece.from).collect();
    assert_eq!(left, [Height::new(1)]);
    assert!(window.front().is_none(), "the lowest is missing");

    // Nobody is asked for the same by more than three, each once the one before is late.
    let piece = wanted[0].0;
    for (place, seconds) in [(0, 0), (1, 3), (2, 6)] {
        let now = now + Duration::from_secs(seconds);
        assert_eq!(window.wanted(now)[0].1.len(), place);
        window.asked(piece.piece, id(place as u8), now);
    }
    assert!(window.wanted(now + Duration::from_secs(60)).is_empty());
}

#[test]
fn runs_come_out_in_order_and_what_a_liar_gave_is_wanted_again() {
    let (now, root) = (Instant::now(), Height::new(0));
    let mut window = Window::new(root);
    window.slide(root, Height::new(200));
    let wanted = window.wanted(now);
    // In two parts; the second goes on into the next piece, which begins later then.
    let (first, second) = (run(1, 40, 10), run(41, 97, 10));
    let (middle, end) = (first.last().next(), second.last());
    assert_eq!((middle, end), (Height::new(41), Height::new(97)));
    window.put(wanted[0].0, first);
    window.put(wanted[0].0, second);
    assert_eq!(window.wanted(now)[0].0.from, Height::new(98));
    // A late answer to a question that is answered changes nothing.
    window.put(wanted[0].0, run(1, 40, 10));

    window.drop_of(&id(41 % 4));
    assert_eq!(window.wanted(now)[0].0.from, Height::new(1), "both came from it");
    window.put(wanted[0].0, run(1, 40, 10));
    assert_eq!(window.take_front().map(|run| run.first()), Some(Height::new(1)));
    // What the engine has by now is wanted no more.
    window.slide(Height::new(60), Height::new(200));
    assert_eq!(window.wanted(now)[0].0.from, Height::new(61));
}

/// What peers ask and answer, mutated. A run of blocks that was changed is found out.
#[test]
fn fuzz_questions_and_answers() {
    let offer = Offer { height: Height::new(7), id: Digest([7; 32]) };
    let questions = [
        Request::Status,
        Request::Finals { from: Height::new(1), until: Height::new(9) },
        Request::Manifest(offer),
        Request::Chunk { offer, index: 3 },
    ];
    let samples = questions.iter().map(codec::encode);
    let target = fuzz::Target::new("sync-request", Form::Codec, samples, |bytes| {
        let Ok(request) = codec::decode::<Request>(bytes) else { return false };
        assert_eq!(codec::encode(&request), bytes);
        assert!(request.max_answer() <= crate::network::MAX_ANSWER);
        true
    });
    target.check();

    let run = true_run(Height::new(1), Height::new(9)).unwrap();
    let answers = [
        Response::Status(Manner::Honest.status()),
        Response::Finals(Some(run)),
        Response::Finals(None),
        Response::Manifest(Some(vec![7; 40])),
        Response::Chunk(None),
    ];
    let samples: Vec<Vec<u8>> = answers.iter().map(codec::encode).collect();
    let (chain_id, set) = (truth().chain.chain_id, &truth().sets[0]);
    let target = fuzz::Target::new("sync-reply", Form::Codec, samples, |bytes| {
        let Ok(response) = codec::decode::<Response>(bytes) else { return false };
        assert_eq!(codec::encode(&response), bytes);
        if let Response::Finals(Some(finals)) = response
            && check::form(&finals, Height::new(1), &chain_id).is_ok()
            && check::proof(&finals, &chain_id, set, &Ed25519).is_ok()
        {
            let true_blocks = truth().chain.blocks.iter().map(|item| &item.block);
            assert!(finals.blocks.iter().eq(true_blocks.take(finals.blocks.len())), "a lie passes");
        }
        true
    });
    target.slow(2).check();
}
