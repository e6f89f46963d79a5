//! The configuration that each README begins with is loaded as it stands.

use super::token::vectors;
use crate::support::{Gateway, Upstream};

const READMES: [&str; 6] = [
    include_str!("../../plugins/access-log/README.md"),
    include_str!("../../plugins/api-key/README.md"),
    include_str!("../../plugins/basic-auth/README.md"),
    include_str!("../../plugins/jwt/README.md"),
    include_str!("../../plugins/jwt-remote/README.md"),
    include_str!("../../plugins/transform/README.md"),
];

#[test]
fn the_example_of_every_readme_is_loaded() {
    let upstream = Upstream::start();
    for readme in READMES {
        let example = readme.split("```").find_map(|block| block.strip_prefix("toml\n")).unwrap();
        let name = example.strip_prefix("[plugins.").and_then(|rest| rest.split(']').next()).unwrap();
        let route = format!("[routes.x]\nupstream = \"up\"\nplugins = [\"{name}\"]\n");
        let pem = vectors()["pem"]["rsa"].as_str().unwrap().to_owned();
        let elided = "-----BEGIN PUBLIC KEY-----\n...\n-----END PUBLIC KEY-----\n";
        let text = example.replace("component = \"", "component = \"{guests}/").replace(elided, &pem) + &route;
        Gateway::try_start(&text, &upstream).unwrap_or_else(|problems| panic!("{name}: {problems}"));
    }
}
