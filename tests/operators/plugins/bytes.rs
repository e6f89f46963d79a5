//! Bytes that are no component of ours, or not all of one.

use std::{
    fs,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use super::{probing, replace, small};
use crate::{
    operators::load,
    support::{
        Gateway, Raw, Upstream, guest,
        raw::{ask, get},
    },
};

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
        let stops = load::Stops(&stop);
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
        drop(stops);
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
