//! The tags that feature files may use.
//!
//! A tag that nobody knows is a filter that silently finds nothing. So tags are written down once:
//! in the file `tags.toml` beside the feature files or in a folder above them.

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Unreadable;
use crate::config::toml_file::TomlFile;

/// Tags that every suite knows.
const OWN: [(&str, &str); 2] = [
    ("regression", "a failure that was found once and must not come back"),
    ("slow", "takes longer than ten seconds"),
];
/// Where a suite's own tags stand.
const FILE: &str = "tags.toml";

/// Known tags, without their `@`, and what they mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tags(BTreeMap<String, String>);

/// The file of a suite's own tags.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TagsFile {
    /// Tags without their `@`, and what they mean.
    tags: BTreeMap<String, String>,
}

impl Default for Tags {
    fn default() -> Self {
        Self(OWN.iter().map(|(tag, meaning)| ((*tag).into(), (*meaning).into())).collect())
    }
}

impl Tags {
    /// Those of the feature file at `path`: of the nearest `tags.toml` in its folder or above.
    ///
    /// # Errors
    /// That file is wrong.
    pub fn of(path: &Path) -> Result<Self, Unreadable> {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let mut tags = Self::default();
        let candidates = absolute.ancestors().skip(1).map(|folder| folder.join(FILE));
        if let Some(file) = candidates.into_iter().find(|file| file.is_file()) {
            let text = super::files::text(&file)?;
            tags.0.extend(Self::read(&file, &text)?);
        }
        Ok(tags)
    }

    fn read(file: &Path, text: &str) -> Result<BTreeMap<String, String>, Unreadable> {
        let name = file.display().to_string();
        let read = TomlFile::parse("tags", name, text).and_then(|file| file.read::<TagsFile>());
        match read {
            Ok(TagsFile { tags }) => Ok(tags),
            Err(problems) => {
                let error = format!("\n{}", problems.render(false));
                Err(Unreadable { path: file.to_owned(), error })
            }
        }
    }

    /// Whether `tag`, with its `@`, is known.
    pub fn knows(&self, tag: &str) -> bool {
        tag.strip_prefix('@').is_some_and(|name| self.0.contains_key(name))
    }

    /// Their names, without `@`.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}
