//! What scripts rely on: exit codes, streams, JSON, and a sentence for each misuse.

use std::path::Path;

use crate::support::{clarion, configure, good, json, ran, run};

const COMMANDS: [&[&str]; 32] = [
    &[],
    &["demo"],
    &["init"],
    &["serve"],
    &["registry"],
    &["registry", "import"],
    &["registry", "check"],
    &["registry", "export"],
    &["registry", "list"],
    &["source"],
    &["source", "add"],
    &["source", "list"],
    &["source", "check"],
    &["source", "pause"],
    &["source", "resume"],
    &["poll"],
    &["parse"],
    &["log"],
    &["log", "list"],
    &["log", "show"],
    &["log", "export"],
    &["digest"],
    &["digest", "draft"],
    &["digest", "show"],
    &["digest", "approve"],
    &["digest", "publish"],
    &["explain"],
    &["rebuild"],
    &["status"],
    &["doctor"],
    &["backup"],
    &["restore"],
];

#[test]
fn help_goes_to_standard_output_and_misuse_is_two() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for command in COMMANDS {
        let help = good(folder, &[command, &["--help"]].concat());
        assert!(help.contains("Usage: clarion") && help.lines().count() > 6, "{help}");
        assert!(help.contains("--config <PATH>") && help.contains("--json"), "{help}");
    }
    assert!(good(folder, &["--version"]).starts_with("clarion "));
    run(folder, &["nonsense"]).refused(2, &["nonsense"]);
    run(folder, &["digest", "show", "2026-W54"]).refused(2, &["2026-W54", "2026-W47"]);
    run(folder, &["digest", "show", "last"]).refused(2, &["last"]);
    run(folder, &["log", "list", "--format", "xml"]).refused(2, &["jsonl"]);
    run(folder, &["explain"]).refused(2, &["<URL>"]);
    run(folder, &["demo", "--week", "47"]).refused(2, &["47"]);
}

#[test]
fn a_configuration_is_found_or_refused_with_its_line_and_key() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    run(folder, &["status"]).refused(2, &["./clarion.toml", "clarion init", "CLARION_CONFIG"]);
    let cases = [
        ("[network]\nmin_gpa = \"1s\"\n", &["line 2", "min_gpa"][..]),
        ("[netwrok]\n", &["line 1", "netwrok"]),
        ("[network]\nconcurrency = \"many\"\n", &["line 2", "concurrency"]),
        ("[network]\nmin_gap = \"1 fortnight\"\n", &["line 2", "min_gap"]),
        ("\n\n[schedule]\ncut_off = \"sometimes\"\n", &["line 4", "cut_off"]),
        ("[schedule]\nzone = \"Mars/Olympus\"\n", &["line 2", "zone", "Mars/Olympus"]),
        ("[web]\nlisten = \"0.0.0.0:8484\"\n", &["line 2", "listen", "loopback"]),
        ("[network]\nallow = [\"169.254.169.254\"]\n", &["line 2", "allow"]),
        ("[digest]\nplaces = 0\n", &["line 2", "places"]),
        ("[store\n", &["line 1"]),
        ("[store]\npath = \"\"\n", &["line 2", "path"]),
    ];
    for (text, says) in cases {
        std::fs::write(folder.join("clarion.toml"), text).unwrap();
        run(folder, &["status"]).refused(2, &[says, &["clarion.toml"]].concat());
        run(folder, &["serve"]).refused(2, says);
    }
    // An empty file is rather a failed write than a wish; one without settings is the configuration at its defaults.
    std::fs::write(folder.join("clarion.toml"), "\n").unwrap();
    run(folder, &["status"]).refused(2, &["clarion.toml", "empty"]);
    std::fs::write(folder.join("clarion.toml"), "# nothing\n").unwrap();
    assert!(good(folder, &["status"]).contains("builders: 0"));
    // A path and the variable name another place; the path wins.
    std::fs::create_dir(folder.join("there")).unwrap();
    configure(&folder.join("there"), "");
    std::fs::write(folder.join("clarion.toml"), "broken = \n").unwrap();
    assert_eq!(json(folder, &["status", "--config", "there/clarion.toml"])["counters"]["builders"], 0);
    assert_eq!(ran(clarion(folder).arg("status").env("CLARION_CONFIG", "there/clarion.toml")).code, 0);
    ran(clarion(folder).args(["status", "--config", "nowhere.toml"]).env("CLARION_CONFIG", "there/clarion.toml"))
        .refused(2, &["nowhere.toml"]);
    assert!(folder.join("there/clarion.db").is_file(), "paths are relative to the configuration's folder");
}

#[test]
fn a_new_operator_is_led_from_init_to_an_honest_empty_week() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    assert!(good(folder, &["init", "mine"]).contains("next:"));
    let before = std::fs::read(folder.join("mine/clarion.toml")).unwrap();
    run(folder, &["init", "mine"]).refused(1, &["mine/clarion.toml", "nothing was written"]);
    assert_eq!(std::fs::read(folder.join("mine/clarion.toml")).unwrap(), before);
    std::fs::remove_file(folder.join("mine/clarion.toml")).unwrap();
    run(folder, &["init", "mine"]).refused(1, &["mine/roster.csv"]);
    assert!(!folder.join("mine/clarion.toml").exists());
    let home = folder.join("home");
    assert_eq!(json(folder, &["init", "home"])["config"], "home/clarion.toml");
    // Nothing outside is asked here, and the last whole week is over in the first hours of a Monday too.
    let manual = std::fs::read_to_string(home.join("clarion.toml")).unwrap();
    let manual = manual.replace("https://api.github.com", "http://127.0.0.1:9").replace("\"0 6 * * MON\"", "\"0 0 * * MON\"");
    std::fs::write(home.join("clarion.toml"), manual).unwrap();
    assert!(good(&home, &["registry", "check", "roster.csv"]).contains("0 refused"));
    good(&home, &["registry", "import", "roster.csv"]);
    let draft = json(&home, &["digest", "draft"]);
    assert_eq!((&draft["picks"], &draft["state"]), (&0.into(), &"draft".into()));
    run(&home, &["digest", "approve", "--strict"]).refused(1, &["nothing has a place this week"]);
    run(&home, &["digest", "publish"]).refused(1, &["not approved"]);
    assert!(good(&home, &["digest", "show"]).len() > 50);
    run(&home, &["digest", "draft", "2099-W01"]).refused(1, &["too early for 2099-W01", "2099-01-05T00:00:00Z"]);
    run(&home, &["digest", "show", "2020-W01"]).refused(1, &["no draft of 2020-W01"]);
    run(&home, &["log", "export", "--builder", "nobody"]).refused(1, &["nobody"]);
    run(&home, &["log", "list", "--kind", "poem"]).refused(2, &["poem", "article"]);
    run(&home, &["log", "show", "https://nowhere.example/"]).refused(1, &["clarion explain"]);
    every_command_that_prints_data_has_json(&home);
}

fn every_command_that_prints_data_has_json(home: &Path) {
    let feed = "<rss version=\"2.0\"><channel><title>T</title><item><title>One</title></item></channel></rss>";
    std::fs::write(home.join("feed.xml"), feed).unwrap();
    for args in [
        &["registry", "check", "roster.csv"][..],
        &["registry", "import", "roster.csv"],
        &["registry", "list"],
        &["registry", "export"],
        &["source", "list"],
        &["source", "pause", "s1"],
        &["source", "resume", "s1"],
        &["parse", "feed.xml", "feed.xml"],
        &["log", "list"],
        &["log", "export"],
        &["digest", "draft"],
        &["digest", "show"],
        &["explain", "https://ada.example/post"],
        &["rebuild"],
        &["status"],
        &["doctor"],
        &["backup", "copy.db"],
        &["restore", "copy.db", "back"],
    ] {
        json(home, args);
    }
    let lines = good(home, &["parse", "--jsonl", "feed.xml", "nowhere.xml"]);
    let lines: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["entries"][0]["title"], lines[1]["error"].is_string()), (&"One".into(), true));
}

#[test]
fn a_database_that_cannot_be_used_is_named_with_its_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    configure(folder, "");
    good(folder, &["status"]);
    let database = folder.join("clarion.db");
    let newer = rusqlite::Connection::open(&database).unwrap();
    let known: i64 = newer.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    newer.pragma_update(None, "user_version", known + 1).unwrap();
    for args in [&["status"][..], &["serve"], &["poll"], &["digest", "show"]] {
        run(folder, args).refused(1, &["clarion.db", "newer version", "install"]);
    }
    newer.pragma_update(None, "user_version", known).unwrap();
    drop(newer);
    std::fs::write(&database, "this is no database, it is a text that happens to have this name\n".repeat(40)).unwrap();
    run(folder, &["status"]).refused(1, &["damaged", "clarion restore"]);
    let doctor = run(folder, &["doctor"]);
    assert!(doctor.code == 1 && doctor.out.contains(" BAD  database"), "{doctor:?}");
    configure(folder, "[store]\npath = \"nowhere/clarion.db\"\n");
    run(folder, &["status"]).refused(1, &["nowhere", "does not exist"]);
    std::fs::create_dir(folder.join("nowhere")).unwrap();
    std::fs::create_dir(folder.join("nowhere/clarion.db")).unwrap();
    run(folder, &["status"]).refused(1, &["clarion.db"]);
}
