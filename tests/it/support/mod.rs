//! What whole-path tests share: the real program in a folder of its own, a site on loopback that does as told, and the
//! library in a world of its own.

pub(crate) mod browser;
pub(crate) mod daemon;
pub(crate) mod site;
pub(crate) mod smtp;
pub(crate) mod world;

use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;

/// The program, run in that folder, with nothing of the environment that could change what it does.
pub(crate) fn clarion(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clarion"));
    command.current_dir(folder).env_remove("CLARION_CONFIG").env_remove("RUST_LOG").env("USER", "tester");
    command
}

/// What came of one run.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Standard output as one JSON document.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Fails unless the run ended with this code, said this on standard error, and gave no results.
    #[track_caller]
    pub(crate) fn refused(&self, code: i32, says: &[&str]) {
        assert_eq!((self.code, self.out.as_str()), (code, ""), "{self:?}");
        for part in says {
            assert!(self.err.contains(part), "`{part}` is missing: {self:?}");
        }
        assert!(!self.err.contains("panicked") && self.err.lines().count() <= 12, "{self:?}");
    }
}

/// Runs the program and answers what came of it.
pub(crate) fn run(folder: &Path, args: &[&str]) -> Ran {
    ran(clarion(folder).args(args))
}

/// Runs a prepared command.
pub(crate) fn ran(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs the program, fails unless it succeeds, and answers its standard output.
#[track_caller]
pub(crate) fn good(folder: &Path, args: &[&str]) -> String {
    let ran = run(folder, args);
    assert_eq!(ran.code, 0, "{args:?}: {ran:?}");
    ran.out
}

/// Runs the program with `--json`, fails unless it succeeds with one JSON document.
#[track_caller]
pub(crate) fn json(folder: &Path, args: &[&str]) -> Value {
    let ran = run(folder, &[args, &["--json"]].concat());
    assert_eq!(ran.code, 0, "{args:?}: {ran:?}");
    ran.json()
}

/// A configuration that reaches loopback without pauses, and whatever else is given.
pub(crate) fn configure(folder: &Path, more: &str) {
    let text = format!("[network]\nallow = [\"127.0.0.0/8\"]\nmin_gap = 0\n{more}");
    std::fs::write(folder.join("clarion.toml"), text).unwrap();
}
