//! Password hashes: argon2 as a PHC string, or bcrypt.

mod bcrypt;

use argon2::{
    Algorithm, Argon2, Params,
    password_hash::{PasswordVerifier as _, phc::PasswordHash},
};
use serde::{Deserialize, Deserializer, de::Error as _};

use self::bcrypt::Bcrypt;

pub(crate) enum Hash {
    Argon2(Box<PasswordHash>),
    Bcrypt(Bcrypt),
}

impl Hash {
    /// Whether it is the hash of that password. Slow, as it should be.
    pub(crate) fn matches(&self, password: &str) -> bool {
        match self {
            Self::Argon2(hash) => Argon2::default().verify_password(password.as_bytes(), &**hash).is_ok(),
            Self::Bcrypt(hash) => hash.matches(password),
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with("$argon2") {
            let hash = PasswordHash::new(text).map_err(|error| format!("not an argon2 hash: {error}"))?;
            Algorithm::new(hash.algorithm).map_err(|error| format!("not an argon2 hash: {error}"))?;
            Params::try_from(&hash).map_err(|error| format!("not an argon2 hash: {error}"))?;
            if hash.salt.is_none() || hash.hash.is_none() {
                return Err("not an argon2 hash: the salt or the hash is missing".to_owned());
            }
            return Ok(Self::Argon2(Box::new(hash)));
        }
        if text.starts_with("$2") {
            return Ok(Self::Bcrypt(Bcrypt::parse(text).ok_or("not a bcrypt hash: it is cut or has another form")?));
        }
        Err("a hash begins with `$argon2id$`, `$argon2i$`, `$argon2d$` or, for bcrypt, `$2b$`, `$2y$`, `$2a$`"
            .to_owned())
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
