//! What whole-path tests share: the real program in a folder of its own, and the library in a world of its own.

pub(crate) mod world;

use std::path::Path;

use assert_cmd::Command;

/// The program, run in that folder, with nothing of the environment that could change what it does.
pub(crate) fn clarion(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clarion"));
    command.current_dir(folder).env_remove("CLARION_CONFIG").env_remove("RUST_LOG").env("USER", "tester");
    command
}
