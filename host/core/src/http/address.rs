//! Which addresses may be dialled: global unicast, and what a scope names besides.
//!
//! The special ranges are those of the IANA special-purpose address registries (RFC 6890 and its updates), multicast, and
//! the addresses at which cloud providers serve credentials.
//!
//! INVARIANT: an address is judged as it is dialled; an IPv6 address that carries an IPv4 one is never judged as the latter.

use alloc::string::String;
use core::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A range of addresses, written `<address>/<prefix length>`; a bare address is a range of one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    first: IpAddr,
    prefix: u8,
}

/// Why a text is no range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a network is an address with a prefix length and no bit set behind it, as `10.0.0.0/8` or `::1/128`"
)]
pub struct ParseNetworkError;

impl Network {
    /// True when `address` lies in the range. Families never mix.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.first, address) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                let mask = mask4(self.prefix);
                address.to_bits() & mask == first.to_bits()
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                let mask = mask6(self.prefix);
                address.to_bits() & mask == first.to_bits()
            }
            _ => false,
        }
    }
}

fn mask4(prefix: u8) -> u32 {
    u32::MAX
        .checked_shl(32_u32.saturating_sub(u32::from(prefix)))
        .unwrap_or(0)
}

fn mask6(prefix: u8) -> u128 {
    u128::MAX
        .checked_shl(128_u32.saturating_sub(u32::from(prefix)))
        .unwrap_or(0)
}

impl FromStr for Network {
    type Err = ParseNetworkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let first: IpAddr = address.parse().map_err(|_| ParseNetworkError)?;
        let most = if first.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => most,
            Some(text) if text.len() > 1 && text.starts_with('0') => return Err(ParseNetworkError),
            Some(text) if !text.bytes().all(|b| b.is_ascii_digit()) => {
                return Err(ParseNetworkError);
            }
            Some(text) => text.parse().map_err(|_| ParseNetworkError)?,
        };
        let network = Self { first, prefix };
        if prefix > most || !network.contains(first) {
            return Err(ParseNetworkError);
        }
        Ok(network)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// An address that may not be dialled, and the range that it lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("address {address} is {range} and the grant names no network that holds it")]
pub struct AddressRefused {
    /// The address.
    pub address: IpAddr,
    /// What kind of address it is.
    pub range: &'static str,
}

/// Judges one address that is about to be dialled, under the networks that the grant names. An IPv4-mapped address is judged
/// as it is written, and then as the IPv4 address that it reaches.
///
/// # Errors
/// [`AddressRefused`] for every address that is not global unicast, unless a granted network holds it.
pub fn check_address(address: IpAddr, granted: &[Network]) -> Result<(), AddressRefused> {
    let reached = address.to_canonical();
    if reached != address {
        check_written(reached, granted)?;
    }
    check_written(address, granted)
}

fn check_written(address: IpAddr, granted: &[Network]) -> Result<(), AddressRefused> {
    match special_range(address) {
        Some(range) if !granted.iter().any(|network| network.contains(address)) => {
            Err(AddressRefused { address, range })
        }
        _ => Ok(()),
    }
}

/// What is special about an address; `None` for global unicast.
#[must_use]
pub fn special_range(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => special4(address),
        IpAddr::V6(address) => special6(address),
    }
}

const V4: [(u32, u8, &str); 18] = [
    (0xa9fe_a9fe, 32, "a metadata service"),
    (0xa83f_8110, 32, "a metadata service"),
    (0x6464_64c8, 32, "a metadata service"),
    (0x0000_0000, 8, "unspecified"),
    (0x0a00_0000, 8, "private"),
    (0x6440_0000, 10, "shared by carriers"),
    (0x7f00_0000, 8, "loopback"),
    (0xa9fe_0000, 16, "link-local"),
    (0xac10_0000, 12, "private"),
    (0xc000_0000, 24, "reserved for protocols"),
    (0xc000_0200, 24, "for documentation"),
    (0xc058_6300, 24, "a 6to4 relay"),
    (0xc0a8_0000, 16, "private"),
    (0xc612_0000, 15, "for benchmarks"),
    (0xc633_6400, 24, "for documentation"),
    (0xcb00_7100, 24, "for documentation"),
    (0xe000_0000, 4, "multicast"),
    (0xf000_0000, 4, "reserved"),
];

fn special4(address: Ipv4Addr) -> Option<&'static str> {
    let bits = address.to_bits();
    V4.iter()
        .find(|(first, prefix, _)| bits & mask4(*prefix) == *first)
        .map(|(.., range)| *range)
}

const V6: [(u128, u8, &str); 15] = [
    (0, 128, "unspecified"),
    (1, 128, "loopback"),
    (0xffff << 32, 96, "IPv4-mapped"),
    (0xffff << 48, 96, "IPv4-translated"),
    (0, 96, "IPv4-compatible"),
    (0x0064_ff9b << 96, 96, "IPv4-embedded"),
    (0x0064_ff9b_0001 << 80, 48, "IPv4-embedded"),
    (0xfe80 << 112, 10, "link-local"),
    (0xfec0 << 112, 10, "site-local"),
    (0xfc00 << 112, 7, "private"),
    (0xff00 << 112, 8, "multicast"),
    (0x2001 << 112, 23, "reserved for protocols"),
    (0x2001_0db8 << 96, 32, "for documentation"),
    (0x2002 << 112, 16, "6to4"),
    (0x3fff << 112, 20, "for documentation"),
];

fn special6(address: Ipv6Addr) -> Option<&'static str> {
    let bits = address.to_bits();
    let known = V6
        .iter()
        .find(|(first, prefix, _)| bits & mask6(*prefix) == *first);
    match known {
        Some((.., range)) => Some(range),
        // Only 2000::/3 is handed out as global unicast; whatever else is there is not for us.
        None if bits & mask6(3) == 0x2000 << 112 => None,
        None => Some("reserved"),
    }
}

#[cfg(test)]
mod tests {
    use alloc::{string::ToString, vec::Vec};

    use super::*;

    fn range(text: &str) -> Option<&'static str> {
        special_range(text.parse().unwrap())
    }

    // Negative control: with the row of a range taken out of the tables, its addresses pass and this fails.
    #[test]
    fn special_addresses_of_every_kind_are_known() {
        for special in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.0.1",
            "169.254.169.254",
            "168.63.129.16",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::ffff:0:8.8.8.8",
            "::7f00:1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ] {
            assert!(range(special).is_some(), "{special} passes");
            assert!(check_address(special.parse().unwrap(), &[]).is_err());
        }
    }

    #[test]
    fn global_addresses_pass() {
        for global in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.1.1.1",
            "128.0.0.1",
            "169.253.1.1",
            "172.15.1.1",
            "172.32.0.1",
            "192.0.1.1",
            "193.0.0.1",
            "198.17.1.1",
            "198.20.1.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "2001:200::1",
            "3ffe::1",
        ] {
            assert_eq!(range(global), None, "{global}");
        }
    }

    /// Negative control: with `check_address` letting everything pass, or with families mixed, this fails.
    #[test]
    fn a_granted_network_opens_exactly_itself() {
        let granted: Vec<Network> = ["127.0.0.0/8", "10.1.0.0/16", "::1/128"]
            .map(|text| text.parse().unwrap())
            .into();
        let may = |text: &str| check_address(text.parse().unwrap(), &granted).is_ok();
        assert!(may("127.0.0.1") && may("10.1.2.3") && may("::1") && may("8.8.8.8"));
        for other in [
            "10.2.0.1",
            "192.168.0.1",
            "::ffff:127.0.0.1",
            "::2",
            "169.254.169.254",
        ] {
            assert!(!may(other), "{other}");
        }
    }

    /// Negative control: with `check_written` asked about the written form alone, the first address passes and this fails (seen).
    #[test]
    fn a_mapped_address_passes_as_it_is_written_and_as_what_it_reaches() {
        let check = |text: &str, granted: &[&str]| {
            let granted: Vec<Network> = granted.iter().map(|one| one.parse().unwrap()).collect();
            check_address(text.parse().unwrap(), &granted).map_err(|refused| refused.range)
        };
        let mapped = "::ffff:0:0/96";
        assert_eq!(check("::ffff:127.0.0.1", &[mapped]), Err("loopback"));
        assert_eq!(
            check("::ffff:127.0.0.1", &["127.0.0.0/8"]),
            Err("IPv4-mapped")
        );
        assert_eq!(check("::ffff:127.0.0.1", &[mapped, "127.0.0.0/8"]), Ok(()));
        assert_eq!(check("::ffff:8.8.8.8", &[mapped]), Ok(()));
        assert_eq!(check("::ffff:8.8.8.8", &[]), Err("IPv4-mapped"));
    }

    /// Negative control: with bits behind the prefix let pass, this fails.
    #[test]
    fn a_network_has_one_way_to_be_written() {
        for good in [
            "10.0.0.0/8",
            "0.0.0.0/0",
            "127.0.0.1/32",
            "::/0",
            "fd00::/8",
        ] {
            assert_eq!(good.parse::<Network>().unwrap().to_string(), good);
        }
        assert_eq!("::1".parse::<Network>().unwrap().to_string(), "::1/128");
        for bad in [
            "",
            "10.0.0.1/8",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/08",
            "10.0.0.0/+8",
            "::1/129",
            "localhost",
            "010.0.0.0/8",
            "10/8",
        ] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }
}
