//! Barriers that governance makes, and what the state remembers of certificates.

use super::*;
use crate::certificate::{Ballot, Certificate, Position, Signatures, VoteKind};
use crate::crypto::Signer;
use crate::governance::{Change, GovernanceAction};
use crate::receipt::{FailureReason, GovernanceRefusal};
use crate::testing::signer;
use crate::transaction::SignedTransaction;
use crate::types::ValidatorIndex;

/// From the governance key of a validator.
fn from(number: u16, nonce: u64, action: GovernanceAction) -> SignedTransaction {
    let sender = signer(400 + number);
    let (sender_key, expiry) = (sender.public(), Height::new(1_000));
    let body = Body::Governance(action);
    Payload { chain_id: CHAIN, account: None, sender: sender_key, nonce, expiry, body }
        .sign(&sender)
}

/// By validator 0, approved by the validators 1 and 2: a quorum of four.
fn decided(change: Change) -> Vec<SignedTransaction> {
    let approve = || GovernanceAction::Approve { proposal: 1 };
    vec![
        from(0, 0, GovernanceAction::Propose { change }),
        from(1, 0, approve()),
        from(2, 0, approve()),
    ]
}

fn jail(number: u16) -> Change {
    Change::Jail { validator: signer(number).public() }
}

fn remove(number: u16) -> Change {
    Change::RemoveValidator { validator: signer(number).public() }
}

/// A certificate for a block by these validators, whose signatures nobody looks at here.
fn certificate(block: Digest, voters: &[u16]) -> Option<Certificate> {
    let position = Position { epoch: Epoch::new(0), view: View::new(0), height: Height::new(1) };
    let signatures: Vec<_> =
        voters.iter().map(|voter| (ValidatorIndex::new(*voter), Signature([0; 64]))).collect();
    Some(Certificate {
        ballot: Ballot { kind: VoteKind::Prepare, position, block },
        signatures: Signatures::new(4, &signatures),
    })
}

#[test]
fn an_approved_change_makes_a_barrier_where_built_and_where_received() {
    let genesis = state_with(&[100]);
    let (mut leader, mut follower) = (ledger(&genesis), ledger(&genesis));
    let transactions = decided(jail(3));
    let block = lead(&mut leader, &Proposal { view: 6, transactions, ..Proposal::on(CHAIN) });
    assert_eq!(block.header.kind, BlockKind::Barrier);
    assert!(
        leader
            .built
            .as_ref()
            .unwrap()
            .outcome_of(&CHAIN, View::new(6), &block.transactions)
            .is_some()
    );
    let own = leader.execute(&block, &none_known).unwrap();
    let next = follow(&mut follower, &block).unwrap().expect("a barrier has a next set");
    assert_eq!(own.as_ref(), Some(&next));
    assert_eq!((next.epoch, next.first_view), (Epoch::new(1), View::new(7)));
    assert_eq!(next.hash(&CHAIN), block.header.next_validators_hash);
    assert!(next.get(ValidatorIndex::new(3)).unwrap().jailed);
    let above = lead(&mut leader, &Proposal { view: 7, ..Proposal::on(block.hash()) });
    assert_eq!(above.header.epoch, Epoch::new(1));
    assert_eq!(follow(&mut follower, &above), Ok(None));
    // The same transactions in a block that says it is none.
    let mut ordinary = (*block).clone();
    ordinary.header.kind = BlockKind::Ordinary;
    let refused = follow(&mut ledger(&genesis), &received(ordinary));
    let wrong =
        InvalidBlock::WrongKind { found: BlockKind::Ordinary, expected: BlockKind::Barrier };
    assert_eq!(refused, Err(wrong));
}

#[test]
fn evidence_and_governance_in_one_block_are_one_change() {
    let genesis = state_with(&[100]);
    let (mut leader, mut follower) = (ledger(&genesis), ledger(&genesis));
    let evidence = vec![double_vote(0, 2, 1)];
    let transactions = decided(Change::RotateKey {
        validator: signer(3).public(),
        key: crate::governance::KeyKind::Network,
        new_key: signer(700).public(),
    });
    let proposal = Proposal { view: 6, evidence, transactions, ..Proposal::on(CHAIN) };
    let block = lead(&mut leader, &proposal);
    assert_eq!(block.transactions.len(), 4);
    let next = follow(&mut follower, &block).unwrap().expect("evidence alone is a barrier");
    assert!(next.get(ValidatorIndex::new(2)).unwrap().jailed);
    assert_eq!(next.get(ValidatorIndex::new(3)).unwrap().network_key, signer(203).public());
    let receipts = &follower.executed(&block.hash()).unwrap().receipts;
    let in_flight = FailureReason::Governance(GovernanceRefusal::ChangeInFlight);
    assert_eq!(receipts[3].outcome, Outcome::Failed(in_flight));
    // The approval was not lost: it may be sent again.
    let transactions = vec![from(2, 1, GovernanceAction::Approve { proposal: 1 })];
    let again = Proposal { view: 7, transactions, ..Proposal::on(block.hash()) };
    let above = lead(&mut leader, &again);
    let next = follow(&mut follower, &above).unwrap().expect("the change that was put off");
    assert_eq!(next.epoch, Epoch::new(2));
    assert_eq!(next.get(ValidatorIndex::new(3)).unwrap().network_key, signer(700).public());
}

#[test]
fn certificates_in_blocks_say_who_takes_part() {
    let genesis = state_with(&[]);
    let (mut leader, mut follower) = (ledger(&genesis), ledger(&genesis));
    let below = lead(&mut leader, &Proposal::on(CHAIN));
    follow(&mut follower, &below).unwrap();
    let certificate = certificate(below.hash(), &[0, 1, 3]);
    let carrying = lead(&mut leader, &Proposal { certificate, ..Proposal::on(below.hash()) });
    follow(&mut follower, &carrying).unwrap();
    follower.commit(&carrying.hash()).unwrap();
    let transactions = decided(remove(2));
    let block = lead(&mut leader, &Proposal { transactions, ..Proposal::on(carrying.hash()) });
    let next = follow(&mut follower, &block).unwrap().expect("three take part, and three are left");
    assert_eq!((next.len(), next.get(ValidatorIndex::new(2))), (3, None));
    // Who starts from the block that carries the certificate judges alike.
    let (tip, state) = (*follower.tip(), follower.state().clone());
    assert_eq!(tip, Tip::from(&carrying));
    let mut restarted = Ledger::new(CHAIN, ledger_verifier(), tip, state);
    assert_eq!(follow(&mut restarted, &block), Ok(Some(next)));
    // Without it, nobody is known to take part.
    let mut other = ledger(&genesis);
    let transactions = decided(remove(2));
    let refused = lead(&mut other, &Proposal { transactions, ..Proposal::on(CHAIN) });
    let no_slack = GovernanceRefusal::NoSlack { members: 3, active: 0, needed: 3 };
    assert_eq!(
        other.executed(&refused.hash()).unwrap().receipts[2].outcome,
        Outcome::Failed(no_slack.into())
    );
}
