//! A validator's process: started in its own process group, found again by other commands, and
//! never mistaken for a stranger that got its number later.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use procfs::process::{FDTarget, Process, Stat};
use procfs::{ProcResult, WithCurrentSystemInfo as _};
use serde::{Deserialize, Serialize};

use crate::disk;

/// Which process: its number, and when it started, because the kernel gives numbers out again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    pub pid: i32,
    /// Clock ticks since boot (field 22 of `/proc/PID/stat`).
    pub started: u64,
}

impl ProcessId {
    /// The identity of a process that was just started.
    ///
    /// # Errors
    /// Where it ended at once.
    pub fn of(child: &Child) -> io::Result<Self> {
        Self::with_number(child.id()).map_err(|_| io::Error::other("the process ended at once"))
    }

    /// The identity of this process.
    ///
    /// # Errors
    /// Where the system does not tell.
    pub fn own() -> io::Result<Self> {
        Self::with_number(std::process::id()).map_err(io::Error::other)
    }

    fn with_number(pid: u32) -> ProcResult<Self> {
        let pid = pid as i32;
        Ok(Self { pid, started: Process::new(pid)?.stat()?.starttime })
    }

    fn current(self) -> Option<(Process, Stat)> {
        let process = Process::new(self.pid).ok()?;
        let stat = process.stat().ok().filter(|stat| stat.starttime == self.started)?;
        // After a SIGKILL the first thread may be gone while others still hold the process's files,
        // and with them the lock on its home.
        let ended = "ZX".contains(stat.state) && stat.num_threads <= 1;
        (!ended).then_some((process, stat))
    }

    /// Whether it still runs. Stopped counts as running, ended and not yet collected does not.
    pub fn is_alive(self) -> bool {
        self.current().is_some()
    }

    /// Whether it is stopped by SIGSTOP.
    pub fn is_paused(self) -> bool {
        self.current().is_some_and(|(_, stat)| stat.state == 'T')
    }

    /// Processor time that it used so far, in user and kernel mode together; `None` once it is gone.
    pub fn cpu_time(self) -> Option<Duration> {
        let (_, stat) = self.current()?;
        let ticks = (stat.utime + stat.stime) as f64;
        Some(Duration::from_secs_f64(ticks / procfs::ticks_per_second() as f64))
    }

    /// Memory that it holds now, in bytes; `None` once it is gone.
    pub fn resident(self) -> Option<u64> {
        let (_, stat) = self.current()?;
        Some(stat.rss_bytes().get())
    }

    /// The files and sockets that it has open; `None` once it is gone.
    pub fn open_files(self) -> Option<Vec<FDTarget>> {
        let (process, _) = self.current()?;
        Some(process.fd().ok()?.flatten().map(|open| open.target).collect())
    }

    /// Sends a signal; `false` if there is nobody to get it.
    pub fn signal(self, signal: Signal) -> bool {
        self.is_alive() && kill(Pid::from_raw(self.pid), signal).is_ok()
    }

    /// Ends it without a chance to tidy up, and waits until it is gone.
    pub fn kill(self) -> anyhow::Result<()> {
        self.signal(Signal::SIGKILL);
        if self.wait_gone(Duration::from_secs(10)) {
            return Ok(());
        }
        bail!("process {} does not end after SIGKILL", self.pid)
    }

    /// Asks it to end, and insists after `patience`.
    pub fn stop(self, patience: Duration) -> anyhow::Result<()> {
        // A stopped process sees SIGTERM only once it continues.
        self.signal(Signal::SIGTERM);
        self.signal(Signal::SIGCONT);
        if self.wait_gone(patience) { Ok(()) } else { self.kill() }
    }

    fn wait_gone(self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        loop {
            // Collects it if it is a child of this process; an error means that it is not.
            let _ = waitpid(Pid::from_raw(self.pid), Some(WaitPidFlag::WNOHANG));
            if !self.is_alive() {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// How a validator is started.
#[derive(Debug)]
pub struct Launch<'a> {
    pub binary: &'a Path,
    pub home: &'a Path,
    pub log: &'a Path,
    /// End with the process that starts it, however that ends.
    pub lifeline: bool,
    /// The library that makes its disk faulty.
    pub disk: Option<&'a Path>,
    /// The only processors that it may use, as `taskset` names them; all where there are none.
    pub cores: Option<&'a str>,
}

/// A started validator. Dropping it cuts the lifeline, if there is one, and collects it if it ended.
#[derive(Debug)]
pub struct Started {
    pub id: ProcessId,
    child: Child,
}

impl Drop for Started {
    fn drop(&mut self) {
        // An error means that it was collected before.
        let _ = self.child.try_wait();
    }
}

impl Launch<'_> {
    /// Starts the validator with its output appended to the log file.
    ///
    /// # Errors
    /// Where the log cannot be opened, the program is missing, or it ends at once.
    pub fn start(&self) -> anyhow::Result<Started> {
        let log = open_log(self.log)?;
        let mut command = match self.cores {
            // It becomes the validator, under the same number.
            Some(cores) => {
                let mut command = Command::new("taskset");
                command.arg("--cpu-list").arg(cores).arg(self.binary);
                command
            }
            None => Command::new(self.binary),
        };
        command.arg("--home").arg(self.home).process_group(0);
        // What is set for some node of the user must not override every validator's own settings.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("NODE_") {
                command.env_remove(name);
            }
        }
        if let Some(library) = self.disk {
            command.env("LD_PRELOAD", library).env(disk::HOME_VARIABLE, self.home);
        }
        if self.lifeline {
            command.arg("--lifeline").stdin(Stdio::piped());
        } else {
            command.stdin(Stdio::null());
        }
        command.stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| {
            format!(
                "cannot start {}: build it with `cargo build --workspace`",
                self.binary.display()
            )
        })?;
        let id =
            ProcessId::of(&child).with_context(|| format!("see the log {}", self.log.display()))?;
        Ok(Started { id, child })
    }
}

fn open_log(path: &Path) -> anyhow::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .with_context(|| format!("cannot open the log {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper() -> (Child, ProcessId) {
        let child = Command::new("sleep").arg("600").spawn().expect("sleep exists");
        let id = ProcessId::of(&child).expect("it runs");
        (child, id)
    }

    #[test]
    fn a_process_is_alive_until_it_is_killed() {
        let (_child, id) = sleeper();
        assert!(id.is_alive());
        assert!(id.cpu_time().is_some());
        id.kill().expect("it can be killed");
        assert!(!id.is_alive());
        assert!(!id.signal(Signal::SIGTERM), "nobody left to signal");
    }

    #[test]
    fn a_recycled_number_is_a_stranger() {
        let (_child, id) = sleeper();
        let stranger = ProcessId { started: id.started + 1, ..id };
        assert!(!stranger.is_alive());
        stranger.kill().expect("nothing to kill");
        assert!(id.is_alive(), "the process that has the number now was left alone");
        id.kill().expect("it can be killed");
    }

    #[test]
    fn a_stopped_process_still_ends_when_asked() {
        let (_child, id) = sleeper();
        assert!(id.signal(Signal::SIGSTOP));
        let deadline = Instant::now() + Duration::from_secs(10);
        while !id.is_paused() {
            assert!(Instant::now() < deadline, "it never stopped");
            std::thread::yield_now();
        }
        id.stop(Duration::from_secs(10)).expect("it ends");
        assert!(!id.is_alive());
    }
}
