//! The one canonical form of a request path.
//!
//! It is made once, and the same text is matched against routes, shown to plugins and sent upstream. Most ways around
//! an access rule are two readings of one path; here there is only one. Two spellings that an upstream could take for
//! each other either become the same text or are refused with 400.
//!
//! | in the path | becomes | why |
//! |---|---|---|
//! | no `/` in front | refused | only the origin form has a path (RFC 9112 section 3.2.1) |
//! | `%41`, `%7e`, `%2E` (unreserved) | `A`, `~`, `.` | equivalent (RFC 3986 section 6.2.2.2) |
//! | `%3a`, `%c3%a9` (all others) | `%3A`, `%C3%A9` | hex has no case (6.2.2.1); reserved characters differ (2.2) |
//! | `%25` | `%25` | decoding happens once: `%252e` is the text `%2e`, never a dot |
//! | `%2F`, `%5C`, `\` | refused | upstreams disagree on whether these separate segments |
//! | `%00` to `%1F`, `%7F`, the same raw, a raw space | refused | they cut strings short and split lines |
//! | `%` without two hex digits | refused | `%u002e` and `%2` have as many readings as decoders |
//! | `%C0%AE`, `%80`, `%ED%A0%80` (not UTF-8) | refused | overlong forms of `.` and `/` (RFC 3629 section 10) |
//! | bytes from 0x80 on, raw | refused | not allowed in a URI; the sender's encoding is unknown |
//! | `?`, `#` | refused | they end a path; only a plugin's new path can have them |
//! | `"` `<` `>` `[` `]` `^` `` ` `` `{` `\|` `}` | `%22` ... | not allowed raw, yet browsers send some of them so |
//! | `//` | `/` | most upstreams merge them, so `//admin` must not be another path than `/admin` |
//! | `/./`, `/a/../` | removed | section 5.2.4; after slashes were merged, as nginx does: `/a//../b` is `/b` |
//! | `..` at the root | refused | the RFC drops it; nobody but a prober sends it |
//! | `/..;x/`, `/.;x/` (also `%3B`) | refused | servlet containers cut `;x` off and then see a dot segment |
//! | `;x=1` elsewhere | kept | see below |
//! | a `/` at the end | kept | `/a` and `/a/` are two paths |
//! | letter case | kept | paths have case |
//!
//! `;params` are plain text of their segment, for the router, for plugins and on the way upstream: nobody here cuts
//! them off, so nobody here is misled. An upstream that does cut them off (a servlet container) takes `/admin;x` for
//! `/admin`; in front of one, rules belong on a whole prefix (`/{path+}`) with exceptions for what is open, not the
//! other way round.

pub(crate) mod fuzz;

use std::borrow::Cow;

/// Why a path has no canonical form. The message is fit for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It does not begin with `/`.
    #[error("the path does not begin with a slash")]
    NotAbsolute,
    /// A raw character that no path may have.
    #[error("the path has a character that must be percent-encoded")]
    Character,
    /// A `%` without two hex digits.
    #[error("the path has a malformed percent-encoding")]
    Escape,
    /// `\`, `%5C` or `%2F`.
    #[error("the path has a backslash or an encoded slash")]
    Separator,
    /// A control character, raw or encoded.
    #[error("the path has a control character")]
    Control,
    /// Encoded bytes that are not UTF-8.
    #[error("the path is not UTF-8")]
    NotUtf8,
    /// A `..` at the root.
    #[error("the path climbs above the root")]
    AboveRoot,
    /// A dot segment with `;params`.
    #[error("the path has a dot segment with parameters")]
    DotParams,
}

/// The canonical form of a path; borrowed when it already has it.
///
/// It is idempotent, pure ASCII, and percent-decoding it once gives UTF-8 with the same number of segments, none of
/// them `.` or `..`.
pub fn canonical(path: &str) -> Result<Cow<'_, str>, PathError> {
    let Some(rest) = path.strip_prefix('/') else { return Err(PathError::NotAbsolute) };
    if is_canonical(path.as_bytes()) { Ok(Cow::Borrowed(path)) } else { rewrite(rest.as_bytes()).map(Cow::Owned) }
}

/// What a raw byte means in a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Stays: `pchar` of RFC 3986 section 3.3 without `.` and `%`.
    Plain,
    Dot,
    Slash,
    Percent,
    /// Printable, but must be percent-encoded.
    Encode,
    Backslash,
    Control,
    /// Anything else.
    Foreign,
}

/// The class of each byte.
const CLASSES: [Class; 256] = {
    let mut classes = [Class::Foreign; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => Class::Plain,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b':' | b'@' => Class::Plain,
            b'.' => Class::Dot,
            b'/' => Class::Slash,
            b'%' => Class::Percent,
            b'"' | b'<' | b'>' | b'[' | b']' | b'^' | b'`' | b'{' | b'|' | b'}' => Class::Encode,
            b'\\' => Class::Backslash,
            0..=0x1F | 0x7F => Class::Control,
            _ => Class::Foreign,
        };
        byte += 1;
    }
    classes
};

fn class(byte: u8) -> Class {
    CLASSES[usize::from(byte)]
}

/// Whether [`rewrite`] would change nothing. One look at each byte, as nearly all requests need no more.
fn is_canonical(path: &[u8]) -> bool {
    let mut at = 1;
    while let Some(&byte) = path.get(at) {
        at += match class(byte) {
            Class::Plain => 1,
            Class::Slash if path[at - 1] != b'/' => 1,
            Class::Dot if path[at - 1] != b'/' || !is_dot_segment(&path[at..]) => 1,
            Class::Percent => match Escape::read(&path[at..]) {
                Ok(Escape::Kept(width)) if !path[at..at + width].iter().any(u8::is_ascii_lowercase) => width,
                _ => return false,
            },
            _ => return false,
        };
    }
    true
}

/// Whether a path continues with `.` or `..` as a whole segment, or as one that is cut short by `;`.
fn is_dot_segment(rest: &[u8]) -> bool {
    let rest = &rest[1..];
    let rest = rest.strip_prefix(b".").unwrap_or(rest);
    matches!(rest.first(), None | Some(b'/' | b';')) || rest.starts_with(b"%3B")
}

/// Makes the canonical form of a path whose first slash was taken off.
fn rewrite(mut rest: &[u8]) -> Result<String, PathError> {
    let mut out = String::with_capacity(rest.len() + 1);
    out.push('/');
    while let Some(&byte) = rest.first() {
        let mut width = 1;
        match class(byte) {
            Class::Plain | Class::Dot => out.push(char::from(byte)),
            Class::Slash => {
                if close_segment(&mut out)? {
                    out.push('/');
                }
            }
            Class::Encode => out.extend(['%', hex_digit(byte >> 4), hex_digit(byte & 15)]),
            Class::Percent => match Escape::read(rest)? {
                Escape::Decoded(byte) => {
                    out.push(char::from(byte));
                    width = 3;
                }
                Escape::Kept(kept) => {
                    out.extend(rest[..kept].iter().map(|byte| char::from(byte.to_ascii_uppercase())));
                    width = kept;
                }
            },
            Class::Backslash => return Err(PathError::Separator),
            Class::Control => return Err(PathError::Control),
            Class::Foreign => return Err(PathError::Character),
        }
        rest = &rest[width..];
    }
    close_segment(&mut out)?;
    Ok(out)
}

/// Ends the last segment of `out`, which always has a slash: removes it if it is a dot segment. Tells whether text is
/// left of it, so that a slash may follow.
fn close_segment(out: &mut String) -> Result<bool, PathError> {
    let start = out.rfind('/').map_or(0, |slash| slash + 1);
    match &out[start..] {
        "" => Ok(false),
        "." => {
            out.truncate(start);
            Ok(false)
        }
        ".." => {
            let parent = out[..start - 1].rfind('/').ok_or(PathError::AboveRoot)?;
            out.truncate(parent + 1);
            Ok(false)
        }
        segment if segment.starts_with('.') && is_dot_segment(segment.as_bytes()) => Err(PathError::DotParams),
        _ => Ok(true),
    }
}

/// What the percent-encoding at the beginning of a text means.
enum Escape {
    /// Three bytes that stand for this unreserved character.
    Decoded(u8),
    /// So many bytes stay: one encoded ASCII character or all of one encoded UTF-8 character.
    Kept(usize),
}

impl Escape {
    fn read(rest: &[u8]) -> Result<Self, PathError> {
        match decode(rest).ok_or(PathError::Escape)? {
            b'/' | b'\\' => Err(PathError::Separator),
            0..=0x1F | 0x7F => Err(PathError::Control),
            byte @ (b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~') => Ok(Self::Decoded(byte)),
            0x20..0x7F => Ok(Self::Kept(3)),
            0xC2..=0xDF => utf8::<2>(rest),
            0xE0..=0xEF => utf8::<3>(rest),
            0xF0..=0xF4 => utf8::<4>(rest),
            _ => Err(PathError::NotUtf8),
        }
    }
}

/// Checks an encoded character of `N` bytes.
fn utf8<const N: usize>(rest: &[u8]) -> Result<Escape, PathError> {
    let mut character = [0; N];
    for (at, byte) in character.iter_mut().enumerate() {
        *byte = rest.get(at * 3..).and_then(decode).ok_or(PathError::NotUtf8)?;
    }
    std::str::from_utf8(&character).map_err(|_| PathError::NotUtf8)?;
    Ok(Escape::Kept(N * 3))
}

/// The byte that `%XX` stands for.
fn decode(rest: &[u8]) -> Option<u8> {
    let &[b'%', high, low, ..] = rest else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

fn hex_digit(half: u8) -> char {
    char::from(b"0123456789ABCDEF"[usize::from(half & 15)])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[track_caller]
    fn becomes(path: &str, expected: &str) {
        assert_eq!(canonical(path).as_deref(), Ok(expected), "{path}");
    }

    #[track_caller]
    fn all_refused(paths: &[&str], error: PathError) {
        for path in paths {
            assert_eq!(canonical(path), Err(error), "{path}");
        }
    }

    #[test]
    fn a_canonical_path_is_borrowed() {
        for path in ["/", "/a", "/a/", "/a.b/.c/..d/...", "/%20/%C3%A9/%25", "/a;v=1/b,c:d@e!$&'()*+=~", "/..%20/.%3A"]
        {
            assert!(matches!(canonical(path), Ok(Cow::Borrowed(same)) if same == path), "{path}");
        }
    }

    #[test]
    fn each_row_of_the_table_holds() {
        becomes("/%41%7e%2D", "/A~-");
        becomes("/%3a%c3%a9%20", "/%3A%C3%A9%20");
        becomes("/%252e%252e/a", "/%252e%252e/a");
        becomes("/a[0]|{x}", "/a%5B0%5D%7C%7Bx%7D");
        becomes("//a///b//", "/a/b/");
        becomes("/a/./b/../c/%2e%2E/d/.", "/a/d/");
        becomes("/a//../b", "/b");
        becomes("/a/..", "/");
        becomes("/A;x=1/b", "/A;x=1/b");
        all_refused(&["", "a", "*", "a/b", "http://a/"], PathError::NotAbsolute);
        all_refused(&["/é", "/a?b", "/a#b"], PathError::Character);
        all_refused(&["/%", "/%2", "/%u002e", "/%zz", "/%+1", "/a%2/b"], PathError::Escape);
        all_refused(&["/a%2fb", "/a%2Fb", "/a%5cb", "/a\\..\\b"], PathError::Separator);
        all_refused(&["/%00", "/a%0d%0a", "/%7f", "/\t", "/\u{7f}"], PathError::Control);
        all_refused(&["/%c0%ae", "/%80", "/%e0%80%af", "/%ed%a0%80", "/%f4%90%80%80", "/%c3/%a9"], PathError::NotUtf8);
        all_refused(&["/..", "/../a", "/a/../../b", "/%2e%2e/", "/./..//", "//.."], PathError::AboveRoot);
        all_refused(&["/a/..;/b", "/.;x", "/a/%2e%2e;x=1", "/..%3b/a"], PathError::DotParams);
    }

    /// Ways around a rule for `/admin` that have worked on other gateways.
    #[test]
    fn no_spelling_of_a_path_gets_around_its_rule() {
        let spellings = [
            "//admin /./admin /x/../admin /%61dmin /%2e/admin /x/%2e%2e/admin /x//../admin",
            "/%2Fadmin /x/..%2fadmin /\\admin /x\\..\\admin /x/..;/admin /%c0%afadmin /%ef%bc%8fadmin%00",
            "/admin%00 /admin%0a /%u0061dmin /x/.%2e/admin /%c1%a1dmin /%e0%81%a1dmin",
        ];
        for path in spellings.iter().flat_map(|line| line.split(' ')) {
            assert!(canonical(path).is_err() || canonical(path).as_deref() == Ok("/admin"), "{path}");
        }
    }

    #[test]
    fn a_generated_path_has_one_reading() {
        let pieces = "/ / / // . .. %2e %2E ; %3b %3B a B %61 %7e %25 %252f %c3%a9 %F0%9F%98%80 | { : %40 %20";
        let pieces: Vec<&str> = pieces.split(' ').collect();
        let mut state = 7_u64;
        let mut accepted = 0;
        for _ in 0..100_000 {
            let mut path = String::from("/");
            for _ in 0..10 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                path.push_str(pieces[(state >> 33) as usize % pieces.len()]);
            }
            let Ok(once) = canonical(&path) else { continue };
            accepted += 1;
            assert!(matches!(canonical(&once), Ok(Cow::Borrowed(twice)) if twice == once), "{path} {once}");
            let decoded = percent_encoding::percent_decode_str(&once).decode_utf8().unwrap();
            assert_eq!(once.split('/').count(), decoded.split('/').count(), "{path} {once}");
            assert!(!decoded.contains("//"), "{path} {once}");
            assert!(
                decoded.split('/').all(|segment| !matches!(segment.split(';').next(), Some("." | ".."))),
                "{path} {once}"
            );
        }
        assert!(accepted > 10_000, "{accepted}");
    }
}
