//! Inputs made of a corpus by chance: bytes changed, pieces of others put in, moved, doubled or cut out. The same seed makes
//! the same inputs.

/// No input is longer: the longest seed is, a little.
const LONGEST: usize = 20_000;

/// What parsers stumble over.
const TOKENS: [&str; 32] = [
    "\r\n",
    "\n",
    "\n\n",
    "\r",
    "\0",
    " ",
    "\t",
    ":",
    ": ",
    "=",
    ",",
    ";",
    "/",
    "//",
    "..",
    "%2e",
    "%2F",
    "%00",
    "%",
    "\"",
    "\\",
    "{a}",
    "{a+}",
    "[",
    "]",
    "é",
    "\\xff",
    "\\r\\n",
    "0",
    "ffffffffffffffff",
    "-1",
    "'",
];

/// A source of inputs.
pub(super) struct Mutation<'a> {
    corpus: &'a [Vec<u8>],
    state: u64,
}

impl<'a> Mutation<'a> {
    pub(super) fn new(corpus: &'a [Vec<u8>], seed: u64) -> Self {
        Self { corpus, state: seed }
    }

    /// Another input: a seed after one to six changes.
    pub(super) fn next(&mut self) -> Vec<u8> {
        let mut bytes = self.seed().to_vec();
        for _ in 0..1 + self.below(6) {
            self.change(&mut bytes);
        }
        bytes.truncate(LONGEST);
        bytes
    }

    fn seed(&mut self) -> &'a [u8] {
        let at = self.below(self.corpus.len());
        &self.corpus[at]
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        let (from, to) = self.range(bytes.len());
        match self.below(8) {
            0 => {
                if let Some(byte) = bytes.get_mut(from) {
                    *byte ^= 1 << self.below(8);
                }
            }
            1 => bytes.insert(from, self.below(256) as u8),
            2 => drop(bytes.drain(from..to)),
            3 => {
                let piece = bytes[from..to].to_vec();
                let at = self.below(bytes.len() + 1);
                bytes.splice(at..at, piece);
            }
            4 => {
                let token = TOKENS[self.below(TOKENS.len())];
                bytes.splice(from..from, token.bytes());
            }
            5 => {
                let token = TOKENS[self.below(TOKENS.len())];
                bytes.splice(from..to, token.bytes());
            }
            6 => {
                let other = self.seed();
                let (other_from, other_to) = self.range(other.len());
                bytes.splice(from..to, other[other_from..other_to].iter().copied());
            }
            _ => self.line(bytes),
        }
    }

    /// Puts a line of another seed in place of one, or beside it.
    fn line(&mut self, bytes: &mut Vec<u8>) {
        let lines: Vec<&[u8]> = self.seed().split_inclusive(|&byte| byte == b'\n').collect();
        let Some(line) = (!lines.is_empty()).then(|| lines[self.below(lines.len())]) else { return };
        let mut starts: Vec<usize> = vec![0];
        starts.extend(bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1));
        let at = self.below(starts.len());
        let end = starts.get(at + 1).copied().filter(|_| self.below(2) == 0).unwrap_or(starts[at]);
        bytes.splice(starts[at]..end, line.iter().copied());
    }

    /// A range within a length, mostly short.
    fn range(&mut self, length: usize) -> (usize, usize) {
        let from = self.below(length + 1);
        let most = if self.below(4) == 0 { length } else { 8 };
        (from, (from + self.below(most + 1)).min(length))
    }

    /// A linear congruential generator (Knuth's constants).
    fn below(&mut self, limit: usize) -> usize {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) as usize % limit
    }
}
