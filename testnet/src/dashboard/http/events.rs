//! The stream of events as server-sent events.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures::stream;
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::dashboard::live::Live;
use crate::dashboard::stream::Entry;

/// Pause after which a sign of life is sent: proxies and browsers end what is silent.
const ALIVE_EVERY: Duration = Duration::from_secs(10);

/// Pause between two portions of events: a page that is woken for each of them does little else.
const PORTION_EVERY: Duration = Duration::from_millis(200);

/// A page that reads.
struct Reader {
    live: Arc<Live>,
    cursor: u64,
    newest: watch::Receiver<u64>,
    waiting: VecDeque<Arc<Entry>>,
    _place: OwnedSemaphorePermit,
}

/// Where a page wants to go on: what the browser says after a break goes before the address.
pub(super) fn since(headers: &HeaderMap, query: Option<&str>) -> Option<u64> {
    let last = headers.get("last-event-id").and_then(|last| last.to_str().ok()?.parse().ok());
    let asked = || {
        let pairs = query?.split('&').filter_map(|pair| pair.split_once('='));
        let mut since = pairs.filter(|(name, _)| *name == "since");
        since.next()?.1.parse().ok()
    };
    last.or_else(asked)
}

/// Events for ever, after a cursor or from now on. A page that does not read is not written to, and
/// hears of the gap when it reads again.
pub(super) fn follow(live: Arc<Live>, since: Option<u64>, place: OwnedSemaphorePermit) -> Response {
    let newest = live.stream.newest();
    let cursor = since.unwrap_or(*newest.borrow());
    let reader = Reader { live, cursor, newest, waiting: VecDeque::new(), _place: place };
    let events = stream::unfold(reader, async |mut reader| {
        let entry = reader.next().await?;
        let event = Event::default().id(entry.cursor.to_string());
        Some((Ok::<_, Infallible>(event.data(entry.text.get())), reader))
    });
    let alive = KeepAlive::new().interval(ALIVE_EVERY);
    Sse::new(events).keep_alive(alive).into_response()
}

impl Reader {
    async fn next(&mut self) -> Option<Arc<Entry>> {
        loop {
            if let Some(entry) = self.waiting.pop_front() {
                self.cursor = entry.cursor;
                return Some(entry);
            }
            self.newest.borrow_and_update();
            self.waiting = self.live.stream.after(self.cursor).into();
            if self.waiting.is_empty() {
                self.newest.changed().await.ok()?;
                tokio::time::sleep(PORTION_EVERY).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_browser_that_comes_back_goes_on_where_it_was() {
        let mut headers = HeaderMap::new();
        assert_eq!(since(&headers, None), None);
        assert_eq!(since(&headers, Some("since=12")), Some(12));
        assert_eq!(since(&headers, Some("a=b&since=12&since=13")), Some(12));
        assert_eq!(since(&headers, Some("since=now")), None);
        headers.insert("last-event-id", HeaderValue::from_static("99"));
        assert_eq!(since(&headers, Some("since=12")), Some(99));
    }
}
