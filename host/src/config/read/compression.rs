//! `[compression]`.

use super::{to_u32, validator::is_token};
use crate::config::{
    Coding, Compression,
    problem::{Problem, quoted},
    value::{Node, Table},
};

const CODINGS: [(&str, Coding); 3] = [("zstd", Coding::Zstd), ("br", Coding::Brotli), ("gzip", Coding::Gzip)];

pub(super) fn compression(mut table: Table<'_>) -> Compression {
    let default = Compression::default();
    let mut level = |key, from, default| table.optional(key, |node| node.integer(from..=9)).map_or(default, to_u32);
    let gzip_level = level("gzip_level", 1, default.gzip_level);
    let brotli_level = level("brotli_level", 0, default.brotli_level);
    let zstd_level = level("zstd_level", 1, default.zstd_level);
    let read = Compression {
        all_routes: table.optional("all_routes", Node::boolean).unwrap_or(default.all_routes),
        encodings: table.optional("encodings", encodings).unwrap_or(default.encodings),
        min_bytes: table.optional("min_bytes", |node| node.size(0..=1 << 30)).unwrap_or(default.min_bytes),
        content_types: table.optional("content_types", |node| node.list(media_type)).unwrap_or_default(),
        gzip_level,
        brotli_level,
        zstd_level,
    };
    table.finish(&[
        ("enabled", "write `all_routes = true`, or `compression = true` in `[routes.NAME]`"),
        ("on", "write `all_routes = true`, or `compression = true` in `[routes.NAME]`"),
        ("algorithms", "it is called `encodings`"),
        ("types", "it is called `content_types`"),
        ("min_size", "it is called `min_bytes`"),
        ("min_length", "it is called `min_bytes`"),
        ("minimum_compression_size", "it is called `min_bytes`"),
        ("level", "there are `gzip_level`, `brotli_level` and `zstd_level`"),
    ]);
    read
}

fn encodings(node: Node<'_>) -> Result<Vec<Coding>, Problem> {
    let mut seen: Vec<Coding> = Vec::new();
    let reported = node.context.reported();
    node.list(|node| {
        let coding = node.choice(&CODINGS)?;
        if seen.contains(&coding) {
            return Err(node.problem(format!("{} is already in this list", quoted(node.text()?))));
        }
        seen.push(coding);
        Ok(coding)
    })?;
    match seen.is_empty() && node.context.reported() == reported {
        true => Err(node.problem("nothing could be compressed").help("leave `encodings` out for all")),
        false => Ok(seen),
    }
}

/// `application/json`, or `text/*`.
fn media_type(node: Node<'_>) -> Result<String, Problem> {
    let text = node.text()?;
    let token = |part: &str| !part.is_empty() && part.bytes().all(is_token) && !part.contains('*');
    match text.split_once('/') {
        Some((kind, subtype)) if token(kind) && (subtype == "*" || token(subtype)) => Ok(text.to_ascii_lowercase()),
        _ => {
            let problem = node.problem(format!("{} is not a media type", quoted(text)));
            Err(problem.help("write `\"application/json\"`, or `\"text/*\"` for all of a kind"))
        }
    }
}
