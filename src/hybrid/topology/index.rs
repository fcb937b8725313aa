//! Where the keys of a topology stand: a look-up that costs about the same among a hundred keys as
//! among a hundred thousand.
//!
//! What a look-up in a large table waits for is memory: the table, the key and the key's texts lie
//! far apart. So all keys are written one behind the other as bytes, which are compared at once,
//! and the table has a part of each key's hash beside its place. Many keys are looked up in blocks:
//! the places of a whole block are fetched before the first key is compared, so that the waits
//! overlap. Keys that come in the order of the topology are compared with the next one, and need
//! neither bytes nor table.
//!
//! Invariants:
//! - Bytes are equal if and only if the keys are: a part ends with 0xFF, which is in no text, and
//!   the kind says how many parts follow.
//! - A hash only suggests a place; what is found was compared in full.

use std::hash::BuildHasher as _;

use hashbrown::HashTable;
use smallvec::SmallVec;

use super::FixedHasher;
use crate::domain::entity::EntityKey;
use crate::domain::provider::Provider;

/// Ends a part; UTF-8 has no such byte.
const END: u8 = 0xFF;
/// Keys that are looked up together.
const BLOCK: usize = 64;
/// After so many keys in a row that are not the next one, the block counts as unsorted.
const STRAYS_MAX: usize = 8;

/// Places of keys in a list.
#[derive(Debug, Clone, Default)]
pub(super) struct KeyIndex {
    table: HashTable<Slot>,
    /// Where the bytes of each key begin, and at last where those of the last one end.
    starts: Vec<u32>,
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    /// Bits of the hash that the table itself does not use.
    tag: u32,
    place: u32,
}

/// Keys of one block, as bytes.
#[derive(Default)]
struct Block {
    bytes: Vec<u8>,
    /// Where the bytes of each key begin and end.
    spans: Vec<(usize, usize)>,
}

impl Block {
    fn fill<'k>(&mut self, keys: impl Iterator<Item = &'k EntityKey>) {
        self.bytes.clear();
        self.spans.clear();
        for key in keys {
            let start = self.bytes.len();
            write(key, |part| self.bytes.extend_from_slice(part));
            self.spans.push((start, self.bytes.len()));
        }
    }

    fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.spans.iter().map(|(start, end)| &self.bytes[*start..*end])
    }
}

impl KeyIndex {
    /// The index of `keys`, of which none is there twice.
    pub(super) fn new(keys: &[EntityKey]) -> Self {
        let mut index = Self {
            table: HashTable::with_capacity(keys.len()),
            starts: Vec::with_capacity(keys.len() + 1),
            bytes: Vec::new(),
        };
        index.starts.push(0);
        for (place, key) in keys.iter().enumerate() {
            write(key, |part| index.bytes.extend_from_slice(part));
            index.starts.push(narrow(index.bytes.len()));
            let hash = hash(index.at(narrow(place)));
            let slot = Slot { tag: tag(hash), place: narrow(place) };
            let Self { table, starts, bytes } = &mut index;
            table.insert_unique(hash, slot, |slot| self::hash(span(starts, bytes, slot.place)));
        }
        index.bytes.shrink_to_fit();
        index
    }

    /// Place of `key`.
    pub(super) fn find(&self, key: &EntityKey) -> Option<usize> {
        let mut bytes = SmallVec::<[u8; 128]>::new();
        write(key, |part| bytes.extend_from_slice(part));
        self.find_bytes(&bytes, hash(&bytes))
    }

    /// Tells for each of `items` its place among `keys`, of which this is the index, in the order
    /// of the items.
    pub(super) fn find_each<'i, T>(
        &self,
        keys: &[EntityKey],
        items: &'i [T],
        key: impl Fn(&T) -> &EntityKey,
        mut tell: impl FnMut(&'i T, Option<usize>),
    ) {
        let mut block = Block::default();
        let (mut next, mut strays) = (0, 0);
        for chunk in items.chunks(BLOCK) {
            let mut found = [None; BLOCK];
            // A block that was unsorted is followed by another chance for its first key alone.
            strays = strays.min(STRAYS_MAX - 1);
            let mut done = 0;
            while done < chunk.len() && strays < STRAYS_MAX {
                let key = key(&chunk[done]);
                let is_next = keys.get(next) == Some(key);
                strays = if is_next { 0 } else { strays + 1 };
                found[done] = if is_next { Some(next) } else { self.find(key) };
                next = found[done].map_or(next, |place| place + 1);
                done += 1;
            }
            if done < chunk.len() {
                block.fill(chunk[done..].iter().map(&key));
                self.find_block(&block, &mut found[done..]);
                let last = found.iter().rev().find_map(|place| *place);
                next = last.map_or(next, |place| place + 1);
            }
            for (item, place) in chunk.iter().zip(found) {
                tell(item, place);
            }
        }
    }

    /// Looks up the keys of `block`, in any order.
    fn find_block(&self, block: &Block, found: &mut [Option<usize>]) {
        let mut hashes = [0; BLOCK];
        for (hash, key) in hashes.iter_mut().zip(block.keys()) {
            *hash = self::hash(key);
        }
        let mut suggested = [None; BLOCK];
        for ((suggested, key), hash) in suggested.iter_mut().zip(block.keys()).zip(hashes) {
            *suggested = self.suggest(key, hash);
        }
        let asked = block.keys().zip(hashes).zip(suggested);
        for (found, ((key, hash), suggested)) in found.iter_mut().zip(asked) {
            *found = match suggested {
                None => None,
                Some(place) if self.at(place) == key => Some(place as usize),
                // Another key with the same tag stood before it.
                Some(_) => self.find_bytes(key, hash),
            };
        }
    }

    /// A place where these bytes may be, if they are anywhere. Looking at the first and the last of
    /// those that are there fetches them, while the places of other keys are looked up.
    fn suggest(&self, bytes: &[u8], hash: u64) -> Option<u32> {
        let tag = tag(hash);
        let place = self.table.find(hash, |slot| slot.tag == tag)?.place;
        let there = self.at(place);
        let is_alike = there.first() == bytes.first() && there.last() == bytes.last();
        if is_alike { Some(place) } else { self.find_bytes(bytes, hash).map(narrow) }
    }

    fn find_bytes(&self, bytes: &[u8], hash: u64) -> Option<usize> {
        let tag = tag(hash);
        let slot = self.table.find(hash, |slot| slot.tag == tag && self.at(slot.place) == bytes);
        slot.map(|slot| slot.place as usize)
    }

    /// The bytes of the key at `place`.
    fn at(&self, place: u32) -> &[u8] {
        span(&self.starts, &self.bytes, place)
    }
}

fn span<'b>(starts: &[u32], bytes: &'b [u8], place: u32) -> &'b [u8] {
    &bytes[starts[place as usize] as usize..starts[place as usize + 1] as usize]
}

fn hash(bytes: &[u8]) -> u64 {
    FixedHasher::default().hash_one(bytes)
}

/// The table takes the lowest bits for the place and the highest seven for its own marks.
fn tag(hash: u64) -> u32 {
    (hash >> 25) as u32
}

/// A topology is a file that fits into memory many times over.
fn narrow(number: usize) -> u32 {
    u32::try_from(number).expect("the keys of a topology take less than 4 GiB")
}

/// Gives `push` the bytes of `key`.
fn write(key: &EntityKey, mut push: impl FnMut(&[u8])) {
    let mut part = |text: &str| {
        push(text.as_bytes());
        push(&[END]);
    };
    match key.provider() {
        Provider::Kafka => part("k"),
        Provider::RabbitMq => part("r"),
        Provider::Sqs => part("s"),
        // The empty part makes it another than any known one, whatever its name.
        Provider::Other(name) => {
            part("");
            part(name);
        }
    }
    part(key.cluster());
    match key {
        EntityKey::Cluster { .. } => {}
        EntityKey::Queue { vhost, queue, .. } => {
            part(vhost);
            part(queue);
        }
        EntityKey::Broker { .. } | EntityKey::Topic { .. } | EntityKey::Group { .. } => {
            part(key.name());
        }
    }
    push(&[key.kind() as u8]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn some_key() -> impl Strategy<Value = EntityKey> {
        let text =
            || proptest::sample::select(&["", "a", "b", "ab", "k", "kafka", "ä", "\u{0}"][..]);
        (0..5_u8, 0..5_u8, text(), text(), text()).prop_map(|(kind, provider, one, two, three)| {
            let provider = match provider {
                0 => Provider::Kafka,
                1 => Provider::RabbitMq,
                2 => Provider::Sqs,
                _ => Provider::Other(three.to_owned()),
            };
            let (cluster, name) = (one.to_owned(), two.to_owned());
            match kind {
                0 => EntityKey::Cluster { provider, cluster },
                1 => EntityKey::Broker { provider, cluster, broker_id: name },
                2 => EntityKey::Topic { provider, cluster, topic: name },
                3 => EntityKey::Queue { provider, cluster, vhost: name, queue: three.to_owned() },
                _ => EntityKey::Group { provider, cluster, group: name },
            }
        })
    }

    fn bytes(key: &EntityKey) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(key, |part| bytes.extend_from_slice(part));
        bytes
    }

    proptest! {
        #[test]
        fn bytes_tell_keys_apart(one in some_key(), other in some_key()) {
            prop_assert_eq!(bytes(&one) == bytes(&other), one == other);
        }

        #[test]
        fn every_key_is_found_where_it_stands(
            keys in proptest::collection::btree_set(some_key(), 0..300),
            asked in proptest::collection::vec(some_key(), 0..300),
        ) {
            let keys: Vec<EntityKey> = keys.into_iter().collect();
            let index = KeyIndex::new(&keys);
            // Runs in the order of the topology, and strangers between them.
            let half = asked.len() / 2;
            let asked: Vec<EntityKey> =
                [&asked[..half], &keys, &asked[half..], &keys[keys.len() / 3..]].concat();
            let expected = |key: &EntityKey| keys.binary_search(key).ok();
            let mut told = Vec::new();
            index.find_each(&keys, &asked, |key| key, |key, place| told.push((key.clone(), place)));
            let wanted: Vec<_> = asked.iter().map(|key| (key.clone(), expected(key))).collect();
            prop_assert_eq!(told, wanted);
            for key in &asked {
                prop_assert_eq!(index.find(key), expected(key));
            }
        }
    }
}
