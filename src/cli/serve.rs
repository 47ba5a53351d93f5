//! `clarion serve`: the daemon, until a signal ends it.

use std::sync::Arc;

use super::output;
use super::{Global, open};
use crate::clock::SystemClock;
use crate::config::{Config, LogFormat};
use crate::{daemon, telemetry};

pub(super) async fn run(global: &Global) -> anyhow::Result<()> {
    let config = Config::load(&global.config)?;
    telemetry::start(&config.log, &config.log.filter);
    let ctx = open(config, Arc::new(SystemClock)).await?;
    let trust = ctx.fetcher.client().trust();
    tracing::info!(roots = trust.roots(), "trusting {} certificates from {}", trust.roots(), trust.origin);
    anyhow::ensure!(
        trust.roots() > 0,
        "{} holds no certificates, so no https address could be read: install ca-certificates, or set SSL_CERT_FILE",
        trust.origin
    );
    let is_json = ctx.config.log.format == LogFormat::Json;
    let ready = |address| {
        if is_json {
            tracing::info!(%address, "ready http://{address}/");
        } else {
            output::tell(&format!("ready http://{address}/"));
        }
    };
    daemon::run(ctx, stop_sign(), ready).await
}

/// Resolves at the first SIGTERM or Ctrl-C; a second one, a second later or more, ends the process at once.
pub(super) async fn stop_sign() {
    wait_for_signal().await;
    tokio::spawn(async {
        // `timeout` and some supervisors signal the process and its group, which is one wish told twice.
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        wait_for_signal().await;
        output::complain("stopped at once, as told twice; nothing recorded is lost");
        std::process::exit(1);
    });
}

async fn wait_for_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    }
    #[cfg(not(unix))]
    {
        let _ = tokio::signal::ctrl_c().await;
    }
}
