//! Counts the bytes of request bodies while they stream.

use std::cell::Cell;

use gatehouse_plugin::prelude::*;

#[derive(Deserialize)]
struct Counter {
    /// The instance stays with one exchange until its last piece, so these are the bytes of that exchange.
    #[serde(skip)]
    bytes: Cell<usize>,
}

impl RequestChunkFilter for Counter {
    fn on_request_chunk(&self, request: &Request, chunk: Vec<u8>, last: bool) -> Result<ChunkAction> {
        self.bytes.set(self.bytes.get() + chunk.len());
        if last {
            info!("{}: {} bytes", request.path(), self.bytes.take());
        }
        Ok(ChunkAction::Unchanged)
    }
}

export!(Counter: request_chunk_filter);

#[cfg(test)]
mod tests {
    use gatehouse_plugin::test::{Exchange, start};

    use super::*;

    #[test]
    fn the_bytes_of_all_pieces_are_counted() {
        let counter: Counter = start(json!({})).unwrap();
        let exchange = Exchange::post("/upload");
        for (chunk, last) in [("one", false), ("two", true)] {
            assert_eq!(exchange.on_request_chunk(&counter, chunk.as_bytes(), last), Ok(ChunkAction::Unchanged));
        }
        assert_eq!(exchange.gateway().log()[0].1, "/upload: 6 bytes");
    }
}
