//! A task that is polled again at once when it woke itself.
//!
//! hyper wakes its own connection while it answers (the handler asks for the body, which the connection then reads). tokio
//! takes a task that does so for one that yields: it goes to the end of the queue, and another thread is woken to see
//! whether it can help. That costs more than most answers do.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures_util::task::AtomicWaker;

/// How often it is polled without a word from outside before others get their turn.
const ROUNDS: usize = 16;

const RESTING: u8 = 0;
const POLLED: u8 = 1;
const WOKEN: u8 = 2;

/// A future that hears its own calls itself.
pub(crate) struct Awake<F> {
    future: Pin<Box<F>>,
    ear: Arc<Ear>,
    waker: Waker,
}

struct Ear {
    state: AtomicU8,
    task: AtomicWaker,
}

impl<F: Future> Awake<F> {
    pub(crate) fn new(future: F) -> Self {
        let ear = Arc::new(Ear { state: AtomicU8::new(RESTING), task: AtomicWaker::new() });
        Self { future: Box::pin(future), waker: Arc::clone(&ear).into(), ear }
    }
}

impl Wake for Ear {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Who is being polled is polled once more.
        let heard = self.state.compare_exchange(POLLED, WOKEN, Ordering::AcqRel, Ordering::Acquire);
        if heard == Err(RESTING) {
            self.task.wake();
        }
    }
}

impl<F: Future> Future for Awake<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        this.ear.task.register(cx.waker());
        for _ in 0..ROUNDS {
            this.ear.state.store(POLLED, Ordering::Release);
            if let Poll::Ready(output) = this.future.as_mut().poll(&mut Context::from_waker(&this.waker)) {
                return Poll::Ready(output);
            }
            let quiet = this.ear.state.compare_exchange(POLLED, RESTING, Ordering::AcqRel, Ordering::Acquire);
            if quiet.is_ok() {
                return Poll::Pending;
            }
        }
        this.ear.state.store(RESTING, Ordering::Release);
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Counted(AtomicUsize);

    impl Wake for Counted {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Wakes itself so many times, then waits; gives out its waker.
    fn restless(mut times: usize, outside: Arc<std::sync::Mutex<Option<Waker>>>) -> impl Future<Output = ()> {
        std::future::poll_fn(move |cx| {
            if times == usize::MAX || times > 0 {
                times = times.saturating_sub(usize::from(times != usize::MAX));
                cx.waker().wake_by_ref();
            }
            *outside.lock().unwrap() = Some(cx.waker().clone());
            Poll::Pending
        })
    }

    #[test]
    fn calls_of_its_own_stay_inside_and_those_from_outside_arrive() {
        let (count, outside) = (Arc::new(Counted::default()), Arc::default());
        let waker = Waker::from(Arc::clone(&count));
        let mut future = Awake::new(restless(3, Arc::clone(&outside)));
        let told = || count.0.load(Ordering::Relaxed);
        assert!(Pin::new(&mut future).poll(&mut Context::from_waker(&waker)).is_pending());
        assert_eq!(told(), 0);
        outside.lock().unwrap().take().unwrap().wake();
        assert_eq!(told(), 1);
    }

    #[test]
    fn one_that_never_rests_lets_others_have_their_turn() {
        let count = Arc::new(Counted::default());
        let waker = Waker::from(Arc::clone(&count));
        let mut future = Awake::new(restless(usize::MAX, Arc::default()));
        assert!(Pin::new(&mut future).poll(&mut Context::from_waker(&waker)).is_pending());
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }
}
