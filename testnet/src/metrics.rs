//! What a node tells of itself to Prometheus.

use anyhow::{Context, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::cluster::manifest::NodeEntry;
use crate::rpc::PATIENCE;

/// The page `/metrics` of a node, as it was at a moment.
#[derive(Clone, Debug)]
pub struct Metrics(String);

impl Metrics {
    /// # Errors
    /// Where the node does not answer.
    pub async fn of(node: &NodeEntry) -> anyhow::Result<Self> {
        let asked = async { timeout(PATIENCE, page(node)).await? };
        asked.await.with_context(|| format!("node {} tells no metrics", node.id))
    }

    /// The value of a metric; `name` includes the labels, as they stand in the page.
    ///
    /// # Errors
    /// Where there is no such metric.
    pub fn value(&self, name: &str) -> anyhow::Result<f64> {
        let value = self.0.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let value = value.with_context(|| format!("there is no metric {name}"))?;
        Ok(value.trim().parse()?)
    }
}

async fn page(node: &NodeEntry) -> anyhow::Result<Metrics> {
    let host = format!("127.0.0.1:{}", node.rpc_port);
    let mut stream = TcpStream::connect(&host).await?;
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut page = String::new();
    stream.read_to_string(&mut page).await?;
    ensure!(page.starts_with("HTTP/1.1 200"), "it answers {page:.40}");
    Ok(Metrics(page))
}
