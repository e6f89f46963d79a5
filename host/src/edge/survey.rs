//! One look at each header of a request, for all that is asked of the whole section.

use http::{
    HeaderMap,
    header::{CONTENT_TYPE, COOKIE, EXPECT, TRANSFER_ENCODING},
};

use super::{foreign::is_doubtful, hop::is_hop_by_hop};

/// What a header section has in it. Nearly all requests have nothing to strip, and then nobody looks again: admitting a
/// request takes less than half the instructions of looking at its headers once for each question.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Survey {
    /// Fields.
    pub(crate) count: usize,
    /// Bytes of names and values.
    pub(crate) bytes: usize,
    /// Whether there is something for [`strip_hop_by_hop`](super::strip_hop_by_hop).
    pub(crate) hop_by_hop: bool,
    /// Whether there may be something for [`strip_request`](super::strip_request), beside what a route reserves.
    pub(crate) doubtful: bool,
    /// Whether there is a transfer coding.
    pub(crate) coded: bool,
    /// `Cookie` fields.
    pub(crate) cookies: usize,
    /// Whether something is expected.
    pub(crate) expects: bool,
    /// Whether the body is one of gRPC.
    pub(crate) grpc: bool,
}

impl Survey {
    /// Looks at a request's header section.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut survey = Self { count: headers.len(), ..Self::default() };
        for (name, value) in headers {
            let text = name.as_str();
            survey.bytes += text.len() + value.len();
            survey.hop_by_hop |= is_hop_by_hop(text);
            survey.doubtful |= is_doubtful(text);
            match text.as_bytes()[0] {
                b'c' if name == CONTENT_TYPE => survey.grpc |= is_grpc(value.as_bytes()),
                b'c' => survey.cookies += usize::from(name == COOKIE),
                b'e' => survey.expects |= name == EXPECT,
                b't' => survey.coded |= name == TRANSFER_ENCODING,
                _ => {}
            }
        }
        survey
    }
}

/// `application/grpc`, with a message format behind `+` or without; not gRPC-Web, which is for those who see no trailers.
pub(crate) fn is_grpc(content_type: &[u8]) -> bool {
    const NAME: &[u8] = b"application/grpc";
    content_type.split_at_checked(NAME.len()).is_some_and(|(name, rest)| {
        name.eq_ignore_ascii_case(NAME) && rest.first().is_none_or(|next| matches!(next, b'+' | b';' | b' '))
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn survey(fields: &[(&'static str, &'static str)]) -> Survey {
        let mut headers = HeaderMap::new();
        for &(name, value) in fields {
            headers.append(name, HeaderValue::from_static(value));
        }
        Survey::of(&headers)
    }

    #[test]
    fn every_field_counts_with_its_name_and_value() {
        assert_eq!(survey(&[]), Survey::default());
        let plain = survey(&[("accept", "a/b"), ("accept", "c"), ("host", "")]);
        assert_eq!(plain, Survey { count: 3, bytes: 6 + 3 + 6 + 1 + 4, ..Survey::default() });
    }

    #[test]
    fn what_needs_a_closer_look_is_seen() {
        assert!(survey(&[("te", "trailers")]).hop_by_hop && survey(&[("connection", "close")]).hop_by_hop);
        assert!(survey(&[("x_user", "a")]).doubtful && survey(&[("x-real-ip", "a")]).doubtful);
        let coded = survey(&[("transfer-encoding", "chunked")]);
        assert!(coded.coded && coded.hop_by_hop);
        assert_eq!(survey(&[("cookie", "a=b"), ("cookie", "c=d")]).cookies, 2);
        assert!(survey(&[("expect", "100-continue")]).expects);
        for (value, grpc) in [
            ("application/grpc", true),
            ("Application/gRPC+proto", true),
            ("application/grpc;x", true),
            ("application/grpc-web", false),
            ("application/grp", false),
        ] {
            assert_eq!(survey(&[("content-type", value)]).grpc, grpc, "{value}");
        }
    }
}
