//! Which addresses webhooks may reach.
//!
//! The address that is connected to is checked, not the name that was configured: a name that
//! resolves to our own network is refused whenever it does. Redirects are never followed, so
//! nothing else is ever connected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// What the refusal says; the receiver's own words are never shown.
pub(crate) const PRIVATE: &str = "a private address, expected one of the internet";

/// Whether an address is one of the internet's, by IANA's special-purpose registries.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    let special = v4.is_private()
        || v4.is_loopback()
        || v4.is_link_local()
        || v4.is_multicast()
        || v4.is_documentation()
        || a == 0
        || a >= 240
        // Carriers' own (RFC 6598), protocol assignments, the old 6to4 relay, benchmarks.
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b));
    !special
}

fn is_public_v6(v6: Ipv6Addr) -> bool {
    if let Some(v4) = v6.to_ipv4_mapped() {
        return is_public_v4(v4);
    }
    let parts = v6.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match parts {
        // IPv4 behind a translator (RFC 6052) and 6to4.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => embedded(high, low),
        // Teredo, benchmarks, ORCHID and the like; documentation.
        [0x2001, second, ..] if second < 0x200 || second == 0xdb8 => false,
        [0x3fff, second, ..] if second < 0x1000 => false,
        // What is handed out as global unicast; loopback, fc00::/7, fe80::/10, ff00::/8 are not.
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

/// A URL whose host is an address that may not be reached: said when it is configured, long
/// before it is connected to.
pub(crate) fn names_private(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let local = bare.eq_ignore_ascii_case("localhost") || bare.ends_with(".localhost");
    local || bare.parse::<IpAddr>().is_ok_and(|address| !is_public(address))
}

/// Resolves names to addresses that may be reached.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    inner: DefaultResolver,
    allow_private: bool,
}

impl Guard {
    pub(crate) fn new(allow_private: bool) -> Self {
        Self { inner: DefaultResolver::default(), allow_private }
    }
}

impl Resolver for Guard {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.inner.resolve(uri, config, timeout)?;
        if self.allow_private {
            return Ok(found);
        }
        let mut kept = self.empty();
        for address in found.iter().filter(|address| is_public(address.ip())) {
            kept.push(*address);
        }
        if kept.is_empty() {
            let refusal = std::io::Error::new(std::io::ErrorKind::PermissionDenied, PRIVATE);
            return Err(ureq::Error::Io(refusal));
        }
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_internet_is_public() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "100.64.0.1",
            "198.18.0.1",
            "192.0.0.8",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
            "::7f00:1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in ["9.9.9.9", "193.0.6.139", "2620:fe::fe", "64:ff9b::909:909"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn a_url_that_names_a_private_address_is_known() {
        for url in
            ["http://127.0.0.1:9/x", "http://[::1]/", "https://localhost/", "http://a.localhost"]
        {
            assert!(names_private(&url.parse().unwrap()), "{url}");
        }
        assert!(!names_private(&"https://hooks.example.org/in".parse().unwrap()));
    }
}
