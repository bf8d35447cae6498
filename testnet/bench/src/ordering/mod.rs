//! S2: opaque bytes, ordered by four validators with real signatures in one process. The hybrid
//! beside simplex, of the crate `commonware-consensus`, and HotStuff, of the crate `hotstuff_rs`.

mod hotstuff;
mod ours;
mod simplex;
mod wires;

use std::time::{Duration, Instant};

use crate::method::{Spread, in_turn, own_cpu, ratios};
use crate::results::{Bound, Goal, Table};

pub const VALIDATORS: usize = 4;

/// What is ordered.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    what: &'static str,
    /// In each block.
    pub payloads: usize,
    pub payload_bytes: usize,
    /// How many blocks are measured, after some that are not.
    blocks: u64,
}

impl Load {
    const fn block_bytes(&self) -> usize {
        self.payloads * self.payload_bytes
    }
}

/// One transaction, for the side that has no blocks without any.
const EMPTY: Load = Load { what: "empty", payloads: 1, payload_bytes: 200, blocks: 400 };
pub const SMALL: Load = Load { what: "1 MB", payloads: 5_000, payload_bytes: 200, blocks: 40 };
const LARGE: Load = Load { what: "1 MB", payloads: 1_953, payload_bytes: 512, blocks: 40 };

/// What was ordered, and what all validators together took for it.
#[derive(Clone, Copy, Debug)]
struct Ordered {
    blocks: u64,
    wall: Duration,
    cpu: Duration,
}

impl Ordered {
    fn blocks_per_second(&self) -> f64 {
        self.blocks as f64 / self.wall.as_secs_f64()
    }

    fn micros_per_block(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.blocks as f64
    }
}

/// A moment, on the clock and in processor time of this process.
struct Since(Instant, Duration);

impl Since {
    fn now() -> anyhow::Result<Self> {
        Ok(Self(Instant::now(), own_cpu()?))
    }

    fn until_now(&self, blocks: u64) -> anyhow::Result<Ordered> {
        anyhow::ensure!(blocks > 0, "no block was decided");
        let (wall, cpu) = (self.0.elapsed(), own_cpu()?.saturating_sub(self.1));
        Ok(Ordered { blocks, wall, cpu })
    }
}

type Order = fn(Load) -> anyhow::Result<Ordered>;

/// Whom the others are compared with first.
const CONTESTANTS: [(&str, Order); 3] = [
    ("commonware simplex", simplex::order),
    ("our hybrid", ours::order),
    ("hotstuff_rs 0.4", hotstuff::order),
];
/// Who has goals.
const OURS: usize = 1;

/// The table, and the goals.
///
/// # Errors
/// Where somebody decides nothing.
pub fn run(pairs: usize, quick: bool) -> anyhow::Result<(Vec<Table>, Vec<Goal>)> {
    let mut table = Table::new(
        "Opaque payloads, four validators in one process, Ed25519; those of hotstuff_rs have \
         threads of their own, which now and then look for requests",
        &[
            "who",
            "blocks",
            "payload",
            "blocks/s",
            "MB/s",
            "CPU µs per block",
            "CPU µs per payload",
            "× peer, MB/s",
            "× peer, CPU",
        ],
    );
    let small = compare(SMALL, pairs, quick, &mut table)?;
    let large = compare(LARGE, pairs, quick, &mut table)?;
    let empty = compare(EMPTY, pairs, quick, &mut table)?;
    let worse = |a: Spread, b: Spread, worse: fn(f64, f64) -> bool| {
        if worse(a.median, b.median) { a } else { b }
    };
    let goals = vec![
        Goal::new(
            "S2: bytes ordered per second beside commonware simplex, blocks of 1 MB, the payload where it is worse",
            worse(small.rate, large.rate, |a, b| a < b),
            Bound::AtLeast(0.7),
            Bound::AtLeast(1.2),
        ),
        Goal::new(
            "S2: processor time per payload beside commonware simplex, the payload where it is worse",
            worse(small.cpu, large.cpu, |a, b| a > b),
            Bound::AtMost(1.5),
            Bound::AtMost(1.0),
        ),
        Goal::new(
            "S2: processor time per empty decided block beside commonware simplex",
            empty.cpu,
            Bound::AtMost(0.5),
            Bound::AtMost(0.15),
        ),
    ];
    Ok((vec![table], goals))
}

/// Somebody's as a part of the peer's.
#[derive(Clone, Copy)]
struct Compared {
    rate: Spread,
    cpu: Spread,
}

/// The rows of one load; tells how ours compares.
fn compare(load: Load, pairs: usize, quick: bool, table: &mut Table) -> anyhow::Result<Compared> {
    let load = Load { blocks: if quick { load.blocks / 4 } else { load.blocks }, ..load };
    let mut measures = CONTESTANTS.map(|(_, order)| move || order(load));
    let samples = in_turn(pairs, &mut measures)?;
    let of = |place: usize, value: fn(&Ordered) -> f64| -> Vec<f64> {
        samples[place].iter().map(value).collect()
    };
    let ratio = |place, value| ratios(&of(place, value), &of(0, value), quick);
    let compared = |place| -> anyhow::Result<Compared> {
        Ok(Compared {
            rate: ratio(place, Ordered::blocks_per_second)?,
            cpu: ratio(place, Ordered::micros_per_block)?,
        })
    };
    for (place, (name, _)) in CONTESTANTS.iter().enumerate() {
        let rate = Spread::of(&of(place, Ordered::blocks_per_second));
        let cpu = Spread::of(&of(place, Ordered::micros_per_block));
        let beside = (place > 0).then(|| compared(place)).transpose()?;
        table.row([
            (*name).into(),
            load.what.into(),
            load.payload_bytes.into(),
            rate.into(),
            (rate.median * load.block_bytes() as f64 / 1e6).into(),
            cpu.into(),
            (cpu.median / load.payloads as f64).into(),
            beside.map_or_else(|| "1".into(), |beside| beside.rate.into()),
            beside.map_or_else(|| "1".into(), |beside| beside.cpu.into()),
        ]);
    }
    compared(OURS)
}
