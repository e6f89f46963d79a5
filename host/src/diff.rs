//! What differs between two configurations: by what they say, not by how it is written. No component is loaded for it, and
//! no value of the environment is shown.

mod weaker;

use std::fmt;

use serde_json::{Map, Value, json};

use crate::{config::Config, file};

/// The longest value that is shown.
const SHOWN: usize = 200;

/// The most bytes of a file that is compared.
const MOST: u64 = 128 << 20;

/// Values under keys like these are not shown.
const SECRET: [&str; 6] = ["secret", "password", "token", "key", "users", "credential"];

/// All that differs.
#[derive(Debug)]
pub struct Difference {
    /// In the order of their keys.
    pub changes: Vec<Change>,
    plugins: Plugins,
}

/// One thing that differs.
#[derive(Debug)]
pub struct Change {
    /// `routes.pets.upstream`
    pub at: Vec<String>,
    /// What was there; none: it is new.
    pub old: Option<Value>,
    /// What is there; none: it is gone.
    pub new: Option<Value>,
    /// Whether a running gateway refuses it or does not see it.
    pub restart: bool,
    /// Why it lets more pass than before.
    pub weaker: Option<String>,
}

/// What becomes of the plugins of both at a reload.
#[derive(Debug, Default)]
struct Plugins {
    kept: Vec<String>,
    loaded: Vec<String>,
    compiled: Vec<String>,
}

/// Compares two configurations.
pub fn diff(old: &Config, new: &Config) -> Difference {
    let (was, is) = (old.tree(), new.tree());
    let mut found = Found { changes: Vec::new(), old: &was, new: &is };
    for (kind, one, other) in members(&was, &is) {
        if equal(old, new, &kind) {
            continue;
        }
        match (one, other) {
            // Tables of names.
            (Some(Value::Object(_)) | None, Some(Value::Object(_)) | None) if NAMED.contains(&&*kind) => {
                let empty = Value::Object(Map::new());
                for (name, one, other) in members(one.unwrap_or(&empty), other.unwrap_or(&empty)) {
                    found.named(&[kind.clone(), name], one, other);
                }
            }
            (one, other) => found.value(&[kind], one, other),
        }
    }
    let changes = found.changes;
    let mut difference = Difference { changes, plugins: Plugins::default() };
    difference.files(old, new);
    difference.plugins(old, new);
    difference.changes.sort_by(|a, b| a.at.cmp(&b.at));
    difference
}

/// Tables whose keys are names.
const NAMED: &[&str] = &[
    "listeners",
    "upstreams",
    "plugins",
    "rate_limits",
    "redis",
    "quotas",
    "concurrency_limits",
    "usage_plans",
    "api_keys",
    "cors",
    "validators",
    "caches",
    "errors",
    "routes",
];

/// Whether a section is the same, however it is written: only of those without files and references.
fn equal(old: &Config, new: &Config, kind: &str) -> bool {
    let same = |old: &dyn fmt::Debug, new: &dyn fmt::Debug| format!("{old:?}") == format!("{new:?}");
    match kind {
        "server" => same(&old.server, &new.server),
        "limits" => same(&old.limits, &new.limits),
        "log" => same(&old.log, &new.log),
        "admin" => old.admin == new.admin,
        "overload" => old.overload == new.overload,
        "compression" => same(&old.compression, &new.compression),
        "upstreams" => old.upstreams == new.upstreams,
        "rate_limits" => old.rate_limits == new.rate_limits,
        "quotas" => old.quotas == new.quotas,
        "concurrency_limits" => old.concurrency_limits == new.concurrency_limits,
        "caches" => old.caches == new.caches,
        "cors" => old.cors == new.cors,
        "errors" => same(&old.errors, &new.errors),
        // What they name is compared where it is used, at one stage or, without any, in the table of each.
        "variables" => true,
        "stages" => new.source.stage.is_some(),
        _ => false,
    }
}

/// The members of either of two objects.
fn members<'v>(old: &'v Value, new: &'v Value) -> Vec<(String, Option<&'v Value>, Option<&'v Value>)> {
    let names = |value: &'v Value| value.as_object().into_iter().flat_map(Map::keys);
    let mut all: Vec<&String> = names(old).chain(names(new)).collect();
    all.sort();
    all.dedup();
    all.into_iter().map(|name| (name.clone(), old.get(name), new.get(name))).collect()
}

struct Found<'v> {
    changes: Vec<Change>,
    old: &'v Value,
    new: &'v Value,
}

impl Found<'_> {
    /// A table with a name: a line when it is new or gone, else one for each key.
    fn named(&mut self, at: &[String], old: Option<&Value>, new: Option<&Value>) {
        match (old, new) {
            (Some(_), Some(_)) => self.value(at, old, new),
            _ => self.add(at, old, new),
        }
    }

    fn value(&mut self, at: &[String], old: Option<&Value>, new: Option<&Value>) {
        let empty = Value::Object(Map::new());
        match (old, new) {
            (old, new) if old == new => {}
            (Some(Value::Object(_)) | None, Some(Value::Object(_))) | (Some(Value::Object(_)), None) => {
                for (name, one, other) in members(old.unwrap_or(&empty), new.unwrap_or(&empty)) {
                    let mut at = at.to_vec();
                    at.push(name);
                    self.value(&at, one, other);
                }
            }
            (old, new) => self.add(at, old, new),
        }
    }

    fn add(&mut self, at: &[String], old: Option<&Value>, new: Option<&Value>) {
        let names: Vec<&str> = at.iter().map(String::as_str).collect();
        let restart = match &names[..] {
            ["listeners", _] => true,
            ["listeners", _, key] => *key == "address",
            ["server", "workers" | "code_cache"] | ["admin", ..] | ["log", "format" | "level"] => true,
            _ => false,
        };
        let weaker = weaker::why(&names, old, new, (self.old, self.new));
        self.changes.push(Change { at: at.to_vec(), old: old.cloned(), new: new.cloned(), restart, weaker });
    }
}

impl Difference {
    /// Files of the same name and another content.
    fn files(&mut self, old: &Config, new: &Config) {
        let mut all = Vec::new();
        for (was, is) in pairs(&old.plugins, &new.plugins, |plugin| &plugin.name) {
            all.push((vec!["plugins", &is.name, "component"], &was.component, &is.component));
        }
        for (was, is) in pairs(&old.validators, &new.validators, |validator| &validator.name) {
            if let (Some(was), Some(is_)) = (&was.body, &is.body) {
                all.push((vec!["validators", &is.name, "body"], &was.schema, &is_.schema));
            }
            if let (Some(was), Some(is_)) = (&was.openapi, &is.openapi) {
                all.push((vec!["validators", &is.name, "openapi"], &was.document, &is_.document));
            }
        }
        for (at, was, is) in all {
            let at: Vec<String> = at.into_iter().map(str::to_owned).collect();
            let known = self.changes.iter().any(|change| change.at == at);
            if was != is && !known && file::read(was, MOST).ok() != file::read(is, MOST).ok() {
                let text = |what: &str| Some(Value::String(what.to_owned()));
                let (old, new) = (text("a file"), text("another content"));
                self.changes.push(Change { at, old, new, restart: false, weaker: None });
            }
        }
    }

    fn plugins(&mut self, old: &Config, new: &Config) {
        for plugin in &new.plugins {
            let of = |change: &&Change| change.at[0] == "plugins" && change.at.get(1) == Some(&plugin.name);
            let known = old.plugins.iter().any(|other| other.name == plugin.name);
            let changes: Vec<&Change> = self.changes.iter().filter(of).collect();
            let of_code = changes.iter().any(|change| change.at.get(2).is_some_and(|key| key == "component"));
            let list = match (changes.is_empty(), known && !of_code) {
                (true, _) => &mut self.plugins.kept,
                (false, true) => &mut self.plugins.loaded,
                (false, false) => &mut self.plugins.compiled,
            };
            list.push(plugin.name.clone());
        }
    }

    /// As JSON.
    pub fn json(&self) -> Value {
        let change = |change: &Change| {
            json!({
                "at": change.at,
                "old": change.old.as_ref().map(|value| masked(value, &change.at)),
                "new": change.new.as_ref().map(|value| masked(value, &change.at)),
                "restart": change.restart,
                "weaker": change.weaker,
            })
        };
        let Plugins { kept, loaded, compiled } = &self.plugins;
        json!({
            "changes": self.changes.iter().map(change).collect::<Vec<_>>(),
            "plugins": { "kept": kept, "loaded": loaded, "compiled": compiled },
        })
    }
}

fn pairs<'c, T>(old: &'c [T], new: &'c [T], name: impl Fn(&T) -> &String) -> Vec<(&'c T, &'c T)> {
    new.iter().filter_map(|is| Some((old.iter().find(|was| name(was) == name(is))?, is))).collect()
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for change in &self.changes {
            let at = change.at.join(".");
            let text = |value: &Option<Value>| value.as_ref().map(|value| shown(&masked(value, &change.at)));
            match (text(&change.old), text(&change.new)) {
                (None, Some(new)) => writeln!(f, "+ {at}: {new}")?,
                (Some(old), None) => writeln!(f, "- {at}: {old}")?,
                (old, new) => writeln!(f, "~ {at}: {} -> {}", old.unwrap_or_default(), new.unwrap_or_default())?,
            }
            if change.restart {
                writeln!(f, "    takes a restart")?;
            }
            if let Some(why) = &change.weaker {
                writeln!(f, "    ! {why}")?;
            }
        }
        let Plugins { kept, loaded, compiled } = &self.plugins;
        for (what, names) in [("compiled", compiled), ("loaded anew", loaded), ("carried over", kept)] {
            if !names.is_empty() && !self.changes.is_empty() {
                writeln!(f, "plugins {what}: {}", names.join(", "))?;
            }
        }
        Ok(())
    }
}

/// A value without what may be secret.
fn masked(value: &Value, at: &[String]) -> Value {
    let of_plugin = at.first().is_some_and(|kind| kind == "plugins");
    let secret = |name: &str| SECRET.iter().any(|word| name.to_ascii_lowercase().contains(word));
    match value {
        _ if of_plugin && at.iter().skip(3).any(|name| secret(name)) => Value::String("(hidden)".to_owned()),
        Value::Object(map) => {
            let member = |(name, value): (&String, &Value)| {
                let mut at = at.to_vec();
                at.push(name.clone());
                (name.clone(), masked(value, &at))
            };
            Value::Object(map.iter().map(member).collect())
        }
        Value::Array(list) => list.iter().map(|value| masked(value, at)).collect(),
        other => other.clone(),
    }
}

fn shown(value: &Value) -> String {
    let text = match value {
        Value::Object(map) => {
            map.iter().map(|(name, value)| format!("{name} = {value}")).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    };
    crate::logs::foreign(&text, SHOWN).into_owned()
}
