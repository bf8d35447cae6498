//! The edge: what engines check alike of messages from outside, before they read them.

use chain::block::{SealedBlock, SignedHeader};
use chain::crypto::Signature;
use chain::evidence::Evidence;
use chain::types::{Digest, ValidatorIndex};
use chain::validator::ValidatorSet;

use crate::application::Finals;
use crate::engine::{Config, Fault};
use crate::headers::Headers;

pub(crate) fn check(holds: bool, fault: &'static str) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err(Fault(fault)) }
}

/// A statement of a member of the set.
pub(crate) fn signed(
    sender: ValidatorIndex,
    digest: &Digest,
    signature: &Signature,
    config: &Config,
    set: &ValidatorSet,
) -> Result<(), Fault> {
    let valid = set.get(sender).is_some_and(|validator| {
        config.verifier.verify(&validator.consensus_key, digest, signature)
    });
    check(valid, "a wrong signature")
}

/// A header of the epoch, signed by the leader of its view. One that was seen was verified.
pub(crate) fn header(
    signed: &SignedHeader,
    seen: &Headers,
    config: &Config,
    set: &ValidatorSet,
) -> Result<(), Fault> {
    let header = &signed.header;
    check(header.epoch == set.epoch, "a header of another epoch")?;
    check(header.view >= set.first_view, "a header of a view before the epoch")?;
    check(header.proposer == set.leader(header.view), "a header of one who does not lead")?;
    check(
        seen.contains(signed) || signed.verify(&config.chain_id, set, config.verifier.as_ref()),
        "a header with a wrong signature",
    )
}

/// Evidence of this epoch. Only who leads proposes: what others sign as a proposal binds nobody.
pub(crate) fn evidence(
    evidence: &Evidence,
    config: &Config,
    set: &ValidatorSet,
) -> Result<(), Fault> {
    check(
        evidence.verify(&config.chain_id, set, config.verifier.as_ref()),
        "evidence that proves nothing",
    )?;
    let led = match evidence {
        Evidence::Proposals { first, .. } => set.leader(first.header.view) == first.header.proposer,
        Evidence::Votes { .. } => true,
    };
    check(led, "evidence of a proposal by one who did not lead")
}

/// What must hold of final blocks where validators may lie, all but that their proof is right. The
/// proof covers the whole run through the hash chain; here is its last block.
pub(crate) fn finals<'a>(
    finals: &'a Finals,
    config: &Config,
    set: &ValidatorSet,
) -> Result<&'a SealedBlock, Fault> {
    let last = finals.blocks.last().ok_or(Fault("an empty part of the chain"))?;
    check(finals.blocks.len() <= Finals::MAX_BLOCKS, "too many blocks at once")?;
    for pair in finals.blocks.windows(2) {
        check(
            pair[1].header.parent == pair[0].hash()
                && pair[1].header.height == pair[0].header.height.next()
                && pair[1].header.epoch == pair[0].header.epoch,
            "final blocks that do not hang together",
        )?;
    }
    // The certificate covers hashes alone: a block whose proposer's signature is wrong could not be
    // passed on from here, and no report of a vote for it would be valid.
    let headers: Vec<SignedHeader> = finals.blocks.iter().map(SealedBlock::signed_header).collect();
    let led = headers.iter().all(|signed| {
        signed.header.view >= set.first_view
            && signed.header.proposer == set.leader(signed.header.view)
    });
    check(
        led && SignedHeader::verify_all(&headers, &config.chain_id, set, config.verifier.as_ref()),
        "a final block that its view's leader did not propose",
    )?;
    let whole = finals.blocks.iter().all(SealedBlock::matches_header);
    check(whole, "a block whose content does not belong to its header")?;
    Ok(last)
}
