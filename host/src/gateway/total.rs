//! `timeouts.total` of a route: what an upstream takes too long for ends, also while its answer moves.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, timeout_at};

use crate::{answer::AnswerBody, body::Broken, deadline::Deadline, failure::Failure};

/// The answer to what was asked, if its head comes in time, with a body that ends in time or breaks off. None: there is no
/// such time.
pub(super) async fn within(
    most: Option<Duration>,
    asked: impl Future<Output = Result<AnswerBody, Failure>>,
) -> Result<AnswerBody, Failure> {
    let Some(most) = most else { return asked.await };
    let end = Instant::now() + most;
    let body = timeout_at(end, asked).await.map_err(|_| Failure::UpstreamTimeout)??;
    Ok(match body {
        AnswerBody::Upstream(_) | AnswerBody::Http2(_) | AnswerBody::Piped(_) => {
            AnswerBody::Piped(Box::pin(Timed { body, deadline: Deadline::new(end) }))
        }
        here => here,
    })
}

struct Timed {
    body: AnswerBody,
    deadline: Deadline,
}

impl Body for Timed {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        // First: what always has more would never be late.
        if self.deadline.poll(cx).is_ready() {
            let late = Failure::UpstreamBroken("its body did not end within `total`".into());
            return Poll::Ready(Some(Err(Broken::Failure(late))));
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
