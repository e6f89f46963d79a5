//! Rules for headers.

use gatehouse_plugin::{Header, HeaderEdit};

use crate::{
    config::Rules,
    template::{Place, Scope},
};

/// The edits that rules make of headers read by `values`.
pub(crate) fn edits(rules: &Rules, values: impl Fn(&str) -> Vec<String>, scope: Scope<'_>) -> Vec<HeaderEdit> {
    let mut edits: Vec<_> = rules.remove.iter().cloned().map(HeaderEdit::Remove).collect();
    for (from, to) in &rules.rename {
        let mut values = values(from).into_iter();
        let Some(first) = values.next() else { continue };
        edits.push(HeaderEdit::Remove(from.clone()));
        edits.push(HeaderEdit::Set(Header::new(to, first)));
        edits.extend(values.map(|value| HeaderEdit::Append(Header::new(to, value))));
    }
    for (name, template) in &rules.set {
        edits.extend(template.render(scope, Place::Header).map(|value| HeaderEdit::Set(Header::new(name, value))));
    }
    for (name, template) in &rules.append {
        edits.extend(template.render(scope, Place::Header).map(|value| HeaderEdit::Append(Header::new(name, value))));
    }
    edits
}
