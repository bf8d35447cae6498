//! What a port that other machines reach is protected with: TLS, and tokens.
//!
//! Whoever may reach such a port may submit nothing that the chain would not take from anybody, but
//! reads everything that is open, and costs time. So the port speaks TLS alone, and answers whoever
//! shows one of the tokens of a file in an `Authorization: Bearer` header.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::http::{HeaderMap, header};
use genesis::config::RpcConfig;
use genesis::files::{self, FileError};
use sha2::{Digest as _, Sha256};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto};

/// More than any chain of certificates, key or list of tokens has.
const MAX_BYTES: u64 = 256 * 1024;
/// Shortest token: 128 random bits in hexadecimal.
const MIN_TOKEN: usize = 32;
/// Most tokens: each is compared with.
const MAX_TOKENS: usize = 64;

/// A protection that cannot be set up, with what to change.
#[derive(Debug, thiserror::Error)]
pub enum ProtectionError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{path}: {problem}")]
    Unusable { path: PathBuf, problem: String },
}

/// How a port is protected. The default is not at all, for loopback.
#[derive(Clone, Default)]
pub(super) struct Protection {
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) tokens: Option<Tokens>,
}

impl std::fmt::Debug for Protection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Protection").field("tls", &self.tls.is_some()).finish_non_exhaustive()
    }
}

impl Protection {
    /// Reads what the settings name. Relative paths begin at the home.
    ///
    /// # Errors
    /// [`ProtectionError`], also where others may read a secret.
    pub(super) fn load(config: &RpcConfig, home: &Path) -> Result<Self, ProtectionError> {
        let path = |text: &str| Some(home.join(text)).filter(|_| !text.is_empty());
        let tls = match (path(&config.tls_certificate), path(&config.tls_key)) {
            (Some(certificate), Some(key)) => Some(acceptor(&certificate, &key)?),
            // The settings were checked: both or neither.
            _ => None,
        };
        let tokens = path(&config.token_file).map(|path| Tokens::read(&path)).transpose()?;
        Ok(Self { tls, tokens })
    }
}

fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor, ProtectionError> {
    let unusable =
        |path: &Path, problem: String| ProtectionError::Unusable { path: path.to_owned(), problem };
    let text = files::read(certificate, MAX_BYTES)?;
    let chain = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unusable(certificate, format!("no certificates in PEM: {error}")))?;
    let secret = files::read_private(key, MAX_BYTES)?;
    let secret = PrivateKeyDer::from_pem_slice(&secret)
        .map_err(|error| unusable(key, format!("no private key in PEM: {error}")))?;
    let provider = Arc::new(crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(certificate, error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|error| unusable(certificate, error.to_string()))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Tokens that open the port, as hashes: comparing these tells nothing of a token by its time.
#[derive(Clone)]
pub(super) struct Tokens(Arc<[[u8; 32]]>);

impl Tokens {
    fn read(path: &Path) -> Result<Self, ProtectionError> {
        let unusable =
            |problem: String| ProtectionError::Unusable { path: path.to_owned(), problem };
        let text = files::read_private(path, MAX_BYTES)?;
        let text = std::str::from_utf8(&text).map_err(|error| unusable(error.to_string()))?;
        let tokens: Vec<&str> =
            text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        if tokens.is_empty() || tokens.len() > MAX_TOKENS {
            return Err(unusable(format!("1 to {MAX_TOKENS} tokens are expected, one a line")));
        }
        if let Some(at) = tokens.iter().position(|token| token.len() < MIN_TOKEN) {
            return Err(unusable(format!(
                "token {} has less than {MIN_TOKEN} characters: make one with `openssl rand -hex 32`",
                at + 1
            )));
        }
        Ok(Self(tokens.into_iter().map(hash).collect()))
    }

    /// Whether a request shows one of them.
    pub(super) fn admit(&self, headers: &HeaderMap) -> bool {
        let shown = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        shown.is_some_and(|(_, token)| self.0.contains(&hash(token.trim())))
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Result<Tokens, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens");
        files::create(&path, text.as_bytes(), files::PRIVATE).unwrap();
        Tokens::read(&path).map_err(|error| error.to_string())
    }

    fn shows(tokens: &Tokens, value: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        tokens.admit(&headers)
    }

    #[test]
    fn a_token_opens_the_port_and_nothing_else_does() {
        let (first, second) = ("a".repeat(32), "b".repeat(64));
        let tokens = tokens(&format!("{first}\n\n  {second}\n")).unwrap();
        assert!(shows(&tokens, &format!("Bearer {first}")));
        assert!(shows(&tokens, &format!("bearer  {second}")));
        for wrong in ["", "Bearer", "Bearer ", &first, &format!("Basic {first}")] {
            assert!(!shows(&tokens, wrong), "{wrong}");
        }
        assert!(!shows(&tokens, &format!("Bearer {first}a")));
        assert!(!tokens.admit(&HeaderMap::new()));
    }

    #[test]
    fn short_and_missing_tokens_are_refused() {
        assert!(tokens("").err().unwrap().contains("1 to 64 tokens"));
        let short = tokens(&format!("{}\nsecret\n", "a".repeat(32))).err().unwrap();
        assert!(short.contains("token 2 has less than 32") && !short.contains("secret"), "{short}");
    }

    #[test]
    fn secrets_that_others_may_read_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens");
        files::create(&path, "a".repeat(32).as_bytes(), files::PUBLIC).unwrap();
        let error = Tokens::read(&path).err().unwrap().to_string();
        assert!(error.contains("chmod"), "{error}");
    }
}
