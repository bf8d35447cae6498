//! A stretch of a run as a mermaid sequence diagram.

use std::io::{self, Write};
use std::time::Duration;

use consensus::engine::Time;

use super::{Happening, Place, Sink, millis};

/// Which events are drawn: a whole run fits in no diagram.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    pub from: Duration,
    pub to: Duration,
    /// Most events.
    pub events: usize,
}

impl Default for Window {
    fn default() -> Self {
        Self { from: Duration::ZERO, to: Duration::MAX, events: 200 }
    }
}

/// Draws messages where they leave (`--x` where they are lost), views, final blocks and faults.
#[derive(Debug)]
pub struct Mermaid<W> {
    out: W,
    nodes: usize,
    window: Window,
    drawn: usize,
    failed: Option<io::Error>,
}

impl<W: Write> Mermaid<W> {
    /// A diagram of `nodes` nodes.
    pub fn new(mut out: W, nodes: usize, window: Window) -> Self {
        let failed = head(&mut out, nodes).err();
        Self { out, nodes, window, drawn: 0, failed }
    }

    fn is_shown(&self, now: Time) -> bool {
        let start = Time::default();
        self.failed.is_none()
            && self.drawn < self.window.events
            && now >= start + self.window.from
            && now <= start + self.window.to
    }

    fn over_all(&self) -> String {
        match self.nodes {
            1 => "n0".to_owned(),
            nodes => format!("n0,n{}", nodes - 1),
        }
    }

    /// The line of the diagram, or nothing where the event is not drawn.
    fn line(&self, what: &Happening<'_>) -> Option<String> {
        Some(match what {
            Happening::Send { from, to, message, place, lost, .. } => {
                let arrow = if *lost { "--x" } else { "->>" };
                format!("n{from}{arrow}n{to}: {message}{}", about(*place))
            }
            Happening::View { node, view, leader, .. } => {
                format!("Note over n{node}: view {view}, leader n{leader}")
            }
            Happening::Final { node, height, .. } => format!("Note over n{node}: final {height}"),
            Happening::Start { node } => format!("Note over n{node}: starts"),
            Happening::Crash { node } => format!("Note over n{node}: crashes"),
            Happening::Mode { node, to, .. } => format!("Note over n{node}: mode {to:?}"),
            Happening::Fault { fault } => {
                format!("Note over {}: {}", self.over_all(), plain(&format!("{fault:?}")))
            }
            Happening::Heal { core: None } => format!("Note over {}: faults end", self.over_all()),
            Happening::Heal { core: Some(core) } => {
                format!("Note over {}: faults end among {core:?}", self.over_all())
            }
            Happening::Violation { property, detail } => {
                let text = plain(&format!("VIOLATION of {property}: {detail}"));
                format!("Note over {}: {text}", self.over_all())
            }
            _ => return None,
        })
    }
}

impl<W: Write + std::fmt::Debug> Sink for Mermaid<W> {
    fn tell(&mut self, now: Time, what: &Happening<'_>) {
        if !self.is_shown(now) {
            return;
        }
        if let Some(line) = self.line(what) {
            self.drawn += 1;
            self.failed = writeln!(self.out, "    {line} ({:.1} ms)", millis(now)).err();
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.out.flush(),
        }
    }
}

fn head(out: &mut impl Write, nodes: usize) -> io::Result<()> {
    writeln!(out, "sequenceDiagram")?;
    (0..nodes).try_for_each(|node| writeln!(out, "    participant n{node}"))
}

fn about(place: Place) -> String {
    let view = place.view.map(|view| format!(" v{view}")).unwrap_or_default();
    let height = place.height.map(|height| format!(" h{height}")).unwrap_or_default();
    view + &height
}

/// Without the characters that mean something in a diagram.
fn plain(text: &str) -> String {
    text.replace([';', '#', '\n'], " ").chars().take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chain::types::{Height, View};

    #[test]
    fn a_window_bounds_the_diagram_and_lost_messages_look_lost() {
        let window = Window { from: Duration::from_millis(1), events: 2, ..Window::default() };
        let mut diagram = Mermaid::new(Vec::new(), 2, window);
        let send = |lost| Happening::Send {
            node: 0,
            from: 0,
            to: 1,
            message: "vote",
            bytes: 1,
            place: Place { view: Some(View::new(3)), height: Some(Height::new(4)), vote: None },
            arrives: None,
            lost,
        };
        for (at, lost) in [(0, false), (1_000_000, false), (1_500_000, true), (2_000_000, true)] {
            diagram.tell(Time::from_nanos(at), &send(lost));
        }
        let text = String::from_utf8(diagram.out).unwrap();
        let expected = "sequenceDiagram\n    participant n0\n    participant n1\n    \
                        n0->>n1: vote v3 h4 (1.0 ms)\n    n0--xn1: vote v3 h4 (1.5 ms)\n";
        assert_eq!(text, expected);
    }
}
