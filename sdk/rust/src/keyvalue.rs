//! State that the instances of a plugin share. Needs the grant `keyvalue`.

use crate::Result;
use crate::bindings::wasi::keyvalue::store::Error as StoreError;
#[cfg(target_arch = "wasm32")]
use crate::bindings::wasi::keyvalue::{atomics, store};
#[cfg(not(target_arch = "wasm32"))]
use crate::test::imports::{keyvalue as atomics, keyvalue as store};

/// A collection of keys and values. Plugins do not see each other's.
#[derive(Debug)]
pub struct Bucket(store::Bucket);

impl Bucket {
    /// Opens a bucket by its name; a new one is empty.
    pub fn open(name: &str) -> Result<Self> {
        Ok(Self(store::open(name).map_err(text)?))
    }

    /// The value of a key. None when the key is absent.
    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.0.get(key).map_err(text)?)
    }

    /// Sets the value of a key. Fails when the state would outgrow the plugin's `limits.keyvalue_bytes`.
    pub fn set(&self, key: &str, value: &[u8]) -> Result<()> {
        Ok(self.0.set(key, value).map_err(text)?)
    }

    /// Removes a key, if it is there.
    pub fn delete(&self, key: &str) -> Result<()> {
        Ok(self.0.delete(key).map_err(text)?)
    }

    /// Whether a key is there.
    pub fn exists(&self, key: &str) -> Result<bool> {
        Ok(self.0.exists(key).map_err(text)?)
    }

    /// All keys, in no particular order.
    pub fn keys(&self) -> Result<Vec<String>> {
        let mut page = self.0.list_keys(None).map_err(text)?;
        let mut keys = std::mem::take(&mut page.keys);
        while let Some(cursor) = page.cursor {
            page = self.0.list_keys(Some(&cursor)).map_err(text)?;
            keys.append(&mut page.keys);
        }
        Ok(keys)
    }

    /// Adds to a number in one step and gives the sum; an absent key counts as 0.
    pub fn increment(&self, key: &str, delta: i64) -> Result<i64> {
        Ok(atomics::increment(&self.0, key, delta).map_err(text)?)
    }
}

fn text(error: StoreError) -> String {
    match error {
        StoreError::NoSuchStore => "the key-value store is unknown".to_owned(),
        StoreError::AccessDenied => "access to the key-value store is denied".to_owned(),
        StoreError::Other(text) => format!("key-value store: {text}"),
    }
}
