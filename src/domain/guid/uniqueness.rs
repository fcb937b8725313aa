//! No two identities have one GUID, also where their names are made to be taken for each other.
//!
//! The names are all short words over letters that shift between the parts of a key (`:`), that
//! escapes are made of (`%`, `2`, `5`, `3`, `A`, `7`, `C`), and that look alike; counted through,
//! so that no identity occurs twice by construction. So `a:` + `b` and `a` + `:b`, `%3A` and `:`,
//! and the same names in several kinds, providers and virtual hosts are all among them.
//!
//! `SHAKEDOWN_GUID_IDENTITIES=10000000` sets how many identities are tried in all.

use super::*;
use crate::domain::provider::Provider;

/// Tried when nothing else is asked for.
const IDENTITIES: usize = 200_000;

const LETTERS: [&str; 16] = [
    ":",
    "%",
    "|",
    "2",
    "5",
    "3",
    "A",
    "7",
    "C",
    "a",
    "é",
    "e\u{301}",
    "/",
    "\u{0}",
    " ",
    "a\u{200d}",
];

/// Words of the letters, the shortest first; a different one for each number. The two letters of
/// two characters begin with letters that end no other, so words do not run together.
fn word(number: usize) -> String {
    let mut rest = number + 1;
    let mut letters = Vec::new();
    while rest > 0 {
        rest -= 1;
        letters.push(LETTERS[rest % LETTERS.len()]);
        rest /= LETTERS.len();
    }
    letters.concat()
}

fn providers() -> [Provider; 6] {
    let other = |name: &str| Provider::Other(name.to_owned());
    [
        Provider::Kafka,
        Provider::RabbitMq,
        Provider::Sqs,
        other("kafka:"),
        other("kafka%3a"),
        other("kafka:a"),
    ]
}

/// The identity of a number, a different one for each.
fn identity(kind: EntityKind, number: usize, providers: &[Provider]) -> EntityKey {
    let (provider, rest) = (providers[number % providers.len()].clone(), number / providers.len());
    // The parts grow together: 300 clusters hold all words of two letters and some of three.
    const CLUSTERS: usize = 300;
    const VHOSTS: usize = 18;
    let (cluster, rest) = match kind {
        EntityKind::Cluster => (rest, 0),
        _ => (rest % CLUSTERS, rest / CLUSTERS),
    };
    let cluster = word(cluster);
    match kind {
        EntityKind::Cluster => EntityKey::Cluster { provider, cluster },
        EntityKind::Broker => EntityKey::Broker { provider, cluster, broker_id: word(rest) },
        EntityKind::Topic => EntityKey::Topic { provider, cluster, topic: word(rest) },
        EntityKind::ConsumerGroup => EntityKey::Group { provider, cluster, group: word(rest) },
        EntityKind::Queue => {
            // The first virtual host is the empty one.
            let vhost = (rest % VHOSTS).checked_sub(1).map(word).unwrap_or_default();
            EntityKey::Queue { provider, cluster, vhost, queue: word(rest / VHOSTS) }
        }
    }
}

/// Sorted identifiers that occur more than once, of their first `bytes` bytes.
fn collisions(sorted: &[[u8; 16]], bytes: usize) -> usize {
    sorted.windows(2).filter(|pair| pair[0][..bytes] == pair[1][..bytes]).count()
}

#[test]
fn words_differ() {
    let mut words: Vec<String> = (0..100_000).map(word).collect();
    assert_eq!((words[0].as_str(), words[16].as_str()), (":", "::"));
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), 100_000);
}

#[test]
fn no_two_identities_have_one_guid() {
    let asked = std::env::var("SHAKEDOWN_GUID_IDENTITIES").ok();
    let identities = asked.map_or(IDENTITIES, |text| text.parse().expect("a number"));
    let of_kind = identities / EntityKind::ALL.len();
    let account = AccountId::try_from(1).expect("valid");
    let providers = providers();
    for kind in EntityKind::ALL {
        let mut digests: Vec<[u8; 16]> = Vec::with_capacity(of_kind);
        for number in 0..of_kind {
            let guid = EntityGuid::new(account, &identity(kind, number, &providers));
            // GUIDs of different kinds differ in their type, so kinds need no comparison.
            assert_eq!(guid.kind(), kind);
            digests.push(guid.packed[..16].try_into().expect("16 bytes"));
        }
        digests.sort_unstable();
        assert_eq!(digests.len(), of_kind);
        assert_eq!(collisions(&digests, 16), 0, "{kind:?}: GUIDs of {of_kind} identities collide");
        // The search finds what is there: three bytes do not tell so many apart.
        assert!(of_kind < 20_000 || collisions(&digests, 3) > 0, "{kind:?}");
    }
}
