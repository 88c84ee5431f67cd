//! Networks, and those that the server may reach of its own accord.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use focus::settings::Network;

/// This machine itself.
pub(crate) const LOOPBACK: [Network; 2] = [v4(Ipv4Addr::new(127, 0, 0, 0), 8), v6(Ipv6Addr::LOCALHOST, 128)];
/// Addresses that mean this machine on some systems.
const UNSPECIFIED: [Network; 2] = [v4(Ipv4Addr::UNSPECIFIED, 8), v6(Ipv6Addr::UNSPECIFIED, 128)];

const fn v4(address: Ipv4Addr, prefix: u8) -> Network {
    Network { address: IpAddr::V4(address), prefix }
}

const fn v6(address: Ipv6Addr, prefix: u8) -> Network {
    Network { address: IpAddr::V6(address), prefix }
}

/// `address/prefix`.
pub(crate) fn network(text: &str) -> Option<Network> {
    let (address, prefix) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let width = if address.is_ipv4() { 32 } else { 128 };
    let prefix = prefix.parse().ok().filter(|prefix| *prefix <= width)?;
    Some(Network { address, prefix })
}

/// The same networks without this machine: who lets a server connect anywhere does not mean the services that listen on loopback
/// because nobody else is to reach them.
pub(crate) fn without_this_machine(networks: &[Network]) -> Vec<Network> {
    let holes = [LOOPBACK, UNSPECIFIED].concat();
    holes.iter().fold(networks.to_vec(), |networks, hole| {
        networks.iter().flat_map(|network| without(*network, *hole)).collect()
    })
}

/// What of a network lies outside of another.
fn without(network: Network, hole: Network) -> Vec<Network> {
    if hole.prefix <= network.prefix && hole.contains(network.address) {
        return Vec::new();
    }
    if !network.contains(hole.address) {
        return vec![network];
    }
    halves(network).into_iter().flat_map(|half| without(half, hole)).collect()
}

fn halves(network: Network) -> [Network; 2] {
    let prefix = network.prefix + 1;
    let half = |upper: bool| {
        let address = match network.address {
            IpAddr::V4(address) => {
                let bit = 1 << (32 - u32::from(prefix));
                IpAddr::V4(Ipv4Addr::from_bits((address.to_bits() & !bit) | if upper { bit } else { 0 }))
            }
            IpAddr::V6(address) => {
                let bit = 1 << (128 - u32::from(prefix));
                IpAddr::V6(Ipv6Addr::from_bits((address.to_bits() & !bit) | if upper { bit } else { 0 }))
            }
        };
        Network { address, prefix }
    };
    [half(false), half(true)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_have_an_address_and_a_prefix() {
        assert_eq!(network("10.0.0.0/8"), Some(v4(Ipv4Addr::new(10, 0, 0, 0), 8)));
        assert_eq!(network("::/0"), Some(v6(Ipv6Addr::UNSPECIFIED, 0)));
        for wrong in ["10.0.0.0", "10.0.0.0/33", "::/129", "10.0.0/8", "/8", "a/8", "10.0.0.0/-1"] {
            assert_eq!(network(wrong), None, "{wrong}");
        }
    }

    // THREATS T18
    #[test]
    fn everywhere_is_everywhere_but_here() {
        let everywhere = without_this_machine(&[network("0.0.0.0/0").unwrap(), network("::/0").unwrap()]);
        let reaches = |address: &str| everywhere.iter().any(|network| network.contains(address.parse().unwrap()));
        for outside in
            ["1.0.0.1", "126.255.255.255", "128.0.0.1", "203.0.113.9", "255.255.255.255", "::2", "2001:db8::1"]
        {
            assert!(reaches(outside), "{outside}");
        }
        for here in ["127.0.0.1", "127.255.255.255", "0.0.0.0", "0.1.2.3", "::1", "::", "::ffff:127.0.0.1"] {
            assert!(!reaches(here), "{here}");
        }
        assert_eq!(without_this_machine(&LOOPBACK), []);
        assert_eq!(without_this_machine(&[network("127.0.0.1/32").unwrap()]), []);
    }
}
