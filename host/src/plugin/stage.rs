//! The world outside of a plugin that is tried on its own: a clock that stands, answers to its requests that somebody has
//! written down, and a record of what it has said. No gateway has one.

use std::{sync::Mutex, time::Duration};

use bytes::Bytes;
use http::Method;
use http_body_util::{BodyExt as _, Full};
use wasmtime_wasi_http::{Error, WasiBody};

use super::bindings::gatehouse::plugin::log::Level;
use crate::lock::lock;

/// The world outside of one plugin.
#[derive(Debug, Default)]
pub(crate) struct Stage(Mutex<Scene>);

#[derive(Debug, Default)]
struct Scene {
    /// Since 1970.
    now: Duration,
    answers: Vec<Answer>,
    heard: Heard,
}

/// What a plugin has said to the outside.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// `info: text`
    pub(crate) log: Vec<String>,
    pub(crate) output: Vec<String>,
    /// `GET https://users.example/alice`
    pub(crate) http: Vec<String>,
    /// Those of them that nobody has written an answer for.
    pub(crate) unanswered: Vec<String>,
}

/// What a request to an URL gets.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) method: Method,
    pub(crate) url: String,
    /// The answer, or the name of an error.
    pub(crate) made: Result<http::Response<Bytes>, &'static str>,
}

impl Stage {
    /// From now on it is that time, and requests get these answers.
    pub(crate) fn set(&self, now: Duration, answers: Vec<Answer>) {
        let mut scene = lock(&self.0);
        (scene.now, scene.answers) = (now, answers);
    }

    /// What was said since it was last asked.
    pub(crate) fn heard(&self) -> Heard {
        std::mem::take(&mut lock(&self.0).heard)
    }

    pub(super) fn now(&self) -> Duration {
        lock(&self.0).now
    }

    pub(super) fn log(&self, level: Level, message: &str) {
        let level = match level {
            Level::Trace => "trace",
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        };
        lock(&self.0).heard.log.push(format!("{level}: {message}"));
    }

    pub(super) fn output(&self, line: String) {
        lock(&self.0).heard.output.push(line);
    }

    /// The answer to a request: the first that was written for it, as often as it is asked for.
    pub(super) fn answer(&self, request: &http::Request<WasiBody>) -> Result<http::Response<WasiBody>, Error> {
        let mut scene = lock(&self.0);
        let (method, url) = (request.method(), request.uri().to_string());
        let line = format!("{method} {url}");
        scene.heard.http.push(line.clone());
        let found = scene.answers.iter().find(|answer| answer.method == *method && answer.url == url);
        let Some(found) = found.cloned() else {
            scene.heard.unanswered.push(line);
            return Err(Error::HttpRequestDenied);
        };
        match found.made {
            Ok(response) => Ok(response.map(|body| Full::new(body).map_err(|never| match never {}).boxed_unsync())),
            Err("refused") => Err(Error::ConnectionRefused),
            Err("timeout") => Err(Error::ConnectionReadTimeout),
            Err(_) => Err(Error::HttpRequestDenied),
        }
    }
}
