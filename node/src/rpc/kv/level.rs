//! Which version of the state a read is answered from.

use std::sync::Arc;

use node_api::ApiError;
use node_api::block::BlockStatus;
use node_api::kv::ReadLevel;
use node_api::limits::READ_PATIENCE;

use crate::chain_view::Head;
use crate::rpc::{Context, convert, errors};

/// The state after a block, and how sure it is that the block stays.
pub(super) struct Version {
    pub(super) head: Arc<Head>,
    pub(super) status: BlockStatus,
}

/// The version that a level asks for.
///
/// # Errors
/// [`ApiError`] where it cannot be had in time; never an older one.
pub(super) async fn version(
    context: &Context,
    level: Option<ReadLevel>,
) -> Result<Version, ApiError> {
    let view = &context.view;
    match level.unwrap_or_default() {
        ReadLevel::Final => Ok(Version { head: view.head(), status: BlockStatus::Final }),
        ReadLevel::Ordered => {
            let (head, status) = view.ordered_head();
            Ok(Version { head, status: convert::block_status(status) })
        }
        ReadLevel::Linearizable => {
            let read = context.consensus.read(READ_PATIENCE).await;
            let height = read.map_err(|error| errors::read(&error))?;
            let head = view.head();
            assert!(head.height >= height, "a read is answered after its turn committed");
            Ok(Version { head, status: BlockStatus::Final })
        }
    }
}
