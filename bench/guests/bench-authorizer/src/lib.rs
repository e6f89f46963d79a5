//! The bench's authorizer: what every peer's extension is asked to do, `authorization` must begin with `Bearer `.

use gatehouse_plugin::prelude::*;

struct Bearer;

impl Plugin for Bearer {
    type Config = NoConfig;

    fn new(_config: NoConfig) -> Result<Self> {
        Ok(Self)
    }
}

impl Authorizer for Bearer {
    fn authorize(&self, request: &Request) -> Result<Verdict> {
        match request.header("authorization") {
            Some(value) if value.starts_with("Bearer ") => Verdict::allow("bench").into(),
            _ => Verdict::deny(401).into(),
        }
    }
}

export!(Bearer: authorizer);
