//! Which heights are being fetched: a window of pieces above what the engine has.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use chain::types::Height;
use consensus::application::Finals;

use crate::network::PeerId;

/// Heights of one piece. Below [`Finals::MAX_BLOCKS`], so that one run covers a piece although it
/// goes on until a block with a proof.
const PIECE: u64 = 96;
/// Pieces of the window.
const PIECES: usize = 12;
/// Bytes that may be held before nothing but the first piece is asked for.
const MAX_HELD: usize = 48 * 1024 * 1024;
/// A piece that so long is not there is asked of a second peer.
const OVERDUE: Duration = Duration::from_secs(3);
/// Peers that are asked for one piece at one time.
const MAX_ASKED: usize = 3;

/// A run of final blocks, as a peer served it.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) supplier: PeerId,
    pub(super) finals: Finals,
    /// Of its encoding.
    pub(super) bytes: usize,
    /// Whether its proof was checked.
    pub(super) checked: bool,
}

impl Run {
    pub(super) fn first(&self) -> Height {
        self.finals.blocks.first().map_or(Height::new(0), |block| block.header.height)
    }

    pub(super) fn last(&self) -> Height {
        self.finals.blocks.last().map_or(Height::new(0), |block| block.header.height)
    }
}

/// A question for a run, and the piece that it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) piece: u64,
    pub(super) from: Height,
    pub(super) until: Height,
}

#[derive(Debug)]
struct Piece {
    number: u64,
    /// The lowest height that is missing.
    next: Height,
    until: Height,
    runs: VecDeque<Run>,
    asked: Vec<(PeerId, Instant)>,
}

impl Piece {
    fn is_complete(&self) -> bool {
        self.next > self.until
    }

    fn wants_another(&self, now: Instant) -> bool {
        let overdue = |at: Instant| now.saturating_duration_since(at) >= OVERDUE;
        !self.is_complete()
            && self.asked.len() < MAX_ASKED
            && self.asked.iter().all(|(_, at)| overdue(*at))
    }
}

/// The pieces, in ascending height.
#[derive(Debug)]
pub(super) struct Window {
    pieces: VecDeque<Piece>,
    /// The first height after the last piece.
    end: Height,
    numbers: u64,
    held: usize,
}

impl Window {
    /// Nothing yet, above what the engine has.
    pub(super) fn new(root: Height) -> Self {
        Self { pieces: VecDeque::new(), end: root.next(), numbers: 0, held: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Drops what the engine has by now, and adds pieces up to a height.
    pub(super) fn slide(&mut self, root: Height, target: Height) {
        while let Some(piece) = self.pieces.front_mut() {
            while let Some(run) = piece.runs.pop_front_if(|run| run.last() <= root) {
                self.held -= run.bytes;
            }
            let done = piece.until <= root || (piece.is_complete() && piece.runs.is_empty());
            if !done {
                if piece.runs.is_empty() && piece.next <= root {
                    piece.next = root.next();
                }
                break;
            }
            let piece = self.pieces.pop_front().expect("it is there");
            self.held -= piece.runs.iter().map(|run| run.bytes).sum::<usize>();
        }
        self.end = self.end.max(root.next());
        while self.pieces.len() < PIECES && self.end <= target {
            let until = Height::new(target.get().min(self.end.get().saturating_add(PIECE - 1)));
            self.numbers += 1;
            self.pieces.push_back(Piece {
                number: self.numbers,
                next: self.end,
                until,
                runs: VecDeque::new(),
                asked: Vec::new(),
            });
            self.end = until.next();
        }
    }

    /// Everything that could be asked for now, the lowest first, with those who are asked already.
    pub(super) fn wanted(&self, now: Instant) -> Vec<(Wanted, Vec<PeerId>)> {
        let pieces = self.pieces.iter().enumerate();
        pieces
            .filter(|(place, _)| *place == 0 || self.held < MAX_HELD)
            .filter(|(_, piece)| piece.wants_another(now))
            .map(|(_, piece)| {
                let asked = piece.asked.iter().map(|(peer, _)| *peer).collect();
                let (from, until) = (piece.next, piece.until);
                (Wanted { piece: piece.number, from, until }, asked)
            })
            .collect()
    }

    /// Notes that a peer is asked.
    pub(super) fn asked(&mut self, piece: u64, peer: PeerId, now: Instant) {
        if let Some(piece) = self.piece(piece) {
            piece.asked.push((peer, now));
        }
    }

    /// Notes that a peer will not answer any more.
    pub(super) fn gave_up(&mut self, piece: u64, peer: &PeerId) {
        if let Some(piece) = self.piece(piece) {
            piece.asked.retain(|(asked, _)| asked != peer);
        }
    }

    /// Takes a run in, if it is still missing.
    pub(super) fn put(&mut self, wanted: Wanted, run: Run) {
        let end = run.last();
        let Some(place) = self.pieces.iter().position(|piece| piece.number == wanted.piece) else {
            return;
        };
        let piece = &mut self.pieces[place];
        if piece.next != run.first() || end < run.first() {
            return;
        }
        self.held += run.bytes;
        piece.next = end.next();
        piece.runs.push_back(run);
        // It may go on into the next piece, which then begins later.
        if let Some(above) = self.pieces.get_mut(place + 1)
            && above.runs.is_empty()
            && above.asked.is_empty()
        {
            above.next = above.next.max(end.next());
        }
    }

    /// The lowest run that is held, if nothing is missing below it.
    pub(super) fn front(&mut self) -> Option<&mut Run> {
        self.pieces.front_mut()?.runs.front_mut()
    }

    /// Takes the lowest run out.
    pub(super) fn take_front(&mut self) -> Option<Run> {
        let piece = self.pieces.front_mut()?;
        let run = piece.runs.pop_front()?;
        self.held -= run.bytes;
        if piece.is_complete() && piece.runs.is_empty() {
            self.pieces.pop_front();
        }
        Some(run)
    }

    /// Drops everything that a peer served, which is then fetched again.
    pub(super) fn drop_of(&mut self, supplier: &PeerId) {
        for piece in &mut self.pieces {
            let Some(first) = piece.runs.iter().position(|run| run.supplier == *supplier) else {
                continue;
            };
            piece.next = piece.runs[first].first();
            let dropped: usize = piece.runs.drain(first..).map(|run| run.bytes).sum();
            self.held -= dropped;
        }
    }

    fn piece(&mut self, number: u64) -> Option<&mut Piece> {
        self.pieces.iter_mut().find(|piece| piece.number == number)
    }
}
