//! An approved digest: rendered, sealed, and from then on unchanged.

use jiff::Timestamp;

use super::Context;
use crate::model::{DigestState, Week, sha256_hex};
use crate::render::{self, Format, RenderError};
use crate::store::{DigestRow, StoreError};

/// Why a digest was not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error("there is no draft of {0} yet: make it with `clarion digest draft {0}`")]
    NoDraft(Week),
    #[error("the digest of {0} is not approved: nothing is published without `clarion digest approve {0}`")]
    NotApproved(Week),
    #[error("the digest of {week} is in its cooling-off until {until:.0}: publish it then")]
    CoolingOff { week: Week, until: Timestamp },
    #[error("the digest of {0} has nothing to say: an empty week is not published")]
    Empty(Week),
    #[error("the digest cannot be rendered: {0}")]
    Render(#[from] RenderError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What outputs need beside the digest itself.
pub fn render_context(ctx: &Context, row: &DigestRow) -> render::Context {
    let context = render::Context { state: row.state, ..render::Context::new(&ctx.config.program, ctx.config.web.public_url.as_str()) };
    match row.published_at {
        Some(at) => context.published(at),
        None => context,
    }
}

/// Renders every format of an approved digest and seals the bytes. Published already: nothing happens.
pub async fn publish(ctx: &Context, week: Week, by: &str) -> Result<DigestRow, PublishError> {
    let now = ctx.clock.now();
    let row = ctx.store.digest(week).await?.ok_or(PublishError::NoDraft(week))?;
    match row.state {
        DigestState::Published => return Ok(row),
        DigestState::Approved => {}
        DigestState::Draft | DigestState::InReview => return Err(PublishError::NotApproved(week)),
    }
    if let Some(until) = row.publish_at.filter(|until| *until > now) {
        return Err(PublishError::CoolingOff { week, until });
    }
    if row.digest.is_empty() {
        return Err(PublishError::Empty(week));
    }
    let context = render_context(ctx, &row).published(now);
    let formats = tokio::task::block_in_place(|| {
        Format::ALL
            .iter()
            .map(|format| {
                let bytes = render::render(&row.digest, &context, *format)?;
                Ok((format.extension().to_owned(), sha256_hex(&bytes), bytes))
            })
            .collect::<Result<Vec<_>, RenderError>>()
    })?;
    ctx.store.seal(week, by.to_owned(), formats, now).await?;
    tracing::info!(week = %week, "published the digest of {week}");
    ctx.store.digest(week).await?.ok_or(PublishError::NoDraft(week))
}
