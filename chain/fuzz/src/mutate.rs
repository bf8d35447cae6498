//! Making an input from others.

use rand::{Rng as _, RngExt as _};
use rand_chacha::ChaCha20Rng;

use crate::corpus::Form;

/// Longest input made of nothing.
const RANDOM: usize = 600;
/// Longest input that grows further.
const LONGEST: usize = 64 * 1024;
/// Numbers at whose edges mistakes are made.
const EDGES: [u64; 10] = [
    0,
    1,
    0x7f,
    0xff,
    0xffff,
    i32::MAX as u64,
    u32::MAX as u64,
    1 << 40,
    i64::MAX as u64,
    u64::MAX,
];

/// Something made of one or two of these inputs, or of nothing.
pub(crate) fn mutated(pool: &[Vec<u8>], form: Form, dice: &mut ChaCha20Rng) -> Vec<u8> {
    if pool.is_empty() || dice.random_bool(0.05) {
        return random(dice);
    }
    let mut bytes = pool[dice.random_range(0..pool.len())].clone();
    for _ in 0..1 << dice.random_range(0..4) {
        change(&mut bytes, pool, form, dice);
    }
    bytes
}

fn random(dice: &mut ChaCha20Rng) -> Vec<u8> {
    let mut bytes = vec![0; dice.random_range(0..RANDOM)];
    dice.fill_bytes(&mut bytes);
    // Small numbers are what tags and lengths are made of.
    if dice.random_bool(0.5) {
        for byte in &mut bytes {
            *byte = if dice.random_bool(0.8) { 0 } else { *byte % 4 };
        }
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, pool: &[Vec<u8>], form: Form, dice: &mut ChaCha20Rng) {
    let place = dice.random_range(0..=bytes.len());
    match dice.random_range(0..10) {
        0 => bytes.truncate(place),
        1 => bytes.insert(place, dice.random()),
        2 => remove(bytes, place, dice),
        3 if bytes.len() < LONGEST => {
            // A part of itself once more.
            let end = dice.random_range(place..=bytes.len());
            let part = bytes[place..end].to_vec();
            insert(bytes, place, &part);
        }
        4 if bytes.len() < LONGEST => {
            // The end of another.
            let other = &pool[dice.random_range(0..pool.len())];
            let from = dice.random_range(0..=other.len());
            bytes.truncate(place);
            bytes.extend(&other[from..]);
        }
        5 => number(bytes, place, dice),
        6 => {
            let words = form.words();
            insert(bytes, place, words[dice.random_range(0..words.len())].as_bytes());
        }
        // Neighbours change places.
        7 if place >= 2 => bytes.swap(place - 1, place - 2),
        _ if place < bytes.len() => bytes[place] ^= 1 << dice.random_range(0..8),
        _ => {}
    }
}

fn insert(bytes: &mut Vec<u8>, place: usize, part: &[u8]) {
    bytes.splice(place..place, part.iter().copied());
}

fn remove(bytes: &mut Vec<u8>, place: usize, dice: &mut ChaCha20Rng) {
    let longest = (bytes.len() - place).min(64);
    let end = place + dice.random_range(0..=longest);
    bytes.drain(place..end);
}

/// Writes a number from an edge, or beside it, over whatever stands there, as wide as lengths,
/// heights and indices are.
fn number(bytes: &mut [u8], place: usize, dice: &mut ChaCha20Rng) {
    let edge = EDGES[dice.random_range(0..EDGES.len())];
    let number = edge.wrapping_add(dice.random_range(0..3)).wrapping_sub(1).to_le_bytes();
    let width = [1, 2, 4, 8][dice.random_range(0..4)];
    if let Some(there) = bytes.get_mut(place..place + width) {
        there.copy_from_slice(&number[..width]);
    }
}
