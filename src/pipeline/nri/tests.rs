//! Files and piped documents, in virtual time and on a real folder.

use tempfile::TempDir;

use super::*;
use crate::adapters::FileDisk;
use crate::ports::testing::{Nothing, TestClock, TestPorts};
use crate::resilience::breaker::Admitted;

/// Virtual time over a real folder.
type FolderPorts = TestPorts<Nothing, FileDisk>;

struct Bench {
    folder: TempDir,
    clock: TestClock,
    source: NriSource<FolderPorts>,
}

impl Bench {
    fn new(files: &[&str], feed: Option<NriFeed>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = TestClock::default();
        let disk = FileDisk::new(folder.path()).expect("usable");
        let ports = FolderPorts { clock: clock.clone(), http: Nothing, disk };
        let files = files.iter().map(|file| (*file).to_owned()).collect();
        Self { folder, clock, source: NriSource::new(ports, "legacy", files, feed) }
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.folder.path().join(file), text).expect("written");
    }

    /// Samples and reasons of missing parts of one collection, or the failure's reason.
    fn collect(&mut self) -> Result<(usize, Vec<String>), String> {
        let collected = self
            .clock
            .run(self.source.collect(Admitted::for_tests()))
            .map_err(|failure| failure.reason)?;
        let reasons = collected.missing.into_iter().map(|part| part.reason).collect();
        Ok((collected.samples.len(), reasons))
    }
}

fn topic_sample(topic: &str, size: u64) -> String {
    format!(
        "{{\"event_type\":\"KafkaTopicSample\",\"clusterName\":\"legacy\",\"topic\":\"{topic}\",\
         \"topic.diskSize\":{size},\"topic.partitionsWithNonPreferredLeader\":0}}"
    )
}

#[test]
fn a_file_counts_when_it_has_changed() {
    let mut bench = Bench::new(&["nri.json"], None);
    bench.write("nri.json", &topic_sample("a", 1));
    assert_eq!(bench.collect(), Ok((1, vec![])));
    assert_eq!(bench.collect(), Ok((0, vec![])));
    bench.write("nri.json", &format!("{}\n{}", topic_sample("a", 2), topic_sample("b", 3)));
    assert_eq!(bench.collect(), Ok((2, vec![])));
}

#[test]
fn silence_is_a_failure_in_the_end() {
    let mut bench = Bench::new(&["nri.json", "absent.json"], None);
    bench.write("nri.json", &topic_sample("a", 1));
    assert_eq!(bench.collect(), Ok((1, vec!["file_unreadable".to_owned()])));
    bench.clock.advance(SILENCE_MAX);
    assert_eq!(bench.collect(), Ok((0, vec!["file_unreadable".to_owned()])));
    bench.clock.advance(Duration::from_millis(1));
    assert_eq!(bench.collect(), Err("silence".to_owned()));
    bench.write("nri.json", &topic_sample("a", 2));
    assert_eq!(bench.collect().map(|(samples, _)| samples), Ok(1));
}

#[test]
fn faults_are_missing_parts_with_their_place() {
    let mut bench = Bench::new(&["nri.json"], None);
    let half = topic_sample("b", 2);
    bench.write("nri.json", &format!("{}\n{}", topic_sample("a", 1), &half[..half.len() / 2]));
    let collected = bench.clock.run(bench.source.collect(Admitted::for_tests())).expect("collects");
    assert_eq!(collected.samples.len(), 1);
    let [fault] = &collected.missing[..] else { panic!("{:?}", collected.missing) };
    assert_eq!(fault.reason, "truncated");
    assert!(fault.detail.starts_with("file `nri.json`: line 2, column "), "{}", fault.detail);
}

#[test]
fn lines_of_a_feed_are_taken_once_and_its_end_is_named() {
    let feed = NriFeed::default();
    let mut bench = Bench::new(&[], Some(feed.clone()));
    assert_eq!(bench.collect(), Ok((0, vec![])));
    let text = format!("{}\n{}", topic_sample("a", 1), topic_sample("b", 2));
    feed.read_lines(text.as_bytes()).expect("reads");
    assert_eq!(bench.collect(), Ok((2, vec!["feed_ended".to_owned()])));
    assert_eq!(bench.collect(), Ok((0, vec!["feed_ended".to_owned()])));
}

#[test]
fn a_feed_is_bounded() {
    let feed = NriFeed::default();
    let line = vec![b' '; DOCUMENTS_BYTES_MAX / 2 + 1];
    feed.push(line.clone());
    feed.push(line);
    feed.push(topic_sample("a", 1).into_bytes());
    // One line that alone is too long, then a good one.
    let long = std::iter::repeat_n(b'x', DOCUMENTS_BYTES_MAX + 1).chain(*b"\n{}\n");
    feed.read_lines(&long.collect::<Vec<u8>>()[..]).expect("reads");
    let waiting = feed.take();
    assert_eq!((waiting.dropped, waiting.lines.len(), waiting.ended), (2, 3, true));
    assert!(waiting.bytes <= DOCUMENTS_BYTES_MAX);
}
