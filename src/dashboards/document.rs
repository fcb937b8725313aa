//! docs/DASHBOARDS.md is made of the templates and the tables of codes.

use std::fmt::Write as _;
use std::path::Path;

use super::catalogue::{PARAMETERS, Parameters, templates};
use super::check::CODES;
use super::trial::CAUSES;

const HEAD: &str = "# Dashboards

Made of the templates and the tables of `src/dashboards/`; a test compares this file with them.
Write it anew with `SHAKEDOWN_BLESS=1 cargo test --lib dashboards::document`.

```sh
shakedown dashboards list
shakedown dashboards render standard --set account=1234567 > standard.json
shakedown dashboards render standard --simulate --html standard.html   # look at it, offline
shakedown dashboards apply standard --dry-run                          # what an account would get
shakedown dashboards apply standard --set cluster=orders --set name=Orders
shakedown dashboards validate mine.json                                # what reading it tells
shakedown dashboards validate mine.json --simulate                     # what shows nothing, and why
shakedown dashboards validate --all --simulate --scenario my.toml --seed 7
```

`render` prints the `DashboardInput` of NerdGraph's `dashboardCreate`. `validate` reads that, what
New Relic's \u{201c}Copy JSON\u{201d} gives, and requests and answers of NerdGraph that hold either.
Exit codes: 0 all is well, 1 a widget shows nothing, 2 usage, 3 a dashboard is not valid.
A widget whose source the run does not have is named as waiting, and is neither shown nor empty;
`--strict` fails for those too.

`apply` and `diff` take a file or a template; the queries of a template read the account. Links
between pages are `page:NAME` in files (`render --named-links`, `export`): New Relic knows pages by
GUIDs, which it gives when it makes them, so `apply` sets links to new pages by a second change.
`render --html` draws a page per dashboard that needs no network and no script: time range, filters,
thresholds, links between pages, on wide and narrow screens, in light and dark.

## What templates promise

- They name metrics by the catalogue of [METRICS.md](METRICS.md): nothing is asked for that nobody
  sends, and names are back-quoted where NRQL needs it.
- Values of several entities are added up one per entity (a nested query), never sample by sample:
  rates and levels come anew with every cycle.
- An axis has one unit; thresholds lie within the metric's range, the worse one on the worse side,
  and a metric has the same ones wherever it is shown.
- Widgets never overlap, pages have at most 30, and every page has straight edges.
- Every widget shows something in the built-in run, in which consumers stall, brokers crash,
  replicas fall behind, disks fill up, New Relic is away, and the fleet differs from its topology.

`{{cluster}}` filters every query about entities; `filters=cluster,environment,provider` adds
others. `environment` is no default: events have that attribute only where the pipeline is told one.
";

fn document() -> String {
    let mut text = HEAD.to_owned();
    text.push_str(
        "\n## Templates\n\n| Name | Pages (widgets) | What it answers |\n|---|---|---|\n",
    );
    let all = templates();
    for template in &all {
        let built = template.build(&Parameters::default()).expect(template.name);
        let page = |page: &super::Page| format!("{} ({})", page.name, page.widgets.len());
        let pages: Vec<String> = built.pages.iter().map(page).collect();
        let awaits = template.awaits.map(|awaited| format!(" Has {}.", awaited.sentence()));
        let awaits = awaits.unwrap_or_default();
        let (name, summary) = (template.name, template.summary);
        let _ = writeln!(text, "| `{name}` | {} | {summary}{awaits} |", pages.join(", "));
    }
    for template in all.iter().filter(|template| !template.notes.is_empty()) {
        let _ = write!(text, "\nOf `{}`:\n\n", template.name);
        for note in template.notes {
            let _ = writeln!(text, "- {note}");
        }
    }
    text.push_str("\n## Parameters\n\n| `--set` | Without it | Meaning |\n|---|---|---|\n");
    for one in PARAMETERS {
        let default = if one.default.is_empty() { "–" } else { one.default };
        let _ = writeln!(text, "| `{}` | {default} | {} |", one.name, one.meaning);
    }
    text.push_str(
        "\n## Checks\n\nAll problems at once, each with its line, its page and its widget. Queries \
         also have the codes of `shakedown nrql check` ([NRQL.md](NRQL.md)); its warnings count as \
         errors here.\n\n| Code | What is wrong |\n|---|---|\n",
    );
    for (code, meaning) in CODES {
        let _ = writeln!(text, "| `{code}` | {meaning} |");
    }
    text.push_str(
        "\n## Trials\n\n`--simulate` runs a scenario to its end and asks every query, with \
         variables as users see them first (`*` is everything). A widget that shows nothing fails \
         with its cause. 0 is something where the data are 0, and is noted.\n\n| Code | Cause \
         |\n|---|---|\n",
    );
    for (code, meaning) in CAUSES {
        let _ = writeln!(text, "| `{code}` | {meaning} |");
    }
    text
}

#[test]
fn the_document_says_what_the_code_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/DASHBOARDS.md");
    let text = document();
    if std::env::var_os("SHAKEDOWN_BLESS").is_some() {
        std::fs::write(&path, &text).expect("written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let how = "SHAKEDOWN_BLESS=1 cargo test --lib dashboards::document";
    assert!(committed == text, "write it anew: {how}");
}
