//! Transactions of the testnet's own accounts.

use chain::crypto::Keypair;
use chain::mempool::MempoolLimits;
use chain::transaction::{Body, Payload, SignedTransaction};
use chain::types::{Address, Amount, Digest, Height};

/// Length that load transactions are padded to, in bytes of their encoding.
pub const LOAD_BYTES: usize = 200;
/// How many heights a testnet's transactions stay valid. Half of what pools take, so that a
/// validator which is far behind takes them too.
pub const LIFETIME: u64 = MempoolLimits::LIFETIME / 2;

/// Where a transaction stands: which chain, which nonce, until when.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    pub chain_id: Digest,
    pub nonce: u64,
    pub expiry: Height,
}

impl Slot {
    /// A transaction that does this.
    pub fn sign(self, from: &Keypair, body: Body) -> SignedTransaction {
        let Self { chain_id, nonce, expiry } = self;
        Payload { chain_id, account: None, sender: from.public(), nonce, expiry, body }.sign(from)
    }

    /// Moves one unit.
    pub fn transfer(self, from: &Keypair, to: Address) -> SignedTransaction {
        self.sign(from, Body::Transfer { to, amount: Amount::new(1), memo: Vec::new() })
    }

    /// Moves one unit, in exactly [`LOAD_BYTES`].
    pub fn load_transfer(self, from: &Keypair, to: Address) -> SignedTransaction {
        let memo = vec![0; LOAD_BYTES - TRANSFER_BYTES];
        self.sign(from, Body::Transfer { to, amount: Amount::new(1), memo })
    }

    /// Writes a key of the sender's own, in exactly [`LOAD_BYTES`].
    pub fn load_put(self, from: &Keypair) -> SignedTransaction {
        let key = from.public().address().0.to_vec();
        let mut value = vec![0; LOAD_BYTES - PUT_BYTES - key.len()];
        let nonce = self.nonce.to_le_bytes();
        let shown = value.len().min(nonce.len());
        value[..shown].copy_from_slice(&nonce[..shown]);
        self.sign(from, Body::Put { key, value })
    }
}

/// A transfer without a memo: chain, no other account, sender, nonce, expiry, tag, address, amount, length of the
/// memo, signature.
const TRANSFER_BYTES: usize = 32 + 1 + 32 + 8 + 8 + 4 + 20 + 16 + 8 + 64;
/// A put of an empty value under an empty key, likewise.
const PUT_BYTES: usize = 32 + 1 + 32 + 8 + 8 + 4 + 8 + 8 + 64;

#[cfg(test)]
mod tests {
    use chain::codec;
    use chain::crypto::Ed25519;

    use super::*;

    #[test]
    fn load_transactions_have_the_length_they_promise() {
        let from = Keypair::from_seed(&[1; 32]);
        let to = Keypair::from_seed(&[2; 32]).public().address();
        let slot = Slot { chain_id: Digest([3; 32]), nonce: 77, expiry: Height::new(1000) };
        for transaction in [slot.load_transfer(&from, to), slot.load_put(&from)] {
            assert_eq!(codec::encode(&transaction).len(), LOAD_BYTES);
            assert_eq!(transaction.check_form(&slot.chain_id), Ok(()));
            assert!(transaction.verify_signature(&Ed25519));
        }
    }
}
