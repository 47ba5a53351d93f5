//! Who sees what of whom: every page that can be read, as everybody who may come, against what each may know.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use clarion::flow::{self, Context};
use clarion::model::{Slug, UserRole};
use clarion::store::RosterChange;
use clarion::web::{AppState, StoredPages, route_table, router};
use tower::ServiceExt as _;

use crate::support::world::{World, item, rss};

const PASSWORD: &str = "a long way to the harbor";

/// What is told of a builder who lets everybody see the name and what was featured.
const HIDDEN: [&str; 3] = ["Draft thoughts that nobody chose", "/ada/feed", "Networking and content"];

pub(crate) struct Answered {
    status: StatusCode,
    cookie: Option<String>,
    pub(crate) body: String,
}

/// The pages over what a context holds, asked without a server between.
pub(crate) struct Town {
    ctx: Context,
    pub(crate) state: AppState,
}

impl Town {
    pub(crate) fn over(ctx: &Context) -> Self {
        let pages = Arc::new(StoredPages::new(ctx.clone()));
        Self { ctx: ctx.clone(), state: AppState::new(pages, Arc::clone(&ctx.clock), &ctx.config).with_desk(ctx.clone()) }
    }

    async fn ask(&self, method: &str, path: &str, cookie: Option<&str>, form: Option<String>) -> Answered {
        let mut request = Request::builder().method(method).uri(path).header("host", "127.0.0.1:8484");
        if let Some(cookie) = cookie {
            request = request.header("cookie", format!("clarion-local={cookie}"));
        }
        if form.is_some() {
            request = request.header("origin", "http://127.0.0.1:8484").header("content-type", "application/x-www-form-urlencoded");
        }
        let request = request.body(form.map_or_else(Body::empty, Body::from)).unwrap();
        let (parts, body) = router(self.state.clone()).oneshot(request).await.unwrap().into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 24).await.unwrap();
        let line = parts.headers.get("set-cookie").map(|line| line.to_str().unwrap().to_owned());
        let cookie = line.and_then(|line| Some(line.split_once('=')?.1.split(';').next()?.to_owned()));
        Answered { status: parts.status, cookie, body: String::from_utf8_lossy(&bytes).into_owned() }
    }

    pub(crate) async fn get(&self, path: &str, cookie: Option<&str>) -> Answered {
        self.ask("GET", path, cookie, None).await
    }

    pub(crate) async fn sign_in(&self, name: &str, role: UserRole) -> String {
        flow::add_account(&self.ctx, name, [role].into(), Some(PASSWORD.to_owned().into()), "the test").await.unwrap();
        let form = format!("name={name}&password={}", PASSWORD.replace(' ', "+"));
        self.ask("POST", "/sign-in", None, Some(form)).await.cookie.unwrap()
    }

    pub(crate) async fn open_link(&self, slug: &str) -> String {
        let builder = self.ctx.store.builder(&Slug::parse(slug).unwrap()).await.unwrap().unwrap();
        let secret = flow::make_builder_link(&self.ctx, builder.id, "the test").await.unwrap();
        self.ask("POST", &format!("/link/{secret}"), None, Some(String::new())).await.cookie.unwrap()
    }
}

async fn switch(ctx: &Context, slug: &str, change: impl FnOnce(&mut clarion::model::Builder)) {
    let mut builder = ctx.store.builder(&Slug::parse(slug).unwrap()).await.unwrap().unwrap();
    change(&mut builder);
    ctx.store.change_roster(vec![RosterChange::Builder(Box::new(builder))], ctx.clock.now()).await.unwrap();
}

/// Ada says nothing of her record, Bo shows all of it, Cy has no public page; of Ada and Bo, one work was featured.
async fn town() -> (World, Town) {
    let world = World::at("2026-11-16T08:00:00Z").await;
    for (name, path) in [("Ada", "/ada/feed"), ("Bo", "/bo/feed"), ("Cy", "/cy/feed")] {
        world.feed(name, path).await;
        world.origin.serve(path, rss(&[]));
    }
    world.poll().await;
    let entry = |path: &str, title: &str, day: u32, words: usize| {
        let link = format!("https://shed.example.org/{path}");
        let text = "The function reads from the queue and writes to the table. ".repeat(words);
        item(
            title,
            &format!(
                "<guid>{link}</guid><link>{link}</link><pubDate>{day} Nov 2026 09:00:00 GMT</pubDate><description>{text}</description>"
            ),
        )
    };
    world.origin.serve(
        "/ada/feed",
        rss(&[entry("ada/1", "Ada on queues of AWS Lambda", 18, 90), entry("ada/2", "Draft thoughts that nobody chose", 19, 1)]),
    );
    world.origin.serve("/bo/feed", rss(&[entry("bo/1", "Bo on tables of DynamoDB", 18, 90), entry("bo/2", "More by Bo", 19, 1)]));
    world.origin.serve("/cy/feed", rss(&[entry("cy/1", "Cy on buckets of S3", 18, 90), entry("cy/2", "More by Cy", 19, 1)]));
    world.clock.set("2026-11-20T08:00:00Z".parse().unwrap());
    world.poll().await;
    let key = world
        .ctx
        .categories
        .iter()
        .find(|category| category.name.starts_with("Networking and content"))
        .map(|category| category.key.clone());
    for slug in ["ada", "bo", "cy"] {
        switch(&world.ctx, slug, |builder| {
            builder.country = Some("KE".into());
            builder.handles.insert("mastodon".into(), format!("{slug}@social.example"));
            builder.categories = key.iter().cloned().collect();
        })
        .await;
    }
    switch(&world.ctx, "bo", |builder| (builder.switches.public_record, builder.switches.show_place) = (true, true)).await;
    switch(&world.ctx, "cy", |builder| (builder.switches.public_record, builder.switches.not_public) = (true, true)).await;
    world.draft("2026-W47", "2026-11-23T07:00:00Z").await;
    world.publish("2026-W47").await;
    for (path, body) in [("/ada/feed", "answered 500"), ("/bo/feed", "x"), ("/cy/feed", "x")] {
        world.origin.serve_with(path, 500, "", body);
    }
    world.clock.set("2026-11-25T08:00:00Z".parse().unwrap());
    world.poll().await;
    let town = Town::over(&world.ctx);
    (world, town)
}

/// Every address that can be read, from the table of routes itself: a route of a new kind has to be written in here.
pub(crate) fn addresses(state: &AppState) -> Vec<String> {
    let mut all = Vec::new();
    for route in route_table(state).into_iter().filter(|route| route.method == Method::GET) {
        let filled = route.path.replace("{week}", "2026-W47").replace("{secret}", "0123").replace("/frame/{format}", "/frame/page");
        let filled = filled.replace("{format}", "md");
        let more: Vec<String> = match filled.as_str() {
            "/builders/{slug}" => {
                ["ada", "bo", "cy", "ada?kind=article", "ada?page=2", "ada?kind=video&page=9", "ADA", "ada.json", "ada.csv"]
                    .iter()
                    .map(|end| format!("/builders/{end}"))
                    .collect()
            }
            "/digest/{name}" => {
                ["", ".json", ".md", ".txt", ".eml", ".atom", ".social.json"].iter().map(|end| format!("/digest/2026-W47{end}")).collect()
            }
            "/builders" => ["", "?q=ada", "?q=networking", "?q=draft", "?q=shed"].iter().map(|end| format!("/builders{end}")).collect(),
            other => vec![other.to_owned()],
        };
        for path in more {
            assert!(!path.contains('{'), "{path} has a part that this test does not fill in");
            all.push(path);
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn each_page_tells_each_visitor_what_they_may_know_and_no_more() {
    let (_world, town) = town().await;
    // Nobody can sign in yet, and the pages are this machine's own.
    let alone = town.get("/builders/ada", None).await;
    assert!(HIDDEN[..2].iter().all(|fact| alone.body.contains(fact)), "{}", alone.body);
    assert_eq!(town.get("/builders/cy", None).await.status, StatusCode::NOT_FOUND, "not public is stronger");

    let staff = town.sign_in("Edith", UserRole::Staff).await;
    let operator = town.sign_in("Otto", UserRole::Operator).await;
    let (ada, bo, cy) = (town.open_link("ada").await, town.open_link("bo").await, town.open_link("cy").await);
    let visitors = [
        ("everybody", None, false, false),
        ("ada", Some(&ada), true, false),
        ("bo", Some(&bo), false, false),
        ("cy", Some(&cy), false, true),
        ("staff", Some(&staff), true, true),
        ("operator", Some(&operator), true, true),
    ];
    let absent = town.get("/builders/nobody", None).await;
    for path in addresses(&town.state) {
        for (who, cookie, knows_ada, knows_cy) in visitors {
            let answered = town.get(&path, cookie.map(String::as_str)).await;
            let told = format!("{path} as {who}: {}", answered.status);
            assert_ne!(answered.status, StatusCode::INTERNAL_SERVER_ERROR, "{told}");
            for fact in HIDDEN.iter().filter(|_| !knows_ada) {
                // Bo shows the same category, and pages that are about no builder name it as well.
                let shared = fact.starts_with("Networking") && !path.starts_with("/builders/ada");
                assert!(shared || !answered.body.contains(fact), "{told} tells `{fact}`");
            }
            for fact in ["/builders/cy", "Cy on buckets", "More by Cy", "/cy/feed"].iter().filter(|_| !knows_cy) {
                assert!(!answered.body.contains(fact), "{told} tells `{fact}`");
            }
            if path.starts_with("/builders/cy") && !knows_cy {
                assert_eq!((answered.status, &answered.body), (StatusCode::NOT_FOUND, &absent.body), "{told}");
            }
            if path == "/builders/ada" && knows_ada {
                assert!(HIDDEN[..2].iter().all(|fact| answered.body.contains(fact)), "{told}: {}", answered.body);
            }
            if path == "/builders/bo" {
                assert!(answered.body.contains("More by Bo") && answered.body.contains("/bo/feed"), "{told}: Bo shows it to all");
            }
        }
    }
    // What everybody sees of Ada: the name and what was featured, whatever is asked; no place, no handle.
    let shown = town.get("/builders/ada", None).await.body;
    assert!(
        shown.contains("Ada on queues of AWS Lambda") && shown.contains("/digest/2026-W47") && shown.contains("private link"),
        "{shown}"
    );
    assert!(!shown.contains("Kenya") && !shown.contains("social.example"));
    assert_eq!(town.get("/builders/ada?kind=article", None).await.body, town.get("/builders/ada?kind=video", None).await.body);
    assert!(!town.get("/builders?q=networking", None).await.body.contains("/builders/ada"), "a search tells no category");
    let list = town.get("/builders", None).await.body;
    assert!(list.contains("/builders/ada") && !list.contains("/builders/cy"), "{list}");
    assert!(town.get("/builders", Some(&staff)).await.body.contains("/builders/cy"));
    switch(&town.ctx, "ada", |builder| builder.switches.show_place = true).await;
    assert!(town.get("/builders/ada", None).await.body.contains("Kenya"));
    switch(&town.ctx, "ada", |builder| builder.switches.public_record = true).await;
    assert!(town.get("/builders/ada", None).await.body.contains("Draft thoughts that nobody chose"));
    switch(&town.ctx, "ada", |builder| builder.switches.not_public = true).await;
    assert_eq!(town.get("/builders/ada", None).await.body, absent.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_pages_are_for_others_nothing_is_open_before_somebody_can_sign_in() {
    let world = World::with("2026-11-16T08:00:00Z", "[web]\npublic_url = \"https://digest.example\"\n").await;
    world.feed("Ada", "/ada/feed").await;
    let town = Town::over(&world.ctx);
    let shown = town.get("/builders/ada", None).await;
    assert!(shown.status == StatusCode::OK && !shown.body.contains("/ada/feed") && shown.body.contains("Nothing has been featured yet"));
}
