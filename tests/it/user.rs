//! Who may sign in, from the command line to the running daemon.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::daemon::Daemon;
use crate::support::{clarion, configure, good, json, ran, run};

const PASSWORD: &str = "a long way to the harbor";

/// Adds an account with a password from a file that nobody else reads.
pub(crate) fn add(folder: &Path, name: &str, role: &str) {
    let file = folder.join("password");
    std::fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    good(folder, &["user", "add", name, "--role", role, "--password-file", "password"]);
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn accounts_are_made_listed_changed_and_removed_by_command() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    configure(folder, "");
    assert!(good(folder, &["user", "list"]).contains("nobody can sign in yet"));
    std::fs::write(folder.join("password"), format!("{PASSWORD}\nsomething else\n")).unwrap();
    std::fs::set_permissions(folder.join("password"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let from_file = ["--password-file", "password"];
    run(folder, &[&["user", "add", "Edith", "--role", "staff"], &from_file[..]].concat())
        .refused(2, &["others can read password", "chmod 600"]);
    std::fs::set_permissions(folder.join("password"), std::fs::Permissions::from_mode(0o600)).unwrap();
    run(folder, &["user", "add", "Edith", "--role", "staff"]).refused(2, &["no terminal", "--password-file"]);
    run(folder, &[&["user", "add", "Edith"], &from_file[..]].concat()).refused(2, &["--role"]);
    run(folder, &[&["user", "add", "Edith", "--role", "king"], &from_file[..]].concat()).refused(2, &["king", "staff", "operator"]);
    let added = good(folder, &[&["user", "add", "Edith", "--role", "staff", "--role", "operator"], &from_file[..]].concat());
    assert!(added.contains("Edith can sign in as staff and operator"), "{added}");
    run(folder, &[&["user", "add", "edith", "--role", "staff"], &from_file[..]].concat()).refused(1, &["already"]);
    good(folder, &["user", "add", "otto@example.org", "--role", "operator", "--no-password"]);
    ran(clarion(folder).args(["user", "password", "otto@example.org", "--password-file", "-"]).write_stdin("short\n"))
        .refused(1, &["8 characters"]);
    let set = ran(clarion(folder).args(["user", "password", "otto@example.org", "--password-file", "-"]).write_stdin("long enough\n"));
    assert_eq!(set.code, 0, "{set:?}");
    let list = json(folder, &["user", "list"]);
    assert_eq!(list[0]["name"], "Edith");
    assert_eq!((&list[0]["roles"], &list[0]["has_password"]), (&serde_json::json!(["staff", "operator"]), &true.into()));
    assert!(!list.to_string().contains("argon2"), "{list}");
    good(folder, &["user", "remove", "Otto@example.org"]);
    run(folder, &["user", "remove", "Otto@example.org"]).refused(1, &["there is no account"]);
    assert_eq!(json(folder, &["user", "list"]).as_array().unwrap().len(), 1);
}

#[test]
fn pages_are_shown_to_others_only_by_https_and_with_somebody_who_can_sign_in() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    configure(folder, "[web]\nlisten = \"0.0.0.0:0\"\n");
    run(folder, &["serve"]).refused(2, &["web.listen", "web.public_url", "https"]);
    configure(folder, "[web]\nlisten = \"0.0.0.0:0\"\npublic_url = \"https://digest.example\"\n");
    run(folder, &["serve"]).refused(1, &["clarion user add"]);
    add(folder, "Edith", "operator");
    let daemon = Daemon::start(folder);
    let (status, head, _) = daemon.get("/operator");
    assert!(status == 303 && head.contains("/sign-in?to=%2Foperator"), "{head}");
    assert_eq!(daemon.get("/healthz").0, 200);
    assert_eq!(daemon.terminate().0, Some(0));
}
