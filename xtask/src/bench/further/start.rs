//! From the gateway's start to its first answer, with its compiled code in the cache; and what it has in memory then.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use super::super::{
    FOLDER, Plan, configuration,
    figure::{Bound, Figure, median},
    peer::{self, local},
    token,
};
use crate::{
    client::{self, Request},
    demo,
    process::{self, Running},
    usage,
};

/// Longer than a thousand plugins take that must be compiled.
const LIMIT: Duration = Duration::from_secs(120);

/// What is started, and a request that is answered with 200.
struct Gateway {
    configuration: PathBuf,
    address: SocketAddr,
    path: &'static str,
}

pub(super) fn measure(plan: &Plan) -> Result<Vec<Figure>> {
    let twenty = Gateway {
        configuration: configuration::plugins(19016, 16).with(&configuration::tokens(4)).write()?,
        address: local(19016),
        path: "/chain-4",
    };
    let thousand = Gateway {
        configuration: configuration::plugins(19016, 1_000).write()?,
        address: local(19016),
        path: "/chain-300",
    };
    let quickstart = Gateway {
        configuration: Path::new("examples/quickstart/gatehouse.toml").to_owned(),
        address: demo::GATEWAY,
        path: "/health",
    };
    demo::start_upstream()?;
    let cold = twenty.cold()?;
    let warm = twenty.times(plan.starts)?;
    thousand.times(1)?;
    let (many, loaded) = thousand.time_and_memory()?;
    quickstart.times(1)?;
    let (_, idle) = quickstart.time_and_memory()?;
    let figure = |name, value, unit, bound| Figure { name, value, unit, bound };
    Ok(vec![
        figure("start to first answer, 20 plugins", warm, "ms", Bound::AtMost(150.0)),
        figure("the same with nothing compiled yet", cold, "ms", Bound::None),
        figure("start to first answer, 1,000 plugins", many, "ms", Bound::None),
        figure("resident memory with 1,000 plugins", loaded, "MB", Bound::None),
        figure("resident memory of quickstart, idle", idle, "MB", Bound::AtMost(40.0)),
    ])
}

impl Gateway {
    /// Milliseconds to the first answer with an empty cache.
    fn cold(&self) -> Result<f64> {
        let cache = Path::new(FOLDER).join("gatehouse");
        if cache.exists() {
            fs::remove_dir_all(&cache)?;
        }
        self.times(1)
    }

    /// The median of so many starts.
    fn times(&self, count: usize) -> Result<f64> {
        let times = (0..count).map(|_| self.time_and_memory().map(|(time, _)| time)).collect::<Result<Vec<_>>>()?;
        Ok(median(times.into_iter()))
    }

    /// Milliseconds to the first answer, and the megabytes that are resident when it is idle after that.
    fn time_and_memory(&self) -> Result<(f64, f64)> {
        let (gateway, time) = self.start()?;
        thread::sleep(Duration::from_millis(300));
        let memory = usage::memory(gateway.id())?;
        gateway.stop(demo::STOP_LIMIT);
        Ok((time.as_secs_f64() * 1e3, memory))
    }

    fn start(&self) -> Result<(Running, Duration)> {
        let log = Path::new(FOLDER).join("start.log");
        let mut command = process::command(peer::gateway());
        command.arg("run").arg(&self.configuration).env("XDG_CACHE_HOME", fs::canonicalize(FOLDER)?);
        command.stdout(Stdio::null()).stderr(fs::File::create(&log)?);
        let mut request = Request::get(self.address, self.path);
        request.headers.push(("authorization".to_owned(), token::BEARER.to_owned()));
        let begin = Instant::now();
        let mut gateway = Running::start(&mut command)?;
        while begin.elapsed() < LIMIT {
            if client::send(&request).is_ok_and(|response| response.status == 200) {
                return Ok((gateway, begin.elapsed()));
            }
            if let Some(status) = gateway.0.try_wait()? {
                bail!("the gateway ended ({status}); see {}", log.display());
            }
            thread::sleep(Duration::from_millis(1));
        }
        bail!("the gateway does not answer; see {}", log.display())
    }
}
