//! A configuration is read or explained: every problem lies in the text and can be shown, and what was read can be served.

use http::{HeaderMap, Method};

use super::{Config, Part, Problems, Segment, Source, Target};
use crate::{
    edge::Via,
    fuzz::{Seen, text::text},
    path,
    route::{Lookup, Router},
};

/// Any text.
pub(crate) fn configuration(bytes: &[u8]) -> Seen {
    let source = Source::new("gatehouse.toml", &text(bytes));
    let read = Config::parse(source.clone());
    assert_eq!(format!("{read:?}"), format!("{:?}", Config::parse(source.clone())), "read twice, it differs");
    assert!(source.text.get(source.locate(&["routes", "a", "plugins", "0"])).is_some());
    match read {
        Ok(config) => good(&config),
        Err(problems) => explained(&problems),
    }
}

fn explained(problems: &Problems) -> Seen {
    let text = &problems.source.text;
    assert!(!problems.list.is_empty());
    for problem in &problems.list {
        assert!(
            text.get(problem.at.clone()).is_some(),
            "{:?} of {} bytes: {}",
            problem.at,
            text.len(),
            problem.message
        );
        assert!(!problem.message.is_empty() && !problem.message.contains('\n'), "{:?}", problem.message);
        let shown = problem.message.chars().chain(problem.help.iter().flat_map(|help| help.chars()));
        assert!(!shown.clone().any(char::is_control), "{:?}", shown.collect::<String>());
    }
    let shown = problems.to_string();
    assert!(shown.matches("gatehouse.toml:").count() >= problems.list.len(), "{shown}");
    Seen::Refused
}

fn good(config: &Config) -> Seen {
    assert!(!config.listeners.is_empty() && !config.routes.is_empty());
    assert!(config.server.via.is_empty() || Via::new(&config.server.via).is_some());
    for plugin in &config.plugins {
        let limits = &plugin.limits;
        assert!(plugin.config.is_object() && !limits.cpu.is_zero() && limits.cpu <= limits.time);
        assert!(plugin.cache.ttl <= plugin.cache.max_ttl && limits.memory > 0 && limits.instances > 0);
    }
    let router = Router::new(&config.routes);
    for route in &config.routes {
        assert!(!matches!(route.target, Target::Upstream(upstream) if upstream >= config.upstreams.len()));
        for &(upstream, _) in route.split.iter().flat_map(|split| &split.upstreams) {
            assert!(upstream < config.upstreams.len());
        }
        assert!(route.mirror.as_ref().is_none_or(|mirror| mirror.upstream < config.upstreams.len()));
        assert!(route.plugins.iter().all(|&plugin| plugin < config.plugins.len()));
        for part in route.upstream_headers.iter().flat_map(|(_, template)| &template.parts) {
            let named = |name: &String| route.matches.path.iter().flatten().any(|segment| is_param(segment, name));
            assert!(!matches!(part, Part::PathParam(name) if !named(name)), "{part:?} names nothing");
        }
        let method = route.matches.methods.as_ref().map_or(Method::GET, |methods| methods[0].clone());
        let host = route.matches.host.as_deref().unwrap_or("a").replace('*', "a");
        let path = example(route.matches.path.as_deref());
        assert_eq!(path::canonical(&path).as_deref(), Ok(&*path), "route `{}` can never match", route.name);
        let headers = HeaderMap::new();
        router.find(&Lookup { host: &host, method: &method, path: &path, headers: &headers });
    }
    Seen::Accepted
}

fn is_param(segment: &Segment, wanted: &str) -> bool {
    matches!(segment, Segment::Param(name) | Segment::Greedy(name) if name == wanted)
}

/// A path that a template takes.
fn example(template: Option<&[Segment]>) -> String {
    let segment = |segment: &Segment| match segment {
        Segment::Literal(text) => format!("/{text}"),
        Segment::Param(_) | Segment::Greedy(_) => "/a".to_owned(),
    };
    template.map_or_else(|| "/".to_owned(), |template| template.iter().map(segment).collect())
}
