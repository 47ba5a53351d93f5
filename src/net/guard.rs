//! Decides which addresses may be reached at all.
//!
//! In: an address as a URL writes it, or as a name resolves to. Out: yes, or a refusal that never says whether anything
//! listens there. Watches two of the three ways in, literals and names; the third, redirects, comes through here again
//! because each hop is a request of its own.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use super::NetError;
use crate::config::AddressRange;

/// What a look-up is while it runs.
pub type LookUp<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// Turns names into addresses. Passed in, so that a test can tell what a name means.
pub trait Resolver: Send + Sync {
    /// Every address of the name.
    fn look_up<'a>(&'a self, name: &'a str) -> LookUp<'a>;

    /// Where an address, once it has passed the guard, is dialed: itself, except in tests that map addresses of
    /// documentation ranges to their own listener.
    fn reach(&self, checked: IpAddr) -> IpAddr {
        checked
    }
}

/// The resolver of the system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn look_up<'a>(&'a self, name: &'a str) -> LookUp<'a> {
        Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect()) })
    }
}

/// Knows which addresses are public, and which others the operator named.
#[derive(Debug, Clone)]
pub struct Guard {
    allow: Vec<AddressRange>,
}

impl Guard {
    /// A guard that lets through public addresses and these ranges.
    pub fn new(allow: &[AddressRange]) -> Self {
        Self { allow: allow.to_vec() }
    }

    /// Whether a connection to that address may be opened.
    pub fn permits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        if is_metadata(address) {
            return false;
        }
        let named = self.allow.iter().any(|range| range.contains(address));
        match address {
            IpAddr::V4(v4) => named || is_public_v4(v4),
            // An allowed NAT64 prefix (RFC 6052) is a door to every v4 address behind it, so that one is asked as well.
            IpAddr::V6(v6) => match nat64_target(v6) {
                Some(v4) => named && self.permits(IpAddr::V4(v4)),
                None => named || is_public_v6(v6),
            },
        }
    }

    /// Checks what can be told from the text of an address: scheme, user info, and a host written as a number. Names
    /// are checked when they are resolved.
    pub fn check(&self, url: &Url) -> Result<(), NetError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(NetError::Scheme(url.scheme().chars().take(20).collect()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(NetError::UserInfo);
        }
        let refused = |host: &str| Err(NetError::Refused { host: host.to_owned() });
        match url.host() {
            Some(Host::Ipv4(v4)) if !self.permits(IpAddr::V4(v4)) => refused(&v4.to_string()),
            Some(Host::Ipv6(v6)) if !self.permits(IpAddr::V6(v6)) => refused(&v6.to_string()),
            Some(Host::Domain(name)) if name.trim_matches('.').is_empty() => Err(NetError::Unreadable),
            Some(Host::Domain(name)) if is_localhost(name) && self.permitted_loopback().is_empty() => refused(name),
            Some(_) => Ok(()),
            None => Err(NetError::Unreadable),
        }
    }

    /// What `localhost` means here (RFC 6761 section 6.3): never asked of a resolver.
    fn permitted_loopback(&self) -> Vec<IpAddr> {
        let mut both = vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        both.retain(|address| self.permits(*address));
        both
    }
}

/// The look-up that reqwest is given: resolves once, refuses the whole name if one of its addresses is not allowed, and
/// hands on exactly the addresses that were checked.
pub(super) struct GuardedResolver {
    pub(super) guard: Arc<Guard>,
    pub(super) inner: Arc<dyn Resolver>,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, inner) = (Arc::clone(&self.guard), Arc::clone(&self.inner));
        Box::pin(async move {
            let name = name.as_str();
            let found = if is_localhost(name) { guard.permitted_loopback() } else { inner.look_up(name).await? };
            if is_localhost(name) && found.is_empty() || found.iter().any(|address| !guard.permits(*address)) {
                return Err(NotAllowed.into());
            }
            if found.is_empty() {
                return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address").into());
            }
            // Port 0 is filled in by the connector from the URL.
            let pinned: Vec<SocketAddr> = found.into_iter().map(|address| SocketAddr::new(inner.reach(address), 0)).collect();
            Ok(Box::new(pinned.into_iter()) as Addrs)
        })
    }
}

/// Travels through reqwest's errors to tell a refusal from a name that is not known.
#[derive(Debug)]
pub(super) struct NotAllowed;

impl fmt::Display for NotAllowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("address not allowed")
    }
}

impl std::error::Error for NotAllowed {}

fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// Addresses at which clouds hand out credentials; some stand in public space.
fn is_metadata(address: IpAddr) -> bool {
    const V4: [Ipv4Addr; 7] = [
        // Nearly every cloud; the tasks and pods of AWS; its time and name services.
        Ipv4Addr::new(169, 254, 169, 254),
        Ipv4Addr::new(169, 254, 170, 2),
        Ipv4Addr::new(169, 254, 170, 23),
        Ipv4Addr::new(169, 254, 169, 253),
        // Alibaba, Oracle, Azure.
        Ipv4Addr::new(100, 100, 100, 200),
        Ipv4Addr::new(192, 0, 0, 192),
        Ipv4Addr::new(168, 63, 129, 16),
    ];
    const V6: [Ipv6Addr; 3] = [
        Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254),
        Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0023),
        Ipv6Addr::new(0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254),
    ];
    match address {
        IpAddr::V4(v4) => V4.contains(&v4),
        IpAddr::V6(v6) => V6.contains(&v6),
    }
}

/// Whether the IANA registry of special-purpose addresses (RFC 6890) leaves the address to the public.
fn is_public_v4(address: Ipv4Addr) -> bool {
    const SPECIAL: [(u32, u32); 15] = [
        (0x0000_0000, 8),  // 0.0.0.0: this network
        (0x0a00_0000, 8),  // 10.0.0.0: private
        (0x6440_0000, 10), // 100.64.0.0: carrier-grade NAT
        (0x7f00_0000, 8),  // 127.0.0.0: loopback
        (0xa9fe_0000, 16), // 169.254.0.0: link-local
        (0xac10_0000, 12), // 172.16.0.0: private
        (0xc000_0000, 24), // 192.0.0.0: protocol assignments
        (0xc000_0200, 24), // 192.0.2.0: documentation
        (0xc058_6300, 24), // 192.88.99.0: relays of 6to4
        (0xc0a8_0000, 16), // 192.168.0.0: private
        (0xc612_0000, 15), // 198.18.0.0: benchmarks
        (0xc633_6400, 24), // 198.51.100.0: documentation
        (0xcb00_7100, 24), // 203.0.113.0: documentation
        (0xe000_0000, 4),  // 224.0.0.0: multicast
        (0xf000_0000, 4),  // 240.0.0.0: reserved, broadcast
    ];
    let bits = u32::from(address);
    !SPECIAL.iter().any(|(network, prefix)| bits >> (32 - prefix) == network >> (32 - prefix))
}

/// Only 2000::/3 is given out as global unicast (RFC 4291); taken away are the parts of it with another meaning.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let bits = u128::from(address);
    let within = |network: u128, prefix: u32| bits >> (128 - prefix) == network >> (128 - prefix);
    within(0x2000 << 112, 3)
        && !within(0x2001_0000 << 96, 23) // protocol assignments: Teredo, benchmarks, ORCHID
        && !within(0x2001_0db8 << 96, 32) // documentation
        && !within(0x2002 << 112, 16) // 6to4
        && !within(0x3fff << 112, 20) // documentation
}

/// The v4 address inside a NAT64 address, of the well-known prefix (RFC 6052) or the local one (RFC 8215).
fn nat64_target(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let bits = u128::from(address);
    let known = bits >> 32 == 0x0064_ff9b_u128 << 64 || bits >> 80 == 0x0064_ff9b_0001;
    #[expect(clippy::cast_possible_truncation, reason = "the low 32 bits are meant")]
    known.then(|| Ipv4Addr::from(bits as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(allow: &[&str]) -> Guard {
        Guard::new(&allow.iter().map(|range| range.parse().unwrap()).collect::<Vec<_>>())
    }

    #[test]
    fn inner_addresses_are_refused_however_they_are_spelled() {
        let guard = guard(&[]);
        for spelling in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0x7f000001/",
            "http://0177.0.0.1/",
            "http://0/",
            "http://0.0.0.0/",
            "http://127.0.0.1./",
            "http://１２７.０.０.１/",
            "http://127。0。0。1/",
            "http://%31%32%37.0.0.1/",
            "http://localhost/",
            "http://localhost./",
            "http://LOCALHOST/",
            "http://feed.localhost/",
            "http://[::]/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://[::127.0.0.1]/",
            "http://[64:ff9b::7f00:1]/",
            "http://[64:ff9b:1::7f00:1]/",
            "http://[2002:7f00:1::]/",
            "http://[2001:0:7f00:1::]/",
            "http://[fe80::1]/",
            "http://[fec0::1]/",
            "http://[fc00::1]/",
            "http://[fd12:3456::1]/",
            "http://[ff02::1]/",
            "http://[100::1]/",
            "http://[2001:db8::1]/",
            "http://[3fff::1]/",
            "http://[fd00:ec2::254]/",
            "http://10.0.0.5/",
            "http://100.64.0.1/",
            "http://169.254.169.254/latest/",
            "http://168.63.129.16/",
            "http://172.16.0.1/",
            "http://172.31.255.255/",
            "http://192.0.0.1/",
            "http://192.0.2.1/",
            "http://192.88.99.1/",
            "http://192.168.1.1/",
            "http://198.18.0.1/",
            "http://198.19.255.255/",
            "http://198.51.100.1/",
            "http://203.0.113.1/",
            "http://224.0.0.1/",
            "http://240.0.0.1/",
            "http://255.255.255.255/",
        ] {
            let refused = matches!(guard.check(&Url::parse(spelling).unwrap()), Err(NetError::Refused { .. }));
            assert!(refused, "{spelling}");
        }
    }

    #[test]
    fn public_addresses_pass() {
        let guard = guard(&[]);
        for spelling in ["1.1.1.1", "172.32.0.1", "192.0.1.1", "100.128.0.1", "223.255.255.255", "2606:4700::1", "2001:4860:4860::8888"] {
            assert!(guard.permits(spelling.parse().unwrap()), "{spelling}");
        }
    }

    #[test]
    fn a_named_range_opens_itself_and_nothing_else() {
        let guard = guard(&["127.0.0.0/8", "64:ff9b::/96"]);
        for (address, open) in [
            ("127.9.9.9", true),
            ("::ffff:127.0.0.1", true),
            ("::1", false),
            ("10.0.0.1", false),
            ("64:ff9b::808:808", true),
            ("64:ff9b::7f00:1", true),
            ("64:ff9b::a00:1", false),
            ("64:ff9b::a9fe:a9fe", false),
        ] {
            assert_eq!(guard.permits(address.parse().unwrap()), open, "{address}");
        }
    }

    #[test]
    fn only_http_without_user_info_is_taken() {
        let guard = guard(&[]);
        for bad in ["file:///etc/passwd", "gopher://a.example:25/", "ftp://a.example/", "data:text/xml,x", "unix:/run/x.sock"] {
            assert!(matches!(guard.check(&Url::parse(bad).unwrap()), Err(NetError::Scheme(_))), "{bad}");
        }
        let hidden = guard.check(&Url::parse("https://u:MARK@f.example/feed").unwrap()).unwrap_err();
        assert!(hidden == NetError::UserInfo && !hidden.to_string().contains("MARK"));
    }
}
