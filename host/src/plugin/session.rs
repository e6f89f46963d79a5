//! An instance in the hands of one exchange, and the calls of the contract's hooks on it.

use std::sync::Arc;

use wasmtime::component::{ComponentNamedList, Lift, Lower};

use super::{
    Plugin, Reads, aside,
    direct::{Arguments, Load},
    edit::{Checked, ChunkAction, RequestAction, ResponseAction, Verdict},
    hooks::Entry,
    instance::{Function, Functions, Instance},
};
use crate::{exchange::Exchange, failure::Fault};

/// An instance in the hands of one exchange.
pub(crate) struct Session {
    plugin: Arc<Plugin>,
    instance: Option<Box<Instance>>,
    worker: usize,
    /// False from the start of a call until it has ended well.
    usable: bool,
}

impl Session {
    pub(super) fn new(plugin: Arc<Plugin>, instance: Box<Instance>, worker: usize) -> Self {
        Self { plugin, instance: Some(instance), worker, usable: true }
    }

    /// Calls a function of the instance, if the component exports it.
    async fn hook<P, R>(
        &mut self,
        exchange: &Arc<Exchange>,
        entry: Entry,
        of: impl Fn(&Functions) -> &Function<P, R> + Send + 'static,
        params: P,
    ) -> Option<Result<R, Fault>>
    where
        P: ComponentNamedList + Lower + Arguments + Send + Sync + 'static,
        R: Load + Send + Sync + 'static,
        (R,): ComponentNamedList + Lift + Send + Sync + 'static,
    {
        let instance = self.instance.as_mut()?;
        if !instance.has(&of) {
            return None;
        }
        self.usable = false;
        let shared = &self.plugin.shared;
        shared.metrics.calls.inc();
        let result = match shared.calls.may_be_long(entry) {
            true => {
                let result = Box::pin(self.call_aside(exchange.clone(), of, params)).await;
                self.plugin.shared.calls.ended(entry);
                result
            }
            false => instance.call(exchange, of, params, false).await,
        }?;
        self.usable = result.is_ok();
        match &result {
            Ok(_) => self.plugin.rest.went_well(entry),
            Err(fault) => self.plugin.crashed(entry, fault),
        }
        Some(result)
    }

    /// Calls a function beside the workers, where the instance goes for that time.
    async fn call_aside<P, R>(
        &mut self,
        exchange: Arc<Exchange>,
        of: impl Fn(&Functions) -> &Function<P, R> + Send + 'static,
        params: P,
    ) -> Option<Result<R, Fault>>
    where
        P: ComponentNamedList + Lower + Arguments + Send + Sync + 'static,
        R: Load + Send + Sync + 'static,
        (R,): ComponentNamedList + Lift + Send + Sync + 'static,
    {
        let mut instance = self.instance.take().expect("a session has its instance but for the time of a call");
        let (instance, result) = aside::run(async move {
            let result = instance.call(&exchange, of, params, true).await;
            (instance, result)
        })
        .await;
        self.instance = Some(instance);
        result
    }

    /// Calls `authorizer.authorize`; with `watch`, says what it read.
    pub(crate) async fn authorize(&mut self, exchange: &Arc<Exchange>, watch: bool) -> Result<(Verdict, Reads), Fault> {
        if watch && let Some(instance) = &mut self.instance {
            instance.watch_reads();
        }
        let Some(result) = self.hook(exchange, Entry::Authorize, |functions| &functions.authorize, ()).await else {
            return Ok((Verdict::Abstain, Reads::Off));
        };
        let verdict = self.checked(result?)?;
        let reads = self.instance.as_mut().map_or(Reads::Off, |instance| instance.take_reads());
        Ok((verdict, reads))
    }

    /// Calls `request-filter.on-request`.
    pub(crate) async fn on_request(&mut self, exchange: &Arc<Exchange>) -> Result<RequestAction, Fault> {
        match self.hook(exchange, Entry::OnRequest, |functions| &functions.on_request, ()).await {
            None => Ok(RequestAction::Unchanged),
            Some(result) => self.checked(result?),
        }
    }

    /// Calls `request-body-filter.request-body-limit`; capped by `limits.body`.
    pub(crate) async fn request_body_limit(&mut self, exchange: &Arc<Exchange>) -> Result<Option<u64>, Fault> {
        let limit = self
            .hook(exchange, Entry::RequestBodyLimit, |functions| &functions.request_body_limit, ())
            .await
            .transpose()?
            .flatten();
        Ok(limit.map(|limit| limit.min(self.plugin.config.limits.body)))
    }

    /// Calls `request-body-filter.on-request-body`.
    pub(crate) async fn on_request_body(
        &mut self,
        exchange: &Arc<Exchange>,
        body: Vec<u8>,
    ) -> Result<RequestAction, Fault> {
        match self.hook(exchange, Entry::OnRequestBody, |functions| &functions.on_request_body, (body,)).await {
            None => Ok(RequestAction::Unchanged),
            Some(result) => self.checked(result?),
        }
    }

    /// Calls `request-chunk-filter.on-request-chunk`.
    pub(crate) async fn on_request_chunk(
        &mut self,
        exchange: &Arc<Exchange>,
        chunk: Vec<u8>,
        last: bool,
    ) -> Result<ChunkAction, Fault> {
        match self.hook(exchange, Entry::OnRequestChunk, |functions| &functions.on_request_chunk, (chunk, last)).await {
            None => Ok(ChunkAction::Unchanged),
            Some(result) => self.checked(result?),
        }
    }

    /// Calls `response-filter.on-response`.
    pub(crate) async fn on_response(&mut self, exchange: &Arc<Exchange>) -> Result<ResponseAction, Fault> {
        match self.hook(exchange, Entry::OnResponse, |functions| &functions.on_response, ()).await {
            None => Ok(ResponseAction::Unchanged),
            Some(result) => self.checked(result?),
        }
    }

    /// Calls `response-body-filter.response-body-limit`; capped by `limits.body`.
    pub(crate) async fn response_body_limit(&mut self, exchange: &Arc<Exchange>) -> Result<Option<u64>, Fault> {
        let limit = self
            .hook(exchange, Entry::ResponseBodyLimit, |functions| &functions.response_body_limit, ())
            .await
            .transpose()?
            .flatten();
        Ok(limit.map(|limit| limit.min(self.plugin.config.limits.body)))
    }

    /// Calls `response-body-filter.on-response-body`.
    pub(crate) async fn on_response_body(
        &mut self,
        exchange: &Arc<Exchange>,
        body: Vec<u8>,
    ) -> Result<ResponseAction, Fault> {
        match self.hook(exchange, Entry::OnResponseBody, |functions| &functions.on_response_body, (body,)).await {
            None => Ok(ResponseAction::Unchanged),
            Some(result) => self.checked(result?),
        }
    }

    /// Calls `response-chunk-filter.on-response-chunk`.
    pub(crate) async fn on_response_chunk(
        &mut self,
        exchange: &Arc<Exchange>,
        chunk: Vec<u8>,
        last: bool,
    ) -> Result<ChunkAction, Fault> {
        match self.hook(exchange, Entry::OnResponseChunk, |functions| &functions.on_response_chunk, (chunk, last)).await
        {
            None => Ok(ChunkAction::Unchanged),
            Some(result) => self.checked(result?),
        }
    }

    /// Calls `logger.log`.
    pub(crate) async fn log(&mut self, exchange: &Arc<Exchange>) -> Result<(), Fault> {
        match self.hook(exchange, Entry::Log, |functions| &functions.log, ()).await {
            None => Ok(()),
            Some(result) => result?.map_err(|text| self.faulty(Fault::Error(text))),
        }
    }

    /// Keeps the instance from being used again: its exchange ends with state of its own left in it.
    pub(crate) fn spoil(&mut self) {
        self.usable = false;
    }

    fn checked<T, C: Checked<T>>(&self, result: Result<C, String>) -> Result<T, Fault> {
        let value = result.map_err(|text| self.faulty(Fault::Error(text)))?;
        value.checked().map_err(|why| self.faulty(Fault::Invalid(why)))
    }

    /// Counts a fault that shows only in what the caller wanted to do with an answer.
    pub(crate) fn faulty(&self, fault: Fault) -> Fault {
        self.plugin.shared.metrics.faults.inc();
        fault
    }

    /// The plugin.
    pub(crate) fn plugin(&self) -> &Arc<Plugin> {
        &self.plugin
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let Some(instance) = self.instance.take() else { return };
        match self.usable {
            true => self.plugin.give_back(self.worker, instance),
            // It may have grown as far as it could.
            false => aside::discard(instance),
        }
    }
}
