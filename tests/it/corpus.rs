//! A corpus of feeds that stands beside the checkout is read as well as was promised. Without it there is nothing to do.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::clarion;

/// The least agreement with what the documents are known to say, in per cent, of all values and of each kind.
const LEAST: &str = "98.5";
const LEAST_OF: [&str; 9] =
    ["parsed=99.3", "entries=99.3", "title=99", "link=99", "date=99", "author=97", "id=98", "media=98", "categories=98"];

/// All documents, in folders one deep: so they are named in what is expected of them.
fn documents(feeds: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(feeds)
        .unwrap()
        .map(|group| group.unwrap().path())
        .filter(|group| group.is_dir())
        .flat_map(|group| std::fs::read_dir(group).unwrap())
        .map(|file| file.unwrap().path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    files
}

#[test]
#[expect(clippy::print_stderr, reason = "says why nothing was checked")]
fn the_corpus_is_read_as_well_as_promised() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let has_python = Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success());
    if !corpus.join("check.py").is_file() || !has_python {
        eprintln!("skipped: the corpus or python3 is missing");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let output = clarion(folder.path()).args(["parse", "--jsonl"]).args(documents(&corpus.join("feeds"))).assert().success();
    let results = folder.path().join("results.jsonl");
    std::fs::write(&results, &output.get_output().stdout).unwrap();
    let checked = Command::new("python3")
        .arg(corpus.join("check.py"))
        .arg(&results)
        .args(["--show", "5", "--min", LEAST])
        .args(LEAST_OF.iter().flat_map(|least| ["--field-min", least]))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success(), "{told}{}", String::from_utf8_lossy(&checked.stderr));
    eprintln!("{told}");
}
