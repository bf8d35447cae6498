//! Who may speak to the server: pages that it served itself, and programs on this machine.
//!
//! A stranger's page can make a browser call any port of this machine: through a name that suddenly
//! means it (DNS rebinding; `Host` tells) or directly (`Origin` tells). Both must be this server's own
//! address. Orders need a token besides, which only the server's own page gets to read.

use axum::http::{HeaderMap, header};

/// The header that carries the token.
pub(super) const TOKEN: &str = "x-catamaran-token";

/// Checks requests of the server on a port.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    /// As `Host` names it.
    hosts: [String; 3],
    token: Option<String>,
}

impl Guard {
    /// `token` is what orders need; without one there are no orders.
    pub(super) fn new(port: u16, token: Option<String>) -> Self {
        let hosts = ["127.0.0.1", "localhost", "[::1]"].map(|name| format!("{name}:{port}"));
        Self { hosts, token }
    }

    pub(super) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Whether a request with these headers may be answered.
    ///
    /// # Errors
    /// One sentence for the client.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), String> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let host = match (hosts.next(), hosts.next()) {
            (Some(host), None) => host.to_str().unwrap_or_default(),
            _ => return Err("the request needs one Host header".into()),
        };
        if !self.is_own(host) {
            return Err(format!("Host {host:?} is not this server: open {}", self.address()));
        }
        for origin in headers.get_all(header::ORIGIN) {
            let origin = origin.to_str().unwrap_or_default();
            if !origin.strip_prefix("http://").is_some_and(|host| self.is_own(host)) {
                return Err(format!("Origin {origin:?} is another site"));
            }
        }
        // Browsers say where a request comes from even where they send no Origin.
        match headers.get("sec-fetch-site").map(|site| site.to_str().unwrap_or_default()) {
            None | Some("same-origin" | "none") => Ok(()),
            Some(site) => Err(format!("a {site} request is not answered: open {}", self.address())),
        }
    }

    /// Whether a request may give orders.
    ///
    /// # Errors
    /// One sentence for the client.
    pub(super) fn check_token(&self, headers: &HeaderMap) -> Result<(), String> {
        let Some(token) = &self.token else {
            return Err("this server shows and breaks nothing: there is no control".into());
        };
        let given = headers.get(TOKEN).map(|given| given.as_bytes()).unwrap_or_default();
        if is_equal(given, token.as_bytes()) {
            return Ok(());
        }
        Err("the token is missing or wrong: load the page again".into())
    }

    fn is_own(&self, host: &str) -> bool {
        self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host))
    }

    fn address(&self) -> String {
        format!("http://{}", self.hosts[0])
    }
}

/// Compares in a time that does not tell where the two differ.
fn is_equal(one: &[u8], other: &[u8]) -> bool {
    let pairs = one.iter().zip(other);
    one.len() == other.len() && pairs.fold(0, |differ, (one, other)| differ | (one ^ other)) == 0
}

/// A token that nobody guesses: 32 random bytes in hexadecimal.
pub(super) fn new_token() -> String {
    rand::random::<[u8; 32]>().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    fn guard() -> Guard {
        Guard::new(7000, Some("secret".into()))
    }

    #[test]
    fn only_the_own_address_is_answered() {
        for host in ["127.0.0.1:7000", "localhost:7000", "LOCALHOST:7000", "[::1]:7000"] {
            assert_eq!(guard().check(&headers(&[("host", host)])), Ok(()), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:7000",
            "127.0.0.1",
            "127.0.0.1:7001",
            "localhost.evil.example:7000",
            "a@localhost:7000",
            "0.0.0.0:7000",
            "",
        ] {
            assert!(guard().check(&headers(&[("host", host)])).is_err(), "{host}");
        }
        assert!(guard().check(&headers(&[])).is_err());
        let twice = headers(&[("host", "localhost:7000"), ("host", "localhost:7000")]);
        assert!(guard().check(&twice).is_err());
    }

    #[test]
    fn pages_of_others_are_refused() {
        let with =
            |name, value| guard().check(&headers(&[("host", "localhost:7000"), (name, value)]));
        for origin in ["http://localhost:7000", "http://127.0.0.1:7000"] {
            assert_eq!(with("origin", origin), Ok(()), "{origin}");
        }
        for origin in [
            "null",
            "https://evil.example",
            "http://localhost:8080",
            "https://localhost:7000",
            "http://localhost",
        ] {
            assert!(with("origin", origin).is_err(), "{origin}");
        }
        assert_eq!(with("sec-fetch-site", "none"), Ok(()));
        assert!(with("sec-fetch-site", "cross-site").is_err());
        assert!(with("sec-fetch-site", "same-site").is_err());
    }

    #[test]
    fn orders_need_the_token() {
        assert_eq!(guard().check_token(&headers(&[(TOKEN, "secret")])), Ok(()));
        for wrong in ["", "Secret", "secre", "secrets"] {
            assert!(guard().check_token(&headers(&[(TOKEN, wrong)])).is_err(), "{wrong:?}");
        }
        assert!(guard().check_token(&headers(&[])).is_err());
        let without = Guard::new(1, None);
        assert!(without.check_token(&headers(&[(TOKEN, "")])).is_err());
    }

    #[test]
    fn tokens_are_long_and_differ() {
        let (one, other) = (new_token(), new_token());
        assert_eq!(one.len(), 64);
        assert_ne!(one, other);
    }
}
