//! Where members listen. Each tells it to everyone, in gossip that it signed: so those meet whose
//! configurations do not name each other, because one came later or has a new network key.

use std::time::{Duration, Instant};

use bincode::{Decode, Encode};
use chain::codec::Bounded;
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

/// Most addresses of one member that are dialled.
const MAX_ADDRESSES: usize = 8;
/// How often a node tells its addresses.
const REPEAT: Duration = Duration::from_secs(10);
/// How soon it does once somebody new can hear it. Many come at one time.
const SOON: Duration = Duration::from_millis(100);

/// What a member says about itself, as text, like `/ip4/10.0.0.2/tcp/26656`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Announcement(Vec<String>);

impl Bounded for Announcement {
    const MAX_BYTES: usize = 2048;
}

impl Announcement {
    /// Of a node that listens on these addresses.
    pub(super) fn new(listening: &[Multiaddr]) -> Self {
        let mut reachable: Vec<&Multiaddr> =
            listening.iter().filter(|address| !is_loopback(address)).collect();
        if reachable.is_empty() {
            reachable = listening.iter().collect();
        }
        Self(reachable.into_iter().take(MAX_ADDRESSES).map(ToString::to_string).collect())
    }

    /// What can be dialled: TCP and nothing else. Addresses of the own machine mean one that only
    /// `local` nodes share.
    pub(super) fn addresses(&self, local: bool) -> Vec<Multiaddr> {
        let parsed = self.0.iter().filter_map(|text| text.parse().ok());
        let usable = parsed.filter(|address| is_tcp(address) && (local || !is_loopback(address)));
        usable.take(MAX_ADDRESSES).collect()
    }
}

/// When a node tells its addresses next.
#[derive(Debug)]
pub(super) struct Announcer {
    next: Instant,
}

impl Announcer {
    pub(super) fn new(now: Instant) -> Self {
        Self { next: now }
    }

    /// Somebody who may not know them can hear now.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.next = self.next.min(now + SOON);
    }

    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let due = now >= self.next;
        if due {
            self.next = now + REPEAT;
        }
        due
    }
}

/// Whether it leads to the machine that dials.
pub(super) fn is_loopback(address: &Multiaddr) -> bool {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => ip.is_loopback(),
        Some(Protocol::Ip6(ip)) => ip.is_loopback(),
        _ => false,
    }
}

/// Whether it is a host and a TCP port.
pub(crate) fn is_tcp(address: &Multiaddr) -> bool {
    let mut parts = address.iter();
    let host = match parts.next() {
        Some(Protocol::Ip4(ip)) => !ip.is_unspecified(),
        Some(Protocol::Ip6(ip)) => !ip.is_unspecified(),
        Some(Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_)) => true,
        _ => false,
    };
    host && matches!(parts.next(), Some(Protocol::Tcp(1..))) && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<Multiaddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_node_tells_what_others_can_reach() {
        let both = addresses(&["/ip4/127.0.0.1/tcp/1", "/ip4/10.0.0.2/tcp/1"]);
        let told = Announcement::new(&both).addresses(true);
        assert_eq!(told, addresses(&["/ip4/10.0.0.2/tcp/1"]));
        let local = addresses(&["/ip4/127.0.0.1/tcp/1"]);
        let announcement = Announcement::new(&local);
        assert_eq!(announcement.addresses(true), local);
        assert!(announcement.addresses(false).is_empty());
    }

    #[test]
    fn what_is_no_tcp_address_is_not_dialled() {
        let told = ["nonsense", "/ip4/0.0.0.0/tcp/1", "/ip4/10.0.0.2/udp/1", "/ip4/10.0.0.2/tcp/0"];
        let with_id = format!("/ip4/10.0.0.2/tcp/1/p2p/{}", libp2p::PeerId::random());
        let good = "/dns4/validator.example/tcp/26656";
        let told = told.into_iter().chain([with_id.as_str(), good]).map(str::to_owned).collect();
        assert_eq!(Announcement(told).addresses(true), addresses(&[good]));
        let many = (1..100).map(|port| format!("/ip4/10.0.0.2/tcp/{port}")).collect();
        assert_eq!(Announcement(many).addresses(true).len(), MAX_ADDRESSES);
    }

    #[test]
    fn telling_is_rare_and_sooner_when_somebody_comes() {
        let start = Instant::now();
        let mut announcer = Announcer::new(start);
        assert!(announcer.is_due(start) && !announcer.is_due(start + REPEAT / 2));
        announcer.hurry(start + SOON);
        assert!(!announcer.is_due(start + SOON) && announcer.is_due(start + 2 * SOON));
    }
}
