//! `shakedown sweep jobs`: what runs the shards of a sweep on Kubernetes or GitHub Actions and
//! merges their summaries.
//!
//! Invariants:
//! - A shard that ended with a verdict and wrote its summary has done its work, whatever it found;
//!   the merge alone decides. Any other end (a signal, a crash) is one of the shard's.
//! - ci/ holds what this prints without further arguments.

use std::fmt::Write as _;

use clap::{Args, ValueEnum};

use super::super::{Exit, complain, input, print};
use super::RangeArgs;
use crate::sim::report::shell_word;

/// Seeds of the jobs when nothing else is said.
const SEEDS_DEFAULT: u64 = 10_000;

/// Arguments of `shakedown sweep jobs`.
#[derive(Debug, Args)]
pub struct JobsArgs {
    /// What runs the shards.
    #[arg(long, value_enum)]
    kind: Kind,
    /// How many shards.
    #[arg(long, default_value_t = 4, value_parser = input::count_to::<256>)]
    shards: u64,
    /// Kubernetes: the image, with `shakedown` on its path and a shell.
    #[arg(long, default_value = "shakedown:latest")]
    image: String,
    #[command(flatten)]
    range: RangeArgs,
}

/// What runs shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// An Indexed Job, a Job that merges, and the volume between them.
    Kubernetes,
    /// A workflow with a matrix.
    Github,
}

impl JobsArgs {
    /// Carries the verb out.
    pub fn run(self) -> Exit {
        match self.text() {
            Ok(text) => print(&text),
            Err(problem) => {
                complain(&problem);
                Exit::Usage
            }
        }
    }

    fn text(&self) -> Result<String, String> {
        if self.range.seeds.is_some_and(|seeds| seeds < self.shards) {
            return Err(format!("{} shards need at least as many seeds", self.shards));
        }
        let (head, arguments) = (self.head()?, self.arguments()?);
        let template = match self.kind {
            Kind::Kubernetes => include_str!("jobs/kubernetes.yaml"),
            Kind::Github => include_str!("jobs/github.yaml"),
        };
        let shards: Vec<String> = (1..=self.shards).map(|shard| shard.to_string()).collect();
        Ok(template
            .replace("@HEAD@", &head)
            .replace("@ARGUMENTS@", &arguments)
            .replace("@IMAGE@", &yaml_text(&self.image)?)
            .replace("@COUNT@", &self.shards.to_string())
            .replace("@SHARDS@", &shards.join(", ")))
    }

    /// How the file came about.
    fn head(&self) -> Result<String, String> {
        let kind = match self.kind {
            Kind::Kubernetes => "kubernetes",
            Kind::Github => "github",
        };
        let mut head =
            format!("# Made by: shakedown sweep jobs --kind {kind} --shards {}", self.shards);
        if self.kind == Kind::Kubernetes {
            let _ = write!(head, " --image {}", shell_word(&self.image));
        }
        Ok(format!("{head} {}", self.arguments()?))
    }

    /// What every shard is told but its number, as words of a shell.
    fn arguments(&self) -> Result<String, String> {
        let RangeArgs { scenarios, seeds, time, first, network } = &self.range;
        let mut words: Vec<String> = Vec::new();
        for scenario in scenarios {
            words.push(shell_word(harmless(&scenario.display().to_string())?));
        }
        let seeds = seeds.or(time.is_none().then_some(SEEDS_DEFAULT));
        words.extend(seeds.map(|seeds| format!("--seeds {seeds}")));
        words.extend(time.map(|time| format!("--for {time}")));
        words.push(format!("--first {first} --network {}", network.name()));
        Ok(words.join(" "))
    }
}

/// `text`, unless it would end a line or begin an expression of a workflow.
fn harmless(text: &str) -> Result<&str, String> {
    if text.chars().any(char::is_control) || text.contains("${{") {
        return Err(format!("`{}` cannot stand in a job: rename it", text.escape_debug()));
    }
    Ok(text)
}

/// `text` as a value of YAML.
fn yaml_text(text: &str) -> Result<String, String> {
    Ok(format!("'{}'", harmless(text)?.replace('\'', "''")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        jobs: JobsArgs,
    }

    fn jobs(arguments: &str) -> Result<String, String> {
        let words = arguments.split_whitespace().map(|word| word.replace('_', " "));
        let line = Line::try_parse_from(std::iter::once("jobs".to_owned()).chain(words));
        line.map_err(|error| error.to_string())?.jobs.text()
    }

    #[test]
    fn committed_jobs_are_what_is_printed() {
        for (kind, path) in
            [("kubernetes", "ci/sweep.kubernetes.yaml"), ("github", "ci/sweep.github.yaml")]
        {
            let text = jobs(&format!("--kind {kind}")).expect("printed");
            let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
            if std::env::var_os("SHAKEDOWN_BLESS").is_some() {
                std::fs::write(&path, &text).expect("written");
            }
            let committed = std::fs::read_to_string(&path).expect("committed");
            assert!(committed == text, "{path} is old: run the tests with SHAKEDOWN_BLESS=1");
        }
    }

    #[test]
    fn every_argument_reaches_every_shard() {
        for kind in ["kubernetes", "github"] {
            let text = jobs(&format!(
                "--kind {kind} --shards 3 a_b.toml --seeds 50 --first 7 --for 10m --network turmoil"
            ));
            let text = text.expect("printed");
            let line = "'a b.toml' --seeds 50 --for 10min --first 7 --network turmoil";
            assert_eq!(text.matches(line).count(), 2, "{text}");
            assert!(!text.contains('@') || kind == "github", "{text}");
        }
        let text = jobs("--kind kubernetes --image it's").expect("printed");
        assert!(text.contains("image: 'it''s'"), "{text}");
    }

    /// The script of a shard, with a program in place of shakedown that ends with a given code.
    #[test]
    fn only_a_verdict_with_its_summary_is_success() {
        for (kind, program) in [("kubernetes", "shakedown"), ("github", "bin/shakedown")] {
            let program = &format!("{program} sweep");
            let text = jobs(&format!("--kind {kind} --shards 1")).expect("printed");
            let (from, end) = (text.find("code=0").expect("begins"), "esac\n");
            let length = text[from..].find(end).expect("ends") + end.len();
            let script = text[from..from + length].replace(program, "sh ./ends");
            for (code, has_summary, expected) in [
                (0, true, 0),
                (0, false, 1),
                (1, true, 0),
                (1, false, 1),
                (10, true, 0),
                (11, true, 0),
                (13, true, 0),
                (2, true, 2),
                (12, true, 12),
                (130, true, 130),
                (137, true, 137),
            ] {
                let folder = tempfile::tempdir().expect("a folder");
                let reports = folder.path().join("reports");
                std::fs::create_dir(&reports).expect("made");
                std::fs::write(folder.path().join("ends"), "exit $CODE").expect("written");
                if has_summary {
                    std::fs::write(reports.join("summary-1-of-1.json"), "{}").expect("written");
                }
                let mut shell = std::process::Command::new("sh");
                shell.args(["-e", "-c", &script]).current_dir(&folder).env("REPORTS", &reports);
                shell.env("CODE", code.to_string()).env("SHARD", "1").env("shard", "1");
                let ended = shell.status().expect("a shell");
                assert_eq!(ended.code(), Some(expected), "{kind} {code} {has_summary}: {script}");
            }
        }
    }

    #[test]
    fn what_cannot_stand_in_a_job_is_refused() {
        for (arguments, said) in [
            ("--kind github --seeds 3", "4 shards need at least as many seeds"),
            ("--kind github ${{x}}.toml", "cannot stand in a job"),
            ("--kind kubernetes --image a\u{7}", "cannot stand in a job"),
            ("--kind github --shards 0", "write 1 or more"),
            ("--kind cron", "possible values: kubernetes, github"),
        ] {
            let error = jobs(arguments).expect_err(arguments);
            assert!(error.contains(said), "{arguments}: {error}");
        }
    }
}
