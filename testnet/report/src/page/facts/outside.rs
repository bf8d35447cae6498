//! More liars than some stand.

use serde::Serialize;

use crate::contender::Contender;
use crate::data::Data;
use crate::studies::outside;

#[derive(Clone, Debug, Serialize)]
pub(super) struct Outside {
    who: &'static str,
    liars: usize,
    within: bool,
    runs: usize,
    broken: usize,
    lost_runs: usize,
    lost_transactions: u64,
    recovered: usize,
}

pub(super) fn rows(data: &Data) -> Vec<Outside> {
    let mut all = Vec::new();
    for liars in outside::LIARS {
        for contender in Contender::ENGINES {
            let rows: Vec<&outside::Row> = data
                .outside
                .iter()
                .filter(|row| row.contender == contender && row.liars == liars)
                .collect();
            let count =
                |counts: fn(&outside::Row) -> bool| rows.iter().filter(|row| counts(row)).count();
            all.push(Outside {
                who: contender.label(),
                liars,
                within: rows.iter().all(|row| row.within_fault_model),
                runs: rows.len(),
                broken: count(|row| !row.broken.is_empty()),
                lost_runs: count(|row| row.lost_transactions > 0),
                lost_transactions: rows.iter().map(|row| row.lost_transactions).sum(),
                recovered: count(|row| row.broken.is_empty() && row.recovered),
            });
        }
    }
    all
}
