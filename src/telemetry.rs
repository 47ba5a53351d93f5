//! What is told of the running program: tracing lines and metric names.

use std::sync::{Once, OnceLock};

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::MakeWriterExt;

use crate::config::{LogConfig, LogFormat};

/// Polls by outcome: `clarion_polls_total{outcome}`.
pub const POLLS: &str = "clarion_polls_total";
/// Entries new to the log.
pub const ENTRIES_NEW: &str = "clarion_entries_new_total";
/// Sources by status.
pub const SOURCES: &str = "clarion_sources";
/// Seconds by which the most overdue source is late.
pub const OLDEST_OVERDUE: &str = "clarion_oldest_overdue_seconds";
/// Writes that wait.
pub const QUEUE: &str = "clarion_store_queue";
/// The last place in the log.
pub const LOG_SEQ: &str = "clarion_log_seq";
/// Bytes of the database file.
pub const DATABASE_BYTES: &str = "clarion_database_bytes";
/// Runs of timed tasks by job and state.
pub const SLOTS: &str = "clarion_slots_total";
/// When the last draft was made, in seconds since 1970.
pub const LAST_DRAFT: &str = "clarion_last_draft_timestamp_seconds";

/// Libraries that see whole requests.
const QUIET: [&str; 8] = [
    "reqwest=warn",
    "hyper=warn",
    "hyper_util=warn",
    "h2=warn",
    "rustls=warn",
    "tower=warn",
    "rusqlite_migration=warn",
    "tokio_cron_scheduler=warn",
];

static STARTED: Once = Once::new();

static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Begins counting, once for the process.
pub fn count() {
    RECORDER.get_or_init(|| PrometheusBuilder::new().install_recorder().ok());
}

/// What was counted, in the text format of Prometheus; empty if nothing counts.
pub fn metrics_text() -> String {
    RECORDER.get().and_then(Option::as_ref).map(PrometheusHandle::render).unwrap_or_default()
}

/// Drops what histograms no longer need; to be called now and then.
pub fn keep_up() {
    if let Some(handle) = RECORDER.get().and_then(Option::as_ref) {
        handle.run_upkeep();
    }
}

/// Begins writing lines to standard error, once for the process; RUST_LOG goes before the filter.
pub fn start(config: &LogConfig, filter: &str) {
    STARTED.call_once(|| {
        let filter = EnvFilter::try_from_default_env().or_else(|_| EnvFilter::try_new(filter)).unwrap_or_else(|_| EnvFilter::new("info"));
        // Traces of the libraries print headers and hosts, secrets among them: they are cut off whatever the filter says.
        let filter = QUIET.iter().filter_map(|quiet| quiet.parse().ok()).fold(filter, EnvFilter::add_directive);
        let writer = std::io::stderr.with_max_level(tracing::Level::TRACE);
        let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_target(false);
        let started = match config.format {
            LogFormat::Text => builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init(),
            LogFormat::Json => builder.json().try_init(),
        };
        // Somebody else in this process, a test, may have begun already.
        let _ = started;
    });
}
