//! A plugin on its own: exchanges go through the chain that requests go through in a gateway, and through the same runtime,
//! without a socket. What is outside of the plugin stands on a stage: its clock, its requests, its state.
//!
//! `gatehouse plugin test` and `run` are made of it. It knows nothing of terminals.

mod cases;
mod compare;
mod outcome;

pub use cases::{Body, Case, Cases, Message, Request, Route, Step, Values};
pub use compare::Difference;
pub use outcome::{Answered, Cost, Outcome, Sent};

use std::{
    collections::{BTreeMap, VecDeque},
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, uri::PathAndQuery};
use http_body::Frame;
use serde_json::{Map, Value};

use crate::{
    answer::AnswerBody,
    body::{Broken, RequestBody, collect},
    chain::{self, Stop},
    clock::Clock,
    config::{Config, Source},
    errors,
    exchange::{self, Exchange, isomorphic_encode},
    failure::{Failure, Fault},
    metrics::Metrics,
    path,
    plugin::{Answer, Compiled, Plugin, PluginReply, Stage, Surroundings, Verdict},
    reply,
    route::{Found, Lookup},
    snapshot::Snapshot,
};

/// 2026-01-01T00:00:00Z
const BEGINNING: Duration = Duration::from_secs(1_767_225_600);

/// How long the exchange seems to a logger to have lasted.
const LASTED: Duration = Duration::from_millis(1);

/// A component that is tried.
pub struct Trial {
    compiled: Compiled,
    /// The plugin's name: that of the file.
    name: String,
    component: String,
}

/// What all exchanges of a case have in common.
#[derive(Debug, Default)]
pub struct Setting {
    /// The plugin's configuration.
    pub config: Map<String, Value>,
    /// Its limits, as in a gateway's configuration.
    pub limits: Map<String, Value>,
    /// The route.
    pub route: Route,
    /// Key-value state: by bucket, then by key.
    pub state: BTreeMap<String, BTreeMap<String, String>>,
}

/// How a case went.
#[derive(Debug, Default)]
pub struct Tried {
    /// In the order of its exchanges; those after one that went otherwise than expected are not made.
    pub outcomes: Vec<Outcome>,
    /// Of the last of them.
    pub differences: Vec<Difference>,
    /// Why the plugin has not started: the gateway would refuse the configuration with it.
    pub refused: Option<String>,
    /// How long it took to make the instance.
    pub start: Duration,
}

/// A plugin at work on its stage.
struct Scene {
    snapshot: Arc<Snapshot>,
    plugin: Arc<Plugin>,
    stage: Arc<Stage>,
    now: Duration,
    start: Duration,
}

impl Trial {
    /// Reads and compiles a component.
    pub fn load(file: &Path) -> Result<Self, String> {
        let component = file.canonicalize().map_err(|error| format!("{}: {error}", file.display()))?;
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let name = stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let component = component.to_str().ok_or("the name of the file is not UTF-8")?.to_owned();
        let server = configuration("plugin", &component, &Setting::default())?.server;
        Ok(Self { compiled: Compiled::read(file, &server)?, name, component })
    }

    /// In bytes.
    pub fn size(&self) -> usize {
        self.compiled.size()
    }

    /// How long compiling took.
    pub fn compile_time(&self) -> Duration {
        self.compiled.took
    }

    /// Runs a case. An error is what to say of it when it could not be run at all.
    pub fn run(&self, setting: &Setting, steps: &[Step]) -> Result<Tried, String> {
        in_a_runtime(async {
            let mut tried = Tried::default();
            let mut scene = match self.scene(setting).await? {
                Ok(scene) => scene,
                Err(why) => {
                    let expected = steps.first().and_then(|step| step.expect.refused.as_deref());
                    tried.differences.extend(compare::refusal(expected, Some(&why)));
                    tried.refused = Some(why);
                    return Ok(tried);
                }
            };
            tried.start = scene.start;
            for step in steps {
                let outcome = scene.play(step).await?;
                tried.differences = differences(step, &outcome);
                tried.outcomes.push(outcome);
                if !tried.differences.is_empty() {
                    break;
                }
            }
            Ok(tried)
        })
    }

    /// Makes the same exchange again and again with one instance. What each took.
    pub fn repeat(&self, setting: &Setting, step: &Step, times: usize) -> Result<Vec<Cost>, String> {
        in_a_runtime(async {
            let mut scene = self.scene(setting).await??;
            let mut costs = Vec::with_capacity(times);
            for _ in 0..times {
                costs.push(scene.play(step).await?.cost);
            }
            Ok(costs)
        })
    }

    /// The plugin at work, or why it does not start.
    async fn scene(&self, setting: &Setting) -> Result<Result<Scene, String>, String> {
        let mut config = configuration(&self.name, &self.component, setting)?;
        config.plugins[0].config = Value::Object(setting.config.clone());
        let stage = Arc::new(Stage::default());
        stage.set(BEGINNING, Vec::new());
        let metrics = Metrics::default();
        let around = Surroundings {
            server: &config.server,
            metrics: &metrics,
            clock: &Clock::default(),
            serving: None,
            stage: Some(stage.clone()),
        };
        let plugin = match self.compiled.plugin(&config.plugins[0], &around) {
            Ok(plugin) => plugin,
            Err(problems) => {
                let lines =
                    problems.into_iter().map(|problem| format!("{}: {}", problem.at.join("."), problem.message));
                return Ok(Err(lines.collect::<Vec<_>>().join("\n")));
            }
        };
        let state = setting.state.iter().map(|(bucket, entries)| {
            (bucket.clone(), entries.iter().map(|(key, value)| (key.clone(), value.clone().into_bytes())).collect())
        });
        plugin.fill(&state.collect())?;
        let snapshot =
            Arc::new(Snapshot::of(config, vec![plugin.clone()], Vec::new(), None, &metrics, &Clock::default()));
        let started = Instant::now();
        plugin.session(0).await.map_err(|fault| fault.to_string())?;
        let start = started.elapsed();
        // What it said while it started has been said before each case.
        stage.heard();
        Ok(Ok(Scene { snapshot, plugin, stage, now: BEGINNING, start }))
    }
}

/// On this thread, with what chains need around them.
fn in_a_runtime<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime = tokio::runtime::LocalRuntime::new();
    runtime.map_err(|error| format!("no runtime to try the plugin in: {error}"))?.block_on(work)
}

/// A configuration with this one plugin, for the defaults of all that is not said.
fn configuration(name: &str, component: &str, setting: &Setting) -> Result<Config, String> {
    let quoted = |text: &str| Value::from(text).to_string();
    let path = setting.route.path.as_ref().map(|path| format!("path = {}\n", quoted(path))).unwrap_or_default();
    let limits: String = setting.limits.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
    let text = format!(
        "[server]\nworkers = 1\n[listeners.none]\naddress = \"127.0.0.1:0\"\n[upstreams.none]\nurl = \"http://127.0.0.1\"\n\
         [routes.{}]\n{path}upstream = \"none\"\nplugins = [{}]\n\
         [plugins.{}]\ncomponent = {}\n[plugins.{}.limits]\n{limits}",
        quoted(&setting.route.name),
        quoted(name),
        quoted(name),
        quoted(component),
        quoted(name),
    );
    Config::parse(Source::new("what was made of the cases", &text)).map_err(|problems| problems.to_string())
}

fn differences(step: &Step, outcome: &Outcome) -> Vec<Difference> {
    let came = serde_json::to_value(outcome).expect("an outcome has only names as keys");
    let mut found = compare::differences(&step.expect.json(), &came);
    found.extend(compare::refusal(step.expect.refused.as_deref(), None));
    let unanswered = outcome.unanswered.iter();
    found.extend(unanswered.map(|line| Difference {
        at: "http".to_owned(),
        expected: None,
        came: Some(format!("{line}, for which the case has no answer").into()),
    }));
    let within = &step.expect.within;
    let time = outcome.cost.time.as_secs_f64() * 1000.0;
    let mut at_most = |at: &str, most: Option<f64>, came: f64| {
        if let Some(most) = most.filter(|most| came > *most) {
            found.push(Difference { at: at.to_owned(), expected: Some(most.into()), came: Some(came.into()) });
        }
    };
    at_most("within.time_ms", within.time_ms, time);
    at_most("within.memory", within.memory.map(|memory| memory as f64), outcome.cost.memory as f64);
    found
}

impl Scene {
    /// Makes one exchange.
    async fn play(&mut self, step: &Step) -> Result<Outcome, String> {
        self.now = step.clock.map_or(self.now, |clock| clock.0);
        let answers = step.http.iter().map(answer).collect::<Result<_, String>>()?;
        self.stage.set(self.now, answers);
        let mut exchange = self.exchange(step)?;
        let mut outcome = Outcome::default();
        if let Err(stop) = self.pass(&mut exchange, step, &mut outcome).await {
            self.stopped(&mut exchange, stop, &mut outcome);
        }
        chain::edit(&mut exchange).outcome.duration = LASTED;
        if self.plugin.hooks.is_logger() {
            let started = Instant::now();
            let told = async { self.plugin.session(0).await?.log(&exchange).await };
            if let Err(fault) = told.await {
                self.stopped(&mut exchange, Failure::plugin(self.plugin.name(), fault).into(), &mut outcome);
            }
            outcome.cost.time += started.elapsed();
        }
        outcome.attributes(&exchange, &step.attributes);
        outcome.heard(self.stage.heard());
        let entries = |entries: BTreeMap<String, Vec<u8>>| {
            entries.into_iter().map(|(key, value)| (key, String::from_utf8_lossy(&value).into_owned())).collect()
        };
        outcome.state = self.plugin.state().into_iter().map(|(name, all)| (name, entries(all))).collect();
        outcome.cost.time += exchange.outcome.plugins.iter().map(|(_, time)| *time).sum::<Duration>();
        outcome.cost.memory = self.plugin.memory();
        Ok(outcome)
    }

    /// The way of a request, as in `gateway::answer`, with an upstream that gives the step's answer.
    async fn pass(&self, exchange: &mut Arc<Exchange>, step: &Step, outcome: &mut Outcome) -> Result<(), Stop> {
        self.authorize(exchange, outcome).await?;
        let body = match chain::on_request(exchange, 0, 0, request_body(&step.request.body)).await {
            Ok(body) => {
                let body = collect(body, u64::MAX).await.map_err(broken)?.unwrap_or_default();
                outcome.sent(exchange, &body);
                let message = step.response.clone().unwrap_or_default();
                chain::edit(exchange).response = Some(response(&message).map_err(Failure::Internal)?);
                answer_body(&message.body)
            }
            // No plugin has seen the request before this one, so none sees the answer.
            Err(stop) => return Err(stop),
        };
        let body = chain::on_response(exchange, 0, 0, body, None).await?;
        let body = collect(body, u64::MAX).await.map_err(broken)?.unwrap_or_default();
        if step.response.is_some() || self.plugin.hooks.filters_responses() {
            outcome.answered(exchange, &body);
        }
        Ok(())
    }

    /// Asks it directly: nothing is kept of what it says, and what it read is told.
    async fn authorize(&self, exchange: &mut Arc<Exchange>, outcome: &mut Outcome) -> Result<(), Stop> {
        if !self.plugin.hooks.is_authorizer() {
            return Ok(());
        }
        let started = Instant::now();
        let asked = async { self.plugin.session(0).await?.authorize(exchange, true).await };
        let asked = asked.await;
        outcome.cost.time += started.elapsed();
        let (verdict, reads) = asked.map_err(|fault| Failure::plugin(self.plugin.name(), fault))?;
        outcome.read(&reads);
        match verdict {
            Verdict::Allow(grant) => {
                (outcome.verdict, outcome.max_age) = (Some("allow"), grant.max_age);
                chain::edit(exchange).outcome.verdict = Some(exchange::Verdict { allow: true, cached: false });
                chain::grant(chain::edit(exchange), &grant);
                Ok(())
            }
            Verdict::Deny(denial) => {
                (outcome.verdict, outcome.max_age) = (Some("deny"), denial.max_age);
                chain::edit(exchange).outcome.verdict = Some(exchange::Verdict { allow: false, cached: false });
                outcome.reason.clone_from(&denial.reason);
                Err(Stop::Denied { reply: Box::new(denial.reply), reason: denial.reason })
            }
            // Another plugin may let it in.
            Verdict::Abstain => {
                outcome.verdict = Some("abstain");
                Ok(())
            }
        }
    }

    fn stopped(&self, exchange: &mut Arc<Exchange>, stop: Stop, outcome: &mut Outcome) {
        let response = match stop {
            Stop::Reply { reply, .. } | Stop::Denied { reply, .. } => {
                outcome.replied(&reply);
                reply::of_plugin(PluginReply::clone(&reply))
            }
            Stop::Failure(failure) | Stop::Body(failure) => {
                outcome.failure = Some(failure.code());
                outcome.error = Some(failure.to_string());
                if let Failure::Plugin { fault: Fault::Trap { stack, .. }, .. } = &failure {
                    outcome.stack.clone_from(stack);
                }
                let response = errors::answer(&failure, exchange);
                chain::edit(exchange).outcome.failure = Some(failure);
                response
            }
        };
        let (head, _) = response.into_parts();
        chain::edit(exchange).response = Some(exchange::Response { status: head.status, headers: head.headers });
    }

    fn exchange(&self, step: &Step) -> Result<Arc<Exchange>, String> {
        let request = &step.request;
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| format!("the request's method {:?}", request.method))?;
        let wrong = |error: &dyn std::fmt::Display| format!("the request's path {:?}: {error}", request.path);
        let (path, query) = match request.path.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (request.path.as_str(), None),
        };
        let path = path::canonical(path).map_err(|error| wrong(&error))?;
        let target = query.map(|query| format!("{path}?{query}")).unwrap_or_else(|| path.to_string());
        let headers = fields(&request.headers)?;
        let found =
            self.snapshot.router.find(&Lookup { host: &request.host, method: &method, path: &path, headers: &headers });
        let Found::Match { route, params } = found else { return Err(wrong(&"the case's route does not match it")) };
        let attributes = step.attributes.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into()));
        let request = exchange::Request {
            method,
            scheme: request.scheme.name(),
            authority: request.host.as_str().into(),
            target: PathAndQuery::try_from(target).map_err(|error| wrong(&error))?,
            matched_path: None,
            version: Version::HTTP_11,
            headers,
            params,
            client: request.client,
        };
        let begun = Exchange::new(self.snapshot.clone(), request, attributes.collect());
        Ok(Arc::new(Exchange { route: Some(route), ..begun }))
    }
}

fn answer(http: &cases::Http) -> Result<Answer, String> {
    let method = Method::from_bytes(http.method.as_bytes()).map_err(|_| format!("the method {:?}", http.method))?;
    let made = match http.error {
        Some(error) => Err(error.name()),
        None => {
            let message =
                Message { status: http.status, headers: http.headers.clone(), body: Body(http.body.0.clone()) };
            let head = response(&message)?;
            let mut made = http::Response::new(Bytes::from(message.body.0.concat()));
            (*made.status_mut(), *made.headers_mut()) = (head.status, head.headers);
            Ok(made)
        }
    };
    Ok(Answer { method, url: http.url.clone(), made })
}

fn response(message: &Message) -> Result<exchange::Response, String> {
    let status = StatusCode::from_u16(message.status).map_err(|_| format!("the status {}", message.status))?;
    Ok(exchange::Response { status, headers: fields(&message.headers)? })
}

fn fields(headers: &BTreeMap<String, Values>) -> Result<HeaderMap, String> {
    let mut fields = HeaderMap::new();
    for (name, Values(values)) in headers {
        let wrong = || format!("the header {name:?}");
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        for value in values {
            let bytes = isomorphic_encode(value.clone()).ok_or_else(wrong)?;
            fields.append(header.clone(), HeaderValue::from_bytes(&bytes).map_err(|_| wrong())?);
        }
    }
    Ok(fields)
}

fn broken(broken: Broken) -> Stop {
    match broken {
        Broken::Failure(failure) => Stop::Body(failure),
        Broken::Reply(reply) => Stop::Reply { reply, by: None },
    }
}

fn request_body(body: &Body) -> RequestBody {
    match &*body.0 {
        [] => RequestBody::Empty,
        [one] => RequestBody::Whole(Some(one.clone().into())),
        more => RequestBody::Piped(Box::pin(Pieces(more.iter().cloned().map(Bytes::from).collect()))),
    }
}

fn answer_body(body: &Body) -> AnswerBody {
    match &*body.0 {
        [] => AnswerBody::Empty,
        [one] => AnswerBody::Whole(Some(one.clone().into())),
        more => AnswerBody::Piped(Box::pin(Pieces(more.iter().cloned().map(Bytes::from).collect()))),
    }
}

/// A body in pieces.
struct Pieces(VecDeque<Bytes>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        Poll::Ready(self.get_mut().0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }
}
