use super::*;

fn spec(text: &str) -> FaultSpec {
    toml::from_str(text).expect("well-formed")
}

#[test]
fn every_kind_begins_and_ends() {
    let cases = [
        ("crash = { host = \"a\" }", "crash of a"),
        ("partition = { between = [\"b\", \"a\"] }", "partition of b–a"),
        ("hold = { between = [\"a\", \"b\"] }", "hold of a–b"),
        ("latency = { between = [\"a\", \"b\"], latency = \"90ms\" }", "latency of a–b"),
        ("bandwidth = { between = [\"a\", \"b\"], per_second = \"8KiB\" }", "bandwidth of a–b"),
        ("loss = { between = [\"a\", \"b\"], ratio = 0.1 }", "loss of a–b"),
        ("crash = { host = \"a\", mode = \"power\" }", "power loss of a"),
        ("partition = { between = [\"b\", \"a\"], one_way = true }", "partition of b→a"),
        ("skew = { host = \"a\", offset_ms = -5 }", "clock of a -5 ms"),
        ("newrelic = { answer = \"unavailable\" }", "New Relic: 503 unavailable"),
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
