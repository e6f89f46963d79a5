//! What requests are held against: every operation of a plain document, and in one of AWS those that name a validator.

use toml::Value;

use super::{Import, authorizer::list, server, table::Table};
use crate::{
    config::OpenApi,
    openapi::Operation,
    validation::{Loading, Operations},
};

/// What is looked at: parameters, and the body.
type Checks = (bool, bool);

impl Import<'_> {
    /// The validators of the document, and which operation has which.
    pub(super) fn read_validators(&mut self) {
        let loading = Loading::default();
        let operations = self.operations;
        let asked: Vec<(&Operation, Checks)> =
            operations.iter().filter_map(|operation| Some((operation, self.checks(operation)?))).collect();
        let bases: Vec<String> = operations.iter().map(|operation| self.base(operation)).collect();
        let shared = bases.first().filter(|base| bases.iter().all(|other| other == *base));
        let all = shared.is_some_and(|base| Operations::load(&self.rule(None, base, (true, true)), &loading).is_ok());
        for (operation, checks) in asked {
            let name = match (all, shared) {
                (true, Some(base)) => self.shared(checks, base),
                _ => self.own(operation, checks, &loading),
            };
            if let Some(name) = name {
                self.validator_of.push((operation.title(), name));
            }
        }
    }

    /// The validator of an operation.
    pub(super) fn validator_of(&self, operation: &Operation) -> Option<&str> {
        let title = operation.title();
        self.validator_of.iter().find(|(known, _)| *known == title).map(|(_, name)| name.as_str())
    }

    /// What comes before an operation's path.
    pub(super) fn base(&self, operation: &Operation) -> String {
        // Who integrates says where requests go, path and all.
        if operation.place.child("x-amazon-apigateway-integration").value().is_some() {
            return String::new();
        }
        let server = server::of(operation, &self.root).and_then(|place| server::read(&place).ok());
        server.unwrap_or_default().base
    }

    /// What is to be looked at of an operation; None: nothing.
    fn checks(&mut self, operation: &Operation) -> Option<Checks> {
        let described = operation.place.child("requestBody").value().is_some()
            || operation.parameters(self.documents).is_ok_and(|parameters| !parameters.is_empty());
        let validators = self.root.child("x-amazon-apigateway-request-validators");
        if validators.value().is_none() {
            return described.then_some((true, true));
        }
        let key = "x-amazon-apigateway-request-validator";
        let named = [&operation.place, operation.item(), &self.root].into_iter().map(|place| place.child(key));
        let place = named.into_iter().find(|place| place.value().is_some())?;
        let name = place.value()?.as_str()?;
        let validator = validators.child(name);
        if validator.value().is_none() {
            self.left.add(&place, "there is no such request validator");
            return None;
        }
        let checks = (validator.flag("validateRequestParameters"), validator.flag("validateRequestBody"));
        (described && checks != (false, false)).then_some(checks)
    }

    fn rule(&self, operation: Option<String>, base: &str, (parameters, body): Checks) -> OpenApi {
        OpenApi {
            document: self.options.document.clone(),
            operation,
            base_path: base.to_owned(),
            parameters,
            body,
            bytes: 1 << 20,
        }
    }

    fn table(&self, name: &str, (parameters, body): Checks) -> Table {
        let mut table = Table::new("validators", name);
        table.text("openapi", &self.named(&self.options.document));
        let checks: Vec<String> = [("parameters", parameters), ("body", body)]
            .into_iter()
            .filter(|&(_, is)| is)
            .map(|(name, _)| name.to_owned())
            .collect();
        if checks.len() < 2 {
            table.value("checks", list(&checks));
        }
        table
    }

    /// The one for all operations of some checks.
    fn shared(&mut self, checks: Checks, base: &str) -> Option<String> {
        let name = match checks {
            (true, true) => "api",
            (true, false) => "api-parameters",
            _ => "api-body",
        };
        if !self.validators.iter().any(|table| table.name == name) {
            let mut table = self.table(name, checks);
            if !base.is_empty() {
                table.value("base_path", Value::String(base.to_owned()));
            }
            self.validators.push(table);
        }
        Some(name.to_owned())
    }

    /// One for an operation alone.
    fn own(&mut self, operation: &Operation, checks: Checks, loading: &Loading) -> Option<String> {
        let unique = |id: &&String| self.operations.iter().filter(|other| other.id.as_ref() == Some(*id)).count() == 1;
        let called = operation.id.as_ref().filter(unique).cloned().unwrap_or_else(|| operation.title());
        if let Err(wrong) = Operations::load(&self.rule(Some(called.clone()), "", checks), loading) {
            self.left.add(&operation.place, "its requests are not validated:");
            wrong.into_iter().for_each(|(_, why)| self.left.line(why));
            return None;
        }
        let name = self.names.unique("validators", &called);
        let mut table = self.table(&name, checks);
        table.text("operation", &called);
        if let Err(why) = super::table::sound(&table, &[]) {
            self.left.add(&operation.place, format!("its requests are not validated: {why}"));
            return None;
        }
        self.validators.push(table);
        Some(name)
    }
}
