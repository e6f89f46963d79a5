//! How often the gateway asks for memory in one request: counted, not timed, so it is the same on every machine.
//!
//! A test binary of its own with one test in it: its allocator counts the whole process but for the threads that say
//! that they are the test's.

#![allow(clippy::unwrap_used)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use gatehouse::{Server, clock::Clock, config::Config};

/// Allocations per request, as they are today. A number here may only fall: what needs more has to say why.
const MOST: [(&str, u64); 5] = [("/plain", 6), ("/one", 14), ("/three", 29), ("/cached", 7), ("/fresh", 36)];

/// So often a request goes through before it is counted: connections, instances and buffers are there then.
const WARM_UP: u64 = 200;

/// So often while it is counted.
const COUNTED: u64 = 1_000;

const CONFIGURATION: &str = r#"
[server]
workers = 1
[listeners.main]
address = "127.0.0.1:0"
[upstreams.up]
url = "http://{upstream}"

[plugins.authorizer]
component = "{guests}/bench-authorizer.wasm"
cache = { ttl = "0s" }
[plugins.cached]
component = "{guests}/bench-authorizer.wasm"
[plugins.fresh]
component = "{guests}/bench-authorizer.wasm"
cache = { ttl = "0s" }
isolation = "request"
[plugins.filter]
component = "{guests}/bench-filter.wasm"
[plugins.logger]
component = "{guests}/bench-logger.wasm"

[routes]
plain = { path = "/plain", upstream = "up" }
one = { path = "/one", upstream = "up", plugins = ["authorizer"] }
three = { path = "/three", upstream = "up", plugins = ["authorizer", "filter", "logger"] }
cached = { path = "/cached", upstream = "up", plugins = ["cached"] }
fresh = { path = "/fresh", upstream = "up", plugins = ["fresh"] }
"#;

/// What a browser's script sends, without what a browser adds.
const HEADERS: &str = "host: api.example\r\nuser-agent: allocations\r\naccept: application/json\r\n\
    accept-encoding: gzip\r\nauthorization: Bearer of-the-test\r\nx-tenant: acme\r\n";

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nhello";

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    // Without a destructor and known at compile time, so that asking for it allocates nothing.
    static MINE: Cell<bool> = const { Cell::new(false) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

impl Counting {
    fn count() {
        if !MINE.get() {
            ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        }
    }
}

// SAFETY: each call goes to the system's allocator as it came; counting neither allocates nor unwinds.
#[expect(unsafe_code, reason = "a global allocator cannot be written without")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::count();
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::count();
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::count();
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        unsafe { System.dealloc(memory, layout) }
    }
}

#[test]
fn a_request_allocates_no_more_than_it_did() {
    MINE.set(true);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gatehouse.toml");
    let configuration = CONFIGURATION.replace("{guests}", &guests()).replace("{upstream}", &upstream().to_string());
    fs::write(&file, configuration).unwrap();
    let config = Config::load(&file).unwrap_or_else(|problems| panic!("{problems}"));
    let server = Server::start(config, Clock::default()).unwrap();
    let mut client = TcpStream::connect(server.addresses()[0].1).unwrap();
    client.set_nodelay(true).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();

    let mut grown = Vec::new();
    for (path, most) in MOST {
        ask(&mut client, path, WARM_UP);
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        ask(&mut client, path, COUNTED);
        let found = ALLOCATIONS.load(Ordering::Relaxed) - before;
        println!("{path}: {}.{:03} allocations per request, at most {most}", found / COUNTED, found % COUNTED);
        // To the nearest: what is done once in many requests (a table that grows, a cache that is tidied) is not meant.
        if (found + COUNTED / 2) / COUNTED > most {
            grown.push(format!("{path}: {} for {COUNTED} requests, at most {most} for each", found));
        }
    }
    drop(client);
    server.stop();
    assert!(grown.is_empty(), "{}", grown.join("\n"));
}

fn guests() -> String {
    let folder = std::env::var_os("GATEHOUSE_GUESTS")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/guests")), PathBuf::from);
    folder.canonicalize().expect("`cargo xtask guests` builds the components").display().to_string()
}

/// Sends the same request so many times, each after the answer to the one before it.
fn ask(client: &mut TcpStream, path: &str, times: u64) {
    let request = format!("GET {path} HTTP/1.1\r\n{HEADERS}\r\n");
    let mut answer = Vec::new();
    for _ in 0..times {
        client.write_all(request.as_bytes()).unwrap();
        assert!(read_to(client, &mut answer, b"hello"), "the end instead of an answer");
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
    }
}

/// An upstream that answers whatever is asked without a body.
fn upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        MINE.set(true);
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                MINE.set(true);
                let mut request = Vec::new();
                while read_to(&mut stream, &mut request, b"\r\n\r\n") {
                    stream.write_all(ANSWER).unwrap();
                }
            });
        }
    });
    address
}

/// Reads what comes up to this end; false when the other side has left.
fn read_to(stream: &mut TcpStream, message: &mut Vec<u8>, end: &[u8]) -> bool {
    message.clear();
    let mut piece = [0; 4096];
    while !message.ends_with(end) {
        match stream.read(&mut piece) {
            Ok(read) if read > 0 => message.extend_from_slice(&piece[..read]),
            _ => return false,
        }
    }
    true
}
