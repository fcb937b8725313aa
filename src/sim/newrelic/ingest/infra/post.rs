//! Bodies of `events/bulk` to posts: an array of objects, one per entity, with their events.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::sim::newrelic::ingest::body::{Name, SentAttributes, Unreadable};
use crate::sim::newrelic::ingest::event::{EventSeed, SentEvents};

/// The events of one entity.
#[derive(Debug, Default)]
pub(super) struct SentPost<'a> {
    external_keys: Vec<Cow<'a, str>>,
    /// The entity is the agent's own host.
    pub(super) is_agent: bool,
    events: Range<usize>,
}

impl SentPost<'_> {
    /// The key of the entity, when it is not the agent's own.
    pub(super) fn external_key(&self) -> Option<&str> {
        self.external_keys.first().map(|key| &**key)
    }
}

/// A whole body.
#[derive(Debug, Default)]
pub(super) struct SentPosts<'a> {
    pub(super) posts: Vec<SentPost<'a>>,
    events: SentEvents<'a>,
}

impl<'a> SentPosts<'a> {
    /// Parses a whole body.
    pub(super) fn parse(json: &'a [u8]) -> Result<Self, Unreadable> {
        let mut posts = SentPosts::default();
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        deserializer
            .deserialize_seq(Posts(&mut posts))
            .and_then(|()| deserializer.end())
            .map_err(|error| Unreadable::Json(error.to_string()))?;
        Ok(posts)
    }

    /// The events of a post.
    pub(super) fn events_of(
        &self,
        post: &SentPost<'_>,
    ) -> impl Iterator<Item = &SentAttributes<'a>> {
        post.events.clone().map(|at| self.events.get(at))
    }
}

struct Posts<'p, 'a>(&'p mut SentPosts<'a>);

impl<'de> Visitor<'de> for Posts<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of posts")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(post) = seq.next_element_seed(Post(&mut self.0.events))? {
            self.0.posts.push(post);
        }
        Ok(())
    }
}

struct Post<'e, 'a>(&'e mut SentEvents<'a>);

impl<'de> DeserializeSeed<'de> for Post<'_, 'de> {
    type Value = SentPost<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Post<'_, 'de> {
    type Value = SentPost<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a post: an object with Events")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut post = SentPost::default();
        while let Some(key) = map.next_key_seed(Name)? {
            match &*key {
                "ExternalKeys" => post.external_keys = map.next_value()?,
                "IsAgent" => post.is_agent = map.next_value()?,
                "Events" => post.events = map.next_value_seed(Events(self.0))?,
                _ => {
                    map.next_value::<de::IgnoredAny>()?;
                }
            }
        }
        Ok(post)
    }
}

struct Events<'e, 'a>(&'e mut SentEvents<'a>);

impl<'de> DeserializeSeed<'de> for Events<'_, 'de> {
    type Value = Range<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Events<'_, 'de> {
    type Value = Range<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let begin = self.0.len();
        while seq.next_element_seed(EventSeed(self.0))?.is_some() {}
        Ok(begin..self.0.len())
    }
}
