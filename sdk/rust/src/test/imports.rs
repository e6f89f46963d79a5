//! What the reads of the SDK call natively in the place of the component's imports: functions of the same names.
#![allow(missing_docs, unreachable_pub)]

use std::{cell::RefCell, rc::Rc};

use super::{Gateway, exchange::Data};

thread_local! {
    static CURRENT: RefCell<Option<(Gateway, Option<Rc<Data>>)>> = const { RefCell::new(None) };
}

/// Runs code within a gateway and perhaps an exchange.
pub(super) fn enter<T>(gateway: &Gateway, exchange: Option<&Rc<Data>>, code: impl FnOnce() -> T) -> T {
    let before = CURRENT.replace(Some((gateway.clone(), exchange.cloned())));
    let result = code();
    CURRENT.set(before);
    result
}

fn gateway() -> Gateway {
    CURRENT.with_borrow(|it| it.as_ref().map(|(gateway, _)| gateway.clone())).unwrap_or_else(|| {
        panic!("the gateway was asked outside of one: in a test, call the plugin through `Exchange` or `Gateway::run`")
    })
}

fn exchange() -> Rc<Data> {
    CURRENT.with_borrow(|it| it.as_ref().and_then(|(_, exchange)| exchange.clone())).unwrap_or_else(|| {
        panic!("the request was read outside of an exchange: in a test, call the plugin through `Exchange`")
    })
}

/// The exchange, with a note of what is read.
fn read(what: impl Into<String>) -> Rc<Data> {
    let exchange = exchange();
    exchange.reads.borrow_mut().push(what.into());
    exchange
}

fn values<'a>(headers: &'a [crate::Header], name: &str) -> Vec<&'a str> {
    headers.iter().filter(|it| it.name.eq_ignore_ascii_case(name)).map(|it| it.value.as_str()).collect()
}

fn joined(headers: &[crate::Header], name: &str) -> Option<String> {
    let values = values(headers, name);
    let separator = if name.eq_ignore_ascii_case("cookie") { "; " } else { ", " };
    (!values.is_empty()).then(|| values.join(separator))
}

fn owned(values: Vec<&str>) -> Vec<String> {
    values.into_iter().map(str::to_owned).collect()
}

pub mod request {
    use super::{joined, owned, read, values};
    use crate::Header;

    pub fn method() -> String {
        read("method").method.clone()
    }

    pub fn path() -> String {
        read("path").path.clone()
    }

    pub fn query() -> Option<String> {
        read("query").query.clone()
    }

    pub fn query_param(name: &str) -> Option<String> {
        query_values(name, &read(format!("query-param:{name}")).query).into_iter().next()
    }

    pub fn query_params(name: &str) -> Vec<String> {
        query_values(name, &read(format!("query-params:{name}")).query)
    }

    pub fn path_param(name: &str) -> Option<String> {
        read(format!("path-param:{name}")).path_params.get(name).cloned()
    }

    pub fn scheme() -> String {
        read("scheme").scheme.clone()
    }

    pub fn authority() -> String {
        read("authority").authority.clone()
    }

    pub fn protocol() -> String {
        read("protocol").protocol.clone()
    }

    pub fn header(name: &str) -> Option<String> {
        joined(&read(format!("header:{}", name.to_ascii_lowercase())).headers, name)
    }

    pub fn header_values(name: &str) -> Vec<String> {
        owned(values(&read(format!("header-values:{}", name.to_ascii_lowercase())).headers, name))
    }

    pub fn headers() -> Vec<Header> {
        read("headers").headers.clone()
    }

    pub fn cookie(name: &str) -> Option<String> {
        let all = joined(&read(format!("cookie:{name}")).headers, "cookie")?;
        let mut pairs = all.split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
    }

    pub fn client_ip() -> String {
        read("client-ip").client_ip.clone()
    }

    pub fn route() -> String {
        read("route").route.clone()
    }

    pub fn id() -> String {
        read("id").id.clone()
    }

    fn query_values(name: &str, query: &Option<String>) -> Vec<String> {
        let pairs = query.iter().flat_map(|query| query.split('&'));
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs
            .map(|(key, value)| (decode(key), decode(value)))
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value)
            .collect()
    }

    fn decode(text: &str) -> String {
        let mut bytes = Vec::new();
        let mut rest = text.as_bytes();
        while let [first, after @ ..] = rest {
            rest = after;
            match (first, after) {
                (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                    bytes.push(hex(*high) * 16 + hex(*low));
                    rest = after;
                }
                (b'+', _) => bytes.push(b' '),
                _ => bytes.push(*first),
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn hex(digit: u8) -> u8 {
        match digit {
            b'0'..=b'9' => digit - b'0',
            _ => (digit | 0x20) - b'a' + 10,
        }
    }
}

pub mod response {
    use super::{exchange, joined, owned, values};
    use crate::Header;

    pub fn status() -> u16 {
        exchange().status
    }

    pub fn header(name: &str) -> Option<String> {
        joined(&exchange().response_headers, name)
    }

    pub fn header_values(name: &str) -> Vec<String> {
        owned(values(&exchange().response_headers, name))
    }

    pub fn headers() -> Vec<Header> {
        exchange().response_headers.clone()
    }
}

pub mod attributes {
    use super::read;
    use crate::Attribute;

    pub fn get(name: &str) -> Option<String> {
        read(format!("attribute:{name}")).attributes.get(name).cloned()
    }

    pub fn all() -> Vec<Attribute> {
        read("attributes").attributes.iter().map(|(name, value)| Attribute::new(name, value)).collect()
    }
}

pub mod outcome {
    use std::time::Duration;

    use super::exchange;

    pub fn started() -> u64 {
        u64::try_from(exchange().started.as_millis()).unwrap_or(u64::MAX)
    }

    pub fn duration() -> u64 {
        micros(exchange().duration)
    }

    pub fn upstream_duration() -> Option<u64> {
        exchange().upstream_duration.map(micros)
    }

    pub fn request_bytes() -> u64 {
        exchange().request_bytes
    }

    pub fn response_bytes() -> u64 {
        exchange().response_bytes
    }

    pub fn verdict() -> Option<String> {
        exchange().verdict.clone()
    }

    pub fn verdict_cached() -> bool {
        exchange().verdict_cached
    }

    pub fn failure() -> Option<String> {
        exchange().failure.clone()
    }

    fn micros(time: Duration) -> u64 {
        u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
    }
}

pub mod log {
    use super::gateway;
    use crate::log::Level;

    pub fn enabled(_level: Level) -> bool {
        true
    }

    pub fn write(level: Level, message: &str) {
        gateway().0.log.borrow_mut().push((level, message.to_owned()));
    }
}

pub mod output {
    use super::gateway;

    pub fn write_line(line: &str) -> bool {
        gateway().0.output.borrow_mut().push(line.to_owned());
        true
    }
}

pub mod wall_clock {
    use super::gateway;
    use crate::bindings::wasi::clocks::wall_clock::Datetime;

    pub fn now() -> Datetime {
        let now = gateway().0.now.get();
        Datetime { seconds: now.as_secs(), nanoseconds: now.subsec_nanos() }
    }
}

pub mod random {
    use super::gateway;

    pub fn get_random_bytes(length: u64) -> Vec<u8> {
        (0..length).map(|_| get_random_u64().to_le_bytes()[7]).collect()
    }

    /// Knuth's MMIX generator: tests repeat.
    pub fn get_random_u64() -> u64 {
        let state = &gateway().0.random;
        state.set(state.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407));
        state.get()
    }
}

pub mod http {
    use super::gateway;
    use crate::{
        Result,
        http::{Request, Response},
    };

    pub fn send(request: &Request) -> Result<Response> {
        let gateway = gateway();
        gateway.0.sent.borrow_mut().push(request.clone());
        match &*gateway.0.server.borrow() {
            Some(server) => server(request),
            None => Err(format!("nothing answers {}", request.url))?,
        }
    }
}

pub mod keyvalue {
    use std::collections::BTreeMap;

    use super::gateway;
    use crate::bindings::wasi::keyvalue::store::{Error, KeyResponse};

    #[derive(Debug)]
    pub struct Bucket(String);

    pub fn open(name: &str) -> Result<Bucket, Error> {
        Ok(Bucket(name.to_owned()))
    }

    pub fn increment(bucket: &Bucket, key: &str, delta: i64) -> Result<i64, Error> {
        let old = bucket.get(key)?.map_or(Some(0), |value| std::str::from_utf8(&value).ok()?.parse::<i64>().ok());
        let new = old.and_then(|old| old.checked_add(delta)).ok_or_else(|| Error::Other("not a number".to_owned()))?;
        bucket.set(key, new.to_string().as_bytes())?;
        Ok(new)
    }

    impl Bucket {
        fn with<T>(&self, code: impl FnOnce(&mut BTreeMap<String, Vec<u8>>) -> T) -> Result<T, Error> {
            Ok(code(gateway().0.buckets.borrow_mut().entry(self.0.clone()).or_default()))
        }

        pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
            self.with(|it| it.get(key).cloned())
        }

        pub fn set(&self, key: &str, value: &[u8]) -> Result<(), Error> {
            self.with(|it| drop(it.insert(key.to_owned(), value.to_vec())))
        }

        pub fn delete(&self, key: &str) -> Result<(), Error> {
            self.with(|it| drop(it.remove(key)))
        }

        pub fn exists(&self, key: &str) -> Result<bool, Error> {
            self.with(|it| it.contains_key(key))
        }

        pub fn list_keys(&self, _cursor: Option<&str>) -> Result<KeyResponse, Error> {
            self.with(|it| KeyResponse { keys: it.keys().cloned().collect(), cursor: None })
        }
    }
}
