//! The parts of a request's path that are the gateway's own, each by itself: the router, a hook, the verdict cache, and
//! the swap of the configuration. They say which part became slower; what a request costs is `cargo xtask bench`'s.

#![allow(clippy::unwrap_used)]

use std::{
    fs,
    hint::black_box,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use criterion::Criterion;
use gatehouse::{
    Server,
    clock::Clock,
    config::Config,
    exchange::Exchange,
    failure::Fault,
    measure::{self, Snapshot},
};
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Authorizers that differ in what is kept: their instance, their verdict, nothing.
const AUTHORIZERS: [(&str, &str); 3] = [
    ("kept", "cache = { ttl = \"0s\" }"),
    ("cached", ""),
    ("fresh", "cache = { ttl = \"0s\" }\nisolation = \"request\""),
];

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    router(&mut criterion);
    hooks(&mut criterion);
    swap(&mut criterion);
    criterion.final_summary();
}

/// A gateway whose worker has nothing to do.
struct Gateway {
    server: Server,
    _folder: TempDir,
}

impl Gateway {
    fn start(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gatehouse.toml");
        let fixed = "[server]\nworkers = 1\n[listeners.bench]\naddress = \"127.0.0.1:0\"\n\
            [upstreams.up]\nurl = \"http://127.0.0.1:1\"\n";
        fs::write(&file, format!("{fixed}{text}")).unwrap();
        let server = Server::start(Config::load(&file).unwrap(), Clock::default()).unwrap();
        Self { server, _folder: folder }
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        self.server.gateway().snapshot()
    }
}

/// So many routes `/service-N/items/{id}`.
fn routes(count: usize) -> String {
    (0..count).map(|n| format!("[routes.r{n}]\npath = \"/service-{n}/items/{{id}}\"\nupstream = \"up\"\n")).collect()
}

/// The authorizers, each `copies` times, each with a route of its name and number.
fn authorizers(copies: usize) -> String {
    let guests = std::env::var_os("GATEHOUSE_GUESTS")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/guests")), PathBuf::from);
    let component = guests.join("bench-authorizer.wasm");
    let component = component.canonicalize().expect("`cargo xtask guests` builds it");
    let mut text = String::new();
    for (name, lines) in AUTHORIZERS {
        for n in 0..copies {
            text += &format!("[plugins.{name}-{n}]\ncomponent = \"{}\"\n{lines}\n", component.display());
            text += &format!(
                "[routes.{name}-{n}]\npath = \"/{name}/{n}\"\nupstream = \"up\"\nplugins = [\"{name}-{n}\"]\n"
            );
        }
    }
    text
}

fn router(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("router");
    for count in [1, 10_000] {
        let gateway = Gateway::start(&routes(count));
        let snapshot = gateway.snapshot();
        group.bench_function(format!("the first of {count}"), |bencher| {
            bencher.iter(|| measure::route(&snapshot, "bench.example", black_box("/service-0/items/7")).unwrap());
        });
        if count == 1 {
            continue;
        }
        let paths: Vec<String> = (0..count).map(|n| format!("/service-{n}/items/7")).collect();
        let mut paths = paths.iter().cycle();
        group.bench_function(format!("all {count} in turn"), |bencher| {
            bencher.iter(|| measure::route(&snapshot, "bench.example", paths.next().unwrap()).unwrap());
        });
    }
}

fn hooks(criterion: &mut Criterion) {
    let gateway = Gateway::start(&authorizers(1));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let exchange = |path| {
        let bearer = HeaderValue::from_static("Bearer of-the-bench");
        measure::exchange(&gateway.snapshot(), path, HeaderMap::from_iter([(AUTHORIZATION, bearer)])).unwrap()
    };

    let mut group = criterion.benchmark_group("hook");
    for (name, path) in [("authorize, kept instance", "/kept/0"), ("authorize, fresh instance", "/fresh/0")] {
        let exchange = exchange(path);
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|times| repeat(&runtime, &exchange, times, measure::call));
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("verdict cache");
    let exchange = exchange("/cached/0");
    assert!(!runtime.block_on(measure::decide(&exchange)).unwrap(), "the first one is asked for");
    group.bench_function("hit", |bencher| {
        bencher.iter_custom(|times| repeat(&runtime, &exchange, times, measure::decide));
    });
}

/// Repeats it within one task, so that the runtime is entered once. It must be true each time.
fn repeat(
    runtime: &Runtime,
    exchange: &Arc<Exchange>,
    times: u64,
    asked: impl AsyncFn(&Arc<Exchange>) -> Result<bool, Fault>,
) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        for _ in 0..times {
            assert!(asked(black_box(exchange)).await.unwrap());
        }
        started.elapsed()
    })
}

fn swap(criterion: &mut Criterion) {
    let gateway = Gateway::start(&authorizers(10));
    let gateway = gateway.server.gateway();
    let mut group = criterion.benchmark_group("configuration");
    group.bench_function("a worker's read", |bencher| bencher.iter(|| gateway.snapshot()));
    group.bench_function("a worker's read under endless swaps", |bencher| {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    gateway.reload().unwrap();
                }
            });
            bencher.iter(|| gateway.snapshot());
            over.store(true, Ordering::Relaxed);
        });
    });
    // Read, checked and swapped; 30 plugins are as they were, and so taken over.
    group.bench_function("a reload with 30 plugins", |bencher| bencher.iter(|| gateway.reload().unwrap()));
}
