//! Known answers, collisions of the past, round trips.

use proptest::prelude::*;

use super::*;
use crate::domain::provider::Provider;

fn account(number: u64) -> AccountId {
    AccountId::try_from(number).unwrap()
}

fn cluster(name: &str) -> EntityKey {
    EntityKey::Cluster { provider: Provider::Kafka, cluster: name.into() }
}

fn broker(cluster: &str, id: &str) -> EntityKey {
    EntityKey::Broker { provider: Provider::Kafka, cluster: cluster.into(), broker_id: id.into() }
}

fn topic(cluster: &str, name: &str) -> EntityKey {
    EntityKey::Topic { provider: Provider::Kafka, cluster: cluster.into(), topic: name.into() }
}

fn group(cluster: &str, name: &str) -> EntityKey {
    EntityKey::Group { provider: Provider::Kafka, cluster: cluster.into(), group: name.into() }
}

fn queue(cluster: &str, vhost: &str, name: &str) -> EntityKey {
    EntityKey::Queue {
        provider: Provider::RabbitMq,
        cluster: cluster.into(),
        vhost: vhost.into(),
        queue: name.into(),
    }
}

/// Each digest was computed with `printf '<material>' | sha256sum | cut -c1-32`.
#[test]
fn vectors() {
    let cases = [
        // kafka:orders
        (cluster("orders"), "MESSAGE_QUEUE_CLUSTER", "ae555bc9bef2ea3165f8e7fcb3330f89"),
        // kafka:orders:1
        (broker("orders", "1"), "MESSAGE_QUEUE_BROKER", "22b5f04e132cd03191658c163eb634bf"),
        (topic("orders", "1"), "MESSAGE_QUEUE_TOPIC", "22b5f04e132cd03191658c163eb634bf"),
        // kafka:orders:payments
        (topic("orders", "payments"), "MESSAGE_QUEUE_TOPIC", "c47d1576af2f13493f39a9ec8baccf9a"),
        // kafka:orders:billing
        (
            group("orders", "billing"),
            "MESSAGE_QUEUE_CONSUMER_GROUP",
            "57ba56ff3ffa9a0d51e72529deb73cec",
        ),
        // rabbitmq:r1:/v%3A:q
        (queue("r1", "/v:", "q"), "MESSAGE_QUEUE_QUEUE", "3cf96865ce606caf36e12a78f9c5fa6f"),
        // rabbitmq:r1::q
        (queue("r1", "", "q"), "MESSAGE_QUEUE_QUEUE", "2dd97d01628221124fc0d28c826a0bc2"),
        // kafka:a%3Ab:c
        (topic("a:b", "c"), "MESSAGE_QUEUE_TOPIC", "49bdff78705b46ffb26824000888b485"),
        // kafka:a:b%3Ac
        (topic("a", "b:c"), "MESSAGE_QUEUE_TOPIC", "670967a69394fcc5a4fbb7a5238e5462"),
        // kafka:a%7Cb%25:c
        (topic("a|b%", "c"), "MESSAGE_QUEUE_TOPIC", "06fb6499839fa4d4edaa28b7e97d2f8c"),
    ];
    for (key, kind, identifier) in cases {
        let guid = EntityGuid::new(account(1_234_567), &key);
        assert_eq!(guid.identifier(), identifier, "{key:?}");
        assert_eq!(guid.readable(), format!("1234567|INFRA|{kind}|{identifier}"));
    }
}

/// `printf '1234567|INFRA|MESSAGE_QUEUE_BROKER|22b5…' | base64 -w0 | tr '+/' '-_' | tr -d =`.
#[test]
fn wire_form_is_unpadded_base64url_of_the_readable_form() {
    let guid = EntityGuid::new(account(1_234_567), &broker("orders", "1"));
    let wire = "MTIzNDU2N3xJTkZSQXxNRVNTQUdFX1FVRVVFX0JST0tFUnwyMmI1ZjA0ZTEzMmNkMDMxOTE2NThj\
                MTYzZWI2MzRiZg";
    assert_eq!(guid.wire(), wire);
    assert_eq!(EntityGuid::parse_wire(wire), Ok(guid));
}

/// Without the type in the hash, a topic, a broker and a group of one name share a GUID; without
/// escapes, parts joined by `:` collide.
#[test]
fn keys_that_once_collided_differ() {
    let keys = [
        cluster("c"),
        broker("c", "x"),
        topic("c", "x"),
        group("c", "x"),
        queue("c", "", "x"),
        queue("c", "/", "x"),
        queue("c", "x", ""),
        topic("a:b", "c"),
        topic("a", "b:c"),
        topic("a%3Ab", "c"),
        topic("c", "X"),
        cluster("c:x"),
    ];
    let guids: std::collections::BTreeSet<_> =
        keys.iter().map(|key| EntityGuid::new(account(1), key)).collect();
    assert_eq!(guids.len(), keys.len());
    assert_ne!(
        EntityGuid::new(account(1), &cluster("c")),
        EntityGuid::new(account(2), &cluster("c"))
    );
}

#[test]
fn foreign_and_broken_texts() {
    let hex = "0123456789abcdef0123456789abcdef";
    let good = |text: &str| (text.to_owned(), None);
    let bad = |text: &str, what: &'static str| (text.to_owned(), Some(what));
    let cases = [
        good("1|INFRA|MESSAGE_QUEUE_TOPIC|01234567"),
        good("1|INFRA|MESSAGE_QUEUE_TOPIC|012345678"),
        good(&format!("9999999999|INFRA|MESSAGE_QUEUE_TOPIC|{hex}{hex}")),
        bad("1|INFRA|MESSAGE_QUEUE_TOPIC|0123456", "identifier"),
        bad(&format!("1|INFRA|MESSAGE_QUEUE_TOPIC|{hex}{hex}0"), "identifier"),
        bad("1|INFRA|MESSAGE_QUEUE_TOPIC|0123456X", "identifier"),
        bad("1|INFRA|MESSAGE_QUEUE_TOPIC|0123456F", "identifier"),
        bad("1|INFRA|KAFKATOPIC|01234567", "five"),
        bad("1|EXT|MESSAGE_QUEUE_TOPIC|01234567", "domain"),
        bad("01|INFRA|MESSAGE_QUEUE_TOPIC|01234567", "account"),
        bad("99999999999|INFRA|MESSAGE_QUEUE_TOPIC|01234567", "account"),
        bad("1|INFRA|MESSAGE_QUEUE_TOPIC", "account|INFRA"),
        bad("1|INFRA|MESSAGE_QUEUE_TOPIC|01234567|", "account|INFRA"),
        bad("", "account|INFRA"),
    ];
    for (text, expected) in cases {
        let parsed = EntityGuid::parse_readable(&text);
        match expected {
            None => assert_eq!(parsed.unwrap().readable(), text),
            Some(what) => {
                let message = parsed.unwrap_err().to_string();
                assert!(message.contains(what), "{text:?}: {message}");
            }
        }
    }
    for text in ["MQ==", "*", "MXxJTkZSQQ", "/w", "_w"] {
        assert!(EntityGuid::parse_wire(text).is_err(), "{text:?}");
    }
}

fn part() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9.:%|_-]{1,12}", "\\PC{1,12}"]
}

fn key() -> impl Strategy<Value = EntityKey> {
    (part(), part(), "[a-z/:]{0,4}", 0..5_u8).prop_map(|(a, b, vhost, kind)| match kind {
        0 => cluster(&a),
        1 => broker(&a, &b),
        2 => topic(&a, &b),
        3 => queue(&a, &vhost, &b),
        _ => group(&a, &b),
    })
}

proptest! {
    #[test]
    fn both_forms_round_trip(key in key(), number in 1..=9_999_999_999_u64) {
        let guid = EntityGuid::new(account(number), &key);
        prop_assert_eq!(EntityGuid::parse_readable(&guid.readable()), Ok(guid));
        prop_assert_eq!(EntityGuid::parse_wire(&guid.wire()), Ok(guid));
        prop_assert_eq!(guid.identifier().len(), 32);
        prop_assert_eq!(guid.kind(), key.kind());
    }

    #[test]
    fn equal_guids_mean_equal_keys(a in key(), b in key()) {
        let same = EntityGuid::new(account(1), &a) == EntityGuid::new(account(1), &b);
        prop_assert_eq!(same, a == b);
    }

    #[test]
    fn parsing_never_panics(text in "\\PC{0,80}") {
        let _ = EntityGuid::parse_readable(&text);
        let _ = EntityGuid::parse_wire(&text);
    }
}
