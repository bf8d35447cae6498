//! The network, the machines and the clients that every study starts from.

use std::time::Duration;

use consensus_sim::plan::{Load, Plan, Work};
use consensus_sim::scenarios;

use crate::contender::Contender;

pub const MS: Duration = Duration::from_millis(1);

/// Transactions that clients keep in flight, unless a study says otherwise: each is followed by the
/// next as soon as it is final.
pub const IN_FLIGHT: usize = 16;

/// How long a synced write takes, at least and at most: a fast disk.
pub const SYNC: (Duration, Duration) = (Duration::from_micros(200), Duration::from_micros(600));

/// What computing costs a validator: about what one core takes for a message of libp2p and for
/// Ed25519.
pub const WORK: Work = Work {
    message: Duration::from_micros(10),
    sign: Duration::from_micros(20),
    check: Duration::from_micros(40),
};

/// A network that is whole again has so many of its longest timeouts to go on.
const RECOVERY_TIMEOUTS: u32 = 10;

/// A machine room with links of 1 to 2 ms and nothing going wrong, for so long. Clients send
/// nothing by themselves.
pub fn calm(contender: Contender, n: usize, seed: u64, lasts: Duration) -> Plan {
    let calm = scenarios::calm(seed, n);
    Plan {
        options: contender.options(calm.options),
        work: WORK,
        sync: SYNC,
        load: Load { transactions: 0, ..calm.load },
        faults_end: lasts,
        recovery_bound: calm.options.timeout_max * RECOVERY_TIMEOUTS,
        ..calm
    }
}
