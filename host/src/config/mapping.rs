//! What is changed of requests and answers on their way, without a plugin.

use http::{HeaderName, Method, StatusCode};

use super::{Part, Template};

/// `[routes.NAME.request]`: what the upstream gets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestMapping {
    /// Instead of the client's.
    pub method: Option<Method>,
    /// The whole path; it begins with a slash.
    pub path: Option<Template>,
    /// `Host`: a host, perhaps with a port.
    pub host: Option<String>,
    /// Parameters of the query, by their decoded names.
    pub query: Edits<String>,
    /// Headers.
    pub headers: Edits<HeaderName>,
}

/// `[routes.NAME.response]`: what the client gets of an upstream's answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResponseMapping {
    /// Statuses instead of those of the upstream; the first that fits.
    pub status: Vec<(Statuses, StatusCode)>,
    /// Headers.
    pub headers: Edits<HeaderName>,
}

impl ResponseMapping {
    /// Whether it names headers or cookies of the request.
    pub(crate) fn names_request(&self) -> bool {
        self.headers.templates().flat_map(|template| &template.parts).any(|part| matches!(part, Part::Field(_)))
    }
}

/// Statuses that are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statuses {
    /// `404`
    Code(StatusCode),
    /// `5xx`, by its first digit.
    Class(u16),
}

impl Statuses {
    /// Whether a status is one of them.
    pub(crate) fn contain(self, status: StatusCode) -> bool {
        match self {
            Self::Code(code) => code == status,
            Self::Class(class) => status.as_u16() / 100 == class,
        }
    }
}

/// Changes to what has names and values, made in this order. Templates see the message as it was before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edits<N> {
    /// All of these names go.
    pub remove: Vec<N>,
    /// All of the first name get the second, in place of those that had it.
    pub rename: Vec<(N, N)>,
    /// In place of all of that name. Without a value, which is when something that it names is not there, they only go.
    pub set: Vec<(N, Template)>,
    /// Beside those of that name; nothing without a value.
    pub append: Vec<(N, Template)>,
}

impl<N> Edits<N> {
    /// Whether nothing is changed.
    pub(crate) fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.rename.is_empty() && self.set.is_empty() && self.append.is_empty()
    }

    /// All templates.
    pub(crate) fn templates(&self) -> impl Iterator<Item = &Template> {
        self.set.iter().chain(&self.append).map(|(_, template)| template)
    }
}

impl<N> Default for Edits<N> {
    fn default() -> Self {
        Self { remove: Vec::new(), rename: Vec::new(), set: Vec::new(), append: Vec::new() }
    }
}
