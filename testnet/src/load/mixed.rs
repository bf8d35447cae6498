//! Transactions of every kind, odd ones among them, by a number alone: what a pool takes and execution
//! may well refuse.

use chain::access::Access;
use chain::crypto::{Keypair, Signature};
use chain::governance::{Change, GovernanceAction, Parameter};
use chain::namespace::{MAX_NAME_BYTES, NamespaceAction, NamespaceRules};
use chain::transaction::{Body, Expected, MAX_KEY_BYTES, MAX_MEMO_BYTES};
use chain::types::{Address, Amount};
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Names that several senders fight over.
const NAMES: [&[u8]; 4] = [b"a", b"team", b"z9-0", &[b'x'; MAX_NAME_BYTES]];

/// What transaction `number` does. `own` signs; `others` are whom it may be about.
pub(super) fn body(number: u64, own: &Keypair, others: &[Address]) -> Body {
    let random = &mut ChaCha8Rng::seed_from_u64(number);
    let someone = others.choose(random).copied().unwrap_or_else(|| own.public().address());
    match random.random_range(0..12) {
        0..=3 => Body::Transfer { to: someone, amount: amount(random), memo: memo(random) },
        4 | 5 => Body::Put { key: key(random), value: value(random) },
        6 => Body::Delete { key: key(random) },
        7 | 8 => Body::CompareAndSwap {
            key: key(random),
            expected: expected(random),
            value: value(random),
        },
        9 => Body::Namespace(namespace(random, someone)),
        10 => Body::Governance(governance(random)),
        _ => {
            Body::RotateKey { new_key: own.public(), possession: Signature([random.random(); 64]) }
        }
    }
}

/// Now and then nothing. More than an account owns is refused by pools already.
fn amount(random: &mut ChaCha8Rng) -> Amount {
    let nothing = random.random_ratio(1, 8);
    Amount::new(if nothing { 0 } else { random.random_range(1..1_000) })
}

fn memo(random: &mut ChaCha8Rng) -> Vec<u8> {
    let length = *[0, 0, 1, 32, MAX_MEMO_BYTES].choose(random).unwrap_or(&0);
    (0..length).map(|_| random.random()).collect()
}

/// Few, so that they meet: with and without a namespace, in bytes that are no text, as long as may be.
fn key(random: &mut ChaCha8Rng) -> Vec<u8> {
    let name = *NAMES.choose(random).unwrap_or(&NAMES[0]);
    let leaf = [random.random_range(0..16_u8)];
    match random.random_range(0..6) {
        0 => [name, b"/", &leaf].concat(),
        1 => [name, b"/"].concat(),
        2 => vec![0],
        3 => vec![0xff; MAX_KEY_BYTES],
        4 => b"/".to_vec(),
        _ => leaf.to_vec(),
    }
}

fn value(random: &mut ChaCha8Rng) -> Vec<u8> {
    let length = *[0, 1, 8, 8, 8, 300].choose(random).unwrap_or(&0);
    vec![random.random_range(0..4); length]
}

fn expected(random: &mut ChaCha8Rng) -> Expected {
    match random.random_range(0..4) {
        0 => Expected::Absent,
        1 => Expected::Version(*[0, 1, 2, u64::MAX].choose(random).unwrap_or(&0)),
        _ => Expected::Value(value(random)),
    }
}

fn namespace(random: &mut ChaCha8Rng, someone: Address) -> NamespaceAction {
    let name = NAMES.choose(random).unwrap_or(&NAMES[0]).to_vec();
    let access = |random: &mut ChaCha8Rng| match random.random_range(0..3) {
        0 => Access::Anyone,
        1 => Access::Accounts(Vec::new()),
        _ => Access::Accounts(vec![someone]),
    };
    let rules = NamespaceRules { writers: access(random), readers: access(random) };
    match random.random_range(0..3) {
        0 => NamespaceAction::Create { name, rules },
        1 => NamespaceAction::SetRules { name, rules },
        _ => NamespaceAction::Transfer { name, owner: someone },
    }
}

/// By somebody who has no say.
fn governance(random: &mut ChaCha8Rng) -> GovernanceAction {
    let proposal = random.random_range(0..3);
    match random.random_range(0..3) {
        0 => {
            let parameter = Parameter::BlockTransactions(random.random());
            GovernanceAction::Propose { change: Change::SetParameter { parameter } }
        }
        1 => GovernanceAction::Approve { proposal },
        _ => GovernanceAction::Withdraw { proposal },
    }
}
