//! Inputs with several parts are texts of lines, so that seeds can be read and written by people.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::exchange::isomorphic_encode;

/// An input as text; what is not UTF-8 in it becomes U+FFFD.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The paragraphs of a text: what stands between empty lines.
pub(crate) fn paragraphs(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.split("\n\n").map(|paragraph| paragraph.split('\n').filter(|line| !line.is_empty()).collect())
}

/// A line with its `\n`, `\r`, `\t`, `\0`, `\\` and `\xNN` (the character U+00NN) replaced.
pub(crate) fn unescaped(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let escape = &rest[at + 1..];
        let hex = escape.strip_prefix('x').and_then(|hex| u8::from_str_radix(hex.get(..2)?, 16).ok());
        let (character, width) = match (escape.as_bytes().first(), hex) {
            (_, Some(byte)) => (char::from(byte), 3),
            (Some(b'n'), _) => ('\n', 1),
            (Some(b'r'), _) => ('\r', 1),
            (Some(b't'), _) => ('\t', 1),
            (Some(b'0'), _) => ('\0', 1),
            (Some(b'\\'), _) => ('\\', 1),
            _ => ('\\', 0),
        };
        out.push(character);
        rest = &escape[width..];
    }
    out.push_str(rest);
    out
}

/// A header from `name: value`, the value in isomorphic encoding. None when it is none.
pub(crate) fn header(line: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = line.split_once(':')?;
    let value = isomorphic_encode(unescaped(value.trim_start()))?;
    Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_bytes(&value).ok()?))
}

/// The header section of some lines; those that are no headers are left out.
pub(crate) fn headers<'a>(lines: impl IntoIterator<Item = &'a str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines.into_iter().filter_map(header) {
        headers.append(name, value);
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_line_can_not_hold_is_escaped() {
        assert_eq!(unescaped(r"a\n\r\t\0\\\x7f\xe9\q\x1\"), "a\n\r\t\0\\\u{7f}\u{e9}\\q\\x1\\");
    }
}
