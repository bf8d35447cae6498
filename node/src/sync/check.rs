//! Whether a run of final blocks is what it says it is, before the engine sees it.

use chain::block::{BlockKind, SealedBlock, SignedHeader};
use chain::crypto::Verifier;
use chain::types::{Digest, Height};
use chain::validator::ValidatorSet;
use consensus::application::Finals;

/// An answer that no correct node gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Lie(pub(super) &'static str);

fn check(holds: bool, otherwise: &'static str) -> Result<(), Lie> {
    if holds { Ok(()) } else { Err(Lie(otherwise)) }
}

/// What holds of every run that answers a question for the blocks from `from` on, whoever the
/// validators are.
pub(super) fn form(finals: &Finals, from: Height, chain_id: &Digest) -> Result<(), Lie> {
    let first = finals.blocks.first().ok_or(Lie("a run without blocks"))?;
    check(finals.blocks.len() <= Finals::MAX_BLOCKS, "a run of too many blocks")?;
    check(first.header.height == from, "a run that begins at another height")?;
    check(finals.blocks.iter().all(|block| block.header.chain_id == *chain_id), "another chain")?;
    for pair in finals.blocks.windows(2) {
        let (below, above) = (&pair[0].header, &pair[1].header);
        check(
            above.parent == pair[0].hash()
                && above.height == below.height.next()
                && above.epoch == below.epoch
                && below.kind != BlockKind::Barrier,
            "blocks that do not hang together",
        )?;
    }
    let whole = finals.blocks.iter().all(SealedBlock::matches_header);
    check(whole, "a block whose content does not belong to its header")
}

/// What holds of a run whose [`form`] holds where finality is a certificate: its last block is
/// proven final by the set of its epoch, and the leader of its view proposed every block of it.
/// The proof covers hashes alone, and a block with a wrong signature could not be passed on.
pub(super) fn proof(
    finals: &Finals,
    chain_id: &Digest,
    set: &ValidatorSet,
    verifier: &dyn Verifier,
) -> Result<(), Lie> {
    let last = finals.blocks.last().ok_or(Lie("a run without blocks"))?;
    check(last.header.epoch == set.epoch, "blocks of another epoch")?;
    let headers: Vec<SignedHeader> = finals.blocks.iter().map(SealedBlock::signed_header).collect();
    let led = headers.iter().all(|signed| {
        let header = &signed.header;
        header.view >= set.first_view && header.proposer == set.leader(header.view)
    });
    check(led, "a block that its view's leader did not propose")?;
    let proven = finals
        .proof
        .as_ref()
        .is_some_and(|proof| proof.verify(&last.hash(), chain_id, set, verifier));
    check(proven, "a run without a proof that it is final")?;
    check(
        SignedHeader::verify_all(&headers, chain_id, set, verifier),
        "a block with a wrong signature",
    )
}
