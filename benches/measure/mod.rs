//! What benches share: a median, the time and the peak memory of a process.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The middle one, in seconds.
pub(crate) fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64()
}

/// What a process took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Took {
    pub(crate) elapsed: Duration,
    /// The most memory that was resident, in KiB.
    pub(crate) peak_kib: u64,
}

/// Runs a command to its end, looking at its memory every few milliseconds.
pub(crate) fn run(command: &mut Command) -> Took {
    let started = Instant::now();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the command starts");
    let mut peak_kib = 0;
    let status = loop {
        peak_kib = peak_kib.max(peak_of(&child));
        if let Some(status) = child.try_wait().expect("the command can be waited for") {
            break status;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    assert!(status.success(), "{command:?} ended with {status}");
    Took { elapsed: started.elapsed(), peak_kib }
}

/// The most memory that a running process has had, in KiB; 0 once it is over.
pub(crate) fn peak_of(child: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    line.and_then(|line| line.split_whitespace().nth(1)).and_then(|number| number.parse().ok()).unwrap_or(0)
}
