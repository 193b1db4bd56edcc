//! The libraries' queues, with a count of what finds no room in them: they drop that themselves and tell nobody how much.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use opentelemetry::{Context, InstrumentationScope, logs::Severity};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    logs::{BatchConfigBuilder as LogConfig, BatchLogProcessor, LogBatch, LogExporter, LogProcessor, SdkLogRecord},
    trace::{BatchConfigBuilder as SpanConfig, BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor},
};
use rampart_gateway::Losses;

/// What waits in a queue of the library, and how much was turned away. The library's own queue is as long, and what it
/// hands on has left it, so that nothing is ever turned away there.
#[derive(Debug)]
struct Queue {
    room: usize,
    waiting: AtomicUsize,
    losses: Arc<Losses>,
    /// Which of them is ours.
    lost: fn(&Losses) -> &AtomicU64,
}

impl Queue {
    fn new(room: usize, losses: &Arc<Losses>, lost: fn(&Losses) -> &AtomicU64) -> Arc<Self> {
        Arc::new(Self { room: room.max(1), waiting: AtomicUsize::new(0), losses: Arc::clone(losses), lost })
    }

    /// Whether there is room for one more, which is then taken.
    fn enter(&self) -> bool {
        let entered = self.waiting.try_update(Relaxed, Relaxed, |waiting| (waiting < self.room).then_some(waiting + 1));
        if entered.is_err() {
            (self.lost)(&self.losses).fetch_add(1, Relaxed);
        }
        entered.is_ok()
    }

    fn leave(&self, count: usize) {
        self.waiting.fetch_sub(count, Relaxed);
    }
}

/// The library's part, and the queue before or behind it.
#[derive(Debug)]
pub(super) struct Counted<T> {
    inner: T,
    queue: Arc<Queue>,
}

/// A queue of so many spans for `exporter`.
pub(super) fn of_spans(
    exporter: impl SpanExporter + 'static,
    room: usize,
    losses: &Arc<Losses>,
) -> impl SpanProcessor + 'static {
    let queue = Queue::new(room, losses, |losses| &losses.spans);
    let exporter = Counted { inner: exporter, queue: Arc::clone(&queue) };
    let config = SpanConfig::default().with_max_queue_size(queue.room).build();
    Counted { inner: BatchSpanProcessor::builder(exporter).with_batch_config(config).build(), queue }
}

/// A queue of so many lines of the log for `exporter`.
pub(super) fn of_lines(
    exporter: impl LogExporter + 'static,
    room: usize,
    losses: &Arc<Losses>,
) -> impl LogProcessor + 'static {
    let queue = Queue::new(room, losses, |losses| &losses.lines);
    let exporter = Counted { inner: exporter, queue: Arc::clone(&queue) };
    let config = LogConfig::default().with_max_queue_size(queue.room).build();
    Counted { inner: BatchLogProcessor::builder(exporter).with_batch_config(config).build(), queue }
}

impl SpanProcessor for Counted<BatchSpanProcessor> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.inner.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.queue.enter() {
            self.inner.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

impl<E: SpanExporter> SpanExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.queue.leave(batch.len());
        self.inner.export(batch).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

impl LogProcessor for Counted<BatchLogProcessor> {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        if self.queue.enter() {
            self.inner.emit(record, scope);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn event_enabled(&self, level: Severity, target: &str, name: Option<&str>) -> bool {
        self.inner.event_enabled(level, target, name)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

impl<E: LogExporter> LogExporter for Counted<E> {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        self.queue.leave(batch.iter().count());
        self.inner.export(batch).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn event_enabled(&self, level: Severity, target: &str, name: Option<&str>) -> bool {
        self.inner.event_enabled(level, target, name)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_room_is_counted_until_something_leaves() {
        let losses = Arc::default();
        let queue = Queue::new(2, &losses, |losses| &losses.lines);
        assert_eq!([queue.enter(), queue.enter(), queue.enter()], [true, true, false]);
        queue.leave(1);
        assert_eq!((queue.enter(), queue.enter(), losses.counted()), (true, false, [0, 2, 0]));
    }
}
