//! Pages of a scan.

use chain::namespace;
use chain::reading::ReadToken;
use chain::state::State;
use node_api::kv::KvEntry;
use node_api::{ApiError, HexBytes};

use super::may_read;

/// Most bytes of keys and values in one page of a scan; one entry always fits.
const PAGE_BYTES: usize = 256 * 1024;

/// One page of the keys with a prefix, from `start` on, and where the next one starts.
///
/// # Errors
/// [`ApiError`] where a key of the page may not be read: nothing is left out silently.
pub(super) fn page(
    state: &State,
    prefix: &[u8],
    start: Option<&[u8]>,
    limit: usize,
    token: Option<&ReadToken>,
) -> Result<(Vec<KvEntry>, Option<HexBytes>), ApiError> {
    may_read(state, prefix, token)?;
    // A scan starts after a key: the key itself comes in by hand.
    let first = start
        .filter(|start| start.starts_with(prefix))
        .and_then(|start| Some((start, state.entry(start)?)));
    let mut rest = first.into_iter().chain(state.scan(prefix, start)).peekable();
    let mut entries = Vec::new();
    let mut bytes = 0;
    // The namespace that was found readable last.
    let mut open = None;
    while let Some((key, entry)) = rest.peek() {
        bytes += key.len() + entry.value.len();
        let name = namespace::name_of(key);
        let readable =
            if name == open { Ok(()) } else { may_read(state, key, token).map(|()| open = name) };
        if entries.len() == limit || (bytes > PAGE_BYTES && !entries.is_empty()) {
            // A key that may not be read is not named either: its namespace is.
            let next = match (readable, name) {
                (Err(_), Some(name)) => [name, b"/"].concat(),
                _ => key.to_vec(),
            };
            return Ok((entries, Some(HexBytes(next))));
        }
        readable?;
        entries.push(KvEntry {
            key: key.to_vec().into(),
            value: entry.value.clone().into(),
            version: entry.version,
        });
        rest.next();
    }
    Ok((entries, None))
}
