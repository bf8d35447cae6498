//! With a process of its own that writes through the library.

use std::process::Command;

use rand::SeedableRng;

use super::*;
use crate::disk::{HOME_VARIABLE, Knobs, Room, install, prepare};

/// A home, and the library.
fn home() -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().expect("a temporary directory");
    fs::create_dir(home.path().join("data")).expect("a directory");
    prepare(home.path()).expect("it can be prepared");
    let library = install(home.path()).expect("the library can be written");
    (home, library)
}

/// Runs a script with the library; whether it ended well.
fn run(home: &Path, library: &Path, script: &str) -> bool {
    let mut command = Command::new("sh");
    command.args(["-c", script]).current_dir(home);
    command.env("LD_PRELOAD", library).env(HOME_VARIABLE, home);
    command.env("D", home.join("data")).status().expect("sh exists").success()
}

fn cut_with(home: &Path, seed: u64) -> Lost {
    cut(home, &mut ChaCha8Rng::seed_from_u64(seed)).expect("it can be cut")
}

#[test]
fn what_was_synced_stays_and_the_rest_goes() {
    for seed in 0..10 {
        let (home, library) = home();
        let synced = "dd if=/dev/zero of=$D/a bs=100 count=1 conv=fsync status=none && sync $D";
        let rest = "dd if=/dev/zero of=$D/b bs=100 count=1 status=none && printf more >> $D/a";
        assert!(run(home.path(), &library, &format!("{synced} && {rest}")));
        let lost = cut_with(home.path(), seed);
        let size = |name| fs::metadata(home.path().join("data").join(name)).map(|data| data.len());
        assert!(size("a").expect("it is safe") >= 100, "seed {seed}");
        // Its name may have reached the disk by chance, or its content; then the rest of it is lost.
        if let Ok(size) = size("b") {
            assert!(lost.bytes > 0 || size == 0, "seed {seed}: {lost:?}");
        } else {
            assert!(lost.names > 0, "seed {seed}: {lost:?}");
        }
    }
}

#[test]
fn a_deletion_that_was_not_synced_is_undone() {
    let (home, library) = home();
    let script = "printf kept > $D/a; dd if=/dev/null of=$D/a conv=fsync,notrunc status=none; \
                  sync $D; rm $D/a; mv $D/LOG $D/LOG.old 2>/dev/null; true";
    assert!(run(home.path(), &library, script));
    assert!(!home.path().join("data/a").exists());
    let back = (0..20).any(|seed| {
        let lost = cut_with(home.path(), seed);
        lost.names > 0 && fs::read(home.path().join("data/a")).is_ok_and(|text| text == b"kept")
    });
    assert!(back);
}

#[test]
fn syncs_fail_disks_fill_up_and_clocks_are_wrong_on_request() {
    let (home, library) = home();
    let knobs = Knobs::of(home.path()).expect("there are knobs");
    let write = "dd if=/dev/zero of=$D/000001.log bs=1 count=1 conv=fsync status=none 2>/dev/null";
    assert!(run(home.path(), &library, write));
    knobs.fail_syncs(1).expect("it can be told");
    assert_eq!(knobs.failed().expect("it tells"), None);
    assert!(!run(home.path(), &library, write));
    assert!(knobs.failed().expect("it tells").is_some());
    assert!(run(home.path(), &library, write), "one alone");

    knobs.leave(Room::None).expect("it can be told");
    assert!(!run(home.path(), &library, "printf x > $D/b 2>/dev/null"));
    assert!(run(home.path(), &library, "printf x > b"), "another disk");
    knobs.leave(Room::Enough).expect("it can be told");
    assert!(run(home.path(), &library, "printf x > $D/b"));

    let year = "test $(date +%s) -gt $(($(stat -c %Y b) + 3000))";
    assert!(!run(home.path(), &library, year));
    knobs.shift_clock(3_600_000).expect("it can be told");
    assert!(run(home.path(), &library, year));

    knobs.die_before_call(1).expect("it can be told");
    assert!(!run(home.path(), &library, "dd if=/dev/zero of=$D/c count=1 status=none"));
    assert!(!home.path().join("data/c").exists());
}
