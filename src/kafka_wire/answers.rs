//! The layout of every answer that the collector decodes.
//!
//! Invariant: every answer that the codec encodes fits, to its last byte (tested for all APIs and
//! versions).

use kafka_protocol::messages::ApiKey;

use super::Layout::{Blob, Fixed, Many, Plain, Text};
use super::{Field, Layout, Shape, all, since, until, within};

/// The layout of the answer to `api`; `None` for APIs that no collector asks.
pub fn answer(api: ApiKey) -> Option<&'static Shape> {
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
        _ => return None,
    })
}

/// An array of broker ids.
const NODES: Layout = Plain(4);

/// The answer to ApiVersions.
pub const API_VERSIONS: Shape = Shape {
    flexible_from: 3,
    fields: &[all(Fixed(2)), all(Many(&[all(Fixed(6))])), since(1, Fixed(4))],
    tags: &[
        (0, Many(&[all(Text), all(Fixed(4))])),
        (1, Fixed(8)),
        (2, Many(&[all(Text), all(Fixed(4))])),
        (3, Fixed(1)),
    ],
};

/// The answer to Metadata.
pub const METADATA: Shape = Shape::new(
    9,
    &[
        since(3, Fixed(4)),
        all(Many(&[all(Fixed(4)), all(Text), all(Fixed(4)), since(1, Text)])),
        since(2, Text),
        since(1, Fixed(4)),
        all(Many(&[
            all(Fixed(2)),
            all(Text),
            since(10, Fixed(16)),
            since(1, Fixed(1)),
            all(Many(&[
                all(Fixed(10)),
                since(7, Fixed(4)),
                all(NODES),
                all(NODES),
                since(5, NODES),
            ])),
            since(8, Fixed(4)),
        ])),
        within(8, 10, Fixed(4)),
        since(13, Fixed(2)),
    ],
);

/// The answer to DescribeCluster.
pub const DESCRIBE_CLUSTER: Shape = Shape::new(
    0,
    &[
        all(Fixed(6)),
        all(Text),
        since(1, Fixed(1)),
        all(Text),
        all(Fixed(4)),
        all(Many(&[all(Fixed(4)), all(Text), all(Fixed(4)), all(Text), since(2, Fixed(1))])),
        all(Fixed(4)),
    ],
);

/// The answer to ListOffsets.
pub const LIST_OFFSETS: Shape = Shape::new(
    6,
    &[
        since(2, Fixed(4)),
        all(Many(&[all(Text), all(Many(&[all(Fixed(22)), since(4, Fixed(4))]))])),
    ],
);

/// The answer to FindCoordinator.
pub const FIND_COORDINATOR: Shape = Shape::new(
    3,
    &[
        since(1, Fixed(4)),
        until(3, Fixed(2)),
        within(1, 3, Text),
        until(3, Fixed(4)),
        until(3, Text),
        until(3, Fixed(4)),
        since(4, Many(&[all(Text), all(Fixed(4)), all(Text), all(Fixed(6)), all(Text)])),
    ],
);

/// The answer to ListGroups.
pub const LIST_GROUPS: Shape = Shape::new(
    3,
    &[
        since(1, Fixed(4)),
        all(Fixed(2)),
        all(Many(&[all(Text), all(Text), since(4, Text), since(5, Text)])),
    ],
);

/// The answer to DescribeGroups.
pub const DESCRIBE_GROUPS: Shape = Shape::new(
    5,
    &[
        since(1, Fixed(4)),
        all(Many(&[
            all(Fixed(2)),
            since(6, Text),
            all(Text),
            all(Text),
            all(Text),
            all(Text),
            all(Many(&[all(Text), since(4, Text), all(Text), all(Text), all(Blob), all(Blob)])),
            since(3, Fixed(4)),
        ])),
    ],
);

const COMMITTED: &[Field] = &[all(Fixed(12)), since(5, Fixed(4)), all(Text), all(Fixed(2))];

/// The answer to OffsetFetch.
pub const OFFSET_FETCH: Shape = Shape::new(
    6,
    &[
        since(3, Fixed(4)),
        until(7, Many(&[all(Text), all(Many(COMMITTED))])),
        within(2, 7, Fixed(2)),
        since(
            8,
            Many(&[
                all(Text),
                all(Many(&[until(9, Text), since(10, Fixed(16)), all(Many(COMMITTED))])),
                all(Fixed(2)),
            ]),
        ),
    ],
);

/// The answer to DescribeConfigs.
pub const DESCRIBE_CONFIGS: Shape = Shape::new(
    4,
    &[
        all(Fixed(4)),
        all(Many(&[
            all(Fixed(2)),
            all(Text),
            all(Fixed(1)),
            all(Text),
            all(Many(&[
                all(Text),
                all(Text),
                all(Fixed(3)),
                all(Many(&[all(Text), all(Text), all(Fixed(1))])),
                since(3, Fixed(1)),
                since(3, Text),
            ])),
        ])),
    ],
);

/// The answer to DescribeLogDirs.
pub const DESCRIBE_LOG_DIRS: Shape = Shape::new(
    2,
    &[
        all(Fixed(4)),
        since(3, Fixed(2)),
        all(Many(&[
            all(Fixed(2)),
            all(Text),
            all(Many(&[all(Text), all(Many(&[all(Fixed(21))]))])),
            since(4, Fixed(16)),
        ])),
    ],
);
