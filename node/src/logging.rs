//! What the node says on stderr.

use genesis::config::{LogConfig, LogFormat};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// It writes a line with the whole message for each that a slow peer has no room for: one peer that
/// hangs would fill the disk. Whoever names this target in `log.level` gets it all the same.
const QUIET: &str = "libp2p_gossipsub=error";

/// Where logs cannot go.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("log.level: {0}")]
    Filter(#[from] ParseError),
    #[error("logging was set up twice in this process")]
    Twice,
}

/// Sends this process's logs to stderr. Once per process.
///
/// # Errors
/// [`LogError`] where the filter makes no sense or logs go somewhere already.
pub fn init(config: &LogConfig) -> Result<(), LogError> {
    let filter = filter(&config.level)?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let set = match config.format {
        LogFormat::Text => logs.with_ansi(is_terminal()).try_init(),
        LogFormat::Json => logs.json().flatten_event(true).with_current_span(false).try_init(),
    };
    set.map_err(|_| LogError::Twice)
}

fn filter(level: &str) -> Result<EnvFilter, ParseError> {
    EnvFilter::try_new(format!("{QUIET},{level}"))
}

fn is_terminal() -> bool {
    std::io::IsTerminal::is_terminal(&std::io::stderr())
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::Layer;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// How many of two warnings, one of gossip and one of the node, get through.
    fn heard(level: &str) -> usize {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let written = Arc::clone(&lines);
        let layer = tracing_subscriber::fmt::layer().with_writer(move || Lines(written.clone()));
        let logs = tracing_subscriber::registry().with(layer.with_filter(filter(level).unwrap()));
        tracing::subscriber::with_default(logs, || {
            tracing::warn!(target: "libp2p_gossipsub::behaviour", "no room");
            tracing::warn!("something of ours");
        });
        lines.lock().unwrap().iter().filter(|byte| **byte == b'\n').count()
    }

    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn gossip_about_slow_peers_is_written_only_for_who_asks() {
        assert_eq!(heard("info"), 1);
        assert_eq!(heard("info,libp2p_gossipsub=warn"), 2);
    }
}
