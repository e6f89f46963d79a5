//! What is asked, what goes wrong, and what must become of it: by a seed and the number of a request, so that the client,
//! the proxy and the upstream agree without a word.

use std::time::Duration;

use gatehouse_faultproxy::{Act, Fault, Place};

use crate::soak::{chance::Chance, upstream::Reply};

/// What somebody else would get if the gateway took it for an answer.
const POISON: &str = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison";

/// Before anything of the answer goes to the client.
const IN_HEAD: [Place; 4] = [Place::Asked, Place::StatusLine, Place::HeaderLine, Place::HeaderEnd];

const IN_BODY: [Place; 3] = [Place::BodyStart, Place::Body, Place::LastByte];

const IN_CHUNKS: [Place; 5] = [Place::ChunkSize, Place::ChunkStart, Place::ChunkEnd, Place::LastChunk, Place::Trailers];

const HEAD_GARBAGE: [(Place, &str); 7] = [
    (Place::Asked, "garbage\r\n\r\n"),
    (Place::Asked, "\0\0\0\0"),
    (Place::StatusLine, "\r\n"),
    (Place::HeaderLine, "no colon\r\n"),
    (Place::HeaderLine, " folded: 1\r\n"),
    (Place::HeaderLine, "content-length: 3\r\ncontent-length: 3\r\n"),
    (Place::HeaderLine, "content-length: 3\r\ntransfer-encoding: chunked\r\n"),
];

const CHUNK_GARBAGE: [(Place, &str); 4] =
    [(Place::ChunkSize, "x"), (Place::ChunkEnd, "junk"), (Place::LastChunk, "zz\r\n"), (Place::Trailers, "no end\n")];

/// A kind of exchange, by what goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Nothing does, on connections on which things have.
    Plain,
    Slow,
    /// A second answer comes with the first.
    Unasked,
    /// The connection ends after the answer, at about the time when the next request comes.
    Closed,
    HeadCut,
    HeadStalled,
    HeadGarbage,
    BodyCut,
    BodyStalled,
    BodyGarbage,
    Upload,
    UploadCut,
    /// The connection ends before the request.
    HungUp,
    /// There is no connection.
    Refused,
}

/// What must become of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// The upstream's answer, as a whole.
    Whole,
    /// An answer of the gateway, with one of these codes.
    Failure(u16, &'static [&'static str]),
    /// An answer that breaks off.
    Broken,
}

/// An exchange.
pub(super) struct Case {
    number: u64,
    pub(super) kind: Kind,
    pub(super) fault: Fault,
    /// How often its number is in its body.
    times: usize,
    chunks: usize,
}

impl Case {
    /// That of a number.
    pub(super) fn of(seed: u64, number: u64) -> Self {
        let chance = Chance::of(seed ^ (number << 32));
        let kind = match chance.below(100) {
            0..30 => Kind::Plain,
            30..34 => Kind::Slow,
            34..39 => Kind::Unasked,
            39..44 => Kind::Closed,
            44..58 => Kind::HeadCut,
            58 => Kind::HeadStalled,
            59..65 => Kind::HeadGarbage,
            65..84 => Kind::BodyCut,
            84 => Kind::BodyStalled,
            85..92 => Kind::BodyGarbage,
            92..95 => Kind::Upload,
            95..98 => Kind::UploadCut,
            98 => Kind::HungUp,
            _ => Kind::Refused,
        };
        // What trickles is short, and so is what must come in one breath with something else.
        let large = !matches!(kind, Kind::Slow | Kind::Unasked) && chance.once_in(8);
        let times = 1 + chance.below(if large { 5_000 } else { 40 }) as usize;
        let chunks = match kind {
            Kind::BodyGarbage => 1 + chance.below(5),
            _ => chance.below(4),
        } as usize;
        let fault = fault(kind, chunks > 0, &chance);
        Self { number, kind, fault, times, chunks }
    }

    /// What is asked for.
    pub(super) fn path(&self) -> String {
        let route = match self.kind {
            Kind::Upload | Kind::UploadCut => "upload",
            Kind::HungUp => "hung-up",
            Kind::Refused => "refused",
            _ => "faulty",
        };
        format!("/{route}/{}", self.number)
    }

    /// The body of the upstream's answer, and of the request where there is one.
    pub(super) fn body(&self) -> Vec<u8> {
        format!("[{}]", self.number).repeat(self.times).into_bytes()
    }

    pub(super) fn has_body(&self) -> bool {
        matches!(self.kind, Kind::Upload | Kind::UploadCut)
    }

    /// What the upstream itself says.
    pub(super) fn reply(&self) -> Reply {
        Reply { headers: "x-a: 1\r\n".to_owned(), body: self.body(), chunks: self.chunks, ..Reply::default() }
    }

    pub(super) fn expected(&self) -> Expected {
        match self.kind {
            Kind::Plain | Kind::Slow | Kind::Unasked | Kind::Closed | Kind::Upload => Expected::Whole,
            Kind::HeadCut | Kind::HeadGarbage | Kind::UploadCut => Expected::Failure(502, &["upstream_broken"]),
            // A connection may be reset as soon as it is there, or in the moment before.
            Kind::HungUp => Expected::Failure(502, &["upstream_broken", "upstream_unreachable"]),
            Kind::Refused => Expected::Failure(502, &["upstream_unreachable"]),
            Kind::HeadStalled => Expected::Failure(504, &["upstream_timeout"]),
            Kind::BodyCut | Kind::BodyStalled | Kind::BodyGarbage => Expected::Broken,
        }
    }
}

/// What goes wrong in an exchange of a kind.
fn fault(kind: Kind, chunked: bool, chance: &Chance) -> Fault {
    let body = if chunked { [&IN_BODY[..], &IN_CHUNKS].concat() } else { IN_BODY.to_vec() };
    let anywhere = [&IN_HEAD[..], &body].concat();
    let end = || chance.pick(&[Act::Reset, Act::Close]).clone();
    let say = |&(place, text): &(Place, &str)| Fault::new(place, [Act::say(text)]);
    match kind {
        Kind::Plain | Kind::Upload | Kind::HungUp | Kind::Refused => Fault::none(),
        Kind::Slow => {
            let acts = [Act::Wait(chance.time(1..30)), Act::Trickle(Duration::from_micros(20))];
            Fault::new(*chance.pick(&anywhere), [chance.pick(&acts).clone()])
        }
        Kind::Unasked => Fault::new(Place::End, [Act::say(POISON), Act::Hang]),
        Kind::Closed => Fault::new(Place::End, [Act::Wait(chance.time(0..5)), end()]),
        Kind::HeadCut => Fault::new(*chance.pick(&IN_HEAD), [end()]),
        Kind::HeadStalled => Fault::new(*chance.pick(&IN_HEAD), [Act::Hang]),
        Kind::HeadGarbage => say(chance.pick(&HEAD_GARBAGE)),
        Kind::BodyCut => Fault::new(*chance.pick(&body), [end()]),
        Kind::BodyStalled => Fault::new(*chance.pick(&body), [Act::Hang]),
        Kind::BodyGarbage => say(chance.pick(&CHUNK_GARBAGE)),
        Kind::UploadCut => Fault::new(Place::Request(chance.below(10_000) as usize), [end()]),
    }
}
