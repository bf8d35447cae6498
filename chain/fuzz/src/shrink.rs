//! Making a failing input small.

/// Most attempts.
const ATTEMPTS: usize = 2_000;

/// A shorter input that fails too, as far as leaving parts out, and zeros in their place, lead.
pub(crate) fn shrunk(input: &[u8], mut fails: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
    let mut best = input.to_vec();
    let mut attempts = 0;
    let mut part = best.len().div_ceil(2).max(1);
    while part >= 1 && attempts < ATTEMPTS {
        let mut at = 0;
        let mut shorter = false;
        while at < best.len() && attempts < ATTEMPTS {
            attempts += 1;
            let end = (at + part).min(best.len());
            let without = [&best[..at], &best[end..]].concat();
            if fails(&without) {
                best = without;
                shorter = true;
            } else {
                at = end;
            }
        }
        if !shorter {
            part /= 2;
        }
    }
    for at in 0..best.len().min(ATTEMPTS) {
        let before = std::mem::take(&mut best[at]);
        if before != 0 && !fails(&best) {
            best[at] = before;
        }
    }
    best
}
