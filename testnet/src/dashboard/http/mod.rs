//! The server: on loopback alone, for the page that it serves.
//!
//! What clients can fill, and what it costs at most:
//!
//! | what | bound | when full |
//! | --- | --- | --- |
//! | connections | 256; a head of 16 KiB in 60 s | the next one waits |
//! | pages that follow the events | 32 | 503 |
//! | events that wait for a page | those of the stream, once for all pages | it hears of the gap |
//! | a body | 64 KiB; a proof file 8 MiB | 413 |
//! | calls passed on to nodes | 8 at one time, 20 s | 503 |
//! | orders | 8 at one time, one that takes long | 409 |
//! | runs of the laboratory | 2 at one time, 32 validators, 30 simulated seconds, 150,000 events | 429, 400, told |

mod assets;
mod connections;
mod events;
mod guard;
mod routes;
mod state;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::control::Control;
use super::lab::Lab;
use super::live::Live;
use super::proof::Checker;
use super::proxy::Proxy;
use guard::Guard;

/// Pages that follow the events at one time.
const PAGES: usize = 32;

/// What the handlers share.
#[derive(Clone, Debug)]
struct Server {
    live: Arc<Live>,
    control: Option<Arc<Control>>,
    guard: Arc<Guard>,
    pages: Arc<Semaphore>,
    proxy: Arc<Proxy>,
    checker: Arc<Checker>,
    lab: Lab,
}

/// A port that is taken, on loopback.
#[derive(Debug)]
pub struct Port {
    listener: TcpListener,
    address: SocketAddr,
}

impl Port {
    /// Takes a port; any that is free where none is named.
    ///
    /// # Errors
    /// Where it is in use.
    pub async fn take(port: Option<u16>) -> anyhow::Result<Self> {
        let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port.unwrap_or(0)));
        let listener = TcpListener::bind(wanted)
            .await
            .with_context(|| format!("cannot listen on {wanted}: give another --port"))?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    pub fn number(&self) -> u16 {
        self.address.port()
    }

    /// Where a browser finds the page.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// Serves on the port; ends with the set.
pub(super) fn serve(
    tasks: &mut JoinSet<()>,
    port: Port,
    live: Arc<Live>,
    control: Option<Arc<Control>>,
    checker: Checker,
) {
    let token = control.as_ref().map(|_| guard::new_token());
    let server = Server {
        live,
        control,
        guard: Arc::new(Guard::new(port.number(), token)),
        pages: Arc::new(Semaphore::new(PAGES)),
        proxy: Arc::default(),
        checker: Arc::new(checker),
        lab: Lab::default(),
    };
    tasks.spawn(connections::serve(port.listener, routes::router(server)));
}
