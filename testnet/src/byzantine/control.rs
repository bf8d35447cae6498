//! How a running validator is told to misbehave: the state that its fault layer reads, and the
//! `fault.sock` in its home that changes it.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use chain::types::ValidatorIndex;
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::crash_point::CrashPoint;
use crate::line_socket::MAX_LINE;

/// The socket's name in a validator's home.
pub const SOCKET: &str = "fault.sock";

/// A way to be a faulty validator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Behaviour {
    /// Correct.
    #[default]
    Off,
    /// As leader: proposes two blocks at one height, one to some, the other to the rest.
    Equivocate,
    /// As leader: streams blocks and keeps their certificates to itself.
    Withhold,
    /// Sends nothing.
    Silent,
    /// Sends everything late.
    Delay,
    /// As leader: proposes blocks with a false state root.
    InvalidBlock,
    /// Votes for two blocks at one height.
    DoubleVote,
    /// Denies in a view change what it voted for.
    LyingViewChange,
    /// As leader: leaves the transactions of one account out of its blocks.
    Censor,
    /// Sends everything many times over, with junk between.
    Flood,
}

impl Behaviour {
    pub const ALL: [Self; 10] = [
        Self::Equivocate,
        Self::Withhold,
        Self::Silent,
        Self::Delay,
        Self::InvalidBlock,
        Self::DoubleVote,
        Self::LyingViewChange,
        Self::Censor,
        Self::Flood,
        Self::Off,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Equivocate => "equivocate",
            Self::Withhold => "withhold",
            Self::Silent => "silent",
            Self::Delay => "delay",
            Self::InvalidBlock => "invalid-block",
            Self::DoubleVote => "double-vote",
            Self::LyingViewChange => "lying-view-change",
            Self::Censor => "censor",
            Self::Flood => "flood",
        }
    }

    /// Whether only a leader can do it.
    pub const fn needs_leader(self) -> bool {
        matches!(self, Self::Equivocate | Self::Withhold | Self::InvalidBlock | Self::Censor)
    }
}

impl fmt::Display for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Behaviour {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(behaviour) = Self::ALL.into_iter().find(|behaviour| behaviour.name() == text) {
            return Ok(behaviour);
        }
        Err(format!("expected one of {}", Self::ALL.map(Self::name).join(", ")))
    }
}

/// What a command asks of a validator's fault layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "command", deny_unknown_fields)]
pub enum Request {
    Status,
    Behave {
        behaviour: Behaviour,
    },
    /// Delays what the validator sends, in milliseconds; 0 for no delay.
    Delay {
        ms: u64,
    },
    /// What becomes of messages to these validators, by their seats; to all where none is named.
    Link {
        #[serde(default)]
        to: Vec<u16>,
        link: Link,
    },
    /// Has the process end at a point, the `passes`th time it comes there; 0: it goes on.
    Crash {
        point: CrashPoint,
        passes: u32,
    },
}

/// What becomes of consensus messages on their way from one validator to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// In hundredths of them.
    pub lost_percent: u8,
    pub delay_ms: u64,
    /// 0: as much as there is.
    pub bytes_per_s: u32,
}

impl Link {
    /// Nothing gets through.
    pub const CUT: Self = Self { lost_percent: 100, ..Self::WHOLE };
    /// Everything gets through at once.
    pub const WHOLE: Self = Self { lost_percent: 0, delay_ms: 0, bytes_per_s: 0 };
}

/// Links that are not whole, by the seat of the receiver.
#[derive(Clone, Debug, Default)]
struct Links {
    all: Link,
    some: BTreeMap<u16, Link>,
}

/// What a validator's fault layer does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    pub behaviour: Behaviour,
    /// Added to everything it sends, in milliseconds.
    pub delay_ms: u64,
    /// How many messages were changed, added or held back since the behaviour was chosen.
    pub acts: u64,
    /// Where the process is to end, and how often it comes there until then.
    pub crash: Option<(CrashPoint, u32)>,
}

/// The answer to a [`Request`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    Done(Faults),
    Refused(String),
}

/// Longest delay that may be asked for, in milliseconds: delayed messages wait in memory.
pub const MAX_DELAY_MS: u64 = 10_000;

/// The fault layer's orders, shared by the layer and the socket.
#[derive(Clone, Debug, Default)]
pub struct Control(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    faults: Mutex<Faults>,
    links: Mutex<Links>,
}

impl Control {
    fn lock(&self) -> MutexGuard<'_, Faults> {
        self.0.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn links(&self) -> MutexGuard<'_, Links> {
        self.0.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether every message gets everywhere.
    pub fn is_whole(&self) -> bool {
        let links = self.links();
        links.all == Link::WHOLE && links.some.is_empty()
    }

    /// The link to the validator in a seat.
    pub fn link(&self, to: ValidatorIndex) -> Link {
        let links = self.links();
        links.some.get(&to.get()).copied().unwrap_or(links.all)
    }

    pub fn faults(&self) -> Faults {
        *self.lock()
    }

    /// Notes that the validator misbehaved just now.
    pub fn count_act(&self) {
        self.lock().acts += 1;
    }

    /// Notes that the process comes to a point, and ends it where it is told to.
    pub fn pass(&self, point: CrashPoint) {
        let mut faults = self.lock();
        let Some((_, passes)) = faults.crash.as_mut().filter(|(at, _)| *at == point) else {
            return;
        };
        *passes = passes.saturating_sub(1);
        if *passes == 0 {
            // Nothing of this process runs after it.
            let _ = signal::kill(Pid::this(), Signal::SIGKILL);
        }
    }

    pub fn handle(&self, request: Request) -> Reply {
        let mut faults = self.lock();
        match request {
            Request::Status => {}
            Request::Behave { behaviour } => {
                faults.behaviour = behaviour;
                faults.acts = 0;
            }
            Request::Delay { ms } if ms > MAX_DELAY_MS => {
                return Reply::Refused(format!("at most {MAX_DELAY_MS} ms of delay are possible"));
            }
            Request::Delay { ms } => faults.delay_ms = ms,
            Request::Link { link, .. } if link.delay_ms > MAX_DELAY_MS => {
                return Reply::Refused(format!("at most {MAX_DELAY_MS} ms of delay are possible"));
            }
            Request::Link { to, link } if to.is_empty() => {
                *self.links() = Links { all: link, some: BTreeMap::new() };
            }
            Request::Link { to, link } => {
                self.links().some.extend(to.into_iter().map(|seat| (seat, link)));
            }
            Request::Crash { point, passes } => {
                faults.crash = (passes > 0).then_some((point, passes));
            }
        }
        Reply::Done(*faults)
    }
}

/// Removes the socket when dropped.
#[derive(Debug)]
pub struct Socket(PathBuf);

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Listens on `fault.sock` in `home` and obeys. `None` where another process listens there: that one
/// has the home, and the node will find it in use.
///
/// # Errors
/// Where the socket cannot be made.
pub fn serve(home: &Path, control: Control) -> anyhow::Result<Option<Socket>> {
    let path = home.join(SOCKET);
    if UnixStream::connect(&path).is_ok() {
        return Ok(None);
    }
    // Left behind by a validator that was killed.
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path)
        .with_context(|| format!("cannot listen on {}", path.display()))?;
    std::thread::Builder::new().name("fault-socket".into()).spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that goes away early only hurts itself.
            let _ = answer(&stream, &control);
        }
    })?;
    Ok(Some(Socket(path)))
}

fn answer(stream: &UnixStream, control: &Control) -> anyhow::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.set_write_timeout(Some(Duration::from_secs(1)))?;
    let mut line = String::new();
    BufReader::new(stream.take(MAX_LINE)).read_line(&mut line)?;
    let reply = match serde_json::from_str(&line) {
        Ok(request) => control.handle(request),
        Err(error) => Reply::Refused(error.to_string()),
    };
    let mut reply = serde_json::to_vec(&reply)?;
    reply.push(b'\n');
    let mut stream = stream;
    stream.write_all(&reply)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line_socket::ask;

    #[test]
    fn behaviours_are_read_by_their_names() {
        for behaviour in Behaviour::ALL {
            assert_eq!(behaviour.name().parse(), Ok(behaviour));
        }
        let refused = "evil".parse::<Behaviour>().expect_err("not a behaviour");
        assert!(refused.contains("equivocate"), "{refused}");
    }

    #[test]
    fn orders_over_the_socket_reach_the_layer() {
        let home = tempfile::tempdir().expect("a temporary directory");
        let control = Control::default();
        let socket = serve(home.path(), control.clone()).expect("it listens");
        let path = home.path().join(SOCKET);
        let second = serve(home.path(), Control::default()).expect("it does not even try");
        assert!(second.is_none(), "the first one keeps its socket");

        let order = Request::Behave { behaviour: Behaviour::Silent };
        let reply: Reply = ask(&path, &order).expect("an answer");
        assert_eq!(control.faults().behaviour, Behaviour::Silent);
        assert_eq!(reply, Reply::Done(control.faults()));

        control.count_act();
        let reply: Reply = ask(&path, &Request::Status).expect("an answer");
        assert!(matches!(reply, Reply::Done(Faults { acts: 1, .. })), "{reply:?}");

        let reply: Reply = ask(&path, &Request::Delay { ms: MAX_DELAY_MS + 1 }).expect("an answer");
        assert!(matches!(reply, Reply::Refused(_)), "{reply:?}");
        assert_eq!(control.faults().delay_ms, 0);

        let reply: Reply = ask(&path, &"nonsense").expect("an answer");
        assert!(matches!(reply, Reply::Refused(_)), "{reply:?}");

        let (one, other) = (ValidatorIndex::new(1), ValidatorIndex::new(2));
        for (to, link) in [(vec![], Link::WHOLE), (vec![1], Link::CUT)] {
            let _: Reply = ask(&path, &Request::Link { to, link }).expect("an answer");
        }
        assert_eq!((control.link(one), control.link(other)), (Link::CUT, Link::WHOLE));
        let _: Reply =
            ask(&path, &Request::Link { to: vec![], link: Link::WHOLE }).expect("an answer");
        assert!(control.is_whole());

        drop(socket);
        assert!(!path.exists(), "the socket is gone with its owner");
    }
}
