//! Which scenarios are meant.

use std::path::PathBuf;

use gherkin::tagexpr::TagOperation;

use crate::bdd::suite::Trial;

/// Which scenarios are meant.
pub(super) struct Selection {
    places: Vec<(PathBuf, Option<usize>)>,
    tags: Option<TagOperation>,
    name: Option<String>,
}

impl Selection {
    /// Of the command line.
    ///
    /// # Errors
    /// A tag expression that is none.
    pub(super) fn new(
        paths: &[String],
        tags: Option<&str>,
        name: Option<&str>,
    ) -> Result<Self, String> {
        let tags = tags.map(|text| {
            let parsed = text.parse::<TagOperation>();
            parsed.map_err(|error| {
                format!(
                    "`{text}` is no tag expression: {error}\nhelp: write for example `@slow`, \
                     `not @slow` or `@a and (@b or @c)`"
                )
            })
        });
        Ok(Self {
            places: paths.iter().map(|path| place(path)).collect(),
            tags: tags.transpose()?,
            name: name.map(str::to_lowercase),
        })
    }

    /// The files and folders, each once.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = Vec::new();
        for (path, _) in &self.places {
            if !files.contains(path) {
                files.push(path.clone());
            }
        }
        files
    }

    /// Whether `trial` is meant.
    pub(super) fn takes(&self, trial: &Trial) -> bool {
        let file = PathBuf::from(&trial.file);
        let is_here = self.places.iter().any(|(path, line)| {
            file.starts_with(path) && line.is_none_or(|line| trial.is_at(line))
        });
        let tags: Vec<&str> = trial.tags.iter().map(|tag| tag.trim_start_matches('@')).collect();
        let is_tagged = self.tags.as_ref().is_none_or(|wanted| holds(wanted, &tags));
        let name = trial.name().to_lowercase();
        is_here && is_tagged && self.name.as_deref().is_none_or(|wanted| name.contains(wanted))
    }
}

/// `FILE:LINE`; what ends with no number, or is a file of that name, is a path.
fn place(text: &str) -> (PathBuf, Option<usize>) {
    let split = text.rsplit_once(':').and_then(|(path, line)| Some((path, line.parse().ok()?)));
    match split {
        Some((path, line)) if !PathBuf::from(text).exists() => (PathBuf::from(path), Some(line)),
        _ => (PathBuf::from(text), None),
    }
}

/// Whether a tag expression holds of a scenario's tags, without their `@`.
fn holds(wanted: &TagOperation, tags: &[&str]) -> bool {
    match wanted {
        TagOperation::And(left, right) => holds(left, tags) && holds(right, tags),
        TagOperation::Or(left, right) => holds(left, tags) || holds(right, tags),
        TagOperation::Not(inner) => !holds(inner, tags),
        TagOperation::Tag(tag) => tags.contains(&tag.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_choose_by_tags() {
        let check = |text: &str, tags: &[&str], expected: bool| {
            let wanted: TagOperation = text.parse().unwrap();
            assert_eq!(holds(&wanted, tags), expected, "{text} of {tags:?}");
        };
        check("@a", &["a"], true);
        check("@a", &["b"], false);
        check("not @a", &[], true);
        check("@a and (@b or @c)", &["a", "c"], true);
        check("@a and (@b or @c)", &["a"], false);
        let bad = Selection::new(&[], Some("@a and"), None).err();
        assert!(bad.is_some_and(|why| why.contains("no tag expression")));
    }

    #[test]
    fn a_place_is_a_path_and_perhaps_a_line() {
        assert_eq!(place("f.feature:12"), (PathBuf::from("f.feature"), Some(12)));
        assert_eq!(place("f.feature"), (PathBuf::from("f.feature"), None));
        assert_eq!(place("c:x"), (PathBuf::from("c:x"), None));
    }
}
