//! The page's files, which are part of the program.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

/// Everything in `testnet/dashboard/`.
#[derive(Debug, RustEmbed)]
#[folder = "dashboard/"]
struct Assets;

/// A file by its path below the folder, unless the browser has it already.
pub(super) fn serve(path: &str, request: &HeaderMap) -> Response {
    let Some(EmbeddedFile { data, metadata }) = Assets::get(path) else {
        return (StatusCode::NOT_FOUND, format!("there is no file {path:?}\n")).into_response();
    };
    let hash: String =
        metadata.sha256_hash()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{hash}\"");
    let known = request.get(header::IF_NONE_MATCH).and_then(|known| known.to_str().ok());
    let is_known = known.is_some_and(|known| known.split(',').any(|known| known.trim() == tag));
    let mut response = match is_known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => Body::from(data.into_owned()).into_response(),
    };
    let headers = response.headers_mut();
    let mime = format!("{}{}", metadata.mimetype(), charset(metadata.mimetype()));
    for (name, value) in [(header::ETAG, tag), (header::CONTENT_TYPE, mime)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    // Asked for again each time, and then mostly not sent again.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// Texts of ours are UTF-8.
fn charset(mime: &str) -> &'static str {
    let is_text =
        mime.starts_with("text/") || mime.ends_with("javascript") || mime.ends_with("json");
    if is_text { "; charset=utf-8" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_there_and_sent_once() {
        let first = serve("index.html", &HeaderMap::new());
        assert_eq!(first.status(), StatusCode::OK);
        assert_eq!(first.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
        let mut again = HeaderMap::new();
        again.insert(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone());
        assert_eq!(serve("index.html", &again).status(), StatusCode::NOT_MODIFIED);
    }

    #[test]
    fn what_is_not_in_the_folder_is_not_there() {
        for path in ["", "nothing.js", "../Cargo.toml", "/etc/passwd", "./index.html"] {
            assert_eq!(serve(path, &HeaderMap::new()).status(), StatusCode::NOT_FOUND, "{path}");
        }
    }
}
