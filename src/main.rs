//! Starts clarion.

use std::process::ExitCode;

fn main() -> ExitCode {
    clarion::cli::run(std::env::args_os())
}
