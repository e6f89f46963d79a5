//! A configuration from an OpenAPI document, with the `x-amazon-apigateway-*` extensions of an AWS export: what a person
//! goes on with. What cannot be said in a configuration is listed, never guessed.
//!
//! Nothing becomes more open than the document says: an operation whose authorizer or integration is not taken over
//! answers 501 by a route of its own, so that no wider route serves it. Each table is read as a configuration would read
//! it before it is written. docs/openapi.md has the table of what is mapped.

mod authorizer;
mod cors;
mod error;
mod integration;
mod left;
mod name;
mod route;
mod server;
mod table;
mod validator;

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use crate::openapi::{self, Documents, Operation, Place};
use left::LeftOut;
use name::Names;
use table::Table;

/// The most operations of a document. AWS: 300 resources.
const MOST: usize = 5_000;

/// What an import is asked for.
#[derive(Debug, Clone)]
pub struct Options {
    /// The document.
    pub document: PathBuf,
    /// The folder that the configuration will be in.
    pub folder: PathBuf,
    /// Where requests go instead of to `servers`: an origin.
    pub upstream: Option<String>,
    /// The folder with the components of the plugins that ship.
    pub plugins: PathBuf,
}

/// What came of it.
#[derive(Debug)]
pub struct Imported {
    /// A configuration.
    pub text: String,
    /// What is not in it, each as `FILE:LINE:POINTER: WHAT`.
    pub left_out: Vec<String>,
}

/// Reads a document and writes a configuration; else why it cannot.
pub fn import(options: &Options) -> Result<Imported, String> {
    let documents = Documents::default();
    let root = documents.open(&options.document)?;
    openapi::dialect(&root)?;
    let operations = openapi::operations(&root, &documents)?;
    if operations.is_empty() {
        return Err(root.child("paths").wrong("it has no operations"));
    }
    if operations.len() > MOST {
        return Err(root.child("paths").wrong(format!("it has more than {MOST} operations")));
    }
    let mut import = Import {
        options,
        documents: &documents,
        root: root.clone(),
        operations: &operations,
        names: Names::default(),
        left: LeftOut::default(),
        upstreams: Vec::new(),
        plugins: Vec::new(),
        cors: Vec::new(),
        cors_of_all: None,
        cors_of: Vec::new(),
        validators: Vec::new(),
        validator_of: Vec::new(),
        errors: Vec::new(),
        routes: Vec::new(),
    };
    import.left.of_root(&root);
    import.errors();
    import.read_cors();
    import.read_validators();
    // What no route can say comes last, where it is seen which routes would serve it.
    let (plain, odd): (Vec<_>, Vec<_>) =
        operations.iter().partition(|operation| openapi::segments(&operation.path).is_some());
    plain.into_iter().for_each(|operation| import.route(operation));
    odd.into_iter().for_each(|operation| import.route_around(operation));
    import.finish()
}

/// An import under way.
struct Import<'a> {
    options: &'a Options,
    documents: &'a Documents,
    root: Place,
    operations: &'a [Operation],
    names: Names,
    left: LeftOut,
    /// Origins by name.
    upstreams: Vec<(String, String)>,
    /// Their tables, by the key of what they were made of.
    plugins: Vec<(String, Table)>,
    cors: Vec<Table>,
    /// The policy of all routes, and those of paths.
    cors_of_all: Option<String>,
    cors_of: Vec<(String, String)>,
    validators: Vec<Table>,
    /// By the title of an operation.
    validator_of: Vec<(String, String)>,
    errors: Vec<Table>,
    routes: Vec<Table>,
}

impl Import<'_> {
    /// The upstream of an origin.
    fn upstream(&mut self, origin: &str) -> String {
        if let Some((name, _)) = self.upstreams.iter().find(|(_, known)| known == origin) {
            return name.clone();
        }
        let host = origin.split_once("://").map_or(origin, |(_, host)| host);
        let name = self.names.unique("upstreams", host.split(':').next().unwrap_or("upstream"));
        self.upstreams.push((name.clone(), origin.to_owned()));
        name
    }

    /// The whole text. It is a configuration, or this is our mistake, which is told.
    fn finish(mut self) -> Result<Imported, String> {
        if self.routes.is_empty() {
            return Err(format!("nothing of it can be a route:\n{}", self.left.lines().join("\n")));
        }
        let mut text = String::new();
        let name = self.options.document.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name: String = name.chars().filter(|c| !c.is_control()).collect();
        let _ = writeln!(text, "# Written by `gatehouse import {name}`. What it left out, and why, stands at the end.");
        let _ = writeln!(text, "\n[listeners.public]\naddress = \"127.0.0.1:8080\"");
        for (name, origin) in &self.upstreams {
            let mut table = Table::new("upstreams", name);
            table.text("url", origin);
            let _ = write!(text, "\n{table}");
        }
        let plugins = self.plugins.iter().map(|(_, table)| table);
        let rest = plugins.chain(&self.cors).chain(&self.validators).chain(&self.errors).chain(&self.routes);
        for table in rest {
            let _ = write!(text, "\n{table}");
        }
        let left_out = self.left.take();
        if !left_out.is_empty() {
            let _ = writeln!(text, "\n# Left out:");
        }
        for line in &left_out {
            let _ = writeln!(text, "# - {line}");
        }
        match table::accepted(&text, &self.options.folder) {
            Ok(()) => Ok(Imported { text, left_out }),
            Err(why) => Err(format!("what was written is not accepted, which is a mistake of the import: {why}")),
        }
    }

    /// A file as the configuration names it.
    fn named(&self, file: &Path) -> String {
        let absolute = |path: &Path| path.canonicalize().or_else(|_| std::path::absolute(path)).unwrap_or_default();
        let (file, folder) = (
            absolute(file),
            absolute(match self.options.folder.as_os_str().is_empty() {
                true => Path::new("."),
                false => &self.options.folder,
            }),
        );
        file.strip_prefix(&folder).unwrap_or(&file).display().to_string()
    }
}
