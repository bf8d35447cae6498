//! Every tree and every multiset of a bounded size.

use std::ops::{ControlFlow, RangeInclusive};

/// Calls `visit` with every vector that is nowhere above `bounds` and whose sum is in `totals`.
///
/// Validators that did the same are interchangeable, so how many did what is all that matters:
/// `bounds` holds how many there are of each sort, the vectors are the ways to draw from them.
pub fn draws(
    bounds: &[usize],
    totals: RangeInclusive<usize>,
    visit: &mut impl FnMut(&[usize]) -> ControlFlow<()>,
) -> ControlFlow<()> {
    // What the sorts from each place on can still add.
    let mut room = vec![0; bounds.len() + 1];
    for (place, bound) in bounds.iter().enumerate().rev() {
        room[place] = room[place + 1] + bound;
    }
    let mut drawn = vec![0; bounds.len()];
    extend(bounds, &room, (*totals.start(), *totals.end()), 0, &mut drawn, visit)
}

fn extend(
    bounds: &[usize],
    room: &[usize],
    (low, high): (usize, usize),
    place: usize,
    drawn: &mut [usize],
    visit: &mut impl FnMut(&[usize]) -> ControlFlow<()>,
) -> ControlFlow<()> {
    if place == bounds.len() {
        return if low == 0 { visit(drawn) } else { ControlFlow::Continue(()) };
    }
    for count in low.saturating_sub(room[place + 1])..=bounds[place].min(high) {
        drawn[place] = count;
        let left = (low.saturating_sub(count), high - count);
        extend(bounds, room, left, place + 1, drawn, visit)?;
    }
    ControlFlow::Continue(())
}

/// Every tree of `blocks` blocks on one root, as the parent of each: 0 is the root, and block `i`
/// (from 1) has a smaller parent. Trees that differ only in the order of siblings both appear:
/// that order is the order of their hashes, which breaks ties.
pub fn trees(blocks: usize) -> Vec<Vec<usize>> {
    (1..=blocks).fold(vec![Vec::new()], |trees, block| {
        trees
            .iter()
            .flat_map(|tree| {
                (0..block).map(move |parent| tree.iter().copied().chain([parent]).collect())
            })
            .collect()
    })
}

/// The tree without branches.
pub fn chain(blocks: usize) -> Vec<usize> {
    (0..blocks).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bounds: &[usize], totals: RangeInclusive<usize>) -> Vec<Vec<usize>> {
        let mut found = Vec::new();
        let _ = draws(bounds, totals, &mut |drawn| {
            found.push(drawn.to_vec());
            ControlFlow::Continue(())
        });
        found
    }

    #[test]
    fn draws_are_complete_and_distinct() {
        for bounds in [vec![2, 0, 3], vec![1, 1, 1, 1], vec![4], vec![]] {
            for low in 0..5 {
                for high in low..5 {
                    let found = all(&bounds, low..=high);
                    let mut brute = vec![vec![]];
                    for bound in &bounds {
                        brute = brute
                            .iter()
                            .flat_map(|head: &Vec<usize>| {
                                (0..=*bound).map(|n| [head.as_slice(), &[n]].concat())
                            })
                            .collect();
                    }
                    brute.retain(|drawn| (low..=high).contains(&drawn.iter().sum()));
                    assert_eq!(found, brute, "{bounds:?} {low}..={high}");
                }
            }
        }
    }

    #[test]
    fn there_are_as_many_trees_as_orders() {
        let counts: Vec<usize> = (1..=5).map(|blocks| trees(blocks).len()).collect();
        assert_eq!(counts, [1, 2, 6, 24, 120]);
        assert!(trees(4).contains(&chain(4)));
    }
}
