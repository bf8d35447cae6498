//! A run as a row of a table that spreadsheets and plotting tools read.

use super::Report;
use crate::simulate::Variation;

type Column = (&'static str, fn(&Variation, &Report) -> String);

const COLUMNS: &[Column] = &[
    ("engine", |_, r| quoted(&r.engine)),
    ("policy", |_, r| optional(r.policy)),
    ("scenario", |_, r| quoted(&r.scenario)),
    ("validators", |_, r| r.validators.to_string()),
    ("seed", |_, r| r.seed.to_string()),
    ("delay_ms", |v, _| optional(v.delay.map(|delay| delay.as_millis()))),
    ("loss_percent", |v, _| optional(v.loss_percent)),
    ("faults", |v, _| optional(v.faults)),
    ("simulated_ms", |_, r| r.simulated_ms.to_string()),
    ("blocks_final", |_, r| r.blocks_final.to_string()),
    ("transactions_final", |_, r| r.transactions_final.to_string()),
    ("messages", |_, r| r.messages.to_string()),
    ("bytes", |_, r| r.bytes.to_string()),
    ("messages_per_block", |_, r| r.messages_per_block.to_string()),
    ("messages_per_transaction", |_, r| r.messages_per_transaction.to_string()),
    ("bytes_per_block", |_, r| r.bytes_per_block.to_string()),
    ("bytes_per_transaction", |_, r| r.bytes_per_transaction.to_string()),
    ("network_delay_ms", |_, r| r.network_delay_ms.to_string()),
    ("ordered_p50_ms", |_, r| r.ordered_ms.p50.to_string()),
    ("ordered_p95_ms", |_, r| r.ordered_ms.p95.to_string()),
    ("ordered_p99_ms", |_, r| r.ordered_ms.p99.to_string()),
    ("latency_p50_ms", |_, r| r.latency_ms.p50.to_string()),
    ("latency_p95_ms", |_, r| r.latency_ms.p95.to_string()),
    ("latency_p99_ms", |_, r| r.latency_ms.p99.to_string()),
    ("ordered_p50_delays", |_, r| r.ordered_delays.p50.to_string()),
    ("latency_p50_delays", |_, r| r.latency_delays.p50.to_string()),
    ("latency_p95_delays", |_, r| r.latency_delays.p95.to_string()),
    ("latency_p99_delays", |_, r| r.latency_delays.p99.to_string()),
    ("signatures_made", |_, r| r.signatures_made.to_string()),
    ("signatures_checked", |_, r| r.signatures_checked.to_string()),
    ("syncs", |_, r| r.syncs.to_string()),
    ("leader_changes", |_, r| r.leader_changes.to_string()),
    ("stalled_ms", |_, r| r.liveness.stalled_ms.to_string()),
    ("resumed_ms", |_, r| optional(r.resumed_ms)),
    ("recovered", |_, r| r.liveness.recovered.to_string()),
    ("recovery_ms", |_, r| optional(r.liveness.recovery_ms)),
    ("safety_violations", |_, r| r.safety_violations.to_string()),
    ("lost_transactions", |_, r| r.lost_transactions.to_string()),
    ("within_fault_model", |_, r| r.within_fault_model.to_string()),
    ("exit_code", |_, r| r.exit_code().to_string()),
    ("trace_hash", |_, r| r.trace_hash.to_string()),
];

/// The names of the columns, comma-separated.
pub fn csv_header() -> String {
    COLUMNS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(",")
}

/// A run under this variation, in the order of [`csv_header`].
pub fn csv_row(variation: &Variation, report: &Report) -> String {
    COLUMNS.iter().map(|(_, of)| of(variation, report)).collect::<Vec<_>>().join(",")
}

fn optional<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// RFC 4180: text that contains a separator stands in quotes, quotes are doubled.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn text_with_separators_is_quoted() {
        assert_eq!(quoted("calm"), "calm");
        assert_eq!(quoted("a,\"b\""), "\"a,\"\"b\"\"\"");
    }
}
