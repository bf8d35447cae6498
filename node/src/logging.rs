//! What the node says on stderr.

use genesis::config::{LogConfig, LogFormat};
use tracing_subscriber::EnvFilter;

/// Where logs cannot go.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("log.level: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    #[error("logging was set up twice in this process")]
    Twice,
}

/// Sends this process's logs to stderr. Once per process.
///
/// # Errors
/// [`LogError`] where the filter makes no sense or logs go somewhere already.
pub fn init(config: &LogConfig) -> Result<(), LogError> {
    let filter = EnvFilter::try_new(&config.level)?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let set = match config.format {
        LogFormat::Text => logs.with_ansi(is_terminal()).try_init(),
        LogFormat::Json => logs.json().flatten_event(true).with_current_span(false).try_init(),
    };
    set.map_err(|_| LogError::Twice)
}

fn is_terminal() -> bool {
    std::io::IsTerminal::is_terminal(&std::io::stderr())
}
