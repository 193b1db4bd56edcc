//! WebSockets (RFC 6455) after their handshake: every message is read and judged before it goes on. Extensions are taken
//! out of the handshake, so that nothing is packed.

mod frame;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{
    echo::Echo,
    inspect::{Inspection, edited},
    meter::{self, Meter},
    proxy::Proxy,
    refusal::Refused,
    websocket::frame::{Broken, Frames, Message, Side, close},
};

const READ_SIZE: usize = 16 * 1024;

/// RFC 6455 section 7.4.1.
const GOING_AWAY: u16 = 1001;
const PROTOCOL_ERROR: u16 = 1002;
const POLICY_VIOLATION: u16 = 1008;

/// How long each side may take for what is on its way when a conversation ends.
const GOODBYE: Duration = Duration::from_secs(1);

/// Why a conversation was ended by us, and because of whom.
type Ended = Arc<(CancellationToken, OnceLock<(Side, u16, String)>)>;

/// Carries messages between a client and an origin until either ends. Of the inspections, the first judges those of the
/// client; `echo` is taken out of those of the origin.
pub(crate) async fn relay(
    sides: (OnUpgrade, OnUpgrade),
    (out, back): (Inspection, Inspection),
    echo: Option<Arc<Echo>>,
    proxy: Arc<Proxy>,
    meter: Arc<Meter>,
) {
    let (client, origin) = match tokio::try_join!(sides.0, sides.1) {
        Ok(both) => both,
        Err(error) => return tracing::debug!(%error, "a WebSocket did not begin"),
    };
    let ended: Ended = Arc::new((proxy.shutdown.child_token(), OnceLock::new()));
    let (from_client, to_client) = tokio::io::split(TokioIo::new(client));
    let (from_origin, to_origin) = tokio::io::split(TokioIo::new(origin));
    let way = |side, inspection| Way {
        frames: Frames::new(side),
        inspection,
        echo: echo.clone().filter(|_| side == Side::Origin),
        ended: Arc::clone(&ended),
        meter: Arc::clone(&meter),
    };
    let (out, back) = (way(Side::Client, out), way(Side::Origin, back));
    let talk = async { tokio::join!(out.run(from_client, to_origin), back.run(from_origin, to_client)) };
    let mut talk = std::pin::pin!(talk);
    let refused = tokio::select! {
        _ = &mut talk => return,
        refused = meter.refusal() => refused,
    };
    let _ = ended.1.set((Side::Client, POLICY_VIOLATION, refused.message().to_owned()));
    ended.0.cancel();
    talk.await;
}

/// Resolves when what is on its way has had its time after the end.
async fn over(ended: &CancellationToken) {
    ended.cancelled().await;
    tokio::time::sleep(GOODBYE).await;
}

/// One direction.
struct Way {
    frames: Frames,
    inspection: Inspection,
    echo: Option<Arc<Echo>>,
    ended: Ended,
    meter: Arc<Meter>,
}

impl Way {
    async fn run(mut self, mut from: ReadHalf<TokioIo<Upgraded>>, mut to: WriteHalf<TokioIo<Upgraded>>) {
        let mut buf = vec![0; READ_SIZE];
        let ended = self.ended.0.clone();
        loop {
            let read = tokio::select! {
                biased;
                () = ended.cancelled() => {
                    let _ = timeout(GOODBYE, self.say_why(&mut to)).await;
                    break;
                }
                read = from.read(&mut buf) => read,
            };
            let n = match read {
                Ok(n @ 1..) => n,
                Ok(_) => break,
                Err(error) => {
                    self.lost(Side::Client, &error).await;
                    break;
                }
            };
            let way = if self.frames.side() == Side::Client { meter::Way::Out } else { meter::Way::Back };
            let counted = self.meter.count(way, n).map_err(|cut| (POLICY_VIOLATION, cut.to_string()));
            let passed = match counted {
                Ok(()) => tokio::select! {
                    passed = self.pass(buf.get(..n).unwrap_or_default(), &mut to) => passed,
                    // The other side may never take it.
                    () = over(&ended) => break,
                },
                stopped => stopped,
            };
            if let Err((code, why)) = passed {
                tracing::info!(code, why, "ended a WebSocket");
                let _ = self.ended.1.set((self.frames.side(), code, why));
                self.ended.0.cancel();
            }
        }
        // TLS keeps an error that came behind bytes for who reads next, and to the way back it is only a broken pipe.
        if ended.is_cancelled()
            && let Ok(Err(error)) = timeout(Duration::ZERO, from.read(&mut buf)).await
        {
            self.lost(Side::Client, &error).await;
        }
        let _ = timeout(GOODBYE, to.shutdown()).await;
    }

    /// Takes in what has come and sends on what may pass.
    async fn pass(&mut self, bytes: &[u8], to: &mut WriteHalf<TokioIo<Upgraded>>) -> Result<(), (u16, String)> {
        let (messages, fed) = self.frames.feed(bytes);
        for message in messages {
            let raw = match message {
                Message::Control(raw) => raw,
                Message::Data { raw, payload, whole } => self.judge(raw, payload, whole).await.map_err(|refused| {
                    let code = if matches!(refused, Refused::Denied(_)) { POLICY_VIOLATION } else { PROTOCOL_ERROR };
                    (code, refused.message().to_owned())
                })?,
            };
            // Whoever does not read any more has ended the conversation.
            if let Err(error) = to.write_all(&raw).await {
                self.ended.0.cancel();
                self.lost(Side::Origin, &error).await;
                return Ok(());
            }
        }
        if let Err(error) = to.flush().await {
            self.lost(Side::Origin, &error).await;
        }
        fed.map_err(|Broken { code, why }| (code, why.to_owned()))
    }

    async fn judge(&mut self, raw: Bytes, payload: Bytes, whole: Option<u8>) -> Result<Bytes, Refused> {
        let without = self.echo.as_ref().and_then(|echo| echo.replaced(&payload));
        let (raw, payload) = match (without, whole) {
            (Some(payload), Some(opcode)) => (self.frames.compose(opcode, &payload), Bytes::from(payload)),
            (Some(_), None) => return Err(Refused::uneditable()),
            (None, _) => (raw, payload),
        };
        let text = String::from_utf8_lossy(&payload);
        let edits = self.inspection.judge(&text).await?;
        match whole {
            _ if edits.is_empty() => Ok(raw),
            Some(opcode) if text.len() == payload.len() => {
                Ok(self.frames.compose(opcode, edited(text.into_owned(), &edits, false).as_bytes()))
            }
            _ => Err(Refused::uneditable()),
        }
    }

    /// Puts it on record where the client's connection was ended because it took nothing. The kernel tells that to whichever
    /// half of it asks first: the one that reads what the client says, or the one that writes what the origin does.
    async fn lost(&self, asks: Side, error: &std::io::Error) {
        if self.frames.side() == asks && error.kind() == std::io::ErrorKind::TimedOut {
            self.meter.stalled().await;
        }
    }

    async fn say_why(&self, to: &mut WriteHalf<TokioIo<Upgraded>>) {
        if self.frames.is_within() {
            return;
        }
        // The reason is for the client; the origin only learns that it is over, unless it broke the protocol itself.
        let goodbye = match (self.frames.side(), self.ended.1.get()) {
            (Side::Origin, Some((_, code, why))) => close(Side::Origin, *code, why),
            (Side::Client, Some((Side::Origin, code, _))) if *code != POLICY_VIOLATION => {
                close(Side::Client, *code, "")
            }
            (side, _) => close(side, GOING_AWAY, ""),
        };
        let _ = to.write_all(&goodbye).await;
    }
}
