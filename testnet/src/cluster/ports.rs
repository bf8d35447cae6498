//! Free loopback ports.

use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;

use anyhow::bail;
use rand::RngExt;

/// Where to look: below the range from which kernels take the local ports of outgoing connections,
/// so that no client of a running network ends up on the port of a validator that is down.
const RANGE: Range<u16> = 16_000..32_000;

/// Picks `count` distinct ports that nobody listens on at the moment.
///
/// # Errors
/// Where nearly every port is taken.
pub fn free(count: usize) -> anyhow::Result<Vec<u16>> {
    free_in(RANGE, count)
}

fn free_in(range: Range<u16>, count: usize) -> anyhow::Result<Vec<u16>> {
    let mut random = rand::rng();
    // Held until all are found, so that none is found twice.
    let mut held: Vec<(u16, TcpListener)> = Vec::with_capacity(count);
    for _ in 0..count * 200 {
        if held.len() == count {
            break;
        }
        let port = random.random_range(range.clone());
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            held.push((port, listener));
        }
    }
    if held.len() < count {
        bail!(
            "found only {} of {count} free ports between {} and {}",
            held.len(),
            range.start,
            range.end
        );
    }
    Ok(held.into_iter().map(|(port, _)| port).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ports_are_distinct_and_in_range() {
        let ports = free(16).expect("a machine has 16 free ports");
        assert_eq!(ports.iter().collect::<BTreeSet<_>>().len(), 16);
        assert!(ports.iter().all(|port| RANGE.contains(port)), "{ports:?}");
    }

    /// That a port found is free still can't be asked: a process that another thread starts holds
    /// the listeners of this one until it has become the other program.
    #[test]
    fn a_port_that_somebody_listens_on_is_not_found() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let found = free_in(port..port + 1, 1);
        assert!(found.is_err(), "port {port} was found: {found:?}");
    }
}
