//! Posts for social networks: a draft for each pick and network, with its counter.

use askama::Template;
use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse, Response};

use super::super::auth::Visitor;
use super::super::error::WebError;
use super::super::frame::{Frame, NAME, TITLE};
use super::super::public::answer;
use super::super::state::AppState;
use super::{short_id, view, week_of};
use crate::model::{DraftView, Network, PickView};
use crate::render::short;

struct Post {
    network: &'static str,
    label: &'static str,
    text: String,
    limit: usize,
}

struct PickPosts {
    id: String,
    key: String,
    title: String,
    by: String,
    posts: Vec<Post>,
}

#[derive(Template)]
#[template(path = "staff/posts.html", whitespace = "minimize")]
struct PostsPage {
    frame: Frame,
    me: Visitor,
    week: String,
    revision: u32,
    editable: bool,
    picks: Vec<PickPosts>,
}

/// The post as it would be posted: what an editor wrote, else what is drafted.
pub(crate) fn draft_of(_seen: &DraftView, view: &PickView, network: Network) -> String {
    let pick = &view.pick;
    if let Some(post) = pick.social.get(network.as_str()).or_else(|| pick.social.get("")) {
        return post.clone();
    }
    let names: Vec<&str> = pick.builders.iter().map(|builder| builder.name.as_str()).collect();
    format!("{} by {}\n{}", short(&pick.title, 160), short(&names.join(", "), NAME), pick.url)
}

fn label(network: Network) -> (&'static str, usize) {
    match network {
        Network::X => ("X", 280),
        Network::Bluesky => ("Bluesky", 300),
        Network::Mastodon => ("Mastodon", 500),
        Network::Linkedin => ("LinkedIn", 3_000),
    }
}

/// `GET /staff/week/{week}/posts`
pub(crate) async fn page(
    State(state): State<AppState>,
    Extension(me): Extension<Visitor>,
    week: Result<Path<String>, PathRejection>,
) -> Response {
    answer(&state, async {
        let Path(week) = week.map_err(|_| WebError::NotFound)?;
        let week = week_of(&state, &week)?;
        let seen = view(&state, week).await?;
        let picks = seen.picks.iter().map(|pick| PickPosts {
            key: short_id(&pick.pick.work),
            id: pick.pick.work.to_string(),
            title: short(&pick.pick.title, TITLE),
            by: short(&pick.pick.builders.iter().map(|builder| builder.name.as_str()).collect::<Vec<_>>().join(", "), NAME),
            posts: Network::ALL
                .into_iter()
                .map(|network| {
                    let (label, limit) = label(network);
                    Post { network: network.as_str(), label, text: draft_of(&seen, pick, network), limit }
                })
                .collect(),
        });
        let page = PostsPage {
            frame: Frame::of(&state, "staff"),
            picks: picks.collect(),
            week: week.to_string(),
            revision: seen.revision,
            editable: seen.editable,
            me,
        };
        Ok(Html(page.render()?).into_response())
    })
    .await
}
