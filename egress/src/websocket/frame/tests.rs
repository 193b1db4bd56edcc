use super::*;

/// What comes out of `bytes` in pieces: payloads with their kinds, and control frames with theirs.
fn read(side: Side, bytes: &[u8], piece: usize) -> Result<Vec<(String, Option<u8>)>, Broken> {
    let mut frames = Frames::new(side);
    let (mut out, mut passed, mut control) = (Vec::new(), Vec::new(), Vec::new());
    for part in bytes.chunks(piece) {
        let (messages, fed) = frames.feed(part);
        fed?;
        for message in messages {
            match message {
                Message::Control(raw) => {
                    out.push((String::from("control"), Some(raw[0] & 0x0f)));
                    control.extend_from_slice(&raw);
                }
                Message::Data { raw, payload, whole } => {
                    passed.extend_from_slice(&raw);
                    out.push((String::from_utf8_lossy(&payload).into_owned(), whole));
                }
            }
        }
    }
    assert_eq!(passed.len() + control.len(), bytes.len(), "everything that is whole is handed out");
    Ok(out)
}

fn masked(mut frame: Vec<u8>) -> Vec<u8> {
    let payload = frame.split_off(2);
    frame[1] |= 0x80;
    let mask = [1, 2, 3, 4];
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

#[test]
fn n12_messages_are_put_together_however_they_are_cut() {
    // "Hello" whole, in three fragments with a ping between them, and masked.
    let fragments = b"\x81\x05Hello\x01\x03Hel\x89\x01!\x00\x00\x80\x02lo\x82\x01\xff";
    let expected = [("Hello", Some(1)), ("control", Some(9)), ("Hello", Some(1)), ("\u{fffd}", Some(2))];
    for piece in [1, 2, 3, 5, 100] {
        let got = read(Side::Origin, fragments, piece).unwrap();
        assert_eq!(got, expected.map(|(text, kind)| (text.to_owned(), kind)), "{piece}");
        let got = read(Side::Client, &masked(b"\x81\x05Hello".to_vec()), piece).unwrap();
        assert_eq!(got, [("Hello".to_owned(), Some(1))]);
    }
}

#[test]
fn long_messages_come_in_parts() {
    let text = "x".repeat(600_000);
    let frame = compose(Side::Origin, TEXT, text.as_bytes());
    let got = read(Side::Origin, &frame, 10_000).unwrap();
    assert!(got.len() > 1 && got.iter().all(|(_, whole)| whole.is_none()), "{}", got.len());
    assert_eq!(got.iter().map(|(text, _)| text.len()).sum::<usize>(), 600_000);
    let mut frames = Frames::new(Side::Origin);
    frames.feed(&frame[..300_000]).1.unwrap();
    assert!(frames.is_within());
    frames.feed(&frame[300_000..]).1.unwrap();
    assert!(!frames.is_within());
}

#[test]
fn n12_what_breaks_the_protocol_is_an_error() {
    for (side, bytes) in [
        (Side::Client, &b"\x81\x01x"[..]),
        (Side::Origin, b"\x81\x81\0\0\0\0x"),
        (Side::Origin, b"\xc1\x01x"),
        (Side::Origin, b"\x83\x01x"),
        (Side::Origin, b"\x8b\x00"),
        (Side::Origin, b"\x80\x01x"),
        (Side::Origin, b"\x01\x01x\x81\x01y"),
        (Side::Origin, b"\x09\x01x"),
        (Side::Origin, b"\x89\x7e\x00\x7e"),
        (Side::Origin, b"\x81\x7e\x00\x05hello"),
        (Side::Origin, b"\x81\x7f\x00\x00\x00\x00\x00\x00\x00\x05hello"),
        (Side::Origin, b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff"),
    ] {
        assert_eq!(Frames::new(side).feed(bytes).1.map_err(|broken| broken.code), Err(1002), "{bytes:?}");
    }
}

#[test]
fn what_is_composed_is_read_back() {
    for length in [0, 125, 126, 0xffff, 0x1_0000] {
        for side in [Side::Client, Side::Origin] {
            let text = "y".repeat(length);
            let got = read(side, &compose(side, BINARY, text.as_bytes()), 1000).unwrap();
            assert_eq!(got, [(text, Some(BINARY))], "{length}");
        }
    }
    let goodbye = close(Side::Origin, 1008, &"é".repeat(100));
    assert!(goodbye.len() <= 127 && goodbye.starts_with(&[0x88]), "{goodbye:?}");
}

#[test]
fn n12_a_text_is_utf8_however_it_is_cut_and_what_came_before_passes() {
    let text = "\u{e9}\u{5b57}\u{1f600}x".as_bytes();
    for piece in 1..=text.len() + 2 {
        let frame = compose(Side::Origin, TEXT, text);
        assert_eq!(read(Side::Origin, &frame, piece).unwrap().len(), 1, "{piece}");
        // In fragments of one byte, too.
        let ends = text.len() - 1;
        let fragment = |(at, byte): (usize, &u8)| {
            vec![if at == ends { 0x80 } else { 0 } | if at == 0 { TEXT } else { CONTINUATION }, 1, *byte]
        };
        let fragments: Vec<u8> = text.iter().enumerate().flat_map(fragment).collect();
        assert_eq!(read(Side::Origin, &fragments, piece).unwrap()[0].0.as_bytes(), text, "{piece}");
        for wrong in
            [&b"\xff"[..], b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"ab\xc3", b"\xe5\xad", b"\xf0\x9f\x98x"]
        {
            let frame = compose(Side::Origin, TEXT, wrong);
            assert_eq!(read(Side::Origin, &frame, piece).map_err(|broken| broken.code), Err(1007), "{wrong:?} {piece}");
            assert!(read(Side::Origin, &compose(Side::Origin, BINARY, wrong), piece).is_ok());
        }
    }
    // Not at the end of the message, but where it is seen.
    let (ready, fed) = Frames::new(Side::Origin).feed(b"\x82\x01x\x01\x7e\x10\x00ab\xff");
    assert_eq!((ready.len(), fed.map_err(|broken| broken.code)), (1, Err(1007)));
}
