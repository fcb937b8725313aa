use super::*;
use crate::sim::check::{Class, Fingerprint};
use crate::sim::run::Network;
use crate::sim::sweep::{FailureKind, Situation, Tally};

const WHOLE: Shard = Shard::WHOLE;
const PART: Shard = Shard { index: 2, count: 5 };

/// The summary of so many runs, of which one failed or none.
fn summary(shard: Shard, ended: End, runs: u64, failed: Option<Class>) -> Summary {
    let seeds = SeedRange { first: 1, count: Some(50) };
    let (scenarios, network) = (Vec::new(), Network::Kernel);
    let plan = Plan { scenarios, seeds, shard, network, until_fail: false };
    let failure = |class| FailureKind {
        fingerprint: Fingerprint::of("loss", "it"),
        check: "loss".to_owned(),
        class,
        words: "it".to_owned(),
        count: 1,
        runs: Vec::new(),
        digest: String::new(),
        passport: None,
        trace: None,
    };
    let failures = failed.map(failure).into_iter().collect();
    Summary { runs, failures, ..Summary::of(&plan, &Tally::default(), ended) }
}

#[test]
fn the_exit_code_says_what_is_proven() {
    let liveness = Some(Class::Liveness);
    for (shard, ended, runs, failed, code) in [
        (WHOLE, End::Complete, 9, None, 0),
        (WHOLE, End::Time, 9, None, 0),
        (WHOLE, End::Time, 0, None, 1),
        (WHOLE, End::Complete, 9, liveness, 11),
        (WHOLE, End::Interrupted, 9, None, 130),
        (WHOLE, End::Interrupted, 0, None, 130),
        (WHOLE, End::Interrupted, 9, liveness, 11),
        (PART, End::Complete, 9, None, 0),
        (PART, End::Time, 0, None, 1),
        (PART, End::Failure, 9, liveness, 11),
        (PART, End::Interrupted, 9, None, 130),
        (PART, End::Interrupted, 9, liveness, 130),
    ] {
        let found = exit(&summary(shard, ended, runs, failed)).code();
        assert_eq!(found, code, "{shard} {ended:?} {runs} {failed:?}");
    }
    let unmet = vec![Situation { name: "split".to_owned(), scenario: 0 }];
    for (shard, code) in [(WHOLE, 1), (PART, 0)] {
        let summary = summary(shard, End::Complete, 9, None);
        assert_eq!(exit(&Summary { unreached: unmet.clone(), ..summary }).code(), code, "{shard}");
    }
}

#[test]
fn only_what_is_whole_takes_the_name_of_a_shard() {
    for (shard, ended, expected) in [
        (WHOLE, End::Complete, ["junit.xml", "summary.json"]),
        (WHOLE, End::Interrupted, ["junit.xml", "summary.json"]),
        (PART, End::Time, ["junit-2-of-5.xml", "summary-2-of-5.json"]),
        (PART, End::Interrupted, ["interrupted-2-of-5.json", "interrupted-2-of-5.xml"]),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let out = Some(folder.path().to_owned());
        let args = OutputArgs { out, format: SummaryFormat::Text };
        let summary = summary(shard, ended, 9, None);
        let file = args.write(&summary).expect("written");
        let files = std::fs::read_dir(folder.path()).expect("a folder");
        let mut files: Vec<_> = files.map(|file| file.expect("one").file_name()).collect();
        files.sort();
        assert_eq!(files, expected);
        let text = std::fs::read_to_string(&file).expect("there");
        assert_eq!(text, summary.json());
    }
}
