//! The journal alone, on simulated disks: what it keeps through crashes, what it refuses.

use bytes::Bytes;

use super::*;
use crate::ports::DiskFile as _;
use crate::ports::testing::{EPOCH, TestClock};
use crate::sim::disk::{DiskStore, SimDisk};
use crate::sim::seed::Seed;
use crate::sim::world::CrashMode;

fn config() -> JournalConfig {
    JournalConfig {
        folder: "data".to_owned(),
        seed: 7,
        retention: Duration::from_secs(3_600),
        bytes_max: 1 << 20,
    }
}

fn entry(number: i64, bytes: usize, for_ever: bool) -> Entry {
    let taken = Taken {
        method: "POST".to_owned(),
        target: format!("/{number}"),
        headers: Vec::new(),
        key: None,
        body: Bytes::from(vec![b'x'; bytes]),
        for_ever,
    };
    Entry { at: EPOCH.plus_millis(number * 1_000), input: Input::Request(taken) }
}

fn run<F: Future>(future: F) -> F::Output {
    TestClock::default().run(future)
}

async fn open(store: &DiskStore) -> Result<Journal<SimDisk>, JournalError> {
    Journal::open(store.mount(), config()).await
}

async fn all(journal: &Journal<SimDisk>) -> Vec<Entry> {
    let (mut found, mut from) = (Vec::new(), 0);
    loop {
        let (entries, next) = journal.read(from).await.expect("readable");
        if entries.is_empty() {
            return found;
        }
        found.extend(entries);
        from = next;
    }
}

#[test]
fn what_was_appended_comes_back_in_order() {
    let store = DiskStore::new(Seed(1));
    run(async {
        let mut journal = open(&store).await.expect("a new journal");
        assert!(journal.is_empty() && journal.last_at().is_none());
        let entries: Vec<Entry> = (0..40).map(|n| entry(n, n as usize * 100, n == 3)).collect();
        journal.append(&entries[..10]).await.expect("kept");
        journal.append(&entries[10..]).await.expect("kept");
        let locked = open(&store).await.expect_err("in use");
        assert!(matches!(locked, JournalError::Locked(_)), "{locked}");
        drop(journal);
        let journal = open(&store).await.expect("opens again");
        assert_eq!((journal.len(), journal.pruned()), (40, 0));
        assert_eq!(journal.last_at(), Some(EPOCH.plus_millis(39_000)));
        assert_eq!(all(&journal).await, entries);
    });
}

#[test]
fn old_data_go_and_what_users_changed_stays() {
    let store = DiskStore::new(Seed(1));
    run(async {
        let mut journal = open(&store).await.expect("a new journal");
        journal.append(&[entry(0, 10, true), entry(1, 10, false)]).await.expect("kept");
        journal.append(&[entry(3_600, 10, false)]).await.expect("kept");
        assert_eq!(journal.len(), 3, "not older than an hour");
        journal.append(&[entry(3_602, 10, false)]).await.expect("kept");
        let numbers = |entries: Vec<Entry>| -> Vec<i64> {
            entries.iter().map(|e| e.at.millis_since(EPOCH) / 1_000).collect()
        };
        assert_eq!(numbers(all(&journal).await), [0, 3_600, 3_602]);
        // Half a megabyte each: two fit.
        for number in 3_603..3_606 {
            journal.append(&[entry(number, 500_000, false)]).await.expect("kept");
        }
        assert_eq!(numbers(all(&journal).await), [0, 3_604, 3_605]);
        assert!(journal.bytes() < 1 << 20 && journal.pruned() == 4);
        let full = journal.append(&[entry(3_606, 1 << 20, true)]).await.expect_err("too much");
        assert!(full.to_string().contains("raise --data-max"), "{full}");
    });
}

#[test]
fn a_crash_keeps_what_was_confirmed_and_no_part_of_the_rest() {
    let entries: Vec<Entry> = (0..12).map(|n| entry(n, 3_000, false)).collect();
    let (mut died, mut lost_some) = (0, 0);
    for operations in 1.. {
        let store = DiskStore::new(Seed(operations));
        store.die_after(operations);
        let mut confirmed = 0;
        let survived = run(async {
            let Ok(mut journal) = open(&store).await else { return false };
            for pair in entries.chunks(2) {
                if journal.append(pair).await.is_err() {
                    return false;
                }
                confirmed += 2;
            }
            true
        });
        store.crash(CrashMode::Power);
        run(async {
            let journal = open(&store).await.unwrap_or_else(|e| panic!("{operations}: {e}"));
            let found = all(&journal).await;
            assert_eq!(found, entries[..found.len()], "{operations}");
            assert!(found.len() >= confirmed && found.len().is_multiple_of(2), "{operations}");
            assert!(found.len() <= confirmed + 2, "{operations}");
            lost_some += usize::from(found.len() < entries.len());
        });
        if survived {
            break;
        }
        died += 1;
    }
    assert!(died > 20 && lost_some > 20, "{died} crashes, {lost_some} with losses");
}

#[test]
fn damage_another_seed_and_a_newer_format_are_refused_with_what_to_do() {
    let made = || {
        let store = DiskStore::new(Seed(1));
        run(async {
            let mut journal = open(&store).await.expect("a new journal");
            let entries: Vec<Entry> = (0..50).map(|n| entry(n, 2_000, false)).collect();
            journal.append(&entries).await.expect("kept");
        });
        store
    };
    let refused = |store: &DiskStore, config: JournalConfig, words: &[&str]| {
        let error = run(Journal::open(store.mount(), config)).expect_err("refused").to_string();
        for word in words {
            assert!(error.contains(word), "{error}");
        }
    };
    let other = JournalConfig { seed: 8, ..config() };
    refused(&made(), other, &["seed 7", "--seed 7"]);
    let store = made();
    let file = store.mount().open(FILE).expect("there");
    for page in 4..40 {
        let offset = page * 4_096 + 100;
        if offset + 8 <= file.len().expect("a length") {
            file.write_at(offset, b"damaged!").expect("written");
        }
    }
    refused(&store, config(), &["damaged", "data/journal.redb aside"]);
    let store = made();
    store.mount().open(FILE).expect("there").set_len(5_000).expect("cut");
    refused(&store, config(), &["damaged"]);
    let store = made();
    run(async {
        let journal = open(&store).await.expect("opens");
        let written = journal.config.redb("written", || {
            let transaction = journal.database.begin_write()?;
            transaction.open_table(META)?.insert("format", FORMAT + 1)?;
            Ok(transaction.commit()?)
        });
        written.expect("written");
    });
    refused(&store, config(), &["format 2", "newer program"]);
}
