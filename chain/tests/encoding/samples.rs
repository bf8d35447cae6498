//! One value of everything that is encoded, always the same.

use chain::access::Role;
use chain::block::{Block, BlockKind, Header, Justification, Mode, SealedBlock, SignedHeader};
use chain::certificate::{
    Ballot, Certificate, Position, Signatures, ViewCertificate, ViewStart, Vote, VoteKind,
};
use chain::crypto::{Keypair, PublicKey, Signer};
use chain::evidence::Evidence;
use chain::genesis::genesis_state;
use chain::governance::{Candidate, Change, GovernanceAction, Parameters};
use chain::merkle::{List, MerkleProof};
use chain::state::State;
use chain::transaction::{
    Body, Expected, Payload, SignedTransaction, Transaction, key_rotation_digest,
};
use chain::types::{Amount, Digest, Epoch, Height, ValidatorIndex, View};
use chain::validator::{Validator, ValidatorSet};

pub(crate) const CHAIN: Digest = Digest([0xca; 32]);

/// Keys, and what they sign.
pub(crate) struct Samples {
    keys: Vec<Keypair>,
}

impl Samples {
    pub(crate) fn new() -> Self {
        Self { keys: (0..16).map(|number| Keypair::from_seed(&[number; 32])).collect() }
    }

    /// Validators hold the keys 0 to 3, accounts those from 12 on.
    pub(crate) fn key(&self, number: usize) -> PublicKey {
        self.keys[number].public()
    }

    pub(crate) fn validators(&self) -> ValidatorSet {
        let validators = (0..4).map(|number| Validator {
            consensus_key: self.key(number),
            network_key: self.key(number + 4),
            governance_key: self.key(number + 8),
            jailed: false,
            accused: false,
            since: Epoch::new(0),
        });
        ValidatorSet::new(Epoch::new(0), View::new(0), 1, validators)
    }

    pub(crate) fn genesis(&self) -> State {
        let balances = [(self.key(12).address(), 1_000_000), (self.key(13).address(), 77)];
        let balances = balances.map(|(address, balance)| (address, Amount::new(balance)));
        genesis_state(balances, self.validators(), Parameters::default(), []).unwrap()
    }

    fn sign(&self, number: usize, nonce: u64, body: Body) -> SignedTransaction {
        let sender = self.key(number);
        let expiry = Height::new(600);
        Payload { chain_id: CHAIN, account: None, sender, nonce, expiry, body }
            .sign(&self.keys[number])
    }

    /// Of every body one, in an order in which they can be sent.
    pub(crate) fn transactions(&self) -> Vec<(&'static str, SignedTransaction)> {
        self.of_account_12().into_iter().chain(self.of_governors()).chain(self.rotation()).collect()
    }

    fn of_account_12(&self) -> Vec<(&'static str, SignedTransaction)> {
        let to = self.key(14).address();
        let key = || b"config/limit".to_vec();
        let bodies = [
            (
                "transfer",
                Body::Transfer { to, amount: Amount::new(250), memo: b"for the boat".to_vec() },
            ),
            ("put", Body::Put { key: key(), value: b"100".to_vec() }),
            (
                "swap",
                Body::CompareAndSwap {
                    key: key(),
                    expected: Expected::Value(b"100".to_vec()),
                    value: b"200".to_vec(),
                },
            ),
            (
                "swap-absent",
                Body::CompareAndSwap {
                    key: key(),
                    expected: Expected::Absent,
                    value: b"300".to_vec(),
                },
            ),
            ("delete-absent", Body::Delete { key: b"nothing".to_vec() }),
            (
                "swap-version",
                Body::CompareAndSwap {
                    key: key(),
                    expected: Expected::Version(2),
                    value: b"400".to_vec(),
                },
            ),
            ("governance", Body::Governance(GovernanceAction::Approve { proposal: 7 })),
            (
                "transfer-too-much",
                Body::Transfer { to, amount: Amount::new(u128::MAX), memo: Vec::new() },
            ),
        ];
        (0..).zip(bodies).map(|(nonce, (name, body))| (name, self.sign(12, nonce, body))).collect()
    }

    /// A role is granted, and a validator is proposed and withdrawn again.
    fn of_governors(&self) -> Vec<(&'static str, SignedTransaction)> {
        let observer = Change::Grant { account: self.key(15).address(), role: Role::Observer };
        let candidate = Candidate {
            consensus_key: Keypair::from_seed(&[20; 32]).public(),
            network_key: Keypair::from_seed(&[21; 32]).public(),
            governance_key: Keypair::from_seed(&[22; 32]).public(),
        };
        let ready = GovernanceAction::Ready { proposal: 2, height: Height::new(0), block: CHAIN };
        let actions = [
            ("propose-grant", 8, 0, GovernanceAction::Propose { change: observer }),
            ("approve", 9, 0, GovernanceAction::Approve { proposal: 1 }),
            ("approve-last", 10, 0, GovernanceAction::Approve { proposal: 1 }),
            (
                "propose-validator",
                8,
                1,
                GovernanceAction::Propose { change: Change::AddValidator { candidate } },
            ),
            ("ready", 13, 0, ready),
            ("withdraw", 8, 2, GovernanceAction::Withdraw { proposal: 2 }),
        ];
        actions
            .map(|(name, key, nonce, action)| {
                (name, self.sign(key, nonce, Body::Governance(action)))
            })
            .into()
    }

    /// Account 13 gets key 15, which signs from then on.
    fn rotation(&self) -> Vec<(&'static str, SignedTransaction)> {
        let account = self.key(13).address();
        let (new_key, expiry) = (self.key(15), Height::new(600));
        let possession = self.keys[15].sign(&key_rotation_digest(&CHAIN, &account));
        let rotate = self.sign(13, 1, Body::RotateKey { new_key, possession });
        let delete = Payload {
            chain_id: CHAIN,
            account: Some(account),
            sender: new_key,
            nonce: 2,
            expiry,
            body: Body::Delete { key: b"config/limit".to_vec() },
        };
        vec![("rotate-key", rotate), ("by-new-key", delete.sign(&self.keys[15]))]
    }

    pub(crate) fn evidence(&self) -> [(&'static str, Evidence); 2] {
        let votes = Evidence::from_votes(&self.prepare(1), &self.other_prepare(1), &CHAIN);
        let signed = |timestamp_ms| {
            let header = Header { timestamp_ms, ..self.header(&[]) };
            let digest = chain::block::proposal_digest(&CHAIN, &header.hash(&CHAIN));
            let signature = self.keys[header.proposer.as_usize()].sign(&digest);
            SignedHeader { header, signature }
        };
        let proposals = Evidence::from_headers(&signed(5), &signed(6), &CHAIN);
        [("votes", votes.unwrap()), ("proposals", proposals.unwrap())]
    }

    /// As they stand in blocks.
    pub(crate) fn block_transactions(&self) -> Vec<(&'static str, Transaction)> {
        let (_, transfer) = self.transactions().swap_remove(0);
        let [(_, votes), (_, proposals)] = self.evidence();
        vec![
            ("transfer", Transaction::Signed(transfer)),
            ("votes", Transaction::Evidence(Box::new(votes))),
            ("proposals", Transaction::Evidence(Box::new(proposals))),
        ]
    }

    /// Evidence and then one of everything: what the genesis state can execute.
    pub(crate) fn executable(&self) -> Vec<(&'static str, Transaction)> {
        let (_, votes) = self.evidence()[0].clone();
        let signed = self
            .transactions()
            .into_iter()
            .map(|(name, transaction)| (name, Transaction::Signed(transaction)));
        std::iter::once(("votes", Transaction::Evidence(Box::new(votes)))).chain(signed).collect()
    }

    fn vote(&self, kind: VoteKind, voter: u16, block: Digest) -> Vote {
        let position =
            Position { epoch: Epoch::new(0), view: View::new(3), height: Height::new(41) };
        let ballot = Ballot { kind, position, block };
        let signature = self.keys[usize::from(voter)].sign(&ballot.digest(&CHAIN));
        Vote { ballot, voter: ValidatorIndex::new(voter), signature }
    }

    pub(crate) fn prepare(&self, voter: u16) -> Vote {
        self.vote(VoteKind::Prepare, voter, Digest([0xb1; 32]))
    }

    fn other_prepare(&self, voter: u16) -> Vote {
        self.vote(VoteKind::Prepare, voter, Digest([0xb2; 32]))
    }

    pub(crate) fn commit(&self, voter: u16) -> Vote {
        self.vote(VoteKind::Commit, voter, Digest([0xb1; 32]))
    }

    pub(crate) fn certificate(&self) -> Certificate {
        let votes = [0, 1, 3].map(|voter| self.prepare(voter));
        let signatures: Vec<_> = votes.iter().map(|vote| (vote.voter, vote.signature)).collect();
        Certificate { ballot: votes[0].ballot, signatures: Signatures::new(4, &signatures) }
    }

    pub(crate) fn view_certificate(&self) -> ViewCertificate {
        let start = ViewStart {
            epoch: Epoch::new(0),
            view: View::new(3),
            tip_height: Height::new(40),
            tip: Digest([0xb0; 32]),
        };
        let digest = start.digest(&CHAIN);
        let signatures: Vec<_> = [1u16, 2, 3]
            .map(|voter| (ValidatorIndex::new(voter), self.keys[usize::from(voter)].sign(&digest)))
            .to_vec();
        ViewCertificate { start, signatures: Signatures::new(4, &signatures) }
    }

    fn header(&self, transactions: &[Transaction]) -> Header {
        let set_hash = self.validators().hash(&CHAIN);
        let hashes: Vec<Digest> = transactions.iter().map(|item| item.hash(&CHAIN)).collect();
        Header {
            chain_id: CHAIN,
            epoch: Epoch::new(0),
            view: View::new(3),
            height: Height::new(42),
            mode: Mode::Pbft,
            kind: BlockKind::Barrier,
            parent: Digest([0xb1; 32]),
            proposer: ValidatorIndex::new(3),
            timestamp_ms: 1_750_000_000_123,
            transactions_root: List::Transactions.root(&hashes),
            receipts_root: Digest([0x01; 32]),
            state_root: Digest([0x02; 32]),
            validators_hash: set_hash,
            next_validators_hash: Digest([0x03; 32]),
            justification_hash: self.justification().hash(&CHAIN),
        }
    }

    fn justification(&self) -> Justification {
        Justification {
            certificate: Some(self.certificate()),
            view_certificate: Some(self.view_certificate()),
        }
    }

    pub(crate) fn block(&self) -> SealedBlock {
        let transactions: Vec<Transaction> =
            self.block_transactions().into_iter().map(|(_, item)| item).collect();
        let header = self.header(&transactions);
        let digest = chain::block::proposal_digest(&CHAIN, &header.hash(&CHAIN));
        SealedBlock::new(Block {
            signature: self.keys[header.proposer.as_usize()].sign(&digest),
            justification: self.justification(),
            transactions,
            header,
        })
    }
}

pub(crate) fn merkle_proof(hashes: &[Digest]) -> MerkleProof {
    MerkleProof::new(hashes, 2).unwrap()
}
