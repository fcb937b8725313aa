//! Records there and back, and what is no record.

use proptest::prelude::*;

use super::*;
use crate::ports::Disk;
use crate::sim::disk::DiskStore;
use crate::sim::seed::Seed;

fn any_chunk() -> impl Strategy<Value = Chunk> {
    let kind = prop_oneof![Just("MESSAGE_QUEUE_BROKER".to_owned()), ".{0,20}"];
    let event = (kind, proptest::collection::vec(any::<u8>(), 0..200))
        .prop_map(|(kind, json)| EncodedEvent { json, kind: Cow::Owned(kind) });
    let events = proptest::collection::vec(event, 0..12);
    (any::<u64>(), any::<i64>(), any::<u32>(), events).prop_map(|(id, at, attempts, events)| {
        let enqueued_at = UnixMillis(at);
        Chunk { id: ChunkId(id), enqueued_at, attempts, events: events.into() }
    })
}

fn any_letter() -> impl Strategy<Value = DeadLetter> {
    (any_chunk(), ".{0,40}", any::<u32>(), any::<i64>()).prop_map(
        |(chunk, reason, attempts, at)| DeadLetter { chunk, reason, attempts, at: UnixMillis(at) },
    )
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(chunk in any_chunk(), letter in any_letter(), n in any::<u64>()) {
        let bytes = encode_chunk(&chunk, n).unwrap();
        let record = parse_all(&bytes, Kind::Chunk).unwrap();
        prop_assert_eq!(record.sequence, n);
        prop_assert_eq!(decode_chunk_meta(record.payload), Some(chunk.meta()));
        prop_assert_eq!(decode_chunk(record.payload), Some(chunk));
        let bytes = encode_dead(&letter, n, 7).unwrap();
        let record = parse_all(&bytes, Kind::Dead).unwrap();
        let meta = decode_dead_meta(record.payload).unwrap();
        prop_assert_eq!((meta.number, meta.at, meta.attempts), (n, letter.at, letter.attempts));
        prop_assert_eq!((meta.reason, meta.chunk), (letter.reason, letter.chunk.meta()));
        prop_assert_eq!(decode_dead_chunk(record.payload), Some(letter.chunk));
        let state = State { sequence: n, next_id: 1, next_dead: 2, chunks: 3, dead_letters: 4,
            oldest_chunk: 5, oldest_dead: 6 };
        let bytes = encode_state(&state).unwrap();
        prop_assert_eq!(parse_all(&bytes, Kind::State).and_then(decode_state), Some(state));
        prop_assert!(parse_all(&bytes, Kind::Chunk).is_none());
    }

    #[test]
    fn a_changed_bit_or_a_missing_end_is_noticed(
        chunk in any_chunk(),
        at in any::<u64>(),
        bit in 0_u32..8,
    ) {
        let mut bytes = encode_chunk(&chunk, 1).unwrap();
        let at = usize::try_from(at % bytes.len() as u64).unwrap();
        prop_assert!(parse(&bytes[..at]).is_none());
        bytes[at] ^= 1_u8 << bit;
        prop_assert!(parse(&bytes).is_none());
    }

    /// A payload with a valid checksum may still be nonsense: a bug wrote it, or an attacker.
    #[test]
    fn nonsense_is_refused_without_panic(
        payload in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let _ = (decode_chunk(&payload), decode_chunk_meta(&payload));
        let _ = (decode_dead_meta(&payload), decode_dead_chunk(&payload));
        let record = Record { kind: Kind::State, sequence: 0, payload: &payload };
        prop_assert_eq!(decode_state(record).is_some(), payload.len() >= 48);
        let mut framed = Writer::new(0);
        framed.0.extend_from_slice(&payload);
        let framed = framed.finish(Kind::Chunk, 1).unwrap();
        prop_assert!(parse(&framed).is_some());
    }
}

/// Records are found wherever they lie: at the edges of the windows that are read, one behind the
/// other, behind half of another, and longer than a window.
#[test]
fn a_scan_finds_every_record() {
    const WINDOW: u64 = 1 << 20;
    let chunk = |id: u64, bytes: usize| {
        let event = EncodedEvent { json: vec![b'j'; bytes], kind: "A".into() };
        Chunk { id: ChunkId(id), enqueued_at: UnixMillis(1), attempts: 0, events: [event].into() }
    };
    let file = DiskStore::new(Seed(1)).mount().open("file").unwrap();
    let mut expected = Vec::new();
    let mut put = |at: u64, id: u64, bytes: usize| {
        let record = encode_chunk(&chunk(id, bytes), id).unwrap();
        file.write_at(at, &record).unwrap();
        expected.push((at, id));
        at + record.len() as u64
    };
    let next = put(0, 1, 10);
    put(next, 2, 500);
    put(2_000, 3, 500);
    for (id, back) in (4..).zip([1, 3, 7, 8, 31, 32, 100]) {
        put((id - 3) * WINDOW - back, id, 60);
    }
    let next = put(20 * WINDOW + 5, 30, 3 << 20);
    // The beginning of a record that something else was written over.
    let half = encode_chunk(&chunk(31, 400), 31).unwrap();
    file.write_at(next, &half[..100]).unwrap();
    put(next + 100, 32, 400);
    let end = put(next + 10_000, 33, 5);
    file.write_at(end, &MAGIC).unwrap();
    let mut found = Vec::new();
    let damaged = scan(&file, |at, record| {
        let decoded = decode_chunk(record.payload).unwrap();
        assert_eq!(record.len(), encode_chunk(&decoded, record.sequence).unwrap().len());
        found.push((at, decoded.id.0));
    });
    assert_eq!(found, expected);
    assert_eq!(damaged.unwrap(), half.len() as u64);
    let empty = DiskStore::new(Seed(1)).mount().open("file").unwrap();
    assert_eq!(scan(&empty, |_, _| panic!("nothing is there")).unwrap(), 0);
}
