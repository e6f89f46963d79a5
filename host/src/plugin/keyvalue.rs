//! `wasi:keyvalue` in memory: buckets of the plugin's own, shared by its instances, bounded in bytes.
//!
//! State lives as long as the plugin stays loaded unchanged; a reload of the plugin starts empty.

use wasmtime::component::Resource;

use super::{
    bindings::wasi::keyvalue::{atomics, store},
    shared::Buckets,
    state::State,
};

/// Counted per entry on top of its bytes: what a map needs for it, roughly.
const ENTRY: usize = 64;

/// An open bucket: its name.
pub struct Bucket(String);

impl State {
    fn bucket(&mut self, bucket: &Resource<Bucket>) -> wasmtime::Result<String> {
        self.note_outside();
        Ok(self.table.get(bucket)?.0.clone())
    }

    fn buckets<T>(&self, with: impl FnOnce(&mut Buckets, usize) -> T) -> T {
        let mut buckets = self.shared.buckets.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        with(&mut buckets, self.shared.limits.keyvalue_bytes)
    }
}

impl Buckets {
    fn set(&mut self, limit: usize, bucket: &str, key: String, value: Vec<u8>) -> Result<(), store::Error> {
        let entries = self.by_name.entry(bucket.to_owned()).or_default();
        let old = entries.get(&key).map_or(0, |old| key.len() + old.len() + ENTRY);
        let bytes = self.bytes - old + key.len() + value.len() + ENTRY;
        if bytes > limit {
            return Err(store::Error::Other(format!("the plugin's `limits.keyvalue_bytes` ({limit}) is used up")));
        }
        self.bytes = bytes;
        entries.insert(key, value);
        Ok(())
    }
}

impl store::Host for State {
    fn open(&mut self, identifier: String) -> wasmtime::Result<Result<Resource<Bucket>, store::Error>> {
        if identifier.len() > 256 {
            return Ok(Err(store::Error::NoSuchStore));
        }
        Ok(Ok(self.table.push(Bucket(identifier))?))
    }
}

impl store::HostBucket for State {
    fn get(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, store::Error>> {
        let name = self.bucket(&bucket)?;
        Ok(Ok(self.buckets(|buckets, _| buckets.by_name.get(&name)?.get(&key).cloned())))
    }

    fn set(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), store::Error>> {
        let name = self.bucket(&bucket)?;
        Ok(self.buckets(|buckets, limit| buckets.set(limit, &name, key, value)))
    }

    fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> wasmtime::Result<Result<(), store::Error>> {
        let name = self.bucket(&bucket)?;
        self.buckets(|buckets, _| {
            if let Some(old) = buckets.by_name.get_mut(&name).and_then(|entries| entries.remove(&key)) {
                buckets.bytes -= key.len() + old.len() + ENTRY;
            }
        });
        Ok(Ok(()))
    }

    fn exists(&mut self, bucket: Resource<Bucket>, key: String) -> wasmtime::Result<Result<bool, store::Error>> {
        let name = self.bucket(&bucket)?;
        Ok(Ok(self.buckets(|buckets, _| buckets.by_name.get(&name).is_some_and(|entries| entries.contains_key(&key)))))
    }

    fn list_keys(
        &mut self,
        bucket: Resource<Bucket>,
        _cursor: Option<String>,
    ) -> wasmtime::Result<Result<store::KeyResponse, store::Error>> {
        let name = self.bucket(&bucket)?;
        let keys = self.buckets(|buckets, _| {
            buckets.by_name.get(&name).map(|entries| entries.keys().cloned().collect()).unwrap_or_default()
        });
        Ok(Ok(store::KeyResponse { keys, cursor: None }))
    }

    fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl atomics::Host for State {
    fn increment(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        delta: i64,
    ) -> wasmtime::Result<Result<i64, store::Error>> {
        let name = self.bucket(&bucket)?;
        Ok(self.buckets(|buckets, limit| {
            let old = buckets.by_name.get(&name).and_then(|entries| entries.get(&key));
            let old = match old {
                None => 0,
                Some(text) => std::str::from_utf8(text)
                    .ok()
                    .and_then(|text| text.parse::<i64>().ok())
                    .ok_or_else(|| store::Error::Other(format!("`{key}` is not a number")))?,
            };
            let new = old.checked_add(delta).ok_or_else(|| store::Error::Other("overflow".into()))?;
            buckets.set(limit, &name, key, new.to_string().into_bytes()).map(|()| new)
        }))
    }
}
