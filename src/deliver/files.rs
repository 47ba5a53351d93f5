//! Files in a folder: each whole or not at all, and none outside.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use super::End;

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    #[error("`{0}` is not the name of a file in the folder")]
    Name(String),
    #[error("{name} cannot be written: {source}")]
    Io { name: String, source: io::Error },
}

/// Writes all files. Writing them again changes nothing, so a fault in the middle is mended by another try.
pub(super) fn write(folder: &Path, files: &[(String, Vec<u8>)]) -> End {
    if let Err(error) = fs::create_dir_all(folder) {
        return End::later(format!("the folder cannot be made: {error}"));
    }
    for (name, bytes) in files {
        if let Err(error) = put(folder, name, bytes) {
            return match error {
                FilesError::Name(_) => End::Refused(error.to_string()),
                FilesError::Io { .. } => End::later(error.to_string()),
            };
        }
    }
    // The names are safe only once the folder is.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    End::Accepted(format!("{} files written", files.len()))
}

/// Writes one file beside its place and moves it there. A link that stands there is replaced, never followed.
fn put(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), FilesError> {
    let plain = (1..=100).contains(&name.len())
        && !name.starts_with('.')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    if !plain {
        return Err(FilesError::Name(name.chars().take(100).collect()));
    }
    let fault = |source| FilesError::Io { name: name.to_owned(), source };
    let place = folder.join(name);
    if fs::symlink_metadata(&place).is_ok_and(|meta| meta.is_file()) && fs::read(&place).is_ok_and(|held| held == bytes) {
        return Ok(());
    }
    let aside = folder.join(format!(".{name}.part"));
    match fs::remove_file(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(fault(error)),
        _ => {}
    }
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).open(&aside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&aside, &place)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&aside);
    }
    written.map_err(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("inside");
        fs::create_dir(&inside).unwrap();
        for name in ["../x", "/etc/x", "a/b", "..", ".", "", ".hidden", "a\0b", "..\\x", "%2e%2e%2fx", "x\n", &"a".repeat(300)] {
            assert!(matches!(put(&inside, name, b"x"), Err(FilesError::Name(_))), "{name}");
        }
        assert_eq!(fs::read_dir(&inside).unwrap().count(), 0);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_replaced_and_never_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (inside, secret) = (folder.path().join("inside"), folder.path().join("secret"));
        fs::create_dir(&inside).unwrap();
        fs::write(&secret, "untouched").unwrap();
        for name in ["2026-W47.md", ".2026-W47.md.part"] {
            std::os::unix::fs::symlink(&secret, inside.join(name)).unwrap();
        }
        assert!(matches!(write(&inside, &[("2026-W47.md".into(), b"new".to_vec())]), End::Accepted(_)));
        assert_eq!(fs::read_to_string(&secret).unwrap(), "untouched");
        assert_eq!(fs::read_to_string(inside.join("2026-W47.md")).unwrap(), "new");
        assert_eq!(fs::read_dir(&inside).unwrap().count(), 1);
    }
}
