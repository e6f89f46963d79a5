//! What the bench says in `authorization`. The keys of the two tokens are in `bench/peers/gatehouse.toml`; the tokens end
//! with the year 2099, name the issuer and the audience that the plugin is configured to check, and open nothing but the
//! bench.

/// For whoever looks only at the beginning.
pub(super) const BEARER: &str = "Bearer c2VjcmV0LXRva2Vu";

/// What nobody lets pass.
pub(super) const WRONG: &str = "Basic YTpi";

/// Signed with ES256.
pub(super) const ES256: &str = concat!(
    "Bearer eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6ImVzIn0.",
    "eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIiwiYXVkIjoiYmVuY2giLCJzdWIiOiJiZW5jaCIsImlhdCI6MTc2NzIyNTYwMCwi",
    "ZXhwIjo0MTAyNDQ0ODAwfQ.",
    "6ks8JUXXfqbSfPT2_Bz9C0_mM9p07pq1d2JLTUONOW1sFe9rK6GiyVOSeOR0PFFM69y_EH9kT4PxQVgwUqFxQg"
);

/// Signed with HS256.
pub(super) const HS256: &str = concat!(
    "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6ImhzIn0.",
    "eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIiwiYXVkIjoiYmVuY2giLCJzdWIiOiJiZW5jaCIsImlhdCI6MTc2NzIyNTYwMCwi",
    "ZXhwIjo0MTAyNDQ0ODAwfQ.",
    "4z7Cjgx3cymWYX_EJ_KcnQm2L60i4EKSQAtDBCVPC0s"
);
