//! The least that a proxy over Pingora is: `pingora-peer -c pingora.yaml`. Where it listens and its upstream are here,
//! since Pingora's configuration has no words for them.

use async_trait::async_trait;
use pingora::{
    Result,
    prelude::{HttpPeer, Opt, ProxyHttp, Server, Session},
    proxy::http_proxy_service,
};

struct Plain;

#[async_trait]
impl ProxyHttp for Plain {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _session: &mut Session, _context: &mut ()) -> Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new("127.0.0.1:19000", false, String::new())))
    }
}

fn main() -> Result<()> {
    let mut server = Server::new(Opt::parse_args())?;
    server.bootstrap();
    let mut service = http_proxy_service(&server.configuration, Plain);
    service.add_tcp("127.0.0.1:19010");
    server.add_service(service);
    server.run_forever()
}
