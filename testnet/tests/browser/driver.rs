//! A chromedriver of its own, which ends with the test.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

/// What chromedriver says once it listens, before the port.
const READY: &str = "started successfully on port ";

/// The process, and where it listens.
#[derive(Debug)]
pub(crate) struct Driver {
    process: Child,
    /// Open as long as it may write to it.
    output: BufReader<ChildStdout>,
}

impl Driver {
    pub(crate) fn start() -> Self {
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("chromedriver: {error}. `make deps` installs it"));
        let output = BufReader::new(process.stdout.take().expect("piped"));
        Self { process, output }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Waits until it listens, and says where.
    pub(crate) fn address(&mut self) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            let length = self.output.read_line(&mut line).expect("text");
            assert!(length > 0, "chromedriver ended before it said its port");
            if let Some((_, port)) = line.split_once(READY) {
                return format!("http://127.0.0.1:{}", port.trim().trim_end_matches('.'));
            }
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
