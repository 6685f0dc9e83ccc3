//! Which addresses a tenant may make this service call: public ones alone. Otherwise a tenant could
//! have it call what is reachable from here and not from outside: other services of the operator, a
//! cloud's metadata.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Blocks of IPv4 that are not the public internet's (RFC 6890 and its successors), each with the
/// length of its prefix.
const SPECIAL_V4: &[(Ipv4Addr, u32)] = &[
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
    // A cloud's own services for its machines, at a public address.
    (Ipv4Addr::new(168, 63, 129, 16), 32),
];

/// Blocks within `2000::/3`, which alone is handed out, that are not the public internet's or carry an
/// IPv4 address inside.
const SPECIAL_V6: &[(Ipv6Addr, u32)] = &[
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Whether an address is one of the public internet.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let bits = address.to_bits();
            !SPECIAL_V4.iter().any(|(block, length)| (bits ^ block.to_bits()) >> (32 - length) == 0)
        }
        IpAddr::V6(address) => {
            if let Some(mapped) = address.to_ipv4_mapped() {
                return is_public(IpAddr::V4(mapped));
            }
            let bits = address.to_bits();
            bits >> 125 == 1
                && !SPECIAL_V6
                    .iter()
                    .any(|(block, length)| (bits ^ block.to_bits()) >> (128 - length) == 0)
        }
    }
}

/// Whether this node may connect to an address.
pub(crate) fn may_connect(address: IpAddr, loopback: bool) -> bool {
    let own = match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(v6.is_loopback(), |v4| v4.is_loopback()),
        IpAddr::V4(v4) => v4.is_loopback(),
    };
    is_public(address) || loopback && own
}

/// Reads a provider's address as a tenant gives it and writes it in one way; `None` where it is not
/// `https://host[:port]`, or names an address that may not be connected to. What a name leads to is
/// checked at each connection.
pub(crate) fn read_url(text: &str, loopback: bool) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let bare = url.username().is_empty()
        && url.password().is_none()
        && matches!(url.path(), "" | "/")
        && url.query().is_none()
        && url.fragment().is_none();
    let https = url.scheme() == "https";
    let plain = loopback && url.scheme() == "http" && is_here(&url);
    let allowed = match url.host()? {
        Host::Domain(name) => !name.is_empty() && (name != "localhost" || loopback),
        Host::Ipv4(address) => may_connect(address.into(), loopback),
        Host::Ipv6(address) => may_connect(address.into(), loopback),
    };
    (bare && (https || plain) && allowed).then(|| url.as_str().trim_end_matches('/').to_owned())
}

/// Whether an address names this machine.
fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{is_public, may_connect, read_url};

    #[test]
    fn only_the_public_internet_is_connected_to() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.100.100.200",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "168.63.129.16",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.255.255",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.255.255",
            "198.20.0.1",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "2001:4860:4860::8888",
            "2606:4700::1111",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn this_machine_is_connected_to_in_development_alone_and_private_networks_never() {
        for here in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert!(may_connect(here.parse().unwrap(), true), "{here}");
            assert!(!may_connect(here.parse().unwrap(), false), "{here}");
        }
        for private in ["10.0.0.1", "169.254.169.254", "fe80::1", "::ffff:10.0.0.1"] {
            assert!(!may_connect(private.parse().unwrap(), true), "{private}");
        }
    }

    #[test]
    fn a_provider_is_a_bare_https_address() {
        let read = |text| read_url(text, false);
        assert_eq!(read("https://Wallet.Example.com/"), Some("https://wallet.example.com".into()));
        assert_eq!(read("https://a.example:8443"), Some("https://a.example:8443".into()));
        for text in [
            "",
            "wallet.example.com",
            "http://wallet.example.com",
            "ftp://wallet.example.com",
            "https://user:word@wallet.example.com",
            "https://wallet.example.com/path",
            "https://wallet.example.com/?a",
            "https://wallet.example.com/#a",
            "https://",
            "https://127.0.0.1",
            "https://2130706433",
            "https://0x7f.1",
            "https://[::1]",
            "https://[::ffff:10.0.0.1]",
            "https://169.254.169.254",
            "https://localhost",
            "http://127.0.0.1:80",
            "'; DROP TABLE x; --",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn development_adds_this_machine_and_no_more() {
        let read = |text| read_url(text, true);
        for text in ["http://127.0.0.1:7002", "http://localhost:7002", "https://localhost:7002"] {
            assert!(read(text).is_some(), "{text}");
        }
        for text in ["http://wallet.example.com", "http://10.0.0.1", "https://192.168.0.1"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
