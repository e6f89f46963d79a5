//! API keys by their digests: those of the configuration, and those of the files that plans name.

use std::{collections::HashMap, fmt, path::Path, sync::Arc};

use sha2::{Digest as _, Sha256};

use crate::{
    config::{Config, KeySecret, parse_digest},
    file,
    tls::Wrong,
};

/// Keys of a configuration, those of files included.
pub(super) const MOST: usize = 1_000_000;

/// The largest file of keys, and of one value.
const FILE: u64 = 256 << 20;
const VALUE_FILE: u64 = 64 << 10;

/// Bytes of a value: a shorter one can be guessed.
const VALUE: std::ops::RangeInclusive<usize> = 16..=1024;

/// All API keys of a configuration.
pub(crate) struct Keys {
    keys: Vec<Key>,
    by_digest: HashMap<[u8; 32], usize>,
    by_name: HashMap<Arc<str>, usize>,
    /// Names of the attributes that a request with a key has.
    pub(super) attributes: [Arc<str>; 2],
}

/// One of them.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: Arc<str>,
    /// Index into the snapshot's plans.
    pub(super) plan: usize,
    pub(super) enabled: bool,
}

impl Default for Keys {
    fn default() -> Self {
        let attributes = ["api_key.name".into(), "usage_plan.name".into()];
        Self { keys: Vec::new(), by_digest: HashMap::new(), by_name: HashMap::new(), attributes }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} API keys", self.keys.len())
    }
}

impl Keys {
    /// Those of a configuration, or all that is wrong with them.
    pub(crate) fn load(config: &Config) -> Result<Self, Vec<Wrong>> {
        let (mut keys, mut wrong) = (Self::default(), Vec::new());
        for key in &config.api_keys {
            let at = |last: &str| vec!["api_keys".to_owned(), key.name.clone(), last.to_owned()];
            let added = match &key.secret {
                KeySecret::Digest(digest) => {
                    keys.add(&key.name, *digest, key.plan, key.enabled).map_err(|why| ("sha256", why))
                }
                KeySecret::File(file) => read(file, VALUE_FILE)
                    .and_then(|value| keys.add(&key.name, digest_of_value(&value)?, key.plan, key.enabled))
                    .map_err(|why| ("value_file", why)),
                KeySecret::Variable(variable) => std::env::var(variable)
                    .map_err(|_| format!("the environment variable `{variable}` is not set"))
                    .and_then(|value| keys.add(&key.name, digest_of_value(&value)?, key.plan, key.enabled))
                    .map_err(|why| ("value_env", why)),
            };
            wrong.extend(added.err().map(|(last, why)| (at(last), why)));
        }
        for (index, plan) in config.usage_plans.iter().enumerate() {
            let Some(file) = &plan.keys_file else { continue };
            if let Err(why) = read(file, FILE).and_then(|text| keys.add_lines(&text, index)) {
                let message = format!("{}: {why}", file.display());
                wrong.push((vec!["usage_plans".to_owned(), plan.name.clone(), "keys_file".to_owned()], message));
            }
        }
        if wrong.is_empty() { Ok(keys) } else { Err(wrong) }
    }

    /// `NAME SHA256` a line, or `NAME SHA256 disabled`; what begins with `#` is none.
    fn add_lines(&mut self, text: &str, plan: usize) -> Result<(), String> {
        for (number, line) in (1..).zip(text.lines()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let added = match words.as_slice() {
                [] => Ok(()),
                [first, ..] if first.starts_with('#') => Ok(()),
                [name, digest] => self.add_written(name, digest, plan, true),
                [name, digest, "disabled"] => self.add_written(name, digest, plan, false),
                _ => Err("a line has a name, a digest, and `disabled` if it is".to_owned()),
            };
            added.map_err(|why| format!("line {number}: {why}"))?;
        }
        Ok(())
    }

    fn add_written(&mut self, name: &str, digest: &str, plan: usize, enabled: bool) -> Result<(), String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
        if name.len() > 64 || !name.chars().all(plain) {
            return Err("a name has 1 to 64 letters, digits, `-`, `_`, `.`, `@`".to_owned());
        }
        let digest = parse_digest(digest).ok_or("a digest has 64 hexadecimal digits")?;
        self.add(name, digest, plan, enabled)
    }

    fn add(&mut self, name: &str, digest: [u8; 32], plan: usize, enabled: bool) -> Result<(), String> {
        if self.keys.len() == MOST {
            return Err(format!("there are more than {MOST} API keys"));
        }
        let (index, name) = (self.keys.len(), Arc::<str>::from(name));
        if let Some(other) = self.by_digest.insert(digest, index) {
            return Err(format!("the API key `{}` has the same value", self.keys[other].name));
        }
        if self.by_name.insert(name.clone(), index).is_some() {
            return Err(format!("there are two API keys `{name}`"));
        }
        self.keys.push(Key { name, plan, enabled });
        Ok(())
    }

    /// That of a value that a client has sent.
    pub(super) fn by_value(&self, value: &[u8]) -> Option<&Key> {
        let digest: [u8; 32] = Sha256::digest(value).into();
        self.by_digest.get(&digest).map(|&index| &self.keys[index])
    }

    pub(super) fn by_name(&self, name: &str) -> Option<&Key> {
        self.by_name.get(name).map(|&index| &self.keys[index])
    }

    /// Those of a plan.
    pub(super) fn of_plan(&self, plan: usize) -> impl Iterator<Item = &Key> {
        self.keys.iter().filter(move |key| key.plan == plan)
    }
}

fn read(path: &Path, most: u64) -> Result<String, String> {
    let bytes = file::read(path, most).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    String::from_utf8(bytes).map_err(|_| format!("{} is not UTF-8", path.display()))
}

/// Of a value as it stands in a file: without the end of its line.
fn digest_of_value(text: &str) -> Result<[u8; 32], String> {
    let value = text.trim_end_matches(['\r', '\n']);
    let sound = VALUE.contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_graphic());
    match sound {
        true => Ok(Sha256::digest(value.as_bytes()).into()),
        false => Err(format!("a key has {} to {} printable ASCII characters", VALUE.start(), VALUE.end())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_and_what_is_wrong_with_one_is_told_with_its_number_and_without_a_digest() {
        let (one, two) = ("a".repeat(64), "B".repeat(64));
        let mut keys = Keys::default();
        let text = format!("# names and digests\n\n alice  {one}\nbob {two} disabled\r\n");
        assert_eq!(keys.add_lines(&text, 0), Ok(()));
        let enabled = |name| keys.by_name(name).map(|key| key.enabled);
        assert_eq!([enabled("alice"), enabled("bob"), enabled("eve")], [Some(true), Some(false), None]);
        for (line, why) in [
            (format!("eve {one}"), "line 1: the API key `alice` has the same value"),
            (format!("alice {}", "c".repeat(64)), "line 1: there are two API keys `alice`"),
            ("eve abc".to_owned(), "line 1: a digest has 64 hexadecimal digits"),
            ("eve".to_owned(), "line 1: a line has a name, a digest, and `disabled` if it is"),
            (format!("\nä {one}"), "line 2: a name has 1 to 64 letters, digits, `-`, `_`, `.`, `@`"),
        ] {
            let mut keys = Keys::default();
            keys.add_lines(&text, 0).expect("it is right");
            assert_eq!(keys.add_lines(&line, 0), Err(why.to_owned()));
        }
    }

    #[test]
    fn a_value_is_one_line_that_is_not_short() {
        assert_eq!(digest_of_value("0123456789abcdef\n"), digest_of_value("0123456789abcdef"));
        for text in ["", "0123456789abcde", "0123456789 abcdef", "0123456789abcdef\n0123456789abcdef"] {
            assert!(digest_of_value(text).is_err(), "{text}");
        }
    }
}
