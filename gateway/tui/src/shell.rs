//! The world around the state: the terminal, the keys, the gateway's stream and its answers. Each has a thread that says
//! what happened; this one steps, and draws when there is something new, a few times a second at most.

use std::{
    io::{self, Write as _},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel},
    thread,
    time::{Duration, Instant},
};

use jiff::{Timestamp, tz::TimeZone};
use rampart_client::{Fault, blocking::Client};
use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event, KeyEventKind},
};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::{
    Options, draw,
    row::Row,
    state::{Effect, Input, Now, State},
};

/// Least time between two frames while decisions come, and after a key.
const FRAME: Duration = Duration::from_millis(125);
const AT_ONCE: Duration = Duration::from_millis(15);
/// How often a clock on the screen goes on.
const TICK: Duration = Duration::from_secs(1);
/// How long records are gathered before they are read: reading each on its own is most of the work.
const GATHER: Duration = Duration::from_millis(100);
/// Most records handed over at once.
const BATCH: usize = 512;
/// How long to wait before a gateway that is away is tried again.
const AGAIN: Duration = Duration::from_millis(500);
/// How often the gateway is asked how it is.
const HEALTH: Duration = Duration::from_secs(5);
/// Records of before that are shown at the start.
const PAST: u64 = 500;

/// Watches until somebody quits. The terminal is given back as it was, whatever happens.
///
/// # Errors
/// When the terminal cannot be used.
pub fn run(options: Options) -> io::Result<()> {
    let client = Client::new(options.settings);
    let (say, heard) = sync_channel(64);
    let (ask, asked) = channel();
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let mut terminal = ratatui::try_init()?;
    let state = State::new(options.filter, options.color, TimeZone::system());
    for thread in [
        spawn("watch-keys", {
            let say = say.clone();
            move || keys(&say)
        }),
        spawn("watch-stream", {
            let (say, client) = (say.clone(), client.clone());
            move || follow(&client, &say)
        }),
        spawn("watch-health", {
            let (say, client) = (say.clone(), client.clone());
            move || health(&client, &say)
        }),
        spawn("watch-asks", {
            let say = say.clone();
            move || answers(&client, &asked, &say)
        }),
        spawn("watch-signals", move || {
            if signals.forever().next().is_some() {
                let _ = say.send(Input::End);
            }
        }),
    ] {
        thread?;
    }
    let done = watch(&mut terminal, state, &heard, &ask);
    ratatui::try_restore()?;
    done
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.into()).spawn(work).map(drop)
}

fn watch(
    terminal: &mut DefaultTerminal,
    mut state: State,
    heard: &Receiver<Input>,
    ask: &Sender<Effect>,
) -> io::Result<()> {
    let began = Instant::now();
    let now = || Now { wall: Timestamp::now(), since_start: began.elapsed() };
    let size = terminal.size()?;
    state.step(Input::Resize(size.width, size.height), now());
    let mut drawn = None::<Instant>;
    let mut ticked = Instant::now();
    // Draw at the latest after this long since the last frame; none while nothing is new.
    let mut due = Some(Duration::ZERO);
    loop {
        let until_frame = due.map(|after| drawn.map_or(Duration::ZERO, |drawn| after.saturating_sub(drawn.elapsed())));
        let until_tick = TICK.saturating_sub(ticked.elapsed());
        let wait = until_frame.map_or(until_tick, |frame| frame.min(until_tick));
        let input = match heard.recv_timeout(wait) {
            Ok(input) => Some(input),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        let input = match input {
            None if ticked.elapsed() >= TICK => {
                ticked = Instant::now();
                Some(Input::Tick)
            }
            input => input,
        };
        if let Some(input) = input {
            let soon = if matches!(input, Input::Records(_) | Input::Tick) { FRAME } else { AT_ONCE };
            due = Some(due.map_or(soon, |due| due.min(soon)));
            for effect in state.step(input, now()) {
                match effect {
                    Effect::Quit => return Ok(()),
                    Effect::Ring => {
                        let mut out = io::stdout();
                        out.write_all(b"\x07")?;
                        out.flush()?;
                    }
                    other => drop(ask.send(other)),
                }
            }
        }
        if due.is_some_and(|after| drawn.is_none_or(|drawn| drawn.elapsed() >= after)) {
            let size = terminal.size()?;
            if (size.width, size.height) != state.size {
                state.step(Input::Resize(size.width, size.height), now());
            }
            let at = now();
            terminal.draw(|frame| draw::frame(&state, at, frame))?;
            drawn = Some(Instant::now());
            due = None;
        }
    }
}

fn keys(say: &SyncSender<Input>) {
    loop {
        let input = match event::read() {
            Ok(Event::Key(key)) if key.kind != KeyEventKind::Release => Input::Key(key),
            Ok(Event::Resize(columns, lines)) => Input::Resize(columns, lines),
            Ok(_) => continue,
            // The terminal is gone.
            Err(_) => Input::End,
        };
        let over = matches!(input, Input::End);
        if say.send(input).is_err() || over {
            return;
        }
    }
}

/// Hands on records as they come, over any number of connections: each goes on after the last record of the one before.
fn follow(client: &Client, say: &SyncSender<Input>) {
    let mut last = None;
    loop {
        let fault = match stream(client, &mut last, say) {
            Ok(()) => return,
            Err(fault) => fault,
        };
        if say.send(Input::Disconnected(fault.to_string())).is_err() {
            return;
        }
        thread::sleep(AGAIN);
    }
}

/// One connection. Ends well only when nobody listens any more.
fn stream(client: &Client, last: &mut Option<u64>, say: &SyncSender<Input>) -> Result<(), Fault> {
    let newest = client.status()?.audit.seq.unwrap_or_default();
    // A trail that is shorter than what was seen of it is another one.
    let after = last.filter(|last| *last <= newest).unwrap_or_else(|| newest.saturating_sub(PAST));
    let mut events = client.events(Some(after))?;
    if say.send(Input::Connected).is_err() {
        return Ok(());
    }
    *last = Some(after);
    let mut rows = Vec::new();
    while let Some(event) = events.next().transpose()? {
        let Some(seq) = event.id else { continue };
        *last = Some(seq);
        rows.push(Row::parse(seq, event.data));
        if rows.len() < BATCH && !events.caught_up() {
            continue;
        }
        if say.send(Input::Records(std::mem::take(&mut rows))).is_err() {
            return Ok(());
        }
        if events.caught_up() {
            thread::sleep(GATHER);
        }
    }
    Err(Fault::HungUp)
}

fn health(client: &Client, say: &SyncSender<Input>) {
    loop {
        // That there is no gateway, the stream says.
        if let Ok(status) = client.status()
            && say.send(Input::Status(Box::new(status))).is_err()
        {
            return;
        }
        thread::sleep(HEALTH);
    }
}

/// Does what the state wants done with the gateway, one after the other.
fn answers(client: &Client, asked: &Receiver<Effect>, say: &SyncSender<Input>) {
    while let Ok(first) = asked.recv() {
        let mut wanted: Vec<Effect> = std::iter::once(first).chain(asked.try_iter()).collect();
        // Looking once is enough, after all answers.
        let looks = wanted.contains(&Effect::LookAtQuestions);
        wanted.retain(|effect| *effect != Effect::LookAtQuestions);
        for effect in wanted {
            let Effect::Answer(id, answer) = effect else { continue };
            let approve = answer.approve;
            let done = client.resolve(&id, &(*answer).into());
            let done = done.map(Box::new).map_err(|fault| fault.to_string());
            if say.send(Input::Answered { approve, done }).is_err() {
                return;
            }
        }
        if looks
            && let Ok(list) = client.pending()
            && say.send(Input::Questions(list)).is_err()
        {
            return;
        }
    }
}
