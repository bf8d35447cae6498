//! Writing to the key-value store.

use crate::execute::Executor;
use crate::namespace;
use crate::receipt::{FailureReason, Outcome};
use crate::state::{Entry, RecordValue, Slot};
use crate::transaction::Expected;
use crate::types::Address;

impl Executor<'_> {
    pub(super) fn put(
        &mut self,
        sender: &Address,
        key: &[u8],
        value: &[u8],
    ) -> Result<Outcome, FailureReason> {
        self.check_writer(sender, key)?;
        Ok(self.write(Slot::entry(key), key, value))
    }

    pub(super) fn delete(&mut self, sender: &Address, key: &[u8]) -> Result<(), FailureReason> {
        self.check_writer(sender, key)?;
        let entry = Slot::entry(key);
        self.draft.entry_at(&entry).ok_or(FailureReason::KeyNotFound)?;
        self.draft.remove(entry);
        Ok(())
    }

    pub(super) fn compare_and_swap(
        &mut self,
        sender: &Address,
        key: &[u8],
        expected: &Expected,
        value: &[u8],
    ) -> Result<Outcome, FailureReason> {
        self.check_writer(sender, key)?;
        let entry = Slot::entry(key);
        let found = self.draft.entry_at(&entry);
        let as_expected = match expected {
            Expected::Absent => found.is_none(),
            Expected::Value(value) => found.is_some_and(|entry| entry.value == *value),
            Expected::Version(version) => found.is_some_and(|entry| entry.version == *version),
        };
        if !as_expected {
            return Err(FailureReason::CompareMismatch);
        }
        Ok(self.write(entry, key, value))
    }

    fn write(&mut self, slot: Slot, key: &[u8], value: &[u8]) -> Outcome {
        let before = self.draft.entry_at(&slot).map_or(0, |entry| entry.version);
        let version = before.saturating_add(1);
        let entry = Entry { value: value.to_vec(), version };
        self.draft.set(slot, RecordValue::Entry(entry));
        if let Some(name) = namespace::name_of(key)
            && !self.names_in_use.contains(name)
        {
            self.names_in_use.insert(name.to_vec());
        }
        Outcome::Written { version }
    }
}
