//! What happened, in a sentence.

use chain::types::Height;

use super::Report;
use crate::runner::Outcome;

impl Report {
    /// 0 where the engine kept its promises: also where a plan asked for more than they say.
    pub fn exit_code(&self) -> u8 {
        if self.within_fault_model { self.outcome.exit_code() } else { 0 }
    }

    /// The verdict in a sentence. `fork` is where two honest nodes differ, `beyond` what the engine
    /// does not promise to stand.
    pub(super) fn sentence(&self, fork: Option<Height>, beyond: Option<&str>) -> String {
        let wrong = match (self.outcome, beyond) {
            (Outcome::Ok, None) => return self.good(),
            (Outcome::Ok, Some(beyond)) => {
                let good = self.good();
                return format!("{good}, though {} does not tolerate {beyond}", self.engine);
            }
            (Outcome::Crash | Outcome::Safety, _) => self.broken(fork),
            (Outcome::Liveness, _) => self.stuck(),
        };
        match beyond {
            Some(beyond) => format!("{wrong}: {} does not tolerate {beyond}", self.engine),
            None => format!("{wrong}: {} promises that this never happens", self.engine),
        }
    }

    fn good(&self) -> String {
        let (stalled, transactions) = (self.liveness.stalled_ms, self.transactions_final);
        match self.liveness.recovery_ms {
            Some(recovery) if self.faults > 0 => format!(
                "recovered {recovery} ms after the faults ended; clients waited at most \
                 {stalled} ms for a block; none of {transactions} transactions lost"
            ),
            _ => format!(
                "all {transactions} transactions final; clients waited at most {stalled} ms for a \
                 block"
            ),
        }
    }

    fn broken(&self, fork: Option<Height>) -> String {
        let lost = match self.lost_transactions {
            0 => String::new(),
            lost => format!(", {lost} acknowledged transactions lost"),
        };
        let Some(violation) = self.violations.first() else {
            return format!("{} acknowledged transactions lost", self.lost_transactions);
        };
        match fork {
            Some(height) => format!("two blocks final at height {height}{lost}"),
            None => format!("{}: {}{lost}", violation.property, violation.detail),
        }
    }

    fn stuck(&self) -> String {
        let missing = self.liveness.missing.as_deref().unwrap_or("nothing new");
        format!("no recovery after the faults ended ({missing})")
    }
}
