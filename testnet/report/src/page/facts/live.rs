//! Runs of real processes beside those of the simulator.

use serde::Serialize;

use crate::contender::Contender;
use crate::data::Data;
use crate::live::{self, SCENARIOS};
use crate::page::compare::{self, Cell, Order, World};

#[derive(Clone, Debug, Serialize)]
pub(super) struct Live {
    account: live::Account,
    scenarios: Vec<String>,
    rows: Vec<LiveRow>,
    orders: Vec<Order>,
    told_apart: usize,
    same: usize,
}

#[derive(Clone, Debug, Serialize)]
struct LiveRow {
    who: &'static str,
    simulated: Vec<Cell>,
    real: Vec<Cell>,
}

impl Live {
    pub(super) fn of(data: &Data) -> Self {
        let orders = compare::orders(data);
        Self {
            account: data.live.clone(),
            scenarios: SCENARIOS.map(|scenario| scenario.label(0)).into(),
            rows: rows(data),
            told_apart: orders.iter().map(|order| order.told_apart).sum(),
            same: orders.iter().map(|order| order.same).sum(),
            orders,
        }
    }
}

fn rows(data: &Data) -> Vec<LiveRow> {
    let row = |contender: Contender| {
        let cells = |world| {
            SCENARIOS.map(|scenario| compare::cell(data, world, contender, scenario)).into()
        };
        LiveRow {
            who: contender.label(),
            simulated: cells(World::Simulated),
            real: cells(World::Real),
        }
    };
    compare::contenders(data).into_iter().map(row).collect()
}
