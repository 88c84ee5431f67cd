//! Networks, to say where requests of our own may go.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses with a prefix in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// One of them.
    pub address: IpAddr,
    /// How many leading bits they share.
    pub prefix: u8,
}

impl Network {
    /// Every address there is.
    pub const EVERYWHERE: [Self; 2] = [
        Self { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), prefix: 0 },
        Self { address: IpAddr::V6(Ipv6Addr::UNSPECIFIED), prefix: 0 },
    ];

    /// Whether an address is one of them. An IPv4 address in IPv6 clothes is taken for what it is.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let (own, other, width) = match (self.address.to_canonical(), address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => (u128::from(own.to_bits()), u128::from(other.to_bits()), 32),
            (IpAddr::V6(own), IpAddr::V6(other)) => (own.to_bits(), other.to_bits(), 128),
            _ => return false,
        };
        let free = width - u32::from(self.prefix).min(width);
        own.checked_shr(free).unwrap_or(0) == other.checked_shr(free).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_what_its_prefix_says() {
        let network = |address: &str, prefix| Network { address: address.parse().expect("an address"), prefix };
        for (network, address, within) in [
            (network("10.0.0.0", 8), "10.255.0.1", true),
            (network("10.0.0.0", 8), "11.0.0.1", false),
            (network("10.0.0.0", 8), "::ffff:10.1.2.3", true),
            (network("192.0.2.7", 32), "192.0.2.7", true),
            (network("192.0.2.7", 32), "192.0.2.6", false),
            (network("0.0.0.0", 0), "203.0.113.9", true),
            (network("0.0.0.0", 0), "2001:db8::1", false),
            (network("2001:db8::", 32), "2001:db8:ffff::1", true),
            (network("2001:db8::", 32), "2001:db9::1", false),
            (network("::", 0), "2001:db8::1", true),
        ] {
            assert_eq!(network.contains(address.parse().expect("an address")), within, "{network:?} {address}");
        }
    }
}
