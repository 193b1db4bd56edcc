//! The server's standard error on its way to ours, a line at a time and cleaned: clients keep it in logs, and show it.

use std::time::Duration;

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    process::ChildStderr,
    task::JoinHandle,
    time::timeout,
};

use super::Handle;

/// A longer line is taken apart.
const LINE: usize = 64 << 10;

/// Carries all of it in a task of its own, so that nothing else waits for whoever reads ours.
pub(super) fn carry(errors: ChildStderr, clean: fn(&str) -> String) -> JoinHandle<()> {
    tokio::spawn(async move {
        match Handle::new(std::io::stderr()) {
            Ok(ours) => cleaned(errors, ours, clean).await,
            Err(error) => tracing::warn!(%error, "the server's standard error is not shown"),
        }
    })
}

/// Waits for what is still on its way. A process that was left behind may hold the other end open.
pub(super) async fn finish(carrying: JoinHandle<()>, patience: Duration) {
    let abort = carrying.abort_handle();
    if timeout(patience, carrying).await.is_err() {
        abort.abort();
    }
}

async fn cleaned(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, clean: fn(&str) -> String) {
    let mut held: Vec<u8> = Vec::new();
    loop {
        let read = from.read_buf(&mut held).await;
        let over = !matches!(read, Ok(size) if size > 0);
        while let Some(length) = length(&held, over) {
            let rest = held.split_off(length);
            let line = std::mem::replace(&mut held, rest);
            let text = String::from_utf8_lossy(&line);
            let (text, end) = text.strip_suffix('\n').map_or((&*text, ""), |text| (text, "\n"));
            if to.write_all((clean(text) + end).as_bytes()).await.is_err() {
                return; // nobody reads it
            }
        }
        if over {
            return drop(to.flush().await);
        }
    }
}

/// How much of this is a line, or as much of one as is carried at once.
fn length(held: &[u8], over: bool) -> Option<usize> {
    match memchr::memchr(b'\n', held.get(..LINE.min(held.len()))?) {
        Some(at) => Some(at + 1),
        None if held.len() >= LINE => Some(whole(held.get(..LINE)?)),
        None => (over && !held.is_empty()).then_some(held.len()),
    }
}

/// The length without a character that is cut at the end.
fn whole(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => error.valid_up_to(),
        _ => bytes.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cleaned_one_by_one_however_they_come() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let long = "é".repeat(LINE);
        for (text, expected) in [
            ("one\ntwo\n", "<one>\n<two>\n".to_owned()),
            ("\n\nlast", "<>\n<>\n<last>".to_owned()),
            ("", String::new()),
            (&long, format!("<{0}><{0}>", "é".repeat(LINE / 2))),
        ] {
            for size in [1021, 1 << 20] {
                let said = runtime.block_on(async {
                    let (mut writer, reader) = tokio::io::duplex(size);
                    let write = async move { writer.write_all(text.as_bytes()).await.unwrap() };
                    let mut out = Vec::new();
                    tokio::join!(write, cleaned(reader, &mut out, |line| format!("<{line}>")));
                    String::from_utf8(out).unwrap()
                });
                assert_eq!(said, expected, "{size}");
            }
        }
    }
}
