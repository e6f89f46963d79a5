//! The path templates of one host as a tree of segments.
//!
//! A search goes into a node only if the beginning of the path matches that node's beginning of a template, at most
//! once, and each step costs one look into a table: the time does not depend on how many routes stand beside it. It is
//! worst when a path leads into every node of the tree, which takes templates with all combinations of literal and
//! `{param}` at each depth, written by the operator. A path alone can not do it, and what it has beyond the deepest
//! template is never looked at. A template has at most 64 segments (the configuration sees to that), and so has the
//! recursion.

use std::borrow::Cow;

use super::{
    hash::FastMap,
    leaf::{Candidate, Leaf},
};
use crate::config::Segment;

/// The routes of one host.
#[derive(Debug, Default)]
pub(super) struct Tree {
    root: Node,
    /// Routes without a path.
    default: Leaf,
}

/// A beginning of some templates.
#[derive(Debug, Default)]
struct Node {
    /// By their [`key`].
    literals: FastMap<Node>,
    param: Option<Box<Node>>,
    /// Templates that end here with `{rest+}`.
    greedy: Leaf,
    /// Templates that end here.
    end: Leaf,
}

impl Tree {
    /// Adds a route. `/` is the template of one empty literal, or of nothing.
    pub(super) fn insert(&mut self, path: Option<&[Segment]>, candidate: Candidate) {
        let Some(mut path) = path else { return self.default.insert(candidate) };
        let root = [Segment::Literal(String::new())];
        if path.is_empty() {
            path = &root;
        }
        let mut node = &mut self.root;
        for segment in path {
            node = match segment {
                Segment::Literal(text) => node.literals.entry(key(text).into()).or_default(),
                Segment::Param(_) => node.param.get_or_insert_default(),
                Segment::Greedy(_) => return node.greedy.insert(candidate),
            };
        }
        node.end.insert(candidate);
    }

    /// Shows `visit` the leaves that match, the most specific first, until it takes one.
    pub(super) fn search<'r>(&'r self, path: &str, visit: &mut dyn FnMut(&'r Leaf) -> Option<usize>) -> Option<usize> {
        let found = path.strip_prefix('/').and_then(|rest| self.root.search(Some(rest), visit));
        found.or_else(|| visit(&self.default))
    }
}

impl Node {
    /// `rest` is what follows the slash after this node's segment; None when no slash follows.
    fn search<'r>(&'r self, rest: Option<&str>, visit: &mut dyn FnMut(&'r Leaf) -> Option<usize>) -> Option<usize> {
        let Some(rest) = rest else { return visit(&self.end) };
        let (segment, next) = match rest.bytes().position(|byte| byte == b'/') {
            Some(slash) => (&rest[..slash], Some(&rest[slash + 1..])),
            None => (rest, None),
        };
        if let Some(node) = self.literal(segment)
            && let Some(route) = node.search(next, visit)
        {
            return Some(route);
        }
        // In a canonical path only the last segment can be empty, and no parameter takes that.
        if rest.is_empty() {
            return None;
        }
        if let Some(node) = &self.param
            && let Some(route) = node.search(next, visit)
        {
            return Some(route);
        }
        visit(&self.greedy)
    }

    fn literal(&self, segment: &str) -> Option<&Node> {
        if self.literals.is_empty() {
            return None;
        }
        self.literals.get(segment).or_else(|| match key(segment) {
            Cow::Borrowed(_) => None,
            Cow::Owned(key) => self.literals.get(key.as_str()),
        })
    }
}

/// A segment with its encoded reserved characters decoded: what the spellings of one segment have in common. Borrowed
/// when it has nothing encoded.
fn key(segment: &str) -> Cow<'_, str> {
    let Some(first) = segment.find('%') else { return Cow::Borrowed(segment) };
    let mut key = String::with_capacity(segment.len());
    let mut rest = segment;
    let mut at = Some(first);
    while let Some(percent) = at {
        let (before, escape) = rest.split_at(percent);
        key.push_str(before);
        match escape.get(..3).and_then(reserved) {
            Some(character) => key.push(character),
            None => key.push_str(escape.get(..3).unwrap_or(escape)),
        }
        rest = escape.get(3..).unwrap_or_default();
        at = rest.find('%');
    }
    key.push_str(rest);
    Cow::Owned(key)
}

/// The character for its canonical percent-encoding, if it is a reserved one that may also stand raw in a segment
/// (`sub-delims`, `:` and `@` of RFC 3986 section 3.3).
fn reserved(escape: &str) -> Option<char> {
    Some(match escape {
        "%21" => '!',
        "%24" => '$',
        "%26" => '&',
        "%27" => '\'',
        "%28" => '(',
        "%29" => ')',
        "%2A" => '*',
        "%2B" => '+',
        "%2C" => ',',
        "%3A" => ':',
        "%3B" => ';',
        "%3D" => '=',
        "%40" => '@',
        _ => return None,
    })
}
