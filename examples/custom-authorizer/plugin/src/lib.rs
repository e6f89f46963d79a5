//! A rule of one's own: a request for a tenant must carry that tenant's key.

use std::collections::HashMap;

use gatehouse_plugin::prelude::*;

/// The plugin is its configuration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tenants {
    tenants: HashMap<String, Tenant>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tenant {
    key: String,
    plan: String,
}

impl Authorizer for Tenants {
    fn authorize(&self, request: &Request) -> Result<Verdict> {
        let name = request.path_param("tenant").ok_or("the route's path has no {tenant}")?;
        let key = request.header("x-tenant-key").unwrap_or_default();
        match self.tenants.get(&name) {
            Some(tenant) if same_secret(&key, &tenant.key) => {
                Verdict::allow(&name).attribute("tenant", &name).attribute("plan", &tenant.plan).into()
            }
            _ => Verdict::deny(403).json(json!({ "error": "this key does not open this tenant" })).into(),
        }
    }
}

export!(Tenants: authorizer);

#[cfg(test)]
mod tests {
    use gatehouse_plugin::test::{Exchange, start};

    use super::*;

    fn ask(tenant: &str, key: &str) -> Result<Verdict> {
        let tenants: Tenants = start(json!({ "tenants": { "acme": { "key": "a1", "plan": "gold" } } }))?;
        Exchange::get("/").path_param("tenant", tenant).header("x-tenant-key", key).authorize(&tenants)
    }

    #[test]
    fn the_tenants_own_key_passes_and_tells_the_plan() -> Result<()> {
        let expected = Verdict::allow("acme").attribute("tenant", "acme").attribute("plan", "gold");
        assert_eq!(ask("acme", "a1")?, expected.into());
        Ok(())
    }

    #[test]
    fn another_key_and_an_unknown_tenant_get_the_same_403() -> Result<()> {
        let Verdict::Deny(denial) = ask("acme", "a2")? else { panic!("let in") };
        assert_eq!(denial.status, 403);
        assert_eq!(ask("initech", "a1")?, denial.into());
        Ok(())
    }
}
