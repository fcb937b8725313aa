//! `shakedown spool`: what waits on a pipeline's disk, what it gave up, and what to do about it.
//!
//! Invariants:
//! - While a pipeline works on the spool every verb is refused (exit 4); nothing reads beside it.
//! - A folder without a spool stays as it is: nothing is made in it.
//! - A newer program's spool is refused (exit 3) and not touched.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Exit, ReportFormat, complain, print, print_json};
use crate::adapters::{FileDisk, SystemClock};
use crate::domain::units::UnixMillis;
use crate::domain::words::{counted, counted_as};
use crate::ports::{Clock, Disk};
use crate::rt::with_causes;
use crate::stream::spool::{
    DATA_FILES, DeadLetterMeta, DeadSelection, OpenReport, Opened, Spool, SpoolConfig, SpoolError,
};

/// Arguments of `shakedown spool`.
#[derive(Debug, Args)]
pub struct SpoolArgs {
    #[command(subcommand)]
    verb: SpoolVerb,
}

#[derive(Debug, Subcommand)]
enum SpoolVerb {
    /// Counts what waits and what was given up, and repairs what is damaged.
    Status(Place),
    /// Lists the chunks that wait, oldest first.
    List(Place),
    /// Lists what New Relic will never take, oldest first.
    DeadLetters(Place),
    /// Puts dead letters back at the end of the queue; the pipeline sends them at its next start.
    Replay(Choice),
    /// Deletes dead letters.
    Purge(Choice),
}

/// Which spool, and how to report.
#[derive(Debug, Args)]
struct Place {
    /// The spool's folder.
    #[arg(long, value_name = "DIR", default_value = "spool")]
    folder: PathBuf,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
}

/// Which dead letters.
#[derive(Debug, Args)]
struct Choice {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// Every one.
    #[arg(long)]
    all: bool,
    /// Those given up for this reason, as `dead-letters` shows it.
    #[arg(long, value_name = "REASON")]
    reason: Option<String>,
    /// Those with these numbers, as `dead-letters` shows them.
    #[arg(long, value_name = "N", num_args = 1..)]
    number: Vec<u64>,
}

impl Which {
    fn selection(&self) -> DeadSelection {
        match &self.reason {
            Some(reason) => DeadSelection::Reason(reason.clone()),
            None if self.all => DeadSelection::All,
            None => DeadSelection::Numbers(self.number.clone()),
        }
    }
}

/// A report in both forms.
struct Report {
    text: String,
    json: Value,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("there is no spool in {}: no {} there", .0.display(), DATA_FILES[0])]
    Absent(PathBuf),
    #[error("cannot start: {0}")]
    Start(std::io::Error),
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

impl Refusal {
    fn exit(&self) -> Exit {
        match self {
            Self::Absent(_) | Self::Spool(SpoolError::NewerVersion { .. }) => Exit::InvalidFile,
            Self::Start(_) => Exit::Failed,
            Self::Spool(_) => Exit::Unreachable,
        }
    }
}

impl SpoolArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        let place = self.place();
        let format = place.format;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let report = runtime
            .map_err(Refusal::Start)
            .and_then(|runtime| runtime.block_on(self.report(SystemClock::new().wall())));
        match (report, format) {
            (Ok(report), ReportFormat::Text) => print(&report.text),
            (Ok(report), ReportFormat::Json) => print_json(&report.json),
            (Err(refusal), _) => {
                complain(&with_causes(&refusal));
                refusal.exit()
            }
        }
    }

    fn place(&self) -> &Place {
        match &self.verb {
            SpoolVerb::Status(place) | SpoolVerb::List(place) | SpoolVerb::DeadLetters(place) => {
                place
            }
            SpoolVerb::Replay(choice) | SpoolVerb::Purge(choice) => &choice.place,
        }
    }

    async fn report(&self, now: UnixMillis) -> Result<Report, Refusal> {
        let opened = open(&self.place().folder, now).await?;
        let spool = opened.spool.clone();
        let report = match &self.verb {
            SpoolVerb::Status(_) => status(&opened, now).await?,
            SpoolVerb::List(_) => list(&opened, now),
            SpoolVerb::DeadLetters(_) => dead_letters(&spool.dead_letters().await?),
            SpoolVerb::Replay(choice) => {
                let back = spool.replay_dead_letters(choice.which.selection(), now).await?;
                let events: u64 = back.iter().map(|chunk| u64::from(chunk.events)).sum();
                Report {
                    text: format!(
                        "{} again ({})\n",
                        counted_as(back.len(), "dead letter waits", "dead letters wait"),
                        counted(events, "event")
                    ),
                    json: json!({"replayed": back.len(), "events": events}),
                }
            }
            SpoolVerb::Purge(choice) => {
                let count = spool.purge_dead_letters(choice.which.selection()).await?;
                Report {
                    text: format!("{count} dead letters deleted\n"),
                    json: json!({"purged": count}),
                }
            }
        };
        spool.close().await?;
        Ok(report)
    }
}

async fn open(folder: &Path, now: UnixMillis) -> Result<Opened<FileDisk>, Refusal> {
    let absent = |_| Refusal::Absent(folder.to_owned());
    // The folder itself is a folder of its parent's disk, whatever links lead there.
    let whole = folder.canonicalize().map_err(absent)?;
    let (Some(root), Some(name)) = (whole.parent(), whole.file_name().and_then(|n| n.to_str()))
    else {
        return Err(Refusal::Absent(folder.to_owned()));
    };
    let disk = FileDisk::new(root).map_err(absent)?;
    let names = disk.list(name).map_err(absent)?;
    if !names.iter().any(|name| DATA_FILES.contains(&name.as_str())) {
        return Err(Refusal::Absent(folder.to_owned()));
    }
    let config = SpoolConfig {
        folder: name.to_owned(),
        // Looking at them must not drop any: the pipeline's own limits hold when it adds some.
        dead_letters_max: usize::MAX,
        dead_letter_bytes_max: u64::MAX,
        bytes_max: u64::MAX,
        sync: true,
        owner: format!("`shakedown spool` (process {})", std::process::id()),
    };
    Ok(Spool::open(disk, config, now).await?)
}

/// Seconds since `then`; 0 when the clock went back.
fn age_s(then: UnixMillis, now: UnixMillis) -> i64 {
    (now.0.saturating_sub(then.0) / 1_000).max(0)
}

fn time(at: UnixMillis) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.to_string(), |at| at.to_string())
}

async fn status(opened: &Opened<FileDisk>, now: UnixMillis) -> Result<Report, Refusal> {
    let letters = opened.spool.dead_letters().await?;
    let events: u64 = opened.chunks.iter().map(|chunk| u64::from(chunk.events)).sum();
    let bytes: u64 = opened.chunks.iter().map(|chunk| chunk.bytes).sum();
    let oldest = opened.chunks.iter().map(|chunk| age_s(chunk.enqueued_at, now)).max();
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    for letter in &letters {
        *reasons.entry(&letter.reason).or_default() += 1;
    }
    let file_bytes = opened.spool.stats().file_bytes;
    let OpenReport { salvaged_chunks, lost_chunks, lost_bytes, corrupt_file, .. } = &opened.report;
    let mut text = format!(
        "waiting       {}, {}, {bytes} bytes\n",
        counted(opened.chunks.len(), "chunk"),
        counted(events, "event")
    );
    if let Some(oldest) = oldest {
        let _ = writeln!(text, "oldest        {oldest} s");
    }
    let _ = writeln!(text, "dead letters  {}", letters.len());
    for (reason, count) in &reasons {
        let _ = writeln!(text, "  {reason}: {count}");
    }
    let _ = writeln!(text, "data file     {file_bytes} bytes");
    if let Some(file) = corrupt_file {
        let _ = writeln!(
            text,
            "repaired      the damaged file is kept as {file}; {} saved, \
             {lost_chunks} lost",
            counted(*salvaged_chunks, "chunk")
        );
    }
    let json = json!({
        "chunks": opened.chunks.len(),
        "events": events,
        "bytes": bytes,
        "oldest_s": oldest,
        "dead_letters": letters.len(),
        "dead_letters_by_reason": reasons,
        "file_bytes": file_bytes,
        "repaired": corrupt_file.as_ref().map(|file| json!({
            "corrupt_file": file,
            "salvaged_chunks": salvaged_chunks,
            "lost_chunks": lost_chunks,
            "lost_bytes": lost_bytes,
        })),
    });
    Ok(Report { text, json })
}

fn list(opened: &Opened<FileDisk>, now: UnixMillis) -> Report {
    let mut text = String::new();
    let mut rows = Vec::new();
    for chunk in &opened.chunks {
        let (id, at, age) = (chunk.id.0, time(chunk.enqueued_at), age_s(chunk.enqueued_at, now));
        let _ = writeln!(
            text,
            "{id:>10}  {at}  {age} s  {}  {} bytes",
            counted(chunk.events, "event"),
            chunk.bytes
        );
        rows.push(json!({
            "id": id,
            "enqueued_at": at,
            "age_s": age,
            "events": chunk.events,
            "bytes": chunk.bytes,
        }));
    }
    if rows.is_empty() {
        text.push_str("nothing waits\n");
    }
    Report { text, json: Value::Array(rows) }
}

fn dead_letters(letters: &[DeadLetterMeta]) -> Report {
    let mut text = String::new();
    let mut rows = Vec::new();
    for letter in letters {
        let (at, chunk) = (time(letter.at), &letter.chunk);
        let _ = writeln!(
            text,
            "{:>6}  {at}  {}  {}  {}  {} bytes",
            letter.number,
            letter.reason,
            counted(letter.attempts, "POST"),
            counted(chunk.events, "event"),
            chunk.bytes
        );
        rows.push(json!({
            "number": letter.number,
            "at": at,
            "reason": letter.reason,
            "attempts": letter.attempts,
            "enqueued_at": time(chunk.enqueued_at),
            "events": chunk.events,
            "bytes": chunk.bytes,
        }));
    }
    if rows.is_empty() {
        text.push_str("no dead letters\n");
    }
    Report { text, json: Value::Array(rows) }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use clap::Parser;

    use super::*;
    use crate::stream::EncodedEvent;
    use crate::stream::spool::{Chunk, ChunkId, DeadLetter, Settlement};

    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: SpoolArgs,
    }

    fn parse(folder: &Path, line: &str) -> Result<SpoolArgs, clap::Error> {
        let folder = folder.to_str().expect("a temporary folder");
        let words = ["spool"].into_iter().chain(line.split(' ')).chain(["--folder", folder]);
        Line::try_parse_from(words).map(|line| line.args)
    }

    fn chunk(id: u64, text: &str) -> Chunk {
        let event = EncodedEvent { json: text.as_bytes().to_vec(), kind: "A".into() };
        let events = VecDeque::from([event]);
        Chunk { id: ChunkId(id), enqueued_at: NOW, attempts: 0, events }
    }

    fn letter(id: u64, reason: &str) -> DeadLetter {
        let chunk = chunk(id, "{\"dead\":1}");
        DeadLetter { chunk, reason: reason.to_owned(), attempts: 2, at: NOW }
    }

    /// A folder with one chunk that waits and three dead letters.
    async fn used() -> (tempfile::TempDir, Spool<FileDisk>) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let disk = FileDisk::new(folder.path()).expect("the folder");
        let config = SpoolConfig { owner: "the pipeline".to_owned(), ..SpoolConfig::default() };
        let spool = Spool::open(disk, config, NOW).await.expect("a new spool").spool;
        let chunks = (0..4).map(|id| chunk(id, "{\"a\":1}")).collect();
        spool.append(chunks).await.expect("room");
        let dead = vec![letter(1, "invalid"), letter(2, "forbidden"), letter(3, "invalid")];
        spool.settle(Settlement { dead, ..Settlement::default() }).await.expect("room");
        (folder, spool)
    }

    #[tokio::test]
    async fn verbs_report_and_change_a_spool() {
        let (folder, spool) = used().await;
        drop(spool);
        let folder = folder.path().join("spool");
        let later = UnixMillis(NOW.0 + 61_000);
        let report = async |line: &str| {
            let args = parse(&folder, line).expect("a valid line");
            args.report(later).await.expect("a spool that nobody uses")
        };
        let status = report("status").await;
        assert_eq!(status.json["chunks"], 1);
        assert_eq!(status.json["oldest_s"], 61);
        assert_eq!(status.json["dead_letters_by_reason"], json!({"forbidden": 1, "invalid": 2}));
        assert_eq!(status.json["repaired"], Value::Null);
        let shown = "waiting       1 chunk, 1 event, 7 bytes\noldest        61 s\n\
                     dead letters  3\n  forbidden: 1\n  invalid: 2\ndata file ";
        assert!(status.text.starts_with(shown), "{}", status.text);
        let listed = "         0  2023-11-14T22:13:20Z  61 s  1 event  7 bytes\n";
        assert_eq!(report("list").await.text, listed);
        let dead = "     0  2023-11-14T22:13:20Z  invalid  2 POSTs  1 event  10 bytes\n";
        assert!(report("dead-letters").await.text.starts_with(dead));
        assert_eq!(report("replay --reason nothing").await.json["replayed"], 0);
        let replayed = "2 dead letters wait again (2 events)\n";
        assert_eq!(report("replay --reason invalid").await.text, replayed);
        assert_eq!(report("list").await.json[2]["id"], 5);
        assert_eq!(report("purge --number 0 1").await.json["purged"], 1);
        assert_eq!(report("dead-letters").await.text, "no dead letters\n");
    }

    #[tokio::test]
    async fn a_spool_in_use_absent_or_newer_is_refused() {
        let (root, spool) = used().await;
        let folder = root.path().join("spool");
        let refusal = async |folder: &Path| {
            let args = parse(folder, "status").expect("a valid line");
            args.report(NOW).await.map(|_| ()).expect_err("a refusal")
        };
        let in_use = refusal(&folder).await;
        assert!(in_use.to_string().contains("in use by the pipeline; stop"), "{in_use}");
        assert_eq!(in_use.exit(), Exit::Unreachable);
        drop(spool);
        for absent in [root.path().join("nowhere"), root.path().to_owned()] {
            let refusal = refusal(&absent).await;
            assert!(refusal.to_string().starts_with("there is no spool in /"), "{refusal}");
            assert_eq!(refusal.exit(), Exit::InvalidFile);
        }
        let names = std::fs::read_dir(root.path()).expect("the folder").count();
        assert_eq!(names, 1, "nothing was made");
        std::fs::write(folder.join("format"), "shakedown spool, format 9\n").expect("writable");
        assert_eq!(refusal(&folder).await.exit(), Exit::InvalidFile);
    }

    #[test]
    fn which_dead_letters_must_be_said_once() {
        for line in ["replay", "purge", "replay --all --reason x", "purge --all --number 1"] {
            assert!(parse(Path::new("x"), line).is_err(), "{line}");
        }
        let args = parse(Path::new("x"), "purge --all").expect("a valid line");
        let SpoolVerb::Purge(choice) = args.verb else { panic!("another verb") };
        assert_eq!(choice.which.selection(), DeadSelection::All);
    }
}
