//! Posts for social networks: a draft for each pick and network with its counter, and what was posted where.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};

use super::super::auth::Visitor;
use super::super::frame::{Frame, Moment, NAME, TITLE};
use super::super::public::answer;
use super::super::state::AppState;
use super::preview::context_of;
use super::{WeekPath, ctx, short_id, view, week_in};
use crate::model::{DigestState, Network, Pick, Week};
use crate::render::{self, short, web_address};

struct Post {
    network: &'static str,
    label: &'static str,
    text: String,
    /// In the network's own count.
    length: usize,
    limit: usize,
    /// How the page counts along.
    counting: render::Counting,
}

/// A post that somebody put on record.
struct Posted {
    channel: String,
    /// As a link, where it can be one.
    url: Option<String>,
    by: String,
    moment: Moment,
}

struct PickPosts {
    id: String,
    key: String,
    title: String,
    by: String,
    posts: Vec<Post>,
    posted: Vec<Posted>,
}

#[derive(Template)]
#[template(path = "staff/posts.html", whitespace = "minimize")]
struct PostsPage {
    frame: Frame,
    me: Visitor,
    week: String,
    revision: u32,
    editable: bool,
    /// Out, so that posts can be on record.
    published: bool,
    picks: Vec<PickPosts>,
}

/// The post as it would be posted: what an editor wrote, else what is drafted.
pub(crate) fn draft_of(context: &render::Context, week: Week, pick: &Pick, network: Network) -> String {
    render::social_draft(pick, network, context, &week.to_string()).0
}

fn label(network: Network) -> &'static str {
    match network {
        Network::X => "X",
        Network::Bluesky => "Bluesky",
        Network::Mastodon => "Mastodon",
        Network::Linkedin => "LinkedIn",
    }
}

/// A channel as people read it.
fn channel_name(channel: &str) -> String {
    let network = Network::ALL.into_iter().find(|network| network.as_str() == channel);
    network.map_or_else(|| short(channel, NAME), |network| label(network).to_owned())
}

/// `GET /staff/week/{week}/posts`
pub(crate) async fn page(State(state): State<AppState>, Extension(me): Extension<Visitor>, week: WeekPath) -> Response {
    answer(&state, async {
        let week = week_in(&state, week)?;
        let seen = view(&state, week).await?;
        let context = context_of(&state, week).await?;
        let ctx = ctx(&state)?;
        let of_week = ctx.store.amplified_in(week).await?;
        let picks = seen.picks.iter().map(|pick| PickPosts {
            key: short_id(&pick.pick.work),
            id: pick.pick.work.to_string(),
            title: short(&pick.pick.title, TITLE),
            by: short(&pick.pick.builders.iter().map(|builder| builder.name.as_str()).collect::<Vec<_>>().join(", "), NAME),
            posts: Network::ALL
                .into_iter()
                .map(|network| {
                    let text = draft_of(&context, week, &pick.pick, network);
                    Post {
                        network: network.as_str(),
                        label: label(network),
                        length: render::post_length(network, &text),
                        limit: render::post_limit(network, &ctx.config.social),
                        counting: render::counting(network),
                        text,
                    }
                })
                .collect(),
            posted: of_week
                .iter()
                .filter(|posted| pick.pick.members.contains(&posted.work))
                .map(|posted| Posted {
                    channel: channel_name(&posted.channel),
                    url: web_address(&posted.url),
                    by: short(&posted.by, NAME),
                    moment: Moment::of(posted.at, state.clock.now()),
                })
                .collect(),
        });
        let page = PostsPage {
            frame: Frame::of(&state, "staff"),
            picks: picks.collect(),
            week: week.to_string(),
            revision: seen.revision,
            editable: seen.editable,
            published: seen.state == DigestState::Published,
            me,
        };
        Ok(Html(page.render()?).into_response())
    })
    .await
}
