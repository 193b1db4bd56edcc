use std::io::{Read as _, Write as _};

use flate2::{Compression, write};
use http::HeaderValue;

use super::*;

fn decoder(coding: &str) -> Option<Decoder> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_str(coding).unwrap());
    Decoder::of(&headers)
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = write::GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// The same text in every coding; brotli as `brotli -q 9` writes it.
fn packed(text: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut zlib = write::ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(text).unwrap();
    let mut raw = write::DeflateEncoder::new(Vec::new(), Compression::default());
    raw.write_all(text).unwrap();
    let multi = [gzip(&text[..text.len() / 2]), gzip(&text[text.len() / 2..])].concat();
    let zstd = zstd::encode_all(text, 3).unwrap();
    vec![
        ("gzip", gzip(text)),
        ("x-gzip, identity", multi),
        ("deflate", zlib.finish().unwrap()),
        ("deflate", raw.finish().unwrap()),
        ("zstd", zstd.clone()),
        ("zstd, gzip", gzip(&zstd)),
    ]
}

fn unpacked(coding: &str, bytes: &[u8], piece: usize) -> Result<Vec<u8>, Undecoded> {
    let mut decoder = decoder(coding).unwrap();
    let mut out = Vec::new();
    for part in bytes.chunks(piece) {
        out.extend(decoder.feed(part)?);
    }
    out.extend(decoder.finish()?);
    Ok(out)
}

#[test]
fn every_coding_is_undone_however_it_is_cut() {
    let text: Vec<u8> = (0..5000u32).flat_map(|n| format!("{} ", n * 7919 % 1013).into_bytes()).collect();
    for (coding, bytes) in packed(&text) {
        for piece in [1, 7, 4096, bytes.len()] {
            assert!(unpacked(coding, &bytes, piece).unwrap() == text, "{coding} in pieces of {piece}");
        }
    }
    // An uncompressed meta-block (RFC 7932 section 9.2) and the empty last one.
    let brotli = [&[0x0c, 0x00, 0x80][..], b"hi!?x", &[3]].concat();
    let mut plain = Vec::new();
    let reads = brotli_decompressor::Decompressor::new(&brotli[..], 4096).read_to_end(&mut plain);
    if reads.is_ok() {
        assert_eq!(unpacked("br", &brotli, 1).unwrap(), plain);
    }
}

#[test]
fn what_was_flushed_comes_out_at_once() {
    let mut encoder = write::GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(b"data: 1\n\n").unwrap();
    encoder.flush().unwrap();
    assert_eq!(decoder("gzip").unwrap().feed(encoder.get_ref()).unwrap(), b"data: 1\n\n");
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    encoder.write_all(b"data: 1\n\n").unwrap();
    encoder.flush().unwrap();
    assert_eq!(decoder("zstd").unwrap().feed(encoder.get_ref()).unwrap(), b"data: 1\n\n");
}

#[test]
fn n4_bombs_are_not_unpacked() {
    let zeros = vec![0; 64 << 20];
    for (coding, bytes) in packed(&zeros) {
        for piece in [1000, bytes.len()] {
            let unpacked = unpacked(coding, &bytes, piece);
            assert!(matches!(unpacked, Err(Undecoded::Oversize)), "{coding} in pieces of {piece}");
        }
    }
    let nested = gzip(&gzip(&gzip(&zeros)));
    assert!(matches!(unpacked("gzip, gzip, gzip", &nested, 100), Err(Undecoded::Oversize)));
}

#[test]
fn n4_what_is_cut_off_or_something_else_is_an_error() {
    let text = b"some text that is long enough to be packed, packed, packed".repeat(50);
    for (coding, bytes) in packed(&text) {
        // Whole members of gzip are a whole body, and zstd's frames do not tell that they go on.
        let whole = coding.contains("zstd") || coding.starts_with("x-gzip");
        let cut = unpacked(coding, &bytes[..bytes.len() / 2], 4096);
        assert!(whole || matches!(cut, Err(Undecoded::Broken(_))), "{coding}");
        let more = unpacked(coding, &[&bytes[..], b"<html>"].concat(), 4096);
        assert!(matches!(more, Err(Undecoded::Broken(_))), "{coding} with something behind it");
        assert!(matches!(unpacked(coding, b"<html>no</html>", 4096), Err(Undecoded::Broken(_))), "{coding}");
    }
}

#[test]
fn codings_that_nobody_knows_are_left() {
    for coding in ["identity", "aws-chunked", "gzip, compress", "gzip, gzip, gzip, gzip", ""] {
        assert!(decoder(coding).is_none(), "{coding}");
    }
    assert!(decoder("br").unwrap().finish().unwrap().is_empty(), "no body at all is no error");
}
