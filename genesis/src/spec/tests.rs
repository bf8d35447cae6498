use chain::crypto::Keypair;

use super::*;

/// A valid genesis with keys counted up from 1.
pub(crate) fn example(validators: u8) -> Genesis {
    let key = |seed: u8| Keypair::from_seed(&[seed; 32]).public();
    Genesis {
        format_version: Genesis::FORMAT_VERSION,
        chain: "example".into(),
        time_ms: 1_750_000_000_000,
        engine: EngineName::Hybrid,
        consensus: ConsensusParameters::default(),
        limits: Limits::default(),
        access: AccessMode::Open,
        governance: GovernanceParameters::default(),
        roles: Vec::new(),
        validators: (0..validators)
            .map(|place| GenesisValidator {
                name: format!("node{place}"),
                consensus_key: key(3 * place + 1),
                network_key: key(3 * place + 2),
                governance_key: key(3 * place + 3),
            })
            .collect(),
        balances: [(201, 500), (202, 250)]
            .map(|(seed, amount)| GenesisBalance {
                address: key(seed).address(),
                amount: Amount::new(amount),
            })
            .to_vec(),
    }
}

/// The chain id of a running chain must never change because of a new version of this program.
#[test]
fn golden_hash() {
    assert_eq!(
        example(4).hash().to_string(),
        "9b5cb9c101c640f61886f9a0641a6f85e6bf72579e026c1df4cbf178ca1bd713"
    );
}

#[test]
fn the_text_form_is_read_back() {
    let genesis = example(4);
    let text = genesis.to_json();
    assert_eq!(Genesis::from_json(text.as_bytes()).unwrap(), genesis);
    assert!(text.contains("\"amount\": \"500\""), "amounts are texts: {text}");
    assert!(text.contains("\"engine\": \"hybrid\""), "{text}");
}

#[test]
fn texts_that_mean_the_same_have_the_same_hash() {
    let genesis = example(4);
    let mut short: serde_json::Value = serde_json::from_str(&genesis.to_json()).unwrap();
    short.as_object_mut().unwrap().retain(|name, _| name != "consensus" && name != "limits");
    let short = Genesis::from_json(short.to_string().as_bytes()).unwrap();
    assert_eq!(short.hash(), genesis.hash(), "defaults left out");

    let mut explicit = genesis.clone();
    explicit.consensus.max_faulty = Some(1);
    assert_eq!(explicit.hash(), genesis.hash(), "the default written out");

    let mut other_order = genesis.clone();
    other_order.balances.reverse();
    assert_eq!(other_order.hash(), genesis.hash(), "balances in another order");

    let with = |list: [Role; 2]| Genesis { roles: vec![roles(&list)], ..genesis.clone() }.hash();
    let same = with([Role::Reader, Role::Member]);
    assert_eq!(with([Role::Member, Role::Reader]), same, "roles in another order");
}

fn roles(roles: &[Role]) -> GenesisRoles {
    GenesisRoles { address: Address([7; 20]), roles: roles.to_vec() }
}

#[test]
fn every_value_counts_in_the_hash() {
    let base = example(4);
    type Change = fn(&mut Genesis);
    let changes: [(&str, Change); 17] = [
        ("format_version", |g| g.format_version += 1),
        ("chain", |g| g.chain.push('2')),
        ("time_ms", |g| g.time_ms += 1),
        ("max_faulty", |g| g.consensus.max_faulty = Some(0)),
        ("timeout_min_ms", |g| g.consensus.timeout_min_ms += 1),
        ("timeout_max_ms", |g| g.consensus.timeout_max_ms += 1),
        ("heartbeat_ms", |g| g.consensus.heartbeat_ms += 1),
        ("pipeline", |g| g.consensus.pipeline += 1),
        ("limits", |g| g.limits.block_bytes -= 1),
        ("access", |g| g.access = AccessMode::Members),
        ("proposal_lifetime", |g| g.governance.proposal_lifetime += 1),
        ("roles", |g| g.roles = vec![roles(&[Role::Member, Role::Reader])]),
        ("fewer roles", |g| g.roles = vec![roles(&[Role::Member])]),
        ("validator order", |g| g.validators.swap(0, 1)),
        ("validator name", |g| g.validators[0].name.push('x')),
        ("key roles", |g| {
            let v = &mut g.validators[0];
            std::mem::swap(&mut v.network_key, &mut v.governance_key);
        }),
        ("balance", |g| g.balances[0].amount = Amount::new(501)),
    ];
    let mut seen = std::collections::BTreeMap::new();
    for engine in EngineName::ALL {
        let hash = Genesis { engine: *engine, ..base.clone() }.hash();
        assert_eq!(seen.insert(hash, engine.as_str()), None, "{engine}");
    }
    for (what, change) in changes {
        let mut changed = base.clone();
        change(&mut changed);
        if let Some(same) = seen.insert(changed.hash(), what) {
            panic!("{what} has the hash of {same}");
        }
    }
}

#[test]
fn other_texts_are_refused_with_their_place() {
    let good = example(4).to_json();
    let table = [
        ("{", "EOF"),
        ("[]", "invalid length 0"),
        (&good.replace("\"chain\"", "\"chains\""), "unknown field `chains`"),
        (&good.replace("\"pipeline\": 8", "\"pipelines\": 8"), "unknown field `pipelines`"),
        (&good.replace("\"hybrid\"", "\"hotstuff\""), "no engine is called \"hotstuff\""),
        (&good.replace("\"500\"", "500"), "expected a string"),
        (&good.replace("\"500\"", "\"-500\""), "expected a whole number"),
        (&good.replace("\"cat1", "\"dog1"), "expected an address"),
        (&format!("{good}x"), "trailing characters"),
    ];
    for (text, expected) in table {
        let error = Genesis::from_json(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("line"), "{expected}: {error}");
    }
}

#[test]
fn max_faulty_follows_the_number_of_validators() {
    for (n, f) in [(1, 0), (3, 0), (4, 1), (6, 1), (7, 2), (10, 3)] {
        assert_eq!(example(n).max_faulty(), f, "{n} validators");
    }
}

/// Any text is refused, or is a genesis that is written as it is read, with one hash; checking it
/// never fails to end.
#[test]
fn fuzz_genesis() {
    let samples = [1, 4].map(|validators| example(validators).to_json().into_bytes());
    let target = fuzz::Target::new("genesis", fuzz::corpus::Form::Json, samples, |bytes| {
        let Ok(genesis) = Genesis::from_json(bytes) else { return false };
        let again = Genesis::from_json(genesis.to_json().as_bytes()).expect("what it wrote");
        assert_eq!(again.hash(), genesis.hash());
        if genesis.validate().is_ok() {
            genesis.validator_set().check().expect("a valid genesis has a possible set");
        }
        true
    });
    target.check();
}
