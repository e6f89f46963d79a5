//! What a template catches of a path.
//!
//! Nothing is remembered per request: a parameter is the number of a segment, and its value is looked for when somebody
//! asks. Most requests never ask, and a wrong path gives a wrong value but never a panic.

use std::sync::Arc;

use crate::config::Segment;

/// The parameters of one route. A clone allocates nothing; that of a route without parameters costs nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Params(Option<Arc<[Param]>>);

#[derive(Debug, PartialEq, Eq)]
struct Param {
    name: Box<str>,
    segment: usize,
    greedy: bool,
}

impl Params {
    pub(super) fn new(template: &[Segment]) -> Self {
        let params: Arc<[Param]> =
            template.iter().enumerate().filter_map(|(at, segment)| Param::new(at, segment)).collect();
        Self((!params.is_empty()).then_some(params))
    }

    /// What a parameter caught, in canonical form; `path` must be the one that the route was found with, not one that a
    /// filter has put in its place.
    pub(crate) fn get<'p>(&self, name: &str, path: &'p str) -> Option<&'p str> {
        let param = self.0.as_ref()?.iter().find(|param| *param.name == *name)?;
        let mut rest = path.strip_prefix('/')?;
        for _ in 0..param.segment {
            rest = rest.split_once('/')?.1;
        }
        Some(match rest.split_once('/') {
            Some((segment, _)) if !param.greedy => segment,
            _ => rest,
        })
    }
}

impl Param {
    fn new(segment: usize, part: &Segment) -> Option<Self> {
        match part {
            Segment::Literal(_) => None,
            Segment::Param(name) => Some(Self { name: name.as_str().into(), segment, greedy: false }),
            Segment::Greedy(name) => Some(Self { name: name.as_str().into(), segment, greedy: true }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_read_from_the_matched_path() {
        let template = [Segment::Param("a".into()), Segment::Literal("x".into()), Segment::Greedy("b".into())];
        let params = Params::new(&template);
        assert_eq!(params.get("a", "/1/x/2/3/"), Some("1"));
        assert_eq!(params.get("b", "/1/x/2/3/"), Some("2/3/"));
        assert_eq!(params.get("c", "/1/x/2/3/"), None);
        assert_eq!((params.get("b", "/1"), params.get("b", "*")), (None, None));
    }

    #[test]
    fn a_route_without_parameters_holds_nothing() {
        assert_eq!(Params::new(&[Segment::Literal("a".into())]), Params::default());
    }
}
