//! HotStuff, of the crate `hotstuff_rs`: its replicas with their threads, its network and its
//! key-value store in memory.
//!
//! A block's payloads are one datum, hashed as a whole: the crate keeps each datum under a key of
//! its own, and its documentation leaves it to the application how many there are.

mod network;
mod store;

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{anyhow, ensure};
use hotstuff_rs::app::{
    App, ProduceBlockRequest, ProduceBlockResponse, ValidateBlockRequest, ValidateBlockResponse,
};
use hotstuff_rs::block_tree::accessors::internal::BlockTreeError;
use hotstuff_rs::block_tree::accessors::public::BlockTreeCamera;
use hotstuff_rs::replica::{Configuration, Replica, ReplicaSpec};
use hotstuff_rs::types::crypto_primitives::{CryptoHasher, Digest as _};
use hotstuff_rs::types::data_types::{
    BlockHeight, BufferSize, ChainID, CryptoHash, Data, Datum, EpochLength, Power,
};
use hotstuff_rs::types::update_sets::AppStateUpdates;
use hotstuff_rs::types::validator_set::{SigningKey, ValidatorSet, ValidatorSetState};

use self::network::Wire;
use self::store::Memory;
use super::{Load, Ordered, Since, VALIDATORS};

/// Blocks before anything is measured.
const WARM_UP: u64 = 36;
/// Before a view is given up, in whole seconds, or the crate takes it for less. The first view
/// has no leader and ends in this way; no other one does.
const VIEW_TIME: Duration = Duration::from_secs(3);
/// More views than there are.
const EPOCH: u32 = 10_000;
/// Nobody has to catch up.
const NEVER: Duration = Duration::from_secs(24 * 3600);
/// How long a block may take, with everything before it.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked how far they are.
const LOOK: Duration = Duration::from_millis(1);

pub(super) fn order(load: Load) -> anyhow::Result<Ordered> {
    let block_bytes = if load.payloads == 1 { 0 } else { load.block_bytes() };
    let replicas = start(block_bytes);
    let camera = replicas[0].block_tree_camera();
    let first = wait_for(camera, WARM_UP)?;
    let since = Since::now()?;
    let last = wait_for(camera, WARM_UP + load.blocks)?;
    let ordered = since.until_now(last.height - first.height)?;
    ensure!(last.view - first.view == ordered.blocks, "a view of hotstuff_rs failed");
    Ok(ordered)
}

/// A block that was decided.
struct Decided {
    height: u64,
    /// That of its parent.
    view: u64,
}

/// The highest block, once it is at least so high.
fn wait_for(camera: &BlockTreeCamera<Memory>, height: u64) -> anyhow::Result<Decided> {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        let decided = highest(camera).map_err(|error| anyhow!("hotstuff_rs: {error:?}"))?;
        match decided {
            Some(decided) if decided.height >= height => return Ok(decided),
            _ => thread::sleep(LOOK),
        }
    }
    Err(anyhow!("hotstuff_rs did not decide {height} blocks within {PATIENCE:?}"))
}

fn highest(camera: &BlockTreeCamera<Memory>) -> Result<Option<Decided>, BlockTreeError> {
    let now = camera.snapshot();
    let Some(block) = now.highest_committed_block()? else { return Ok(None) };
    let height = now.block_height(&block)?.map_or(0, |height: BlockHeight| height.int());
    Ok(Some(Decided { height, view: now.block_justify(&block)?.view.int() }))
}

/// Starts four replicas. They end when they are dropped.
fn start(block_bytes: usize) -> Vec<Replica<Memory>> {
    let keys: Vec<SigningKey> =
        (1..=VALIDATORS as u8).map(|seed| SigningKey::from_bytes(&[seed; 32])).collect();
    let members: Vec<_> = keys.iter().map(SigningKey::verifying_key).collect();
    let mut validators = ValidatorSet::new();
    for member in &members {
        validators.put(member, Power::new(1));
    }
    let genesis = ValidatorSetState::new(validators.clone(), validators, None, true);
    let replica = |(key, wire): (SigningKey, Wire)| {
        let store = Memory::default();
        Replica::initialize(store.clone(), AppStateUpdates::new(), genesis.clone());
        ReplicaSpec::builder()
            .app(Opaque { block_bytes })
            .network(wire)
            .kv_store(store)
            .configuration(configuration(key))
            .build()
            .start()
    };
    keys.into_iter().zip(network::between(&members)).map(replica).collect()
}

fn configuration(key: SigningKey) -> Configuration {
    Configuration::builder()
        .me(key)
        .chain_id(ChainID::new(1))
        .block_sync_request_limit(10)
        // See the network, which makes those wait who advertise.
        .block_sync_server_advertise_time(Duration::ZERO)
        .block_sync_response_timeout(VIEW_TIME)
        .block_sync_blacklist_expiry_time(NEVER)
        .block_sync_trigger_min_view_difference(u64::MAX)
        .block_sync_trigger_timeout(NEVER)
        // The crate counts the bytes that go in and never those that go out, and drops messages
        // once the sum is too large.
        .progress_msg_buffer_capacity(BufferSize::new(u64::MAX))
        .epoch_length(EpochLength::new(EPOCH))
        .max_view_time(VIEW_TIME)
        // Logging, as any handler of events, starts a thread that asks for events without pause.
        .log_events(false)
        .build()
}

/// Orders blocks of bytes.
struct Opaque {
    block_bytes: usize,
}

fn hash(data: &Data) -> CryptoHash {
    let mut hasher = CryptoHasher::new();
    for datum in data.iter() {
        hasher.update(datum.bytes());
    }
    CryptoHash::new(hasher.finalize().into())
}

impl App<Memory> for Opaque {
    fn produce_block(&mut self, request: ProduceBlockRequest<'_, Memory>) -> ProduceBlockResponse {
        let view = request.cur_view().int().to_le_bytes();
        let mut block = vec![0; self.block_bytes.max(view.len())];
        block[..view.len()].copy_from_slice(&view);
        let data = Data::new(vec![Datum::new(block)]);
        ProduceBlockResponse {
            data_hash: hash(&data),
            data,
            app_state_updates: None,
            validator_set_updates: None,
        }
    }

    fn validate_block(
        &mut self,
        request: ValidateBlockRequest<'_, '_, Memory>,
    ) -> ValidateBlockResponse {
        let block = request.proposed_block();
        if hash(&block.data) == block.data_hash {
            ValidateBlockResponse::Valid { app_state_updates: None, validator_set_updates: None }
        } else {
            ValidateBlockResponse::Invalid
        }
    }

    fn validate_block_for_sync(
        &mut self,
        request: ValidateBlockRequest<'_, '_, Memory>,
    ) -> ValidateBlockResponse {
        self.validate_block(request)
    }
}
