//! Query parameters and cookies: compared with a reading byte by byte, and nothing in front of a parameter hides it.

use http::HeaderValue;

use super::{all, cookie, first};
use crate::fuzz::{
    Seen,
    text::{headers, text, unescaped},
};

/// A name, a query, and fields of `cookie`, each in its line.
pub(crate) fn query(bytes: &[u8]) -> Seen {
    let text = text(bytes);
    let mut lines = text.split('\n');
    let name = unescaped(lines.next().unwrap_or_default());
    let query = lines.next().unwrap_or_default();
    let found = parameters(&name, query);
    let fields: Vec<String> = lines.map(|line| format!("cookie: {line}")).collect();
    let fields = headers(fields.iter().map(String::as_str));
    let fields: Vec<&HeaderValue> = fields.values().collect();
    Seen::accepted(found | cookies(&name, &fields))
}

fn parameters(name: &str, query: &str) -> bool {
    let expected: Vec<String> = query.split('&').filter_map(|pair| value(pair, name)).collect();
    assert_eq!(all(query, name), expected, "{name:?} in {query:?}");
    assert_eq!(first(query, name), expected.first().cloned());
    let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    let longer = format!("{query}&{}={}", encode(name), encode("a+b&c=%"));
    assert_eq!(all(&longer, name).len(), expected.len() + 1, "{query:?} hides what follows it");
    assert_eq!(all(&longer, name).last().map(String::as_str), Some("a+b&c=%"));
    !expected.is_empty()
}

/// The value in a pair, if it has that name.
fn value(pair: &str, name: &str) -> Option<String> {
    if pair.is_empty() {
        return None;
    }
    let equals = pair.find('=').unwrap_or(pair.len());
    let decode = |text: &str| {
        let (mut out, mut rest) = (Vec::new(), text.as_bytes());
        while let [byte, after @ ..] = rest {
            let digit = |at: usize| char::from(*after.get(at)?).to_digit(16);
            let escape = digit(0).zip(digit(1)).filter(|_| *byte == b'%');
            out.push(match (escape, byte) {
                (Some((high, low)), _) => (high * 16 + low) as u8,
                (None, b'+') => b' ',
                (None, byte) => *byte,
            });
            rest = &after[if escape.is_some() { 2 } else { 0 }..];
        }
        String::from_utf8_lossy(&out).into_owned()
    };
    (decode(&pair[..equals]) == name).then(|| decode(pair.get(equals + 1..).unwrap_or_default()))
}

/// Fields that were sent apart say what they say in one, as HTTP/1.1 has them.
fn cookies(name: &str, fields: &[&HeaderValue]) -> bool {
    let found = cookie(fields.iter().copied(), name);
    let joined = fields.iter().map(|field| field.as_bytes()).collect::<Vec<_>>().join(&b"; "[..]);
    let joined = HeaderValue::from_bytes(&joined).expect("values and `; ` make a value");
    assert_eq!(cookie([&joined], name), found, "{name:?} in {fields:?}");
    let text: String = joined.as_bytes().iter().copied().map(char::from).collect();
    let white = |c: char| c.is_ascii_whitespace();
    let mut pairs = text.split(';').filter_map(|pair| pair.split_once('='));
    // Names are bytes to a client, and a plugin's text is compared as such.
    let is_name = |read: &str| read.chars().map(u32::from).eq(name.bytes().map(u32::from));
    let expected =
        pairs.find(|(read, _)| is_name(read.trim_matches(white))).map(|(_, value)| value.trim_matches(white));
    assert_eq!(found.as_deref(), expected, "{name:?} in {text:?}");
    found.is_some()
}
