//! A chromedriver of its own, which ends with the test.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// What chromedriver says once it listens, before the port.
const READY: &str = "started successfully on port ";

/// The process, and where it listens.
#[derive(Debug)]
pub(crate) struct Driver {
    process: Child,
    pub(crate) address: String,
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
        let output = process.stdout.take().expect("piped");
        let mut driver = Self { process, address: String::new() };
        let said = BufReader::new(output).lines().map_while(Result::ok);
        let port = said
            .filter_map(|line| line.split_once(READY).map(|(_, port)| port.to_owned()))
            .next()
            .expect("chromedriver says its port");
        driver.address = format!("http://127.0.0.1:{}", port.trim_end_matches('.'));
        driver
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
