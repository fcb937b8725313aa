//! The layout of every request that a broker takes.
//!
//! Invariant: every request that the codec encodes fits, to its last byte (tested for all APIs and
//! versions).

use kafka_protocol::messages::ApiKey;

use super::Layout::{Blob, Fixed, Many, Plain, Tagged, Text, Texts};
use super::{Shape, all, since, until, within};

const API_VERSIONS: Shape = Shape::new(3, &[since(3, Text), since(3, Text)]);
const METADATA: Shape = Shape::new(
    9,
    &[
        all(Many(&[since(10, Fixed(16)), all(Text)])),
        since(4, Fixed(1)),
        within(8, 10, Fixed(1)),
        since(8, Fixed(1)),
    ],
);
const DESCRIBE_CLUSTER: Shape =
    Shape::new(0, &[all(Fixed(1)), since(1, Fixed(1)), since(2, Fixed(1))]);
const LIST_OFFSETS: Shape = Shape::new(
    6,
    &[
        all(Fixed(4)),
        since(2, Fixed(1)),
        all(Many(&[all(Text), all(Many(&[all(Fixed(4)), since(4, Fixed(4)), all(Fixed(8))]))])),
        since(10, Fixed(4)),
    ],
);
const FIND_COORDINATOR: Shape =
    Shape::new(3, &[until(3, Text), since(1, Fixed(1)), since(4, Texts)]);
const LIST_GROUPS: Shape = Shape::new(3, &[since(4, Texts), since(5, Texts)]);
const DESCRIBE_GROUPS: Shape = Shape::new(5, &[all(Texts), since(3, Fixed(1))]);
const OFFSET_FETCH: Shape = Shape::new(
    6,
    &[
        until(7, Text),
        until(7, Many(&[all(Text), all(Plain(4))])),
        since(
            8,
            Many(&[
                all(Text),
                since(9, Text),
                since(9, Fixed(4)),
                all(Many(&[all(Text), all(Plain(4))])),
            ]),
        ),
        since(7, Fixed(1)),
    ],
);
const DESCRIBE_CONFIGS: Shape = Shape::new(
    4,
    &[all(Many(&[all(Fixed(1)), all(Text), all(Texts)])), since(1, Fixed(1)), since(3, Fixed(1))],
);
const DESCRIBE_LOG_DIRS: Shape = Shape::new(2, &[all(Many(&[all(Text), all(Plain(4))]))]);
const CREATE_TOPICS: Shape = Shape::new(
    5,
    &[
        all(Many(&[
            all(Text),
            all(Fixed(4)),
            all(Fixed(2)),
            all(Many(&[all(Fixed(4)), all(Plain(4))])),
            all(Many(&[all(Text), all(Text)])),
        ])),
        all(Fixed(4)),
        since(1, Fixed(1)),
    ],
);
const PRODUCE: Shape = Shape::new(
    9,
    &[
        since(3, Text),
        all(Fixed(2)),
        all(Fixed(4)),
        all(Many(&[until(12, Text), since(13, Fixed(16)), all(Many(&[all(Fixed(4)), all(Blob)]))])),
    ],
);
const FETCH: Shape = Shape::new(
    12,
    &[
        until(14, Fixed(4)),
        all(Fixed(4)),
        all(Fixed(4)),
        since(3, Fixed(4)),
        since(4, Fixed(1)),
        since(7, Fixed(4)),
        since(7, Fixed(4)),
        all(Many(&[
            until(12, Text),
            since(13, Fixed(16)),
            all(Tagged(
                &[
                    all(Fixed(4)),
                    since(9, Fixed(4)),
                    all(Fixed(8)),
                    since(12, Fixed(4)),
                    since(5, Fixed(8)),
                    all(Fixed(4)),
                ],
                &[(0, Fixed(16)), (1, Fixed(8))],
            )),
        ])),
        since(7, Many(&[until(12, Text), since(13, Fixed(16)), all(Plain(4))])),
        since(11, Text),
    ],
);
const OFFSET_COMMIT: Shape = Shape::new(
    8,
    &[
        all(Text),
        since(1, Fixed(4)),
        since(1, Text),
        since(7, Text),
        within(2, 4, Fixed(8)),
        all(Many(&[
            all(Text),
            all(Many(&[all(Fixed(4)), all(Fixed(8)), since(6, Fixed(4)), all(Text)])),
        ])),
    ],
);
const JOIN_GROUP: Shape = Shape::new(
    6,
    &[
        all(Text),
        all(Fixed(4)),
        since(1, Fixed(4)),
        all(Text),
        since(5, Text),
        all(Text),
        all(Many(&[all(Text), all(Blob)])),
        since(8, Text),
    ],
);
const SYNC_GROUP: Shape = Shape::new(
    4,
    &[
        all(Text),
        all(Fixed(4)),
        all(Text),
        since(3, Text),
        since(5, Text),
        since(5, Text),
        all(Many(&[all(Text), all(Blob)])),
    ],
);
const HEARTBEAT: Shape = Shape::new(4, &[all(Text), all(Fixed(4)), all(Text), since(3, Text)]);
const LEAVE_GROUP: Shape = Shape::new(
    4,
    &[all(Text), until(2, Text), since(3, Many(&[all(Text), all(Text), since(5, Text)]))],
);
const INIT_PRODUCER_ID: Shape =
    Shape::new(2, &[all(Text), all(Fixed(4)), since(3, Fixed(8)), since(3, Fixed(2))]);

/// The layout of requests of `api`, if a broker here takes them.
pub fn request(api: ApiKey) -> Option<&'static Shape> {
    Some(match api {
        ApiKey::ApiVersions => &API_VERSIONS,
        ApiKey::Metadata => &METADATA,
        ApiKey::DescribeCluster => &DESCRIBE_CLUSTER,
        ApiKey::ListOffsets => &LIST_OFFSETS,
        ApiKey::FindCoordinator => &FIND_COORDINATOR,
        ApiKey::ListGroups => &LIST_GROUPS,
        ApiKey::DescribeGroups => &DESCRIBE_GROUPS,
        ApiKey::OffsetFetch => &OFFSET_FETCH,
        ApiKey::DescribeConfigs => &DESCRIBE_CONFIGS,
        ApiKey::DescribeLogDirs => &DESCRIBE_LOG_DIRS,
        ApiKey::CreateTopics => &CREATE_TOPICS,
        ApiKey::Produce => &PRODUCE,
        ApiKey::Fetch => &FETCH,
        ApiKey::OffsetCommit => &OFFSET_COMMIT,
        ApiKey::JoinGroup => &JOIN_GROUP,
        ApiKey::SyncGroup => &SYNC_GROUP,
        ApiKey::Heartbeat => &HEARTBEAT,
        ApiKey::LeaveGroup => &LEAVE_GROUP,
        ApiKey::InitProducerId => &INIT_PRODUCER_ID,
        _ => return None,
    })
}
