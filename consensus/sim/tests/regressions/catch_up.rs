//! One far behind comes back.

use std::time::Duration;

use consensus::application::Finals;
use consensus::engine::Time;
use consensus::hybrid::Hybrid;
use consensus_sim::network::Link;
use consensus_sim::plan::{Fault, Load, Plan, Timed, Who};
use consensus_sim::scenarios;
use consensus_sim::world::World;

const MS: Duration = Duration::from_millis(1);

/// The chain has grown by more than three runs of final blocks, and grows on: the newest final
/// block, heard of first, must not keep those below from becoming final.
#[test]
fn one_far_behind_catches_up_while_the_chain_grows_on_and_nobody_is_flooded() {
    let calm = scenarios::calm(1, 4);
    let crash = Fault::Crash { who: Who::Node(3), restart_after: Some(MS * 1_400) };
    let plan = Plan {
        load: Load { transactions: u64::MAX, senders: 4, reads: false, interval: MS * 3 },
        faults: vec![Timed { at: MS * 50, fault: crash }],
        link: Link::exact(MS),
        ..calm
    };
    let mut world = World::<Hybrid>::new(plan, 0);
    world.run_until(Time::default() + MS * 1_450, |_| false);
    let behind = world.max_final().get() - world.min_final().get();
    assert!(behind > 3 * Finals::MAX_BLOCKS as u64, "{behind} blocks behind");
    let caught_up = world.run_until(world.now() + MS * 100, |world| {
        world.min_final().get() + 8 > world.max_final().get()
    });
    assert!(world.violations().is_empty(), "{:?}", world.violations());
    assert!(caught_up, "at {} of {}", world.min_final(), world.max_final());
    let finals = world.record().counters.messages["finals"];
    // Three peers may answer each question.
    let runs = behind / Finals::MAX_BLOCKS as u64 + 2;
    assert!(finals <= 6 * runs, "{finals} answers for {runs} runs of blocks");
}
