//! What is shown: a testnet of this machine, or any nodes by the addresses of their JSON-RPC.

use std::path::Path;
use std::sync::Arc;

use crate::cluster::Cluster;

/// The network on stage.
#[derive(Clone, Debug)]
pub enum Stage {
    /// May be broken on purpose.
    Testnet(Arc<Cluster>),
    /// Base addresses, like `http://127.0.0.1:26657`: read only.
    Nodes(Vec<String>),
}

/// A node on stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub id: usize,
    pub name: String,
    /// Base address of its JSON-RPC.
    pub rpc: String,
    pub alive: bool,
    pub paused: bool,
}

/// What a look at the network shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    pub members: Vec<Member>,
    /// The groups that it is cut into.
    pub partition: Option<Vec<Vec<usize>>>,
}

impl Member {
    /// Whether an answer can be expected.
    pub fn is_responsive(&self) -> bool {
        self.alive && !self.paused
    }
}

impl Stage {
    pub fn cluster(&self) -> Option<&Arc<Cluster>> {
        match self {
            Self::Testnet(cluster) => Some(cluster),
            Self::Nodes(_) => None,
        }
    }

    pub fn dir(&self) -> Option<&Path> {
        self.cluster().map(|cluster| cluster.dir())
    }

    /// The network as it is now: nodes join, and it is cut, meanwhile.
    ///
    /// # Errors
    /// Where the testnet's directory is gone.
    pub fn look(&self) -> anyhow::Result<Look> {
        match self {
            Self::Testnet(cluster) => {
                let manifest = cluster.manifest()?;
                let members = manifest
                    .nodes
                    .into_iter()
                    .map(|node| Member {
                        id: node.id,
                        name: format!("node{}", node.id),
                        rpc: node.rpc(),
                        alive: node.is_alive(),
                        paused: node.process.is_some_and(|process| process.is_paused()),
                    })
                    .collect();
                Ok(Look { members, partition: manifest.partition })
            }
            // Whether they live shows in whether they answer, and who is cut off in nothing.
            Self::Nodes(urls) => {
                let members = urls
                    .iter()
                    .enumerate()
                    .map(|(id, url)| Member {
                        id,
                        name: format!("node{id}"),
                        rpc: url.clone(),
                        alive: true,
                        paused: false,
                    })
                    .collect();
                Ok(Look { members, partition: None })
            }
        }
    }
}
