//! One production validator on a simulated disk and clock; the script is everybody else.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use chain::block::SealedBlock;
use chain::certificate::{Ballot, Certificate, ViewCertificate, ViewStart, VoteKind};
use chain::types::View;
use chain::validator::ValidatorSet;
use consensus::application::Storage;
use consensus::engine::{Engine, Status};
use consensus::hybrid::{Append, Hybrid, Message, Safety, ViewChange, Votes};
use consensus::tree::BlockRef;
use consensus_sim::byzantine::BehaviourKind;
use consensus_sim::disk::{CrashPoint, SimStorage};
use consensus_sim::network::Link;
use consensus_sim::plan::{EngineOptions, Load, Plan};
use consensus_sim::scenarios;
use consensus_sim::world::{Envelope, World};

use crate::quill::{Quill, index};

const MS: Duration = Duration::from_millis(1);

/// A validator alone with a script.
pub(crate) struct Lone {
    pub(crate) world: World<Hybrid>,
    pub(crate) quill: Quill,
    me: usize,
    said: Rc<RefCell<Vec<Message>>>,
}

impl Lone {
    /// Validator `me` of `n`, with timeouts far longer than a script.
    pub(crate) fn new(n: usize, me: usize) -> Self {
        let options = EngineOptions {
            timeout_min: MS * 2_000,
            timeout_max: MS * 8_000,
            pipeline: 4,
            ..EngineOptions::default()
        };
        Self::with(n, me, options)
    }

    pub(crate) fn with(n: usize, me: usize, options: EngineOptions) -> Self {
        let calm = scenarios::calm(1, n);
        let others = (0..n).filter(|other| *other != me);
        let plan = Plan {
            options,
            link: Link::exact(MS),
            byzantine: others.map(|other| (other, BehaviourKind::Silent)).collect(),
            load: Load { transactions: 0, ..calm.load },
            ..calm
        };
        let seed = plan.seed;
        let mut world = World::new(plan, 0);
        (0..n).filter(|other| *other != me).for_each(|other| world.crash(other, None));
        let said = Rc::new(RefCell::new(Vec::new()));
        let book = Rc::clone(&said);
        world.set_tap(Box::new(move |envelope: &Envelope<'_, Message>| {
            book.borrow_mut().push(envelope.message.clone());
            false
        }));
        let quill = Quill::new(world.genesis(), seed);
        Self { world, quill, me, said }
    }

    /// The others' indices, in order.
    pub(crate) fn others(&self) -> Vec<usize> {
        (0..self.quill.set.len()).filter(|other| *other != self.me).collect()
    }

    /// A message arrives and is dealt with.
    pub(crate) fn tell(&mut self, from: usize, message: Message) {
        self.world.inject(index(from), self.me, message);
        self.pass(MS / 10);
    }

    /// Time goes by.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.world.run_for(time);
        assert!(self.world.violations().is_empty(), "{:?}", self.world.violations());
    }

    /// The leader of the block's view sends it.
    pub(crate) fn append(&mut self, block: &SealedBlock) {
        self.append_with(block, None);
    }

    /// The same, with the view's certificate beside the block.
    pub(crate) fn append_with(
        &mut self,
        block: &SealedBlock,
        certificate: Option<ViewCertificate>,
    ) {
        let header = &block.header;
        let append = Append {
            epoch: header.epoch,
            view: header.view,
            head: BlockRef { position: header.position(), hash: block.hash() },
            view_certificate: certificate,
            certificates: Vec::new(),
            blocks: vec![block.clone()],
            votes: Vec::new(),
        };
        self.tell(header.proposer.as_usize(), Message::Append(append));
    }

    /// The leader of the start's view shows the view's certificate.
    pub(crate) fn enter(&mut self, start: ViewStart) -> ViewCertificate {
        let signers = self.others();
        let certificate = self.quill.view_certificate(start, &signers);
        let leader = self.quill.set.leader(start.view).as_usize();
        let append = Append {
            epoch: start.epoch,
            view: start.view,
            head: self.quill.genesis,
            view_certificate: Some(certificate.clone()),
            certificates: Vec::new(),
            blocks: Vec::new(),
            votes: Vec::new(),
        };
        let from = if leader == self.me { signers[0] } else { leader };
        self.tell(from, Message::Append(append));
        certificate
    }

    pub(crate) fn decide(&mut self, certificate: Certificate) {
        let from = self.others()[0];
        self.tell(from, Message::Decided(certificate));
    }

    pub(crate) fn votes(&mut self, voter: usize, ballot: Ballot) {
        let votes = vec![self.quill.vote(voter, ballot)];
        self.tell(voter, Message::Votes(Votes { votes, header: None, again: false }));
    }

    pub(crate) fn change(&mut self, change: ViewChange) {
        self.tell(change.sender.as_usize(), Message::ViewChange(change));
    }

    /// Enough suspicions of the others to end a view.
    pub(crate) fn leave(&mut self, view: u64) {
        let doubters = self.quill.set.quorums().f + 1;
        for sender in self.others().into_iter().take(doubters) {
            let suspect = self.quill.suspect(sender, view);
            self.tell(sender, Message::Suspect(suspect));
        }
    }

    /// The power fails now; the node starts again.
    pub(crate) fn restart(&mut self) {
        self.world.crash(self.me, Some(MS / 100));
        self.pass(MS / 10);
        assert!(self.world.node(self.me).is_running());
    }

    /// The power will fail at this point of a turn; the node stays down.
    pub(crate) fn arm(&mut self, point: CrashPoint) {
        self.world.crash_at(self.me, point, MS * 1_000_000);
    }

    pub(crate) fn is_running(&self) -> bool {
        self.world.node(self.me).is_running()
    }

    pub(crate) fn status(&self) -> Status {
        self.world.node(self.me).status().expect("the validator runs")
    }

    pub(crate) fn view(&self) -> View {
        self.status().view
    }

    /// The validator set that it goes by.
    pub(crate) fn set(&self) -> ValidatorSet {
        self.world.node(self.me).driver().expect("the validator runs").engine().validators().clone()
    }

    /// What the disk holds of its promises.
    pub(crate) fn record(&self) -> Option<Safety> {
        self.world.node(self.me).disk().recover().0.record
    }

    /// Everything written so far is on disk for good.
    pub(crate) fn sync_disk(&self, record: &Safety) {
        let mut storage = SimStorage(self.world.node(self.me).disk().clone());
        storage.persist(record, &[]).expect("no crash is armed");
    }

    pub(crate) fn forget_said(&mut self) {
        self.said.borrow_mut().clear();
    }

    /// What it said since, repetitions left out.
    pub(crate) fn said<T: PartialEq>(&self, pick: impl Fn(&Message) -> Option<T>) -> Vec<T> {
        let mut found = Vec::new();
        for one in self.said.borrow().iter().filter_map(pick) {
            if !found.contains(&one) {
                found.push(one);
            }
        }
        found
    }

    fn ballots(&self, kind: VoteKind) -> Vec<Ballot> {
        let mut found = Vec::new();
        for message in self.said.borrow().iter() {
            let votes = match message {
                Message::Votes(votes) => votes.votes.as_slice(),
                Message::Append(append) => append.votes.as_slice(),
                _ => &[],
            };
            for vote in votes.iter().filter(|vote| vote.ballot.kind == kind) {
                if !found.contains(&vote.ballot) {
                    found.push(vote.ballot);
                }
            }
        }
        found
    }

    pub(crate) fn voted_for(&self, block: &SealedBlock) -> bool {
        self.ballots(VoteKind::Prepare).iter().any(|ballot| ballot.block == block.hash())
    }

    pub(crate) fn commit_voted_for(&self, block: &SealedBlock) -> bool {
        self.ballots(VoteKind::Commit).iter().any(|ballot| ballot.block == block.hash())
    }

    pub(crate) fn view_changes(&self) -> Vec<ViewChange> {
        self.said(|message| match message {
            Message::ViewChange(change) => Some(change.clone()),
            _ => None,
        })
    }

    pub(crate) fn acks(&self) -> Vec<ViewStart> {
        self.said(|message| match message {
            Message::ViewAck(ack) => Some(ack.start),
            _ => None,
        })
    }

    /// How many messages were refused with this fault so far.
    pub(crate) fn refused(&self, fault: &str) -> u64 {
        self.world.record().counters.refused.get(fault).copied().unwrap_or(0)
    }
}
