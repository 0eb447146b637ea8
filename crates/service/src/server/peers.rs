//! How many connections each address has open, so that one alone does not take all that there are.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bits of an IPv6 address that are one peer's: a network of 64 bits is what one machine chooses its addresses from.
const PEER_BITS: u32 = 64;

/// Open connections by the address that they come from.
#[derive(Debug, Default)]
pub(super) struct Peers(Mutex<HashMap<IpAddr, usize>>);

/// A connection of a peer, for as long as this lives.
#[derive(Debug)]
pub(super) struct Open {
    peers: Arc<Peers>,
    peer: IpAddr,
}

impl Peers {
    /// One more connection of `address`; none where it has `most` already.
    pub(super) fn open(self: &Arc<Self>, address: IpAddr, most: usize) -> Option<Open> {
        let peer = peer_of(address);
        let mut open = self.lock();
        let count = open.entry(peer).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Open { peers: Arc::clone(self), peer })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        // Each change is of one number, and whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut open = self.peers.lock();
        match open.get_mut(&self.peer) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                open.remove(&self.peer);
            }
        }
    }
}

fn peer_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << (u128::BITS - PEER_BITS))).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_peer_has_so_many_and_others_theirs() {
        let peers = Arc::new(Peers::default());
        let open = |address: &str| peers.open(address.parse().unwrap(), 1);
        let first = open("10.0.0.1");
        assert!(first.is_some() && open("10.0.0.1").is_none() && open("::ffff:10.0.0.1").is_none());
        let others = [open("10.0.0.2"), open("2001:db8::1")];
        assert!(others.iter().all(Option::is_some) && open("2001:db8::ffff:2").is_none());
        assert!(open("2001:db8:0:1::1").is_some());
        drop(first);
        assert!(open("10.0.0.1").is_some());
        drop(others);
        assert!(peers.lock().is_empty());
    }
}
