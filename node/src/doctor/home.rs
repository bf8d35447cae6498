//! What is wrong with the files of a node, whether it runs or not.

use chain::types::{Digest, Epoch, Height};
use consensus::engine::{Engine, Promised};
use consensus::registry::Visitor;
use genesis::Genesis;
use genesis::config::NodeConfig;

use super::{Finding, Topic};
use crate::home::Home;
use crate::space;
use crate::storage::OpenError;
use crate::storage::inspect::{self, Contents};

/// Room on the disk above what the node needs, in MiB, below which a warning is due.
const LITTLE_ROOM: u64 = 2 << 10;

/// Keys and disk.
pub(super) fn check(home: &Home, config: &NodeConfig) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Err(error) = home.keys() {
        let advice = "the node does not start with this key file";
        findings.push(Finding::broken(Topic::Home, error.to_string(), advice));
    }
    if config.p2p.peers.is_empty() {
        let says = "p2p.peers is empty: the node waits for others to dial it";
        let advice = "enter some validators in config.toml: /ip4/ADDRESS/tcp/PORT/p2p/PEER_ID";
        findings.push(Finding::warning(Topic::Peer, says, advice));
    }
    findings.extend(disk(home, config.storage.min_free_mib));
    findings
}

fn disk(home: &Home, floor: u64) -> Option<Finding> {
    let data = home.data_path();
    let free = match space::free(&data) {
        Ok(free) => free,
        Err(error) => {
            let says = format!("{}: {error}", data.display());
            let advice = "the node needs this directory, and its owner's right to write there";
            return Some(Finding::broken(Topic::Disk, says, advice));
        }
    };
    room(free >> 20, floor, &data.display().to_string())
}

/// `free` and `floor`, which is `storage.min_free_mib`, in MiB.
fn room(free: u64, floor: u64, place: &str) -> Option<Finding> {
    let says = format!("{free} MiB are left on the disk of {place}");
    let advice = "make room, or let the node delete old blocks (storage.retain_blocks): it takes no \
                  part in consensus while less than storage.min_free_mib is free";
    if free < floor.max(1) {
        let says = format!("{says}, storage.min_free_mib is {floor}");
        return Some(Finding::broken(Topic::Disk, says, advice));
    }
    let little = free < floor.saturating_add(LITTLE_ROOM);
    little.then(|| Finding::warning(Topic::Disk, says, advice))
}

/// The store of a node that does not run: whether it can be opened, and whether what the validator
/// promised is as new as what it holds.
pub(super) fn store(home: &Home, genesis: &Genesis) -> Vec<Finding> {
    let data = home.data_path();
    match genesis.engine.visit(Look { data: &data, chain_id: genesis.hash() }) {
        Ok(found) => compare(&found).into_iter().collect(),
        // Nothing ran here yet.
        Err(OpenError::Missing { .. }) => Vec::new(),
        Err(error) => {
            let advice = "docs/operations/runbook.md, \"The store is damaged\"; never put an old copy \
                          of the data back";
            vec![Finding::broken(Topic::Home, error.to_string(), advice)]
        }
    }
}

/// How far the store is, and what was promised.
#[derive(Debug)]
struct Found {
    height: Height,
    epoch: Epoch,
    recorded: bool,
    promised: Option<Promised>,
}

struct Look<'a> {
    data: &'a std::path::Path,
    chain_id: Digest,
}

impl Visitor for Look<'_> {
    type Output = Result<Found, OpenError>;

    fn visit<E: Engine>(self) -> Self::Output {
        let Contents { final_height, epoch, record, .. } =
            inspect::inspect::<E::Record>(self.data, self.chain_id)?;
        let promised = record.as_ref().and_then(E::promised);
        Ok(Found { height: final_height, epoch, recorded: record.is_some(), promised })
    }
}

fn compare(found: &Found) -> Option<Finding> {
    let advice = "normal where the node followed the chain without a vote, or began with a snapshot. \
                  If its disk or a backup was restored, or its key was used elsewhere: do not start \
                  it, give the validator a new key (docs/operations/runbook.md, \"An old copy was \
                  put back\")";
    let Found { height, epoch, .. } = found;
    let says = match &found.promised {
        _ if height.get() == 0 => return None,
        None if !found.recorded => {
            format!("the store reaches height {height}, and holds no promise of this validator")
        }
        Some(promised) if promised.epoch < *epoch => format!(
            "the safety record is older than the store: it is of epoch {}, the store of epoch {epoch}",
            promised.epoch
        ),
        _ => return None,
    };
    Some(Finding::warning(Topic::SafetyRecord, says, advice))
}

#[cfg(test)]
mod tests {
    use chain::types::View;

    use super::*;
    use crate::doctor::Level;

    #[test]
    fn little_room_is_a_warning_and_none_breaks_the_node() {
        assert_eq!(room(100 + LITTLE_ROOM, 100, "x"), None);
        assert_eq!(room(99 + LITTLE_ROOM, 100, "x").unwrap().level, Level::Warning);
        assert_eq!(room(100, 100, "x").unwrap().level, Level::Warning);
        let none = room(99, 100, "/data").unwrap();
        assert_eq!(none.level, Level::Broken);
        let says = "99 MiB are left on the disk of /data, storage.min_free_mib is 100";
        assert_eq!(none.says, says);
        let any = room(1, 0, "x").unwrap();
        assert_eq!(any.level, Level::Warning, "a node that takes all there is goes on");
        assert_eq!(room(0, 0, "x").unwrap().level, Level::Broken);
    }

    #[test]
    fn a_record_older_than_its_store_is_pointed_out() {
        let promised = |epoch| Promised {
            epoch: Epoch::new(epoch),
            view: View::new(3),
            led: None,
            voted: None,
        };
        let found = |height, promised: Option<Promised>| Found {
            height: Height::new(height),
            epoch: Epoch::new(2),
            recorded: promised.is_some(),
            promised,
        };
        assert!(compare(&found(0, None)).is_none(), "nothing happened yet");
        assert!(compare(&found(9, Some(promised(2)))).is_none());
        assert!(compare(&found(9, None)).unwrap().says.contains("no promise"));
        assert!(compare(&found(9, Some(promised(1)))).unwrap().says.contains("older than"));
    }
}
