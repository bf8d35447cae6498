//! A port that other machines may reach: TLS alone, and a token for everything.

use std::path::Path;
use std::sync::Arc;

use genesis::files;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

use super::fixture::Fixture;

const TOKEN: &str = "5f2d1b0c9e8a7f6d5c4b3a2918070605";

/// A port with a certificate of its own and one token, and who trusts that certificate.
async fn start() -> (Fixture, TlsConnector) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (made.cert.pem(), made.key_pair.serialize_pem());
    let fixture = Fixture::with_files(
        |config| {
            config.tls_certificate = "rpc.pem".into();
            config.tls_key = "rpc.key".into();
            config.token_file = "tokens".into();
        },
        |home: &Path| {
            let write = |name, text: &str, mode| {
                files::create(&home.join(name), text.as_bytes(), mode).unwrap();
            };
            write("rpc.pem", &certificate, files::PUBLIC);
            write("rpc.key", &key, files::PRIVATE);
            write("tokens", TOKEN, files::PRIVATE);
        },
    )
    .await;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(made.cert)).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (fixture, TlsConnector::from(Arc::new(config)))
}

/// What comes back for a request over TLS.
async fn ask(fixture: &Fixture, tls: &TlsConnector, request: String) -> String {
    let stream = TcpStream::connect(fixture.server.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = tls.connect(name, stream).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // An end without farewell is an end.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

fn get(path: &str, more: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{more}\r\n")
}

#[tokio::test]
async fn nothing_is_answered_without_tls_and_a_token() {
    let (fixture, tls) = start().await;
    let bearer = format!("authorization: Bearer {TOKEN}\r\n");
    for path in ["/", "/health", "/metrics"] {
        for more in ["", "authorization: Bearer 00\r\n", "authorization: Basic YTpi\r\n"] {
            let refused = ask(&fixture, &tls, get(path, more)).await;
            assert!(refused.starts_with("HTTP/1.1 401 "), "{path} {more:?}: {refused}");
            assert!(refused.contains("www-authenticate: Bearer"), "{refused}");
            assert!(!refused.contains(TOKEN), "{refused}");
        }
        let answer = ask(&fixture, &tls, get(path, &bearer)).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") || path == "/health", "{path}: {answer}");
        assert!(!answer.starts_with("HTTP/1.1 401 "), "{path}: {answer}");
    }
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"chain_status"}"#;
    let call = format!(
        "POST / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{bearer}content-type: \
         application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    assert!(ask(&fixture, &tls, call.clone()).await.contains("\"height_final\""));

    // A token alone, in the clear, is worth nothing.
    let mut clear = TcpStream::connect(fixture.server.address).await.unwrap();
    clear.write_all(call.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = clear.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/"), "{}", String::from_utf8_lossy(&answer));
}
