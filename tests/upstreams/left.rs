//! Clients that leave an upstream which stands still: its connection ends with them, and nothing is left behind.

use gatehouse_faultproxy::{Act, Fault, Place};

use super::config;
use crate::support::{
    Faulty, Http2, Process, Raw,
    faulty::{Framing, body_of},
    raw::{DEADLINE, ask, get},
    until,
};

const CLIENTS: usize = 20;

/// Where it stands still, and whether the client has a part of its answer then.
const PLACES: [(Place, bool); 6] = [
    (Place::Asked, false),
    (Place::StatusLine, false),
    (Place::HeaderEnd, false),
    (Place::BodyStart, true),
    (Place::ChunkSize, true),
    (Place::Trailers, true),
];

#[test]
fn clients_that_leave_take_stalled_upstream_connections_with_them() {
    let faulty = Faulty::start(Framing::Chunked);
    let process = Process::start(&config(false), &faulty);
    assert_eq!(ask(process.address(), get("/ok", "")).text(), body_of("/ok"));
    // With the one that is kept.
    until(DEADLINE, || process.descriptors() > 0 && faulty.proxy.open() == 1);
    let before = process.descriptors();
    for leave in [drop, Raw::reset] {
        for (place, begun) in PLACES {
            faulty.set(Fault::new(place, [Act::Hang]));
            let asked = faulty.asked();
            let clients: Vec<_> = (0..CLIENTS).map(|_| Raw::connect(process.address())).collect();
            let clients = clients.into_iter().map(|mut client| {
                client.send(get("/fault/left", ""));
                if begun {
                    client.until("\r\n\r\n");
                }
                client
            });
            let clients: Vec<_> = clients.collect();
            until(DEADLINE, || faulty.asked() == asked + CLIENTS);
            assert!(process.descriptors() >= before + CLIENTS, "{place:?}");
            clients.into_iter().for_each(leave);
            until(DEADLINE, || faulty.proxy.open() == 0);
            assert_eq!(ask(process.address(), get("/ok", "")).text(), body_of("/ok"), "{place:?}");
            until(DEADLINE, || process.descriptors() <= before);
        }
    }
    assert_eq!(faulty.reused(), 0);
}

#[tokio::test]
async fn streams_that_are_reset_take_stalled_upstream_connections_with_them() {
    let faulty = Faulty::start(Framing::Chunked);
    let process = Process::start(&config(false), &faulty);
    let client = Http2::connect(process.address()).await;
    for (place, begun) in PLACES {
        faulty.set(Fault::new(place, [Act::Hang]));
        let asked = faulty.asked();
        let mut waiting = Box::pin(client.send(client.request("GET", "/fault/left")));
        let begins = async {
            let answer = waiting.as_mut().await;
            assert!(begun, "{place:?} {answer:?}");
            answer
        };
        let is_asked = async {
            while faulty.asked() == asked {
                tokio::task::yield_now().await;
            }
            if begun {
                std::future::pending::<()>().await;
            }
        };
        // The one that is dropped is the stream.
        tokio::select! {
            answer = begins => drop(answer.unwrap()),
            () = is_asked => {}
        }
        drop(waiting);
        while faulty.proxy.open() > 0 {
            tokio::task::yield_now().await;
        }
        let answer = client.send(client.request("GET", "/ok")).await.unwrap();
        assert_eq!(answer.status(), 200, "{place:?}");
    }
    assert_eq!(faulty.reused(), 0);
}
