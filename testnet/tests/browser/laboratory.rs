//! The laboratory and the tours: runs that repeat, rewound, forked and compared.

use serde_json::json;

use crate::live::dashboard;
use crate::page::Page;
use crate::testnet::Testnet;

const HASH: &str = "document.querySelector('.lab .export .hash')?.dataset.hash";

/// Heights that are final at each node, as the lanes show them.
const FINALS: &str = "[...document.querySelectorAll('.lab .bench:first-child .node .height')].map((it) => it.textContent)";

/// Moves the slider to so many thousandths of the run, and waits until that is drawn.
fn seek(page: &Page, share: u32) {
    page.set(".lab input.time", &share.to_string());
    page.wait_for(
        "the moment",
        "document.querySelector('.lab .bench').dataset.at
         === document.querySelector('.lab .clock').textContent.split(' ')[0]",
    );
}

/// The moment that the clock shows, in milliseconds.
fn clock(page: &Page) -> f64 {
    let text = page.text(".lab .clock");
    let text = text.as_str().expect("a clock");
    text.split(' ').next().and_then(|at| at.parse().ok()).expect("a number")
}

#[test]
fn a_run_is_made_rewound_forked_and_compared() {
    let testnet = Testnet::up();
    let url = dashboard(&testnet);
    let page =
        Page::open(&format!("{url}/#lab?engine=raft&n=4&scenario=leader-crash&seed=7&at=100"));
    let hash = page.wait_for("a run", HASH);

    // The same seed on the command line gives the same trace hash.
    let arguments =
        ["simulate", "--engine", "raft", "--scenario", "leader-crash", "--seed", "7", "--json"];
    let run = testnet.run(&arguments).assert_succeeds().json();
    assert_eq!(run["trace_hash"], hash);

    // Forward and back again: the same moment shows the same.
    seek(&page, 300);
    let (at, before) = (clock(&page), page.wait_for("heights", FINALS));
    seek(&page, 900);
    page.wait_for(
        "another state",
        &format!("JSON.stringify({FINALS}) !== {:?}", before.to_string()),
    );
    seek(&page, 300);
    page.wait_for(
        "the same state",
        &format!("JSON.stringify({FINALS}) === {:?}", before.to_string()),
    );
    assert!((clock(&page) - at).abs() < 0.2, "{} is not {at}", clock(&page));
    page.assert_accessible("laboratory");

    // A fork is the same run until the fault strikes.
    page.set(".fork select", "isolate-leader");
    page.click(".fork button[type=submit]");
    page.wait_for("two runs", "document.querySelectorAll('.lab .bench').length === 2");
    let parted = page
        .wait_for("where they part", "document.querySelector('.fork [role=status]').dataset.at");
    let parted: f64 = parted.as_str().and_then(|at| at.parse().ok()).expect("a number");
    assert!((at..at + 3.0).contains(&parted), "forked at {at} and parted at {parted}");

    // Raft forks beside the hybrid that holds, under the same equivocating leader.
    page.go(&format!("{url}/#lab?engine=raft&n=4&scenario=equivocation&seed=1&beside=hybrid"));
    page.wait_for(
        "two engines",
        "[...document.querySelectorAll('.lab .bench')].map((it) => it.dataset.engine).join() === 'raft,hybrid'",
    );
    page.set(".lab input.time", "1000");
    page.wait_for(
        "verdicts",
        "[...document.querySelectorAll('.verdict')].every((it) => it.textContent)",
    );
    let outcomes =
        page.get("[...document.querySelectorAll('.verdict')].map((it) => it.dataset.outcome)");
    assert_eq!(outcomes, json!(["safety", "ok"]));
    page.assert_accessible("two runs side by side");
    page.assert_silent();
}

#[test]
fn every_step_of_every_tour_shows_something() {
    let testnet = Testnet::up();
    let page = Page::open(&format!("{}/#learn", dashboard(&testnet)));
    let mut steps = 0;
    for tour in 0..4 {
        page.click(&format!(".tours button:nth-child({})", tour + 1));
        for step in 0..4 {
            let shown =
                format!("document.querySelector('.guide').dataset.shown === '{tour}.{step}'");
            page.wait_for("the step", &shown);
            let text = page.text(".guide .text");
            assert!(text.as_str().is_some_and(|text| text.len() > 80), "{text}");
            steps += 1;
            let next = page.text(".guide .primary");
            assert_eq!(next, if step < 3 { "Next" } else { "Next tour" });
            if step < 3 {
                page.click(".guide .primary");
            }
        }
    }
    assert_eq!(steps, 16);
    page.assert_accessible("learn");
    page.assert_silent();
}
