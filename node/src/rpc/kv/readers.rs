//! Whether a client may read what it asks for.

use chain::codec;
use chain::crypto::Ed25519;
use chain::reading::{self, ReadRefusal, ReadToken};
use chain::state::State;
use node_api::{ApiError, ErrorCode, HexBytes};

use crate::clock;
use crate::rpc::{Context, errors};

/// The token in a parameter, checked.
///
/// # Errors
/// [`ApiError`] where it is none, or worth nothing here and now.
pub(in crate::rpc) fn token(
    context: &Context,
    auth: Option<&HexBytes>,
) -> Result<Option<ReadToken>, ApiError> {
    let Some(bytes) = auth else {
        return Ok(None);
    };
    let token: ReadToken = codec::decode(&bytes.0)
        .map_err(|error| errors::invalid(format!("auth is no read token: {error}")))?;
    token
        .check(&context.identity.chain_id, clock::unix_ms(), &Ed25519)
        .map_err(|error| refused(&error))?;
    Ok(Some(token))
}

/// Whether the bearer of a checked token, or of none, may read a key.
///
/// # Errors
/// [`ApiError`] where the rules of its namespace do not allow it.
pub(in crate::rpc) fn may_read(
    state: &State,
    key: &[u8],
    token: Option<&ReadToken>,
) -> Result<(), ApiError> {
    reading::may_read(state, key, token).map_err(|error| refused(&error))
}

/// Whether a token that was checked when a call began still holds.
///
/// # Errors
/// [`ApiError`] where it has expired.
pub(super) fn still_holds(token: Option<&ReadToken>) -> Result<(), ApiError> {
    match token {
        Some(token) if token.claim.expires_ms <= clock::unix_ms() => {
            Err(refused(&ReadRefusal::Expired))
        }
        _ => Ok(()),
    }
}

fn refused(refusal: &ReadRefusal) -> ApiError {
    ApiError::new(ErrorCode::Forbidden, refusal.to_string())
}
