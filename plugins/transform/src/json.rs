//! Rules for JSON bodies. What no rule names keeps its bytes: numbers stay as long, keys stay in their order.

use std::fmt;

use gatehouse_plugin::{Result, serde_json};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{
    config::{BodyRules, NewValue},
    template::{Place, Scope},
};

/// Whether a `content-type` means JSON: `application/json` or one with the suffix `+json` (RFC 6839).
pub(crate) fn is_json(content_type: Option<String>) -> bool {
    let content_type = content_type.unwrap_or_default().to_ascii_lowercase();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    media_type == "application/json" || media_type.ends_with("+json")
}

/// Whether a `content-encoding` hides the JSON.
pub(crate) fn is_encoded(content_encoding: Option<String>) -> bool {
    content_encoding.is_some_and(|it| !it.trim().is_empty() && !it.trim().eq_ignore_ascii_case("identity"))
}

/// The new body.
pub(crate) fn edit(body: &[u8], rules: &BodyRules, scope: Scope<'_>) -> Result<Vec<u8>, serde_json::Error> {
    let mut root = Node::Raw(serde_json::from_slice(body)?);
    for pointer in &rules.remove {
        root.remove(&pointer.0)?;
    }
    for (pointer, value) in &rules.set {
        let value = match value {
            NewValue::Text(template) => template.render(scope, Place::Text).map(serde_json::Value::String),
            NewValue::Value(value) => Some(value.clone()),
        };
        if let Some(value) = value {
            root.set(&pointer.0, &value.to_string())?;
        }
    }
    let mut text = String::with_capacity(body.len());
    root.write(&mut text);
    Ok(text.into_bytes())
}

/// Where a value is: a JSON Pointer (RFC 6901) in which `*` stands for every element of an array.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pointer(Vec<String>);

impl<'de> Deserialize<'de> for Pointer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let Some(path) = text.strip_prefix('/') else {
            return Err(D::Error::custom(format!(
                "`{text}` is not a JSON Pointer: it begins with `/`, as in `/user/name`"
            )));
        };
        Ok(Self(path.split('/').map(|token| token.replace("~1", "/").replace("~0", "~")).collect()))
    }
}

/// A value, opened only on the way to what a rule names.
enum Node<'a> {
    Raw(&'a RawValue),
    New(String),
    Object(Vec<(String, Node<'a>)>),
    Array(Vec<Node<'a>>),
}

impl<'a> Node<'a> {
    /// Makes an object or array of raw text.
    fn open(&mut self) -> Result<(), serde_json::Error> {
        if let Node::Raw(raw) = *self {
            match raw.get().as_bytes().first() {
                Some(b'{') => *self = Node::Object(serde_json::from_str::<Members<'a>>(raw.get())?.0),
                Some(b'[') => {
                    let elements: Vec<&RawValue> = serde_json::from_str(raw.get())?;
                    *self = Node::Array(elements.into_iter().map(Node::Raw).collect());
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn remove(&mut self, pointer: &[String]) -> Result<(), serde_json::Error> {
        let Some((token, rest)) = pointer.split_first() else { return Ok(()) };
        self.open()?;
        match self {
            Node::Object(members) if rest.is_empty() => members.retain(|(key, _)| key != token),
            Node::Array(elements) if rest.is_empty() && token == "*" => elements.clear(),
            Node::Array(elements) if rest.is_empty() => {
                if let Some(at) = index(token).filter(|at| *at < elements.len()) {
                    elements.remove(at);
                }
            }
            _ => self.children(token).into_iter().try_for_each(|child| child.remove(rest))?,
        }
        Ok(())
    }

    /// Objects that are missing on the way are made.
    fn set(&mut self, pointer: &[String], value: &str) -> Result<(), serde_json::Error> {
        let Some((token, rest)) = pointer.split_first() else {
            *self = Node::New(value.to_owned());
            return Ok(());
        };
        self.open()?;
        match self {
            Node::Object(members) => {
                // Of a repeated key every reader takes another one: only one is left.
                let mut found = false;
                members.retain(|(key, _)| key != token || !std::mem::replace(&mut found, true));
                if !found {
                    members.push((token.clone(), Node::Object(Vec::new())));
                }
            }
            Node::Array(elements) if token == "-" => {
                let mut new = Node::Object(Vec::new());
                new.set(rest, value)?;
                elements.push(new);
            }
            _ => {}
        }
        self.children(token).into_iter().try_for_each(|child| child.set(rest, value))
    }

    /// What a token names within an opened value.
    fn children(&mut self, token: &str) -> Vec<&mut Self> {
        match self {
            Node::Object(members) => {
                members.iter_mut().filter(|(key, _)| key == token).map(|(_, value)| value).collect()
            }
            Node::Array(elements) => {
                let named = elements.iter_mut().enumerate().filter(|(at, _)| token == "*" || index(token) == Some(*at));
                named.map(|(_, element)| element).collect()
            }
            Node::Raw(_) | Node::New(_) => Vec::new(),
        }
    }

    fn write(&self, text: &mut String) {
        match self {
            Node::Raw(raw) => text.push_str(raw.get()),
            Node::New(value) => text.push_str(value),
            Node::Object(members) => {
                text.push('{');
                for (at, (key, value)) in members.iter().enumerate() {
                    text.push_str(if at == 0 { "" } else { "," });
                    text.push_str(&serde_json::Value::from(key.as_str()).to_string());
                    text.push(':');
                    value.write(text);
                }
                text.push('}');
            }
            Node::Array(elements) => {
                text.push('[');
                for (at, element) in elements.iter().enumerate() {
                    text.push_str(if at == 0 { "" } else { "," });
                    element.write(text);
                }
                text.push(']');
            }
        }
    }
}

/// An element's number: digits without a leading zero.
fn index(token: &str) -> Option<usize> {
    let plain = token == "0" || !token.starts_with(['0', '+']);
    token.parse().ok().filter(|_| plain)
}

/// The members of an object in their order, repeated keys included.
struct Members<'a>(Vec<(String, Node<'a>)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, &'de RawValue>()? {
                    members.push((key, Node::Raw(value)));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}
