//! A path has one reading: compared with one that decodes each segment by itself and then walks over them.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::{canonical, is_canonical, rewrite};
use crate::fuzz::{Seen, text::text};

/// Any path.
pub(crate) fn path(bytes: &[u8]) -> Seen {
    let path = text(bytes);
    let expected = reading(&path);
    let Ok(once) = canonical(&path) else {
        assert_eq!(expected, None, "{path:?} has a reading, and was refused");
        return Seen::Refused;
    };
    assert!(once.is_ascii() && once.starts_with('/'), "{once:?}");
    assert!(matches!(canonical(&once), Ok(Cow::Borrowed(twice)) if twice == once), "{path:?}: {once:?} is not final");
    assert_eq!(reading(&once), expected, "{path:?}: {once:?} reads otherwise");
    assert!(expected.is_some(), "{path:?} has no reading, and became {once:?}");
    if is_canonical(path.as_bytes()) {
        assert_eq!(rewrite(&path.as_bytes()[1..]).as_deref(), Ok(&*path), "the two ways differ");
    }
    http::uri::PathAndQuery::try_from(&*once).expect("a canonical path is one to `http` too");
    Seen::Accepted
}

/// The decoded segments of a path without its dot segments, the last one empty where a slash ends it; None when it has no
/// reading that all agree on.
fn reading(path: &str) -> Option<Vec<String>> {
    let mut segments: Vec<String> = Vec::new();
    let mut open = true;
    for raw in path.strip_prefix('/')?.split('/') {
        let segment = decoded(raw)?;
        open = matches!(segment.as_str(), "" | "." | "..");
        match segment.as_str() {
            "" | "." => {}
            ".." => drop(segments.pop()?),
            _ if matches!(segment.split_once(';'), Some(("." | "..", _))) => return None,
            _ => segments.push(segment),
        }
    }
    if open {
        segments.push(String::new());
    }
    Some(segments)
}

fn decoded(raw: &str) -> Option<String> {
    let fine = |byte: u8| matches!(byte, 0x21..0x7F) && !matches!(byte, b'?' | b'#' | b'\\');
    let mut escapes = raw.split('%');
    let plain = escapes.next().is_some() && raw.bytes().all(fine);
    let whole = |escape: &str| escape.len() >= 2 && escape.bytes().take(2).all(|digit| digit.is_ascii_hexdigit());
    if !plain || !escapes.all(whole) {
        return None;
    }
    let segment = percent_decode_str(raw).decode_utf8().ok()?.into_owned();
    (!segment.chars().any(|c| c.is_ascii_control() || c == '/' || c == '\\')).then_some(segment)
}
