//! A route's path: `/pets/{id}/files/{rest+}`.
//!
//! Requests are matched by the canonical form of their path (RFC 3986 section 6.2.2), and some spellings are refused
//! before that. A literal that is not in that form could never match, so it is a problem here.

use crate::config::{
    Segment,
    problem::{Problem, quoted},
    value::Node,
};

/// The router searches with one step of recursion for each.
const MAX_SEGMENTS: usize = 64;

/// The segments of a path; all that is wrong with it is reported.
pub(super) fn path(node: Node<'_>) -> Result<Vec<Segment>, Problem> {
    let text = node.text()?;
    let Some(rest) = text.strip_prefix('/') else {
        let problem = node.problem("a path begins with `/`");
        return Err(problem.help(format!("write {}", quoted(&format!("/{text}")))));
    };
    let count = rest.split('/').count();
    if count > MAX_SEGMENTS {
        return Err(node.problem(format!("a path has at most {MAX_SEGMENTS} segments, not {count}")));
    }
    let mut segments: Vec<Segment> = Vec::with_capacity(count);
    let mut at = 1;
    for (index, raw) in rest.split('/').enumerate() {
        let range = at..at + raw.len();
        at = range.end + 1;
        let last = index + 1 == count;
        let checked = segment(raw, last).map_err(|problem| {
            let at = range.start + problem.at.start..range.start + problem.at.end;
            Problem { at, ..problem }
        });
        let checked = checked.and_then(|segment| match name(&segment) {
            Some(new) if segments.iter().any(|other| name(other) == Some(new)) => {
                Err(Problem::at(range, format!("`{new}` is already the name of an earlier parameter")))
            }
            _ => Ok(segment),
        });
        match checked {
            Ok(segment) => segments.push(segment),
            Err(problem) => node.context.report(node.within(problem)),
        }
    }
    Ok(segments)
}

/// The parameter's name.
pub(super) fn name(segment: &Segment) -> Option<&str> {
    match segment {
        Segment::Literal(_) => None,
        Segment::Param(name) | Segment::Greedy(name) => Some(name),
    }
}

fn segment(raw: &str, last: bool) -> Result<Segment, Problem> {
    let all = 0..raw.len();
    let bad = |message: &str| Problem::at(all.clone(), message);
    let Some(inner) = raw.strip_prefix('{').and_then(|raw| raw.strip_suffix('}')) else {
        return literal(raw, last);
    };
    let (name, greedy) = inner.strip_suffix('+').map_or((inner, false), |name| (name, true));
    if inner.contains(['{', '}']) {
        return Err(bad("a segment has at most one parameter"));
    }
    if name.is_empty() || name.len() > 64 || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)) {
        return Err(bad("this is not a parameter").help("1 to 64 letters, digits, `-`, `_`: `{id}`, `{rest+}`"));
    }
    match (greedy, last) {
        (true, false) => {
            Err(bad("a greedy parameter can only be the last segment").help(format!("write `{{{name}}}`")))
        }
        (true, true) => Ok(Segment::Greedy(name.to_owned())),
        (false, _) => Ok(Segment::Param(name.to_owned())),
    }
}

fn literal(raw: &str, last: bool) -> Result<Segment, Problem> {
    let bad = |message: &str| Problem::at(0..raw.len(), message);
    match raw {
        "" if !last => return Err(bad("a segment is empty").help("leave one `/` out")),
        "." | ".." => return Err(bad("`.` and `..` are resolved before a request is routed").help("leave them out")),
        _ if dot_with_parameters(raw) => {
            return Err(bad("this route can never match: a dot segment with `;` is refused with 400"));
        }
        "*" | "**" => return Err(bad("`*` is not a wildcard here").help("write `{name}`, or `{rest+}` at the end")),
        _ => {}
    }
    if raw.len() > 1 && raw.starts_with(':') {
        return Err(bad("this is not a parameter").help(format!("write {}", quoted(&format!("{{{}}}", &raw[1..])))));
    }
    if let Some(at) = raw.find(['{', '}']) {
        let problem = Problem::at(at..at + 1, "a brace in the middle of a segment");
        return Err(problem.help("a parameter is a whole segment: `/{id}/`"));
    }
    for (at, c) in raw.char_indices() {
        let here = at..at + c.len_utf8();
        match c {
            '%' => encoded(&raw[at..]).map_err(|help| {
                let escape: String = raw[at..].chars().take(3).collect();
                Problem::at(at..at + escape.len(), format!("no canonical path has {}", quoted(&escape))).help(help)
            })?,
            '?' | '#' => return Err(Problem::at(here, format!("a path has no `{c}`")).help("only the path is matched")),
            'A'..='Z' | 'a'..='z' | '0'..='9' => {}
            _ if "-._~!$&'()*+,;=:@".contains(c) => {}
            '\\' | '\0'..='\x1f' | '\x7f' => {
                let message =
                    format!("this route can never match: {} in a path is refused with 400", quoted(&c.to_string()));
                return Err(Problem::at(here, message));
            }
            _ => {
                let problem = Problem::at(here, format!("a path cannot hold `{}` as it is", c.escape_debug()));
                return Err(problem.help(format!("percent-encode it: `{}`", percent_encoded(c))));
            }
        }
    }
    match percent_decoded(raw) {
        Some(bytes) if std::str::from_utf8(&bytes).is_ok() => Ok(Segment::Literal(raw.to_owned())),
        _ => Err(bad("this route can never match: a path that is not UTF-8 is refused with 400")),
    }
}

/// `..;x` becomes `..` in upstreams that cut parameters off.
fn dot_with_parameters(raw: &str) -> bool {
    let rest = raw.strip_prefix("..").or_else(|| raw.strip_prefix('.'));
    rest.is_some_and(|rest| rest.starts_with(';') || rest.starts_with("%3B"))
}

/// Checks the encoding that `rest` begins with; else what to write instead. Unreserved characters stand for themselves
/// and hexadecimal digits are upper case (RFC 3986 section 6.2.2).
fn encoded(rest: &str) -> Result<(), String> {
    let byte = rest.get(1..3).filter(|hex| hex.bytes().all(|digit| digit.is_ascii_hexdigit()));
    let Some((hex, byte)) = byte.and_then(|hex| Some((hex, u8::from_str_radix(hex, 16).ok()?))) else {
        return Err("`%` is followed by two hexadecimal digits; the character itself is `%25`".to_owned());
    };
    match char::from(byte) {
        '/' | '\\' | '\0'..='\x1f' | '\x7f' => {
            Err("a request with it is refused with 400, so it can never match".to_owned())
        }
        c if c.is_ascii_alphanumeric() || "-._~".contains(c) => Err(format!("write `{c}`")),
        _ if hex.bytes().any(|digit| digit.is_ascii_lowercase()) => Err(format!("write `%{byte:02X}`")),
        _ => Ok(()),
    }
}

fn percent_encoded(c: char) -> String {
    let mut bytes = [0; 4];
    c.encode_utf8(&mut bytes).bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// The bytes that a literal stands for.
fn percent_decoded(raw: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(first) = rest.bytes().next() {
        let width = if first == b'%' { 3 } else { 1 };
        let (head, tail) = rest.split_at_checked(width)?;
        bytes.push(if first == b'%' { u8::from_str_radix(&head[1..], 16).ok()? } else { first });
        rest = tail;
    }
    Some(bytes)
}
