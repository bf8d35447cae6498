//! What happens in which round: decided by a seed alone.

use std::time::Duration;

use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::crash_point::CrashPoint;
use crate::disk::Room;

/// How many rounds of which kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rounds {
    /// SIGKILL of one validator at any moment; a tenth as often, of all of them.
    pub kills: u32,
    /// SIGKILL of one validator at a named point.
    pub crashes: u32,
    /// SIGSTOP of the leader for a while.
    pub pauses: u32,
    /// Loss of power, of one validator; every tenth time of all of them.
    pub power_cuts: u32,
    /// A sync that fails.
    pub sync_errors: u32,
    /// A disk that is full, or about to be.
    pub full_disks: u32,
    /// A wall clock that is wrong.
    pub clock_changes: u32,
    /// A bit that flips in a file of a validator that does not run.
    pub bit_flips: u32,
    /// An old copy of a validator's disk in place of the newest.
    pub old_disks: u32,
    /// A second process on a validator's home, and one with its keys elsewhere.
    pub twins: u32,
}

impl Rounds {
    pub const fn sum(&self) -> u32 {
        let Self { kills, crashes, pauses, power_cuts, sync_errors, clock_changes, .. } = *self;
        let Self { full_disks, bit_flips, old_disks, twins, .. } = *self;
        let processes = kills + crashes + pauses + twins + clock_changes;
        processes + power_cuts + sync_errors + full_disks + bit_flips + old_disks
    }

    /// Whether some of them need disks and clocks that can be told to fail.
    pub const fn need_faulty_disks(&self) -> bool {
        self.power_cuts + self.sync_errors + self.full_disks + self.clock_changes > 0
    }
}

/// One round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Round {
    /// Load without disturbance before it.
    pub calm: Duration,
    pub fault: Fault,
    /// Start the victim again at once instead of only after the others went on without it.
    pub at_once: bool,
}

/// What a round does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Kill(Victims),
    Crash {
        victim: usize,
        point: CrashPoint,
        passes: u32,
    },
    Pause(Duration),
    /// At any moment, or right before the call with this number that changes the disk.
    PowerCut {
        victims: Victims,
        call: Option<u64>,
    },
    SyncError {
        victim: usize,
        count: u64,
    },
    FullDisk {
        victim: usize,
        room: Room,
    },
    Clock {
        victim: usize,
        shift_ms: i64,
    },
    BitFlip {
        victim: usize,
        files: Files,
    },
    OldDisk {
        victim: usize,
    },
    Twin {
        victim: usize,
    },
}

/// Which files a bit flips in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Files {
    /// The write-ahead log.
    Log,
    /// Tables and blobs.
    Table,
    Manifest,
    Keys,
}

impl Fault {
    /// For counting.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Kill(Victims::One(_)) => "kill".into(),
            Self::Kill(Victims::All) => "kill of all".into(),
            Self::Crash { point, .. } => format!("crash at {point}"),
            Self::Pause(_) => "pause of the leader".into(),
            Self::PowerCut { victims: Victims::One(_), .. } => "power cut".into(),
            Self::PowerCut { victims: Victims::All, .. } => "power cut of all".into(),
            Self::SyncError { .. } => "failed sync".into(),
            Self::FullDisk { room: Room::None, .. } => "full disk".into(),
            Self::FullDisk { .. } => "disk about to be full".into(),
            Self::Clock { .. } => "wrong clock".into(),
            Self::BitFlip { files: Files::Log, .. } => "flipped bit in the log".into(),
            Self::BitFlip { files: Files::Table, .. } => "flipped bit in a table".into(),
            Self::BitFlip { files: Files::Manifest, .. } => "flipped bit in the manifest".into(),
            Self::BitFlip { files: Files::Keys, .. } => "flipped bit in a key file".into(),
            Self::OldDisk { .. } => "old disk".into(),
            Self::Twin { .. } => "second process".into(),
        }
    }
}

/// Whom a round hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Victims {
    One(usize),
    All,
}

/// A round a minute, of all kinds in turn and in an order of its own. Wrong clocks stay away: after them
/// the chain's time may run ahead, and nobody could tell new blocks from old ones.
pub(super) fn by_the_minute(
    validators: usize,
    minutes: u32,
    points: &[CrashPoint],
    bears_lies: bool,
    seed: u64,
) -> Vec<Round> {
    let each = minutes.div_ceil(if bears_lies { 9 } else { 6 });
    let signed = if bears_lies { each } else { 0 };
    let rounds = Rounds {
        kills: each,
        crashes: each,
        pauses: each,
        power_cuts: each,
        sync_errors: each,
        full_disks: each,
        bit_flips: each,
        old_disks: signed,
        twins: signed,
        clock_changes: 0,
    };
    let mut plan = plan(validators, &rounds, points, seed);
    // A pause of a minute would be late for the next round.
    plan.retain(|round| !matches!(round.fault, Fault::Pause(lasts) if lasts.as_secs() >= 60));
    plan.shuffle(&mut ChaCha8Rng::seed_from_u64(seed.wrapping_add(2)));
    plan.truncate(minutes as usize);
    plan
}

/// Every round of every kind, one kind after the other; rounds that hit everyone come last of
/// theirs. `points`: where validators of the network may come to.
pub(super) fn plan(
    validators: usize,
    rounds: &Rounds,
    points: &[CrashPoint],
    seed: u64,
) -> Vec<Round> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut plan = Vec::new();
    let mut add = |count: u32, fault: &mut dyn FnMut(&mut ChaCha8Rng, u32, usize) -> Fault| {
        for number in 0..count {
            let calm = Duration::from_millis(random.random_range(50..600));
            let victim = random.random_range(0..validators);
            let fault = fault(&mut random, number, victim);
            plan.push(Round { calm, fault, at_once: random.random_bool(0.5) });
        }
    };
    add(rounds.kills, &mut |_, _, victim| Fault::Kill(Victims::One(victim)));
    add(rounds.kills.div_ceil(10), &mut |_, _, _| Fault::Kill(Victims::All));
    add(rounds.crashes, &mut |random, number, victim| {
        let point = points[number as usize % points.len()];
        let passes = if point.is_rare() { 1 } else { random.random_range(1..=20) };
        Fault::Crash { victim, point, passes }
    });
    add(rounds.pauses, &mut |random, number, _| {
        // Mostly a few view timeouts, now and then many.
        let ms = if number % 20 == 19 { 60_000 } else { random.random_range(100..4_000) };
        Fault::Pause(Duration::from_millis(ms))
    });
    let all = rounds.power_cuts.div_ceil(10);
    add(rounds.power_cuts - all, &mut |random, _, victim| {
        let victims = Victims::One(victim);
        let call = random.random_bool(0.5).then(|| random.random_range(1..200));
        Fault::PowerCut { victims, call }
    });
    add(all, &mut |_, _, _| Fault::PowerCut { victims: Victims::All, call: None });
    add(rounds.sync_errors, &mut |random, _, victim| Fault::SyncError {
        victim,
        count: *[1, 2, 1_000_000].choose(random).expect("there are some"),
    });
    add(rounds.full_disks, &mut |_, number, victim| Fault::FullDisk {
        victim,
        room: if number % 2 == 0 { Room::NoneReported } else { Room::None },
    });
    let files = [Files::Log, Files::Table, Files::Manifest, Files::Keys];
    add(rounds.bit_flips, &mut |_, number, victim| Fault::BitFlip {
        victim,
        files: files[number as usize % files.len()],
    });
    add(rounds.old_disks, &mut |_, _, victim| Fault::OldDisk { victim });
    add(rounds.twins, &mut |_, _, victim| Fault::Twin { victim });
    // Last: the chain's time may run ahead for a while after them.
    const MINUTE: i64 = 60_000;
    let shifts = [10 * MINUTE, -10 * MINUTE, 60 * MINUTE, -60 * MINUTE, 1_000, -1_000];
    add(rounds.clock_changes, &mut |_, number, victim| Fault::Clock {
        victim,
        shift_ms: shifts[number as usize % shifts.len()],
    });
    plan
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const ROUNDS: Rounds = Rounds {
        kills: 50,
        crashes: 40,
        pauses: 20,
        power_cuts: 20,
        sync_errors: 5,
        full_disks: 2,
        clock_changes: 6,
        bit_flips: 8,
        old_disks: 1,
        twins: 1,
    };

    #[test]
    fn a_seed_decides_everything() {
        assert_eq!(plan(4, &ROUNDS, &CrashPoint::ALL, 7), plan(4, &ROUNDS, &CrashPoint::ALL, 7));
        assert_ne!(plan(4, &ROUNDS, &CrashPoint::ALL, 7), plan(4, &ROUNDS, &CrashPoint::ALL, 8));
    }

    #[test]
    fn everyone_dies_a_tenth_as_often_and_last() {
        for (kills, all) in [(1, 1), (10, 1), (11, 2), (100, 10)] {
            let rounds = plan(4, &Rounds { kills, ..Rounds::default() }, &[], 1);
            assert_eq!(rounds.len() as u32, kills + all);
            let is_all = |round: &Round| round.fault == Fault::Kill(Victims::All);
            assert_eq!(rounds.iter().position(is_all), Some(kills as usize));
        }
        let rounds = plan(4, &Rounds { kills: 100, ..Rounds::default() }, &[], 1);
        let hit = |id| rounds.iter().any(|round| round.fault == Fault::Kill(Victims::One(id)));
        assert!((0..4).all(hit), "every validator is hit in 100 rounds");
    }

    #[test]
    fn an_hour_has_sixty_faults_of_every_kind() {
        let rounds = by_the_minute(4, 60, &CrashPoint::ALL, true, 3);
        assert_eq!(rounds.len(), 60);
        let kinds: BTreeSet<_> = rounds
            .iter()
            .map(|round| std::mem::discriminant(&round.fault))
            .map(|kind| format!("{kind:?}"))
            .collect();
        assert_eq!(kinds.len(), 9);
        assert_ne!(rounds, by_the_minute(4, 60, &CrashPoint::ALL, true, 4));
    }

    #[test]
    fn every_point_has_its_turn() {
        let rounds = plan(4, &ROUNDS, &CrashPoint::ALL, 1);
        let points = rounds.into_iter().filter_map(|round| match round.fault {
            Fault::Crash { point, .. } => Some(point),
            _ => None,
        });
        assert_eq!(points.collect::<BTreeSet<_>>().len(), CrashPoint::ALL.len());
    }
}
