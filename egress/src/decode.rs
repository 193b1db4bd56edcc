//! Content codings undone while a body passes: gzip, deflate, br and zstd, stacked too, under a bound of what may come out
//! of what went in. Pure: bytes in, bytes out.

use std::io;

use brotli_decompressor::DecompressorWriter;
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, header};

/// No text is packed more tightly; bombs are.
const MAX_RATIO: u64 = 100;
/// What may come out whatever went in: a short text may well be one letter again and again.
const FREE: u64 = 1 << 20;
/// Codings upon codings.
const MAX_LAYERS: usize = 3;
/// zstd's window as a power of two: 8 MiB, which every decoder must support (RFC 8878 section 3.1.1.1.2, RFC 9659).
const ZSTD_WINDOW: u32 = 23;
const BROTLI_BUFFER: usize = 16 * 1024;

/// Why there is no text.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Undecoded {
    /// It would grow out of all proportion.
    #[error("it unpacks to more than {MAX_RATIO} times its size")]
    Oversize,
    /// It is not what its Content-Encoding says.
    #[error("it is not what its Content-Encoding says: {0}")]
    Broken(String),
}

/// Undoes the codings of one body.
pub(crate) struct Decoder {
    /// In the order in which they are undone.
    layers: Vec<Layer>,
    read: u64,
}

enum Layer {
    Gzip(MultiGzDecoder<Sink>),
    /// zlib, or what some servers send in its place: the first bytes tell.
    Deflate(Vec<u8>),
    Zlib(ZlibDecoder<Sink>),
    Raw(DeflateDecoder<Sink>),
    Brotli(Box<DecompressorWriter<Sink>>),
    Zstd(Box<zstd::stream::write::Decoder<'static, Sink>>),
}

/// Takes what a layer gives out, up to a bound.
#[derive(Default)]
struct Sink {
    out: Vec<u8>,
    given: u64,
    allowed: u64,
}

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.given += bytes.len() as u64;
        if self.given > self.allowed {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        self.out.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Decoder {
    /// What undoes the codings that these headers name: none where there are none, or one that we do not know.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let values = headers.get_all(header::CONTENT_ENCODING).iter().filter_map(|v| v.to_str().ok());
        let names = values.flat_map(|v| v.split(',')).map(|n| n.trim().to_ascii_lowercase());
        let names: Vec<String> = names.filter(|n| !n.is_empty() && n != "identity").collect();
        if names.is_empty() || names.len() > MAX_LAYERS {
            return None;
        }
        let layers = names.iter().rev().map(|name| Layer::named(name)).collect::<Option<_>>()?;
        Some(Self { layers, read: 0 })
    }

    /// The text that comes out of these bytes.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Undecoded> {
        self.read += bytes.len() as u64;
        self.run(bytes, false)
    }

    /// What was left when the body ended. An error where it ended too early.
    pub(crate) fn finish(&mut self) -> Result<Vec<u8>, Undecoded> {
        if self.read == 0 { Ok(Vec::new()) } else { self.run(&[], true) }
    }

    fn run(&mut self, bytes: &[u8], end: bool) -> Result<Vec<u8>, Undecoded> {
        let allowed = FREE.max(self.read.saturating_mul(MAX_RATIO));
        let mut bytes = bytes.to_vec();
        for layer in &mut self.layers {
            bytes = layer.run(&bytes, end, allowed).map_err(|error| match error.kind() {
                io::ErrorKind::FileTooLarge => Undecoded::Oversize,
                _ => Undecoded::Broken(error.to_string()),
            })?;
        }
        Ok(bytes)
    }
}

/// The text in the beginning of a body, or in all of it; the bytes themselves where no coding is to be undone.
pub(crate) fn whole(decoder: Option<&mut Decoder>, bytes: &[u8], all: bool) -> Result<Vec<u8>, Undecoded> {
    let Some(decoder) = decoder else { return Ok(bytes.to_vec()) };
    let mut text = decoder.feed(bytes)?;
    if all {
        text.extend(decoder.finish()?);
    }
    Ok(text)
}

impl Layer {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "gzip" | "x-gzip" => Self::Gzip(MultiGzDecoder::new(Sink::default())),
            "deflate" => Self::Deflate(Vec::new()),
            "br" => Self::Brotli(Box::new(DecompressorWriter::new(Sink::default(), BROTLI_BUFFER))),
            "zstd" => {
                let mut decoder = zstd::stream::write::Decoder::new(Sink::default()).ok()?;
                decoder.window_log_max(ZSTD_WINDOW).ok()?;
                Self::Zstd(Box::new(decoder))
            }
            _ => return None,
        })
    }

    fn run(&mut self, bytes: &[u8], end: bool, allowed: u64) -> io::Result<Vec<u8>> {
        if let Self::Deflate(begun) = self {
            begun.extend_from_slice(bytes);
            let [first, second, ..] = *begun.as_slice() else {
                return if end { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(Vec::new()) };
            };
            // RFC 1950 section 2.2: the method, and a check of both bytes.
            let is_zlib = first & 0x0f == 8 && u16::from_be_bytes([first, second]) % 31 == 0;
            let begun = std::mem::take(begun);
            *self = if is_zlib {
                Self::Zlib(ZlibDecoder::new(Sink::default()))
            } else {
                Self::Raw(DeflateDecoder::new(Sink::default()))
            };
            return self.run(&begun, end, allowed);
        }
        let sink = match self {
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Zlib(decoder) => decoder.get_mut(),
            Self::Raw(decoder) => decoder.get_mut(),
            Self::Brotli(decoder) => decoder.get_mut(),
            Self::Zstd(decoder) => decoder.get_mut(),
            Self::Deflate(_) => return Ok(Vec::new()),
        };
        sink.allowed = allowed;
        match self {
            Self::Gzip(decoder) => push(decoder, bytes)?,
            Self::Zlib(decoder) => push(decoder, bytes)?,
            Self::Raw(decoder) => push(decoder, bytes)?,
            Self::Brotli(decoder) => push(decoder.as_mut(), bytes)?,
            Self::Zstd(decoder) => push(decoder.as_mut(), bytes)?,
            Self::Deflate(_) => {}
        }
        if end {
            match self {
                Self::Gzip(decoder) => decoder.try_finish()?,
                Self::Zlib(decoder) => decoder.try_finish()?,
                Self::Raw(decoder) => decoder.try_finish()?,
                Self::Brotli(decoder) => decoder.close()?,
                Self::Zstd(_) | Self::Deflate(_) => {}
            }
        }
        let sink = match self {
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Zlib(decoder) => decoder.get_mut(),
            Self::Raw(decoder) => decoder.get_mut(),
            Self::Brotli(decoder) => decoder.get_mut(),
            Self::Zstd(decoder) => decoder.get_mut(),
            Self::Deflate(_) => return Ok(Vec::new()),
        };
        Ok(std::mem::take(&mut sink.out))
    }
}

/// Writes all of it, and makes the decoder give out all that it can already know.
fn push(decoder: &mut dyn io::Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let taken = decoder.write(bytes)?;
        if taken == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "something follows its end"));
        }
        bytes = bytes.get(taken..).unwrap_or_default();
    }
    decoder.flush()
}

#[cfg(test)]
mod tests;
