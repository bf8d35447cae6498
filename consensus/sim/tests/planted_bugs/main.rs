//! Are the properties of the simulator worth anything? Here bugs are planted in the production
//! engines and around them: one rule of the paper broken, one promise not written, one step of the
//! driver in the wrong order. Worlds must show every one of them within so many seeds, and nothing
//! in an engine without one.
//!
//! docs/planted-bugs.md says after how many seeds each is caught, and by which property.

mod governance;
mod hybrid;
mod hybrid_bugs;
mod hybrid_engine;
mod paxos;
mod pbft;
mod raft;

#[path = "../pbft_paper/script.rs"]
#[expect(dead_code, reason = "one bug needs a part of it; the paper's tests need the rest")]
mod script;

use std::path::{Path, PathBuf};

use consensus_sim::planted;

/// Fewer would say too little about the properties.
const AT_LEAST: usize = 25;

fn document() -> PathBuf {
    let root = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests");
    Path::new(&root).join("../../docs/planted-bugs.md")
}

#[test]
fn there_are_enough_of_them() {
    let text = std::fs::read_to_string(document()).expect("the document is there");
    let count = planted::count(&text);
    println!("{count} planted bugs");
    assert!(count >= AT_LEAST);
}
