//! The bench's chunk filter: it lets each piece pass. While a body is under way its exchange has an instance for itself,
//! so there are as many instances as slow bodies.

use gatehouse_plugin::prelude::*;

struct Pass;

impl Plugin for Pass {
    type Config = NoConfig;

    fn new(_config: NoConfig) -> Result<Self> {
        Ok(Self)
    }
}

impl ResponseChunkFilter for Pass {
    fn on_response_chunk(
        &self,
        _request: &Request,
        _response: &Response,
        _chunk: Vec<u8>,
        _last: bool,
    ) -> Result<ChunkAction> {
        Ok(ChunkAction::Unchanged)
    }
}

export!(Pass: response_chunk_filter);
