//! A stream of HTTP/2 on its worker, and how long its client may take to read what it asked for.
//!
//! hyper asks for the next piece of an answer once the stream's window lets it send: until then it is the client that is waited
//! for. What is waited for is seen from the body (`Life::gave`, `Life::asked`) while the stream is polled. A stream whose
//! client has used up its patience is dropped, which resets it; the others of its connection go on.

use std::{future::poll_fn, pin::pin, rc::Rc, task::Poll};

use super::{
    ANSWER_TIMEOUT,
    io::{Life, Step},
};
use crate::{deadline::Deadline, patience::Patience, worker::Worker};

/// Runs the streams of a connection.
#[derive(Clone)]
pub(super) struct Streams {
    pub(super) worker: Rc<Worker>,
    pub(super) life: Rc<Life>,
    /// Of the client, for an answer.
    pub(super) patience: Patience,
}

impl<F: Future + 'static> hyper::rt::Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let Self { worker, life, patience } = self.clone();
        tokio::task::spawn_local(async move {
            if !run(stream, &life, patience).await {
                worker.gateway.metrics.client_ended(ANSWER_TIMEOUT);
            }
        });
    }
}

/// False: it was dropped.
async fn run<F: Future>(stream: F, life: &Life, mut patience: Patience) -> bool {
    let mut stream = pin!(stream);
    let mut deadline: Option<Box<Deadline>> = None;
    poll_fn(|cx| {
        life.step.set(Step::None);
        if stream.as_mut().poll(cx).is_ready() {
            return Poll::Ready(true);
        }
        let until = match life.step.get() {
            Step::None => patience.until(),
            Step::Asked(given) => {
                patience.moved(given);
                None
            }
            Step::Gave(given) => {
                patience.moved(given);
                Some(patience.wait())
            }
        };
        let Some(until) = until else { return Poll::Pending };
        let deadline = deadline.get_or_insert_with(|| Box::new(Deadline::new(until)));
        deadline.set(until);
        deadline.poll(cx).map(|()| false)
    })
    .await
}
