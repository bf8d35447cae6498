//! Writing to the key-value store.

use crate::execute::Executor;
use crate::receipt::FailureReason;
use crate::state::{Entry, RecordValue, Slot};
use crate::transaction::Expected;

impl Executor<'_> {
    pub(super) fn put(&mut self, key: &[u8], value: &[u8]) {
        self.write(Slot::entry(key), value);
    }

    pub(super) fn delete(&mut self, key: &[u8]) -> Result<(), FailureReason> {
        let entry = Slot::entry(key);
        self.draft.entry_at(&entry).ok_or(FailureReason::KeyNotFound)?;
        self.draft.remove(entry);
        Ok(())
    }

    pub(super) fn compare_and_swap(
        &mut self,
        key: &[u8],
        expected: &Expected,
        value: &[u8],
    ) -> Result<(), FailureReason> {
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
        self.write(entry, value);
        Ok(())
    }

    fn write(&mut self, slot: Slot, value: &[u8]) {
        let before = self.draft.entry_at(&slot).map_or(0, |entry| entry.version);
        let entry = Entry { value: value.to_vec(), version: before.saturating_add(1) };
        self.draft.set(slot, RecordValue::Entry(entry));
    }
}
