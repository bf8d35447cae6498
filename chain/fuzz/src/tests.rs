use super::*;

/// A decoder with a mistake: it believes a length. What follows a tag of its own is that many bytes.
fn careless(bytes: &[u8]) -> bool {
    let Some((tag, rest)) = bytes.split_at_checked(4) else { return false };
    if tag != b"CTMN" {
        return false;
    }
    let Some((length, rest)) = rest.split_at_checked(8) else { return false };
    let length = u64::from_le_bytes(length.try_into().expect("8 bytes")) as usize;
    rest[..length].len() == rest.len()
}

/// The same without the mistake.
fn careful(bytes: &[u8]) -> bool {
    let Some(rest) = bytes.strip_prefix(b"CTMN") else { return false };
    let Some((length, rest)) = rest.split_at_checked(8) else { return false };
    u64::from_le_bytes(length.try_into().expect("8 bytes")) == rest.len() as u64
}

fn sample() -> Vec<u8> {
    [b"CTMN".as_slice(), &3u64.to_le_bytes(), b"abc"].concat()
}

/// Fuzzing that finds nothing in here would find nothing anywhere.
#[test]
fn a_planted_mistake_is_found_and_its_input_made_small() {
    let mut target = Target::new("planted", Form::Codec, [sample()], careless);
    let Failure { input, panic } = target.search(INPUTS, 0).expect_err("it has a mistake");
    assert!(panic.contains("range end index"), "{panic}");
    assert_eq!(&input[..4], b"CTMN");
    assert_eq!(input.len(), 12, "a tag and a length, nothing else: {input:?}");

    let mut target = Target::new("mended", Form::Codec, [sample()], careful);
    let report = target.search(INPUTS, 0).expect("it has none");
    assert!(report.inputs >= INPUTS && report.accepted > INPUTS / 100, "{report:?}");
    println!("planted mistake found; without it: {report:?}");
}

#[test]
fn the_same_seed_gives_the_same_inputs() {
    let inputs = |seed| {
        let mut seen = Vec::new();
        let mut target = Target::new("watched", Form::Json, [b"{}".to_vec()], |input: &[u8]| {
            seen.push(input.to_vec());
            true
        });
        target.search(200, seed).expect("it survives everything");
        drop(target);
        seen
    };
    assert_eq!(inputs(7), inputs(7));
    assert_ne!(inputs(7), inputs(8));
}

#[test]
fn every_form_has_a_corpus() {
    for form in [Form::Codec, Form::Json, Form::Toml] {
        let corpus = corpus::of(form);
        assert!(corpus.len() >= 15, "{form:?}: {}", corpus.len());
        println!("{form:?}: {} hostile inputs", corpus.len());
    }
}
