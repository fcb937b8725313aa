//! A reader of OpenMetrics text that knows nothing of how it was written, after the specification
//! "OpenMetrics 1.0": strict where a writer can go wrong.

use std::collections::{BTreeMap, BTreeSet};

/// One family as it stands in the text.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) help: String,
    pub(super) samples: Vec<Sample>,
}

/// One sample line.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    /// Name and labels as written.
    pub(super) series: String,
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) value: f64,
}

/// Suffixes that samples of a kind of family may have.
fn suffixes(kind: &str) -> Option<&'static [&'static str]> {
    Some(match kind {
        "counter" => &["_total", "_created"],
        "gauge" | "unknown" => &[""],
        "histogram" => &["_bucket", "_sum", "_count", "_created"],
        "info" => &["_info"],
        _ => return None,
    })
}

fn is_name(name: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
    name.starts_with(first) && name.chars().all(|c| first(c) || c.is_ascii_digit())
}

/// All families of `text`, or the first line that breaks a rule.
pub(super) fn parse(text: &str) -> Result<Vec<Family>, String> {
    let Some(body) = text.strip_suffix("# EOF\n") else { return Err("no end".to_owned()) };
    let mut families: Vec<Family> = Vec::new();
    let mut taken = BTreeSet::new();
    let mut helps = BTreeMap::new();
    for line in body.lines() {
        let fault = |what: &str| format!("{what}: {line}");
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').ok_or_else(|| fault("no help"))?;
            if helps.insert(name.to_owned(), help.to_owned()).is_some() {
                return Err(fault("help twice"));
            }
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').ok_or_else(|| fault("no type"))?;
            let ends = suffixes(kind).ok_or_else(|| fault("unknown type"))?;
            if !is_name(name) || (kind == "counter" && name.ends_with("_total")) {
                return Err(fault("bad name"));
            }
            for end in ends.iter().chain(&[""]).collect::<BTreeSet<_>>() {
                if !taken.insert(format!("{name}{end}")) {
                    return Err(fault("clash"));
                }
            }
            families.push(Family {
                name: name.to_owned(),
                kind: kind.to_owned(),
                help: helps.get(name).cloned().ok_or_else(|| fault("no help before the type"))?,
                samples: Vec::new(),
            });
        } else {
            let sample = sample(line).ok_or_else(|| fault("no sample"))?;
            let family = families.last_mut().ok_or_else(|| fault("no family"))?;
            let end = sample.name.strip_prefix(&family.name);
            let ends = suffixes(&family.kind).unwrap_or_default();
            if !end.is_some_and(|end| ends.contains(&end)) {
                return Err(fault("not of the family above"));
            }
            let same = |other: &Sample| other.name == sample.name && other.labels == sample.labels;
            if family.samples.iter().any(same) {
                return Err(fault("series twice"));
            }
            if family.kind == "counter" && !(sample.value.is_finite() && sample.value >= 0.0) {
                return Err(fault("not a count"));
            }
            family.samples.push(sample);
        }
    }
    families.iter().filter(|family| family.kind == "histogram").try_for_each(histogram)?;
    Ok(families)
}

/// `name{label="value",…} number`.
fn sample(line: &str) -> Option<Sample> {
    let name_end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(name_end);
    let mut labels = BTreeMap::new();
    if let Some(mut list) = rest.strip_prefix('{') {
        while !list.starts_with('}') {
            let (label, after) = list.split_once("=\"")?;
            let (value, after) = label_value(after)?;
            if !is_name(label) || labels.insert(label.to_owned(), value).is_some() {
                return None;
            }
            list = match after.strip_prefix(',') {
                Some(more) if !more.starts_with('}') => more,
                Some(_) => return None,
                None => after,
            };
        }
        rest = list.strip_prefix('}')?;
    }
    let series = line[..line.len() - rest.len()].to_owned();
    let number = rest.strip_prefix(' ')?;
    let value = match number {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        "NaN" => f64::NAN,
        number => number.parse().ok().filter(|_| !number.contains(['n', 'N', ' ']))?,
    };
    is_name(name).then(|| Sample { series, name: name.to_owned(), labels, value })
}

/// The value up to its closing quote, unescaped, and what follows.
fn label_value(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match characters.next()?.1 {
                'n' => '\n',
                escaped @ ('"' | '\\') => escaped,
                _ => return None,
            }),
            other => value.push(other),
        }
    }
    None
}

/// Per set of labels: bounds ascend to infinity, counts never fall, the last is the count.
fn histogram(family: &Family) -> Result<(), String> {
    let mut series: BTreeMap<BTreeMap<String, String>, Vec<&Sample>> = BTreeMap::new();
    for sample in &family.samples {
        let mut labels = sample.labels.clone();
        labels.remove("le");
        series.entry(labels).or_default().push(sample);
    }
    for (labels, samples) in series {
        let fault = |what: &str| format!("{what}: {} {labels:?}", family.name);
        let only = |end: &str| {
            let name = format!("{}{end}", family.name);
            samples.iter().find(|sample| sample.name == name).map(|sample| sample.value)
        };
        let (Some(count), Some(_)) = (only("_count"), only("_sum")) else {
            return Err(fault("no count or no sum"));
        };
        let buckets = samples.iter().filter(|sample| sample.name.ends_with("_bucket"));
        let mut last = (f64::NEG_INFINITY, 0.0);
        for bucket in buckets {
            let bound = bucket.labels.get("le").ok_or_else(|| fault("no bound"))?;
            let bound = match bound.as_str() {
                "+Inf" => f64::INFINITY,
                number => number.parse().map_err(|_| fault("bad bound"))?,
            };
            if bound <= last.0 || bucket.value < last.1 {
                return Err(fault("not cumulative"));
            }
            last = (bound, bucket.value);
        }
        if last != (f64::INFINITY, count) {
            return Err(fault("infinity is not the count"));
        }
    }
    Ok(())
}

#[test]
fn each_rule_can_fail() {
    let head = "# HELP a A.\n# TYPE a gauge\n";
    let counter = "# HELP c C.\n# TYPE c counter\n";
    let histogram = "# HELP h H.\n# TYPE h histogram\n";
    let buckets = |low: u64, inf: u64, count: u64| {
        format!(
            "{histogram}h_bucket{{le=\"1.0\"}} {low}\nh_bucket{{le=\"+Inf\"}} {inf}\n\
             h_sum 1.0\nh_count {count}\n"
        )
    };
    // Text without its end, and the rule that it breaks.
    let cases = [
        (format!("{head}a 1\n"), None),
        (format!("{head}a{{b=\"x\\\"y\\\\z\\n\"}} 1\n"), None),
        (format!("{counter}c_total 1\n"), None),
        (buckets(1, 2, 2), None),
        (format!("{head}{head}"), Some("help twice")),
        (format!("{head}# TYPE a gauge\n"), Some("clash")),
        (format!("{counter}# HELP c_total C.\n# TYPE c_total gauge\n"), Some("clash")),
        ("# TYPE a gauge\n".to_owned(), Some("no help before the type")),
        ("# HELP a A.\n# TYPE a number\n".to_owned(), Some("unknown type")),
        ("# HELP c_total A.\n# TYPE c_total counter\n".to_owned(), Some("bad name")),
        ("a 1\n".to_owned(), Some("no family")),
        (format!("{head}b 1\n"), Some("not of the family above")),
        (format!("{counter}c 1\n"), Some("not of the family above")),
        (format!("{counter}c_total -1\n"), Some("not a count")),
        (format!("{head}a 1\na 2\n"), Some("series twice")),
        (format!("{head}a{{b=\"x\"y\"}} 1\n"), Some("no sample")),
        (format!("{head}a{{b=\"x\\y\"}} 1\n"), Some("no sample")),
        (format!("{head}a{{b=\"x\",b=\"y\"}} 1\n"), Some("no sample")),
        (format!("{head}a one\n"), Some("no sample")),
        (buckets(2, 1, 1), Some("not cumulative")),
        (buckets(1, 2, 3), Some("infinity is not the count")),
        (format!("{histogram}h_bucket{{le=\"1.0\"}} 1\n"), Some("no count or no sum")),
    ];
    for (text, rule) in cases {
        match (parse(&format!("{text}# EOF\n")), rule) {
            (Ok(_), None) => {}
            (Err(fault), Some(rule)) => assert!(fault.starts_with(rule), "{rule}: {fault}"),
            (outcome, rule) => panic!("{rule:?}: {outcome:?}\n{text}"),
        }
        assert!(parse(&text).is_err(), "the end is missing");
    }
}
