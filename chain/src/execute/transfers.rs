//! Moving amounts from one account to another.

use crate::execute::Executor;
use crate::receipt::FailureReason;
use crate::state::{Account, RecordValue, Slot};
use crate::types::Amount;

impl Executor<'_> {
    pub(super) fn transfer(
        &mut self,
        from: Slot,
        mut sender: Account,
        to: Slot,
        amount: Amount,
    ) -> Result<(), FailureReason> {
        let balance = sender.balance;
        sender.balance = balance
            .checked_sub(amount)
            .ok_or(FailureReason::InsufficientBalance { balance, amount })?;
        // Nothing for nobody must not leave an empty account behind.
        if amount == Amount::ZERO {
            return Ok(());
        }
        self.draft.set(from, RecordValue::Account(sender));
        // Read after the sender was written: they may be the same account.
        let mut receiver = self.draft.account_at(&to);
        receiver.balance = receiver
            .balance
            .checked_add(amount)
            .expect("no balance exceeds the total supply, which is an amount");
        self.draft.set(to, RecordValue::Account(receiver));
        Ok(())
    }
}
