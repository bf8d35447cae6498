//! How fast the simulator is: simulated seconds per second of one core, of a calm network of four.
//! Where the system tells the time on the core, others that share it do not count.
//!
//! `cargo run --release -p consensus-sim --example speed [SIMULATED_SECONDS]`

use std::time::{Duration, Instant};

use consensus::engine::Time;
use consensus::hybrid::Hybrid;
use consensus_sim::plan::{Load, Plan};
use consensus_sim::scenarios;
use consensus_sim::world::World;

/// Transactions per simulated second.
const RATES: [u32; 3] = [0, 20, 200];

/// Time that this thread spent on a core, or passed time where nobody tells.
fn core_time(start: Instant) -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = stat.split(' ').next().and_then(|nanos| nanos.parse().ok());
    nanos.map_or_else(|| start.elapsed(), Duration::from_nanos)
}

fn main() {
    let start = Instant::now();
    let seconds = std::env::args().nth(1).map_or(60, |text| text.parse().expect("whole seconds"));
    for rate in RATES {
        let interval = Duration::from_secs(1).checked_div(rate).unwrap_or_default();
        let load =
            Load { transactions: seconds * u64::from(rate), senders: 4, reads: false, interval };
        let plan = Plan { load, ..scenarios::calm(1, 4) };
        let before = core_time(start);
        let mut world = World::<Hybrid>::new(plan, 0);
        world.run_until(Time::default() + Duration::from_secs(seconds), |_| false);
        let real = (core_time(start) - before).as_secs_f64();
        assert!(world.violations().is_empty(), "{:?}", world.violations());
        println!(
            "{rate:>4} transactions/s: {:>6.0} simulated seconds per second of a core, {} blocks, {} messages, {} events",
            seconds as f64 / real,
            world.max_final(),
            world.record().counters.messages_total(),
            world.trace().events(),
        );
    }
}
