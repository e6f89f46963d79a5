//! A plugin for tests that sees bodies piece by piece.
//!
//! ```toml
//! [plugins.probe-chunks.config]
//! request = { replace = { a = "b" }, hold = 10, reject = "virus" }
//! response = { replace = { x = "" } }
//! ```
//!
//! For each way: a piece with the word `reject` is answered with a 422; `fail` is the text of an error at the last piece;
//! `hold` keeps everything back until that many bytes are there, or the end; then the letters of `replace` are replaced.

use std::{cell::RefCell, collections::BTreeMap};

use gatehouse_plugin::prelude::*;

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Config {
    request: Rules,
    response: Rules,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Rules {
    replace: BTreeMap<char, String>,
    hold: usize,
    reject: String,
    fail: Option<String>,
}

#[derive(Default)]
struct Way {
    rules: Rules,
    /// What is kept back; none once something has gone on.
    held: RefCell<Option<Vec<u8>>>,
}

struct ProbeChunks {
    request: Way,
    response: Way,
}

impl Plugin for ProbeChunks {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        let way = |rules| Way { rules, held: RefCell::new(Some(Vec::new())) };
        Ok(Self { request: way(config.request), response: way(config.response) })
    }
}

impl Way {
    fn apply(&self, mut chunk: Vec<u8>, last: bool) -> Result<ChunkAction> {
        let Rules { replace, hold, reject, fail } = &self.rules;
        if let Some(text) = fail.as_ref().filter(|_| last) {
            Err(text)?;
        }
        if !reject.is_empty() && chunk.windows(reject.len()).any(|it| it == reject.as_bytes()) {
            return Reply::new(422).text("rejected").into();
        }
        if let Some(mut held) = self.held.take() {
            held.append(&mut chunk);
            if held.len() < *hold && !last {
                self.held.replace(Some(held));
                return Ok(Vec::new().into());
            }
            chunk = held;
        }
        if last {
            // Ready for the next exchange of this instance.
            self.held.replace(Some(Vec::new()));
        }
        if replace.is_empty() && *hold == 0 {
            return Ok(ChunkAction::Unchanged);
        }
        let replaced = chunk.iter().flat_map(|byte| match replace.get(&char::from(*byte)) {
            Some(text) => text.as_bytes(),
            None => std::slice::from_ref(byte),
        });
        Ok(replaced.copied().collect::<Vec<_>>().into())
    }
}

impl RequestChunkFilter for ProbeChunks {
    fn on_request_chunk(&self, _request: &Request, chunk: Vec<u8>, last: bool) -> Result<ChunkAction> {
        self.request.apply(chunk, last)
    }
}

impl ResponseChunkFilter for ProbeChunks {
    fn on_response_chunk(
        &self,
        _request: &Request,
        _response: &Response,
        chunk: Vec<u8>,
        last: bool,
    ) -> Result<ChunkAction> {
        self.response.apply(chunk, last)
    }
}

export!(ProbeChunks: request_chunk_filter, response_chunk_filter);
