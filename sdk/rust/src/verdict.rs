//! Verdicts and how they are built.

use crate::edit::{answer_builders, change_builders, into_action};

pub use crate::bindings::authorizer::exports::gatehouse::plugin::authorizer::{Denial, Grant, Verdict};

impl Verdict {
    /// The request may pass, as `principal`: it becomes the attribute `auth.principal`. End with `.into()`.
    pub fn allow(principal: impl Into<String>) -> Grant {
        Grant { principal: Some(principal.into()), ..Grant::anonymous() }
    }

    /// The request may not pass; the client gets this status, 400 to 599. End with `.into()`.
    pub fn deny(status: u16) -> Denial {
        Denial { status, headers: Vec::new(), body: Vec::new(), reason: None, max_age: None }
    }
}

impl Grant {
    /// The request may pass, whoever it is.
    pub fn anonymous() -> Self {
        Self { principal: None, attributes: Vec::new(), request_headers: Vec::new(), max_age: None }
    }

    /// For how many seconds the verdict holds for a request with the same values in everything that was read; 0: not at
    /// all. Without it the operator's default holds, unless the decision also used the clock, randomness, the network
    /// or key-value state: then the verdict is not kept.
    pub fn max_age(mut self, seconds: u32) -> Self {
        self.max_age = Some(seconds);
        self
    }

    change_builders!(
        request_headers,
        "An attribute for later plugins, upstream header mappings and logs; it gets the prefix `auth.`."
    );
}

impl Denial {
    /// Why, for the log; the client never sees it.
    pub fn reason(mut self, text: impl Into<String>) -> Self {
        self.reason = Some(text.into());
        self
    }

    /// For how many seconds the verdict holds; see [`Grant::max_age`].
    pub fn max_age(mut self, seconds: u32) -> Self {
        self.max_age = Some(seconds);
        self
    }

    answer_builders!();
}

into_action!(Verdict: Grant => Allow, Denial => Deny);
