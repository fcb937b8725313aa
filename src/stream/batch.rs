//! The body of a POST.
//!
//! Invariant: a body and its `X-Request-Id` are functions of the events alone, so that a batch
//! repeated unchanged is recognisable at both ends.

use std::collections::VecDeque;
use std::io;

use bytes::Bytes;
use flate2::{Compress, Compression, Crc, FlushCompress, Status};

use super::{EncodedEvent, StreamConfig};
use crate::newrelic::Payload;

/// The JSON array of `events`: `[` event `,` event … `]`.
pub(super) fn json_of(events: &VecDeque<EncodedEvent>) -> Vec<u8> {
    let bytes: usize = events.iter().map(|event| event.json.len() + 1).sum();
    let mut body = Vec::with_capacity(bytes + 1);
    for event in events {
        body.push(if body.is_empty() { b'[' } else { b',' });
        body.extend_from_slice(&event.json);
    }
    body.push(b']');
    body
}

/// Makes payloads. A compressor's memory (some 300 KiB) is made once and used again: made anew
/// for each body, its pages cost more than the compression.
#[derive(Debug, Default)]
pub(super) struct Packer {
    deflate: Option<Compress>,
}

impl Packer {
    /// The payload of `json`, gzipped when it is long enough to gain from it.
    ///
    /// The request id is a fingerprint of the events, so a repetition has the same one.
    pub(super) fn payload(&mut self, json: Vec<u8>, config: &StreamConfig) -> io::Result<Payload> {
        let print = xxhash_rust::xxh3::xxh3_128(&json);
        let request_id = uuid::Uuid::from_u128(print).to_string();
        if json.len() <= config.gzip_above_bytes {
            return Ok(Payload { body: Bytes::from(json), gzip: false, request_id });
        }
        let level = Compression::new(config.gzip_level);
        let deflate = self.deflate.get_or_insert_with(|| Compress::new(level, false));
        let body = Bytes::from(gzip(deflate, &json)?);
        Ok(Payload { body, gzip: true, request_id })
    }
}

/// One member of a gzip file (RFC 1952). No name and no time of compression in its header: equal
/// data give equal bytes.
fn gzip(deflate: &mut Compress, data: &[u8]) -> io::Result<Vec<u8>> {
    /// Magic, deflate, no flags, no time, no hint about the level, unknown operating system.
    const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let mut packed = Vec::with_capacity(HEADER.len() + data.len() / 4 + 64);
    packed.extend_from_slice(&HEADER);
    deflate.reset();
    loop {
        let read = usize::try_from(deflate.total_in()).map_err(io::Error::other)?;
        match deflate.compress_vec(&data[read..], &mut packed, FlushCompress::Finish)? {
            Status::StreamEnd => break,
            Status::Ok | Status::BufError => packed.reserve(packed.len()),
        }
    }
    let mut crc = Crc::new();
    crc.update(data);
    packed.extend_from_slice(&crc.sum().to_le_bytes());
    packed.extend_from_slice(&crc.amount().to_le_bytes());
    Ok(packed)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_packer_used_again_gives_what_a_fresh_one_gives() {
        let config = StreamConfig::default();
        let mut packer = Packer::default();
        let mut check = |json: Vec<u8>| {
            let packed = packer.payload(json.clone(), &config).expect("memory");
            let fresh = Packer::default().payload(json.clone(), &config).expect("memory");
            assert_eq!(packed.body, fresh.body);
            assert!(packed.gzip);
            let mut text = Vec::new();
            let read = flate2::read::GzDecoder::new(&packed.body[..]).read_to_end(&mut text);
            assert_eq!(read.expect("valid gzip"), json.len());
            assert_eq!(text, json);
        };
        check(b"[{\"a\":1}]".repeat(200));
        // What hardly shrinks must grow the buffer.
        let noise = (0..200_000u64)
            .flat_map(|n| xxhash_rust::xxh3::xxh3_64(&n.to_le_bytes()).to_le_bytes());
        check(noise.collect());
        check(b"[{\"b\":2}]".repeat(300));
    }
}
