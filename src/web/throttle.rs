//! How often somebody may try a password: five times for each name, twenty times from each address, in a quarter of an
//! hour.
//!
//! Counted whether the name exists or not, so that nothing can be told from it. Kept in memory, for a bounded number of
//! names and addresses.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

const TRIES_OF_A_NAME: u32 = 5;
const TRIES_OF_AN_ADDRESS: u32 = 20;
const SPAN: SignedDuration = SignedDuration::from_mins(15);
/// So many names and addresses are remembered at most.
const REMEMBERED: usize = 20_000;

#[derive(Debug, Clone, Copy)]
struct Tries {
    count: u32,
    since: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Name(String),
    Address(IpAddr),
}

/// Tries of late.
#[derive(Debug, Default)]
pub(crate) struct Throttle(Mutex<HashMap<Key, Tries>>);

impl Throttle {
    /// Counts one try, and says whether it may be made. It is counted before it is made, so that a thousand at once are
    /// no more than a thousand in a row.
    pub(crate) fn admits(&self, name: &str, address: IpAddr, now: Timestamp) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED {
            all.retain(|_, tries| now.duration_since(tries.since) < SPAN);
        }
        if all.len() >= REMEMBERED {
            // The older half at once, so that a flood of names is no work for each of them.
            let mut times: Vec<Timestamp> = all.values().map(|tries| tries.since).collect();
            let (_, middle, _) = times.select_nth_unstable(REMEMBERED / 2);
            let middle = *middle;
            all.retain(|_, tries| tries.since > middle);
        }
        let keys = [(Key::Address(network_of(address)), TRIES_OF_AN_ADDRESS), (Key::Name(name.to_owned()), TRIES_OF_A_NAME)];
        for (key, most) in keys {
            let tries = all.entry(key).or_insert(Tries { count: 0, since: now });
            if now.duration_since(tries.since) >= SPAN {
                *tries = Tries { count: 0, since: now };
            }
            if tries.count >= most {
                return false;
            }
            tries.count += 1;
        }
        true
    }

    /// The password was right: the name's tries are forgotten, and this one of the address is.
    pub(crate) fn forgive(&self, name: &str, address: IpAddr) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&Key::Name(name.to_owned()));
        if let Some(tries) = all.get_mut(&Key::Address(network_of(address))) {
            tries.count = tries.count.saturating_sub(1);
        }
    }
}

/// What one visitor can change at will counts as one address: the lower half of a v6 address.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap()
    }

    #[test]
    fn five_tries_a_name_and_twenty_an_address() {
        let throttle = Throttle::default();
        let address = |n: u32| IpAddr::from(n.to_be_bytes());
        let admitted = (0..1_000).filter(|n| throttle.admits("edith", address(*n), at(0))).count();
        assert_eq!(admitted, 5, "from a thousand addresses");
        let one = address(77_000);
        let admitted = (0..1_000).filter(|n| throttle.admits(&format!("name {n}"), one, at(0))).count();
        assert_eq!(admitted, 20, "with a thousand names");
        assert!(!throttle.admits("edith", address(9_000), at(14)) && throttle.admits("edith", address(9_000), at(15)));
    }

    #[test]
    fn neighbors_in_one_v6_network_are_one_address() {
        let throttle = Throttle::default();
        let admitted = (0..100).filter(|n| throttle.admits(&n.to_string(), format!("2001:db8::{n}").parse().unwrap(), at(0))).count();
        assert_eq!(admitted, 20);
        assert!(throttle.admits("x", "2001:db8:0:1::1".parse().unwrap(), at(0)));
    }

    #[test]
    fn a_right_password_forgives() {
        let throttle = Throttle::default();
        let address = "192.0.2.1".parse().unwrap();
        for _ in 0..100 {
            assert!(throttle.admits("edith", address, at(0)));
            throttle.forgive("edith", address);
        }
    }

    #[test]
    fn memory_is_bounded() {
        let throttle = Throttle::default();
        for n in 0..30_000u32 {
            throttle.admits(&n.to_string(), IpAddr::from(n.to_be_bytes()), at(i64::from(n / 10_000)));
        }
        assert!(throttle.0.lock().unwrap().len() <= REMEMBERED + 2);
    }
}
