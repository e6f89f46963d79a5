//! How many connections a client may have.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use socket2::{Domain, Socket, Type};

use super::{all, ended};
use crate::support::{
    Gateway, Raw, Upstream,
    raw::{ask, get},
    tls::Authority,
};

const THREE: &str = "[limits]\nconnections_per_client = 3\n";

/// Whether a connection is served.
fn is_served(client: &mut Raw) -> bool {
    client.try_send(get("/", "")).is_ok() && client.head().is_some() && client.exact(5).as_deref() == Some(b"hello")
}

/// A request from another address of this machine.
fn ask_from(address: Ipv4Addr, gateway: &Gateway) -> bool {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((address, 0)).into()).unwrap();
    socket.connect(&gateway.address().into()).unwrap();
    is_served(&mut Raw::over(TcpStream::from(socket)))
}

#[test]
fn a_client_has_so_many_connections_and_others_have_theirs() {
    let upstream = Upstream::start();
    let two = "[server]\nworkers = 2\ndrain_timeout = \"1s\"\n";
    let gateway = Gateway::start(&all(&format!("{THREE}{two}")), &upstream);
    let mut mine: Vec<Raw> = (0..3).map(|_| Raw::connect(gateway.address())).collect();
    assert!(mine.iter_mut().all(is_served), "whichever worker they are with");
    assert_eq!(Raw::connect(gateway.address()).rest(), b"");
    assert_eq!(gateway.metric(&ended("connections")), 1);
    assert!(ask_from(Ipv4Addr::new(127, 0, 0, 2), &gateway));
    assert!(mine.iter_mut().all(is_served), "those that are there go on");
    // One leaves, and there is room for one.
    drop(mine.pop());
    let end = std::time::Instant::now() + Duration::from_secs(5);
    while !is_served(&mut Raw::connect(gateway.address())) {
        assert!(std::time::Instant::now() < end, "no room although one has left");
    }
}

#[test]
fn proxies_that_are_trusted_bring_any_number() {
    let upstream = Upstream::start();
    let trusted = "[server]\nworkers = 1\ndrain_timeout = \"1s\"\ntrusted_proxies = [\"127.0.0.0/8\"]\n";
    let gateway = Gateway::start(&all(&format!("{THREE}{trusted}")), &upstream);
    let mut many: Vec<Raw> = (0..20).map(|_| Raw::connect(gateway.address())).collect();
    assert!(many.iter_mut().all(is_served));
}

#[test]
fn a_reload_changes_how_many_there_may_be() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&all(THREE), &upstream);
    let mut mine: Vec<Raw> = (0..3).map(|_| Raw::connect(gateway.address())).collect();
    assert!(mine.iter_mut().all(is_served));
    gateway.reload(&all("[limits]\nconnections_per_client = 4\n"), &upstream).unwrap();
    assert_eq!(ask(gateway.address(), get("/", "connection: close\r\n")).status(), 200);
    gateway.reload(&all("[limits]\nconnections_per_client = 1\n"), &upstream).unwrap();
    assert_eq!(Raw::connect(gateway.address()).rest(), b"");
    assert!(mine.iter_mut().all(is_served), "those that are there go on");
}

#[test]
fn over_tls_it_is_closed_before_the_handshake() {
    let authority = Authority::new("ca");
    authority.issue("a", &["localhost"]);
    let folder = authority.folder.path().display();
    let text = format!(
        "[limits]\nconnections_per_client = 1\n[listeners.main]\naddress = \"127.0.0.1:0\"\n[listeners.main.tls]\n\
         certificates = [{{ certificate = \"{folder}/a.pem\", key = \"{folder}/a.key\" }}]\n"
    );
    let upstream = Upstream::start();
    let gateway = Gateway::start(&all(&text), &upstream);
    let _mine = Raw::connect(gateway.address());
    // Without having said a word.
    assert_eq!(Raw::connect(gateway.address()).rest(), b"");
    assert_eq!(gateway.metric(&ended("connections")), 1);
}
