//! Who may speak to this node through a browser.
//!
//! A page of a stranger can make a browser call this node: through a name of the stranger's that
//! suddenly means this machine (DNS rebinding; the `Host` header tells), or directly from the page
//! (the `Origin` header tells). Both headers must name this node by an address, by `localhost` or by
//! a configured name. Programs other than browsers send no `Origin`.

use std::net::IpAddr;

use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, header};

/// The names by which this node may be called.
#[derive(Clone, Debug)]
pub(super) struct Hosts(Vec<String>);

impl Hosts {
    /// `names` besides addresses and `localhost`.
    pub(super) fn new(names: &[String]) -> Self {
        Self(names.iter().map(|name| name.to_ascii_lowercase()).collect())
    }

    /// Whether a request with these headers may be answered.
    ///
    /// # Errors
    /// One sentence for the client.
    pub(super) fn check(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), String> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let host = match (hosts.next(), hosts.next()) {
            (Some(host), None) => host.to_str().ok(),
            (None, _) => uri.authority().map(Authority::as_str),
            (Some(_), Some(_)) => None,
        };
        let Some(host) = host.and_then(host_of) else {
            return Err("the request needs one Host header".into());
        };
        self.allow("Host", &host)?;
        let Some(origin) = headers.get(header::ORIGIN) else {
            return Ok(());
        };
        let origin = origin.to_str().unwrap_or_default();
        let host = origin.split_once("://").and_then(|(_, host)| host_of(host));
        self.allow("Origin", &host.unwrap_or_else(|| origin.to_owned()))
    }

    fn allow(&self, header: &str, host: &str) -> Result<(), String> {
        let host = host.to_ascii_lowercase();
        let address = host.trim_start_matches('[').trim_end_matches(']');
        let known =
            address.parse::<IpAddr>().is_ok() || host == "localhost" || self.0.contains(&host);
        if known {
            return Ok(());
        }
        Err(format!(
            "{header} {host:?} is not a name of this node: add it to rpc.allowed_hosts, or call the \
             node by its address"
        ))
    }
}

/// The host of `host` or `host:port`.
fn host_of(text: &str) -> Option<String> {
    let authority: Authority = text.parse().ok()?;
    // `user@host` is never a Host header.
    (!authority.as_str().contains('@')).then(|| authority.host().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(host: &str, origin: Option<&str>) -> Result<(), String> {
        let mut headers = HeaderMap::new();
        if !host.is_empty() {
            headers.insert(header::HOST, host.parse().unwrap());
        }
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        Hosts::new(&["Node.Example".into()]).check(&headers, &Uri::from_static("/"))
    }

    #[test]
    fn addresses_localhost_and_configured_names_are_this_node() {
        for host in ["127.0.0.1", "127.0.0.1:26657", "[::1]:26657", "localhost:1", "LOCALHOST"] {
            check(host, None).unwrap();
        }
        check("node.example", None).unwrap();
        check("NODE.example:80", Some("https://node.example")).unwrap();
        check("127.0.0.1:1", Some("http://localhost:8080")).unwrap();
    }

    #[test]
    fn strangers_are_refused() {
        for host in ["evil.example", "evil.example:26657", "127.0.0.1.evil.example", "a@localhost"]
        {
            assert!(check(host, None).is_err(), "{host}");
        }
        for host in ["", "localhost/", "local host"] {
            assert!(check(host, None).unwrap_err().contains("Host header"), "{host:?}");
        }
        for origin in ["https://evil.example", "null", "file://", "http://127.0.0.1.evil.example"] {
            let error = check("localhost", Some(origin)).unwrap_err();
            assert!(error.contains("Origin"), "{origin}: {error}");
        }
    }

    #[test]
    fn two_host_headers_are_refused() {
        let mut headers = HeaderMap::new();
        headers.append(header::HOST, "localhost".parse().unwrap());
        headers.append(header::HOST, "evil.example".parse().unwrap());
        assert!(Hosts::new(&[]).check(&headers, &Uri::from_static("/")).is_err());
    }
}
