//! The exposition parser, line by line and against arbitrary text.

use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Vec<Result<Entry<'_>, LineError>> {
    parse(text.as_bytes(), Limits::default()).expect("within limits and UTF-8").collect()
}

fn sample<'a>(name: &'a str, labels: &'a str, value: f64, line: usize) -> Entry<'a> {
    let labels = Labels { text: labels };
    Entry::Sample(Sample { name, labels, value, timestamp_ms: None, line })
}

#[test]
fn entries() {
    let cases: &[(&str, &[Entry<'_>])] = &[
        ("", &[]),
        ("\n\n  \n# just a comment\n#\n", &[]),
        ("up 1\n", &[sample("up", "", 1.0, 1)]),
        ("up 1\r\n", &[sample("up", "", 1.0, 1)]),
        ("\n\t up\t 1.5e3  \n", &[sample("up", "", 1500.0, 2)]),
        ("up{} 1\n", &[sample("up", "", 1.0, 1)]),
        ("a:b_1{x=\"1\"} -0.5\n", &[sample("a:b_1", "x=\"1\"", -0.5, 1)]),
        ("a{x=\"1\",} 2\n", &[sample("a", "x=\"1\",", 2.0, 1)]),
        ("a { x = \"1\" , y=\"}\" } 2\n", &[sample("a", " x = \"1\" , y=\"}\" ", 2.0, 1)]),
        (
            "a +Inf\nb -Inf\n",
            &[sample("a", "", f64::INFINITY, 1), sample("b", "", f64::NEG_INFINITY, 2)],
        ),
        (
            "a 12 1795253082917\n",
            &[Entry::Sample(Sample {
                name: "a",
                labels: Labels { text: "" },
                value: 12.0,
                timestamp_ms: Some(1_795_253_082_917),
                line: 1,
            })],
        ),
        (
            "# HELP a Some \\\\ text\n#\tTYPE a counter\n",
            &[
                Entry::Help { name: "a", text: "Some \\\\ text" },
                Entry::Type { name: "a", kind: Kind::Counter },
            ],
        ),
        ("# HELP a\n", &[Entry::Help { name: "a", text: "" }]),
    ];
    for (text, expected) in cases {
        let entries: Vec<_> = read(text).into_iter().map(|e| e.expect(text)).collect();
        assert_eq!(entries, *expected, "{text:?}");
    }
    let nan = read("a NaN\n");
    assert!(matches!(&nan[..], [Ok(Entry::Sample(s))] if s.value.is_nan()), "{nan:?}");
}

#[test]
fn label_values() {
    let text = "a{p=\"C:\\\\x\",q=\"say \\\"hi\\\"\\n\",ü=\"no\"} 1\n";
    assert_eq!(read(text)[0].map_err(|e| e.reason).map(|_| ()), Err(LineReason::Label));

    let text = "a{p=\"C:\\\\x\",q=\"say \\\"hi\\\"\\n\",r=\"größe, {}\",} 1\n";
    let Ok(Entry::Sample(sample)) = read(text)[0] else { panic!("{:?}", read(text)) };
    let labels: Vec<_> = sample.labels.iter().collect();
    let expected = [("p", "C:\\x"), ("q", "say \"hi\"\n"), ("r", "größe, {}")];
    assert_eq!(labels.len(), expected.len());
    for ((name, value), (expected_name, expected_value)) in labels.iter().zip(expected) {
        assert_eq!((*name, value.as_ref()), (expected_name, expected_value));
    }
    assert_eq!(sample.labels.get("r").as_deref(), Some("größe, {}"));
    assert_eq!(sample.labels.get("s"), None);
    assert!(matches!(sample.labels.get("r"), Some(Cow::Borrowed(_))), "no escape, no allocation");
}

#[test]
fn bad_lines_have_a_place_and_cost_only_themselves() {
    use LineReason::*;
    let cases: &[(&str, LineReason, usize)] = &[
        ("1up 1", Name, 1),
        ("é 1", Name, 1),
        ("<html>", Name, 1),
        ("up", Value, 3),
        ("up one", Value, 4),
        ("up 0x10", Value, 4),
        ("up 1_000", Value, 4),
        ("up 1 2 3", Trailing, 8),
        ("up 1 1.5", Timestamp, 6),
        ("up{x=\"1\" 1", LabelEnd, 10),
        ("up{x=\"1", LabelEnd, 8),
        ("up{x=1} 1", Label, 6),
        ("up{=\"1\"} 1", Label, 4),
        ("up{1x=\"1\"} 1", Label, 4),
        ("up{x=\"1\"y=\"2\"} 1", LabelEnd, 9),
        ("up{x=\"\\t\"} 1", Escape, 7),
        ("up{x=\"1\"}", Value, 10),
        ("# TYPE up gauges", Comment, 11),
        ("# TYPE", Comment, 7),
        ("# HELP 1", Comment, 8),
        ("# TYPE up gauge gauge", Trailing, 17),
    ];
    for (line, reason, column) in cases {
        let text = format!("before 1\n{line}\nafter 2\n");
        let error = LineError { line: 2, column: *column, reason: *reason };
        let expected =
            [Ok(sample("before", "", 1.0, 1)), Err(error), Ok(sample("after", "", 2.0, 3))];
        assert_eq!(read(&text), expected, "{line}");
    }
}

#[test]
fn a_text_that_ends_inside_a_line_was_cut_off() {
    let entries = read("a 1\nb 123");
    let cut = LineError { line: 2, column: 6, reason: LineReason::CutOff };
    assert_eq!(entries, [Ok(sample("a", "", 1.0, 1)), Err(cut)]);
}

#[test]
fn limits() {
    let limits = Limits { text_bytes_max: 12, line_bytes_max: 5 };
    let too_long = parse(b"0123456789012", limits).map(|_| ());
    assert_eq!(too_long, Err(TextError::TooLong { bytes: 13, limit: 12 }));
    let entries: Vec<_> = parse(b"abc 12\na 1\n", limits).expect("short enough").collect();
    let error = LineError { line: 1, column: 6, reason: LineReason::TooLong };
    assert_eq!(entries, [Err(error), Ok(sample("a", "", 1.0, 2))]);
    let not_text = parse(b"a 1\nb \xff\n", limits).map(|_| ());
    assert_eq!(not_text, Err(TextError::NotUtf8 { line: 2 }));
}

fn line() -> impl Strategy<Value = (String, String, Vec<(String, String)>, f64)> {
    let name = "[a-zA-Z_:][a-zA-Z0-9_:]{0,12}";
    let label = ("[a-zA-Z_][a-zA-Z0-9_]{0,6}", any::<String>());
    let labels = prop::collection::vec(label, 0..4);
    (name, labels, any::<f64>()).prop_map(|(name, labels, value)| {
        let mut text = name.clone();
        if !labels.is_empty() {
            let escape =
                |v: &str| v.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let pairs = labels.iter().map(|(n, v)| format!("{n}=\"{}\"", escape(v)));
            text += &format!("{{{}}}", pairs.collect::<Vec<_>>().join(","));
        }
        let value = if value.is_nan() { f64::NAN } else { value };
        (format!("{text} {value}\n"), name, labels, value)
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(lines in prop::collection::vec(line(), 0..8)) {
        let text: String = lines.iter().map(|(text, ..)| text.as_str()).collect();
        let entries = read(&text);
        prop_assert_eq!(entries.len(), lines.len());
        for (entry, (_, name, labels, value)) in entries.iter().zip(&lines) {
            let Ok(Entry::Sample(sample)) = entry else {
                return Err(TestCaseError::fail(format!("{entry:?}")));
            };
            prop_assert_eq!(sample.name, name);
            prop_assert!(sample.value == *value || (sample.value.is_nan() && value.is_nan()));
            let read: Vec<_> =
                sample.labels.iter().map(|(n, v)| (n.to_owned(), v.into_owned())).collect();
            prop_assert_eq!(&read, labels);
        }
    }

    #[test]
    fn any_text_is_read_to_its_end(text in "[a-z{}=\", 0-9\\\\#\nTYPEHL\u{e9}]{0,200}") {
        let entries = read(&text);
        prop_assert!(entries.len() <= text.matches('\n').count() + 1);
        let mut last = 0;
        for entry in entries {
            let line = match entry {
                Ok(Entry::Sample(sample)) => {
                    sample.labels.iter().for_each(drop);
                    sample.line
                }
                Err(error) => error.line,
                Ok(_) => continue,
            };
            prop_assert!(line > last);
            last = line;
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(parser) = parse(&bytes, Limits::default()) {
            parser.for_each(drop);
        }
    }

    #[test]
    fn a_broken_line_spoils_no_other(
        lines in prop::collection::vec(line(), 1..6),
        at in any::<prop::sample::Index>(),
        junk in "[a-z{}=\", 0-9\\\\#\u{e9}]{0,30}",
    ) {
        let at = at.index(lines.len());
        let mut text: Vec<_> = lines.iter().map(|(text, ..)| text.clone()).collect();
        let whole: Vec<_> = text.iter().map(|line| read(line).len()).collect();
        text[at] = format!("{junk}\n");
        let joined = text.concat();
        let elsewhere = |entry: &Result<Entry<'_>, LineError>| {
            matches!(entry, Ok(Entry::Sample(sample)) if sample.line != at + 1)
        };
        let good = read(&joined).into_iter().filter(elsewhere).count();
        prop_assert_eq!(good, whole.iter().sum::<usize>() - whole[at]);
    }
}
