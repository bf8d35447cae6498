//! S3, first half: engines in process. Three servers in one thread order operations of 200 bytes,
//! messages arrive at once, logs are memory. Time is that of the processor.

mod omni;
mod open;
mod ours;
mod tikv;

use std::time::Duration;

use consensus::paxos::Paxos;
use consensus::raft::Raft;
use consensus_sim::direct::Carriage;

use crate::method::{Spread, in_turn, own_cpu, ratios};
use crate::results::{Bound, Goal, Table};
pub use ours::Ours;

pub const SERVERS: usize = 3;
pub const OPERATION_BYTES: usize = 200;
/// Operations that are proposed together, and decided before the next ones are.
const BATCHES: [usize; 4] = [1, 16, 256, 1024];

/// Servers with a leader.
pub trait Contestant {
    /// Orders so many operations and returns once the leader knows them decided and every server
    /// has said what there is to say.
    fn order(&mut self, operations: usize);

    /// Messages sent so far.
    fn messages(&self) -> u64;

    /// Operations decided so far, at the leader.
    fn decided(&self) -> u64;
}

/// One measurement.
struct Sample {
    /// Operations per second of processor time.
    rate: f64,
    messages: f64,
}

/// Builds a contestant anew, so that logs are as short for all, and lets it order for a while.
fn sample(
    build: &dyn Fn() -> Box<dyn Contestant>,
    batch: usize,
    operations: usize,
) -> anyhow::Result<Sample> {
    let mut contestant = build();
    let rounds = operations.div_ceil(batch);
    for _ in 0..rounds.div_ceil(10) {
        contestant.order(batch);
    }
    let (messages, decided) = (contestant.messages(), contestant.decided());
    let before = own_cpu()?;
    for _ in 0..rounds {
        contestant.order(batch);
    }
    let spent = own_cpu()?.saturating_sub(before);
    let ordered = (rounds * batch) as u64;
    anyhow::ensure!(contestant.decided() - decided == ordered, "not everything was decided");
    Ok(Sample {
        rate: ordered as f64 / spent.max(Duration::from_nanos(1)).as_secs_f64(),
        messages: (contestant.messages() - messages) as f64 / ordered as f64,
    })
}

type Build = fn(usize) -> Box<dyn Contestant>;

/// The peer first; then ours, handing messages over as the peer does, and encoding them.
const RAFT: [(&str, Build); 4] = [
    ("raft 0.7", |_| Box::new(tikv::Servers::new())),
    ("our Raft", |batch| Box::new(Ours::<Raft>::new(Carriage::Shared, batch))),
    ("our Raft, messages encoded", |batch| Box::new(Ours::<Raft>::new(Carriage::Encoded, batch))),
    ("openraft 0.9", |_| Box::new(open::Servers::new())),
];
const PAXOS: [(&str, Build); 3] = [
    ("omnipaxos 0.2", |_| Box::new(omni::Servers::new())),
    ("our Multi-Paxos", |batch| Box::new(Ours::<Paxos>::new(Carriage::Shared, batch))),
    ("our Multi-Paxos, messages encoded", |batch| {
        Box::new(Ours::<Paxos>::new(Carriage::Encoded, batch))
    }),
];

/// The table, and the goals: judged at every batch by the worst of them.
///
/// # Errors
/// Where the system does not tell the time, or somebody decides too little.
pub fn run(pairs: usize, quick: bool) -> anyhow::Result<(Vec<Table>, Vec<Goal>)> {
    let mut table = Table::new(
        "Operations of 200 bytes per second of one core, three servers in process",
        &["engine", "batch", "op/s-core", "µs per op", "messages per op", "× peer"],
    );
    let raft = compare(&RAFT, pairs, quick, &mut table)?;
    let paxos = compare(&PAXOS, pairs, quick, &mut table)?;
    let goals = vec![
        Goal::new(
            "S3: our Raft beside raft 0.7, op/s-core, the batch where it is worst",
            raft,
            Bound::AtLeast(1.0),
            Bound::AtLeast(3.0),
        ),
        Goal::new(
            "S3: our Multi-Paxos beside omnipaxos, op/s-core, the batch where it is worst",
            paxos,
            Bound::AtLeast(0.3),
            Bound::AtLeast(1.0),
        ),
    ];
    Ok((vec![table], goals))
}

/// The lowest ratio over all batches, of the second contestant to the first.
fn compare(
    contestants: &[(&str, Build)],
    pairs: usize,
    quick: bool,
    table: &mut Table,
) -> anyhow::Result<Spread> {
    let mut worst: Option<Spread> = None;
    for batch in BATCHES {
        // About as long for all batches.
        let operations = if quick { 5_000 } else { 40_000 } * if batch == 1 { 1 } else { 4 };
        let measure = |(_, build): &(&str, Build)| {
            let build = *build;
            move || sample(&|| build(batch), batch, operations)
        };
        let mut measures: Vec<_> = contestants.iter().map(measure).collect();
        let samples = in_turn(pairs, &mut measures)?;
        let rates: Vec<Vec<f64>> =
            samples.iter().map(|of| of.iter().map(|sample| sample.rate).collect()).collect();
        for (place, (name, _)) in contestants.iter().enumerate() {
            let ratio = ratios(&rates[place], &rates[0], quick)?;
            let rate = Spread::of(&rates[place]);
            table.row([
                (*name).into(),
                batch.into(),
                rate.into(),
                (1e6 / rate.median).into(),
                samples[place][0].messages.into(),
                if place == 0 { "1".into() } else { ratio.into() },
            ]);
            if place == 1 && worst.is_none_or(|worst| ratio.median < worst.median) {
                worst = Some(ratio);
            }
        }
    }
    Ok(worst.expect("there are batches"))
}
