//! The seal at the end of a backup: the hash of all before it, so that one changed bit is found before it is restored.
//!
//! SQLite takes the length of a database from its header and does not mind what follows, so a sealed backup can still
//! be opened by any other program.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::model::hex;

/// What the seal says of itself, before 64 hexadecimal digits and a line feed.
const LABEL: &[u8] = b"\nclarion backup, sealed by sha256 ";
const LENGTH: usize = LABEL.len() + 64 + 1;
/// The least size of a page: the length of every bare database is a multiple of it.
const PAGE: u64 = 512;

/// What is found at the end of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seal {
    /// The first so many bytes are as they were written.
    Holds(u64),
    /// There is a seal, or what is left of one, and it does not fit.
    Broken,
    /// A bare database.
    Absent,
}

/// Seals a file and puts it on the disk; answers its length with the seal.
pub(super) fn put(path: &Path) -> io::Result<u64> {
    let mut file = File::options().read(true).append(true).open(path)?;
    let length = file.metadata()?.len();
    let hash = hash(&mut file, length)?;
    file.write_all(&[LABEL, hash.as_bytes(), b"\n"].concat())?;
    file.sync_all()?;
    Ok(length + LENGTH as u64)
}

/// Looks for the seal of a file and compares it.
pub(super) fn of(path: &Path) -> io::Result<Seal> {
    let mut file = File::open(path)?;
    let whole = file.metadata()?.len();
    let Some(length) = whole.checked_sub(LENGTH as u64) else { return Ok(Seal::Absent) };
    let mut end = [0u8; LENGTH];
    file.seek(SeekFrom::Start(length))?;
    file.read_exact(&mut end)?;
    if !end.starts_with(LABEL) {
        return Ok(if whole.is_multiple_of(PAGE) { Seal::Absent } else { Seal::Broken });
    }
    let told = &end[LABEL.len()..LENGTH - 1];
    Ok(if told == hash(&mut file, length)?.as_bytes() { Seal::Holds(length) } else { Seal::Broken })
}

fn hash(file: &mut File, length: u64) -> io::Result<String> {
    file.seek(SeekFrom::Start(0))?;
    let mut hasher = Sha256::new();
    let mut left = file.take(length);
    let mut piece = vec![0u8; 1 << 16];
    loop {
        let read = left.read(&mut piece)?;
        if read == 0 {
            break;
        }
        hasher.update(&piece[..read]);
    }
    Ok(hex(&hasher.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_changed_bit_and_every_cut_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let bytes = vec![7u8; 512];
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(of(&path).unwrap(), Seal::Absent);
        put(&path).unwrap();
        assert_eq!(of(&path).unwrap(), Seal::Holds(512));
        let sealed = std::fs::read(&path).unwrap();
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 4;
            std::fs::write(&path, &changed).unwrap();
            // The last line feed carries nothing.
            assert!(of(&path).unwrap() == Seal::Broken || place == sealed.len() - 1, "{place}");
        }
        for cut in 513..sealed.len() {
            std::fs::write(&path, &sealed[..cut]).unwrap();
            assert_eq!(of(&path).unwrap(), Seal::Broken, "{cut}");
        }
    }
}
