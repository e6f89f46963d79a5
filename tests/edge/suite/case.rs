//! Cases as they are written down: groups of them, with what they have in common.

use std::{collections::BTreeMap, fmt, fs, path::PathBuf};

use serde::Deserialize;

use super::{super::ALL, http2::Frames};

/// A file of cases, with the configuration that they are for.
pub(super) struct File {
    pub(super) configuration: String,
    pub(super) cases: Vec<Case>,
}

/// What is sent, and what must become of it.
pub(super) struct Case {
    pub(super) name: String,
    /// The reason, with its RFC section.
    pub(super) why: String,
    pub(super) sent: Sent,
    pub(super) answers: Vec<u16>,
    pub(super) ended: Option<&'static str>,
    pub(super) forwards: Vec<String>,
    /// Whether the canary is served.
    pub(super) kept: bool,
    /// Whether it is sent: behind what is cut off it would be a part of it.
    pub(super) canary: bool,
}

pub(super) enum Sent {
    Http1(Vec<u8>),
    Http2(Frames),
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http1(bytes) => write!(f, "{}", bytes[..bytes.len().min(500)].escape_ascii()),
            Self::Http2(frames) => {
                for (name, value) in frames.fields.iter().chain(frames.trailers.iter().flatten()) {
                    write!(f, "{}={} ", name.escape_ascii(), value[..value.len().min(100)].escape_ascii())?;
                }
                write!(f, "in {} DATA frames", frames.data.len())
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// More of the configuration; a route that takes everything if there is none.
    #[serde(default)]
    configuration: Option<String>,
    #[serde(default)]
    group: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    name: String,
    why: String,
    #[serde(flatten)]
    common: Parts,
    cases: BTreeMap<String, Either>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Either {
    /// What stands for `{}` in the group's texts.
    Fill(String),
    /// That, and what is otherwise than in the group.
    Parts(Box<Parts>),
}

/// Of a case; what it does not say, its group says.
#[derive(Deserialize, Default, Clone)]
struct Parts {
    fill: Option<String>,
    /// Over HTTP/1: the bytes.
    send: Option<String>,
    /// Over HTTP/2: the header section, further fields of it, names that are not in it, the body in frames, trailers.
    fields: Option<Vec<(String, String)>>,
    add: Option<Vec<(String, String)>>,
    without: Option<Vec<String>>,
    data: Option<Vec<String>>,
    trailers: Option<Vec<(String, String)>>,
    answers: Option<Vec<u16>>,
    ended: Option<String>,
    forwards: Option<Vec<String>>,
    kept: Option<bool>,
    canary: Option<bool>,
}

impl Parts {
    fn or(self, group: &Self) -> Self {
        let group = group.clone();
        Self {
            fill: self.fill,
            send: self.send.or(group.send),
            fields: self.fields.or(group.fields),
            add: self.add.or(group.add),
            without: self.without.or(group.without),
            data: self.data.or(group.data),
            trailers: self.trailers.or(group.trailers),
            answers: self.answers.or(group.answers),
            ended: self.ended.or(group.ended),
            forwards: self.forwards.or(group.forwards),
            kept: self.kept.or(group.kept),
            canary: self.canary.or(group.canary),
        }
    }

    fn case(self, name: String, why: String) -> Case {
        let fill = expand(&self.fill.clone().unwrap_or_default());
        let text = |text: String| expand(&text).replace("{}", &fill);
        let fields = |fields: Vec<(String, String)>| -> Vec<(Vec<u8>, Vec<u8>)> {
            fields.into_iter().map(|(name, value)| (bytes(&text(name)), bytes(&text(value)))).collect()
        };
        let sent = match self.send.clone() {
            Some(send) => Sent::Http1(bytes(&text(send))),
            None => Sent::Http2(Frames {
                fields: fields(self.all_fields()),
                data: self.data.clone().unwrap_or_default().into_iter().map(|data| bytes(&text(data))).collect(),
                trailers: self.trailers.clone().map(fields),
            }),
        };
        let forwards: Vec<String> = self.forwards.unwrap_or_default().into_iter().map(text).collect();
        let ended = self.ended.map(|ended| match ended.as_str() {
            "reset" => "reset",
            "goaway" => "goaway",
            "closed" => "closed",
            other => panic!("{name}: `ended` is `{other}`"),
        });
        let default = if ended.is_some() { Vec::new() } else { vec![200; forwards.len()] };
        let answers = self.answers.unwrap_or(default);
        let canary = self.canary.unwrap_or(true);
        let kept = match sent {
            Sent::Http1(_) => answers.iter().all(|status| *status == 200) && ended.is_none() && canary,
            Sent::Http2(_) => ended != Some("goaway"),
        };
        let kept = self.kept.unwrap_or(kept);
        Case { name, why, sent, answers, ended, forwards, kept, canary }
    }

    /// The header section over HTTP/2.
    fn all_fields(&self) -> Vec<(String, String)> {
        let usual = [(":method", "GET"), (":scheme", "http"), (":path", "/a"), (":authority", "a")];
        let usual = || usual.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let mut fields = self.fields.clone().unwrap_or_else(usual);
        fields.retain(|(name, _)| !self.without.iter().flatten().any(|without| without == name));
        fields.extend(self.add.iter().flatten().cloned());
        fields
    }
}

/// Where the files are.
pub(super) fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/edge/cases"))
}

/// Reads a file of cases.
pub(super) fn file(name: &str) -> File {
    let text = fs::read_to_string(folder().join(format!("{name}.toml"))).unwrap();
    let written: Written = toml::from_str(&text).unwrap_or_else(|error| panic!("{name}.toml: {error}"));
    let mut cases = Vec::new();
    for group in written.group {
        for (case, parts) in group.cases {
            let parts = match parts {
                Either::Fill(fill) => Parts { fill: Some(fill), ..Parts::default() },
                Either::Parts(parts) => *parts,
            };
            cases.push(parts.or(&group.common).case(format!("{name}/{}/{case}", group.name), group.why.clone()));
        }
    }
    File { configuration: written.configuration.unwrap_or_else(|| ALL.to_owned()), cases }
}

/// Text with each character a byte.
fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|character| u8::try_from(character).expect("characters up to U+00FF stand for bytes")).collect()
}

/// Writes `{5*ab}` out as `ababababab`.
fn expand(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        out += before;
        let repeated = after.split_once('}').and_then(|(inside, rest)| {
            let (times, what) = inside.split_once('*')?;
            Some((what.repeat(times.parse().ok()?), rest))
        });
        match repeated {
            Some((repeated, after)) => {
                out += &repeated;
                rest = after;
            }
            None => {
                out.push('{');
                rest = after;
            }
        }
    }
    out + rest
}
