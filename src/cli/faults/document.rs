//! docs/FAULTS.md is made of the catalogue.

use std::fmt::Write as _;
use std::path::Path;

use super::*;

const HEAD: &str = "# Faults

Written from the program's own catalogue: `SHAKEDOWN_BLESS=1 cargo test --lib cli::faults` writes
it anew, and a test fails when it is old. `shakedown faults` prints the same.

A scenario names faults in tables of their own, each with its time and exactly one kind:

```toml
[[fault]]
at = \"2min\"                             # from the start of the run
lasts = \"90s\"                           # every fault but an instant one ends
crash = { host = \"orders-broker-2\" }
```

Hosts are `pipeline`, `newrelic` and `CLUSTER-broker-N`. Durations and sizes are texts with a unit
(`500ms`, `2min`, `16KiB`); a key whose default is *needed* has none. Each example has every key.
Faults of one target must not overlap. In features the words say the same: `<…>` stands for a
value, `[…]` may be absent.

| Fault | Group | Effect |
| --- | --- | --- |
";

fn title(group: Group) -> &'static str {
    match group {
        Group::Network => "Network",
        Group::Broker => "Brokers",
        Group::NewRelic => "New Relic",
        Group::Pipeline => "Pipeline",
    }
}

fn section(text: &mut String, entry: &Entry) {
    writeln!(text, "\n### {}\n\n{}\n", entry.name, entry.summary).expect("a string");
    let mut notes = Vec::new();
    if entry.instant {
        notes.push("Happens at one instant: it has no `lasts`.");
    }
    if entry.kernel_only {
        notes.push("Not with `--network turmoil`.");
    }
    if !notes.is_empty() {
        writeln!(text, "{}\n", notes.join(" ")).expect("a string");
    }
    let keys = entry.keys();
    if keys.is_empty() {
        writeln!(text, "It takes no keys: `{} = {{}}`.\n", entry.name).expect("a string");
    } else {
        text.push_str("| Key | Type | Unit | Range | Default | Meaning |\n");
        text.push_str("| --- | --- | --- | --- | --- | --- |\n");
        for Key { name, form, unit, range, default, meaning, .. } in keys {
            let unit = unit.unwrap_or_default();
            let default = default.unwrap_or_else(|| "*needed*".to_owned());
            let form = form.words();
            writeln!(text, "| `{name}` | {form} | {unit} | {range} | {default} | {meaning} |")
                .expect("a string");
        }
        text.push('\n');
    }
    writeln!(text, "```toml\n{}```\n", entry.example()).expect("a string");
    let ways: Vec<_> = entry.prose_pattern.split(" | ").map(|way| format!("`{way}`")).collect();
    writeln!(text, "In features: {}.\n", ways.join(" or ")).expect("a string");
    writeln!(text, "Checks that it may affect: {}.", entry.affects.join(", ")).expect("a string");
}

fn document() -> String {
    let mut text = HEAD.to_owned();
    for entry in CATALOGUE {
        let (name, group) = (entry.name, entry.group.name());
        writeln!(text, "| [`{name}`](#{name}) | {group} | {} |", entry.summary).expect("a string");
    }
    for group in Group::ALL {
        writeln!(text, "\n## {}", title(group)).expect("a string");
        for entry in CATALOGUE.iter().filter(|entry| entry.group == group) {
            section(&mut text, entry);
        }
    }
    text
}

#[test]
fn the_document_says_what_the_catalogue_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/FAULTS.md");
    let text = document();
    if std::env::var_os("SHAKEDOWN_BLESS").is_some() {
        std::fs::write(&path, text).expect("written");
        return;
    }
    let committed = std::fs::read_to_string(&path).expect("the document");
    assert!(committed == text, "write it anew: SHAKEDOWN_BLESS=1 cargo test --lib cli::faults");
}

#[test]
fn one_fault_is_explained_whole() {
    let entry = find("disk_errors").expect("listed");
    let text = explained(entry);
    for words in
        ["disk_errors (pipeline)", "lasts", "word; writes, reads, syncs; needed", "default 1"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    let text = explained(find("reset").expect("listed"));
    assert!(!text.contains("lasts"), "{text}");
}
