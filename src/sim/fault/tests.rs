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
        ("crash_point = { host = \"a\", event = 7 }", "crash of a after its event 7"),
        ("partition = { between = [\"b\", \"a\"], one_way = true }", "partition of b→a"),
        ("skew = { host = \"a\", offset_ms = -5 }", "clock of a -5 ms"),
        ("disk = { host = \"a\", kind = \"full\", free = \"4KiB\" }", "disk of a: full"),
        ("disk = { host = \"a\", kind = \"fail_writes\" }", "disk of a: fail_writes"),
        ("disk = { host = \"a\", kind = \"fail_reads\", share = 0.5 }", "disk of a: fail_reads"),
        ("disk = { host = \"a\", kind = \"fail_syncs\" }", "disk of a: fail_syncs"),
        ("disk = { host = \"a\", kind = \"slow\", latency = \"50ms\" }", "disk of a: slow"),
        ("disk = { host = \"a\", kind = \"stalled\" }", "disk of a: stalled"),
        ("disk = { host = \"a\", kind = \"lying_sync\" }", "disk of a: lying_sync"),
        ("disk = { host = \"a\", kind = \"torn_writes\" }", "disk of a: torn_writes"),
    ];
    for (text, label) in cases {
        begins_and_ends(text, label);
    }
    let reset = spec("at = \"1s\"\nreset = { between = [\"a\", \"b\"] }");
    let reset = reset.fault(&NetworkSpec::default()).expect("a fault");
    assert_eq!((reset.from, reset.end), (reset.to, None));
}

#[test]
fn every_answer_of_new_relic_begins_and_ends() {
    let cases = [
        ("answer = \"too_many_requests\", retry_after = \"5s\"", "429 too many requests"),
        ("answer = \"unavailable\"", "503 unavailable"),
        ("answer = \"error\", share = 0.3", "500 error to 0.3 of the requests"),
        ("answer = \"forbidden\"", "403 forbidden"),
        ("answer = \"request_timeout\"", "408 request timeout"),
        ("answer = \"payload_too_large\", body_max = \"4kB\"", "413 payload too large"),
        ("answer = \"slow\", after = \"2s\"", "slow answers"),
        ("answer = \"accepted_then_lost\"", "accepted, then lost"),
        ("answer = \"truncated\"", "half an answer"),
        ("answer = \"garbage\"", "garbage for an answer"),
        ("answer = \"late_synthesis\", lag = \"20s\"", "late synthesis"),
    ];
    for (text, words) in cases {
        begins_and_ends(&format!("newrelic = {{ {text} }}"), &format!("New Relic: {words}"));
    }
}

#[track_caller]
fn begins_and_ends(text: &str, label: &str) {
    let fault = spec(&format!("at = \"1s\"\nlasts = \"2s\"\n{text}"));
    let fault = fault.fault(&NetworkSpec::default()).expect(text);
    assert_eq!((fault.from, fault.to), (SimTime::from_secs(1), SimTime::from_secs(3)));
    assert_eq!(fault.label, label);
    assert!(fault.end.is_some(), "{text}");
}

#[test]
fn waits_are_what_the_answers_ask_for() {
    let cases = [
        ("answer = \"too_many_requests\"", Some(30)),
        ("answer = \"too_many_requests\", retry_after = \"7s\"", Some(7)),
        ("answer = \"unavailable\"", None),
        ("answer = \"unavailable\", retry_after = \"0s\"", Some(0)),
    ];
    for (text, seconds) in cases {
        let fault: NewRelicFaultSpec = toml::from_str(&text.replace(", ", "\n")).expect(text);
        assert_eq!(fault.retry_after_seconds(), seconds, "{text}");
    }
}

#[test]
fn wrong_forms_are_named_with_their_place() {
    let lasting = |text: &str| format!("at = \"1s\"\nlasts = \"1s\"\n{text}");
    let newrelic = |text: &str| lasting(&format!("newrelic = {{ answer = {text} }}"));
    let disk = |text: &str| lasting(&format!("disk = {{ host = \"a\", kind = {text} }}"));
    let cases: [(String, &str, &str); 18] = [
        (lasting(""), "fault_kind", ""),
        ("at = \"1s\"\ncrash = { host = \"a\" }".into(), "lasts", ""),
        (lasting("reset = { between = [\"a\", \"b\"] }"), "lasts", "lasts"),
        (lasting("hold = { between = [\"a\", \"a\"] }"), "between", "hold.between"),
        (lasting("crash_point = { host = \"a\", event = 0 }"), "crash_point", "crash_point.event"),
        (newrelic("\"error\", share = 0.0"), "share", "newrelic.share"),
        (newrelic("\"error\", share = 1.1"), "share", "newrelic.share"),
        (newrelic("\"error\", share = nan"), "share", "newrelic.share"),
        (newrelic("\"slow\""), "newrelic_key", "newrelic.answer"),
        (newrelic("\"late_synthesis\""), "newrelic_key", "newrelic.answer"),
        (newrelic("\"error\", after = \"1s\""), "newrelic_key", "newrelic.after"),
        (newrelic("\"error\", retry_after = \"1s\""), "newrelic_key", "newrelic.retry_after"),
        (
            newrelic("\"slow\", after = \"1s\", body_max = \"1kB\""),
            "newrelic_key",
            "newrelic.body_max",
        ),
        (
            newrelic("\"unavailable\", retry_after = \"1500ms\""),
            "retry_after",
            "newrelic.retry_after",
        ),
        (disk("\"slow\""), "disk_key", "disk.kind"),
        (disk("\"stalled\", free = \"1kB\""), "disk_key", "disk.free"),
        (disk("\"full\", share = 0.5"), "disk_key", "disk.share"),
        (disk("\"fail_writes\", share = -0.5"), "share", "disk.share"),
    ];
    for (text, rule, place) in cases {
        let spec = spec(&text);
        let faults = spec.faults_of_form();
        let found: Vec<_> = faults.iter().map(|f| (f.rule, f.keys.join("."))).collect();
        assert_eq!(found, [(rule, place.to_owned())], "{text}");
        assert!(faults.iter().all(|fault| !fault.help.is_empty()));
        assert_eq!(spec.fault(&NetworkSpec::default()), None);
    }
}
