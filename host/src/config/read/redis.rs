//! `[redis.NAME]`.

use std::time::Duration;

use percent_encoding::percent_decode_str;

use super::{address, file, to_u32};
use crate::config::{
    Redis, Secret, WhenAway,
    problem::Problem,
    value::{Entry, Node, Table},
};

/// What `url` says.
struct Place {
    host: String,
    port: u16,
    tls: bool,
    user: Option<String>,
    password: Option<Secret>,
    database: u32,
}

pub(super) fn redis(entry: &Entry<'_>, mut table: Table<'_>) -> Option<Redis> {
    let place = table.required("url", "\"redis://127.0.0.1:6379\"", place);
    let ca = table.optional("ca", |node| match &place {
        Some(place) if !place.tls => Err(node.problem("TLS is not spoken to it").help("write `rediss://` in `url`")),
        _ => file(node),
    });
    let range = Duration::from_millis(1)..=Duration::from_secs(10);
    let timeout = table.optional("timeout", |node| node.duration(range)).unwrap_or(Duration::from_millis(50));
    let choices = [WhenAway::Open, WhenAway::Closed, WhenAway::Local].map(|choice| (choice.name(), choice));
    let when_away = table.optional("when_away", |node| node.choice(&choices)).unwrap_or(WhenAway::Local);
    let prefix = table.optional("prefix", prefix).unwrap_or_else(|| "gatehouse".to_owned());
    table.finish(&[
        ("address", "it is called `url`"),
        ("host", "it is part of `url`"),
        ("port", "it is part of `url`"),
        ("password", "it is part of `url`: `redis://:${env.REDIS_PASSWORD}@HOST`"),
        ("database", "it is part of `url`: `redis://HOST/1`"),
        ("db", "it is part of `url`: `redis://HOST/1`"),
        ("tls", "write `rediss://` in `url`"),
        ("fallback", "it is called `when_away`"),
        ("name", "it is the table's: `[redis.NAME]`"),
    ]);
    let Place { host, port, tls, user, password, database } = place?;
    let name = entry.name.to_owned();
    Some(Redis { name, host, port, tls, ca, user, password, database, timeout, when_away, prefix })
}

/// `redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]`. Nothing of it is repeated: it may have a password.
fn place(node: Node<'_>) -> Result<Place, Problem> {
    let text = node.expanded()?;
    let wrong =
        |why: &str| node.problem(why).help("write `redis://HOST:PORT`, `rediss://:PASSWORD@HOST:PORT/DATABASE`");
    let (tls, rest) = match text.split_once("://") {
        Some(("redis", rest)) => (false, rest),
        Some(("rediss", rest)) => (true, rest),
        Some(_) => return Err(wrong("the scheme is not `redis` or `rediss`")),
        None => return Err(wrong("the URL has no scheme")),
    };
    let (who, rest) = rest.rsplit_once('@').map_or((None, rest), |(who, rest)| (Some(who), rest));
    let (user, password) = match who.map(|who| who.split_once(':').ok_or(who)) {
        None => (None, None),
        Some(Ok((user, password))) => (Some(user), Some(password)),
        Some(Err(_)) => return Err(wrong("a user has a password")),
    };
    let decoded =
        |text: &str| percent_decode_str(text).decode_utf8().map(String::from).map_err(|_| wrong("this is not UTF-8"));
    let user = user.filter(|user| !user.is_empty()).map(decoded).transpose()?;
    let password = password.map(decoded).transpose()?.map(Secret);
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let database = match database {
        "" => 0,
        digits => digits.parse().map_err(|_| wrong("a database is a number"))?,
    };
    // The same form as an upstream's.
    let bracketed = authority.rfind(']').map_or(0, |end| end + 1);
    let with_port = match authority[bracketed..].contains(':') {
        true => format!("http://{authority}"),
        false => format!("http://{authority}:6379"),
    };
    let address::Url { host, port, .. } = address::url(&with_port, false)
        .map_err(|problem| wrong(&format!("its address is none: {}", problem.message)))?;
    // Brackets are of the URL, not of the address.
    let host = host.trim_matches(['[', ']']).to_owned();
    Ok(Place { host, port, tls, user, password, database: to_u32(database) })
}

fn prefix(node: Node<'_>) -> Result<String, Problem> {
    let text = node.text()?;
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:{}".contains(c));
    match plain && (1..=64).contains(&text.len()) {
        true => Ok(text.to_owned()),
        false => Err(node.problem("this cannot be a prefix").help("1 to 64 letters, digits, `-`, `_`, `.`, `:`")),
    }
}
