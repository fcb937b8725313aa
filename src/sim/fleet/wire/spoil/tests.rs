//! Spoilt answers are spoilt for whoever checks them, and told nothing.

use kafka_protocol::messages::{
    ApiVersionsRequest, DescribeClusterRequest, DescribeGroupsRequest, DescribeLogDirsRequest,
    ListGroupsRequest, MetadataRequest, RequestHeader,
};
use kafka_protocol::protocol::{Encodable, HeaderVersion, Request, StrBytes};
use proptest::prelude::*;

use super::super::{APIS, Connection};
use super::*;
use crate::collect::kafka::decode_answer;
use crate::domain::units::UnixMillis;
use crate::sim::fleet::FleetSpec;
use crate::sim::seed::Seed;
use crate::sim::time::SimTime;

const BROKER: i32 = 2;
const CORRELATION: i32 = 77;

fn fleet(seed: u64) -> Fleet {
    let spec = FleetSpec { topics: 3, partitions: 2, groups: 2, ..FleetSpec::default() };
    let start = UnixMillis(1_767_614_400_000);
    let fleet = Fleet::new(spec, Seed(seed), start).expect("the specification is possible");
    fleet.set_journal(true);
    fleet
}

fn frame<R: Request>(version: i16, request: &R) -> Bytes {
    let mut out = BytesMut::new();
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(CORRELATION)
        .with_client_id(Some(StrBytes::from_static_str("tester")));
    header.encode(&mut out, R::header_version(version)).expect("header");
    request.encode(&mut out, version).expect("request");
    out.freeze()
}

/// What the collector calls the API, its newest version here, and a request.
fn asked(which: usize) -> (u8, i16, usize, Bytes) {
    fn one<R: Request>(index: u8, request: &R) -> (u8, i16, usize, Bytes) {
        let offered = APIS.iter().find(|(api, ..)| *api as i16 == R::KEY).expect("offered");
        let header = <R::Response as HeaderVersion>::header_version(offered.2);
        (index, offered.2, usize::from(header >= 1), frame(offered.2, request))
    }
    match which {
        0 => one(0, &ApiVersionsRequest::default()),
        1 => one(1, &MetadataRequest::default().with_topics(None)),
        2 => one(2, &DescribeClusterRequest::default().with_endpoint_type(1)),
        3 => one(5, &ListGroupsRequest::default()),
        4 => one(6, &DescribeGroupsRequest::default()),
        _ => one(9, &DescribeLogDirsRequest::default().with_topics(None)),
    }
}

/// What became of an answer, as a collector finds out.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Whole,
    BrokenOff,
    Unreadable,
    Mislabelled,
}

fn ask(fleet: &Fleet, at: SimTime, which: usize) -> Found {
    let (index, version, tags, frame) = asked(which);
    let connection = Connection::new(BROKER, "/10.0.0.9");
    match fleet.handle(&connection, frame, at) {
        Outcome::BreakOff(bytes) => {
            let claimed = bytes.first_chunk().map(|length| i32::from_be_bytes(*length));
            let claimed = claimed.and_then(|length| usize::try_from(length).ok());
            assert!(claimed.is_none_or(|length| bytes.len() < length + 4), "all of it is there");
            Found::BrokenOff
        }
        Outcome::Reply(bytes) => {
            let id = i32::from_be_bytes(bytes[4..8].try_into().expect("4 bytes"));
            let length = i32::from_be_bytes(bytes[..4].try_into().expect("4 bytes"));
            assert_eq!(usize::try_from(length), Ok(bytes.len() - 4));
            if id != CORRELATION {
                return Found::Mislabelled;
            }
            match decode_answer(index, version, bytes.slice(8 + tags..)) {
                Ok(()) => Found::Whole,
                Err(_) => Found::Unreadable,
            }
        }
        other => panic!("{other:?}"),
    }
}

fn spoiler(kind: usize, share: f64) -> (FleetFault, Found) {
    let broker = BROKER;
    match kind {
        0 => (FleetFault::TruncatedFrames { broker, share }, Found::BrokenOff),
        1 => (FleetFault::CorruptFrames { broker, share }, Found::Unreadable),
        _ => (FleetFault::WrongCorrelationId { broker, share }, Found::Mislabelled),
    }
}

proptest! {
    #[test]
    fn a_spoilt_answer_can_be_told_and_told_nothing(
        seed in 0u64..1_000,
        kind in 0usize..3,
        share in 0.2f64..=1.0,
        asks in proptest::collection::vec(0usize..6, 1..12),
    ) {
        let fleet = fleet(seed);
        let (fault, how) = spoiler(kind, share);
        let mut at = SimTime::from_secs(1);
        prop_assert_eq!(ask(&fleet, at, 1), Found::Whole);
        fleet.begin_fault(at, &fault);
        fleet.take_journal();
        for which in asks {
            at = at + Duration::from_millis(10);
            let found = ask(&fleet, at, which);
            let told = fleet.take_journal();
            if found == Found::Whole {
                prop_assert!(share < 1.0 && (which == 0 || !told.is_empty()));
            } else {
                prop_assert_eq!(&found, &how);
                prop_assert_eq!(told, vec![]);
            }
        }
        fleet.end_fault(at, &fault);
        prop_assert_eq!(ask(&fleet, at, 1), Found::Whole);
    }
}

#[test]
fn a_share_of_the_answers_is_hit() {
    let fleet = fleet(1);
    let fault = FleetFault::CorruptFrames { broker: BROKER, share: 0.3 };
    fleet.begin_fault(SimTime::ZERO, &fault);
    let hit = (0..1_000).filter(|_| ask(&fleet, SimTime::ZERO, 1) != Found::Whole).count();
    assert!((250..350).contains(&hit), "{hit}");
    // Another broker's answers are whole.
    let (_, _, _, frame) = asked(1);
    let other = Connection::new(1, "/10.0.0.9");
    assert!(matches!(fleet.handle(&other, frame, SimTime::ZERO), Outcome::Reply(_)));
}

#[test]
fn a_slow_broker_takes_about_the_time_given() {
    let fleet = fleet(1);
    assert_eq!(fleet.answer_delay(BROKER), Duration::ZERO);
    let delay = Duration::from_secs(2);
    let fault = FleetFault::Slow { broker: BROKER, delay };
    fleet.begin_fault(SimTime::ZERO, &fault);
    let delays: Vec<_> = (0..200).map(|_| fleet.answer_delay(BROKER)).collect();
    assert!(delays.iter().all(|late| delay * 3 / 4 <= *late && *late <= delay * 5 / 4));
    assert!(delays.iter().min() < delays.iter().max());
    assert_eq!(fleet.answer_delay(1), Duration::ZERO);
    fleet.end_fault(SimTime::ZERO, &fault);
    assert_eq!(fleet.answer_delay(BROKER), Duration::ZERO);
}

#[test]
fn stale_metadata_is_as_of_the_begin_and_what_was_told() {
    use crate::sim::fleet::Observed;
    let fleet = fleet(1);
    let stale = FleetFault::StaleMetadata { broker: BROKER };
    let then = fleet.metadata();
    fleet.begin_fault(SimTime::from_secs(1), &stale);
    let moved = FleetFault::LeaderMove { topic: None, share: 1.0 };
    fleet.begin_fault(SimTime::from_secs(2), &moved);
    let now = fleet.metadata();
    assert_ne!(then.topics, now.topics);
    fleet.take_journal();
    for which in [1, 2, 1] {
        assert_eq!(ask(&fleet, SimTime::from_secs(3), which), Found::Whole);
        match &fleet.take_journal()[..] {
            [only] => match &only.what {
                Observed::Metadata(told) => assert_eq!(told.topics, then.topics),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
        assert_eq!(fleet.metadata().topics, now.topics, "looking back changes nothing");
    }
    fleet.end_fault(SimTime::from_secs(4), &stale);
    ask(&fleet, SimTime::from_secs(4), 1);
    let told = fleet.take_journal();
    assert!(matches!(&told[0].what, Observed::Metadata(told) if told.topics == now.topics));
}
