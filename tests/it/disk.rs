//! A disk that is full, and one that cannot be written: pages stay, every command says what is wrong, and recording goes
//! on by itself once there is room.
//!
//! Each test has a small disk of its own in a mount namespace, where the system lets an ordinary user have one; where it
//! does not, the test says so and ends.

#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::daemon::Daemon;
use crate::support::site::{Site, answer};
use crate::support::{Ran, configure, good, ran};

const CLARION: &str = env!("CARGO_BIN_EXE_clarion");

/// A shell script in that folder, in a namespace where `small` is a disk of four megabytes.
fn on_a_small_disk(folder: &Path, script: &str) -> Command {
    let mut command = Command::new("unshare");
    let script = format!("mount -t tmpfs -o size=4m small small && {script}");
    command.args(["-Urm", "sh", "-c", &script]).current_dir(folder).env_remove("CLARION_CONFIG").env_remove("RUST_LOG");
    command
}

/// A folder with a configuration whose database lies on the small disk; `None` where there can be none.
fn folder(more: &str) -> Option<tempfile::TempDir> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("small")).unwrap();
    configure(folder.path(), &format!("{more}[store]\npath = \"small/clarion.db\"\n[web]\nlisten = \"127.0.0.1:0\"\n"));
    let mounted = on_a_small_disk(folder.path(), "true").output().is_ok_and(|output| output.status.success());
    if !mounted {
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), "skipped: this system gives no mount namespace to ordinary users");
    }
    mounted.then_some(folder)
}

/// A short command beside the daemon, on its disk.
fn beside(daemon: &Daemon, folder: &Path, args: &[&str]) -> Ran {
    let mut command = Command::new("nsenter");
    command.args(["-t", &daemon.process().to_string(), "-U", "-m", "--preserve-credentials", "--wd", "--", CLARION]).args(args);
    command.current_dir(folder).env("CLARION_CONFIG", folder.join("clarion.toml"));
    ran(&mut assert_cmd::Command::from_std(command))
}

#[test]
fn on_a_full_disk_pages_stay_and_recording_goes_on_once_there_is_room() {
    let Some(folder) = folder("") else { return };
    let folder = folder.path();
    let site = Site::start(move |_| {
        let post = |n: u32| {
            let text = format!("word{n} ").repeat(1_500);
            format!("<item><title>Post {n}</title><guid isPermaLink=\"false\">p{n}</guid><description>{text}</description></item>")
        };
        let items = (0..20).map(post).collect::<Vec<_>>().concat();
        answer("200 OK", "", &format!("<rss version=\"2.0\"><channel><title>Big</title>{items}</channel></rss>"))
    });
    let import = |daemon: &Daemon, slug: &str| {
        let text = format!("builder,name,kind,url\n{slug},{slug},rss,{}\n", site.url(&format!("/{slug}")));
        std::fs::write(folder.join("roster.csv"), text).unwrap();
        beside(daemon, folder, &["registry", "import", "roster.csv"])
    };
    let daemon = Daemon::launch(&mut on_a_small_disk(folder, &format!("exec {CLARION} serve")));
    assert_eq!(import(&daemon, "ada").code, 0);
    daemon.wait_for("the first feed is on record", |daemon| daemon.get("/builders/ada").2.contains("Post 7").then_some(()));
    daemon.wait_for("it is ready", |daemon| (daemon.get("/readyz").0 == 200).then_some(()));

    // Somebody else fills the disk to the last byte.
    let disk = format!("/proc/{}/root{}", daemon.process(), folder.join("small").display());
    let filler = Path::new(&disk).join("filler");
    let mut chunk = 4 << 20;
    while chunk > 0 {
        use std::io::Write;
        let mut file = std::fs::File::options().append(true).create(true).open(&filler).unwrap();
        if file.write_all(&vec![0; chunk]).is_err() {
            chunk /= 2;
        }
    }
    let told = daemon.wait_for("it says that it is not ready", |daemon| {
        let (status, _, body) = daemon.get("/readyz");
        (status == 503).then_some(body)
    });
    assert!(told.contains("storage full"), "{told}");
    daemon.wait_for("it says so", |daemon| daemon.told().contains("nothing can be recorded: the disk is full").then_some(()));
    // What the log of writes has left over may take a few more lines.
    let late = import(&daemon, "bob");
    assert!(late.code == 0 || late.err.contains("the disk is full"), "{late:?}");
    std::thread::sleep(Duration::from_secs(11));
    assert!(site.asked("/bob").is_empty(), "nobody is asked for what cannot be kept");
    for path in ["/", "/builders", "/builders/ada", "/operator", "/digest", "/healthz", "/metrics"] {
        assert_eq!(daemon.get(path).0, 200, "{path}");
    }
    let doctor = beside(&daemon, folder, &["doctor"]);
    assert_eq!(doctor.code, 1, "{doctor:?}");
    assert!(doctor.out.contains("BAD  disk          the disk is full") && !doctor.out.contains("good  disk"), "{doctor:?}");

    std::fs::remove_file(&filler).unwrap();
    assert_eq!(import(&daemon, "bob").code, 0);
    daemon.wait_for("the other feed is on record", |daemon| daemon.get("/builders/bob").2.contains("Post 7").then_some(()));
    daemon.wait_for("it is ready again", |daemon| (daemon.get("/readyz").0 == 200).then_some(()));
    assert!(daemon.told().contains("recording works again"), "{}", daemon.told());
    let doctor = beside(&daemon, folder, &["doctor"]);
    assert!(doctor.out.contains("BAD  disk          nearly full"), "four megabytes are no room to work in: {doctor:?}");
    let (code, _, took) = daemon.terminate();
    assert!(code == Some(0) && took < Duration::from_secs(10), "{code:?} {took:?}");
}

#[test]
fn every_command_says_that_a_disk_is_full_or_cannot_be_written() {
    let Some(folder) = folder("") else { return };
    let folder = folder.path();
    std::fs::write(folder.join("roster.csv"), "builder,name,kind,url\nada,Ada,rss,https://a.example/feed\n").unwrap();
    let fill = format!("{CLARION} status >/dev/null; rm small/clarion.db-*; cat /dev/zero >small/filler 2>/dev/null");
    let lock = format!("{CLARION} status >/dev/null; mount -o remount,ro small");
    let commands = [
        "status",
        "poll",
        "rebuild",
        "serve",
        "log list",
        "digest draft",
        "digest show",
        "explain https://a.example/x",
        "source list",
        "source pause s1",
        "registry import roster.csv",
        "registry list",
        "registry export",
        "backup copy.db",
    ];
    for (prepare, says) in [(&fill, "the disk is full"), (&lock, "cannot be written")] {
        for command in commands {
            let script = format!("{prepare}; exec timeout 20 {CLARION} {command}");
            ran(&mut assert_cmd::Command::from_std(on_a_small_disk(folder, &script))).refused(1, &[says]);
        }
        let script = format!("{prepare}; exec timeout 20 {CLARION} doctor");
        let doctor = ran(&mut assert_cmd::Command::from_std(on_a_small_disk(folder, &script)));
        assert!(doctor.code == 1 && doctor.out.contains("BAD") && doctor.out.contains(says), "{doctor:?}");
    }
    let script = format!("{lock}; exec {CLARION} restore copy.db small/again");
    good(folder, &["backup", "copy.db", "--config", &in_the_open(folder)]);
    ran(&mut assert_cmd::Command::from_std(on_a_small_disk(folder, &script))).refused(1, &["small/again", "Read-only"]);
}

/// A configuration whose database lies in the folder itself.
fn in_the_open(folder: &Path) -> String {
    let path = folder.join("open.toml");
    std::fs::write(&path, "[store]\npath = \"open.db\"\n").unwrap();
    path.display().to_string()
}
