//! One file of candidates.

use serde_saphyr::Spanned;

use super::resolver::is_name;
use super::{Loader, place};
use crate::definitions::relationship::candidates::{
    Candidates, Lookup, LookupMode, OnMiss, OnMultiple, Predicate, Property,
};
use crate::definitions::relationship::engine::EntityKind;
use crate::definitions::relationship::schema::{
    RawCandidateLookup, RawCandidates, RawKind, RawOnMiss,
};
use crate::definitions::{Place, Source};

const MODES: [(&str, LookupMode); 3] =
    [("ALL", LookupMode::All), ("ANY", LookupMode::Any), ("FIRST", LookupMode::First)];
/// The schema has the first two, the documents the others.
const ON_MULTIPLE: [(&str, OnMultiple); 4] = [
    ("RELATE_ALL", OnMultiple::RelateAll),
    ("DISCARD_ALL", OnMultiple::DiscardAll),
    ("ALL", OnMultiple::RelateAll),
    ("ONLY_ONE", OnMultiple::OnlyOne),
];
/// Whether an entity is made; the documents write DISCARD for NO_OP.
const ON_MISS: [(&str, bool); 3] =
    [("CREATE_UNINSTRUMENTED", true), ("NO_OP", false), ("DISCARD", false)];

impl Loader {
    pub(super) fn candidate_category(&mut self, source: Source<'_>, raw: RawCandidates) {
        let at = place(source, raw.category.referenced);
        let category = raw.category.value;
        if let Some(first) = self.candidates.get(&category) {
            let problem = format!("category `{category}` is defined at {} already", first.place);
            self.error(at, problem, "choose another name");
            return;
        }
        let file = source.path.rsplit_once('/').map_or(source.path, |(_, file)| file);
        let stem = file.split_once('.').map_or(file, |(stem, _)| stem);
        if stem != category {
            let problem = format!("file `{file}` holds the category `{category}`");
            self.warn(at.clone(), problem, format!("name the file `{category}.yml`"));
        }
        if raw.lookups.value.is_empty() {
            let at = place(source, raw.lookups.referenced);
            self.error(at, format!("category `{category}` has no lookup"), "add one");
        }
        let lookups = raw.lookups.value.into_iter();
        let lookups = lookups.filter_map(|raw| self.candidate_lookup(source, raw)).collect();
        self.candidates.insert(category.clone(), Candidates { category, place: at, lookups });
    }

    fn candidate_lookup(
        &mut self,
        source: Source<'_>,
        raw: Spanned<RawCandidateLookup>,
    ) -> Option<Lookup> {
        let at = place(source, raw.referenced);
        let raw = raw.value;
        let kinds = self.kinds(&at, raw.entity_types);
        let (mode, predicates): (_, Vec<Predicate>) = match (raw.tags, raw.attributes) {
            (Some(tags), None) => {
                let predicates = tags.predicates.into_iter().map(|raw| Predicate {
                    properties: raw.tag_keys.into_iter().map(Property::Tag).collect(),
                    field: raw.field,
                });
                (tags.matching_mode, predicates.collect())
            }
            (None, Some(attributes)) => {
                let predicates = attributes.predicates.into_iter().map(|raw| Predicate {
                    properties: raw.attribute_keys.into_iter().map(property).collect(),
                    field: raw.field,
                });
                (attributes.matching_mode, predicates.collect())
            }
            _ => {
                let problem = "a lookup takes exactly one of tags and attributes";
                self.error(at, problem, "give one of them");
                return None;
            }
        };
        if predicates.is_empty() || predicates.iter().any(|p| p.properties.is_empty()) {
            let problem = "a lookup needs predicates, each with a key";
            self.error(at, problem, "add what the entity must have");
            return None;
        }
        let mode = self.word(source, "matching mode", &mode, &MODES);
        let multiple = &raw.on_match.on_multiple_matches;
        let on_multiple = self.word(source, "onMultipleMatches", multiple, &ON_MULTIPLE);
        let on_miss = self.on_miss(source, raw.on_miss);
        Some(Lookup {
            kinds: kinds?,
            mode: mode?,
            predicates,
            on_multiple: on_multiple?,
            on_miss: on_miss?,
        })
    }

    fn kinds(&mut self, at: &Place, raw: Vec<RawKind>) -> Option<Vec<EntityKind>> {
        if raw.is_empty() {
            self.error(at.clone(), "a lookup needs entityTypes", "name at least one");
            return None;
        }
        let mut kinds = Vec::with_capacity(raw.len());
        for kind in raw {
            let (domain, entity_type) = match kind {
                RawKind::Parts(parts) => (parts.domain, parts.entity_type),
                RawKind::Text(text) => match text.split_once('-') {
                    Some((domain, kind)) => (Some(domain.to_owned()), kind.to_owned()),
                    None => (None, text),
                },
            };
            if !domain.as_deref().is_none_or(|domain| is_name(domain, 15))
                || !is_name(&entity_type, 50)
            {
                let domain = domain.map_or_else(String::new, |domain| format!("{domain}-"));
                let problem = format!("entity type `{domain}{entity_type}`");
                self.error(at.clone(), problem, "write DOMAIN-TYPE in capitals");
                return None;
            }
            kinds.push(EntityKind { domain, entity_type });
        }
        Some(kinds)
    }

    fn on_miss(&mut self, source: Source<'_>, raw: RawOnMiss) -> Option<OnMiss> {
        let creates = self.word(source, "onMiss action", &raw.action, &ON_MISS)?;
        if !creates {
            return Some(OnMiss::NoOp);
        }
        let Some(made) = raw.uninstrumented else {
            let at = place(source, raw.action.referenced);
            let problem = "CREATE_UNINSTRUMENTED does not say what to create";
            self.error(at, problem, "add `uninstrumented: {type: …}`");
            return None;
        };
        Some(OnMiss::CreateUninstrumented(made.entity_type))
    }
}

/// `tags.aws.region` is the tag `aws.region`; anything else a field of the entity.
fn property(key: String) -> Property {
    match key.strip_prefix("tags.") {
        Some(tag) => Property::Tag(tag.to_owned()),
        None => Property::Attribute(key),
    }
}
