//! Files of plugins that are cut, changed, half written, of another kind or gone: the old plugin serves on, and what is
//! wrong is told with the name of the file.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::symlink,
    path::Path,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use super::load;
use crate::support::{
    Gateway, Process, Raw, RawUpstream, Upstream, guest,
    raw::{ask, get, ok},
};

/// A route `/x` through the probe, and one without.
fn probing(component: &Path, tag: &str) -> String {
    let folder = component.parent().unwrap().join("code");
    format!(
        "[server]\nworkers = 1\ncode_cache = {folder:?}\n[plugins.p]\ncomponent = {component:?}\n\
         config = {{ on_response = {{ set_headers = {{ x-a = \"{tag}\" }} }} }}\n\
         [routes.x]\npath = \"/x\"\nupstream = \"up\"\nplugins = [\"p\"]\n[routes.free]\nupstream = \"up\"\n"
    )
}

/// Two interfaces of ours that do nothing, compiled in no time.
fn small(exports: [&str; 2]) -> Vec<u8> {
    let export = |name: &str, number: usize| {
        format!("(instance $i{number} (export \"log\" (func $log))) (export \"{name}\" (instance $i{number}))")
    };
    let [first, second] = [export(exports[0], 0), export(exports[1], 1)];
    let text = format!(
        r#"(component
          (core module $code (memory (export "memory") 1) (func (export "log") (result i32) (i32.const 64)))
          (core instance $it (instantiate $code))
          (func $log (result (result (error string)))
            (canon lift (core func $it "log") (memory (core memory $it "memory"))))
          {first} {second})"#
    );
    wat::parse_str(text).unwrap()
}

/// Moves bytes into the place of a file.
fn replace(file: &Path, bytes: &[u8]) {
    fs::write(file.with_extension("new"), bytes).unwrap();
    fs::rename(file.with_extension("new"), file).unwrap();
}

#[test]
fn a_component_that_is_cut_at_any_kibibyte_is_refused_by_name_and_no_request_fails() {
    let upstream = Upstream::start();
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("p.wasm");
    let good = fs::read(guest("probe")).unwrap();
    fs::write(&component, &good).unwrap();
    let gateway = Gateway::start(&probing(&component, "1"), &upstream);
    let (stop, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let client = scope.spawn(|| load::keep_asking(gateway.address(), "/x", &stop, &served));
        for length in (0..good.len()).step_by(1024) {
            replace(&component, &good[..length]);
            let problems = gateway.reload_files().unwrap_err().to_string();
            assert!(
                problems.contains("gatehouse.toml:5:13: plugin `p`: ") && problems.contains("p.wasm is"),
                "{problems}"
            );
        }
        load::meets_more_requests(&served);
        stop.store(true, Ordering::Relaxed);
        client.join().unwrap();
    });
    println!("{} cuts, {} requests meanwhile", good.len().div_ceil(1024), served.load(Ordering::Relaxed));
    replace(&component, &good);
    assert_eq!(gateway.reload_files().unwrap(), 2);
}

#[test]
fn a_component_with_any_bit_changed_is_refused_or_loaded_and_the_gateway_serves_on() {
    let upstream = Upstream::start();
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("p.wasm");
    let good = small(["gatehouse:plugin/logger@0.1.0", "a:b/c"]);
    fs::write(&component, &good).unwrap();
    let text = format!("{}\n", probing(&component, "").replace("config = {", "# config = {"));
    let gateway = Gateway::start(&text, &upstream);
    let mut client = Raw::connect(gateway.address());
    let (mut loaded, mut refused) = (0, 0);
    for bit in (0..good.len() * 8).step_by(3) {
        let mut changed = good.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        replace(&component, &changed);
        match gateway.reload_files() {
            Ok(_) => loaded += 1,
            Err(problems) => {
                refused += 1;
                assert!(problems.to_string().contains("plugin `p`: "), "{problems}");
            }
        }
        // What was loaded may fail at each call: it is a logger, for which nobody waits.
        assert_eq!(client.send(get("/x", "")).response().text(), "hello", "bit {bit}");
    }
    println!("{loaded} components with a bit changed were loaded, {refused} refused");
    assert!(refused > 300 && loaded > 10, "{refused} {loaded}");
}

#[test]
fn a_component_of_another_kind_is_refused_by_name_and_with_what_is_wrong() {
    let upstream = Upstream::start();
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("p.wasm");
    let good = fs::read(guest("probe")).unwrap();
    fs::write(&component, &good).unwrap();
    let gateway = Gateway::start(&probing(&component, "1"), &upstream);
    let newer = String::from_utf8_lossy(&good).matches("gatehouse:plugin/").count();
    assert!(newer > 3, "the probe names its interfaces: {newer}");
    let [old, new] = [b"@0.1.0", b"@0.2.0"];
    let renamed: Vec<u8> = {
        let mut bytes = good.clone();
        let places: Vec<usize> = bytes.windows(6).enumerate().filter(|(_, it)| it == old).map(|(at, _)| at).collect();
        places.into_iter().for_each(|at| bytes[at..at + 6].copy_from_slice(new));
        bytes
    };
    let logger = "gatehouse:plugin/logger@0.1.0";
    for (bytes, reason) in [
        (renamed, "imports `gatehouse:plugin/types@0.2.0`: this gateway has gatehouse:plugin@0.1.0"),
        (small(["gatehouse:plugin/logger@0.2.0", "a:b/c"]), "exports `gatehouse:plugin/logger@0.2.0`"),
        // The hook of this version must not hide that the other is never asked.
        (small([logger, "gatehouse:plugin/authorizer@0.2.0"]), "`gatehouse:plugin/authorizer@0.2.0`"),
        (small([logger, "gatehouse:plugin/authorizer@1.0.0"]), "`gatehouse:plugin/authorizer@1.0.0`"),
        (small([logger, "gatehouse:plugin/authoriser@0.1.0"]), "`gatehouse:plugin/authoriser@0.1.0`"),
        (small([logger, "gatehouse:plugin/authorizer"]), "`gatehouse:plugin/authorizer`"),
        (small(["wasi:http/incoming-handler@0.2.0", "a:b/c"]), "exports no hook of gatehouse:plugin@0.1.0"),
        (wat::parse_str("(module)").unwrap(), "is a core WebAssembly module"),
        (b"\0asm\x0d\0\x02\0".to_vec(), "is not a WebAssembly component"),
        (b"\0asm\x0d\0\x01\0".to_vec(), "exports no hook"),
        (b"\x7fELF".to_vec(), "is not a WebAssembly component"),
        (Vec::new(), "is empty"),
        (vec![0; 1 << 20], "is not a WebAssembly component"),
    ] {
        replace(&component, &bytes);
        let problems = gateway.reload_files().map(|_| reason).unwrap_err().to_string();
        assert!(problems.contains(reason) && problems.contains("p.wasm"), "{reason}: {problems}");
        let answer = ask(gateway.address(), get("/x", ""));
        assert_eq!((answer.status(), answer.header("x-a")), (200, Some("1")), "after {reason}");
    }
}

#[test]
fn a_component_that_cannot_be_read_is_refused_by_name() {
    let upstream = Upstream::start();
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("p.wasm");
    fs::copy(guest("probe"), &component).unwrap();
    let gateway = Gateway::start(&probing(&component, "1"), &upstream);
    let ways: [(fn(&Path), &str); 5] = [
        (|_| (), "does not exist"),
        (|file| fs::create_dir(file).unwrap(), "cannot be read"),
        (|file| symlink("nowhere", file).unwrap(), "does not exist"),
        (|file| symlink("p.wasm", file).unwrap(), "cannot be read"),
        (|file| File::create(file).unwrap().set_len(200 << 20).unwrap(), "bytes: 134217728 at most"),
    ];
    for (way, reason) in ways {
        let _ = fs::remove_file(&component).or_else(|_| fs::remove_dir(&component));
        way(&component);
        let problems = gateway.reload_files().map(|_| reason).unwrap_err().to_string();
        assert!(problems.contains(reason) && problems.contains("p.wasm"), "{reason}: {problems}");
        let answer = ask(gateway.address(), get("/x", ""));
        assert_eq!((answer.status(), answer.header("x-a")), (200, Some("1")), "after {reason}");
    }
}

/// Where the watcher was told of what; an answer of 504 takes several times as long as it waits for quiet.
fn slow() -> (RawUpstream, String) {
    let upstream = RawUpstream::start(|raw| {
        while let Some(request) = raw.request() {
            match request.target() {
                "/slow" => drop(raw.rest()),
                _ => drop(raw.try_send(ok("hello"))),
            }
        }
    });
    let lines = format!("[upstreams.up]\nurl = \"http://{}\"\nfirst_byte_timeout = \"150ms\"\n", upstream.address());
    (upstream, lines)
}

#[test]
fn a_component_that_is_written_in_steps_is_loaded_once_and_whole() {
    let (upstream, lines) = slow();
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("p.wasm");
    let good = fs::read(guest("probe")).unwrap();
    fs::write(&component, &good).unwrap();
    let process = Process::start(&(probing(&component, "1") + &lines), &upstream);
    let mut whole = good.clone();
    whole.extend([0, 3, 1, b'v', 1]);
    // The file that is there is written over, from its beginning, as `cp` does.
    let mut file = File::create(&component).unwrap();
    for (step, piece) in whole.chunks(4 << 10).enumerate() {
        file.write_all(piece).unwrap();
        if step % 20 == 0 {
            assert_eq!(ask(process.address(), get("/slow", "")).status(), 504);
        }
        assert_eq!(ask(process.address(), get("/x", "")).header("x-a"), Some("1"));
    }
    drop(file);
    // Nothing was said of a half one before.
    let said = process.line(|line| line.contains("the configuration"));
    assert!(said.contains("\"generation\":2") && said.contains("loaded the configuration"), "{said}");
    assert_eq!(ask(process.address(), get("/x", "")).header("x-a"), Some("1"));
}

/// A writer that closes what is half: that is what the watcher must not trust, and the loader refuses.
#[test]
fn a_component_that_is_closed_when_it_is_half_is_refused_until_it_is_whole() {
    let upstream = Upstream::start();
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("p.wasm");
    let good = fs::read(guest("probe")).unwrap();
    fs::write(&component, &good).unwrap();
    let process = Process::start(&probing(&component, "1"), &upstream);
    let outcome = || process.line(|line| line.contains("configuration") && line.contains("\"generation\""));
    for length in [good.len() / 3, good.len() / 2, 0, good.len() - 1] {
        fs::write(&component, &good[..length]).unwrap();
        let said = outcome();
        assert!(said.contains("generation 1 serves on") && said.contains("p.wasm"), "{length}: {said}");
        assert_eq!(ask(process.address(), get("/x", "")).header("x-a"), Some("1"));
    }
    fs::remove_file(&component).unwrap();
    assert!(outcome().contains("p.wasm does not exist"));
    fs::create_dir(&component).unwrap();
    fs::remove_dir(&component).unwrap();
    assert!(outcome().contains("p.wasm"));
    assert_eq!(ask(process.address(), get("/x", "")).header("x-a"), Some("1"));
    fs::write(&component, &good).unwrap();
    assert!(outcome().contains("loaded the configuration"));
    assert_eq!(ask(process.address(), get("/x", "")).header("x-a"), Some("1"));
}

#[test]
fn a_component_that_is_replaced_again_and_again_while_it_is_read_is_one_or_the_other() {
    let upstream = Upstream::start();
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("p.wasm");
    let variants: Vec<Vec<u8>> = (0..2)
        .map(|number| {
            let mut bytes = small(["gatehouse:plugin/logger@0.1.0", "a:b/c"]);
            bytes.extend([0, 3, 1, b'v', number]);
            bytes
        })
        .collect();
    fs::write(&component, &variants[0]).unwrap();
    let gateway = Gateway::start(&probing(&component, "").replace("config = {", "# config = {"), &upstream);
    let (stop, swaps) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                replace(&component, &variants[swaps.fetch_add(1, Ordering::Relaxed) % 2]);
            }
        });
        for _ in 0..200 {
            gateway.reload_files().unwrap();
        }
        stop.store(true, Ordering::Relaxed);
    });
    println!("200 loads during {} swaps", swaps.load(Ordering::Relaxed));
    assert_eq!(ask(gateway.address(), get("/x", "")).status(), 200);
}
