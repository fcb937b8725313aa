use super::*;

fn spec(text: &str) -> FaultSpec {
    toml::from_str(text).expect("well-formed")
}

#[test]
fn every_kind_begins_and_ends() {
    let cases = [
        ("crash = { host = \"a\" }", "crash of host a"),
        ("partition = { between = [\"b\", \"a\"] }", "partition of link a–b (partition)"),
        ("hold = { between = [\"a\", \"b\"] }", "hold of link a–b (partition)"),
        (
            "latency = { between = [\"a\", \"b\"], latency = \"90ms\" }",
            "latency of link a–b (latency)",
        ),
        (
            "bandwidth = { between = [\"a\", \"b\"], per_second = \"8KiB\" }",
            "bandwidth of link a–b (bandwidth)",
        ),
        ("loss = { between = [\"a\", \"b\"], ratio = 0.1 }", "loss of link a–b (loss)"),
        ("skew = { host = \"a\", offset_ms = -5 }", "skew of clock of a"),
        ("newrelic = { answer = \"unavailable\" }", "newrelic of newrelic"),
    ];
    for (text, label) in cases {
        let fault = spec(&format!("at = \"1s\"\nlasts = \"2s\"\n{text}"));
        let fault = fault.fault(&NetworkSpec::default()).expect(text);
        assert_eq!((fault.from, fault.to), (SimTime::from_secs(1), SimTime::from_secs(3)));
        assert_eq!(fault.label, label);
        assert!(fault.end.is_some(), "{text}");
    }
    let reset = spec("at = \"1s\"\nreset = { between = [\"a\", \"b\"] }");
    let reset = reset.fault(&NetworkSpec::default()).expect("a fault");
    assert_eq!((reset.from, reset.end), (reset.to, None));
}

#[test]
fn wrong_forms_are_named() {
    let cases = [
        ("at = \"1s\"\nlasts = \"1s\"", "fault_kind"),
        ("at = \"1s\"\ncrash = { host = \"a\" }", "lasts"),
        ("at = \"1s\"\nlasts = \"1s\"\nreset = { between = [\"a\", \"b\"] }", "lasts"),
        ("at = \"1s\"\nlasts = \"1s\"\nhold = { between = [\"a\", \"a\"] }", "between"),
    ];
    for (text, rule) in cases {
        let spec = spec(text);
        let rules: Vec<_> = spec.faults_of_form().into_iter().map(|(rule, ..)| rule).collect();
        assert_eq!(rules, [rule], "{text}");
        assert_eq!(spec.fault(&NetworkSpec::default()), None);
    }
}
