//! The live view: a network is broken with the mouse, and seen to recover.

use serde_json::{Value, json};

use crate::page::Page;
use crate::testnet::Testnet;

/// A page paints for the first time within this many milliseconds, on loopback.
const FIRST_PAINT_MS: f64 = 1000.0;

/// A network of four, and its page.
pub(crate) fn dashboard(testnet: &Testnet) -> String {
    let url = testnet.status()["dashboard"].as_str().expect("an address").to_owned();
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    url
}

/// The number of the node that is drawn as the leader.
const LEADER: &str = "document.querySelector('.live .node[data-leads]')?.dataset.node";

fn leader(page: &Page) -> String {
    let leader = page.wait_for("a leader", LEADER);
    leader.as_str().expect("a number").to_owned()
}

/// Waits for a line of what happened, of a kind and with these words.
fn wait_for_news(page: &Page, kind: &str, words: &str) {
    let lines = format!("[...document.querySelectorAll('.live .timeline [data-kind={kind}]')]");
    page.wait_for(words, &format!("{lines}.some((it) => it.textContent.includes({words:?}))"));
}

/// Waits until blocks become final again.
fn wait_for_blocks(page: &Page) {
    let highest = "Math.max(0, ...[...document.querySelectorAll(
        '.live .block[data-status=final]')].map((block) => Number(block.dataset.height)))";
    let before = page.get(highest);
    page.wait_for("blocks", &format!("{highest} > {}", before.as_f64().unwrap_or(0.0) + 3.0));
}

fn wait_until_well(page: &Page) {
    page.wait_for(
        "all nodes well",
        "document.querySelector('.live .banner').dataset.health === 'good'",
    );
}

fn first_paint(page: &Page) -> f64 {
    let entries = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime";
    page.wait_for("the first paint", entries).as_f64().expect("milliseconds")
}

#[test]
fn a_network_is_broken_with_the_mouse_and_recovers() {
    let testnet = Testnet::up();
    let url = dashboard(&testnet);
    let page = Page::open(&url);
    page.wait_for("the network", "document.querySelectorAll('.live .node').length === 4");
    let mut paints = vec![first_paint(&page)];
    for _ in 0..2 {
        page.go(&url);
        paints.push(first_paint(&page));
    }
    let best = paints.iter().copied().fold(f64::MAX, f64::min);
    println!("first paint: {paints:?} ms");
    assert!(best < FIRST_PAINT_MS, "the first paint takes {best} ms");

    // The load slider moves the chart, and the chain.
    page.set("#load", "5");
    page.wait_for(
        "throughput",
        "parseFloat(document.querySelector('.live .chart .values')?.textContent) > 20",
    );
    wait_for_blocks(&page);
    page.assert_accessible("live");

    // The leader dies, another one leads, and the dead one comes back.
    let dead = leader(&page);
    page.click("[data-order=kill-leader]");
    page.wait_for("another leader", &format!("{LEADER} && {LEADER} !== {dead:?}"));
    let is_down = format!(
        "document.querySelector('.live .node[data-node=\"{dead}\"]').dataset.role === 'down'"
    );
    page.wait_for("a dead node", &is_down);
    wait_for_blocks(&page);
    page.click("[data-order=remedy]");
    wait_until_well(&page);

    // The leader lies: evidence, the careful mode, and calm again.
    page.click("[data-order=lie]");
    wait_for_news(&page, "evidence", "evidence against validator");
    wait_for_news(&page, "mode", "fast → pbft");
    page.click("[data-order=remedy]");
    wait_for_news(&page, "mode", "pbft → fast");
    wait_until_well(&page);
    page.wait_for("fast mode", "document.querySelector('.live .banner').dataset.mode === 'fast'");
    page.assert_silent();
}

#[test]
fn nodes_are_dragged_apart_and_together() {
    let testnet = Testnet::up();
    let page = Page::open(&dashboard(&testnet));
    page.wait_for("the network", "document.querySelectorAll('.live .node').length === 4");
    page.set("#load", "4");
    let hulls =
        |count: usize| format!("document.querySelectorAll('.live .hulls path').length === {count}");
    let said = |words: &str| {
        format!("document.querySelector('.console code')?.textContent.includes({words:?})")
    };

    // Node 1 stands on the right: away with it, and back.
    page.drag(".live .node[data-node='1'] .body", 140.0, 0.0);
    page.wait_for("a partition", &hulls(2));
    page.wait_for("the command", &said("testnet partition"));
    wait_for_blocks(&page);
    page.drag(".live .node[data-node='1'] .body", -330.0, 0.0);
    page.wait_for("one network", &hulls(0));
    page.wait_for("the command", &said("testnet heal"));

    // The same with the keyboard, and a pause.
    page.keys(".live .node[data-node='2']", "x");
    page.wait_for("a partition", &hulls(2));
    page.keys(".live .node[data-node='2']", "h");
    page.wait_for("one network", &hulls(0));
    page.keys(".live .node[data-node='3']", "p");
    page.wait_for(
        "a paused node",
        "document.querySelector('.live .node[data-node=\"3\"]').dataset.role === 'paused'",
    );
    page.click("[data-order=remedy]");
    wait_until_well(&page);
    wait_for_blocks(&page);
    testnet.wait_until_equal();
    page.assert_silent();

    // What a network refuses is told, and is no error of the page.
    let answer = page.text(".console li span");
    assert_ne!(answer, Value::Null);
    assert_eq!(
        page.get("document.querySelectorAll('.console [data-state=refused]').length"),
        json!(0)
    );
}
