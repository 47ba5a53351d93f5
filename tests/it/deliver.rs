//! A published digest on its way: to a real mail server, to webhooks, chats and a folder; once, whatever breaks in
//! between, and with a word about what nobody can know.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use clarion::clock::Clock;
use clarion::config::{Config, DeliveryConfig};
use clarion::deliver::sign;
use clarion::flow::{self, DeliverError, Sending};
use clarion::model::{DeliveryState, FactKind, Week};
use clarion::store::DeliveryRow;
use jiff::SignedDuration;
use mail_parser::{HeaderValue, MessageParser};

use crate::digest::start;
use crate::support::daemon::Daemon;
use crate::support::site::{Asked, Site, answer};
use crate::support::smtp::{Fault, MailServer, Taken, behind_tls};
use crate::support::world::{World, post, prose, rss};
use crate::support::{clarion, good, json, run};

const WEEK: &str = "2026-W47";

/// A world whose week is published, with these places to send to.
async fn published(channels: &str) -> World {
    let mut world = World::at("2026-11-20T12:00:00Z").await;
    world.feed("Ada Nwosu", "/ada").await;
    world.feed("محمد العتيبي", "/mo").await;
    let item = |slug: &str, title: &str, words: &str| {
        post(slug, title, "Wed, 18 Nov 2026 10:00:00 GMT").replace("</item>", &format!("{}</item>", prose(words, 60)))
    };
    world.origin.serve("/ada", rss(&[item("glaze", "Queues & glazes: “retries” measured", ".dots first")]));
    world.origin.serve("/mo", rss(&[item("kiln", "كيف خفّضنا التكلفة", "From the kiln")]));
    world.poll().await;
    let mut config = (*world.ctx.config).clone();
    config.delivery = Config::parse(channels, Path::new("channels.toml")).unwrap().delivery;
    config.program.name = "Lantern Builders".into();
    config.web.public_url = "https://digest.example.org".parse().unwrap();
    world.ctx.config = Arc::new(config);
    world.draft(WEEK, "2026-11-23T06:10:00Z").await;
    world.publish(WEEK).await;
    world
}

fn week() -> Week {
    WEEK.parse().unwrap()
}

fn mail_channel(name: &str, server: &MailServer, to: &[&str]) -> String {
    format!(
        "[[delivery]]\nname = \"{name}\"\nkind = \"smtp\"\nserver = \"127.0.0.1:{}\"\nsecurity = \"none\"\n\
         from = \"Lantern Digest <digest@example.org>\"\nto = {to:?}\nlist_id = \"builders.lists.example.org\"\n\
         unsubscribe = [\"https://lists.example.org/leave\", \"mailto:leave@lists.example.org\"]\n",
        server.port
    )
}

fn one(rows: &[DeliveryRow]) -> &DeliveryRow {
    assert_eq!(rows.len(), 1, "{rows:?}");
    &rows[0]
}

fn marks(taken: &[Taken]) -> BTreeSet<String> {
    taken.iter().map(|mail| mail.header("Message-ID").unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mail_that_arrives_is_the_digest_with_the_lists_headers() {
    let server = MailServer::start();
    let world = published(&mail_channel("list", &server, &["builders@lists.example.org", "second@lists.example.org"])).await;
    let rows = flow::send(&world.ctx, week(), None).await.unwrap();
    assert!(rows.iter().all(|row| row.state == DeliveryState::Sent && row.attempts == 1 && row.repeats == 0), "{rows:?}");
    let taken = server.taken();
    assert_eq!(taken.len(), 2);
    let mail = &taken[0];
    assert_eq!((mail.from.as_str(), mail.to.as_slice()), ("digest@example.org", &["builders@lists.example.org".to_owned()][..]));

    let parsed = MessageParser::default().parse(&mail.message).unwrap();
    assert_eq!(parsed.subject(), Some("Lantern Builders: Week 47 · 16–22 November 2026"));
    assert_eq!(parsed.from().and_then(|from| from.first()).and_then(|from| from.name()), Some("Lantern Digest"));
    assert_eq!(parsed.to().and_then(|to| to.first()).and_then(|to| to.address()), Some("builders@lists.example.org"));
    let text = |name: &str| match parsed.header(name) {
        Some(HeaderValue::Text(text)) => text.to_string(),
        other => mail.header(name).unwrap_or_else(|| panic!("{name}: {other:?}")),
    };
    assert_eq!(text("List-Unsubscribe-Post"), "List-Unsubscribe=One-Click");
    assert_eq!(mail.header("List-Unsubscribe").unwrap(), "<https://lists.example.org/leave>, <mailto:leave@lists.example.org>");
    assert_eq!(mail.header("List-Id").unwrap(), "Lantern Builders <builders.lists.example.org>");
    let (plain, html) = (parsed.body_text(0).unwrap(), parsed.body_html(0).unwrap());
    for part in ["Queues & glazes: “retries” measured", "كيف خفّضنا التكلفة", "Ada Nwosu", "محمد العتيبي", "https://shed.example.org/glaze"]
    {
        assert!(plain.contains(part), "{part} is missing in the plain part");
    }
    for part in [
        "Queues &#38; glazes: “retries” measured",
        "كيف خفّضنا التكلفة",
        "href=\"https://shed.example.org/glaze\"",
        "prefers-color-scheme:dark",
    ] {
        assert!(html.contains(part), "{part} is missing in the HTML part: {html}");
    }
    assert!(html.len() < 40_960);
    for token in html5gum::Tokenizer::new(html.as_ref()) {
        assert!(!matches!(token, Ok(html5gum::Token::Error(_))), "{token:?}");
    }
    // Both addresses get the same mail but for the line that names them.
    let without_to = |mail: &Taken| String::from_utf8(mail.message.clone()).unwrap().split_once("\r\n").unwrap().1.to_owned();
    assert_eq!(without_to(&taken[0]), without_to(&taken[1]));
    // Hashes follow from everything, the settings included; that they do is tried elsewhere.
    let filters =
        [(r"configuration [0-9a-f]{12}", "configuration HASH"), (r"\.[0-9a-f]{32}@", ".HASH@"), (r"clarion-[0-9a-f]{24}", "clarion-HASH")];
    insta::with_settings!({ filters => filters }, {
        insta::assert_snapshot!("mail_as_received", String::from_utf8(mail.message.clone()).unwrap().replace("\r\n", "\n"));
    });
    // Asked again, nothing goes out again.
    flow::send(&world.ctx, week(), None).await.unwrap();
    flow::send_due(&world.ctx, &Sending::default()).await.unwrap();
    assert_eq!(server.taken().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_breaks_at_any_step_gets_each_mail_once() {
    let server = MailServer::start();
    let faults = [
        (Fault::AtOnce, 1),
        (Fault::SenderLater, 1),
        (Fault::RecipientLater, 1),
        (Fault::BeforeData, 1),
        (Fault::AfterData, 1),
        (Fault::AtByte(1), 1),
        (Fault::AtByte(3_000), 1),
        (Fault::BeforeTaken, 1),
        (Fault::MessageLater, 1),
        // The only gap: the server has it, and we do not know.
        (Fault::TakenInSilence, 2),
        (Fault::RecipientRefused, 0),
        (Fault::MessageRefused, 0),
    ];
    let name = |at: usize| format!("list{at}");
    let channels: String = (0..faults.len()).map(|at| mail_channel(&name(at), &server, &[&format!("list{at}@example.org")])).collect();
    let world = published(&channels).await;
    for (at, (fault, times)) in faults.into_iter().enumerate() {
        server.will(&[fault]);
        let before = server.taken().len();
        let rows = flow::send(&world.ctx, week(), Some(&name(at))).await.unwrap();
        let row = one(&rows);
        if times == 0 {
            assert_eq!(row.state, DeliveryState::Failed, "{fault:?}: {row:?}");
        } else {
            assert!(row.state == DeliveryState::Planned && row.next_at > world.clock.now() && !row.note.is_empty(), "{fault:?}: {row:?}");
        }
        // Not before its time, and then once.
        flow::send_due(&world.ctx, &Sending { channel: Some(name(at)), ..Sending::default() }).await.unwrap();
        assert!(server.taken().len() <= before + usize::from(fault == Fault::TakenInSilence), "{fault:?}");
        world.clock.advance(SignedDuration::from_hours(3));
        for _ in 0..3 {
            flow::send_due(&world.ctx, &Sending { channel: Some(name(at)), ..Sending::default() }).await.unwrap();
        }
        let rows = world.ctx.store.deliveries(Some(week())).await.unwrap();
        let row = rows.iter().find(|row| row.channel == name(at)).unwrap();
        let taken = &server.taken()[before..];
        assert_eq!(taken.len(), times, "{fault:?}: {row:?}");
        assert_eq!(row.state, if times == 0 { DeliveryState::Failed } else { DeliveryState::Sent }, "{fault:?}");
        assert_eq!(marks(taken).len(), usize::from(times > 0), "{fault:?}: the same Message-ID");
        assert!(taken.windows(2).all(|pair| pair[0].message == pair[1].message), "{fault:?}: the same bytes");
        let possible = matches!(fault, Fault::AfterData | Fault::AtByte(_) | Fault::BeforeTaken | Fault::TakenInSilence);
        assert_eq!(row.repeats, u32::from(possible), "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_recipient_is_set_aside_and_the_rest_get_their_mail() {
    let server = MailServer::start();
    let world = published(&mail_channel("list", &server, &["gone@example.org", "one@example.org", "two@example.org"])).await;
    server.will(&[Fault::RecipientRefused]);
    let rows = flow::send(&world.ctx, week(), None).await.unwrap();
    let states: Vec<DeliveryState> = rows.iter().map(|row| row.state).collect();
    assert_eq!(states, [DeliveryState::Failed, DeliveryState::Sent, DeliveryState::Sent]);
    assert!(rows[0].note.contains("550") || rows[0].note.contains("no such user"), "{}", rows[0].note);
    let to: Vec<String> = server.taken().into_iter().flat_map(|mail| mail.to).collect();
    assert_eq!(to, ["one@example.org", "two@example.org"]);
    let wire = server.wire().join("\n");
    assert_eq!(wire.matches("MAIL FROM:<digest@example.org>").count(), 3, "{wire}");
    // It is tried again only when a person says so.
    let rows = flow::resolve_delivery(&world.ctx, week(), "list", Some(1), false, "edith", None).await.unwrap();
    assert_eq!(rows[0].state, DeliveryState::Planned);
    flow::send_due(&world.ctx, &Sending::default()).await.unwrap();
    assert_eq!(server.taken().len(), 3);
    assert!(matches!(
        flow::resolve_delivery(&world.ctx, week(), "list", None, true, "edith", None).await,
        Err(DeliverError::NothingToSettle { .. })
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_never_goes_through_is_given_up_after_two_days() {
    let server = MailServer::start();
    server.will(&[Fault::AtOnce; 200]);
    let world = published(&mail_channel("list", &server, &["one@example.org"])).await;
    let mut gaps = Vec::new();
    loop {
        flow::send_due(&world.ctx, &Sending::default()).await.unwrap();
        let rows = world.ctx.store.deliveries(None).await.unwrap();
        let row = one(&rows);
        if row.state == DeliveryState::Failed {
            assert!(row.note.contains("given up"), "{}", row.note);
            break;
        }
        gaps.push(row.next_at.duration_since(world.clock.now()).as_secs());
        world.clock.set(row.next_at);
    }
    assert_eq!(&gaps[..4], &[60, 120, 240, 480]);
    assert!(gaps.iter().all(|gap| *gap <= 7_200) && gaps.len() < 40, "{gaps:?}");
    assert!(gaps.iter().sum::<i64>() >= 48 * 3600);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tls_no_password_goes_out() {
    let server = MailServer::offering(&["AUTH PLAIN LOGIN"]);
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("password");
    std::fs::write(&secret, "MARK-of-a-secret\n").unwrap();
    let channel = |security: &str| {
        format!(
            "{}user = \"digest\"\npassword_file = \"{}\"\n",
            mail_channel("list", &server, &["one@example.org"]).replace("\"none\"", &format!("\"{security}\"")),
            secret.display()
        )
    };
    let state = |mode: u32| {
        #[cfg(unix)]
        std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    };
    state(0o600);
    let world = published(&channel("starttls")).await;
    let rows = flow::send(&world.ctx, week(), None).await.unwrap();
    assert!(one(&rows).state == DeliveryState::Planned && one(&rows).note.contains("STARTTLS"), "{rows:?}");
    assert!(server.signed_in().is_empty() && !server.wire().iter().any(|line| line.starts_with("AUTH") || line.starts_with("MAIL")));
    // To a server on this machine the account may be used without; a secret that others can read is not.
    let mut config = (*world.ctx.config).clone();
    config.delivery = Config::parse(&channel("none"), Path::new("channels.toml")).unwrap().delivery;
    let mut ctx = world.ctx.clone();
    ctx.config = Arc::new(config);
    state(0o644);
    let rows = flow::send(&ctx, week(), None).await.unwrap();
    assert!(one(&rows).note.contains("chmod 600"), "{rows:?}");
    state(0o600);
    let rows = flow::send(&ctx, week(), None).await.unwrap();
    assert_eq!(one(&rows).state, DeliveryState::Sent);
    assert_eq!(server.signed_in(), ["AGRpZ2VzdABNQVJLLW9mLWEtc2VjcmV0"]);
    assert!(!format!("{rows:?}").contains("MARK-of-a-secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_signed_and_a_repeat_carries_the_same_id() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let site = Site::start(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        // Taken, and the answer lost on its way.
        0 => Vec::new(),
        1 => answer("503 Busy", "Retry-After: 600\r\n", ""),
        _ => answer("200 OK", "", "{}"),
    });
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "a shared secret\n").unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let channel = format!(
        "[[delivery]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"{}\"\nsecret_file = \"{}\"\n",
        site.url("/hook?token=MARK"),
        secret.display()
    );
    let world = published(&channel).await;
    let rows = flow::send(&world.ctx, week(), None).await.unwrap();
    assert!(one(&rows).state == DeliveryState::Planned && one(&rows).repeats == 1, "{rows:?}");
    world.clock.advance(SignedDuration::from_mins(2));
    flow::send_due(&world.ctx, &Sending::default()).await.unwrap();
    let rows = world.ctx.store.deliveries(None).await.unwrap();
    assert_eq!(one(&rows).next_at.duration_since(world.clock.now()).as_secs(), 600, "what the place asked for is kept");
    // Nobody's haste changes that.
    let rows = flow::send(&world.ctx, week(), None).await.unwrap();
    assert_eq!((one(&rows).state, one(&rows).attempts, site.asked("/hook").len()), (DeliveryState::Planned, 2, 2));
    world.clock.advance(SignedDuration::from_mins(11));
    flow::send_due(&world.ctx, &Sending::default()).await.unwrap();
    let rows = world.ctx.store.deliveries(None).await.unwrap();
    assert_eq!((one(&rows).state, one(&rows).attempts), (DeliveryState::Sent, 3));
    assert!(!format!("{rows:?}").contains("MARK"), "an address is a secret: {rows:?}");

    let requests: Vec<Asked> = site.asked("/hook");
    assert_eq!(requests.len(), 3);
    let ids: BTreeSet<_> = requests.iter().map(|asked| asked.header("x-clarion-delivery").unwrap().to_owned()).collect();
    assert_eq!(ids.into_iter().collect::<Vec<_>>(), ["2026-W47.hook.1"]);
    let sealed = world.ctx.store.sealed(week(), "json").await.unwrap().unwrap();
    let mut times = BTreeSet::new();
    for asked in &requests {
        let at: i64 = asked.header("x-clarion-timestamp").unwrap().parse().unwrap();
        times.insert(at);
        assert_eq!(asked.header("x-clarion-signature").unwrap(), format!("sha256={}", sign(b"a shared secret", at, &asked.body)));
        assert_eq!(asked.header("content-type"), Some("application/json"));
        assert!(asked.body == sealed, "the published bytes");
    }
    assert_eq!(times.len(), 3, "each attempt has its own time");
}

#[tokio::test(flavor = "multi_thread")]
async fn chats_get_each_message_once_and_what_nobody_knows_waits_for_a_person() {
    let lost = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&lost);
    let site = Site::start(move |asked| match asked.path.as_str() {
        "/slack" if count.fetch_add(1, Ordering::SeqCst) == 0 => Vec::new(),
        "/old-slack" if String::from_utf8_lossy(&asked.body).contains("\"markdown\"") => answer("400 Bad Request", "", "invalid_blocks"),
        "/slack" | "/old-slack" => answer("200 OK", "", "ok"),
        "/discord?wait=true" => answer("200 OK", "", "{\"id\":\"4711\"}"),
        "/teams" => answer("202 Accepted", "", ""),
        _ => answer("404 Not Found", "", "no_service"),
    });
    let channel =
        |name: &str, kind: &str, path: &str| format!("[[delivery]]\nname = \"{name}\"\nkind = \"{kind}\"\nurl = \"{}\"\n", site.url(path));
    let channels = [
        channel("chat", "slack", "/slack"),
        channel("old", "slack", "/old-slack"),
        channel("guild", "discord", "/discord"),
        channel("office", "teams", "/teams"),
        channel("gone", "slack", "/gone"),
    ];
    let world = published(&channels.concat()).await;
    flow::send(&world.ctx, week(), None).await.unwrap();
    world.clock.advance(SignedDuration::from_hours(5));
    flow::send_due(&world.ctx, &Sending::default()).await.unwrap();
    let rows = world.ctx.store.deliveries(None).await.unwrap();
    let of = |rows: &[DeliveryRow], name: &str| rows.iter().find(|row| row.channel == name).cloned().unwrap();
    assert_eq!(of(&rows, "chat").state, DeliveryState::Doubt);
    assert_eq!(site.asked("/slack").len(), 1, "a message of which nobody knows is not sent again by itself");
    assert_eq!((of(&rows, "old").state, site.asked("/old-slack").len()), (DeliveryState::Sent, 2));
    assert!(of(&rows, "guild").note.contains("4711"), "{rows:?}");
    assert_eq!(of(&rows, "office").state, DeliveryState::Sent);
    assert_eq!(of(&rows, "gone").state, DeliveryState::Failed);
    let body: serde_json::Value = serde_json::from_slice(&site.asked("/discord")[0].body).unwrap();
    assert_eq!(body["allowed_mentions"], serde_json::json!({ "parse": [] }));
    // A person looks, and says.
    flow::resolve_delivery(&world.ctx, week(), "chat", None, false, "edith", Some("not in the channel".into())).await.unwrap();
    flow::send_due(&world.ctx, &Sending::default()).await.unwrap();
    flow::resolve_delivery(&world.ctx, week(), "gone", None, true, "edith", None).await.unwrap();
    let rows = world.ctx.store.deliveries(None).await.unwrap();
    assert_eq!((of(&rows, "chat").state, site.asked("/slack").len()), (DeliveryState::Sent, 2));
    assert_eq!((of(&rows, "gone").state, site.asked("/gone").len()), (DeliveryState::Sent, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inner_address_is_not_reached_and_a_redirect_not_followed() {
    let inner = Site::start(|_| answer("200 OK", "", "ok"));
    let outer = Site::start(|_| answer("302 Found", "Location: http://169.254.169.254/\r\n", ""));
    let channels = format!(
        "[[delivery]]\nname = \"inner\"\nkind = \"slack\"\nurl = \"{}\"\n[[delivery]]\nname = \"moved\"\nkind = \"slack\"\nurl = \"{}\"\n",
        inner.url("/x").replace("127.0.0.1", "[::ffff:127.0.0.1]"),
        outer.url("/y")
    );
    let world = published(&channels).await;
    let mut network = world.ctx.config.network.clone();
    network.allow.clear();
    // The same places, seen by a client that may reach no inner address.
    let guarded = clarion::net::Client::new(&network).unwrap();
    let channel: Vec<DeliveryConfig> = world.ctx.config.delivery.clone();
    for config in &channel {
        let parcel = clarion::deliver::Parcel {
            mark: "m".into(),
            to: String::new(),
            body: b"{}".to_vec(),
            fallback: None,
            files: Vec::new(),
            at_s: 1,
        };
        let refused = clarion::deliver::Channel::new(config, &guarded).open(&parcel).await.err();
        assert!(matches!(&refused, Some(clarion::deliver::End::Later { reason, .. }) if reason.contains("not allowed")), "{refused:?}");
    }
    assert_eq!(inner.asked("/").len() + outer.asked("/").len(), 0);
    let rows = flow::send(&world.ctx, week(), Some("moved")).await.unwrap();
    assert!(one(&rows).state == DeliveryState::Failed && one(&rows).note.contains("redirects are not followed"), "{rows:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_is_a_fact_without_an_address_in_the_log_itself() {
    let server = MailServer::start();
    let world = published(&mail_channel("list", &server, &["one@example.org"])).await;
    flow::send(&world.ctx, week(), None).await.unwrap();
    let fact = world.ctx.store.newest_fact(FactKind::Delivery).await.unwrap().unwrap();
    assert_eq!(fact.subject, WEEK);
    assert!(fact.detail.contains("\"step\":\"result\"") && fact.detail.contains("\"state\":\"sent\""), "{fact:?}");
    assert!(!fact.detail.contains('@'), "{fact:?}");
    // A test marks nothing, and its mail is another one.
    let before = world.ctx.store.deliveries(None).await.unwrap();
    flow::send_test(&world.ctx, week(), "edith@example.org", None, "edith").await.unwrap();
    assert_eq!(world.ctx.store.deliveries(None).await.unwrap(), before);
    let taken = server.taken();
    assert_eq!((taken.len(), taken[1].to.as_slice(), marks(&taken).len()), (2, &["edith@example.org".to_owned()][..], 2));
    assert!(taken[1].header("Subject").unwrap().contains("Test:"), "{:?}", taken[1].header("Subject"));
    for bad in ["nobody", "a@b\r\nRCPT TO:<c@d>", "a@b.example,c@d.example", ""] {
        assert!(matches!(flow::send_test(&world.ctx, week(), bad, None, "edith").await, Err(DeliverError::Address(_))), "{bad}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_is_set_up_later_gets_only_what_is_sent_on_purpose() {
    let server = MailServer::start();
    let mut world = published("").await;
    let mut config = (*world.ctx.config).clone();
    config.delivery = Config::parse(&mail_channel("list", &server, &["one@example.org"]), Path::new("c.toml")).unwrap().delivery;
    world.ctx.config = Arc::new(config);
    flow::plan_missing(&world.ctx).await.unwrap();
    flow::send_due(&world.ctx, &Sending::default()).await.unwrap();
    assert_eq!(server.connections(), 0);
    assert!(matches!(flow::send(&world.ctx, "2026-W46".parse().unwrap(), None).await, Err(DeliverError::NoDraft(_))));
    assert!(matches!(flow::send(&world.ctx, week(), Some("pigeon")).await, Err(DeliverError::NoChannel(_))));
    flow::send(&world.ctx, week(), None).await.unwrap();
    assert_eq!(server.taken().len(), 1);
}

/// A folder whose last week is published, with one mail channel.
fn folder_with_mail(folder: &Path, server: &MailServer) -> Site {
    let site = start(folder, &format!("[digest]\ncooling_off = 0\n{}", mail_channel("list", server, &["list@example.org"])));
    for step in ["draft", "approve"] {
        good(folder, &["digest", step]);
    }
    site
}

#[test]
fn a_kill_at_any_step_sends_each_mail_once_and_at_most_repeats_what_nobody_knew() {
    for (fault, times, repeats) in [
        (Fault::HangAtSender, 1, 0),
        (Fault::HangAtData, 1, 0),
        (Fault::HangInMessage, 1, 1),
        (Fault::HangBeforeTaken, 1, 1),
        (Fault::HangTaken, 2, 1),
    ] {
        let server = MailServer::start();
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let _site = folder_with_mail(folder, &server);
        good(folder, &["digest", "publish"]);
        server.will(&[fault]);
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_clarion"))
            .args(["digest", "send"])
            .current_dir(folder)
            .env_remove("CLARION_CONFIG")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while server.hanging() == 0 {
            assert!(begun.elapsed() < Duration::from_secs(30), "{fault:?}: it never came so far");
            std::thread::sleep(Duration::from_millis(10));
        }
        // Meanwhile another one keeps out of it.
        run(folder, &["digest", "send"]).refused(1, &["another clarion is sending"]);
        child.kill().unwrap();
        child.wait().unwrap();
        let rows = json(folder, &["digest", "send"]);
        assert_eq!((&rows[0]["state"], &rows[0]["repeats"]), (&"sent".into(), &repeats.into()), "{fault:?}: {rows}");
        good(folder, &["digest", "send"]);
        let taken = server.taken();
        assert_eq!((taken.len(), marks(&taken).len()), (times, 1), "{fault:?}");
        assert!(taken.windows(2).all(|pair| pair[0].message == pair[1].message));
    }
}

#[test]
fn the_daemon_publishes_after_the_cooling_off_and_sends_by_itself() {
    let server = MailServer::start();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let more = format!(
        "[web]\nlisten = \"127.0.0.1:0\"\n[digest]\ncooling_off = 0\n{}[[delivery]]\nname = \"site\"\nkind = \"files\"\nfolder = \"out\"\nformats = [\"html\", \"json\", \"social\"]\n",
        mail_channel("list", &server, &["list@example.org"])
    );
    let _site = start(folder, &more);
    good(folder, &["digest", "draft"]);
    good(folder, &["digest", "approve"]);
    let week = json(folder, &["digest", "show"])["week"].as_str().unwrap().to_owned();
    let daemon = Daemon::start(folder);
    daemon.wait_for("the mail is there", |_| (!server.taken().is_empty()).then_some(()));
    daemon.wait_for("the files are there", |_| folder.join(format!("out/{week}.social.json")).exists().then_some(()));
    let (status, _, social) = daemon.get(&format!("/digest/{week}.social.json"));
    assert_eq!(status, 200);
    assert_eq!(std::fs::read_to_string(folder.join(format!("out/{week}.social.json"))).unwrap(), social);
    let (code, ..) = daemon.terminate();
    assert_eq!(code, Some(0));
    let names: BTreeSet<String> =
        std::fs::read_dir(folder.join("out")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let wanted: BTreeSet<String> = ["html", "json", "social.json"].map(|ending| format!("{week}.{ending}")).into();
    assert_eq!(names, wanted);
    assert_eq!(server.taken().len(), 1);

    // What people post by hand is on record, once, and told to the builder.
    let shown = json(folder, &["digest", "show", &week]);
    let id = shown["sections"][0]["works"][0]["id"].as_str().unwrap().to_owned();
    let post = ["digest", "posted", &week, &id[..10], "--channel", "mastodon", "--url", "https://social.example/@us/1", "--as", "Edith"];
    assert_eq!(json(folder, &post)["by"], "Edith");
    run(folder, &post).refused(1, &["on record already"]);
    run(folder, &["digest", "posted", &week, "9", "--channel", "x", "--url", "https://x.example/1"]).refused(1, &["has no work `9`"]);
    run(folder, &["digest", "posted", &week, "1", "--channel", "X Y", "--url", "https://x.example/1"])
        .refused(1, &["no name of a channel"]);
    run(folder, &["digest", "posted", &week, "1", "--channel", "x", "--url", "javascript:alert(1)"])
        .refused(1, &["no http or https address"]);
    let ledger = json(folder, &["digest", "ledger"]);
    assert_eq!(ledger["posted"].as_array().map(Vec::len), Some(1));
    assert_eq!(ledger["waiting"].as_array().map(Vec::len), Some(1), "{ledger}");
    assert!(good(folder, &["digest", "ledger"]).contains("waiting longest"));
    let slug = shown["sections"][0]["works"][0]["builders"][0]["slug"].as_str().unwrap();
    let daemon = Daemon::start(folder);
    let (_, _, page) = daemon.get(&format!("/builders/{slug}"));
    assert!(page.contains("Shared by the program") && page.contains("https://social.example/@us/1"), "{page}");
    drop(clarion(folder));
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_the_password_goes_out_to_a_server_that_is_believed_and_to_no_other() {
    let server = MailServer::offering(&["STARTTLS", "AUTH PLAIN LOGIN"]);
    let secrets = tempfile::tempdir().unwrap();
    let secret = secrets.path().join("password");
    std::fs::write(&secret, "open sesame\n").unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tls");
    let mut channels = String::new();
    for (name, security, authority) in [
        ("upgraded", "starttls", Some("mail-ca.pem")),
        ("at-once", "tls", Some("mail-ca.pem")),
        ("stranger", "tls", None),
        ("other", "starttls", Some("ca.pem")),
    ] {
        let port = behind_tls(&server, security == "tls").await;
        channels.push_str(&format!(
            "[[delivery]]\nname = \"{name}\"\nkind = \"smtp\"\nserver = \"127.0.0.1:{port}\"\nsecurity = \"{security}\"\nuser = \"digest\"\n\
             password_file = \"{}\"\nto = [\"{name}@example.org\"]\nfrom = \"digest@example.org\"\n",
            secret.display()
        ));
        if let Some(file) = authority {
            channels.push_str(&format!("ca_file = \"{}\"\n", folder.join(file).display()));
        }
    }
    let world = published(&channels).await;
    let rows = flow::send(&world.ctx, week(), None).await.unwrap();
    let of = |name: &str| rows.iter().find(|row| row.channel == name).unwrap();
    for name in ["upgraded", "at-once"] {
        assert_eq!(of(name).state, DeliveryState::Sent, "{:?}", of(name));
    }
    for name in ["stranger", "other"] {
        assert_eq!((of(name).state, of(name).repeats), (DeliveryState::Planned, 0), "{:?}", of(name));
        assert!(of(name).note.contains("certificate") || of(name).note.contains("invalid peer"), "{:?}", of(name));
    }
    assert_eq!(server.taken().len(), 2);
    assert_eq!(server.signed_in(), ["AGRpZ2VzdABvcGVuIHNlc2FtZQ=="; 2]);
    assert!(!format!("{rows:?}").contains("sesame"));
}
