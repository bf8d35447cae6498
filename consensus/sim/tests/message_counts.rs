//! What a block costs, message by message, and how long it takes in calm weather.
//!
//! Every message is put down to the block that it carries, votes for, or certifies. All of a view's
//! blocks but the last must cost exactly what docs/protocol/hybrid.md says, no message must be left
//! over. `-- --nocapture` shows the table.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use chain::block::Mode;
use chain::certificate::VoteKind;
use chain::types::Digest;
use consensus::engine::{Role, Time};
use consensus::hybrid::{Hybrid, Message};
use consensus::message::EngineMessage;
use consensus_sim::model::table::markdown;
use consensus_sim::network::Link;
use consensus_sim::plan::{EngineOptions, Fault, Load, Plan, Timed, Who};
use consensus_sim::scenarios;
use consensus_sim::world::{Envelope, Node, World};

const MS: Duration = Duration::from_millis(1);
const DELAY: Duration = Duration::from_millis(5);

/// Messages by kind, certificates sent alone and commit votes told apart.
type Costs = BTreeMap<&'static str, usize>;

#[derive(Default)]
struct Ledger {
    /// In the order of their proposal: the block, its mode, what it cost.
    blocks: Vec<(Digest, Mode, Costs)>,
    /// How many of them were proposed before the counting began.
    skipped: usize,
    /// Messages about no block since then.
    rest: Costs,
}

impl Ledger {
    fn note(&mut self, message: &Message) {
        let (block, kind) = match message {
            Message::Append(append) => match (append.blocks.first(), append.certificates.last()) {
                (Some(block), _) => {
                    if self.place(&block.hash()).is_none() {
                        self.blocks.push((block.hash(), block.header.mode, Costs::new()));
                    }
                    (block.hash(), "append")
                }
                (None, Some(certificate)) => (certificate.ballot.block, "certificate"),
                (None, None) => (Digest::ZERO, "heartbeat"),
            },
            Message::Votes(votes) => match votes.votes[0].ballot {
                ballot if ballot.kind == VoteKind::Prepare => (ballot.block, "prepare"),
                ballot => (ballot.block, "commit"),
            },
            other => (Digest::ZERO, other.kind()),
        };
        let costs = match self.place(&block) {
            Some(place) => &mut self.blocks[place].2,
            None => &mut self.rest,
        };
        *costs.entry(kind).or_default() += 1;
    }

    fn place(&self, block: &Digest) -> Option<usize> {
        self.blocks.iter().position(|(hash, ..)| hash == block)
    }
}

/// Votes that a test lets vanish: those of kind prepare from one validator to another.
type Lost = fn(from: usize, to: usize) -> bool;

/// A world with links of exactly [`DELAY`], and everything that is sent in it.
struct Counted {
    world: World<Hybrid>,
    ledger: Rc<RefCell<Ledger>>,
}

impl Counted {
    fn new(plan: Plan, lost: Lost) -> Self {
        let mut world = World::new(plan, 0);
        let ledger = Rc::new(RefCell::new(Ledger::default()));
        let book = Rc::clone(&ledger);
        world.set_tap(Box::new(move |envelope: &Envelope<'_, Message>| {
            book.borrow_mut().note(envelope.message);
            let prepares = matches!(envelope.message, Message::Votes(votes)
                if votes.votes[0].ballot.kind == VoteKind::Prepare);
            !(prepares && lost(envelope.from, envelope.to))
        }));
        Self { world, ledger }
    }

    /// Runs on and counts the blocks proposed from here on.
    fn count(&mut self, duration: Duration) {
        let proposed = self.ledger.borrow().blocks.len();
        self.ledger.borrow_mut().skipped = proposed;
        self.run(duration);
    }

    /// Runs on and counts all blocks so far, but only the other messages from here on.
    fn run(&mut self, duration: Duration) {
        self.ledger.borrow_mut().rest.clear();
        self.world.run_for(duration);
        assert!(self.world.violations().is_empty(), "{:?}", self.world.violations());
    }

    /// What each block in this mode cost, the newest `in_flight` ones left out: at least `blocks`
    /// of them, all alike, and no message about anything else.
    fn cost(&self, mode: Mode, in_flight: usize, blocks: usize) -> Costs {
        let ledger = self.ledger.borrow();
        let settled = &ledger.blocks[ledger.skipped..ledger.blocks.len() - in_flight];
        let costs: Vec<&Costs> =
            settled.iter().filter(|(_, of, _)| *of == mode).map(|(.., costs)| costs).collect();
        assert!(costs.len() >= blocks, "only {} blocks in {mode:?}", costs.len());
        for (place, cost) in costs.iter().enumerate() {
            assert_eq!(*cost, costs[0], "block {place} of {}", costs.len());
        }
        assert_eq!(ledger.rest, Costs::new(), "messages about no block");
        costs[0].clone()
    }
}

fn plan(n: usize, interval: Duration) -> Plan {
    let options = EngineOptions {
        timeout_min: MS * 200,
        timeout_max: MS * 800,
        heartbeat: MS * 60,
        ..EngineOptions::default()
    };
    Plan {
        options,
        link: Link::exact(DELAY),
        load: Load { transactions: u64::MAX, senders: 4, reads: false, interval },
        faults_end: MS * 1_000,
        ..scenarios::calm(1, n)
    }
}

/// The pipeline stays full: transactions come faster than a round trip.
fn busy(n: usize) -> Plan {
    plan(n, MS * 2)
}

/// The pipeline runs dry after every block.
fn idle(n: usize) -> Plan {
    plan(n, MS * 40)
}

fn none(_: usize, _: usize) -> bool {
    false
}

/// Everyone misses the prepare votes of two followers, the next two in a ring of followers: among
/// seven and ten validators a quorum is left, and no fast quorum. Validator 1 leads the second view.
fn next_two(n: usize) -> Lost {
    match n {
        7 => |from, to| misses(7, from, to),
        10 => |from, to| misses(10, from, to),
        _ => panic!("not among {n}"),
    }
}

fn misses(n: usize, from: usize, to: usize) -> bool {
    let followers = n - 1;
    let place = |node: usize| (node + n - 2) % n;
    let ahead = (place(from) + followers - place(to) % followers) % followers;
    from != 1 && if to == 1 { place(from) < 2 } else { [1, 2].contains(&ahead) }
}

/// Runs into a view that begins in `pbft`: for a while nobody hears the first leader, who hears
/// everybody.
fn in_pbft(plan: Plan, lost: Lost) -> Counted {
    let mute = (1..plan.validators).map(|to| Fault::Block { from: 0, to });
    let faults = mute.map(|fault| Timed { at: MS * 100, fault }).collect();
    let plan = Plan { faults, ..plan };
    let mut counted = Counted::new(plan, lost);
    let first = counted.world.genesis().validators.first_view;
    let end = Time::default() + MS * 2_000;
    let started = counted.world.run_until(end, |world| {
        let mut statuses = world.nodes().iter().filter_map(Node::status);
        statuses.any(|status| status.view > first && status.role == Role::Leader)
    });
    assert!(started, "the second view has a leader");
    counted.world.strike(Fault::HealNetwork);
    counted
}

fn row(rows: &mut Vec<Vec<String>>, n: usize, case: &str, costs: &Costs) {
    let total: usize = costs.values().sum();
    let of = |kind| costs.get(kind).copied().unwrap_or(0).to_string();
    let kinds = ["append", "prepare", "certificate", "commit"].map(of);
    let head = [case.to_owned(), n.to_string(), total.to_string()];
    rows.push(head.into_iter().chain(kinds).collect());
}

fn table(rows: &[Vec<String>]) {
    let head = ["case", "n", "messages per block", "append", "prepare", "certificate", "commit"];
    println!("{}", markdown(&head, rows));
}

#[test]
fn fast_costs_two_messages_per_follower_and_three_where_the_pipeline_is_dry() {
    let mut rows = Vec::new();
    for n in [4, 7, 10] {
        let mut counted = Counted::new(busy(n), none);
        counted.world.run_for(MS * 100);
        counted.count(MS * 500);
        let costs = counted.cost(Mode::Fast, 8, 50);
        assert_eq!(costs, Costs::from([("append", n - 1), ("prepare", n - 1)]), "n = {n}");
        row(&mut rows, n, "fast, full pipeline", &costs);

        let mut counted = Counted::new(idle(n), none);
        counted.world.run_for(MS * 100);
        counted.count(MS * 1_000);
        let costs = counted.cost(Mode::Fast, 1, 20);
        let all = [("append", n - 1), ("prepare", n - 1), ("certificate", n - 1)];
        assert_eq!(costs, Costs::from(all), "n = {n}");
        row(&mut rows, n, "fast, dry pipeline", &costs);
    }
    table(&rows);
}

#[test]
fn pbft_costs_one_message_per_pair_and_two_where_the_commit_phase_is_needed() {
    let mut rows = Vec::new();
    for n in [4, 7, 10] {
        let mut counted = in_pbft(busy(n), none);
        counted.run(MS * 300);
        let costs = counted.cost(Mode::Pbft, 1, 7);
        let prepares = (n - 1) * (n - 1);
        assert_eq!(costs, Costs::from([("append", n - 1), ("prepare", prepares)]), "n = {n}");
        row(&mut rows, n, "pbft", &costs);
    }
    for n in [7, 10] {
        // One block at a time: a commit vote for a higher one would cover those below it. After the
        // first blocks everyone agrees that waiting for the fast quorum is in vain.
        let mut counted = in_pbft(idle(n), next_two(n));
        counted.world.run_for(MS * 90);
        counted.count(MS * 220);
        let costs = counted.cost(Mode::Pbft, 0, 5);
        let prepares = (n - 1) * (n - 1);
        let all = [("append", n - 1), ("prepare", prepares), ("commit", n * (n - 1))];
        assert_eq!(costs, Costs::from(all), "n = {n}");
        row(&mut rows, n, "pbft, commit phase", &costs);
    }
    table(&rows);
}

/// Finality at the leader takes two link delays, no matter whether up to `p` followers are dead.
#[test]
fn dead_followers_cost_no_round_trip() {
    let mut rows = Vec::new();
    for (n, dead) in [(4, 0), (4, 1), (5, 1), (7, 0), (7, 1), (9, 2), (10, 1)] {
        let mut plan = busy(n);
        plan.faults = (n - dead..n)
            .map(|node| Fault::Crash { who: Who::Node(node), restart_after: None })
            .map(|fault| Timed { at: Duration::ZERO, fault })
            .collect();
        let mut counted = Counted::new(plan, none);
        counted.world.run_for(MS * 50);
        counted.count(MS * 500);
        let record = counted.world.record();
        let times: Vec<Duration> = record
            .blocks
            .values()
            .filter_map(|block| Some(block.finals.get(&0)?.since(block.proposed)))
            .collect();
        assert!(times.len() > 100, "n = {n}, {dead} dead: {} blocks", times.len());
        assert_eq!(times.iter().min(), Some(&(DELAY * 2)), "n = {n}, {dead} dead");
        assert_eq!(times.iter().max(), Some(&(DELAY * 2)), "n = {n}, {dead} dead");
        assert_eq!(record.views.len(), 0, "n = {n}, {dead} dead: no view change");
        let costs = counted.cost(Mode::Fast, 8, 50);
        let alive = n - 1 - dead;
        assert_eq!(costs, Costs::from([("append", n - 1), ("prepare", alive)]), "n = {n}");
        let count = times.len().to_string();
        rows.push(vec![n.to_string(), dead.to_string(), count, format!("{:?}", DELAY * 2)]);
    }
    let head = ["n", "dead followers", "blocks", "finality of each at the leader, links of 5 ms"];
    println!("{}", markdown(&head, &rows));
}
