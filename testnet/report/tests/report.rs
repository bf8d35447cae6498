//! The report in the repository is what its data says, and the data is what its seeds say.

use std::path::{Path, PathBuf};

use report::contender::Contender;
use report::data::Data;
use report::figures;
use report::page;
use report::studies::faults::{self, Kind};
use report::studies::{Profile, cost};
use report::table;
use resvg::tiny_skia::Pixmap;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/report")
}

/// The data of the report.
fn data() -> Data {
    Data::read(&folder().join("data")).expect("the data of the report: `make report` makes it")
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

const STALE: &str = "the report is not what its data says: run `report draw`";

#[test]
fn the_page_says_what_the_data_says() {
    let data = data();
    let facts = page::Facts::of(&data);
    let written = page::render(&facts).expect("a page");
    assert!(written == text(&folder().join("README.md")), "{STALE}");
    // Both through the same parser, which rounds.
    let parsed = |json: &str| serde_json::from_str::<serde_json::Value>(json).expect("JSON");
    let known = parsed(&text(&folder().join("data/facts.json")));
    assert!(parsed(&serde_json::to_string(&facts).expect("JSON")) == known, "{STALE}");
}

#[test]
fn every_figure_is_drawn_from_the_data_and_shown_on_the_page() {
    let data = data();
    let page = text(&folder().join("README.md"));
    for (name, draw) in figures::ALL {
        let path = folder().join("figures").join(name);
        let svg = draw(&data).expect("a figure");
        assert!(svg == text(&path.with_extension("svg")), "figure {name}: {STALE}");
        assert!(page.contains(&format!("(figures/{name}.svg)")), "{name} is not on the page");
        assert!(path.with_extension("png").exists(), "figure {name}: {STALE}");
    }
    println!("{} figures", figures::ALL.len());
}

/// Dark pixels of a picture with these words on it.
fn ink(words: &str) -> usize {
    let svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"300\" height=\"40\">\
         <rect width=\"300\" height=\"40\" fill=\"white\"/>\
         <text x=\"10\" y=\"25\" font-family=\"Noto Sans\" font-size=\"16\">{words}</text></svg>"
    );
    let pixels = Pixmap::decode_png(&figures::png(&svg).expect("a picture")).expect("a picture");
    pixels.pixels().iter().filter(|pixel| pixel.red() < 128).count()
}

#[test]
fn letters_are_drawn_without_fonts_of_the_system() {
    let (few, many) = (ink("quorum"), ink("quorum quorum"));
    assert!(few > 100 && many > few * 3 / 2, "{few} and {many} dark pixels");
}

/// The text of what a small sweep finds.
fn small_sweep() -> String {
    let costs: Vec<cost::Row> =
        Contender::ENGINES.map(|contender| cost::row(Profile::QUICK, contender, 4, 1)).into();
    let faults = [(Contender::Hybrid, Kind::LyingLeader), (Contender::Raft, Kind::LeaderCrash)];
    let faults: Vec<faults::Row> = faults
        .map(|(contender, kind)| {
            let measured = faults::measure(contender, (kind, 0), 1);
            faults::row(contender, (kind, 0), 1, &measured)
        })
        .into();
    table::text(&costs).expect("a table") + &table::text(&faults).expect("a table")
}

#[test]
fn two_sweeps_with_the_same_seeds_give_the_same_bytes() {
    let first = small_sweep();
    assert!(first.lines().count() > 6, "{first}");
    assert_eq!(first, small_sweep());
}

#[test]
fn tables_are_read_as_they_were_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows = vec![cost::row(Profile::QUICK, Contender::Paxos, 4, 2)];
    table::write(folder.path(), "cost", &rows).expect("written");
    assert_eq!(table::read::<cost::Row>(folder.path(), "cost").expect("read"), rows);
    let error = table::read::<faults::Row>(folder.path(), "cost").expect_err("another table");
    assert!(format!("{error:#}").contains("run `report data`"), "{error:#}");
}
