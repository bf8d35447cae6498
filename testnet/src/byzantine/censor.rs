//! A leader that never takes the transactions of one account into its blocks.

use std::sync::{Mutex, PoisonError};

use chain::crypto::PublicKey;
use chain::transaction::SignedTransaction;

use super::control::{Behaviour, Control};

/// Leaves out whoever it meets first once it is told to. No block shows that.
#[derive(Debug)]
pub struct Censor {
    control: Control,
    victim: Mutex<Option<PublicKey>>,
}

impl Censor {
    pub fn new(control: Control) -> Self {
        Self { control, victim: Mutex::default() }
    }

    /// Whether a transaction may go into a block.
    pub fn lets_through(&self, transaction: &SignedTransaction) -> bool {
        let mut victim = self.victim.lock().unwrap_or_else(PoisonError::into_inner);
        if self.control.faults().behaviour != Behaviour::Censor {
            *victim = None;
            return true;
        }
        let sender = transaction.payload.sender;
        let passes = *victim.get_or_insert(sender) != sender;
        if !passes {
            self.control.count_act();
        }
        passes
    }
}
