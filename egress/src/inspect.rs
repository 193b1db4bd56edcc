//! Long bodies, judged while they pass: each piece together with the end of what passed before it. A piece that changes
//! nothing about the decision leaves no record; one that does is judged, and then goes on, is edited, or is the last.

mod edits;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt as _;
use rampart_call::{Action, Call, Edit, Judgement, Outcome, Phase, RuleRef, Verdict};
use tokio::sync::mpsc;

use self::edits::moved;
pub(crate) use self::edits::{complete, edited, fitted};
use crate::{
    body::{Body, Cut},
    decode::Decoder,
    echo::Echo,
    proxy::Proxy,
    refusal::Refused,
};

/// How much of what has passed is looked at again with what follows: longer than a private key.
const CARRIED: usize = 4 * 1024;
/// How long a word that is not complete waits for its rest.
const WORD_TIME: Duration = Duration::from_millis(50);

/// Judges the text of one direction of one exchange.
pub(crate) struct Inspection {
    proxy: Arc<Proxy>,
    /// Its text is that of the latest piece.
    call: Call,
    /// What was decided so far.
    decided: (Outcome, Option<RuleRef>),
    /// The end of what has passed.
    carry: String,
    /// What is shown in place of placeholders, in as many bytes.
    shown: Option<Arc<Echo>>,
}

impl Inspection {
    /// Goes on after `judged` text of a call that may go on by `judgement`.
    pub(crate) fn after(proxy: &Arc<Proxy>, call: Call, judged: &str, judgement: &Judgement) -> Self {
        let decided = (judgement.outcome, judgement.rule.clone());
        let mut inspection = Self { proxy: Arc::clone(proxy), call, decided, carry: String::new(), shown: None };
        if let Some(response) = &mut inspection.call.response {
            response.truncated = true;
        }
        inspection.carry(judged);
        inspection
    }

    /// The same, with words in place of placeholders.
    pub(crate) fn showing(self, shown: Option<Arc<Echo>>) -> Self {
        Self { shown, ..self }
    }

    /// Judges the next piece. Edits, where there are any, are for that piece alone.
    pub(crate) async fn judge(&mut self, piece: &str) -> Result<Vec<Edit>, Refused> {
        let before = self.carry.len();
        let mut text = format!("{}{piece}", self.carry);
        if let Some(shown) = self.shown.as_ref().and_then(|shown| shown.replaced(text.as_bytes())) {
            text = String::from_utf8_lossy(&shown).into_owned();
        }
        match (&mut self.call.action, &mut self.call.response) {
            (_, Some(response)) => response.text = text,
            (Action::Fetch { body, .. }, None) => *body = Some(text),
            _ => {}
        }
        let preview = self.proxy.gate.preview(&self.call);
        let same = |j: &Judgement| j.edits.is_empty() && j.outcome == self.decided.0 && j.rule == self.decided.1;
        if preview.as_ref().is_some_and(same) {
            self.carry(piece);
            return Ok(Vec::new());
        }
        match self.proxy.gate.judge_part(self.call.clone()).await {
            Verdict::Allow(permit) => {
                let judgement = permit.judgement();
                self.decided = (judgement.outcome, judgement.rule.clone());
                let edits: Vec<Edit> = permit.edits().iter().filter_map(|edit| moved(edit, before)).collect();
                if edits.is_empty() {
                    self.carry(piece);
                } else {
                    // What is cut out is not to be found once more.
                    let edited = edited(piece.to_owned(), &edits, false);
                    self.carry(&edited);
                }
                Ok(edits)
            }
            Verdict::Ask(question) => Err(Refused::Denied(Box::new(question.judgement))),
            Verdict::Deny(refusal) => Err(Refused::Denied(Box::new(refusal.judgement))),
        }
    }

    fn carry(&mut self, passed: &str) {
        self.carry.push_str(passed);
        let surplus = self.carry.len().saturating_sub(CARRIED);
        let from = (surplus..=self.carry.len()).find(|i| self.carry.is_char_boundary(*i)).unwrap_or(surplus);
        self.carry.drain(..from);
    }
}

/// What becomes of the bytes of a body.
pub(crate) enum Passing {
    /// They go on as they came, when the text in them has been judged.
    Unchanged,
    /// The text goes on, edited, in place of what it was unpacked from.
    AsText {
        /// What is put in must be as long as what it replaces.
        keep_length: bool,
        /// Words are judged whole, so an incomplete one waits for its rest, if only for a moment.
        words: bool,
        /// The beginning of a word that was read already.
        held: BytesMut,
    },
}

/// Where it stands why a body was stopped.
pub(crate) type Stopped = Arc<OnceLock<Refused>>;

/// The same body, judged while it passes.
pub(crate) fn inspected(
    body: Body,
    inspection: Inspection,
    decoder: Option<Decoder>,
    passing: Passing,
    stopped: Stopped,
) -> Body {
    let size = match &passing {
        Passing::AsText { keep_length: false, .. } => SizeHint::default(),
        Passing::AsText { held, .. } => longer(&body.size_hint(), held.len() as u64),
        Passing::Unchanged => body.size_hint(),
    };
    let (send, frames) = mpsc::channel(1);
    let proxy = Arc::clone(&inspection.proxy);
    let pump = Pump { inspection, decoder, passing, to: send };
    proxy.tasks.spawn(async move {
        let to = pump.to.clone();
        if let Err(refused) = pump.run(body).await {
            tracing::info!(code = refused.code(), message = refused.message(), "stopped a body");
            let cut = Cut::Stopped(refused.message().to_owned());
            let _ = stopped.set(refused);
            let _ = to.send(Err(cut)).await;
        }
    });
    Body::judged(frames, size)
}

fn longer(hint: &SizeHint, by: u64) -> SizeHint {
    hint.exact().map(|size| SizeHint::with_exact(size + by)).unwrap_or_default()
}

struct Pump {
    inspection: Inspection,
    decoder: Option<Decoder>,
    passing: Passing,
    to: mpsc::Sender<Result<Frame<Bytes>, Cut>>,
}

/// The one who reads the body has gone.
struct Gone;

impl Pump {
    async fn run(mut self, mut body: Body) -> Result<(), Refused> {
        loop {
            let to = self.to.clone();
            let holds = matches!(&self.passing, Passing::AsText { held, .. } if !held.is_empty());
            let frame = tokio::select! {
                biased;
                () = to.closed() => return Ok(()),
                frame = body.frame() => frame,
                () = tokio::time::sleep(WORD_TIME), if holds => {
                    if let Err(Gone) = self.pass(Bytes::new(), true).await? {
                        return Ok(());
                    }
                    continue;
                }
            };
            let sent = match frame.transpose() {
                Ok(Some(frame)) => match frame.into_data() {
                    Ok(data) => self.pass(data, false).await?,
                    Err(trailers) => match self.end().await? {
                        Ok(()) => self.send(Ok(trailers)).await,
                        gone => gone,
                    },
                },
                Ok(None) => return self.end().await.map(|_| ()),
                Err(error) => self.send(Err(error)).await,
            };
            if let Err(Gone) = sent {
                return Ok(());
            }
        }
    }

    async fn end(&mut self) -> Result<Result<(), Gone>, Refused> {
        let rest = match &mut self.decoder {
            Some(decoder) => decoder.finish().map_err(|e| Refused::undecoded(&e))?,
            None => Vec::new(),
        };
        match self.passing {
            Passing::Unchanged if rest.is_empty() => Ok(Ok(())),
            Passing::Unchanged => self.inspection.judge(&String::from_utf8_lossy(&rest)).await.map(|_| Ok(())),
            Passing::AsText { .. } => {
                self.decoder = None;
                self.pass(Bytes::from(rest), true).await
            }
        }
    }

    /// Judges the text of these bytes and sends on what may pass. `all`: nothing is kept back.
    async fn pass(&mut self, raw: Bytes, all: bool) -> Result<Result<(), Gone>, Refused> {
        let text = match &mut self.decoder {
            Some(decoder) if !raw.is_empty() => Bytes::from(decoder.feed(&raw).map_err(|e| Refused::undecoded(&e))?),
            Some(_) => Bytes::new(),
            None => raw.clone(),
        };
        let Passing::AsText { keep_length, words, held } = &mut self.passing else {
            self.inspection.judge(&String::from_utf8_lossy(&text)).await?;
            return Ok(self.send(Ok(Frame::data(raw))).await);
        };
        let keep_length = *keep_length;
        held.extend_from_slice(&text);
        let cut = if all || !*words { held.len() } else { complete(held) };
        let piece = held.split_to(cut).freeze();
        if piece.is_empty() {
            return Ok(Ok(()));
        }
        let lossy = String::from_utf8_lossy(&piece);
        let edits = self.inspection.judge(&lossy).await?;
        let piece = match edits.is_empty() {
            true => piece,
            // Offsets of a text with replacement characters are not those of its bytes.
            false if lossy.len() != piece.len() => return Err(Refused::uneditable()),
            false => Bytes::from(edited(lossy.into_owned(), &edits, keep_length)),
        };
        Ok(self.send(Ok(Frame::data(piece))).await)
    }

    async fn send(&self, frame: Result<Frame<Bytes>, Cut>) -> Result<(), Gone> {
        self.to.send(frame).await.map_err(|_| Gone)
    }
}

/// The call of one direction: the action without a text, and for an answer what is known of it.
pub(crate) fn call(origin: &rampart_call::Origin, action: &Action, response: Option<rampart_call::Response>) -> Call {
    let phase = if response.is_some() { Phase::After } else { Phase::Before };
    Call { origin: origin.clone(), phase, action: action.clone(), response }
}
