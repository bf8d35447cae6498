//! Figure 1: what a batch costs in calm weather, message by message.
//!
//! The primary's prepare travels in its pre-prepare: n-1 messages. Each of n-1 backups sends its
//! prepare to n-1 others. All n replicas send their commit to n-1 others. Together 2n(n-1). Every
//! K-th block costs n(n-1) checkpoints more.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use chain::certificate::VoteKind;
use chain::types::Digest;
use consensus::message::EngineMessage;
use consensus::pbft::{Message, Pbft};
use consensus_sim::model::table::markdown;
use consensus_sim::network::Link;
use consensus_sim::plan::{EngineOptions, Load, Plan};
use consensus_sim::scenarios;
use consensus_sim::world::{Envelope, World};

use crate::script::MS;

type Costs = BTreeMap<&'static str, usize>;

#[test]
fn a_block_costs_two_n_times_n_minus_one() {
    let mut rows = Vec::new();
    for n in [4, 5, 7, 10] {
        let delay = MS * 5;
        let plan = Plan {
            options: EngineOptions {
                timeout_min: MS * 400,
                timeout_max: MS * 800,
                heartbeat: MS * 100,
                ..EngineOptions::default()
            },
            link: Link::exact(delay),
            load: Load { transactions: u64::MAX, senders: 4, reads: false, interval: MS * 2 },
            ..scenarios::calm(1, n)
        };
        let mut world = World::<Pbft>::new(plan, 0);
        world.run_for(MS * 50);
        let blocks: Rc<RefCell<BTreeMap<Digest, Costs>>> = Rc::default();
        let (rest, checkpoints) = (Rc::new(RefCell::new(Costs::new())), Rc::new(RefCell::new(0)));
        let tally = (Rc::clone(&blocks), Rc::clone(&rest), Rc::clone(&checkpoints));
        world.set_tap(Box::new(move |envelope: &Envelope<'_, Message>| {
            let (block, kind) = match envelope.message {
                Message::PrePrepare(pre_prepare) => (pre_prepare.block.hash(), "pre_prepare"),
                Message::Votes(votes) if votes[0].ballot.kind == VoteKind::Commit => {
                    (votes[0].ballot.block, "commit")
                }
                Message::Votes(votes) => (votes[0].ballot.block, "prepare"),
                Message::Checkpoint(_) => {
                    *tally.2.borrow_mut() += 1;
                    return true;
                }
                other => {
                    *tally.1.borrow_mut().entry(other.kind()).or_default() += 1;
                    return true;
                }
            };
            *tally.0.borrow_mut().entry(block).or_default().entry(kind).or_default() += 1;
            true
        }));
        world.run_for(MS * 700);
        assert!(world.violations().is_empty(), "{:?}", world.violations());
        assert_eq!(*rest.borrow(), Costs::new(), "messages about no block, n = {n}");
        // Blocks begun before the counting or not settled at its end are no measure.
        let all: Costs = BTreeMap::from([
            ("pre_prepare", n - 1),
            ("prepare", (n - 1) * (n - 1)),
            ("commit", n * (n - 1)),
        ]);
        let blocks = blocks.borrow();
        let whole = blocks.values().filter(|costs| **costs == all).count();
        assert!(blocks.len() - whole <= 16, "n = {n}: {whole} of {}", blocks.len());
        assert!(whole > 100, "n = {n}: {whole} blocks");
        assert_eq!(all.values().sum::<usize>(), 2 * n * (n - 1));
        // Finality takes three delays everywhere, one more than the fastest of the hybrid.
        let record = world.record();
        let times: Vec<_> = record
            .blocks
            .values()
            .filter_map(|block| Some(block.finals.values().min()?.since(block.proposed)))
            .collect();
        assert_eq!(times.iter().min(), Some(&(delay * 3)), "n = {n}");
        assert_eq!(record.views.len(), 0, "no view change");
        let cells = [n, whole, 2 * n * (n - 1), *checkpoints.borrow()];
        rows.push(cells.iter().map(ToString::to_string).collect());
    }
    let head = ["n", "blocks", "messages per block", "checkpoints in all"];
    println!("{}", markdown(&head, &rows));
}
