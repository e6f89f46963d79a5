//! Answers that are cut off on their way through body filters: what is missing stays visible behind them.

use gatehouse_faultproxy::{Act, Fault, Place};
use http_body_util::BodyExt;

use crate::support::{
    Faulty, Gateway, Http2, Raw,
    faulty::{Framing, body_of},
    raw::get,
};

const CONFIG: &str = "\
[server]
workers = 1
drain_timeout = \"10ms\"
[plugins.whole]
component = \"{guests}/probe-body.wasm\"
config = { response = { upper = true } }
[plugins.chunks]
component = \"{guests}/probe-chunks.wasm\"
config = { response = { replace = { f = \"F\" } } }
[plugins.held]
component = \"{guests}/probe-chunks.wasm\"
config = { response = { hold = 400 } }
[routes.whole]
path = \"/fault/whole\"
plugins = [\"whole\"]
upstream = \"up\"
[routes.chunks]
path = \"/fault/chunks\"
plugins = [\"chunks\"]
upstream = \"up\"
[routes.both]
path = \"/fault/held\"
plugins = [\"chunks\", \"held\"]
upstream = \"up\"
";

const PLACES: [Place; 7] = [
    Place::BodyStart,
    Place::Body,
    Place::LastByte,
    Place::ChunkSize,
    Place::ChunkEnd,
    Place::LastChunk,
    Place::Trailers,
];

/// What the filters of a route make of a whole body.
fn filtered(path: &str) -> String {
    match path {
        "/fault/whole" => body_of(path).to_ascii_uppercase(),
        _ => body_of(path).replace('f', "F"),
    }
}

#[tokio::test]
async fn a_filter_does_not_make_a_cut_off_body_whole() {
    for framing in [Framing::Length, Framing::Chunked] {
        let faulty = Faulty::start(framing);
        let gateway = Gateway::start(CONFIG, &faulty);
        let http2 = Http2::connect(gateway.address()).await;
        for path in ["/fault/whole", "/fault/chunks", "/fault/held"] {
            for act in [Act::Reset, Act::Close] {
                let places = PLACES.iter().take(if framing == Framing::Length { 3 } else { 7 });
                for &place in places {
                    let case = format!("{framing:?} {path} {act:?} {place:?}");
                    faulty.set(Fault::new(place, [act.clone()]));
                    let answer = Raw::connect(gateway.address()).send(get(path, "")).response();
                    match answer.status() {
                        502 => assert_eq!(answer.json()["code"], "upstream_broken", "{case}"),
                        status => {
                            assert_eq!((status, answer.whole, path == "/fault/whole"), (200, false, false), "{case}");
                            assert!(filtered(path).starts_with(answer.text()), "{case}");
                        }
                    }
                    let answer = http2.send(http2.request("GET", path)).await.unwrap();
                    assert!(answer.status() == 502 || answer.into_body().collect().await.is_err(), "{case}");
                    faulty.set(Fault::none());
                    let answer = Raw::connect(gateway.address()).send(get(path, "")).response();
                    assert_eq!((answer.whole, answer.text()), (true, &*filtered(path)), "{case}");
                }
            }
        }
    }
}
