//! Texts of the configuration that name parts of an exchange: headers for upstreams, keys of rate limits.

use std::net::IpAddr;

use crate::{
    config::{Part, Template},
    exchange::Exchange,
};

/// The text of a template; None when something that it names is not there. `address` writes the client's.
pub(crate) fn fill(template: &Template, exchange: &Exchange, address: impl Fn(IpAddr) -> String) -> Option<String> {
    let mut text = String::new();
    for part in &template.parts {
        match part {
            Part::Text(fixed) => text.push_str(fixed),
            Part::Attribute(name) => text.push_str(exchange.attribute(name)?),
            Part::RequestId => text.push_str(exchange.id.as_str()),
            Part::ClientIp => text.push_str(&address(exchange.request.client)),
            Part::Route => text.push_str(exchange.route_name()),
            Part::PathParam(name) => text.push_str(exchange.path_param(name)?),
        }
    }
    Some(text)
}
