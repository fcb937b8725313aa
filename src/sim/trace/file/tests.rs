//! Trace files: what goes in comes out; whatever else is refused for what it is.

use std::io::Cursor;

use proptest::prelude::*;

use super::*;
use crate::sim::run::passport::Passport;
use crate::sim::run::{self, Network, Options};
use crate::sim::scenario;
use crate::sim::seed::Seed;
use crate::sim::time::SimTime;
use crate::sim::trace::{Sink, TRACE_SCHEMA, Trace, TraceDigest, TraceEvent};

fn passport() -> Passport {
    let scenario = scenario::load(scenario::BUILT_IN_NAME, scenario::BUILT_IN).expect("loads");
    Passport::of(scenario::BUILT_IN_NAME, &scenario, Seed(7), Network::Kernel)
}

/// Shared bytes that outlive the trace which writes them.
#[derive(Clone, Default)]
struct Shared(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The file and the text of the same events: time, whether the one before is the parent, words.
fn recorded(events: &[(u64, bool, String)]) -> (Vec<u8>, Vec<u8>, TraceDigest) {
    let file = Shared::default();
    let sink = Sink::file(Box::new(file.clone()), &passport()).expect("memory");
    let (one, two) = (Trace::new(sink), Trace::new(Sink::Memory(Vec::new())));
    for trace in [&one, &two] {
        let mut last = None;
        for (at, follows, words) in events {
            let parent = last.filter(|_| *follows);
            last = Some(trace.event_from(parent, SimTime(*at), "net", format_args!("{words}")));
        }
    }
    one.finish().expect("memory");
    let file = file.0.lock().expect("not poisoned").clone();
    assert_eq!(one.digest(), two.digest());
    (file, two.finish().expect("memory"), one.digest())
}

fn sample() -> (Vec<u8>, Vec<u8>, TraceDigest) {
    let event = |number: u64| {
        let at = number * 1_234_567 % 900_000_007;
        (
            at,
            number.is_multiple_of(3),
            format!("recv kind=data n={number} print={:016x}", number * at),
        )
    };
    recorded(&(0..10_000).map(event).collect::<Vec<_>>())
}

fn read(bytes: &[u8]) -> Result<(Vec<u8>, TraceDigest), FileError> {
    let mut reader = Reader::open(bytes)?;
    let mut text = Vec::new();
    while let Some(line) = reader.next_line()? {
        text.extend_from_slice(line.as_bytes());
        text.push(b'\n');
    }
    Ok((text, reader.digest().expect("the end was read")))
}

#[test]
fn a_run_survives_its_file() {
    let passport = passport();
    let file = Shared::default();
    let sink = Sink::file(Box::new(file.clone()), &passport).expect("memory");
    let options = |sink| Options { seed: passport.seed, network: passport.network, sink };
    let report = run::run(&passport.scenario, options(sink));
    let text = Shared::default();
    let again = run::run(&passport.scenario, options(Sink::Writer(Box::new(text.clone()), None)));
    assert_eq!(report.trace, again.trace);
    let (file, text) = (file.0.lock().expect("file"), text.0.lock().expect("text"));
    let (lines, digest) = read(&file).expect("reads");
    assert!(lines == *text && digest == report.trace);
    assert_eq!(Reader::open(file.as_slice()).expect("reads").passport(), &passport);
    // Every line of a real run is in the form that an event prints itself in.
    for line in std::str::from_utf8(&text).expect("text").lines() {
        assert_eq!(TraceEvent::parse(line, 1).expect(line).to_string(), line);
    }
    let per_event = |bytes: usize| bytes as u64 / report.trace.events;
    assert!(per_event(text.len()) >= 100, "{} bytes of text per event", per_event(text.len()));
    assert!(per_event(file.len()) <= 13, "{} bytes of file per event", per_event(file.len()));
}

#[test]
fn blocks_can_be_read_in_any_order() {
    let (file, text, digest) = sample();
    let mut index = Index::open(Cursor::new(&file)).expect("opens");
    assert_eq!((index.digest(), index.passport()), (digest, &passport()));
    let blocks: Vec<BlockRange> = index.blocks().collect();
    let largest = blocks.iter().map(|block| block.ids.end - block.ids.start).max();
    assert_eq!(largest, Some(BLOCK_EVENTS as u64), "{blocks:?}");
    let mut last = String::new();
    for (number, block) in blocks.iter().enumerate().rev() {
        let events = index.events(number).expect("reads");
        assert_eq!(events.len() as u64, block.ids.end - block.ids.start);
        assert_eq!(events.iter().map(|event| event.at).min(), Some(block.earliest));
        assert_eq!(events.iter().map(|event| event.at).max(), Some(block.latest));
        let text: String = events.iter().map(|event| format!("{event}\n")).collect();
        last.insert_str(0, &text);
    }
    assert!(last.as_bytes() == text);
    assert!(index.events(blocks.len()).expect("nothing").is_empty());
}

#[test]
fn a_cut_file_is_called_cut_wherever_it_was_cut() {
    let (file, _, _) = sample();
    let mut cuts: Vec<usize> = (1..2_000).chain(file.len() - 60..file.len()).collect();
    cuts.extend((2_000..file.len()).step_by(997));
    for cut in cuts {
        let part = &file[..cut];
        let error = read(part).expect_err("cut");
        let at = |error: &FileError| match error {
            FileError::Truncated { at, .. } => *at == cut as u64,
            _ => false,
        };
        assert!(at(&error), "{cut}: {error}");
        let error = Index::open(Cursor::new(part)).err().expect("cut");
        assert!(at(&error), "{cut}: {error}");
    }
}

#[test]
fn no_changed_byte_goes_unnoticed() {
    let (file, _, _) =
        recorded(&(0..50).map(|n| (n, n > 3, format!("recv n={n}"))).collect::<Vec<_>>());
    for at in 0..file.len() {
        let mut changed = file.clone();
        changed[at] ^= 0x10;
        assert!(read(&changed).is_err(), "byte {at}");
    }
}

#[test]
fn every_wrong_file_has_its_own_words() {
    let (file, _, _) = sample();
    let changed = |at: usize, byte: u8| {
        let mut changed = file.clone();
        changed[at] = byte;
        changed
    };
    let newer = changed(8, 3);
    let foreign = "it is no trace file of shakedown: ";
    let cases: [(&[u8], String); 11] = [
        (b"", format!("{foreign}it is empty")),
        (b"PK\x03\x04", format!("{foreign}it does not begin as one")),
        (b"0000005000000 1 - net recv\n", format!("{foreign}it looks like the text lines")),
        (b"\x89SDT\n\x1a\n", format!("{foreign}its first line ends were changed")),
        ("\u{fffd}SDT\r\n".as_bytes(), format!("{foreign}it was changed by a transfer")),
        (&newer, format!("its schema is 3 (byte 8), this build reads {TRACE_SCHEMA}")),
        (&newer[..12], "its schema is 3".to_owned()),
        (&changed(8, 1), "its schema is 1 (byte 8), this build reads 2 only".to_owned()),
        (&changed(15, 0xff), "it is damaged at byte 12: the passport claims".to_owned()),
        (&changed(40, b'~'), "it is damaged at byte 20: the checksum of the passport".to_owned()),
        (&[file.as_slice(), b"x"].concat(), "something follows the end".to_owned()),
    ];
    for (bytes, expected) in cases {
        let error = read(bytes).expect_err(&expected);
        assert!(error.to_string().contains(&expected), "{error} lacks {expected}");
        assert!(!error.help().is_empty());
    }
}

#[test]
fn a_file_that_claims_too_much_is_not_believed() {
    let (file, _, _) = recorded(&[(5, false, "recv".to_owned())]);
    let start = 20 + serde_json::to_vec(&passport()).expect("JSON").len();
    let mut bytes = file[..start].to_vec();
    let mut block = vec![b'B'];
    block.extend(1u32.to_le_bytes());
    for number in [1u64, 0, 0] {
        block.extend(number.to_le_bytes());
    }
    for size in [u32::MAX, 10, u32::MAX, 10, u32::MAX, 10, 0] {
        block.extend(size.to_le_bytes());
    }
    bytes.extend(block);
    let error = read(&bytes).expect_err("a lie").to_string();
    assert!(error.contains("a block claims to be larger than blocks are"), "{error}");
}

#[test]
fn what_is_no_line_is_not_written() {
    let mut writer = Writer::new(Vec::new(), &passport()).expect("memory");
    let long = vec![b'x'; LINE_BYTES_MAX + 1];
    assert!(writer.event(SimTime(1), None, b"net re\ncv").is_err());
    assert!(writer.event(SimTime(1), None, &long).is_err());
    assert!(writer.event(SimTime(1), Some(EventId(1)), b"net recv").is_err());
    assert!(writer.event(SimTime(1), None, b"net recv").is_ok());
}

proptest! {
    #[test]
    fn whatever_was_recorded_comes_back(
        events in proptest::collection::vec(
            (any::<u64>(), any::<bool>(), "[ -~é]{0,30}|x=[0-9a-f]{14,18}"), 0..60,
        )
    ) {
        let (file, text, digest) = recorded(&events);
        let (lines, said) = read(&file).expect("reads");
        prop_assert!(lines == text && said == digest);
        prop_assert_eq!(Index::open(Cursor::new(&file)).expect("opens").digest(), digest);
    }
}
