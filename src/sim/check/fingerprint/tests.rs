//! Shapes of everything that the checks say, and laws over names, sizes and times.

use proptest::prelude::*;

use super::super::CATALOGUE;
use super::*;

/// Every violation that a check can tell: check, words with placeholders (see [`fill`]), shape.
const TEXTS: &[(&str, &str, &str)] = &[
    (
        "no panic",
        "panic in %H: index %n is out of range",
        "panic in <broker host>: index <n> is out of range",
    ),
    (
        "no panic",
        "panic in pipeline: called `Option::unwrap()` on a `None` value; pipeline: called \
         `Option::unwrap()` on a `None` value",
        "panic in pipeline: called `Option::unwrap()` on a `None` value",
    ),
    (
        "no panic",
        "%n events at %t without progress of time",
        "<n> events at <n> without progress of time",
    ),
    (
        "conservation",
        "%n samples collected, but %n transformed and %n rejected",
        "<n> samples collected, but <n> transformed and <n> rejected",
    ),
    (
        "conservation",
        "%n events enqueued and %n recovered, but %n acknowledged, %n given up, %n in flight",
        "<n> events enqueued and <n> recovered, but <n> acknowledged, <n> given up, <n> in flight",
    ),
    (
        "conservation",
        "%n events in flight, but %n in the spool and %n staged",
        "<n> events in flight, but <n> in the spool and <n> staged",
    ),
    (
        "conservation",
        "New Relic acknowledged %n events and holds only %n",
        "New Relic acknowledged <n> events and holds only <n>",
    ),
    (
        "conservation",
        "New Relic acknowledged %n events and holds only %n, having given up %n",
        "New Relic acknowledged <n> events and holds only <n>",
    ),
    (
        "conservation",
        "New Relic holds %n different events, but only %n were enqueued",
        "New Relic holds <n> different events, but only <n> were enqueued",
    ),
    (
        "conservation",
        "%n events that the spool had taken, or that no crash met, are missing",
        "<n> events that the spool had taken, or that no crash met, are missing",
    ),
    (
        "conservation",
        "%n events are stored twice and only %n were sent again in doubt; %G of %n is stored %n \
         times too often",
        "<n> events are stored twice and only <n> were sent again in doubt",
    ),
    (
        "conservation",
        "%n events are stored twice and only %n were sent again in doubt; a=b c=%n of %n is \
         stored %n times too often",
        "<n> events are stored twice and only <n> were sent again in doubt",
    ),
    (
        "conservation",
        "request %u was taken %n times, and in doubt only %n times",
        "request <id> was taken <n> times, and in doubt only <n> times",
    ),
    (
        "conservation",
        "New Relic refused events: %n event(s) rejected because attribute name exceeded maximum \
         length",
        "New Relic refused events: <n> event(s) rejected because attribute name exceeded maximum \
         length",
    ),
    (
        "conservation",
        "%n events are still in flight after healing",
        "<n> events are still in flight after healing",
    ),
    (
        "loss",
        "%n events were given up (%n buffer_full), at most %n",
        "<n> events were given up (<n> buffer_full), at most <n>",
    ),
    (
        "loss",
        "%n events were given up (%n missing, %n expired, %n expired), at most %n",
        "<n> events were given up (<n> expired, <n> missing), at most <n>",
    ),
    (
        "loss",
        "%n events were given up (spool_full) without need",
        "<n> events were given up (spool_full) without need",
    ),
    (
        "loss",
        "%n events were given up (buffer_full), but partition of pipeline–newrelic explains only %n",
        "<n> events were given up (buffer_full), but <fault> explains only <n>",
    ),
    (
        "loss",
        "%n events were given up (spool_full), but crash of %H after its event %n explains only %n",
        "<n> events were given up (spool_full), but <fault> explains only <n>",
    ),
    ("loss", "%n events are missing without need", "<n> events are missing without need"),
    (
        "loss",
        "%n events are missing, but the power loss explains only %n",
        "<n> events are missing, but <fault> explains only <n>",
    ),
    (
        "politeness",
        "a request began %n ms before the wait's end",
        "a request began <n> ms before the wait's end",
    ),
    (
        "breaker",
        "event-api opened %n times, at least %n expected",
        "event-api opened <n> times, at least <n> expected",
    ),
    (
        "breaker",
        "kafka/%c counts %n as present state, told %n",
        "kafka/<cluster> counts <n> as present state, told <n>",
    ),
    (
        "breaker",
        "event-api counts %n as openings, told %n",
        "event-api counts <n> as openings, told <n>",
    ),
    (
        "breaker",
        "event-api stays closed after %n failures in a row",
        "event-api stays closed after <n> failures in a row",
    ),
    ("breaker", "event-api left OPEN, but was CLOSED", "event-api left OPEN, but was CLOSED"),
    (
        "breaker",
        "event-api opened after %n failures in a row, not %n",
        "event-api opened after <n> failures in a row, not <n>",
    ),
    (
        "breaker",
        "event-api half-opened after %n ms, not %n ms",
        "event-api half-opened after <n> ms, not <n> ms",
    ),
    (
        "breaker",
        "a request began although event-api is open since %t",
        "a request began although event-api is open since <n>",
    ),
    (
        "breaker",
        "%n requests at once while half-open, at most %n",
        "<n> requests at once while half-open, at most <n>",
    ),
    (
        "bounded memory",
        "%n bytes of events in the spool, at most %n",
        "<n> bytes of events in the spool, at most <n>",
    ),
    (
        "guid",
        "event of %G does not say what it is about",
        "event of <guid> does not say what it is about",
    ),
    (
        "guid",
        "%B has GUID %G, must be %G (%R)",
        "<broker> has GUID <guid>, must be <guid> (<guid>)",
    ),
    ("guid", "%T has a wrong entityIdentifier", "<topic> has a wrong entityIdentifier"),
    ("guid", "%P and %P share GUID %G", "<group> and <group> share GUID <guid>"),
    (
        "guid",
        "New Relic made entity %G that no event names",
        "New Relic made entity <guid> that no event names",
    ),
    (
        "ground truth",
        "an event of %B at %n belongs to no cycle",
        "an event of <broker> at <n> belongs to no cycle",
    ),
    ("ground truth", "there is no cluster called `%c`", "there is no <cluster>"),
    ("ground truth", "%T does not exist in the fleet", "<topic> does not exist in the fleet"),
    (
        "ground truth",
        "%B: broker.cpu.usage = %f, which nothing explains",
        "<broker>: broker.cpu.usage = <n>, which nothing explains",
    ),
    (
        "ground truth",
        "%B: broker.cpu.usage = %f, must be %f",
        "<broker>: broker.cpu.usage = <n>, must be <n>",
    ),
    (
        "ground truth",
        "%C: cluster.messages.in.rate = %f, must be %f or %f or %f",
        "<cluster>: cluster.messages.in.rate = <n>, must be <n>",
    ),
    (
        "ground truth",
        "%B: environment is missing, must be [\"%c\"]",
        "<broker>: environment is missing, must be <list>",
    ),
    (
        "ground truth",
        "%B: displayName is `%c %n`, must be one of [\"%c\", \"%c\"]",
        "<broker>: displayName is <text>, must be one of <list>",
    ),
    (
        "ground truth",
        "%T: has the time %t, must be %t to %t",
        "<topic>: has the time <n>, must be <n> to <n>",
    ),
    (
        "ground truth",
        "%P: consumerGroup.lag.total is missing, must be %f or %f",
        "<group>: consumerGroup.lag.total is missing, must be <n>",
    ),
    (
        "health score",
        "%C: score Some(%f) with confidence None, must be %f with confidence %f or %f with \
         confidence %f",
        "<cluster>: score Some(<n>) with confidence None, must be <n> with confidence <n>",
    ),
    (
        "cycles",
        "cycle %n started %n ms after a multiple of the interval, must be at one",
        "cycle <n> started <n> ms after a multiple of the interval, must be at one",
    ),
    (
        "cycles",
        "cycle %n follows cycle %n: the report of one is lost",
        "cycle <n> follows cycle <n>: the report of one is lost",
    ),
    (
        "cycles",
        "cycle %n began before cycle %n ended at %t",
        "cycle <n> began before cycle <n> ended at <n>",
    ),
    (
        "cycles",
        "%n starts passed between cycles %n and %n, and %n were counted as skipped",
        "<n> starts passed between cycles <n> and <n>, and <n> were counted as skipped",
    ),
    (
        "cycles",
        "no cycle for %n ms from %t on, limit %n ms",
        "no cycle for <n> ms from <n> on, limit <n> ms",
    ),
    (
        "honesty",
        "no broker of %c answered, and the cycle does not say so",
        "no broker of <cluster> answered, and the cycle does not say so",
    ),
    (
        "honesty",
        "broker %n, broker %n of %c gave no scrape by %t, and the cycle reports %n missing parts \
         of that kind",
        "<broker> of <cluster> gave no scrape by <n>, and the cycle reports <n> missing parts of \
         that kind",
    ),
    (
        "honesty",
        "broker %n, broker %n, broker %n and %n more of %c gave no scrape by %t, and the cycle \
         reports %n missing parts of that kind",
        "<broker> of <cluster> gave no scrape by <n>, and the cycle reports <n> missing parts of \
         that kind",
    ),
    (
        "honesty",
        "group %g of %c gave no group_state by %t, and the cycle reports %n missing parts of \
         that kind",
        "<group> of <cluster> gave no group_state by <n>, and the cycle reports <n> missing \
         parts of that kind",
    ),
    (
        "honesty",
        "partition %p/%n of %c gave no log_end_offsets by %t, and the cycle reports %n missing \
         parts of that kind",
        "<partition> of <cluster> gave no log_end_offsets by <n>, and the cycle reports <n> \
         missing parts of that kind",
    ),
    ("coverage", "%C has no entity", "<cluster> has no entity"),
    ("coverage", "%P has no entity", "<group> has no entity"),
    (
        "coverage",
        "MESSAGE_QUEUE_TOPIC `%p` (%G) is no object of the fleet",
        "MESSAGE_QUEUE_TOPIC <text> (<guid>) is no object of the fleet",
    ),
    ("relationships", "missing: %C CONTAINS %T", "missing: <cluster> CONTAINS <topic>"),
    ("relationships", "invented: %B MANAGES %G", "invented: <broker> MANAGES <guid>"),
    (
        "relationships",
        "%P CONSUMES %T has time %n, at which neither end was sampled",
        "<group> CONSUMES <topic> has time <n>, at which neither end was sampled",
    ),
    (
        "relationships",
        "%C MANAGES %B was last told %n s ago, limit %n s",
        "<cluster> MANAGES <broker> was last told <n> s ago, limit <n> s",
    ),
    (
        "synthesis lag",
        "MESSAGE_QUEUE_BROKER `%c-%n` became visible %n ms after its first event, limit %n ms",
        "MESSAGE_QUEUE_BROKER <text> became visible <n> ms after its first event, limit <n> ms",
    ),
    ("freshness", "%T has no stored sample at all", "<topic> has no stored sample at all"),
    (
        "freshness",
        "the newest sample of %T is %n s old, limit %n s",
        "the newest sample of <topic> is <n> s old, limit <n> s",
    ),
    (
        "recovery",
        "New Relic was back and took %n ms, limit %n ms",
        "New Relic was back and took <n> ms, limit <n> ms",
    ),
    (
        "recovery",
        "New Relic was back and has taken nothing for %n ms, limit %n ms",
        "New Relic was back and has taken nothing for <n> ms, limit <n> ms",
    ),
    ("recovery", "event-api is OPEN in the end", "event-api is OPEN in the end"),
    ("recovery", "kafka/%c is Degraded in the end", "kafka/<cluster> is Degraded in the end"),
    ("gaps", "%T is told as missing and as stale", "<topic> is told as missing and as stale"),
    ("gaps", "%B is told as stale, but it is fresh", "<broker> is told as stale, but it is fresh"),
    (
        "gaps",
        "%C is told as fresh, but it is missing",
        "<cluster> is told as fresh, but it is missing",
    ),
    (
        "gaps",
        "%T should have %n partitions and has %n; a mismatch is not told",
        "<topic> should have <n> partitions and has <n>; a mismatch is not told",
    ),
    (
        "gaps",
        "%T should have %n partitions and has %n; a mismatch is told",
        "<topic> should have <n> partitions and has <n>; a mismatch is told",
    ),
    (
        "gaps",
        "%B is there, nobody desired it, and nothing is told of it",
        "<broker> is there, nobody desired it, and nothing is told of it",
    ),
    (
        "gaps",
        "%G is told as unexpected, but there is no such object",
        "<guid> is told as unexpected, but there is no such object",
    ),
    ("stand-ins", "%G tells no source of its figures", "<guid> tells no source of its figures"),
    ("stand-ins", "%G has the data source `%c`", "<guid> has the data source <text>"),
    (
        "stand-ins",
        "%G is gapFilled and lacks the tags that say so",
        "<guid> is gapFilled and lacks the tags that say so",
    ),
    (
        "stand-ins",
        "stand-in %G does not say what it stands for",
        "stand-in <guid> does not say what it stands for",
    ),
    (
        "stand-ins",
        "%P has a stand-in and nobody desired it",
        "<group> has a stand-in and nobody desired it",
    ),
    (
        "stand-ins",
        "the stand-in of %T has GUID %G, not %R",
        "the stand-in of <topic> has GUID <guid>, not <guid>",
    ),
    ("stand-ins", "%n stand-ins, and %n are allowed", "<n> stand-ins, and <n> are allowed"),
    (
        "stand-ins",
        "%n gaps and %n stand-ins allowed, but %n filled and %n unfilled",
        "<n> gaps and <n> stand-ins allowed, but <n> filled and <n> unfilled",
    ),
    (
        "stand-ins",
        "%T is told by its fleet and by a stand-in in one cycle",
        "<topic> is told by its fleet and by a stand-in in one cycle",
    ),
    (
        "stand-ins",
        "%T is simulated in a cycle of mode hybrid",
        "<topic> is simulated in a cycle of mode hybrid",
    ),
    (
        "stand-ins",
        "%B has a stand-in although there is no gap",
        "<broker> has a stand-in although there is no gap",
    ),
    ("stand-ins", "a source was asked in simulation mode", "a source was asked in simulation mode"),
    (
        "stand-ins",
        "%B has no stand-in in a cycle of mode hybrid",
        "<broker> has no stand-in in a cycle of mode hybrid",
    ),
    (
        "incidents",
        "%C has bad partitions for %n s, and `cluster-under-replicated` tells nothing",
        "<cluster> has bad partitions for <n> s, and `cluster-under-replicated` tells nothing",
    ),
    (
        "incidents",
        "%C is well again for %n s, and `cluster-under-replicated` is still open",
        "<cluster> is well again for <n> s, and `cluster-under-replicated` is still open",
    ),
    (
        "incidents",
        "`cluster-under-replicated` tells of %C, whose partitions were well",
        "`cluster-under-replicated` tells of <cluster>, whose partitions were well",
    ),
    (
        "incidents",
        "`Partitions lack replicas` opened one incident twice",
        "`Partitions lack replicas` opened one incident twice",
    ),
    (
        "incidents",
        "`Partitions lack replicas` closed an incident that was not open",
        "`Partitions lack replicas` closed an incident that was not open",
    ),
    (
        "as a user sees it",
        "newest values of MESSAGE_QUEUE_TOPIC: %G: topic.lag is Some(%f), must be one of [%f, %f]",
        "newest values of MESSAGE_QUEUE_TOPIC: <guid>: topic.lag is Some(<n>), must be one of \
         <list>",
    ),
    (
        "as a user sees it",
        "newest values of MESSAGE_QUEUE_TOPIC: %G is Some(%f), must be None",
        "newest values of MESSAGE_QUEUE_TOPIC: <guid> is Some(<n>), must be None",
    ),
    (
        "as a user sees it",
        "topic.lag of MESSAGE_QUEUE_TOPIC by minute: average of minute %n is Some(%f), must be \
         Some(%f)",
        "topic.lag of MESSAGE_QUEUE_TOPIC by minute: average of minute <n> is Some(<n>), must be \
         Some(<n>)",
    ),
    (
        "as a user sees it",
        "whole events: (%n, {\"a\": \"%n\", \"b\": \"'%c'\"}), must be (%n, {\"a\": \"%n\"})",
        "whole events: (<n>, <map>), must be (<n>, <map>)",
    ),
    ("as a user sees it", "entity search: %G is missing", "entity search: <guid> is missing"),
    (
        "as a user sees it",
        "entity search: %p (%G) cannot be known",
        "entity search: <name> (<guid>) cannot be known",
    ),
    (
        "as a user sees it",
        "entity search: %G is called `%c`, must be `%p`",
        "entity search: <guid> is called <text>, must be <text>",
    ),
    (
        "as a user sees it",
        "entity search: %p lacks the tag clusterName = %c",
        "entity search: <name> lacks the tag clusterName",
    ),
    (
        "as a user sees it",
        "entity %G: is related to nothing",
        "entity <guid>: is related to nothing",
    ),
    (
        "as a user sees it",
        "golden metric Lag of %G: shows nothing: SELECT latest(`topic.lag`) WHERE entity.guid = \
         '%G'",
        "golden metric Lag of <guid>: shows nothing: SELECT latest(`topic.lag`) WHERE \
         entity.guid = <text>",
    ),
];

/// What a run fills into a text: the same text from another seed, topology or duration differs in
/// these alone.
#[derive(Debug, Clone)]
struct World {
    cluster: String,
    topic: String,
    group: String,
    numbers: Vec<u64>,
}

impl World {
    /// The text of a run: `%n` number, `%f` figure, `%t` time, `%c` cluster's name, `%p` topic's,
    /// `%g` group's, `%C %B %T %P` cluster, broker, topic, group as objects, `%H` a broker's host,
    /// `%G %R` GUID on the wire and readable, `%u` request id.
    fn fill(&self, template: &str) -> String {
        use base64::Engine as _;
        let Self { cluster, topic, group, .. } = self;
        let mut numbers = self.numbers.iter().cycle().copied();
        let mut text = String::new();
        let mut rest = template.chars();
        while let Some(letter) = rest.next() {
            if letter != '%' {
                text.push(letter);
                continue;
            }
            let n = numbers.next().unwrap_or(0);
            let readable = format!("{n}|INFRA|MESSAGE_QUEUE_TOPIC|{:032x}", u128::from(n) * 977);
            text += &match rest.next() {
                Some('n') => n.to_string(),
                Some('f') if n % 3 == 0 => (n as f64 / 7e9).to_string(),
                Some('f') => (n as f64 / -3.0).to_string(),
                Some('t') => crate::sim::time::SimTime(n).to_string(),
                Some('c') => cluster.clone(),
                Some('p') => topic.clone(),
                Some('g') => group.clone(),
                Some('C') => format!("cluster {cluster}"),
                Some('B') => format!("broker {cluster}/{n}"),
                Some('T') => format!("topic {cluster}/{topic}"),
                Some('P') => format!("group {cluster}/{group}"),
                Some('H') => format!("{cluster}-broker-{n}"),
                Some('R') => readable,
                Some('G') => base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(readable),
                Some('u') => uuid::Uuid::from_u128(u128::from(n)).to_string(),
                other => panic!("{template}: no placeholder {other:?}"),
            };
        }
        text
    }
}

fn world(cluster: &str, topic: &str, group: &str, numbers: &[u64]) -> World {
    let (cluster, topic, group) = (cluster.to_owned(), topic.to_owned(), group.to_owned());
    World { cluster, topic, group, numbers: numbers.to_vec() }
}

#[test]
fn every_text_has_its_shape() {
    let here = world("orders", "orders.created", "orders-consumers-0", &[3, 1, 1_772_442_000_000]);
    for (check, template, expected) in TEXTS {
        let text = here.fill(template);
        assert_eq!(shape(&text), *expected, "{check}: {text}");
        assert_eq!(shape(expected), *expected, "a shape's shape is itself");
    }
    let spoken: BTreeSet<&str> = TEXTS.iter().map(|(check, ..)| *check).collect();
    let silent: Vec<_> = CATALOGUE.iter().filter(|check| !spoken.contains(check.name)).collect();
    assert!(
        silent.is_empty(),
        "no text of {:?}",
        silent.iter().map(|c| c.name).collect::<Vec<_>>()
    );
}

#[test]
fn whatever_excuses_a_part_of_a_loss_it_is_one_failure() {
    let text = |why: &str| {
        shape(&format!("7 events were given up (forbidden), but {why} explains only 3"))
            .into_owned()
    };
    let expected = "<n> events were given up (forbidden), but <fault> explains only <n>";
    for why in [
        "New Relic: 403 forbidden",
        "New Relic: 403 forbidden to 42 % of requests",
        "memory that is small for one cycle",
        "clock of pipeline +60000 ms",
        "disk of pipeline: failing writes",
        "hold of pipeline→newrelic",
    ] {
        assert_eq!(text(why), expected);
    }
    assert_eq!(shape(expected), expected);
    let other = "7 events were given up (expired), but New Relic: 403 forbidden explains only 3";
    assert_ne!(shape(other), expected);
}

#[test]
fn every_rule_is_a_pattern() {
    assert_eq!(COMPILED.len(), RULES.len());
    assert_eq!(LISTS.len(), 2);
}

#[test]
fn different_failures_have_different_fingerprints() {
    let shapes: BTreeSet<(&str, &str)> =
        TEXTS.iter().map(|(check, _, shape)| (*check, *shape)).collect();
    let prints: BTreeSet<Fingerprint> =
        shapes.iter().map(|(check, shape)| Fingerprint::of_shape(check, shape)).collect();
    assert_eq!(prints.len(), shapes.len());
    assert_ne!(Fingerprint::of("guid", "x"), Fingerprint::of("coverage", "x"));
}

#[test]
fn ten_letters_are_a_fingerprint() {
    let print = Fingerprint::of("guid", "broker orders/1 has a wrong entityIdentifier");
    assert_eq!(print.to_string().parse(), Ok(print.clone()));
    assert_eq!(print.to_string().to_uppercase().parse(), Ok(print));
    for wrong in ["", "short", "abcdefghjki", "abcdefghji", "ähbcdefgh"] {
        assert!(wrong.parse::<Fingerprint>().is_err(), "{wrong}");
        assert!(serde_json::from_value::<Fingerprint>(wrong.into()).is_err(), "{wrong}");
    }
}

#[test]
fn a_failed_check_has_failures() {
    use crate::sim::check::Finding;
    let mut finding = Finding::new();
    let mut failures = |what: &[&str]| {
        what.iter().for_each(|what| finding.violate(None, *what));
        let finding = finding.clone();
        let check = CheckResult { name: "x", promise: "y", class: Class::Safety, finding };
        Failure::of(&check)
    };
    assert_eq!(failures(&[])[0].shape, "examined nothing, so it proves nothing");
    let shapes: Vec<String> =
        failures(&["b 1", "b 2", "a 3"]).into_iter().map(|failure| failure.example).collect();
    assert_eq!(shapes, ["a 3", "b 1"]);
}

#[test]
fn a_shape_that_comes_late_is_seen() {
    use crate::sim::check::Finding;
    let mut finding = Finding::new();
    for number in 0..10_000 {
        finding.violate(None, format!("topic orders/t-{number}: topic.lag = {number}"));
    }
    finding.violate(None, "topic orders/t-1: topic.size = 3");
    let check = CheckResult { name: "x", promise: "y", class: Class::Safety, finding };
    assert_eq!(check.finding.violation_count, 10_001);
    assert!(check.finding.violations.len() < 110, "{}", check.finding.violations.len());
    let shapes: Vec<String> = Failure::of(&check).into_iter().map(|f| f.shape).collect();
    assert_eq!(shapes, ["<topic>: topic.lag = <n>", "<topic>: topic.size = <n>"]);
}

fn worlds() -> impl Strategy<Value = World> {
    let cluster = "[a-z]([a-z0-9-]{0,20}[a-z0-9])?";
    let name = "[a-z][a-z0-9]{0,8}([.-][a-z0-9]{1,8}){0,2}";
    let numbers = proptest::collection::vec(0..u64::MAX >> 8, 1..6);
    (cluster, name, name, numbers).prop_map(|(cluster, topic, group, numbers)| World {
        cluster,
        topic,
        group,
        numbers,
    })
}

proptest! {
    #[test]
    fn names_sizes_and_times_do_not_matter(world in worlds()) {
        for (check, template, expected) in TEXTS {
            let text = world.fill(template);
            prop_assert_eq!(shape(&text), *expected, "{}: {}", check, text);
        }
    }

    #[test]
    fn any_text_has_a_shape_that_is_its_own(text in "\\PC{0,200}") {
        let once = shape(&text).into_owned();
        prop_assert_eq!(shape(&once), once.as_str());
    }
}
