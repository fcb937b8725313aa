//! Where the GUIDs of a rule's ends come from.

use serde_saphyr::Spanned;

use super::{Loader, place};
use crate::definitions::Source;
use crate::definitions::relationship::model::{
    AccountOf, BuildGuid, Capture, FieldValue, Fragment, FragmentSource, LookupField, Resolver,
    TextOperation, TypeHint,
};
use crate::definitions::relationship::schema::{
    RawAccount, RawBuild, RawCapture, RawExtract, RawField, RawFragment, RawLookup, RawOperation,
    RawResolver, RawValue,
};

const HASHES: [(&str, bool); 2] = [("FARM_HASH", true), ("IDENTITY", false)];
const OPERATIONS: [(&str, TextOperation); 2] =
    [("toUpperCase", TextOperation::Upper), ("toLowerCase", TextOperation::Lower)];

impl Loader {
    pub(super) fn resolver(
        &mut self,
        source: Source<'_>,
        end: &str,
        raw: Spanned<RawResolver>,
    ) -> Option<Resolver> {
        let at = place(source, raw.referenced);
        let RawResolver { extract_guid, build_guid, lookup_guid } = raw.value;
        match (extract_guid, build_guid, lookup_guid) {
            (Some(extract), None, None) => self.extract(source, extract),
            (None, Some(build), None) => {
                self.build(source, build).map(|build| Resolver::Build(Box::new(build)))
            }
            (None, None, Some(lookup)) => self.lookup(source, lookup),
            _ => {
                let problem =
                    format!("the {end} takes exactly one of extractGuid, buildGuid and lookupGuid");
                self.error(at, problem, "give one of them");
                None
            }
        }
    }

    fn extract(&mut self, source: Source<'_>, raw: RawExtract) -> Option<Resolver> {
        let entity_type = match raw.entity_type {
            None => None,
            Some(hint) => Some(match self.value(source, "entityType", hint)? {
                FieldValue::Value(value) => TypeHint::Value(value),
                FieldValue::Attribute(attribute) => TypeHint::Attribute(attribute),
            }),
        };
        Some(Resolver::Extract { attribute: raw.attribute, entity_type })
    }

    /// Exactly one of a text and an attribute.
    fn value(
        &mut self,
        source: Source<'_>,
        what: &str,
        raw: Spanned<RawValue>,
    ) -> Option<FieldValue> {
        match (raw.value.value, raw.value.attribute) {
            (Some(value), None) => Some(FieldValue::Value(value)),
            (None, Some(attribute)) => Some(FieldValue::Attribute(attribute)),
            _ => {
                let problem = format!("`{what}` takes exactly one of value and attribute");
                self.error(place(source, raw.referenced), problem, "give one of them");
                None
            }
        }
    }

    fn build(&mut self, source: Source<'_>, raw: RawBuild) -> Option<BuildGuid> {
        let account = self.account(source, raw.account);
        let domain_at = place(source, raw.domain.referenced);
        let domain = self.value(source, "domain", raw.domain);
        if let Some(FieldValue::Value(value)) = &domain
            && !is_name(value, 15)
        {
            let fix = "use 3 to 15 of A-Z, 0-9 and _, beginning with a letter";
            self.error(domain_at, format!("domain `{value}`"), fix);
        }
        let type_at = raw.entity_type.referenced;
        let in_guid = raw.entity_type.value.value_in_guid;
        let parts = RawValue {
            value: raw.entity_type.value.value,
            attribute: raw.entity_type.value.attribute,
        };
        let spanned = Spanned { value: parts, referenced: type_at, defined: type_at };
        let entity_type = self.value(source, "type", spanned);
        let in_type = match &entity_type {
            Some(FieldValue::Value(value)) => Some(value),
            _ => None,
        };
        for value in in_type.into_iter().chain(&in_guid) {
            if value != "NA" && !is_name(value, 50) {
                let fix = "use 3 to 50 of A-Z, 0-9 and _, beginning with a letter, or NA";
                self.error(place(source, type_at), format!("type `{value}`"), fix);
            }
        }
        let hashed = match raw.identifier.hash_algorithm {
            None => Some(false),
            Some(word) => self.word(source, "hash algorithm", &word, &HASHES),
        };
        let fragments = self.fragments(source, raw.identifier.fragments);
        Some(BuildGuid {
            account: account?,
            domain: domain?,
            entity_type: entity_type?,
            type_in_guid: in_guid,
            fragments: fragments?,
            hashed: hashed?,
        })
    }

    fn account(&mut self, source: Source<'_>, raw: Spanned<RawAccount>) -> Option<AccountOf> {
        match (raw.value.attribute, raw.value.lookup) {
            (Some(attribute), None) => Some(AccountOf::Attribute(attribute)),
            (None, Some(true)) => Some(AccountOf::Lookup),
            _ => {
                let at = place(source, raw.referenced);
                let problem = "`account` takes exactly one of attribute and `lookup: true`";
                self.error(at, problem, "give one of them");
                None
            }
        }
    }

    fn fragments(
        &mut self,
        source: Source<'_>,
        raw: Spanned<Vec<Spanned<RawFragment>>>,
    ) -> Option<Vec<Fragment>> {
        if raw.value.is_empty() {
            self.error(place(source, raw.referenced), "the identifier is empty", "add a fragment");
            return None;
        }
        let count = raw.value.len();
        let read: Vec<_> =
            raw.value.into_iter().filter_map(|raw| self.fragment(source, raw)).collect();
        (read.len() == count).then_some(read)
    }

    fn fragment(&mut self, source: Source<'_>, raw: Spanned<RawFragment>) -> Option<Fragment> {
        let RawFragment { value, attribute, capture, operations } = raw.value;
        let at = raw.referenced;
        let from = match (value, attribute, capture) {
            (Some(value), None, None) => FragmentSource::Value(value),
            (None, Some(attribute), None) => FragmentSource::Attribute(attribute),
            (None, None, Some(capture)) => FragmentSource::Capture(self.capture(source, capture)?),
            _ => {
                let problem = "a fragment takes exactly one of value, attribute and capture";
                self.error(place(source, at), problem, "give one of them");
                return None;
            }
        };
        Some(Fragment { source: from, operations: self.operations(source, operations)? })
    }

    fn capture(&mut self, source: Source<'_>, raw: RawCapture) -> Option<Capture> {
        let pattern = self.pattern(source, &raw.regex, false)?;
        if pattern.groups() == 0 {
            let problem = format!("the capture `{}` has no group", raw.regex.value);
            let fix = "put the part that you mean in parentheses";
            self.warn(place(source, raw.regex.referenced), problem, fix);
        }
        Some(Capture { attribute: raw.attribute, pattern })
    }

    fn operations(
        &mut self,
        source: Source<'_>,
        raw: Vec<RawOperation>,
    ) -> Option<Vec<TextOperation>> {
        let count = raw.len();
        let read: Vec<_> = raw
            .into_iter()
            .filter_map(|raw| self.word(source, "operation", &raw.operation, &OPERATIONS))
            .collect();
        (read.len() == count).then_some(read)
    }

    fn lookup(&mut self, source: Source<'_>, raw: RawLookup) -> Option<Resolver> {
        let at = place(source, raw.fields.referenced);
        let count = raw.fields.value.len();
        if count == 0 {
            self.error(at, "the lookup knows no field of the entity", "add one under `fields`");
            return None;
        }
        let mut fields: Vec<LookupField> = Vec::with_capacity(count);
        for raw in raw.fields.value {
            let at = place(source, raw.referenced);
            let RawField { field, value, attribute, capture, operations } = raw.value;
            if fields.iter().any(|other| other.field == field) {
                self.error(at, format!("field `{field}` is given twice"), "remove one of them");
                continue;
            }
            let fragment = RawFragment { value, attribute, capture, operations };
            let (referenced, defined) = (raw.referenced, raw.defined);
            let fragment = Spanned { value: fragment, referenced, defined };
            if let Some(Fragment { source, operations }) = self.fragment(source, fragment) {
                fields.push(LookupField { field, source, operations });
            }
        }
        let category = raw.candidate_category.value;
        (fields.len() == count).then_some(Resolver::Lookup { category, fields })
    }
}

/// `^[A-Z][A-Z0-9_]{2,}$`, at most `longest` characters.
pub(super) fn is_name(text: &str, longest: usize) -> bool {
    (3..=longest).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.chars().all(|c| matches!(c, 'A'..='Z' | '0'..='9' | '_'))
}
