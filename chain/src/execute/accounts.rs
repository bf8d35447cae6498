//! Which key signs for an account.

use crate::crypto::{PublicKey, Signature};
use crate::execute::Executor;
use crate::receipt::FailureReason;
use crate::state::{Account, RecordValue, Slot};
use crate::transaction::key_rotation_digest;
use crate::types::Address;

impl Executor<'_> {
    /// Gives the account another key. One that signed for an account of its own, or that signs for
    /// this one already, is refused: among them the account's first key, which may have leaked.
    pub(super) fn rotate_key(
        &mut self,
        address: Address,
        slot: Slot,
        sender: Account,
        new_key: &PublicKey,
        possession: &Signature,
    ) -> Result<(), FailureReason> {
        let own = self.draft.account_at(&Slot::account(new_key.address()));
        if own.nonce > 0 || sender.key == Some(*new_key) {
            return Err(FailureReason::KeyInUse);
        }
        let digest = key_rotation_digest(&self.context.chain_id, &address);
        let verifier = self.context.verifier;
        if !verifier.is_usable(new_key) || !verifier.verify(new_key, &digest, possession) {
            return Err(FailureReason::KeyNotProven);
        }
        self.draft.set(slot, RecordValue::Account(Account { key: Some(*new_key), ..sender }));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
