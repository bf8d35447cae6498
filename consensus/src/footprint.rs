//! What a final block shows of the network that agreed on it.

use chain::block::{Block, Header};
use chain::certificate::Signers;
use chain::evidence::Evidence;
use chain::transaction::Transaction;
use chain::types::{Epoch, ValidatorIndex, View};

/// A final block without its transactions: what the switching policy looks at, and what a node that
/// starts gets back of the last blocks. The same for everybody who has the block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footprint {
    pub header: Header,
    /// Who signed the certificate that the block carries, of one of its ancestors.
    pub signers: Option<Signers>,
    /// Whom the block brings evidence against.
    pub accusations: Vec<Accusation>,
}

/// Evidence without its proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accusation {
    pub epoch: Epoch,
    /// The view of the two statements.
    pub view: View,
    pub accused: ValidatorIndex,
}

impl Footprint {
    pub fn of(block: &Block) -> Self {
        let accusations = block.transactions.iter().filter_map(|transaction| match transaction {
            Transaction::Evidence(evidence) => Some(Accusation::of(evidence)),
            Transaction::Signed(_) => None,
        });
        Self {
            header: block.header.clone(),
            signers: block.justification.certificate.as_ref().map(Signers::of),
            accusations: accusations.collect(),
        }
    }

    /// Of a block of which only the header is left.
    pub fn of_header(header: Header) -> Self {
        Self { header, signers: None, accusations: Vec::new() }
    }
}

impl Accusation {
    fn of(evidence: &Evidence) -> Self {
        Self { epoch: evidence.epoch(), view: evidence.view(), accused: evidence.accused() }
    }
}
