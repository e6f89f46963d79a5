//! Room for the futures of exchanges. Each takes kilobytes, and only while it is under way: a connection that waits for its
//! next request keeps none, and a worker uses the same few again and again, which are in the cache.

use std::{
    any::Any,
    cell::{OnceCell, RefCell},
    convert::Infallible,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

/// The most that a worker keeps for later, about 1 MiB of them.
const KEPT: usize = 256;

/// A worker's rooms. They are all for the one future that serves a request, whose type has no name.
#[derive(Default)]
pub(crate) struct Rooms(OnceCell<Rc<dyn Any>>);

impl Rooms {
    /// Those for this future.
    pub(super) fn free<F: 'static>(&self) -> Rc<Free<F>> {
        let kept = self.0.get_or_init(|| Rc::new(Free::<F>(RefCell::default())));
        kept.clone().downcast().unwrap_or_else(|_| Rc::new(Free(RefCell::default())))
    }
}

/// Rooms that nothing is in.
pub(super) struct Free<F>(RefCell<Vec<Pin<Box<Option<F>>>>>);

impl<F: Future> Free<F> {
    pub(super) fn keep(self: &Rc<Self>, future: F) -> Kept<F> {
        let mut room = self.0.borrow_mut().pop().unwrap_or_else(|| Box::pin(None));
        room.set(Some(future));
        Kept { room: Some(room), free: self.clone() }
    }
}

/// A future in a room of its own, which is free again when it is dropped.
pub(super) struct Kept<F> {
    room: Option<Pin<Box<Option<F>>>>,
    free: Rc<Free<F>>,
}

impl<F: Future> Future for Kept<F> {
    type Output = Result<F::Output, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let future = self.room.as_mut().and_then(|room| room.as_mut().as_pin_mut());
        Poll::Ready(Ok(ready!(future.expect("it is there until it is dropped").poll(cx))))
    }
}

impl<F> Drop for Kept<F> {
    fn drop(&mut self) {
        let Some(mut room) = self.room.take() else { return };
        room.set(None);
        let mut free = self.free.0.borrow_mut();
        if free.len() < KEPT {
            free.push(room);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, ptr::from_ref, task::Waker};

    use super::*;

    /// A future that answers with what it owns once that is shared with nobody but the test and itself.
    fn waits(owned: Rc<()>) -> impl Future<Output = usize> {
        poll_fn(move |_| match Rc::strong_count(&owned) {
            2 => Poll::Ready(7),
            _ => Poll::Pending,
        })
    }

    fn place<F>(kept: &Kept<F>) -> *const Option<F> {
        from_ref(&**kept.room.as_ref().expect("it has a room"))
    }

    #[test]
    fn a_future_runs_in_a_room_and_the_next_one_has_the_same() {
        let rooms = Rooms::default();
        let (free, others) = (rooms.free(), rooms.free());
        let mut cx = Context::from_waker(Waker::noop());
        let owned = Rc::new(());
        let also = owned.clone();
        let mut first = free.keep(waits(owned.clone()));
        assert!(Pin::new(&mut first).poll(&mut cx).is_pending());
        drop(also);
        assert_eq!(Pin::new(&mut first).poll(&mut cx), Poll::Ready(Ok(7)));
        let room = place(&first);
        let second = free.keep(waits(owned.clone()));
        assert_ne!(place(&second), room, "two at once have two rooms");
        drop(first);
        assert_eq!(place(&others.keep(waits(owned.clone()))), room, "connections of a worker share them");
    }

    #[test]
    fn what_is_given_up_half_way_is_dropped_at_once_and_few_rooms_are_kept() {
        let free = Rooms::default().free();
        let owned = Rc::new(());
        let many: Vec<_> = (0..KEPT + 10).map(|_| free.keep(waits(owned.clone()))).collect();
        assert_eq!(Rc::strong_count(&owned), KEPT + 11);
        drop(many);
        assert_eq!(Rc::strong_count(&owned), 1);
        assert_eq!(free.0.borrow().len(), KEPT);
    }
}
