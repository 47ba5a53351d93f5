//! Unpacks the body of an answer, never beyond a limit.
//!
//! In: the bytes of the wire and the name of their coding. Out: the plain bytes, in steps, so that the caller can ask
//! for memory before it is used. What counts against the limit is what comes out, and what went in as well.

use std::io::{self, Read};

/// How the body was packed, in the order in which it is unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

/// The largest window that a zstd body may ask for: 8 MiB (RFC 9659).
const ZSTD_WINDOW_LOG: u32 = 23;
/// More layers than this are no honest answer.
const MOST_LAYERS: usize = 2;
/// Buffers grow by this much at a time, so that they are never much larger than what is in them.
const STEP: usize = 64 << 10;

/// Why a body could not be unpacked.
#[derive(Debug)]
pub(super) enum Damage {
    TooLarge,
    Broken,
}

/// Whether a body with this `Content-Encoding` needs unpacking.
pub(super) fn is_packed(encodings: &[&str]) -> bool {
    !codings(encodings).is_ok_and(|layers| layers.is_empty())
}

/// Adds bytes, growing the buffer by what is needed and no more.
pub(super) fn push(buffer: &mut Vec<u8>, bytes: &[u8]) {
    let room = buffer.capacity() - buffer.len();
    if room < bytes.len() {
        buffer.reserve_exact((bytes.len() - room).max(STEP.max(buffer.len() / 4)));
    }
    buffer.extend_from_slice(bytes);
}

/// A body that is being unpacked.
pub(super) struct Unpacking<'a> {
    reader: Box<dyn Read + Send + 'a>,
    out: Vec<u8>,
    limit: usize,
}

impl<'a> Unpacking<'a> {
    /// Begins with the values of all `Content-Encoding` headers (RFC 9110 section 8.4), last applied last.
    pub(super) fn new(packed: &'a [u8], encodings: &[&str], limit: usize) -> Result<Self, Damage> {
        let mut reader: Box<dyn Read + Send + 'a> = Box::new(packed);
        for (index, coding) in codings(encodings)?.into_iter().rev().enumerate() {
            let head = if index == 0 { Head::of(packed) } else { Head::peek(&mut reader)? };
            reader = match coding {
                // Some servers name a coding that they did not apply.
                Coding::Gzip if !head.is_gzip() => Box::new(head.before(reader, index)),
                Coding::Gzip => Box::new(flate2::read::MultiGzDecoder::new(head.before(reader, index))),
                Coding::Deflate if head.is_zlib() => Box::new(flate2::read::ZlibDecoder::new(head.before(reader, index))),
                // RFC 9110 means zlib by "deflate", some servers mean the bare stream.
                Coding::Deflate => Box::new(flate2::read::DeflateDecoder::new(head.before(reader, index))),
                Coding::Brotli => Box::new(brotli_decompressor::Decompressor::new(head.before(reader, index), 16 << 10)),
                Coding::Zstd if !head.is_zstd() => Box::new(head.before(reader, index)),
                Coding::Zstd => {
                    let mut decoder = zstd::Decoder::new(head.before(reader, index)).map_err(|_| Damage::Broken)?;
                    decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(|_| Damage::Broken)?;
                    Box::new(decoder)
                }
            };
        }
        Ok(Self { reader, out: Vec::new(), limit })
    }

    /// Unpacks until there are that many bytes; `true` when all is done.
    pub(super) fn advance_to(&mut self, size: usize) -> Result<bool, Damage> {
        let mut piece = [0; 16 << 10];
        while self.out.len() < size {
            match self.reader.read(&mut piece) {
                Ok(0) => return Ok(true),
                Ok(read) if self.out.len() + read > self.limit => return Err(Damage::TooLarge),
                Ok(read) => push(&mut self.out, &piece[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(Damage::Broken),
            }
        }
        Ok(false)
    }

    /// What has come out.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.out
    }
}

/// The codings that were applied, first applied first. Names that are no coding but often seen here (`identity`,
/// `utf-8`, `none`) change nothing.
fn codings(encodings: &[&str]) -> Result<Vec<Coding>, Damage> {
    let names = encodings.iter().flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase());
    let layers: Vec<_> = names
        .filter_map(|name| match name.as_str() {
            "gzip" | "x-gzip" => Some(Coding::Gzip),
            "deflate" => Some(Coding::Deflate),
            "br" => Some(Coding::Brotli),
            "zstd" => Some(Coding::Zstd),
            _ => None,
        })
        .collect();
    if layers.len() > MOST_LAYERS { Err(Damage::Broken) } else { Ok(layers) }
}

/// The first bytes of a layer, by which a coding is recognized.
struct Head {
    bytes: [u8; 4],
    len: usize,
}

impl Head {
    fn of(packed: &[u8]) -> Self {
        let mut bytes = [0; 4];
        let len = packed.len().min(4);
        bytes[..len].copy_from_slice(&packed[..len]);
        Self { bytes, len }
    }

    fn peek(reader: &mut impl Read) -> Result<Self, Damage> {
        let mut head = Self { bytes: [0; 4], len: 0 };
        while head.len < 4 {
            match reader.read(&mut head.bytes[head.len..]) {
                Ok(0) => break,
                Ok(read) => head.len += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(Damage::Broken),
            }
        }
        Ok(head)
    }

    /// The layer whole again: bytes that were taken to look at, then the rest. The first layer was not taken from.
    fn before<R: Read + Send>(self, rest: R, layer: usize) -> impl Read + Send {
        let taken = if layer == 0 { 0 } else { self.len as u64 };
        io::Cursor::new(self.bytes).take(taken).chain(rest)
    }

    fn is_gzip(&self) -> bool {
        self.bytes.starts_with(&[0x1f, 0x8b])
    }

    fn is_zlib(&self) -> bool {
        self.len >= 2 && self.bytes[0] & 0x0f == 8 && u16::from_be_bytes([self.bytes[0], self.bytes[1]]).is_multiple_of(31)
    }

    fn is_zstd(&self) -> bool {
        self.bytes == [0x28, 0xb5, 0x2f, 0xfd] || (self.bytes[0] & 0xf0 == 0x50 && self.bytes[1..] == [0x2a, 0x4d, 0x18])
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn unpack(packed: &[u8], encodings: &[&str]) -> Result<Vec<u8>, Damage> {
        let mut unpacking = Unpacking::new(packed, encodings, 1 << 20)?;
        while !unpacking.advance_to(usize::MAX)? {}
        Ok(unpacking.into_bytes())
    }

    #[test]
    fn every_coding_is_read_and_a_wrong_name_forgiven() {
        let text = b"<rss version='2.0'/>".repeat(50);
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        zlib.write_all(&text).unwrap();
        let mut bare = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        bare.write_all(&text).unwrap();
        let two_members = [gzip(&text[..100]), gzip(&text[100..])].concat();
        for (packed, encodings) in [
            (gzip(&text), &["gzip"][..]),
            (gzip(&text), &["X-GZIP"]),
            (two_members, &["gzip"]),
            (gzip(&gzip(&text)), &["gzip", "gzip"]),
            (gzip(&gzip(&text)), &["gzip, gzip"]),
            (gzip(&text), &["gzip, gzip"]),
            (zlib.finish().unwrap(), &["deflate"]),
            (bare.finish().unwrap(), &["deflate"]),
            (zstd::encode_all(&text[..], 3).unwrap(), &["zstd"]),
            (text.clone(), &["gzip"]),
            (text.clone(), &["zstd"]),
            (text.clone(), &["utf-8"]),
            (text.clone(), &[]),
        ] {
            assert_eq!(unpack(&packed, encodings).unwrap(), text, "{encodings:?}");
        }
    }

    #[test]
    fn bombs_stop_at_the_limit() {
        let bomb = gzip(&vec![b' '; 8 << 20]);
        assert!(matches!(unpack(&bomb, &["gzip"]), Err(Damage::TooLarge)));
        assert!(matches!(unpack(&gzip(&bomb), &["gzip", "gzip"]), Err(Damage::TooLarge)));
        let zstd = zstd::encode_all(&vec![b' '; 8 << 20][..], 3).unwrap();
        assert!(matches!(unpack(&zstd, &["zstd"]), Err(Damage::TooLarge)));
        assert!(matches!(unpack(&bomb, &["gzip, gzip, gzip"]), Err(Damage::Broken)));
    }

    #[test]
    fn a_cut_off_body_is_no_body() {
        let packed = gzip(&b"0123456789".repeat(1000));
        assert!(matches!(unpack(&packed[..packed.len() / 2], &["gzip"]), Err(Damage::Broken)));
    }
}
