//! The explorer finds what the wallet did, and proves it.

use crate::live::dashboard;
use crate::page::Page;
use crate::testnet::Testnet;

fn shows(words: &str) -> String {
    format!("document.querySelector('.found .result')?.textContent.includes({words:?})")
}

#[test]
fn a_transaction_of_the_wallet_is_found_and_proven() {
    let testnet = Testnet::up();
    let to = testnet.address(1);
    let sent = testnet.wallet(0, &["send", "--to", &to, "--amount", "5"]);
    let sent = sent.assert_succeeds().json();
    let hash = sent["hash"].as_str().expect("a hash").to_owned();
    let url = dashboard(&testnet);
    let page = Page::open(&format!("{url}/#explorer"));
    page.wait_for("validators", "document.querySelectorAll('.overview tbody tr').length >= 4");

    page.keys(".search input", &format!("{hash}\u{e007}"));
    page.wait_for("the transaction", &shows("final (certified)"));
    page.wait_for("its sender", &shows(&testnet.address(0)));
    page.click("[data-proof=check]");
    page.wait_for("the proof", "document.querySelector('.found .proven')?.dataset.ok === 'true'");
    page.assert_accessible("explorer");

    // By address, by height, and what does not exist.
    page.go(&format!("{url}/#explorer?q={to}"));
    page.wait_for("the account", &shows("balance"));
    page.go(&format!("{url}/#explorer?q=1"));
    page.wait_for("the block", &shows("Block 1"));
    page.go(&format!("{url}/#explorer?q=nothing-of-the-kind"));
    page.wait_for("a refusal", "document.querySelector('.found .failed')?.textContent");
    page.assert_silent();
}
