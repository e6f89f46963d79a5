//! A route for each operation. One that cannot be served as the document says answers 501.

use http::{HeaderMap, Method};
use toml::Value;

use super::{
    Import,
    authorizer::Chain,
    integration::{Rewrite, Target},
    table::{self, Table},
};
use crate::{
    config::Match,
    openapi::{self, Operation},
    route::{Found, Lookup, Router},
};

/// Why an operation has no route that forwards.
const INSTEAD: &str = "Not taken over, see the end of this file: so nothing else answers for it.";

impl Import<'_> {
    /// Writes the route of an operation.
    pub(super) fn route(&mut self, operation: &Operation) {
        if self.is_preflight(operation) {
            return;
        }
        self.left.of_operation(&operation.place);
        let path = format!("{}{}", self.base(operation), operation.path);
        let chain = self.chain(operation);
        let target = self.target(operation, &path);
        let name = self.names.unique("routes", &operation.id.clone().unwrap_or_else(|| operation.title()));
        let mut table = Table::new("routes", &name);
        table.text("path", &path);
        if let Some(method) = &operation.method {
            table.texts("methods", [method.as_str()]);
        }
        let serves = match (chain, target) {
            (Some(chain), target) if !matches!(target, Target::Nothing) => {
                self.serving(operation, table.clone(), chain, target)
            }
            _ => Ok(None),
        };
        let made = match serves {
            Ok(Some(route)) => Ok(route),
            Ok(None) => self.instead(table),
            Err(why) => {
                self.left.add(&operation.place, format!("left out: {why}"));
                self.instead(table)
            }
        };
        match made {
            Ok(route) => self.routes.push(route),
            Err(why) => self.left.add(&operation.place, format!("left out: {why}")),
        }
    }

    /// A path with a parameter that is a part of a segment: no route can have it, and none that is wider shall.
    pub(super) fn route_around(&mut self, operation: &Operation) {
        let place = &operation.place;
        self.left.add(place, "left out: no route can have this path");
        let path = format!("{}{}", self.base(operation), operation.path);
        if !self.finds_another(operation, &path) {
            return;
        }
        let wide = |(index, part): (usize, &str)| match part.contains(['{', '}'])
            && openapi::segments(&format!("/{part}")).is_none()
        {
            true => format!("{{part-{index}}}"),
            false => part.to_owned(),
        };
        let wider = path.split('/').enumerate().map(wide).collect::<Vec<_>>().join("/");
        let name = self.names.unique("routes", &operation.id.clone().unwrap_or_else(|| operation.title()));
        let mut table = Table::new("routes", &name);
        table.text("path", &wider);
        if let Some(method) = &operation.method {
            table.texts("methods", [method.as_str()]);
        }
        match self.instead(table) {
            Ok(route) => self.routes.push(route),
            Err(_) => self.left.add(place, "its requests find the route of another path: see to it by hand"),
        }
    }

    /// Whether a request of an operation would find the route of another.
    fn finds_another(&self, operation: &Operation, path: &str) -> bool {
        let rule = |other: &Operation| {
            let path = openapi::segments(&format!("{}{}", self.base(other), other.path))?;
            let methods = other.method.clone().map(|method| vec![method]);
            Some(Match { host: None, methods, path: Some(path), headers: Vec::new() })
        };
        let rules: Vec<Match> = self.operations.iter().filter_map(rule).collect();
        let mut sample = String::new();
        path.split(['{', '}'])
            .enumerate()
            .for_each(|(index, part)| sample.push_str(if index % 2 == 1 { "x" } else { part }));
        let (method, headers) = (operation.method.clone().unwrap_or(Method::GET), HeaderMap::new());
        let lookup = Lookup { host: "", method: &method, path: &sample, headers: &headers };
        matches!(Router::of(&rules).find(&lookup), Found::Match { .. })
    }

    /// A route that does what the operation says; else why it is none.
    fn serving(
        &mut self,
        operation: &Operation,
        mut table: Table,
        chain: Chain,
        target: Target,
    ) -> Result<Option<Table>, String> {
        let mut plugins = chain.plugins;
        if chain.any {
            table.text("authorize", "any");
        }
        if let Some(cors) = self.cors_of(operation) {
            table.text("cors", &cors);
        }
        if let Some(validator) = self.validator_of(operation) {
            table.text("validate", validator);
        }
        match target {
            Target::Upstream { origin, rewrite, headers } => {
                if let Some(rewrite) = rewrite {
                    plugins.push(self.rewriting(&rewrite, &table.name.clone()));
                }
                // Held against the rules before it is kept.
                let mut upstream = Table::new("upstreams", "x");
                upstream.text("url", &origin);
                table::sound(&upstream, &[]).map_err(|why| format!("its upstream is none: {why}"))?;
                table.text("upstream", &self.upstream(&origin));
                if !headers.is_empty() {
                    table.pairs("upstream_headers", &headers);
                }
            }
            Target::Respond { status, headers, body } => {
                table.value("respond.status", Value::Integer(i64::try_from(status).unwrap_or(0)));
                if !headers.is_empty() {
                    table.pairs("respond.headers", &headers);
                }
                if !body.is_empty() {
                    table.text("respond.body", &body);
                }
            }
            Target::Nothing => return Ok(None),
        }
        if !plugins.is_empty() {
            table.texts("plugins", plugins.iter().map(String::as_str));
        }
        self.accepted(&table)?;
        Ok(Some(table))
    }

    /// The plugin that rewrites paths in a way.
    fn rewriting(&mut self, rewrite: &Rewrite, like: &str) -> String {
        let key = format!("{:?}", rewrite.0);
        if let Some((_, table)) = self.plugins.iter().find(|(known, _)| *known == key) {
            return table.name.clone();
        }
        let mut table = Table::new("plugins", &self.names.unique("plugins", &format!("{like}-path")));
        table.text("component", &self.options.plugins.join("transform.wasm").display().to_string());
        for (rule, text) in &rewrite.0 {
            table.text(&format!("config.request.{rule}"), text);
        }
        let name = table.name.clone();
        self.plugins.push((key, table));
        name
    }

    fn instead(&mut self, mut table: Table) -> Result<Table, String> {
        table.comment(INSTEAD);
        table.value("respond.status", Value::Integer(501));
        self.accepted(&table)?;
        Ok(table)
    }

    /// Whether a route stands with all that it may name, and with the routes that are there.
    fn accepted(&self, table: &Table) -> Result<(), String> {
        let upstreams: Vec<Table> = (self.upstreams.iter())
            .map(|(name, origin)| {
                let mut table = Table::new("upstreams", name);
                table.text("url", origin);
                table
            })
            .collect();
        // One that is the same but for the names of its parameters is no second route.
        let mut routes: Vec<&Table> = self.routes.iter().filter(|route| route.shares_path_shape(table)).collect();
        let named =
            |other: &&Table| table.mentions(&other.name) || routes.iter().any(|route| route.mentions(&other.name));
        let plugins = self.plugins.iter().map(|(_, table)| table);
        let others = upstreams.iter().chain(plugins).chain(&self.cors).chain(&self.validators);
        let mut around: Vec<&Table> = others.filter(named).collect();
        around.append(&mut routes);
        table::sound(table, &around)
    }
}
