//! Which answers are compressed, and how.

/// `[compression]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compression {
    /// Whether routes compress that do not say so themselves; default false.
    pub all_routes: bool,
    /// Codings by preference, where a client likes several as much; default zstd, br, gzip.
    pub encodings: Vec<Coding>,
    /// A shorter body is left as it is; default 1 KiB (AWS: `minimumCompressionSize`).
    pub min_bytes: u64,
    /// Media types, lower case, `type/*` for all of a kind; none: text and what is like it.
    pub content_types: Vec<String>,
    /// 1 to 9; default 5.
    pub gzip_level: u32,
    /// 0 to 9; default 4.
    pub brotli_level: u32,
    /// 1 to 9; default 3.
    pub zstd_level: u32,
}

/// A content coding (RFC 9110 section 8.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// RFC 8878, with a window of 256 KiB.
    Zstd,
    /// RFC 7932
    Brotli,
    /// RFC 1952
    Gzip,
}

impl Coding {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }
}

impl Default for Compression {
    fn default() -> Self {
        Self {
            all_routes: false,
            encodings: vec![Coding::Zstd, Coding::Brotli, Coding::Gzip],
            min_bytes: 1 << 10,
            content_types: Vec::new(),
            gzip_level: 5,
            brotli_level: 4,
            zstd_level: 3,
        }
    }
}
