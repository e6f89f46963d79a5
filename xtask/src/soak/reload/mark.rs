//! What makes a generation visible. A configuration writes its number into the route and into what two plugins do in three
//! hooks; the component that both plugins run says its version. All of it must be of one generation, in every request.

use std::time::Duration;

use serde_json::Value;

use crate::soak::{
    connection::Answer,
    load::{self, Traffic},
    upstream::{Received, Reply},
};

/// What a generation says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) configuration: u64,
    pub(super) component: u8,
}

impl Mark {
    /// The configuration's text, but for the upstream.
    pub(super) fn configuration(self) -> String {
        let number = self.configuration;
        let plugin = |name: &str| {
            format!(
                "[plugins.{name}]\ncomponent = \"probe.wasm\"\ncache = {{ ttl = \"0s\" }}\n\
                 config.authorize = {{ act = \"version\", attributes = {{ mark-{name} = \"{number}\" }} }}\n\
                 config.on_request = {{ act = \"version\", set_headers = {{ x-request-{name} = \"{number}\" }} }}\n\
                 config.on_response = {{ act = \"version\", set_headers = {{ x-response-{name} = \"{number}\" }} }}\n"
            )
        };
        let upstream_headers = format!(
            "x-route = \"{number}\", x-authorize-a = \"${{auth.mark-a}}\", x-authorize-b = \"${{auth.mark-b}}\", \
             x-version-a = \"${{a.act}}\", x-version-b = \"${{b.act}}\", x-version = \"${{auth.act}}\""
        );
        format!(
            "{}{}[routes.marked]\npath = \"/marked/{{number}}\"\nplugins = [\"a\", \"b\"]\nupstream = \"up\"\n\
             upstream_headers = {{ {upstream_headers} }}\n",
            plugin("a"),
            plugin("b")
        )
    }
}

/// Where the upstream finds the configuration's number.
const NUMBERS: [&str; 5] = ["x-route", "x-authorize-a", "x-authorize-b", "x-request-a", "x-request-b"];

/// Where the upstream finds the component's version.
const VERSIONS: [&str; 3] = ["x-version", "x-version-a", "x-version-b"];

/// Where the client finds the configuration's number, beside what the upstream repeats.
const ANSWERED: [&str; 2] = ["x-response-a", "x-response-b"];

/// One exchange of so many is so slow that what serves is replaced meanwhile. It must end as it began.
const SLOW: u64 = 4096;
const DELAY: Duration = Duration::from_millis(250);

/// The upstream's answer. Its body is what it saw: the path, then a line for each mark.
pub(super) fn reply(received: &Received<'_>) -> Reply {
    let marks = NUMBERS.iter().chain(&VERSIONS).map(|name| received.header(name).unwrap_or("none"));
    let seen = std::iter::once(received.target).chain(marks).collect::<Vec<_>>().join("\n");
    let number = received.target.rsplit('/').next().and_then(|number| number.parse::<u64>().ok());
    let slow = number.is_some_and(|number| number.is_multiple_of(SLOW));
    Reply { delay: if slow { DELAY } else { Duration::ZERO }, body: seen.into_bytes(), ..Reply::default() }
}

/// Requests whose answers must be of one generation. Whoever wants it is told which.
pub(super) struct Marked<F: Fn(u64, Mark) + Sync>(pub(super) F);

impl<F: Fn(u64, Mark) + Sync> Traffic for Marked<F> {
    fn request(&self, number: u64) -> Vec<Vec<u8>> {
        vec![load::get(&format!("/marked/{number}"))]
    }

    fn answered(&self, number: u64, answer: &Answer) -> Result<(), String> {
        let body = std::str::from_utf8(&answer.body).unwrap_or("not UTF-8");
        if answer.status != 200 {
            return Err(format!("{} {body}", answer.status));
        }
        let mut lines = body.lines();
        if lines.next() != Some(&format!("/marked/{number}")) {
            return Err(format!("the answer to another request, or none: {body}"));
        }
        let lines: Vec<_> = lines.collect();
        if lines.len() != NUMBERS.len() + VERSIONS.len() {
            return Err(format!("not what the upstream has sent: {body}"));
        }
        let (numbers, versions) = lines.split_at(NUMBERS.len());
        let answered = ANSWERED.map(|name| answer.header(name).unwrap_or("none"));
        let configuration = same(numbers.iter().chain(&answered).map(|number| number.parse().ok()));
        let component = same(versions.iter().map(|version| version_of(version)));
        match (configuration, component) {
            (Some(configuration), Some(component)) => (self.0)(number, Mark { configuration, component }),
            _ => return Err(format!("generations are mixed: {answered:?} {body:?}")),
        }
        Ok(())
    }
}

/// What an access line tells of the component's version, in the attributes of both plugins' last hooks.
pub(super) fn logged_version(access: &Value) -> Option<u8> {
    let attributes: Value = serde_json::from_str(access["attributes"].as_str()?).ok()?;
    same(["auth.act", "a.act", "b.act"].iter().map(|name| version_of(attributes[*name].as_str()?)))
}

/// The number in `version of the probe: 07`.
fn version_of(text: &str) -> Option<u8> {
    text.strip_prefix("version of the probe: ")?.parse().ok()
}

/// The one value that all have.
fn same<T: PartialEq>(mut values: impl Iterator<Item = Option<T>>) -> Option<T> {
    let first = values.next()??;
    values.all(|value| value.as_ref() == Some(&first)).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soak::{connection::Connection, upstream};

    /// What is thought of an answer in which the line `from` is another.
    fn judged(from: &'static str, to: &'static str) -> Result<(), String> {
        let body =
            "/marked/5\n3\n3\n3\n3\n3\nversion of the probe: 01\nversion of the probe: 01\nversion of the probe: 01";
        let address = upstream::start(move |_| upstream::Reply {
            headers: "x-response-a: 3\r\nx-response-b: 3\r\n".replacen(from, to, 1),
            body: body.replacen(from, to, 1).into_bytes(),
            ..upstream::Reply::default()
        });
        let marked = Marked(|_, mark| assert_eq!(mark, Mark { configuration: 3, component: 1 }));
        let mut connection = Connection::open(address.expect("a port")).expect("it listens");
        let request = marked.request(5);
        marked.answered(5, &connection.ask(&[&request[0]]).expect("an answer"))
    }

    #[test]
    fn one_mark_of_another_generation_is_noticed() {
        assert_eq!(judged("nothing", "changes"), Ok(()));
        for (from, to) in [("\n3\n", "\n4\n"), ("3\nversion", "none\nversion"), ("b: 3", "b: 4"), ("01", "02")] {
            assert!(judged(from, to).is_err_and(|why| why.contains("mixed")), "{from}");
        }
        assert!(judged("/marked/5", "/marked/6").is_err());
    }
}
