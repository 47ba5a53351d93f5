//! Staff at their desk, in a real browser: a whole editorial session, by keyboard, in two sizes and two color schemes.
//!
//! `CLARION_PICTURES=DIR cargo nextest run browser` keeps pictures of every page, to be looked at.

use std::path::Path;

use clarion::clock::{Clock, SystemClock};
use clarion::model::Week;

use crate::support::browser::{Browser, Window};
use crate::support::daemon::Daemon;
use crate::support::{good, json};

const PASSWORD: &str = "a long way to the harbor";

/// An invented program whose last week has a draft, with two people who edit it; answers the week.
fn program(folder: &Path) -> String {
    let week = Week::last_whole(SystemClock.now());
    good(folder, &["demo", "--once", "--dir", ".", "--week", &week.previous().to_string()]);
    let file = folder.join("clarion.toml");
    let settings: Vec<String> = std::fs::read_to_string(&file)
        .unwrap()
        .lines()
        .map(|line| match line.split_once(" = ") {
            Some(("listen", _)) => "listen = \"127.0.0.1:0\"".to_owned(),
            Some(("cooling_off", _)) => "cooling_off = \"8s\"".to_owned(),
            Some(("cut_off", _)) => "cut_off = \"0 0 * * MON\"".to_owned(),
            _ => line.to_owned(),
        })
        .collect();
    std::fs::write(file, settings.join("\n")).unwrap();
    good(folder, &["digest", "draft"]);
    crate::user::add(folder, "Edith", "staff");
    crate::user::add(folder, "Otto", "staff");
    week.to_string()
}

/// Signs in by keyboard alone, and is led to the page that was asked for.
fn sign_in(browser: &mut Browser, window: &Window, base: &str, name: &str) {
    browser.go(window, &format!("{base}/staff"));
    assert!(browser.text(window, "location.pathname").ends_with("/sign-in"));
    browser.tab_to(window, "#name");
    browser.write(window, name);
    browser.press(window, "Tab");
    browser.write(window, PASSWORD);
    browser.and_load(window, |browser| browser.press(window, "Enter"));
    assert!(browser.text(window, "location.pathname").starts_with("/staff/week/"), "{name} is in");
}

const TITLES: &str = "[...document.querySelectorAll('.pick h4')].map(title => title.textContent).join('\\n')";

fn titles(browser: &mut Browser, window: &Window) -> Vec<String> {
    browser.text(window, TITLES).lines().map(str::to_owned).collect()
}

/// Goes to a button by keyboard, presses it, and answers which element has the focus afterwards.
fn press(browser: &mut Browser, window: &Window, selector: &str) -> String {
    browser.tab_to(window, selector);
    browser.and_load(window, |browser| browser.press(window, "Enter"));
    // What takes the focus by itself takes it with one of the first frames that are drawn.
    browser.text(
        window,
        "(async () => { for (let frame = 0; frame < 120 && document.activeElement === document.body; frame++) \
         await new Promise(requestAnimationFrame); return document.activeElement.id })()",
    )
}

#[test]
fn an_editorial_session_from_draft_to_correction() {
    let Some(mut browser) = Browser::start() else { return };
    let browser = &mut browser;
    let folder = tempfile::tempdir().unwrap();
    let week = program(folder.path());
    let daemon = Daemon::start(folder.path());
    let base = format!("http://127.0.0.1:{}", daemon.port());
    let (edith, otto) = (browser.window(), browser.window());
    browser.size(&edith, 1200);
    browser.size(&otto, 320);
    sign_in(browser, &edith, &base, "Edith");
    let page = format!("{base}/staff/week/{week}");
    let before = titles(browser, &edith);
    assert!(before.len() >= 8, "{before:?}");

    // A button keeps its focus and its place in the row, whatever it does.
    let section = "[...document.querySelectorAll('.group')].find(group => group.querySelectorAll('.pick').length > 1)";
    let down = browser.text(&edith, &format!("{section}.querySelector('[value=down]').id"));
    let order = "[...document.activeElement.closest('form').querySelectorAll('button[id], summary')].map(it => it.textContent).join()";
    let focused = press(browser, &edith, &format!("#{down}"));
    assert_eq!(focused, down, "the button that was pressed has the focus");
    assert!(browser.text(&edith, order).starts_with("Pin,Drop,Hold,Swap,Reword,↑,↓,Lead"), "{}", browser.text(&edith, order));
    let moved = titles(browser, &edith);
    let first = before.iter().zip(&moved).position(|(one, other)| one != other).unwrap();
    assert_eq!((&moved[first], &moved[first + 1]), (&before[first + 1], &before[first]));
    let in_view =
        "(() => { const box = document.activeElement.getBoundingClientRect(); return box.top >= 0 && box.bottom <= innerHeight })()";
    assert_eq!(browser.tell(&edith, in_view), true);

    // Otto looks at the page before Edith drops a pick; his own change is not made before he knows.
    sign_in(browser, &otto, &base, "Otto");
    let dropped = moved[2].clone();
    let drop = browser.text(&edith, "document.querySelectorAll('.pick')[2].querySelector('[value=drop]').id");
    assert_eq!(press(browser, &edith, &format!("#{drop}")), "said", "the word on it has the focus");
    assert!(browser.text(&edith, "document.activeElement.textContent").contains("Undo"));
    assert!(!titles(browser, &edith).contains(&dropped));
    let lead = browser.text(&otto, "document.querySelectorAll('.pick')[1].querySelector('[value=lead]').id");
    let wanted = moved[1].clone();
    assert_eq!(press(browser, &otto, &format!("#{lead}")), "fault");
    let told = browser.text(&otto, "document.activeElement.textContent");
    // Long titles are cut in what is told.
    let beginning: String = dropped.chars().take(40).collect();
    assert!(told.contains("Edith") && told.contains(&beginning) && told.contains("not made"), "{told}");
    assert_eq!(browser.faults(&otto), Vec::<String>::new(), "the page of a conflict");
    browser.picture(&otto, "conflict-320");
    press(browser, &otto, "#fault button");
    let leads = "document.querySelector('.pick:has(b)').querySelector('h4').textContent";
    assert_eq!(browser.text(&otto, leads), wanted);

    // Undo, where it was done.
    browser.go(&edith, &page);
    let undo = browser.text(
        &edith,
        "[...document.querySelectorAll('.log li')].find(it => it.textContent.includes('dropped')).querySelector('button').id",
    );
    press(browser, &edith, &format!("#{undo}"));
    assert!(titles(browser, &edith).contains(&dropped));

    // A gloss under a title, without a mouse.
    let reword = browser.text(&edith, "document.querySelector('.pick summary[id^=reword]').id");
    browser.tab_to(&edith, &format!("#{reword}"));
    browser.press(&edith, "Space");
    browser.press(&edith, "Tab");
    browser.write(&edith, "What a ferry teaches");
    browser.tab_to(&edith, "button[value=reword]");
    browser.and_load(&edith, |browser| browser.press(&edith, "Enter"));
    assert_eq!(browser.text(&edith, "document.activeElement.id"), reword);
    assert_eq!(browser.text(&edith, "document.querySelector('.pick .gloss').textContent"), "What a ferry teaches");

    // A private word to an author is for their own page and for staff.
    let told = json(folder.path(), &["digest", "outdated", &week, "1", "The limits are others now.", "--as", "Edith"]);
    let author = format!("/builders/{}", told["picks"][0]["pick"]["builders"][0]["slug"].as_str().unwrap());
    every_page_is_sound(browser, &edith, &base, &week, &author);

    late_and_waiting(browser, &edith, &base, &week);
    counters_agree(browser, &edith, &page);
    browser.go(&edith, &format!("{base}{author}"));
    assert!(browser.text(&edith, "document.querySelector('main').textContent").contains("The limits are others now."));
    assert!(!daemon.get(&author).2.contains("The limits are others now."));

    // Approval asks for a tick of each warning, and can be pulled back.
    browser.go(&edith, &page);
    assert_eq!(press(browser, &edith, "#approve"), "fault", "nothing was ticked");
    approve(browser, &edith);
    assert!(browser.text(&edith, "document.querySelector('[data-until]').textContent").starts_with("in "));
    browser.picture(&edith, "approved-1200");
    assert_eq!(press(browser, &edith, "#pull_back"), "approval");
    let opened = "[...document.querySelectorAll('.pick .label')].filter(label => label.textContent.includes('Opened')).length";
    assert_eq!(browser.tell(&edith, opened), titles(browser, &edith).len());
    press(browser, &edith, "#approve");
    daemon.wait_for("the digest is out", |daemon| (daemon.get(&format!("/digest/{week}")).0 == 200).then_some(()));

    // A correction that every reader sees.
    browser.go(&edith, &page);
    browser.tab_to(&edith, "#correct");
    browser.write(&edith, "The second author was left out.");
    browser.tab_to(&edith, "button[value=correct]");
    browser.and_load(&edith, |browser| browser.press(&edith, "Enter"));
    assert!(browser.text(&edith, "document.querySelector('#corrections').textContent").contains("The second author was left out."));
    assert!(daemon.get(&format!("/digest/{week}")).2.contains("The second author was left out."));
    browser.picture(&edith, "published-1200");

    a_post_is_put_on_record(browser, &edith, &page, &daemon, &author);

    // All of it is on record.
    browser.go(&edith, &format!("{base}/staff/audit"));
    let told = browser.text(&edith, "document.querySelector('main').textContent");
    for part in ["signed in", "edit", "mark", "approve", "pull back", "correct", "posted", "Otto"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert_eq!(browser.complaints(&base), Vec::<String>::new());
    assert_eq!(daemon.terminate().0, Some(0));
}

#[test]
fn a_session_without_scripts_goes_by_plain_forms() {
    let Some(mut browser) = Browser::start() else { return };
    let browser = &mut browser;
    let folder = tempfile::tempdir().unwrap();
    let week = program(folder.path());
    let daemon = Daemon::start(folder.path());
    let base = format!("http://127.0.0.1:{}", daemon.port());
    let window = browser.window();
    browser.size(&window, 1200);
    browser.scripts(&window, false);
    sign_in(browser, &window, &base, "Edith");
    assert_eq!(browser.tell(&window, "document.querySelectorAll('.count').length"), 0, "no script has counted");
    let before = titles(browser, &window);

    // Out, and the next in line is in.
    let submit = |browser: &mut Browser, selector: &str| {
        browser.tab_to(&window, selector);
        browser.and_load(&window, |browser| browser.press(&window, "Enter"));
    };
    let drop = browser.text(&window, "document.querySelectorAll('.pick')[2].querySelector('[value=drop]').id");
    submit(browser, &format!("#{drop}"));
    let after = titles(browser, &window);
    assert!(
        !after.contains(&before[2])
            && browser
                .text(&window, "document.querySelector('#said').textContent")
                .contains(&before[2].chars().take(40).collect::<String>())
    );

    // In other words.
    let reword = browser.text(&window, "document.querySelector('.pick summary[id^=reword]').id");
    browser.tab_to(&window, &format!("#{reword}"));
    browser.press(&window, "Space");
    browser.press(&window, "Tab");
    browser.write(&window, "What a harbor teaches");
    submit(browser, "button[value=reword]");
    assert_eq!(browser.text(&window, "document.querySelector('.pick .gloss').textContent"), "What a harbor teaches");

    // A post in other words, on the page of posts.
    browser.go(&window, &format!("{base}/staff/week/{week}/posts"));
    browser.tab_to(&window, "textarea[name=bluesky]");
    browser.write(&window, "Read it. ");
    submit(browser, "button[value=post]");
    assert!(browser.text(&window, "document.querySelector('textarea[name=bluesky]').value").contains("Read it."));

    // What would change is seen first; here it is not taken.
    browser.go(&window, &format!("{base}/staff/week/{week}/refresh"));
    assert!(browser.text(&window, "document.querySelector('button[value=refresh]').textContent").contains("Take"));

    // Ticked one by one, approved, and told until when it can be pulled back.
    browser.go(&window, &format!("{base}/staff/week/{week}"));
    let mut told = String::new();
    for _ in 0..6 {
        let ticks = browser.tell(&window, "[...document.querySelectorAll('.tick:not(.all) input:not([disabled])')].map(box => box.id)");
        for tick in ticks.as_array().unwrap() {
            browser.tab_to(&window, &format!("#{}", tick.as_str().unwrap()));
            browser.press(&window, "Space");
        }
        submit(browser, "#approve");
        told = browser.text(&window, "document.querySelector('[aria-labelledby=approval]').textContent");
        // A link that was only asked by the approval is a warning of its own.
        if !told.contains("tick them") {
            break;
        }
    }
    assert!(told.contains("Approved") && told.contains("It goes out"), "{told}");
    daemon.wait_for("the digest is out", |daemon| (daemon.get(&format!("/digest/{week}")).0 == 200).then_some(()));
    assert!(daemon.get(&format!("/digest/{week}")).2.contains("What a harbor teaches"));
    assert_eq!(browser.complaints(&base), Vec::<String>::new());
    assert_eq!(daemon.terminate().0, Some(0));
}

/// Approves a draft as somebody does who read all of it, in fifteen clicks at most: one on every work to read it, one to
/// say so, one for what was warned of, one to approve.
fn approve(browser: &mut Browser, edith: &Window) {
    let kinds = browser.tell(edith, "document.querySelectorAll('.tick:not(.all) [name=accept]:not([disabled])').length").as_u64().unwrap();
    assert!((2..=6).contains(&kinds), "{kinds} kinds of warnings");
    let mut clicks = titles(browser, edith).len();
    for tick in ["#tick-opened", "#tick-all"] {
        browser.tab_to(edith, tick);
        browser.press(edith, "Space");
        clicks += 1;
    }
    assert_eq!(press(browser, edith, "#approve"), "approval", "{}", browser.text(edith, "document.querySelector('.head').textContent"));
    clicks += 1;
    assert!((8..=15).contains(&clicks), "{clicks} clicks");
}

/// What scripts count while somebody writes is what the server counts.
fn counters_agree(browser: &mut Browser, edith: &Window, page: &str) {
    let counts = "[...document.querySelectorAll('.posts .count')].map(count => count.textContent).join()";
    let [with, without] = [true, false].map(|run| {
        browser.scripts(edith, run);
        browser.go(edith, &format!("{page}/posts"));
        browser.text(edith, counts)
    });
    browser.scripts(edith, true);
    assert!(with.split(',').count() >= 30, "{with}");
    assert_eq!(with, without);
}

/// What came too late for its own week is told with its reason, and who waits for a post with the way to their record.
fn late_and_waiting(browser: &mut Browser, edith: &Window, base: &str, week: &str) {
    let out = week.parse::<Week>().unwrap().previous();
    browser.go(edith, &format!("{base}/staff/week/{out}"));
    let late = browser.text(edith, "document.querySelector('[aria-labelledby=late] li').textContent");
    assert!(late.contains("window"), "{late}");
    browser.go(edith, &format!("{base}/staff/balance"));
    let waits = "[...document.querySelectorAll('.waits tbody tr')].map(line => line.querySelector('a').pathname + line.textContent).join()";
    let waits = browser.text(edith, waits);
    assert!(waits.contains("/builders/") && waits.contains("never"), "{waits}");
}

/// What was posted where, which its builders see.
fn a_post_is_put_on_record(browser: &mut Browser, edith: &Window, page: &str, daemon: &Daemon, author: &str) {
    browser.go(edith, &format!("{page}/posts"));
    browser.tab_to(edith, "input[name=url]");
    browser.write(edith, "https://social.example/@us/1");
    browser.tab_to(edith, "button[value=posted]");
    browser.and_load(edith, |browser| browser.press(edith, "Enter"));
    assert!(browser.text(edith, "document.querySelector('.posted').textContent").contains("Posted on X by Edith"));
    browser.picture(edith, "posted-1200");
    let base = page.split_once("/staff").unwrap().0;
    browser.go(edith, &format!("{base}{author}"));
    assert!(browser.text(edith, "document.querySelector('main').innerHTML").contains("https://social.example/@us/1"));
    assert!(!daemon.get(author).2.contains("https://social.example/@us/1"), "the record is for its builder and for staff");
}

/// Looks at every page of staff and of readers, narrow and wide, light and dark, and with the system's own colors.
fn every_page_is_sound(browser: &mut Browser, window: &Window, base: &str, week: &str, author: &str) {
    let running = week.parse::<Week>().unwrap().next();
    let out = week.parse::<Week>().unwrap().previous();
    let pages = [
        ("week", format!("/staff/week/{week}")),
        ("running", format!("/staff/week/{running}")),
        ("compare", "/staff/compare".to_owned()),
        ("archive", "/staff/archive".to_owned()),
        ("found", "/staff/archive?q=a".to_owned()),
        ("balance", "/staff/balance?weeks=52".to_owned()),
        ("reply", "/staff/reply?url=https://example.org/x".to_owned()),
        ("refresh", format!("/staff/week/{week}/refresh")),
        ("posts", format!("/staff/week/{week}/posts")),
        ("preview", format!("/staff/week/{week}/preview")),
        ("markdown", format!("/staff/week/{week}/preview/md")),
        ("slack", format!("/staff/week/{week}/preview/slack")),
        ("discord", format!("/staff/week/{week}/preview/discord")),
        ("teams", format!("/staff/week/{week}/preview/teams")),
        ("published", format!("/staff/week/{out}")),
        ("published-posts", format!("/staff/week/{out}/posts")),
        ("audit", "/staff/audit".to_owned()),
        ("account", "/account".to_owned()),
        ("sign-in", "/sign-in".to_owned()),
        ("operator", "/operator".to_owned()),
        ("how", "/how".to_owned()),
        ("home", "/".to_owned()),
        ("digest", format!("/digest/{out}")),
        ("archive-public", "/digest".to_owned()),
        ("builders", "/builders".to_owned()),
        ("record", author.to_owned()),
        ("nothing", "/nothing".to_owned()),
    ];
    let mut faults = Vec::new();
    for width in [320, 1200] {
        browser.size(window, width);
        for (scheme, forced) in [("light", false), ("dark", false), ("dark", true)] {
            browser.media(window, scheme, forced);
            for (name, path) in &pages {
                browser.go(window, &format!("{base}{path}"));
                let tools = "for (const tool of document.querySelectorAll('details')) tool.open = true";
                if scheme == "dark" {
                    browser.tell(window, tools);
                }
                // Colors that the system forces are its own affair.
                let found = browser.faults(window).into_iter().filter(|fault| !forced || !fault.starts_with("a contrast"));
                faults.extend(found.map(|fault| format!("{name} at {width} in {scheme}: {fault}")));
                if !forced {
                    browser.picture(window, &format!("{name}-{width}-{scheme}"));
                }
                let bytes = browser.tell(window, "new Blob([document.documentElement.outerHTML]).size").as_u64().unwrap();
                if bytes > 100 * 1024 {
                    faults.push(format!("{name} has {bytes} bytes"));
                }
            }
        }
    }
    browser.media(window, "light", false);
    browser.size(window, 1200);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
