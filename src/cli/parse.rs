//! `clarion parse`: reads feed documents without storing anything.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use crate::collect::parse_file_line;

/// No document is larger.
const FILE_MAX: u64 = 64 * 1024 * 1024;

#[derive(Debug, Args)]
pub(super) struct ParseArgs {
    /// One JSON line a file; the only format there is so far.
    #[arg(long)]
    jsonl: bool,
    /// Documents of feeds.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Reads each file; what cannot be read is a line with its error, and no failure of the command.
pub(super) fn run(args: &ParseArgs) -> anyhow::Result<()> {
    let _ = args.jsonl;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    match write_lines(&args.files, &mut out) {
        Ok(_) => Ok(()),
        // A reader that went away, as `head` does.
        Err(error) if error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Writes one line of JSON for each file, in their order. A file that cannot be read is a line with its error; `true` if
/// all could be.
fn write_lines(files: &[PathBuf], out: &mut impl Write) -> anyhow::Result<bool> {
    let mut all_read = true;
    for path in files {
        let name = path.display().to_string();
        let line = match read(path) {
            Ok(bytes) => parse_file_line(&name, &bytes, None, None),
            Err(error) => serde_json::json!({ "file": name, "error": error.to_string(), "repairs": [], "entries": [] }),
        };
        all_read &= line["error"].is_null();
        writeln!(out, "{line}")?;
    }
    out.flush()?;
    Ok(all_read)
}

fn read(path: &PathBuf) -> std::io::Result<Vec<u8>> {
    let len = std::fs::metadata(path)?.len();
    if len > FILE_MAX {
        return Err(std::io::Error::other(format!("the file has {len} bytes, more than the {FILE_MAX} that are read")));
    }
    std::fs::read(path)
}
