//! Relationships between entities.
//!
//! Invariants:
//! - Each relationship is stored once, in its canonical direction; the inverse is a name only.
//! - A [`Relationship`] made by [`Relationship::new`] joins two different entities of one account
//!   whose kinds its kind allows.

use std::collections::BTreeMap;

use super::entity::EntityKind;
use super::guid::EntityGuid;

/// Kinds of relationship in their canonical direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RelationshipKind {
    /// Cluster to topic, queue or group.
    Contains,
    /// Cluster to broker.
    Manages,
    /// Broker to partition.
    Hosts,
    /// Service to topic.
    ProducesTo,
    /// Service or group to topic.
    ConsumesFrom,
    /// Group to topic.
    SubscribesTo,
    /// Group to broker.
    CoordinatedBy,
    /// Broker to broker.
    ReplicatesTo,
    /// Broker to topic.
    Serves,
    /// Child to owner.
    BelongsTo,
    /// Application to broker.
    ConnectsTo,
    /// Exchange to queue.
    RoutesTo,
    /// Group to topic.
    Processes,
}

/// From which of its ends a relationship is told or followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From source to target, by [`RelationshipKind::as_str`].
    Forward,
    /// From target to source, by [`RelationshipKind::inverse`].
    Inverse,
}

impl Direction {
    /// The other one.
    #[must_use]
    pub const fn reversed(self) -> Self {
        match self {
            Self::Forward => Self::Inverse,
            Self::Inverse => Self::Forward,
        }
    }
}

/// How many ends a relationship may have on each side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cardinality {
    /// A target has one source.
    OneToMany,
    /// A source has one target.
    ManyToOne,
    /// No bound.
    ManyToMany,
}

impl RelationshipKind {
    /// All kinds.
    pub const ALL: [Self; 13] = [
        Self::Contains,
        Self::Manages,
        Self::Hosts,
        Self::ProducesTo,
        Self::ConsumesFrom,
        Self::SubscribesTo,
        Self::CoordinatedBy,
        Self::ReplicatesTo,
        Self::Serves,
        Self::BelongsTo,
        Self::ConnectsTo,
        Self::RoutesTo,
        Self::Processes,
    ];

    /// The name in events.
    pub const fn as_str(self) -> &'static str {
        self.names().0
    }

    /// The name as seen from the target.
    pub const fn inverse(self) -> &'static str {
        self.names().1
    }

    /// The name as seen from the end at which a step in `direction` begins.
    pub const fn name(self, direction: Direction) -> &'static str {
        match direction {
            Direction::Forward => self.as_str(),
            Direction::Inverse => self.inverse(),
        }
    }

    /// The kind that is called `name` from one of its ends, and from which.
    pub fn from_name(name: &str) -> Option<(Self, Direction)> {
        let named = |direction| {
            let kind = Self::ALL.into_iter().find(|kind| kind.name(direction) == name)?;
            Some((kind, direction))
        };
        named(Direction::Forward).or_else(|| named(Direction::Inverse))
    }

    /// The direction that leads from parent to child, for the kinds that make the hierarchy.
    pub const fn down(self) -> Option<Direction> {
        match self {
            Self::Contains | Self::Manages => Some(Direction::Forward),
            Self::BelongsTo => Some(Direction::Inverse),
            _ => None,
        }
    }

    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Contains => ("CONTAINS", "CONTAINED_IN"),
            Self::Manages => ("MANAGES", "MANAGED_BY"),
            Self::Hosts => ("HOSTS", "HOSTED_ON"),
            Self::ProducesTo => ("PRODUCES_TO", "PRODUCED_BY"),
            Self::ConsumesFrom => ("CONSUMES_FROM", "CONSUMED_BY"),
            Self::SubscribesTo => ("SUBSCRIBES_TO", "SUBSCRIBED_BY"),
            Self::CoordinatedBy => ("COORDINATED_BY", "COORDINATES"),
            Self::ReplicatesTo => ("REPLICATES_TO", "REPLICATED_FROM"),
            Self::Serves => ("SERVES", "SERVED_BY"),
            Self::BelongsTo => ("BELONGS_TO", "OWNS"),
            Self::ConnectsTo => ("CONNECTS_TO", "CONNECTED_FROM"),
            Self::RoutesTo => ("ROUTES_TO", "ROUTED_FROM"),
            Self::Processes => ("PROCESSES", "PROCESSED_BY"),
        }
    }

    /// How many ends it may have.
    pub const fn cardinality(self) -> Cardinality {
        match self {
            Self::Contains | Self::Manages | Self::Hosts => Cardinality::OneToMany,
            Self::CoordinatedBy | Self::BelongsTo => Cardinality::ManyToOne,
            _ => Cardinality::ManyToMany,
        }
    }

    /// Kinds of source and target it may join; empty for kinds whose ends (services, partitions,
    /// exchanges) are no entities of ours.
    pub const fn allowed(self) -> &'static [(EntityKind, EntityKind)] {
        use EntityKind::{Broker, Cluster, ConsumerGroup, Queue, Topic};
        match self {
            Self::Contains => &[(Cluster, Topic), (Cluster, Queue), (Cluster, ConsumerGroup)],
            Self::Manages => &[(Cluster, Broker)],
            Self::ConsumesFrom | Self::SubscribesTo | Self::Processes => &[(ConsumerGroup, Topic)],
            Self::CoordinatedBy => &[(ConsumerGroup, Broker)],
            Self::ReplicatesTo => &[(Broker, Broker)],
            Self::Serves => &[(Broker, Topic)],
            Self::BelongsTo => {
                &[(Broker, Cluster), (Topic, Cluster), (Queue, Cluster), (ConsumerGroup, Cluster)]
            }
            Self::Hosts | Self::ProducesTo | Self::ConnectsTo | Self::RoutesTo => &[],
        }
    }
}

/// One relationship.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Relationship {
    /// From.
    pub source: EntityGuid,
    /// What.
    pub kind: RelationshipKind,
    /// To.
    pub target: EntityGuid,
}

/// Why a relationship cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RelationshipError {
    /// Both ends are the same entity.
    #[error("{entity} {} itself", .kind.as_str())]
    SelfLoop {
        /// Both ends.
        entity: EntityGuid,
        /// What.
        kind: RelationshipKind,
    },
    /// The ends belong to different accounts.
    #[error("{} joins {source_end} and {target} of different accounts", .kind.as_str())]
    CrossAccount {
        /// From.
        source_end: EntityGuid,
        /// What.
        kind: RelationshipKind,
        /// To.
        target: EntityGuid,
    },
    /// The kind does not join such ends.
    #[error("{} does not join {} to {}", .kind.as_str(), .from.type_name(), .to.type_name())]
    PairNotAllowed {
        /// What.
        kind: RelationshipKind,
        /// Kind of the source.
        from: EntityKind,
        /// Kind of the target.
        to: EntityKind,
    },
    /// More ends than the cardinality allows.
    #[error("{entity} has a second {role} by {}: {second}", .kind.as_str())]
    Cardinality {
        /// What.
        kind: RelationshipKind,
        /// The end that may have one only.
        entity: EntityGuid,
        /// `source` or `target`.
        role: &'static str,
        /// The one too many.
        second: EntityGuid,
    },
}

impl Relationship {
    /// A relationship between two entities.
    ///
    /// # Errors
    /// Self-loop, two accounts, or kinds that `kind` does not join.
    pub fn new(
        source: EntityGuid,
        kind: RelationshipKind,
        target: EntityGuid,
    ) -> Result<Self, RelationshipError> {
        if source == target {
            return Err(RelationshipError::SelfLoop { entity: source, kind });
        }
        if source.account() != target.account() {
            return Err(RelationshipError::CrossAccount { source_end: source, kind, target });
        }
        let (from, to) = (source.kind(), target.kind());
        if !kind.allowed().contains(&(from, to)) {
            return Err(RelationshipError::PairNotAllowed { kind, from, to });
        }
        Ok(Self { source, kind, target })
    }
}

/// Checks that no entity has more ends of a kind than its cardinality allows.
///
/// # Errors
/// The first entity, in the order given, that has one too many.
pub fn check_cardinality<'a>(
    relationships: impl IntoIterator<Item = &'a Relationship>,
) -> Result<(), RelationshipError> {
    let mut single: BTreeMap<(RelationshipKind, EntityGuid), EntityGuid> = BTreeMap::new();
    for &Relationship { source, kind, target } in relationships {
        let (entity, other, role) = match kind.cardinality() {
            Cardinality::ManyToMany => continue,
            Cardinality::OneToMany => (target, source, "source"),
            Cardinality::ManyToOne => (source, target, "target"),
        };
        let first = *single.entry((kind, entity)).or_insert(other);
        if first != other {
            return Err(RelationshipError::Cardinality { kind, entity, role, second: other });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guid(account: u64, kind: EntityKind, digit: char) -> EntityGuid {
        let identifier = digit.to_string().repeat(32);
        let text = format!("{account}|INFRA|{}|{identifier}", kind.type_name());
        EntityGuid::parse_readable(&text).unwrap()
    }

    #[test]
    fn kinds() {
        let mut names = std::collections::BTreeSet::new();
        for kind in RelationshipKind::ALL {
            assert!(names.insert(kind.as_str()) && names.insert(kind.inverse()), "{kind:?}");
        }
        assert_eq!(RelationshipKind::ConsumesFrom.inverse(), "CONSUMED_BY", "not PRODUCES_TO");
        for direction in [Direction::Forward, Direction::Inverse] {
            assert_eq!(direction.reversed().reversed(), direction);
            for kind in RelationshipKind::ALL {
                let read = RelationshipKind::from_name(kind.name(direction));
                assert_eq!(read, Some((kind, direction)));
            }
        }
        assert_eq!(RelationshipKind::from_name("PARTITIONED_INTO"), None);
    }

    #[test]
    fn ends() {
        use EntityKind::{Broker, Cluster, ConsumerGroup, Topic};
        use RelationshipKind::{ConsumesFrom, Contains, CoordinatedBy, Manages, ReplicatesTo};
        let cases = [
            (guid(1, Cluster, 'a'), Manages, guid(1, Broker, 'b'), ""),
            (guid(1, Cluster, 'a'), Contains, guid(1, Topic, 'b'), ""),
            (guid(1, Cluster, 'a'), Contains, guid(1, ConsumerGroup, 'a'), ""),
            (guid(1, ConsumerGroup, 'a'), ConsumesFrom, guid(1, Topic, 'b'), ""),
            (guid(1, ConsumerGroup, 'a'), CoordinatedBy, guid(1, Broker, 'b'), ""),
            (guid(1, Cluster, 'a'), Contains, guid(1, Broker, 'b'), "does not join"),
            (guid(1, Topic, 'a'), ConsumesFrom, guid(1, ConsumerGroup, 'b'), "does not join"),
            (guid(1, Broker, 'a'), ReplicatesTo, guid(1, Broker, 'a'), "itself"),
            (guid(1, Cluster, 'a'), Manages, guid(2, Broker, 'b'), "different accounts"),
        ];
        for (source, kind, target, expected) in cases {
            let result = Relationship::new(source, kind, target);
            let message = result.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(message.contains(expected) && message.is_empty() == expected.is_empty());
        }
    }

    #[test]
    fn cardinality() {
        use EntityKind::{Broker, Cluster, ConsumerGroup, Topic};
        use RelationshipKind::{ConsumesFrom, Contains, CoordinatedBy};
        let (one, two) = (guid(1, Cluster, '1'), guid(1, Cluster, '2'));
        let (topic, group) = (guid(1, Topic, '3'), guid(1, ConsumerGroup, '4'));
        let (left, right) = (guid(1, Broker, '5'), guid(1, Broker, '6'));
        let of = |source, kind, target| Relationship { source, kind, target };
        let cases = [
            (vec![of(one, Contains, topic), of(one, Contains, group)], true),
            (vec![of(one, Contains, topic), of(one, Contains, topic)], true),
            (vec![of(one, Contains, topic), of(two, Contains, topic)], false),
            (vec![of(group, CoordinatedBy, left), of(group, CoordinatedBy, right)], false),
            (vec![of(group, ConsumesFrom, topic), of(one, ConsumesFrom, topic)], true),
        ];
        for (relationships, expected) in cases {
            let result = check_cardinality(&relationships);
            assert_eq!(result.is_ok(), expected, "{result:?}");
        }
    }
}
