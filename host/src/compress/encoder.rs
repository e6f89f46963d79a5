//! The encoders, by one interface: bytes in, bytes out, and what is inside on demand.

use std::io::{self, Write};

use brotli::CompressorWriter;
use bytes::Bytes;
use flate2::write::GzEncoder;

use crate::config::{Coding, Compression};

/// A window of 256 KiB: an encoder is no larger than some 2 MiB.
const WINDOW: u32 = 18;

/// How much brotli gathers before it looks at it.
const BUFFER: usize = 16 << 10;

pub(super) enum Encoder {
    Gzip(GzEncoder<Vec<u8>>),
    Brotli(Box<CompressorWriter<Vec<u8>>>),
}

impl Encoder {
    pub(super) fn new(coding: Coding, rules: &Compression) -> io::Result<Self> {
        Ok(match coding {
            Coding::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), flate2::Compression::new(rules.gzip_level))),
            Coding::Brotli => {
                let writer = CompressorWriter::new(Vec::new(), BUFFER, rules.brotli_level, WINDOW);
                Self::Brotli(Box::new(writer))
            }
        })
    }

    pub(super) fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        match self {
            Self::Gzip(encoder) => encoder.write_all(piece),
            Self::Brotli(encoder) => encoder.write_all(piece),
        }
    }

    /// Lets out all that has been written so far, so that a reader can read to there.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Gzip(encoder) => encoder.flush(),
            Self::Brotli(encoder) => encoder.flush(),
        }
    }

    /// How many bytes are out.
    pub(super) fn ready(&self) -> usize {
        match self {
            Self::Gzip(encoder) => encoder.get_ref().len(),
            Self::Brotli(encoder) => encoder.get_ref().len(),
        }
    }

    /// Takes what is out.
    pub(super) fn take(&mut self) -> Bytes {
        let out = match self {
            Self::Gzip(encoder) => encoder.get_mut(),
            Self::Brotli(encoder) => encoder.get_mut(),
        };
        std::mem::take(out).into()
    }

    /// The rest, with what says that it is the end.
    pub(super) fn finish(self) -> io::Result<Bytes> {
        Ok(match self {
            Self::Gzip(encoder) => encoder.finish()?.into(),
            Self::Brotli(encoder) => encoder.into_inner().into(),
        })
    }
}
