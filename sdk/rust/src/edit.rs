//! What filters return: edits, answers, and how they are built.

use crate::{Attribute, Header, Reply};

pub use crate::bindings::{
    request_body_filter::exports::gatehouse::plugin::request_body_filter::{RequestBodyAction, RequestBodyEdit},
    request_chunk_filter::exports::gatehouse::plugin::request_chunk_filter::ChunkAction,
    request_filter::exports::gatehouse::plugin::request_filter::{RequestAction, RequestEdit},
    response_body_filter::exports::gatehouse::plugin::response_body_filter::{ResponseBodyAction, ResponseBodyEdit},
    response_filter::exports::gatehouse::plugin::response_filter::{ResponseAction, ResponseEdit},
};

/// Methods of what changes a message's headers and sets attributes.
macro_rules! change_builders {
    ($headers:ident, $attribute:literal) => {
        #[doc = $attribute]
        ///
        /// Names are letters, digits, `_`, `-` and `.`; structured values are JSON text.
        pub fn attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
            self.attributes.push($crate::Attribute { name: name.into(), value: value.into() });
            self
        }

        /// Replaces all header fields of that name by this one.
        pub fn set_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
            self.$headers.push($crate::HeaderEdit::Set($crate::Header::new(name, value)));
            self
        }

        /// Adds a header field, after those of the same name.
        pub fn append_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
            self.$headers.push($crate::HeaderEdit::Append($crate::Header::new(name, value)));
            self
        }

        /// Removes all header fields of that name.
        pub fn remove_header(mut self, name: impl Into<String>) -> Self {
            self.$headers.push($crate::HeaderEdit::Remove(name.into()));
            self
        }
    };
}

/// Methods of what answers the client.
macro_rules! answer_builders {
    () => {
        /// Adds a header field.
        pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
            self.headers.push($crate::Header::new(name, value));
            self
        }

        /// The body, without a `content-type`.
        pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
            self.body = bytes.into();
            self
        }

        /// The body as plain text.
        pub fn text(self, text: impl Into<String>) -> Self {
            self.header("content-type", "text/plain; charset=utf-8").body(text.into())
        }

        /// The body as JSON: `json(json!({ "error": "no such tenant" }))`.
        pub fn json(self, value: serde_json::Value) -> Self {
            self.header("content-type", "application/json").body(value.to_string())
        }
    };
}

/// Makes `.into()` end a hook: an edit or an answer becomes the action, or the hook's whole `Ok(action)`.
macro_rules! into_action {
    ($action:ident: $($from:ty => $arm:ident),+) => {
        $(
            impl From<$from> for $action {
                fn from(it: $from) -> Self {
                    Self::$arm(it)
                }
            }

            impl From<$from> for $crate::Result<$action> {
                fn from(it: $from) -> Self {
                    Ok($action::$arm(it))
                }
            }
        )+
    };
}

pub(crate) use {answer_builders, change_builders, into_action};

impl Header {
    /// A header field. A character of the value stands for the byte of the same number, so none is above U+00FF.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

/// Text as a quoted string of a header (RFC 9110 section 5.6.4): `format!("Basic realm={}", quoted(realm))`.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

impl Attribute {
    /// An attribute.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

impl Reply {
    /// A whole answer to the client with this status, 200 to 599.
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    answer_builders!();
}

// The type is generated: there is no place for a derive.
#[allow(clippy::derivable_impls)]
impl Default for RequestEdit {
    fn default() -> Self {
        Self { method: None, path: None, query: None, headers: Vec::new(), attributes: Vec::new() }
    }
}

impl RequestEdit {
    /// No change yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A new method.
    pub fn method(mut self, method: impl Into<String>) -> Self {
        self.method = Some(method.into());
        self
    }

    /// A new path, beginning with `/`. The route stays the one matched.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// A new query without the `?`; the empty string removes it.
    pub fn query(mut self, query: impl Into<String>) -> Self {
        self.query = Some(query.into());
        self
    }

    /// And a new body; for a [`RequestBodyFilter`](crate::RequestBodyFilter).
    pub fn body(self, bytes: impl Into<Vec<u8>>) -> RequestBodyEdit {
        RequestBodyEdit { request: self, body: Some(bytes.into()) }
    }

    change_builders!(
        headers,
        "An attribute for later plugins and logs; it gets the plugin's name and a dot as prefix."
    );
}

// The type is generated: there is no place for a derive.
#[allow(clippy::derivable_impls)]
impl Default for ResponseEdit {
    fn default() -> Self {
        Self { status: None, headers: Vec::new(), attributes: Vec::new() }
    }
}

impl ResponseEdit {
    /// No change yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A new status, 200 to 599.
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// And a new body; for a [`ResponseBodyFilter`](crate::ResponseBodyFilter).
    pub fn body(self, bytes: impl Into<Vec<u8>>) -> ResponseBodyEdit {
        ResponseBodyEdit { response: self, body: Some(bytes.into()) }
    }

    change_builders!(
        headers,
        "An attribute for later plugins and logs; it gets the plugin's name and a dot as prefix."
    );
}

impl From<Vec<u8>> for ChunkAction {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Replace(bytes)
    }
}

impl From<RequestEdit> for RequestBodyEdit {
    fn from(request: RequestEdit) -> Self {
        Self { request, body: None }
    }
}

impl From<ResponseEdit> for ResponseBodyEdit {
    fn from(response: ResponseEdit) -> Self {
        Self { response, body: None }
    }
}

into_action!(RequestAction: RequestEdit => Edit, Reply => Respond);
into_action!(RequestBodyAction: RequestBodyEdit => Edit, Reply => Respond);
into_action!(ChunkAction: Reply => Respond);
into_action!(ResponseAction: ResponseEdit => Edit, Reply => Replace);
into_action!(ResponseBodyAction: ResponseBodyEdit => Edit, Reply => Replace);
