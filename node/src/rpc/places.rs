//! Places for connections: so many in all, and for no client so many that none are left for others.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The places of a server; clones share them.
#[derive(Clone, Debug)]
pub(super) struct Places(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: usize,
    taken: Mutex<Taken>,
}

/// Invariant: `all` is the sum over the clients, none of which has zero.
#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_client: HashMap<IpAddr, usize>,
}

/// One taken place; free again when dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    client: IpAddr,
}

impl Places {
    pub(super) fn new(most: usize) -> Self {
        Self(Arc::new(Inner { most, taken: Mutex::default() }))
    }

    /// Most connections of one client: half of all.
    fn most_of_one(&self) -> usize {
        self.0.most.div_ceil(2)
    }

    /// A place for a connection from this address; `None` where there is none, or the client has
    /// as many as it may have.
    pub(super) fn take(&self, address: IpAddr) -> Option<Place> {
        let client = client_of(address);
        let mut taken = self.taken();
        let own = taken.by_client.get(&client).copied().unwrap_or(0);
        if taken.all >= self.0.most || own >= self.most_of_one() {
            return None;
        }
        taken.all += 1;
        taken.by_client.insert(client, own + 1);
        Some(Place { places: self.clone(), client })
    }

    // Every change under the lock is complete, whatever panicked elsewhere.
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all -= 1;
        if let Some(own) = taken.by_client.get_mut(&self.client) {
            *own -= 1;
            if *own == 0 {
                taken.by_client.remove(&self.client);
            }
        }
    }
}

/// Who an address belongs to: of IPv6 whoever has the network of 64 bits, which is the least that
/// one gets.
pub(super) fn client_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn nobody_gets_more_than_half_and_all_no_more_than_there_are() {
        let places = Places::new(4);
        let first: Vec<_> = (0..2).map(|_| places.take(ip("10.0.0.1")).unwrap()).collect();
        assert!(places.take(ip("10.0.0.1")).is_none());
        let _second = places.take(ip("10.0.0.2")).unwrap();
        let third = places.take(ip("10.0.0.3")).unwrap();
        assert!(places.take(ip("10.0.0.4")).is_none());
        drop(third);
        let _fourth = places.take(ip("10.0.0.4")).unwrap();
        drop(first);
        assert!(places.take(ip("10.0.0.1")).is_some());
        assert_eq!(places.taken().by_client.len(), 2, "who left is forgotten");
        assert!(Places::new(1).take(ip("10.0.0.1")).is_some());
    }

    #[test]
    fn addresses_of_one_client_count_as_one() {
        assert_eq!(client_of(ip("2001:db8::1")), client_of(ip("2001:db8::ffff:0:0:1")));
        assert_ne!(client_of(ip("2001:db8::1")), client_of(ip("2001:db8:0:1::1")));
        assert_eq!(client_of(ip("::ffff:10.0.0.1")), ip("10.0.0.1"));
        assert_eq!(client_of(ip("::1")), ip("::1"));
    }
}
