//! How often memory is allocated per transaction on fixed inputs: a count that does not wobble as
//! time does. What grows past its bound made the way of a transaction longer.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use consensus::engine::Engine;
use consensus::hybrid::Hybrid;
use consensus_sim::direct::{Direct, Setup};
use consensus_sim::plan::EngineOptions;

/// The system's allocator, counted per thread: the test harness has threads of its own.
struct Counted;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

#[expect(unsafe_code, reason = "an allocator is unsafe by its trait; this one hands all on")]
// SAFETY: every call goes on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: as our caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as our caller promised, and it came from there.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counted = Counted;

const VALIDATORS: usize = 4;
const TRANSACTIONS: u64 = 256;
const BLOCKS: u64 = 20;
const WARM_UP: u64 = 10;

/// Allocations of all validators together per transaction, hundredths.
fn per_transaction<E: Engine>() -> u64 {
    let most = usize::try_from(TRANSACTIONS).expect("a few hundred");
    let mut direct = Direct::<E>::new(Setup::new(VALIDATORS, EngineOptions::default(), most));
    let (mut counted, mut number) = (0, 0);
    for block in 0..WARM_UP + BLOCKS {
        let numbers = number..number + TRANSACTIONS;
        number = numbers.end;
        let made: Vec<_> = direct.transactions(numbers, 200).collect();
        let before = ALLOCATIONS.get();
        direct.submit(made);
        direct.round();
        if block >= WARM_UP {
            counted += ALLOCATIONS.get() - before;
        }
    }
    let hundredths = counted * 100 / (BLOCKS * TRANSACTIONS);
    println!("{}: {hundredths} allocations per 100 transactions", E::NAME);
    hundredths
}

/// Counted: 1138. A few more, for where a map splits its nodes.
#[test]
fn ordering_a_transaction_allocates_no_more_than_it_did() {
    let counted = per_transaction::<Hybrid>();
    assert!(counted <= 1_145, "{counted} allocations per 100 transactions");
}
