//! Parts of the key-value store that somebody owns.

use crate::access::Role;
use crate::execute::Executor;
use crate::namespace::{self, Namespace, NamespaceAction};
use crate::receipt::FailureReason;
use crate::state::{RecordKey, RecordValue, Slot};
use crate::types::Address;

impl Executor<'_> {
    pub(super) fn change_namespace(
        &mut self,
        sender: &Address,
        action: &NamespaceAction,
    ) -> Result<(), FailureReason> {
        let name = action.name();
        let slot = Slot::new(RecordKey::Namespace(name.to_vec()));
        let found = self.draft.namespace_at(&slot);
        let owned = || {
            let namespace = found.ok_or(FailureReason::NamespaceNotFound)?;
            if namespace.owner == *sender {
                Ok(namespace.clone())
            } else {
                Err(FailureReason::NotNamespaceOwner)
            }
        };
        let namespace = match action {
            NamespaceAction::Create { rules, .. } => {
                if found.is_some() || self.is_in_use(name) {
                    return Err(FailureReason::NamespaceTaken);
                }
                Namespace { owner: *sender, rules: rules.clone() }
            }
            NamespaceAction::SetRules { rules, .. } => {
                Namespace { rules: rules.clone(), ..owned()? }
            }
            NamespaceAction::Transfer { owner, .. } => Namespace { owner: *owner, ..owned()? },
        };
        self.draft.set(slot, RecordValue::Namespace(namespace));
        Ok(())
    }

    /// Whether keys below a name exist, or did when the block began: who wrote them must not find
    /// them in somebody else's hands.
    fn is_in_use(&self, name: &[u8]) -> bool {
        let prefix = [name, b"/"].concat();
        self.names_in_use.contains(name) || self.draft.base().scan(&prefix, None).next().is_some()
    }

    /// Whether the rules of its namespace, if it has one, let an account write a key.
    pub(super) fn check_writer(&self, sender: &Address, key: &[u8]) -> Result<(), FailureReason> {
        let Some(name) = namespace::name_of(key) else {
            return Ok(());
        };
        let slot = Slot::new(RecordKey::Namespace(name.to_vec()));
        let Some(namespace) = self.draft.namespace_at(&slot) else {
            return Ok(());
        };
        let has = |role: Role| {
            self.draft.roles(*sender).has(role)
                || namespace::is_validator(self.draft.base().validators(), sender)
        };
        if namespace.owner == *sender || namespace.rules.writers.lets_through(sender, has) {
            Ok(())
        } else {
            Err(FailureReason::NotNamespaceWriter)
        }
    }
}

#[cfg(test)]
mod tests;
