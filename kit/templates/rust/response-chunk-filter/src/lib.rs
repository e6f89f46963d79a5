//! Counts the bytes of response bodies while they stream.

use std::cell::Cell;

use gatehouse_plugin::prelude::*;

#[derive(Deserialize)]
struct Counter {
    /// The instance stays with one exchange until its last piece, so these are the bytes of that exchange.
    #[serde(skip)]
    bytes: Cell<usize>,
}

impl ResponseChunkFilter for Counter {
    fn on_response_chunk(
        &self,
        request: &Request,
        _response: &Response,
        chunk: Vec<u8>,
        last: bool,
    ) -> Result<ChunkAction> {
        self.bytes.set(self.bytes.get() + chunk.len());
        if last {
            info!("{}: {} bytes", request.path(), self.bytes.take());
        }
        Ok(ChunkAction::Unchanged)
    }
}

export!(Counter: response_chunk_filter);

#[cfg(test)]
mod tests {
    use gatehouse_plugin::test::{Exchange, start};

    use super::*;

    #[test]
    fn the_bytes_of_all_pieces_are_counted() {
        let counter: Counter = start(json!({})).unwrap();
        let exchange = Exchange::get("/download");
        for (chunk, last) in [("one", false), ("two", true)] {
            assert_eq!(exchange.on_response_chunk(&counter, chunk.as_bytes(), last), Ok(ChunkAction::Unchanged));
        }
        assert_eq!(exchange.gateway().log()[0].1, "/download: 6 bytes");
    }
}
