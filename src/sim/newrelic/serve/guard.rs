//! Who may use what acts without a key: the admin API and the page.
//!
//! A browser on this machine reaches loopback ports for any page that it shows. Three headers tell
//! such a page's requests from ours: `Host` (a name that an attacker made point at this machine is
//! neither an IP address nor `localhost`), `Origin` and `Sec-Fetch-Site` (another page's script).
//!
//! Invariants:
//! - What has no single, allowed `Host` is refused; so is what comes from another origin.
//! - What changes something needs `application/json`, which no form and no simple request can send.

use std::net::IpAddr;

use http::header::{CONTENT_TYPE, HOST, ORIGIN};
use http::{HeaderMap, Method};

/// Which host names are ours beside IP addresses and `localhost`.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    hosts: Vec<String>,
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}; {fix}")]
pub struct Denied {
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub fix: String,
}

fn denied(message: impl Into<String>, fix: &str) -> Denied {
    Denied { message: message.into(), fix: fix.to_owned() }
}

/// A header that is there once and is text.
fn single<'h>(headers: &'h HeaderMap, name: &http::HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() { None } else { value.to_str().ok() }
}

/// The host of `host:port`, without the brackets of IPv6.
fn host_name(authority: &str) -> Option<&str> {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split_once(']').map(|(host, _)| host);
    }
    let (host, port) = authority.split_once(':').unwrap_or((authority, "0"));
    port.bytes().all(|byte| byte.is_ascii_digit()).then_some(host)
}

impl Guard {
    /// Allows `hosts` beside IP addresses and `localhost`.
    pub fn new(hosts: impl IntoIterator<Item = String>) -> Self {
        Self { hosts: hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect() }
    }

    fn allows(&self, authority: &str) -> bool {
        let Some(host) = host_name(authority) else { return false };
        let host = host.to_ascii_lowercase();
        host.parse::<IpAddr>().is_ok()
            || host == "localhost"
            || host.ends_with(".localhost")
            || self.hosts.contains(&host)
    }

    /// Whether the request was meant for this server.
    ///
    /// # Errors
    /// A `Host` that is not ours.
    pub fn check_host(&self, headers: &HeaderMap) -> Result<(), Denied> {
        let fix = "use localhost or an IP address, or name it with --allow-host";
        match single(headers, &HOST) {
            Some(host) if self.allows(host) => Ok(()),
            Some(host) => Err(denied(format!("the host `{host}` is not this server's"), fix)),
            None => Err(denied("one Host header is needed", fix)),
        }
    }

    /// Whether the request comes from nobody else's page.
    ///
    /// # Errors
    /// A `Host` that is not ours, another origin, a change that is no JSON.
    pub fn check(&self, method: &Method, headers: &HeaderMap) -> Result<(), Denied> {
        self.check_host(headers)?;
        let fix = "no other page may use this; open the server's own, or use a program";
        let site = http::HeaderName::from_static("sec-fetch-site");
        if headers.contains_key(&site)
            && !matches!(single(headers, &site), Some("same-origin" | "none"))
        {
            return Err(denied("the request comes from another site", fix));
        }
        if headers.contains_key(ORIGIN) {
            let host = single(headers, &HOST).unwrap_or_default();
            let same = single(headers, &ORIGIN)
                .and_then(|origin| origin.split_once("://"))
                .is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host));
            if !same {
                return Err(denied("the request comes from another origin", fix));
            }
        }
        if method == Method::POST && !is_json(headers) {
            let fix = "send Content-Type: application/json";
            return Err(denied("the body is not said to be JSON", fix));
        }
        Ok(())
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = single(headers, &CONTENT_TYPE).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(*name, value.parse().expect("a header"));
        }
        headers
    }

    #[test]
    fn hosts_that_nobody_can_rebind_are_allowed() {
        let guard = Guard::new(["NewRelic.Test".to_owned()]);
        let check = |host: &str, allowed: bool| {
            let found = guard.check_host(&headers(&[("host", host)]));
            assert_eq!(found.is_ok(), allowed, "{host}");
        };
        for host in ["localhost", "LOCALHOST:3000", "127.0.0.1:3000", "[::1]:3000", "10.1.2.3"] {
            check(host, true);
        }
        check("app.localhost:3000", true);
        check("newrelic.test:3000", true);
        for host in ["evil.example:3000", "localhost.evil.example", "", "127.0.0.1.evil.example"] {
            check(host, false);
        }
        for host in ["[::1", "evil.example:x", "notlocalhost", "localhost:3000@evil", "::1"] {
            check(host, false);
        }
        assert!(guard.check_host(&HeaderMap::new()).is_err());
        let twice = headers(&[("host", "localhost"), ("host", "evil.example")]);
        assert!(guard.check_host(&twice).is_err(), "which one counts is anybody's guess");
    }

    #[test]
    fn other_pages_are_refused() {
        let guard = Guard::default();
        let check = |method: Method, list: &[(&'static str, &str)], expected: Option<&str>| {
            let list = [&[("host", "127.0.0.1:3001")], list].concat();
            let said = guard.check(&method, &headers(&list)).err().map(|denied| denied.message);
            assert_eq!(said.is_some(), expected.is_some(), "{list:?}: {said:?}");
            let said = said.unwrap_or_default();
            assert!(said.contains(expected.unwrap_or_default()), "{said}");
        };
        let json = ("content-type", "application/json; charset=utf-8");
        check(Method::GET, &[], None);
        check(Method::POST, &[json], None);
        check(Method::POST, &[], Some("not said to be JSON"));
        check(Method::POST, &[("content-type", "text/plain")], Some("not said to be JSON"));
        check(Method::POST, &[json, ("origin", "http://127.0.0.1:3001")], None);
        check(Method::POST, &[json, ("origin", "http://127.0.0.1:3000")], Some("origin"));
        check(Method::POST, &[json, ("origin", "http://evil.example")], Some("origin"));
        check(Method::DELETE, &[("origin", "null")], Some("origin"));
        check(Method::GET, &[("sec-fetch-site", "cross-site")], Some("site"));
        check(Method::GET, &[("sec-fetch-site", "same-site")], Some("site"));
        check(Method::GET, &[("sec-fetch-site", "same-origin")], None);
        check(Method::GET, &[("sec-fetch-site", "none")], None);
        let rebound = headers(&[("host", "evil.example"), ("origin", "http://evil.example")]);
        assert!(guard.check(&Method::GET, &rebound).is_err(), "its own origin does not help it");
    }
}
