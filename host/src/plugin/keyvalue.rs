//! `wasi:keyvalue` in memory: buckets of the plugin's own, shared by its instances, bounded in bytes.
//!
//! State lives as long as the plugin stays loaded unchanged; a reload of the plugin starts empty.

use wasmtime::component::Resource;

use super::{
    bindings::wasi::keyvalue::{atomics, store},
    shared::Buckets,
    state::State,
};
use crate::lock::lock;

/// Counted per entry on top of its bytes: what a map needs for it, roughly.
const ENTRY: usize = 64;

/// An open bucket: its name. Public because the generated bindings re-export it.
#[allow(unreachable_pub)]
pub struct Bucket(String);

impl State {
    /// The bucket of a call that hands over so many bytes.
    fn bucket(&mut self, bucket: &Resource<Bucket>, bytes: usize) -> wasmtime::Result<String> {
        self.budget.host_call(bytes)?;
        self.note_outside();
        Ok(self.table.get(bucket)?.0.clone())
    }

    fn buckets<T>(&self, with: impl FnOnce(&mut Buckets, usize) -> T) -> T {
        let mut buckets = lock(&self.shared.buckets);
        with(&mut buckets, self.shared.limits.keyvalue_bytes)
    }
}

impl Buckets {
    pub(super) fn set(&mut self, limit: usize, bucket: &str, key: String, value: Vec<u8>) -> Result<(), store::Error> {
        let old = self.by_name.get(bucket).and_then(|entries| entries.get(&key));
        let bytes = self.bytes - old.map_or(0, |old| cost(bucket, &key, old)) + cost(bucket, &key, &value);
        if bytes > limit {
            return Err(store::Error::Other(format!("the plugin's `limits.keyvalue_bytes` ({limit}) is used up")));
        }
        self.bytes = bytes;
        self.by_name.entry(bucket.to_owned()).or_default().insert(key, value);
        Ok(())
    }

    fn delete(&mut self, bucket: &str, key: &str) {
        let Some(entries) = self.by_name.get_mut(bucket) else { return };
        if let Some(old) = entries.remove(key) {
            self.bytes -= cost(bucket, key, &old);
        }
        // A bucket is what is in it: names alone must not fill memory.
        if entries.is_empty() {
            self.by_name.remove(bucket);
        }
    }
}

fn cost(bucket: &str, key: &str, value: &[u8]) -> usize {
    bucket.len() + key.len() + value.len() + ENTRY
}

impl store::Host for State {
    fn open(&mut self, identifier: String) -> wasmtime::Result<Result<Resource<Bucket>, store::Error>> {
        self.budget.host_call(identifier.len())?;
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
        let name = self.bucket(&bucket, key.len())?;
        Ok(Ok(self.buckets(|buckets, _| buckets.by_name.get(&name)?.get(&key).cloned())))
    }

    fn set(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), store::Error>> {
        let name = self.bucket(&bucket, key.len() + value.len())?;
        Ok(self.buckets(|buckets, limit| buckets.set(limit, &name, key, value)))
    }

    fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> wasmtime::Result<Result<(), store::Error>> {
        let name = self.bucket(&bucket, key.len())?;
        self.buckets(|buckets, _| buckets.delete(&name, &key));
        Ok(Ok(()))
    }

    fn exists(&mut self, bucket: Resource<Bucket>, key: String) -> wasmtime::Result<Result<bool, store::Error>> {
        let name = self.bucket(&bucket, key.len())?;
        Ok(Ok(self.buckets(|buckets, _| buckets.by_name.get(&name).is_some_and(|entries| entries.contains_key(&key)))))
    }

    fn list_keys(
        &mut self,
        bucket: Resource<Bucket>,
        _cursor: Option<String>,
    ) -> wasmtime::Result<Result<store::KeyResponse, store::Error>> {
        let name = self.bucket(&bucket, 0)?;
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
        let name = self.bucket(&bucket, key.len())?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_buckets_take_no_memory_beyond_the_limit() {
        let mut buckets = Buckets::default();
        for number in 0..100 {
            let name = format!("{number:0>200}");
            buckets.set(1000, &name, "key".into(), vec![0; 2000]).expect_err("too many bytes");
            if buckets.set(1000, &name, "key".into(), vec![]).is_ok() && number % 2 == 0 {
                buckets.delete(&name, "key");
            }
        }
        assert!(buckets.bytes <= 1000 && buckets.by_name.len() == 3, "{} in {}", buckets.bytes, buckets.by_name.len());
    }
}
