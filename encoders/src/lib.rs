//! The encoders of answers, by one interface: bytes in, bytes out, and what is inside on demand.
//!
//! A package of its own because they are generic: whoever names them compiles all of them, each time.

use std::io::{self, Write};

use brotli::CompressorWriter;
use bytes::Bytes;
use flate2::write::GzEncoder;

/// A window of 256 KiB: what browsers take (RFC 9659: up to 8 MiB), and an encoder is no larger than some 2 MiB.
const WINDOW: u32 = 18;

/// How much brotli gathers before it looks at it.
const BUFFER: usize = 16 << 10;

/// A stream that is compressed.
pub struct Encoder(Kind);

enum Kind {
    Gzip(Box<GzEncoder<Vec<u8>>>),
    Brotli(Box<CompressorWriter<Vec<u8>>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl Encoder {
    /// RFC 1952; levels are 1 to 9.
    pub fn gzip(level: u32) -> Self {
        Self(Kind::Gzip(Box::new(GzEncoder::new(Vec::new(), flate2::Compression::new(level)))))
    }

    /// RFC 7932; levels are 0 to 11.
    pub fn brotli(level: u32) -> Self {
        Self(Kind::Brotli(Box::new(CompressorWriter::new(Vec::new(), BUFFER, level, WINDOW))))
    }

    /// RFC 8878; levels are 1 to 22. An error where there is no memory for it.
    pub fn zstd(level: u32) -> io::Result<Self> {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), level as i32)?;
        encoder.window_log(WINDOW)?;
        Ok(Self(Kind::Zstd(encoder)))
    }

    /// Takes bytes in.
    pub fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        match &mut self.0 {
            Kind::Gzip(encoder) => encoder.write_all(piece),
            Kind::Brotli(encoder) => encoder.write_all(piece),
            Kind::Zstd(encoder) => encoder.write_all(piece),
        }
    }

    /// Lets out all that has been written so far, so that a reader can read to there.
    pub fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Kind::Gzip(encoder) => encoder.flush(),
            Kind::Brotli(encoder) => encoder.flush(),
            Kind::Zstd(encoder) => encoder.flush(),
        }
    }

    /// How many bytes are out.
    pub fn ready(&self) -> usize {
        match &self.0 {
            Kind::Gzip(encoder) => encoder.get_ref().len(),
            Kind::Brotli(encoder) => encoder.get_ref().len(),
            Kind::Zstd(encoder) => encoder.get_ref().len(),
        }
    }

    /// Takes what is out.
    pub fn take(&mut self) -> Bytes {
        let out = match &mut self.0 {
            Kind::Gzip(encoder) => encoder.get_mut(),
            Kind::Brotli(encoder) => encoder.get_mut(),
            Kind::Zstd(encoder) => encoder.get_mut(),
        };
        std::mem::take(out).into()
    }

    /// The rest, with what says that it is the end.
    pub fn finish(self) -> io::Result<Bytes> {
        Ok(match self.0 {
            Kind::Gzip(encoder) => encoder.finish()?.into(),
            Kind::Brotli(encoder) => encoder.into_inner().into(),
            Kind::Zstd(encoder) => encoder.finish()?.into(),
        })
    }
}
