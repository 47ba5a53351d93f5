//! The table of routes: none is added without saying who may use it.
//!
//! Every handler stands behind a guard made from its line of the table, so a page cannot be forgotten. The table itself
//! can be read, and a test crosses each of its lines with every method and role.

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware;
use axum::routing::{MethodRouter, get, post};

use super::auth::guard;
use super::state::AppState;
use crate::model::UserRole;

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody: nothing here depends on who asks.
    Everyone,
    /// Anybody, and what is shown depends on who asks.
    Personal,
    /// Whoever has one of these roles.
    Roles(&'static [UserRole]),
    /// Operators and staff, and programs that ask from the addresses of `web.metrics_from`.
    Machines,
}

/// Whoever edits.
pub const STAFF: Access = Access::Roles(&[UserRole::Staff]);
/// Whoever looks after the program: operators, and staff too.
pub const OPERATORS: Access = Access::Roles(&[UserRole::Staff, UserRole::Operator]);
/// Whoever is signed in, in whatever role.
pub const SIGNED_IN: Access = Access::Roles(&[UserRole::Builder, UserRole::Staff, UserRole::Operator]);

impl Access {
    /// Whether one who has these roles may.
    pub fn allows(self, roles: impl IntoIterator<Item = UserRole>) -> bool {
        match self {
            Self::Everyone | Self::Personal => true,
            Self::Roles(wanted) => roles.into_iter().any(|role| wanted.contains(&role)),
            Self::Machines => OPERATORS.allows(roles),
        }
    }

    /// Whether answers may be kept by caches.
    pub(crate) fn is_public(self) -> bool {
        self == Self::Everyone
    }
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// `GET`, which stands for `HEAD` too, or `POST`.
    pub method: Method,
    pub path: &'static str,
    pub access: Access,
}

/// Routes as they are added.
pub(crate) struct Routes {
    state: AppState,
    router: Router<AppState>,
    table: Vec<Route>,
}

impl Routes {
    pub(crate) fn new(state: AppState) -> Self {
        Self { state, router: Router::new(), table: Vec::new() }
    }

    /// Something to read.
    pub(crate) fn get<H: Handler<T, AppState>, T: 'static>(self, path: &'static str, access: Access, handler: H) -> Self {
        self.add(Method::GET, path, access, get(handler))
    }

    /// Something to do. Its form is taken from our own pages alone (see [`guard`]).
    pub(crate) fn post<H: Handler<T, AppState>, T: 'static>(self, path: &'static str, access: Access, handler: H) -> Self {
        self.add(Method::POST, path, access, post(handler))
    }

    fn add(mut self, method: Method, path: &'static str, access: Access, handler: MethodRouter<AppState>) -> Self {
        let guarded = handler.route_layer(middleware::from_fn_with_state((self.state.clone(), access), guard));
        self.router = self.router.route(path, guarded);
        self.table.push(Route { method, path, access });
        self
    }

    pub(crate) fn into_parts(self) -> (Router<AppState>, Vec<Route>) {
        (self.router, self.table)
    }
}
