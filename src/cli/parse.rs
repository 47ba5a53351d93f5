//! `clarion parse`: reads feed documents without storing anything.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Global, output};
use crate::collect::FileLine;

/// No document is larger.
const FILE_MAX: u64 = 64 * 1024 * 1024;

#[derive(Debug, Args)]
pub(super) struct ParseArgs {
    /// Print one JSON line a file, which is also what is printed without it; `--json` prints one array instead.
    #[arg(long)]
    jsonl: bool,
    /// Documents of feeds.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Reads each file; what cannot be read is a line with its error, and no failure of the command.
pub(super) fn run(global: &Global, args: &ParseArgs) -> anyhow::Result<()> {
    if global.json && !args.jsonl {
        return output::print_json(&args.files.iter().map(|path| line_of(path)).collect::<Vec<_>>());
    }
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    match write_lines(&args.files, &mut out) {
        Ok(()) => Ok(()),
        // A reader that went away, as `head` does.
        Err(error) if error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Writes one line of JSON for each file, in their order.
fn write_lines(files: &[PathBuf], out: &mut impl Write) -> anyhow::Result<()> {
    for path in files {
        serde_json::to_writer(&mut *out, &line_of(path)).map_err(std::io::Error::from)?;
        writeln!(out)?;
    }
    out.flush()?;
    Ok(())
}

/// What a file holds; one that cannot be read is told with its error.
fn line_of(path: &Path) -> FileLine {
    let name = path.display().to_string();
    match read(path) {
        Ok(bytes) => FileLine::of(&name, bytes),
        Err(error) => FileLine::unread(&name, &error),
    }
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let len = std::fs::metadata(path)?.len();
    if len > FILE_MAX {
        return Err(std::io::Error::other(format!("the file has {len} bytes, more than the {FILE_MAX} that are read")));
    }
    std::fs::read(path)
}
