//! Who is asking, and whether they may.
//!
//! In: a request, and the line of the route table it fell on. Out: the request with its [`Visitor`] and the [`Fields`] of
//! its form, or an answer that says no. Deny by default: what is not allowed to a role is not there for it.
//!
//! People come with a session's cookie; where the settings say so, a listed reverse proxy tells whom it signed in. What
//! changes something is a POST of a form that our own page made for this very session.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Semaphore;

use super::BODY_LIMIT;
use super::error::{WebError, message};
use super::routes::{Access, OPERATORS};
use super::staff::{Glances, Published, Running};
use super::state::AppState;
use super::throttle::Throttle;
use crate::config::WebConfig;
use crate::flow::{self, Context, account_key, secret_hash};
use crate::model::{BuilderId, Sight, SignedIn, Slug, UserRole, sha256_hex};
use crate::store::{NewSession, StoreError};

/// How long a session lasts without being used: of staff and operators, and of builders.
const IDLE: SignedDuration = SignedDuration::from_hours(12);
const IDLE_BUILDER: SignedDuration = SignedDuration::from_hours(24 * 30);
/// A session's use is noted once in this time.
const NOTED: SignedDuration = SignedDuration::from_mins(1);
/// So many passwords are checked at once; each takes 19 MiB.
const CHECKS: usize = 2;
/// The most fields of a form.
const MOST_FIELDS: usize = 400;

/// The address that a connection comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// What sign-in and the staff's pages work with.
pub(crate) struct Desk {
    pub(crate) ctx: Context,
    pub(crate) throttle: Throttle,
    pub(crate) checks: Semaphore,
    pub(crate) running: Running,
    pub(crate) glances: Glances,
    pub(crate) published: Published,
}

impl Desk {
    pub(crate) fn new(ctx: Context) -> Self {
        Self {
            ctx,
            throttle: Throttle::default(),
            checks: Semaphore::new(CHECKS),
            running: Running::default(),
            glances: Glances::default(),
            published: Published::default(),
        }
    }
}

/// Who asks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Visitor {
    /// Empty for nobody in particular.
    pub(crate) name: String,
    pub(crate) roles: BTreeSet<UserRole>,
    /// Whose record a private link shows.
    pub(crate) builder: Option<BuilderId>,
    /// What every form of this session carries.
    pub(crate) token: String,
    /// The hash of the session; empty where there is none.
    pub(crate) session: String,
    /// A proxy signed them in: here they cannot sign out.
    pub(crate) by_proxy: bool,
}

impl Visitor {
    pub(crate) fn is_signed_in(&self) -> bool {
        !self.session.is_empty()
    }

    pub(crate) fn is_staff(&self) -> bool {
        self.roles.contains(&UserRole::Staff)
    }

    /// Whether they look after the program: staff and operators.
    pub(crate) fn looks_after(&self) -> bool {
        OPERATORS.allows(self.roles.iter().copied())
    }

    fn of(signed_in: SignedIn, cookie: &str) -> Self {
        Self {
            name: signed_in.name,
            roles: signed_in.roles,
            builder: signed_in.builder,
            token: token_of(cookie),
            session: secret_hash(cookie),
            by_proxy: false,
        }
    }
}

/// The fields of a form, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// The first value of that name; empty where there is none.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// Every value of that name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(String, String)> {
        self.0.iter()
    }
}

/// What a form carries to show that the page of this session made it: known to whoever has the cookie, and to no other.
pub(crate) fn token_of(cookie: &str) -> String {
    sha256_hex(format!("form\0{cookie}").as_bytes())
}

/// The name of the cookie: kept to this very host and to https, or on this machine without https a name that cannot be
/// mistaken for it. `None` where people would come over an open network by http: nobody signs in there.
pub(crate) fn cookie_name(web: &WebConfig) -> Option<&'static str> {
    match (web.is_https(), web.is_local()) {
        (true, _) => Some("__Host-clarion"),
        (false, true) => Some("clarion-local"),
        (false, false) => None,
    }
}

/// The line that sets the cookie; without a value, one that takes it away.
pub(crate) fn cookie_line(web: &WebConfig, value: Option<&str>, lasts: Option<SignedDuration>) -> Option<HeaderValue> {
    let name = cookie_name(web)?;
    let secure = if web.is_https() { "; Secure" } else { "" };
    let age = match (value, lasts) {
        (None, _) => "; Max-Age=0".to_owned(),
        (Some(_), Some(lasts)) => format!("; Max-Age={}", lasts.as_secs()),
        (Some(_), None) => String::new(),
    };
    HeaderValue::from_str(&format!("{name}={}; Path=/; HttpOnly; SameSite=Lax{secure}{age}", value.unwrap_or_default())).ok()
}

fn cookie_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let value = lines.flat_map(|line| line.split(';')).find_map(|part| part.trim().split_once('=').filter(|(key, _)| *key == name))?.1;
    let fits = value.len() == 64 && value.bytes().all(|b| b.is_ascii_hexdigit());
    fits.then_some(value)
}

/// What the cookie of a session holds, where there is one.
pub(crate) fn session_cookie<'a>(web: &WebConfig, headers: &'a HeaderMap) -> Option<&'a str> {
    cookie_of(headers, cookie_name(web)?)
}

/// Where a request comes from: the connection's own address, or behind listed proxies the one that they tell.
pub(crate) fn address_of(web: &WebConfig, peer: Option<&Peer>, headers: &HeaderMap) -> IpAddr {
    let mut address = peer.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.0.ip());
    let told: Vec<&str> = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()).collect();
    let told = told.join(",");
    // From the nearest on: each is believed as far as the one who told it is a listed proxy.
    for hop in told.rsplit(',') {
        if !web.proxies.iter().any(|range| range.contains(address)) {
            break;
        }
        match hop.trim().trim_start_matches('[').trim_end_matches(']').parse() {
            Ok(hop) => address = hop,
            Err(_) => break,
        }
    }
    address.to_canonical()
}

/// Lets a request pass to its handler, or not.
pub(crate) async fn guard(State((state, access)): State<(AppState, Access)>, request: Request, next: Next) -> Response {
    match admit(&state, access, request).await {
        Ok((request, cookie)) => {
            let mut response = next.run(request).await;
            if let Some(cookie) = cookie {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            if !access.is_public() {
                response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            }
            response
        }
        Err(response) => *response,
    }
}

/// The request with its visitor and its fields, and a cookie to set; or the answer that says no.
async fn admit(state: &AppState, access: Access, request: Request) -> Result<(Request, Option<HeaderValue>), Box<Response>> {
    let (mut parts, mut body) = request.into_parts();
    let reads = matches!(parts.method, Method::GET | Method::HEAD);
    if !reads && !is_ours(&state.web, &parts.headers) {
        return Err(Box::new(refused(state, "This form was not sent from one of our own pages, so nothing was done.")));
    }
    if access.is_public() && reads {
        return Ok((Request::from_parts(parts, body), None));
    }
    let failed = |error: &StoreError| {
        tracing::error!(error = %error, "it could not be told who asks: {error}");
        Box::new(WebError::Pages(super::PagesError(error.to_string())).page(state))
    };
    let (visitor, cookie) = identify(state, &parts).await.map_err(|error| failed(&error))?;
    let machine = access == Access::Machines && reads && is_listed_machine(&state.web, &parts);
    let open = !visitor.is_signed_in() && is_open(state, access).await.map_err(|error| failed(&error))?;
    if !(access.allows(visitor.roles.iter().copied()) || machine || open) {
        return Err(Box::new(denied(state, &visitor, &parts)));
    }
    let mut fields = Fields::default();
    if !reads {
        fields = read_form(&parts.headers, std::mem::take(&mut body)).await.map_err(|text| Box::new(refused(state, text)))?;
        // Who is nobody yet has nothing that another could misuse: where the form came from is enough.
        if visitor.is_signed_in() && fields.get("token") != visitor.token && access != Access::Everyone {
            let text = "This form belongs to an earlier session, so nothing was done. Go back, load the page again, and send it once more.";
            return Err(Box::new(refused(state, text)));
        }
    }
    parts.extensions.insert(visitor);
    parts.extensions.insert(fields);
    Ok((Request::from_parts(parts, body), cookie))
}

fn refused(state: &AppState, text: &str) -> Response {
    message(state, StatusCode::FORBIDDEN, "Not done", text)
}

/// Whoever is not signed in is shown where to; for others what they may not see is not there.
fn denied(state: &AppState, visitor: &Visitor, parts: &Parts) -> Response {
    if visitor.is_signed_in() {
        return WebError::NotFound.page(state);
    }
    if parts.method == Method::POST {
        return refused(state, "You are not signed in any more, so nothing was done. Sign in, and send it once more.");
    }
    let to = parts.uri.path_and_query().map_or("", |path| path.as_str());
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("to", to).finish();
    let mut response = Redirect::to(&format!("{}/sign-in?{query}", state.base)).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// On a machine of one's own, while nobody can sign in: its operator sees what an operator sees. Nobody edits.
async fn is_open(state: &AppState, access: Access) -> Result<bool, StoreError> {
    if !access.allows([UserRole::Operator]) || access.allows([UserRole::Builder]) {
        return Ok(false);
    }
    is_own_machine(state).await
}

/// Whether the pages are this machine's own and nobody can sign in: then whoever asks is the one who runs it.
async fn is_own_machine(state: &AppState) -> Result<bool, StoreError> {
    if !state.web.is_local() {
        return Ok(false);
    }
    match &state.desk {
        Some(desk) => Ok(!desk.ctx.store.has_accounts().await?),
        None => Ok(true),
    }
}

/// How far a visitor sees into the record of a builder; without one, into the list of all.
pub(crate) async fn sight_of(state: &AppState, visitor: &Visitor, slug: Option<&Slug>) -> Result<Sight, StoreError> {
    if visitor.looks_after() {
        return Ok(Sight::Inside);
    }
    if let (Some(desk), Some(own), Some(slug)) = (&state.desk, visitor.builder, slug)
        && desk.ctx.store.builder(slug).await?.is_some_and(|builder| builder.id == own)
    {
        return Ok(Sight::Inside);
    }
    Ok(if is_own_machine(state).await? { Sight::Machine } else { Sight::Public })
}

/// Whether a program asks from an address of `web.metrics_from`, and not through a proxy.
fn is_listed_machine(web: &WebConfig, parts: &Parts) -> bool {
    let forwarded = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"];
    let address = address_of(web, parts.extensions.get::<Peer>(), &parts.headers);
    web.metrics_from.iter().any(|range| range.contains(address)) && !forwarded.iter().any(|name| parts.headers.contains_key(*name))
}

/// Whether a form was sent from a page of ours. Browsers say so in `Sec-Fetch-Site` and in `Origin` (Fetch standard);
/// what says neither is not one of them.
fn is_ours(web: &WebConfig, headers: &HeaderMap) -> bool {
    let one = |name: &str| -> Option<Option<&str>> {
        let mut values = headers.get_all(name).iter();
        let first = values.next()?;
        Some(if values.next().is_some() { None } else { first.to_str().ok() })
    };
    let site = one("sec-fetch-site").map(|site| site == Some("same-origin"));
    let origin = one("origin").map(|origin| origin.is_some_and(|origin| is_our_origin(web, origin, headers)));
    match (site, origin) {
        (None, None) => false,
        (site, origin) => site.unwrap_or(true) && origin.unwrap_or(true),
    }
}

/// The address that the settings name; on this machine, whatever name of this machine the page was opened by.
fn is_our_origin(web: &WebConfig, origin: &str, headers: &HeaderMap) -> bool {
    let ours = url::Url::parse(web.public_url.as_str()).map(|url| url.origin().ascii_serialization());
    if ours.as_deref() == Ok(origin) {
        return true;
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let of_this_machine = url::Url::parse(&format!("http://{host}/")).is_ok_and(|url| match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    });
    web.is_local() && of_this_machine && origin.strip_prefix("http://") == Some(host)
}

async fn read_form(headers: &HeaderMap, body: Body) -> Result<Fields, &'static str> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err("Only forms are taken here, so nothing was done.");
    }
    let bytes = axum::body::to_bytes(body, BODY_LIMIT).await.map_err(|_| "The form is too large, so nothing was done.")?;
    let fields: Vec<(String, String)> =
        url::form_urlencoded::parse(&bytes).take(MOST_FIELDS + 1).map(|(key, value)| (key.into_owned(), value.into_owned())).collect();
    if fields.len() > MOST_FIELDS { Err("The form has too many fields, so nothing was done.") } else { Ok(Fields(fields)) }
}

/// Who asks: by the session of the cookie, or by the word of a listed proxy, for which a session is opened.
async fn identify(state: &AppState, parts: &Parts) -> Result<(Visitor, Option<HeaderValue>), StoreError> {
    let Some(desk) = &state.desk else { return Ok((Visitor::default(), None)) };
    let Some(name) = cookie_name(&state.web) else { return Ok((Visitor::default(), None)) };
    let now = desk.ctx.clock.now();
    let mut visitor = match cookie_of(&parts.headers, name) {
        Some(cookie) => by_session(&desk.ctx, cookie, now).await?,
        None => None,
    };
    let Some(told) = told_by_proxy(&state.web, parts) else { return Ok((visitor.unwrap_or_default(), None)) };
    if let Some(visitor) = visitor.as_mut().filter(|visitor| account_key(&visitor.name) == account_key(told)) {
        visitor.by_proxy = true;
        return Ok((visitor.clone(), None));
    }
    let Some(account) = desk.ctx.store.password_of(&account_key(told)).await? else { return Ok((Visitor::default(), None)) };
    match open_session(&desk.ctx, &account.name, &parts.headers, now).await? {
        Some(secret) => {
            let visitor = by_session(&desk.ctx, &secret, now).await?.map(|visitor| Visitor { by_proxy: true, ..visitor });
            Ok((visitor.unwrap_or_default(), cookie_line(&state.web, Some(&secret), None)))
        }
        None => Ok((Visitor::default(), None)),
    }
}

/// Whom a listed proxy says that it signed in.
fn told_by_proxy<'a>(web: &WebConfig, parts: &'a Parts) -> Option<&'a str> {
    let header = web.proxy_user_header.as_deref()?;
    let peer = parts.extensions.get::<Peer>()?.0.ip();
    if !web.proxies.iter().any(|range| range.contains(peer)) {
        return None;
    }
    let mut values = parts.headers.get_all(header).iter();
    let told = values.next()?.to_str().ok()?.trim();
    // Two of them: one was sent by the visitor.
    (values.next().is_none() && !told.is_empty()).then_some(told)
}

async fn by_session(ctx: &Context, cookie: &str, now: Timestamp) -> Result<Option<Visitor>, StoreError> {
    let hash = secret_hash(cookie);
    let Some(signed_in) = ctx.store.session(&hash).await? else { return Ok(None) };
    let unused = now.duration_since(signed_in.used_at);
    let idle = if signed_in.builder.is_some() { IDLE_BUILDER } else { IDLE };
    if unused > idle {
        return Ok(None);
    }
    if unused > NOTED {
        // That a session was used is worth noting, but nothing to fail for: a full disk is no reason to sign people out.
        if let Err(error) = ctx.store.touch_session(&hash, now).await {
            tracing::debug!("the use of a session could not be noted: {error}");
        }
    }
    Ok(Some(Visitor::of(signed_in, cookie)))
}

/// Opens a session for an account and answers its secret; none where the system gives no random numbers.
pub(crate) async fn open_session(ctx: &Context, account: &str, headers: &HeaderMap, now: Timestamp) -> Result<Option<String>, StoreError> {
    open(ctx, account, headers, now, |hash, agent| NewSession { hash, account: Some(account_key(account)), link: None, agent }).await
}

/// The same for a builder who came by a private link.
pub(crate) async fn open_builder_session(
    ctx: &Context,
    name: &str,
    link: String,
    headers: &HeaderMap,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    open(ctx, name, headers, now, |hash, agent| NewSession { hash, account: None, link: Some(link), agent }).await
}

/// How long the cookie of a builder lasts.
pub(crate) const BUILDER_COOKIE: SignedDuration = IDLE_BUILDER;

async fn open(
    ctx: &Context,
    who: &str,
    headers: &HeaderMap,
    now: Timestamp,
    session: impl FnOnce(String, String) -> NewSession,
) -> Result<Option<String>, StoreError> {
    let secret = match flow::new_secret() {
        Ok(secret) => secret,
        Err(error) => {
            tracing::error!(error = %error, "no session can be opened: {error}");
            return Ok(None);
        }
    };
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or("an unknown browser");
    let agent: String = agent.chars().filter(|c| !c.is_control()).take(200).collect();
    let unused_since = now.saturating_sub(IDLE_BUILDER).unwrap_or(Timestamp::MIN);
    ctx.store.open_session(session(secret_hash(&secret), agent), who, now, unused_since).await?;
    Ok(Some(secret))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use tower::ServiceExt as _;

    use super::super::sample::{self, Sample};
    use super::super::{Access, route_table, router};
    use super::*;
    use crate::clock::{Clock, ManualClock};
    use crate::config::Config;
    use crate::store::Store;

    pub(crate) const PASSWORD: &str = "a long way to the harbor";

    /// A program on a store of its own, with its pages.
    pub(crate) struct Office {
        pub(crate) ctx: Context,
        pub(crate) clock: Arc<ManualClock>,
        pub(crate) state: AppState,
        _folder: tempfile::TempDir,
    }

    /// What was answered.
    pub(crate) struct Answered {
        pub(crate) status: StatusCode,
        pub(crate) headers: HeaderMap,
        pub(crate) body: String,
    }

    impl Answered {
        pub(crate) fn to(&self) -> &str {
            self.headers.get(header::LOCATION).map_or("", |to| to.to_str().unwrap())
        }

        /// The session's cookie that was set, if any.
        pub(crate) fn cookie(&self) -> Option<&str> {
            let line = self.headers.get(header::SET_COOKIE)?.to_str().unwrap();
            Some(line.split_once('=').unwrap().1.split(';').next().unwrap())
        }
    }

    impl Office {
        pub(crate) async fn with(settings: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let config = Config::parse(&format!("# office\n{settings}"), Path::new("office.toml")).unwrap();
            let clock = Arc::new(ManualClock::at(sample::now()));
            let store = Store::open(&folder.path().join("clarion.db")).await.unwrap();
            let ctx = Context::new(config, store, Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
            let pages = Arc::new(Sample::rich());
            let state = AppState::new(pages, Arc::clone(&clock) as Arc<dyn Clock>, &ctx.config).with_desk(ctx.clone());
            Self { ctx, clock, state, _folder: folder }
        }

        pub(crate) async fn add(&self, name: &str, roles: &[UserRole], password: bool) {
            let password = password.then(|| PASSWORD.to_owned().into());
            flow::add_account(&self.ctx, name, roles.iter().copied().collect(), password, "the test").await.unwrap();
        }

        /// A session of an account, without its password.
        pub(crate) async fn session(&self, name: &str) -> String {
            open_session(&self.ctx, name, &HeaderMap::new(), self.ctx.clock.now()).await.unwrap().unwrap()
        }

        pub(crate) async fn ask(&self, request: Request) -> Answered {
            let response = router(self.state.clone()).oneshot(request).await.unwrap();
            let (parts, body) = response.into_parts();
            let bytes = axum::body::to_bytes(body, 1 << 24).await.unwrap();
            Answered { status: parts.status, headers: parts.headers, body: String::from_utf8_lossy(&bytes).into_owned() }
        }

        pub(crate) async fn get(&self, path: &str, cookie: Option<&str>) -> Answered {
            self.ask(self.request("GET", path, cookie).body(Body::empty()).unwrap()).await
        }

        /// A form as a browser sends it from our own page.
        pub(crate) async fn post(&self, path: &str, cookie: Option<&str>, fields: &[(&str, &str)]) -> Answered {
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            form.append_pair("token", &cookie.map(token_of).unwrap_or_default()).extend_pairs(fields);
            let request = self
                .request("POST", path, cookie)
                .header("origin", "http://127.0.0.1:8484")
                .header("content-type", "application/x-www-form-urlencoded");
            self.ask(request.body(Body::from(form.finish())).unwrap()).await
        }

        pub(crate) fn request(&self, method: &str, path: &str, cookie: Option<&str>) -> axum::http::request::Builder {
            let request = Request::builder().method(method).uri(path).header("host", "127.0.0.1:8484");
            match cookie {
                Some(cookie) => request.header("cookie", format!("theme=dark; {}={cookie}", cookie_name(&self.state.web).unwrap())),
                None => request,
            }
        }

        async fn is_signed_in(&self, cookie: &str) -> bool {
            self.get("/account", Some(cookie)).await.status == StatusCode::OK
        }
    }

    /// An office with somebody in each role, and for each role a way to begin a session in it.
    async fn staffed() -> Office {
        let office = Office::with("").await;
        office.add("Edith", &[UserRole::Staff], true).await;
        office.add("Otto", &[UserRole::Operator], true).await;
        office
    }

    async fn session_of(office: &Office, role: UserRole) -> Option<String> {
        match role {
            UserRole::Public => None,
            UserRole::Staff => Some(office.session("Edith").await),
            UserRole::Operator => Some(office.session("Otto").await),
            UserRole::Builder => {
                let builder = builder(office, "member-1", false).await;
                let secret = flow::make_builder_link(&office.ctx, builder, "Edith").await.unwrap();
                let answered = office.post(&format!("/link/{secret}"), None, &[]).await;
                Some(answered.cookie().unwrap().to_owned())
            }
        }
    }

    async fn builder(office: &Office, slug: &str, hidden: bool) -> BuilderId {
        let builder: crate::model::Builder = serde_json::from_value(serde_json::json!({
            "id": 0, "slug": slug, "name": "田中 太郎", "categories": [], "handles": {}, "switches": { "not_public": hidden },
        }))
        .unwrap();
        let change = crate::store::RosterChange::Builder(Box::new(builder));
        office.ctx.store.change_roster(vec![change], office.ctx.clock.now()).await.unwrap();
        let slug = crate::model::Slug::parse(slug).unwrap();
        office.ctx.store.builder(&slug).await.unwrap().unwrap().id
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_route_answers_each_method_and_each_role_as_the_table_says() {
        let office = staffed().await;
        let table = route_table(&office.state);
        assert!(table.len() > 15);
        for route in &table {
            let path = route
                .path
                .replace("{name}", "2026-W47")
                .replace("{slug}", "member-1")
                .replace("{week}", "2026-W47")
                .replace("/frame/{format}", "/frame/page")
                .replace("{format}", "md")
                .replace("{secret}", "0123");
            for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
                let listed = |wanted: &str| table.iter().find(|line| line.path == route.path && line.method.as_str() == wanted);
                let line = listed(if method == "HEAD" { "GET" } else { method });
                for role in UserRole::ALL {
                    let cookie = session_of(&office, role).await;
                    let answered = if method == "POST" {
                        office.post(&path, cookie.as_deref(), &[]).await
                    } else {
                        office.ask(office.request(method, &path, cookie.as_deref()).body(Body::empty()).unwrap()).await
                    };
                    let told = format!("{method} {path} as {}: {}", role.as_str(), answered.status);
                    let Some(line) = line else {
                        assert_eq!(answered.status, StatusCode::METHOD_NOT_ALLOWED, "{told}");
                        continue;
                    };
                    // Programs ask for metrics from this machine, as this test does.
                    let allowed = line.access == Access::Machines || line.access.allows([role]);
                    let turned_away = answered.to().starts_with("/sign-in?")
                        || answered.status == StatusCode::FORBIDDEN
                        || (answered.status == StatusCode::NOT_FOUND && line.access != Access::Everyone && line.access != Access::Personal);
                    assert_eq!(turned_away, !allowed, "{told}");
                    assert_ne!(answered.status, StatusCode::INTERNAL_SERVER_ERROR, "{told}");
                    if !allowed {
                        let wanted = match (role, method) {
                            (UserRole::Public, "POST") => StatusCode::FORBIDDEN,
                            (UserRole::Public, _) => StatusCode::SEE_OTHER,
                            _ => StatusCode::NOT_FOUND,
                        };
                        assert_eq!(answered.status, wanted, "{told}");
                    }
                    if line.access != Access::Everyone {
                        assert_eq!(answered.headers["cache-control"], "no-store", "{told}");
                    }
                }
            }
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_a_role_may_not_see_looks_like_what_is_not_there() {
        let office = staffed().await;
        let otto = office.session("Otto").await;
        let (hidden, absent) = (office.get("/staff", Some(&otto)).await, office.get("/nothing", Some(&otto)).await);
        assert_eq!((hidden.status, hidden.body), (absent.status, absent.body));
        builder(&office, "shy", true).await;
        let (hidden, absent) = (office.get("/builders/shy", None).await, office.get("/builders/nobody", None).await);
        assert_eq!((hidden.status, hidden.body), (absent.status, absent.body));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_form_from_elsewhere_changes_nothing() {
        let office = staffed().await;
        let cookie = office.session("Edith").await;
        let token = format!("token={}", token_of(&cookie));
        let form = "application/x-www-form-urlencoded";
        let ours = "http://127.0.0.1:8484";
        let other_session = format!("token={}", token_of(&office.session("Edith").await));
        for (headers, body) in [
            (vec![("content-type", form)], token.as_str()),
            (vec![("content-type", form), ("origin", "https://evil.example")], &token),
            (vec![("content-type", form), ("origin", "null")], &token),
            (vec![("content-type", form), ("origin", "http://127.0.0.1:8485")], &token),
            (vec![("content-type", form), ("origin", "http://127.0.0.1.evil.example:8484")], &token),
            (vec![("content-type", form), ("origin", ours), ("origin", "https://evil.example")], &token),
            (vec![("content-type", form), ("origin", ours), ("sec-fetch-site", "cross-site")], &token),
            (vec![("content-type", form), ("sec-fetch-site", "same-site")], &token),
            (vec![("content-type", form), ("sec-fetch-site", "none")], &token),
            (vec![("content-type", form), ("referer", "http://127.0.0.1:8484/account")], &token),
            (vec![("content-type", form), ("origin", "http://evil.example"), ("host", "evil.example")], &token),
            (vec![("content-type", form), ("origin", ours)], ""),
            (vec![("content-type", form), ("origin", ours)], "token="),
            (vec![("content-type", form), ("origin", ours)], &other_session),
            (vec![("content-type", "text/plain"), ("origin", ours)], &token),
            (vec![("content-type", "application/json"), ("origin", ours)], &token),
            (vec![("origin", ours)], &token),
        ] {
            let mut request = office.request("POST", "/sign-out-everywhere", Some(&cookie));
            for (name, value) in &headers {
                request = request.header(*name, *value);
            }
            let answered = office.ask(request.body(Body::from(body.to_owned())).unwrap()).await;
            assert_eq!(answered.status, StatusCode::FORBIDDEN, "{headers:?} {body}");
            assert!(office.is_signed_in(&cookie).await, "{headers:?} {body}");
        }
        assert_eq!(office.post("/sign-out-everywhere", Some(&cookie), &[]).await.status, StatusCode::SEE_OTHER);
        assert!(!office.is_signed_in(&cookie).await);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn signing_in_opens_a_new_session_and_leads_only_to_our_own_pages() {
        let office = staffed().await;
        let fixed = "0".repeat(64);
        let answered = office.post("/sign-in", Some(&fixed), &[("name", "EDITH"), ("password", PASSWORD), ("to", "/staff?x=1")]).await;
        assert_eq!((answered.status, answered.to()), (StatusCode::SEE_OTHER, "/staff?x=1"));
        let cookie = answered.cookie().unwrap().to_owned();
        assert!(cookie != fixed && office.is_signed_in(&cookie).await && !office.is_signed_in(&fixed).await);
        let line = answered.headers["set-cookie"].to_str().unwrap();
        assert!(line.starts_with("clarion-local=") && line.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{line}");
        let again = office.post("/sign-in", Some(&cookie), &[("name", "Edith"), ("password", PASSWORD)]).await;
        assert_eq!(again.to(), "/account");
        assert!(!office.is_signed_in(&cookie).await, "the session before has ended");
        for to in ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x", "/\u{a}/evil.example", "evil"] {
            let answered = office.post("/sign-in", None, &[("name", "Edith"), ("password", PASSWORD), ("to", to)]).await;
            assert_eq!(answered.to(), "/account", "{to}");
        }
        let kept = std::fs::read(office.ctx.store.path()).unwrap();
        let wal = std::fs::read(office.ctx.store.path().with_extension("db-wal")).unwrap_or_default();
        for secret in [PASSWORD, again.cookie().unwrap(), &cookie] {
            let held = |bytes: &[u8]| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!held(&kept) && !held(&wal), "the database holds a secret");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn guesses_are_counted_and_say_nothing_about_names() {
        let office = staffed().await;
        let guess = async |name: &str| office.post("/sign-in", None, &[("name", name), ("password", "not the one")]).await;
        for round in 1..=6 {
            let (known, unknown) = (guess("Edith").await, guess("Nobody").await);
            let wanted = if round <= 5 { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::TOO_MANY_REQUESTS };
            assert_eq!((known.status, unknown.status), (wanted, wanted), "{round}");
            assert_eq!(known.body.replace("Edith", "Nobody"), unknown.body);
            assert!(known.cookie().is_none());
        }
        let right = office.post("/sign-in", None, &[("name", "Edith"), ("password", PASSWORD)]).await;
        assert_eq!(right.status, StatusCode::TOO_MANY_REQUESTS, "the right one has to wait, too");
        office.clock.advance(SignedDuration::from_mins(15));
        let right = office.post("/sign-in", None, &[("name", "Edith"), ("password", PASSWORD)]).await;
        assert_eq!(right.status, StatusCode::SEE_OTHER);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn sessions_end_when_idle_when_told_and_with_the_password() {
        let office = staffed().await;
        let (one, other) = (office.session("Edith").await, office.session("Edith").await);
        office.clock.advance(SignedDuration::from_hours(11));
        assert!(office.is_signed_in(&one).await);
        office.clock.advance(SignedDuration::from_hours(11));
        assert!(office.is_signed_in(&one).await, "it was used eleven hours ago");
        assert!(!office.is_signed_in(&other).await, "it was not used for 22 hours");
        let other = office.session("Edith").await;
        office.post("/sign-out", Some(&one), &[]).await;
        assert!(!office.is_signed_in(&one).await && office.is_signed_in(&other).await);
        flow::set_password(&office.ctx, "Edith", "another one, just as long".to_owned().into(), "Otto").await.unwrap();
        assert!(!office.is_signed_in(&other).await);
        let last = office.session("Edith").await;
        flow::remove_account(&office.ctx, "Edith", "Otto").await.unwrap();
        assert!(!office.is_signed_in(&last).await);
        let told = office.ctx.store.audit_lines(None, 0, 50).await.unwrap();
        let told: Vec<_> = told.iter().map(|line| (line.who.as_str(), line.what.as_str(), line.about.as_str())).collect();
        assert_eq!(told[0], ("Otto", "removed_account", "Edith"));
        assert!(told.contains(&("Otto", "set_password", "Edith")) && told.contains(&("Edith", "signed_out", "")), "{told:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn over_https_the_cookie_is_kept_to_this_host() {
        let office = Office::with("[web]\npublic_url = \"https://digest.example\"").await;
        office.add("Edith", &[UserRole::Staff], true).await;
        let form = format!("name=Edith&password={}", PASSWORD.replace(' ', "+"));
        let request = |origin: &str| {
            let request = office.request("POST", "/sign-in", None).header("origin", origin);
            request.header("content-type", "application/x-www-form-urlencoded").body(Body::from(form.clone())).unwrap()
        };
        let answered = office.ask(request("https://digest.example")).await;
        let line = answered.headers["set-cookie"].to_str().unwrap();
        assert!(line.starts_with("__Host-clarion=") && line.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"), "{line}");
        assert_eq!(office.ask(request("http://127.0.0.1:8484")).await.status, StatusCode::FORBIDDEN);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_proxy_is_believed_only_where_it_is_listed() {
        let office = Office::with(
            "[web]\npublic_url = \"https://digest.example\"\nproxies = [\"192.0.2.7/32\"]\nproxy_user_header = \"X-Forwarded-User\"",
        )
        .await;
        office.add("edith@example.org", &[UserRole::Staff], false).await;
        let ask = async |from: &str, told: &[&str], cookie: Option<&str>| {
            let mut request = office.request("GET", "/account", cookie);
            for name in told {
                request = request.header("x-forwarded-user", *name);
            }
            let mut request = request.body(Body::empty()).unwrap();
            request.extensions_mut().insert(Peer(format!("{from}:4711").parse().unwrap()));
            office.ask(request).await
        };
        let known = ask("192.0.2.7", &["Edith@Example.org"], None).await;
        assert_eq!(known.status, StatusCode::OK);
        let again = ask("192.0.2.7", &["edith@example.org"], known.cookie()).await;
        assert!(again.status == StatusCode::OK && again.cookie().is_none(), "the session goes on");
        for (from, told) in [
            ("192.0.2.8", vec!["edith@example.org"]),
            ("127.0.0.1", vec!["edith@example.org"]),
            ("192.0.2.7", vec!["otto@example.org"]),
            ("192.0.2.7", vec!["edith@example.org", "edith@example.org"]),
            ("192.0.2.7", vec![]),
            ("192.0.2.7", vec![""]),
        ] {
            assert_eq!(ask(from, &told, None).await.status, StatusCode::SEE_OTHER, "{from} {told:?}");
        }
        assert_eq!(ask("192.0.2.7", &["otto@example.org"], known.cookie()).await.status, StatusCode::SEE_OTHER, "another person's cookie");
    }

    #[test]
    fn addresses_are_told_by_listed_proxies_alone() {
        let web = Config::parse("[web]\nproxies = [\"192.0.2.0/24\"]", Path::new("x")).unwrap().web;
        let of = |peer: &str, told: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in told {
                headers.append("x-forwarded-for", line.parse().unwrap());
            }
            address_of(&web, Some(&Peer(format!("{peer}:1").parse().unwrap())), &headers).to_string()
        };
        assert_eq!(of("198.51.100.1", &["203.0.113.9"]), "198.51.100.1");
        assert_eq!(of("192.0.2.1", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(of("192.0.2.1", &["10.9.9.9, 203.0.113.9, 192.0.2.5"]), "203.0.113.9");
        assert_eq!(of("192.0.2.1", &["10.9.9.9", "203.0.113.9"]), "203.0.113.9");
        assert_eq!(of("192.0.2.1", &["nonsense"]), "192.0.2.1");
        assert_eq!(of("192.0.2.1", &[]), "192.0.2.1");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn while_nobody_can_sign_in_this_machine_sees_health_and_edits_nothing() {
        let office = Office::with("").await;
        assert_eq!(office.get("/operator", None).await.status, StatusCode::OK);
        assert_eq!(office.get("/staff", None).await.status, StatusCode::SEE_OTHER);
        assert!(office.get("/sign-in", None).await.body.contains("clarion user add"));
        office.add("Edith", &[UserRole::Staff], true).await;
        assert_eq!(office.get("/operator", None).await.status, StatusCode::SEE_OTHER);
        let behind = Office::with("[web]\npublic_url = \"https://digest.example\"\nmetrics_from = [\"192.0.2.0/24\"]").await;
        assert_eq!(behind.get("/operator", None).await.status, StatusCode::SEE_OTHER);
        assert_eq!(behind.get("/metrics", None).await.status, StatusCode::SEE_OTHER);
        let from = |request: axum::http::request::Builder| {
            let mut request = request.body(Body::empty()).unwrap();
            request.extensions_mut().insert(Peer("192.0.2.3:9".parse().unwrap()));
            request
        };
        assert_eq!(behind.ask(from(behind.request("GET", "/metrics", None))).await.status, StatusCode::OK);
        let passed_on = behind.request("GET", "/metrics", None).header("x-forwarded-for", "203.0.113.1");
        assert_eq!(behind.ask(from(passed_on)).await.status, StatusCode::SEE_OTHER);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_private_link_is_opened_by_its_button_and_can_be_taken_back() {
        let office = staffed().await;
        let id = builder(&office, "member-1", true).await;
        let secret = flow::make_builder_link(&office.ctx, id, "Edith").await.unwrap();
        let path = format!("/link/{secret}");
        for _ in 0..3 {
            let answered = office.get(&path, None).await;
            assert!(answered.status == StatusCode::OK && answered.cookie().is_none(), "a mail scanner opens it");
        }
        assert_eq!(office.ctx.store.builder_links(id).await.unwrap()[0].used_at, None);
        let opened = office.post(&path, None, &[]).await;
        assert_eq!(opened.to(), "/builders/member-1");
        let cookie = opened.cookie().unwrap();
        assert!(opened.headers["set-cookie"].to_str().unwrap().contains("Max-Age=2592000"));
        assert_eq!(office.get("/builders/member-1", Some(cookie)).await.status, StatusCode::OK);
        assert_eq!(office.get("/staff", Some(cookie)).await.status, StatusCode::NOT_FOUND);
        office.ctx.store.revoke_builder_links(id, "Edith", office.ctx.clock.now()).await.unwrap();
        assert!(!office.is_signed_in(cookie).await);
        assert_eq!(office.get(&path, None).await.status, StatusCode::NOT_FOUND);
        assert_eq!(office.post(&path, None, &[]).await.status, StatusCode::NOT_FOUND);
    }
}
