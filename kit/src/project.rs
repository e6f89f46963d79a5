//! A plugin's folder: what `plugin.toml` says of it. A folder of Rust has `Cargo.toml` in its place.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

/// The file that makes a folder a plugin's.
const FILE: &str = "plugin.toml";

/// A JSON Schema for the plugin's configuration, where there is one.
const SCHEMA: &str = "config.schema.json";

/// The languages with an SDK.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Language {
    Rust,
    Javascript,
    Typescript,
    C,
    Go,
    Python,
}

impl Language {
    /// As in `plugin.toml` and in names of folders.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Javascript => "javascript",
            Self::Typescript => "typescript",
            Self::C => "c",
            Self::Go => "go",
            Self::Python => "python",
        }
    }

    /// The folder of its SDK in this repository.
    pub fn sdk(self) -> &'static Path {
        Path::new(match self {
            Self::Rust => "sdk/rust",
            Self::Javascript | Self::Typescript => "sdk/js",
            Self::C => "sdk/c",
            Self::Go => "sdk/go",
            Self::Python => "sdk/python/gatehouse",
        })
    }

    /// The file with the hooks, unless `source` names another.
    fn source(self) -> &'static str {
        match self {
            Self::Rust => "src/lib.rs",
            Self::Javascript => "plugin.js",
            Self::Typescript => "plugin.ts",
            Self::C => "plugin.c",
            Self::Go => "plugin.go",
            Self::Python => "plugin.py",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The hooks, by the names of the contract's interfaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Hook {
    Authorizer,
    RequestFilter,
    RequestBodyFilter,
    RequestChunkFilter,
    ResponseFilter,
    ResponseBodyFilter,
    ResponseChunkFilter,
    Logger,
}

impl Hook {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Authorizer,
        Self::RequestFilter,
        Self::RequestBodyFilter,
        Self::RequestChunkFilter,
        Self::ResponseFilter,
        Self::ResponseBodyFilter,
        Self::ResponseChunkFilter,
        Self::Logger,
    ];

    /// The interface's name in the contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Authorizer => "authorizer",
            Self::RequestFilter => "request-filter",
            Self::RequestBodyFilter => "request-body-filter",
            Self::RequestChunkFilter => "request-chunk-filter",
            Self::ResponseFilter => "response-filter",
            Self::ResponseBodyFilter => "response-body-filter",
            Self::ResponseChunkFilter => "response-chunk-filter",
            Self::Logger => "logger",
        }
    }
}

/// What a plugin imports beyond what every plugin has: each needs the grant of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Ask {
    Http,
    Keyvalue,
    Output,
}

impl Ask {
    /// As in `plugin.toml`, and the grant's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Keyvalue => "keyvalue",
            Self::Output => "output",
        }
    }
}

/// Whether a plugin may have that name.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
    ensure!(!name.is_empty() && name.chars().all(is_name), "`name` is letters, digits and `-`: {name:?}");
    Ok(())
}

/// A plugin's folder.
#[derive(Debug)]
pub struct Project {
    /// Absolute.
    pub folder: PathBuf,
    /// Letters, digits and `-`.
    pub name: String,
    pub(crate) version: String,
    pub(crate) description: String,
    /// What it is written in.
    pub language: Language,
    /// Rust says them in its code; there the list is empty.
    pub(crate) hooks: Vec<Hook>,
    pub(crate) asks: Vec<Ask>,
    /// The file with the hooks, absolute.
    pub(crate) source: PathBuf,
    /// The folder of the language's SDK, absolute.
    pub(crate) sdk: PathBuf,
    /// A JSON Schema, as text.
    pub(crate) schema: Option<String>,
    /// Whether what compilers write of lines and sources stays in the component.
    pub debug_info: bool,
}

/// `plugin.toml` as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: String,
    version: String,
    #[serde(default)]
    description: String,
    language: Language,
    hooks: Vec<Hook>,
    #[serde(default)]
    asks: Vec<Ask>,
    source: Option<PathBuf>,
    sdk: Option<PathBuf>,
}

/// What is read of `Cargo.toml`.
#[derive(Deserialize)]
struct Manifest {
    package: Package,
}

#[derive(Deserialize)]
struct Package {
    name: String,
}

impl Project {
    /// Whether there is a plugin in another language than Rust.
    pub fn is_in(folder: &Path) -> bool {
        folder.join(FILE).is_file()
    }

    /// Reads a folder.
    pub fn read(folder: &Path) -> Result<Self> {
        let folder = folder.canonicalize().with_context(|| format!("there is no folder {}", folder.display()))?;
        let file = folder.join(FILE);
        if file.exists() {
            let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
            return Self::parse(&folder, &text).with_context(|| format!("in {}", file.display()));
        }
        let cargo = folder.join("Cargo.toml");
        if !cargo.exists() {
            bail!(
                "{} is no plugin's folder: it has neither {FILE} nor Cargo.toml (`gatehouse plugin new` makes one)",
                folder.display()
            );
        }
        let text = fs::read_to_string(&cargo).with_context(|| format!("reading {}", cargo.display()))?;
        let Manifest { package } = toml::from_str(&text).with_context(|| format!("in {}", cargo.display()))?;
        Ok(Self {
            name: package.name,
            version: String::new(),
            description: String::new(),
            language: Language::Rust,
            hooks: Vec::new(),
            asks: Vec::new(),
            source: folder.join(Language::Rust.source()),
            sdk: folder.join("gatehouse"),
            schema: None,
            debug_info: false,
            folder,
        })
    }

    fn parse(folder: &Path, text: &str) -> Result<Self> {
        let raw: Raw = toml::from_str(text)?;
        check_name(&raw.name)?;
        ensure!(raw.language != Language::Rust, "a plugin in Rust has Cargo.toml, and no {FILE}");
        ensure!(!raw.hooks.is_empty(), "`hooks` is empty: a plugin without a hook does nothing");
        for (body, chunks) in
            [(Hook::RequestBodyFilter, Hook::RequestChunkFilter), (Hook::ResponseBodyFilter, Hook::ResponseChunkFilter)]
        {
            let both = raw.hooks.contains(&body) && raw.hooks.contains(&chunks);
            ensure!(!both, "`hooks`: {} and {} exclude each other", body.name(), chunks.name());
        }
        let source = folder.join(raw.source.as_deref().unwrap_or(Path::new(raw.language.source())));
        ensure!(source.is_file(), "there is no {}: `source` names the file with the hooks", source.display());
        let schema = folder.join(SCHEMA);
        let schema = schema.exists().then(|| fs::read_to_string(&schema)).transpose().context(SCHEMA)?;
        if let Some(schema) = &schema {
            serde_json::from_str::<serde::de::IgnoredAny>(schema).with_context(|| format!("{SCHEMA} is no JSON"))?;
        }
        let (mut hooks, mut asks) = (raw.hooks, raw.asks);
        hooks.sort();
        hooks.dedup();
        asks.sort();
        asks.dedup();
        Ok(Self {
            folder: folder.to_owned(),
            name: raw.name,
            version: raw.version,
            description: raw.description,
            language: raw.language,
            hooks,
            asks,
            source,
            sdk: folder.join(raw.sdk.as_deref().unwrap_or(Path::new("gatehouse"))),
            schema,
            debug_info: false,
        })
    }

    /// Whether it asks for a grant.
    pub(crate) fn asks_for(&self, ask: Ask) -> bool {
        self.asks.contains(&ask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "name = \"gate\"\nversion = \"0.1.0\"\nlanguage = \"c\"\nhooks = [\"logger\", \"authorizer\"]\n";

    fn parsed(text: &str) -> Result<Project, String> {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("plugin.c"), "").expect("written");
        Project::parse(folder.path(), text).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn hooks_come_in_the_contract_s_order_and_the_rest_has_defaults() {
        let project = parsed(TEXT).expect("it is right");
        assert_eq!(project.hooks, [Hook::Authorizer, Hook::Logger]);
        assert!(project.sdk.ends_with("gatehouse") && project.source.ends_with("plugin.c"));
        assert!(!project.asks_for(Ask::Http));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (wrong, says) in [
            (TEXT.replace("\"gate\"", "\"a gate\""), "`name` is letters"),
            (TEXT.replace("\"c\"", "\"cobol\""), "cobol"),
            (TEXT.replace("logger", "loger"), "loger"),
            (TEXT.replace("[\"logger\", \"authorizer\"]", "[]"), "`hooks` is empty"),
            (TEXT.replace("\"c\"", "\"rust\""), "Cargo.toml"),
            (TEXT.replace("\"logger\"", "\"request-body-filter\", \"request-chunk-filter\""), "exclude each other"),
            (format!("{TEXT}source = \"other.c\"\n"), "other.c"),
            (format!("{TEXT}asks = [\"disk\"]\n"), "disk"),
            (format!("{TEXT}colour = 1\n"), "colour"),
        ] {
            let error = parsed(&wrong).expect_err(&wrong);
            assert!(error.contains(says), "{error}");
        }
    }
}
