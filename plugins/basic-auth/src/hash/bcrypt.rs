//! A bcrypt hash as `htpasswd -B` and most libraries write it. The crate's own reader of these comes with a source of
//! randomness for new hashes, which a component would have to import: this one does without.

use base64::{Engine as _, alphabet, engine::GeneralPurpose, engine::general_purpose::NO_PAD};

/// `$2b$`, two digits of cost, `$`, 16 bytes of salt and 23 of hash in bcrypt's own base64.
pub(crate) struct Bcrypt {
    cost: u32,
    salt: [u8; 16],
    hash: [u8; 23],
}

const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::BCRYPT, NO_PAD);

impl Bcrypt {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let rest = ["$2a$", "$2b$", "$2y$"].iter().find_map(|version| text.strip_prefix(version))?;
        let (cost, rest) = rest.split_once('$')?;
        let (salt, hash) = rest.split_at_checked(22)?;
        Some(Self {
            cost: cost.parse().ok().filter(|cost| (4..=31).contains(cost))?,
            salt: BASE64.decode(salt).ok()?.try_into().ok()?,
            hash: BASE64.decode(hash).ok()?.try_into().ok()?,
        })
    }

    pub(crate) fn matches(&self, password: &str) -> bool {
        // The algorithm takes a text that ends with a zero byte and no more than 72 bytes of it.
        let mut text = [password.as_bytes(), b"\0"].concat();
        text.truncate(72);
        let made = ::bcrypt::bcrypt(self.cost, self.salt, &text);
        // A difference tells nothing of the password: what is compared is a salted hash that the client cannot steer.
        made[..23] == self.hash
    }
}
