//! Which addresses an HTTP sink may be connected to: public ones, and those that are allowed by name.
//!
//! Checked on the address that is connected to, after the name was resolved, so that neither a name that points
//! inwards nor one that changes between two look-ups gets past. The tables are those of the IANA special-purpose
//! registries (RFC 6890 and its successors).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// A network: an address and the length of its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Net {
    address: IpAddr,
    prefix: u8,
}

impl Net {
    const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Self {
        Self { address: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), prefix }
    }

    const fn v6(first: u16, second: u16, third: u16, prefix: u8) -> Self {
        Self { address: IpAddr::V6(Ipv6Addr::new(first, second, third, 0, 0, 0, 0, 0)), prefix }
    }

    /// Whether an address lies in the network.
    pub fn holds(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(net), IpAddr::V4(address)) => {
                let shift = 32 - u32::from(self.prefix.min(32));
                u32::from(net).checked_shr(shift).unwrap_or(0) == u32::from(address).checked_shr(shift).unwrap_or(0)
            }
            (IpAddr::V6(net), IpAddr::V6(address)) => {
                let shift = 128 - u32::from(self.prefix.min(128));
                u128::from(net).checked_shr(shift).unwrap_or(0) == u128::from(address).checked_shr(shift).unwrap_or(0)
            }
            _ => false,
        }
    }
}

impl FromStr for Net {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let problem = || format!("`{text}` is no network: write an address, or one with a prefix such as 10.0.5.0/24");
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u8>().map_err(|_| problem())?)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().map_err(|_| problem())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(most);
        if prefix > most { Err(problem()) } else { Ok(Self { address, prefix }) }
    }
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// Networks that are not the public Internet.
const PRIVATE_V4: &[Net] = &[
    Net::v4(0, 0, 0, 0, 8),
    Net::v4(10, 0, 0, 0, 8),
    Net::v4(100, 64, 0, 0, 10),
    Net::v4(127, 0, 0, 0, 8),
    Net::v4(169, 254, 0, 0, 16),
    Net::v4(172, 16, 0, 0, 12),
    Net::v4(192, 0, 0, 0, 24),
    Net::v4(192, 0, 2, 0, 24),
    Net::v4(192, 88, 99, 0, 24),
    Net::v4(192, 168, 0, 0, 16),
    Net::v4(198, 18, 0, 0, 15),
    Net::v4(198, 51, 100, 0, 24),
    Net::v4(203, 0, 113, 0, 24),
    Net::v4(224, 0, 0, 0, 4),
    Net::v4(240, 0, 0, 0, 4),
];

/// The same of IPv6. Addresses that carry one of IPv4 in a tunnel are among them, whatever they carry.
const PRIVATE_V6: &[Net] = &[
    // Unspecified, loopback, and the old form of addresses of IPv4.
    Net::v6(0, 0, 0, 96),
    Net::v6(0x64, 0xff9b, 0, 96),
    Net::v6(0x64, 0xff9b, 1, 48),
    Net::v6(0x100, 0, 0, 64),
    Net::v6(0x2001, 0, 0, 23),
    Net::v6(0x2001, 0xdb8, 0, 32),
    Net::v6(0x2002, 0, 0, 16),
    Net::v6(0x3fff, 0, 0, 20),
    Net::v6(0x5f00, 0, 0, 16),
    Net::v6(0xfc00, 0, 0, 7),
    Net::v6(0xfe80, 0, 0, 10),
    Net::v6(0xfec0, 0, 0, 10),
    Net::v6(0xff00, 0, 0, 8),
];

/// Whether a connection to an address is allowed.
pub fn allows(allowed: &[Net], address: IpAddr) -> bool {
    let address = address.to_canonical();
    let private = match address {
        IpAddr::V4(_) => PRIVATE_V4,
        IpAddr::V6(_) => PRIVATE_V6,
    };
    !private.iter().any(|net| net.holds(address)) || allowed.iter().any(|net| net.holds(address))
}

/// A resolver that gives allowed addresses only.
#[derive(Debug)]
pub(super) struct Guard {
    inner: DefaultResolver,
    allowed: Vec<Net>,
}

impl Guard {
    pub(super) fn new(allowed: Vec<Net>) -> Self {
        Self { inner: DefaultResolver::default(), allowed }
    }
}

/// An address that is not public, and not allowed.
#[derive(Debug, thiserror::Error)]
#[error("{0} is not a public address; if alerts are meant to go there, write `allow: [\"{0}\"]`")]
pub(super) struct Denied(IpAddr);

impl Resolver for Guard {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.inner.resolve(uri, config, timeout)?;
        let mut kept = self.empty();
        let mut denied = None;
        for address in found.iter().map(SocketAddr::ip).zip(found.iter()) {
            if allows(&self.allowed, address.0) {
                kept.push(*address.1);
            } else {
                denied = Some(Denied(address.0));
            }
        }
        match denied {
            Some(denied) if kept.is_empty() => Err(ureq::Error::Other(Box::new(denied))),
            _ => Ok(kept),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_public_is_denied() {
        let denied = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.100.100.200",
            "100.127.255.255",
            "127.0.0.1",
            "127.1.2.3",
            "127.255.255.255",
            "169.254.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "192.168.255.255",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:192.168.1.1",
            "::10.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:0:7f00:1::",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:a00:1::",
            "2002:c0a8:101::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00::1",
            "fd00:ec2::254",
            "fdff:ffff::1",
            "fe80::1",
            "fe80::a9fe:a9fe",
            "febf::1",
            "fec0::1",
            "feff::1",
            "ff00::1",
            "ff02::1",
            "ff0e::1",
        ];
        assert!(denied.len() >= 60);
        for address in denied {
            assert!(!allows(&[], address.parse().expect("an address")), "{address}");
        }
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "172.32.0.1",
            "192.0.1.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
        ] {
            assert!(allows(&[], address.parse().expect("an address")), "{address}");
        }
    }

    #[test]
    fn networks_are_allowed_by_name() {
        let allowed: Vec<Net> = ["10.0.5.7/32", "fd00:1::/32"].iter().map(|n| n.parse().expect("a network")).collect();
        let allows = |address: &str| allows(&allowed, address.parse().expect("an address"));
        assert!(allows("10.0.5.7") && allows("::ffff:10.0.5.7") && allows("fd00:1::9"));
        assert!(!allows("10.0.5.8") && !allows("fd00:2::9") && !allows("127.0.0.1"));
        for wrong in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "localhost", "10.0.0.0/x"] {
            assert!(wrong.parse::<Net>().is_err(), "{wrong}");
        }
        assert!("0.0.0.0/0".parse::<Net>().expect("a network").holds("9.9.9.9".parse().expect("an address")));
    }
}
