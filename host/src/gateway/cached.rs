//! The step to the upstream where answers are kept: what is kept answers, or the upstream is asked, and what it says is kept.

use std::{rc::Rc, sync::Arc, time::Duration};

use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{AGE, DATE},
};
use http_body::Body as _;

use super::{Peer, forward};
use crate::{
    answer::AnswerBody,
    body::RequestBody,
    cache::{self, Asked, Began, CacheUse, Kept, Place, RouteCache, Stored, Tee},
    chain,
    exchange::{Exchange, Response},
    failure::{Failure, Party},
    flight::{Flight, Role},
    snapshot::Chain,
    upstream::discard,
    worker::Worker,
};

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// Whether a request has to do with what is kept: its route has a cache, or it may change what any of them has.
pub(super) fn is_concerned(exchange: &Exchange, route: usize) -> bool {
    let snapshot = &exchange.snapshot;
    !snapshot.caches.is_empty() && (snapshot.chains[route].cache.is_some() || !exchange.request.method.is_safe())
}

/// As [`forward::forward`], with what is kept.
pub(super) async fn forward(
    worker: &Rc<Worker>,
    exchange: &mut Arc<Exchange>,
    to: (usize, usize),
    peer: &Peer,
    body: RequestBody,
) -> Result<AnswerBody, Failure> {
    let snapshot = exchange.snapshot.clone();
    let step = Step { worker, to, peer, chain: &snapshot.chains[to.0] };
    let Some(cache) = &step.chain.cache else { return step.change(exchange, body).await };
    if exchange.request.method.is_safe() {
        cache.narrow(chain::edit(exchange));
    }
    match cache.asked(exchange, &body) {
        Some(asked) => step.answer(exchange, cache, &asked, body).await,
        None => {
            let answered = step.change(exchange, body).await?;
            used(exchange, cache, CacheUse::Bypass, "fwd=bypass");
            Ok(answered)
        }
    }
}

struct Step<'a> {
    worker: &'a Rc<Worker>,
    /// Indices of the route and of its upstream.
    to: (usize, usize),
    peer: &'a Peer,
    chain: &'a Chain,
}

impl Step<'_> {
    async fn ask(&self, exchange: &mut Arc<Exchange>, body: RequestBody) -> Result<AnswerBody, Failure> {
        forward::forward(self.worker, exchange, self.to, self.peer, body).await
    }

    /// Forwards what may change its target: then what any cache has of that holds no longer (RFC 9111 section 4.4).
    async fn change(&self, exchange: &mut Arc<Exchange>, body: RequestBody) -> Result<AnswerBody, Failure> {
        if exchange.request.method.is_safe() {
            return self.ask(exchange, body).await;
        }
        let (host, target) = (exchange.request.authority.clone(), exchange.request.target.clone());
        let answered = self.ask(exchange, body).await;
        // Of what got no answer nobody knows what it has changed.
        if status(exchange, &answered).is_none_or(|status| status.is_success() || status.is_redirection()) {
            exchange.snapshot.caches.iter().for_each(|cache| cache.outdate(&host, target.path()));
        }
        answered
    }

    async fn answer(
        &self,
        exchange: &mut Arc<Exchange>,
        cache: &RouteCache,
        asked: &Asked,
        body: RequestBody,
    ) -> Result<AnswerBody, Failure> {
        let mut may_wait = asked.is_one_of_many() && !cache.cache.config.collapse.is_zero();
        loop {
            let (mut known_to_pass, mut stale) = (false, None);
            match cache.cache.find(asked, &exchange.request.headers) {
                Some(Kept::Answer(kept)) if asked.may_have(&kept) => {
                    if asked.takes(&kept, cache.cache.now()) {
                        return Ok(serve(exchange, cache, &kept, CacheUse::Hit));
                    }
                    // What holds for no time is asked about by each for itself.
                    may_wait &= !kept.judged.fresh.is_zero();
                    stale = Some(kept);
                }
                Some(_) => (known_to_pass, may_wait) = (true, false),
                None => {}
            }
            if asked.wants_kept_only() {
                return Err(Failure::NotCached);
            }
            let mut flight = None;
            if may_wait {
                match cache.cache.flights.join(asked.key) {
                    Role::First(first) => flight = Some(first),
                    Role::Passenger(waiting) => {
                        let left = cache.cache.config.collapse.saturating_sub(asked.started.elapsed());
                        may_wait = waiting.wait(left).await;
                        continue;
                    }
                }
            }
            let fetch = Fetch { step: self, cache, asked, stale, known_to_pass };
            return fetch.run(exchange, body, flight).await;
        }
    }
}

/// A question to the upstream, whose answer may be kept.
struct Fetch<'a> {
    step: &'a Step<'a>,
    cache: &'a RouteCache,
    asked: &'a Asked,
    /// What is kept and may not hold any more.
    stale: Option<Arc<Stored>>,
    /// Whether the answer is expected to be none that can be kept: then a client's conditions are for the upstream.
    known_to_pass: bool,
}

impl Fetch<'_> {
    async fn run(
        mut self,
        exchange: &mut Arc<Exchange>,
        body: RequestBody,
        flight: Option<Flight>,
    ) -> Result<AnswerBody, Failure> {
        let began = self.cache.cache.begin(self.asked);
        let fetches = !self.asked.head && !self.asked.partial && !self.known_to_pass;
        let asks_itself = fetches && (!self.asked.alone || self.stale.is_some());
        let kept = self.stale.clone().filter(|_| asks_itself);
        let headers = &mut chain::edit(exchange).request.headers;
        let theirs = asks_itself.then(|| cache::replace(headers, kept.as_deref()));
        let mut answered = self.step.ask(exchange, body).await;
        if let (Some(kept), Some(StatusCode::NOT_MODIFIED)) = (&kept, status(exchange, &answered)) {
            if cache::is_about(&head(exchange).headers, &kept.headers) {
                restore(exchange, theirs);
                return Ok(self.refresh(exchange, kept, began, flight));
            }
            // It is about another answer than the one that is kept: asked again without conditions.
            cache::replace(&mut chain::edit(exchange).request.headers, None);
            answered = self.step.ask(exchange, RequestBody::Empty).await;
        }
        restore(exchange, theirs);
        let failed = match &answered {
            Ok(_) => matches!(head(exchange).status.as_u16(), 500 | 502..=504),
            Err(failure) => failure.party() == Party::Upstream,
        };
        if failed && let Some(kept) = self.stale.take().filter(|kept| kept.stands_for_errors(self.cache.cache.now())) {
            land(flight, false);
            if let Ok(AnswerBody::Upstream(unread)) = answered {
                tokio::task::spawn_local(discard(unread));
            }
            return Ok(serve(exchange, self.cache, &kept, CacheUse::Stale));
        }
        match answered {
            Ok(body) => Ok(self.keep(exchange, body, began, flight)),
            Err(failure) => {
                land(flight, false);
                used(exchange, self.cache, CacheUse::Miss, "fwd=uri-miss");
                Err(failure)
            }
        }
    }

    /// Serves what is kept, which the upstream says still holds, and keeps it as that says.
    fn refresh(
        &self,
        exchange: &mut Arc<Exchange>,
        kept: &Arc<Stored>,
        began: Began,
        flight: Option<Flight>,
    ) -> AnswerBody {
        let mut headers = cache::updated(&kept.headers, &head(exchange).headers);
        if !head(exchange).headers.contains_key(DATE) {
            headers.remove(DATE);
        }
        let place = self.place(exchange, kept.status, headers.clone(), began);
        match &place {
            Some(place) => place.keep(&self.cache.cache, kept.body.clone()),
            None => self.cache.cache.pass(self.asked),
        }
        land(flight, place.as_ref().is_some_and(Place::is_fresh));
        respond(
            exchange,
            self.cache,
            CacheUse::Revalidated,
            "fwd=stale; fwd-status=304",
            (kept.status, headers, &kept.body),
        )
    }

    /// Hands an answer on, and keeps it when it was whole, if it may be kept.
    fn keep(&self, exchange: &mut Arc<Exchange>, body: AnswerBody, began: Began, flight: Option<Flight>) -> AnswerBody {
        let Response { status, headers } = head(exchange);
        let status = *status;
        let place = match &body {
            AnswerBody::Upstream(body) if body.tells_its_end() && !self.asked.head && !self.asked.partial => {
                self.place(exchange, status, headers.clone(), began)
            }
            _ => None,
        };
        let why = if self.stale.is_some() { "fwd=stale" } else { "fwd=uri-miss" };
        used(exchange, self.cache, CacheUse::Miss, why);
        match (place, body) {
            (Some(place), AnswerBody::Upstream(source)) if source.is_end_stream() => {
                place.keep(&self.cache.cache, bytes::Bytes::new());
                land(flight, place.is_fresh());
                AnswerBody::Upstream(source)
            }
            (Some(place), AnswerBody::Upstream(source)) => {
                AnswerBody::Piped(Box::pin(Tee::new(&self.cache.cache, place, source, flight)))
            }
            (_, body) => {
                if self.asked.is_one_of_many() && !self.known_to_pass && !status.is_server_error() {
                    self.cache.cache.pass(self.asked);
                }
                land(flight, false);
                body
            }
        }
    }

    /// Where an answer is going to be kept; None where it may not be.
    fn place(&self, exchange: &Exchange, status: StatusCode, mut headers: HeaderMap, began: Began) -> Option<Place> {
        let Self { cache, asked, .. } = self;
        let took = cache.cache.now().saturating_sub(began.at);
        let judged = cache::judge(status, &headers, &cache.rules, asked.alone, took)?;
        let varies = cache::varies_by(&headers, &self.step.chain.reserved)?;
        headers.remove(AGE);
        if !headers.contains_key(DATE) {
            // RFC 9110 section 6.6.1: else it would seem to be made whenever it is served.
            let now = httpdate::fmt_http_date(std::time::SystemTime::now());
            headers.extend(HeaderValue::try_from(now).ok().map(|now| (DATE, now)));
        }
        Some(Place::new(&cache.cache, (asked, began), exchange, varies, (status, headers, judged)))
    }
}

fn land(flight: Option<Flight>, kept: bool) {
    if let Some(flight) = flight {
        flight.land(kept);
    }
}

fn restore(exchange: &mut Arc<Exchange>, theirs: Option<cache::Theirs>) {
    if let Some(theirs) = theirs {
        theirs.restore(&mut chain::edit(exchange).request.headers);
    }
}

fn head(exchange: &Exchange) -> &Response {
    exchange.response.as_ref().expect("an answer has come")
}

fn status(exchange: &Exchange, answered: &Result<AnswerBody, Failure>) -> Option<StatusCode> {
    answered.is_ok().then(|| head(exchange).status)
}

/// Answers with what is kept.
fn serve(exchange: &mut Arc<Exchange>, cache: &RouteCache, kept: &Arc<Stored>, how: CacheUse) -> AnswerBody {
    let now = cache.cache.now();
    let status = match how {
        CacheUse::Stale => "fwd=stale; detail=stale-if-error".to_owned(),
        _ => format!("hit; ttl={}", kept.left(now)),
    };
    let mut headers = kept.headers.clone();
    headers.insert(AGE, HeaderValue::from(seconds(kept.age(now))));
    respond(exchange, cache, how, &status, (kept.status, headers, &kept.body))
}

/// Answers with a whole answer, or that the client has it already.
fn respond(
    exchange: &mut Arc<Exchange>,
    cache: &RouteCache,
    how: CacheUse,
    told: &str,
    (status, mut headers, body): (StatusCode, HeaderMap, &bytes::Bytes),
) -> AnswerBody {
    let has_it = cache::has_it(&exchange.request.headers, status, &headers);
    if has_it {
        cache::without_content(&mut headers);
    }
    let status = if has_it { StatusCode::NOT_MODIFIED } else { status };
    chain::edit(exchange).response = Some(Response { status, headers });
    used(exchange, cache, how, told);
    if has_it { AnswerBody::Empty } else { AnswerBody::Whole(Some(body.clone())) }
}

fn seconds(time: Duration) -> u64 {
    time.as_secs().min(1 << 31)
}

/// Notes and counts how the cache took part, and tells it (RFC 9211).
fn used(exchange: &mut Arc<Exchange>, cache: &RouteCache, how: CacheUse, told: &str) {
    cache.cache.metrics.used(how);
    let exchange = chain::edit(exchange);
    exchange.outcome.cache = Some(how);
    if let Some(response) = &mut exchange.response {
        let told = HeaderValue::try_from(format!("gatehouse; {told}")).expect("it is ASCII");
        response.headers.append(CACHE_STATUS, told);
    }
}
