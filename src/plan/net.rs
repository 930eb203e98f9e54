//! Sets of IP networks: longest prefix wins.

use std::net::IpAddr;

use hashbrown::HashMap;

/// Networks with a payload each; look-up tries the prefix lengths that occur, longest first.
#[derive(Clone, Debug, Default)]
pub struct CidrSet {
    /// By prefix length (0–128, IPv4 mapped into IPv6), longest first.
    lengths: Vec<(u8, HashMap<u128, u32, foldhash::fast::FixedState>)>,
}

/// An address as 128 bits; IPv4 is mapped, so that `::ffff:10.0.0.1` and `10.0.0.1` are one.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_ipv6_mapped()),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

fn mask(length: u8) -> u128 {
    if length == 0 { 0 } else { u128::MAX << (128 - u32::from(length)) }
}

/// Reads `10.0.0.0/8`, `fd00::/8`, or a single address.
pub fn parse_network(text: &str) -> Option<(IpAddr, u8)> {
    let text = text.trim();
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length.parse::<u8>().ok()?)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let length = length.unwrap_or(most);
    (length <= most).then_some((address, length))
}

impl CidrSet {
    /// Adds a network; the first of two equal ones keeps its payload.
    pub fn insert(&mut self, address: IpAddr, length: u8, payload: u32) {
        let length = if address.is_ipv4() { length + 96 } else { length };
        let at = match self.lengths.binary_search_by(|(l, _)| length.cmp(l)) {
            Ok(at) => at,
            Err(at) => {
                self.lengths.insert(at, (length, HashMap::default()));
                at
            }
        };
        self.lengths[at].1.entry(bits(address) & mask(length)).or_insert(payload);
    }

    /// The networks: bits of the prefix, address, payload. In an order of their own.
    pub fn sorted(&self) -> Vec<(u8, u128, u32)> {
        let of = |(length, nets): &(u8, HashMap<u128, u32, _>)| {
            let length = *length;
            nets.iter().map(move |(net, payload)| (length, *net, *payload)).collect::<Vec<_>>()
        };
        let mut all: Vec<_> = self.lengths.iter().flat_map(of).collect();
        all.sort_unstable();
        all
    }

    /// The payload of the longest network that holds the address.
    pub fn find(&self, address: &str) -> Option<u32> {
        let address = bits(address.parse().ok()?);
        self.lengths.iter().find_map(|(length, nets)| nets.get(&(address & mask(*length))).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longest_prefix_wins() {
        let mut set = CidrSet::default();
        for (i, net) in ["10.0.0.0/8", "10.1.0.0/16", "fd00::/8", "0.0.0.0/0"].iter().enumerate() {
            let (address, length) = parse_network(net).expect("a network");
            set.insert(address, length, i as u32);
        }
        assert_eq!(set.find("10.1.2.3"), Some(1));
        assert_eq!(set.find("10.2.2.3"), Some(0));
        assert_eq!(set.find("::ffff:10.2.2.3"), Some(0));
        assert_eq!(set.find("fd12::1"), Some(2));
        assert_eq!(set.find("8.8.8.8"), Some(3));
        assert_eq!(set.find("2001::1"), None);
        assert_eq!(set.find("x"), None);
        assert_eq!(parse_network("10.0.0.0/33"), None);
    }
}
