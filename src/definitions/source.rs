//! Which file of a definitions folder is which, and which of them a view shows.
//!
//! The layout is that of newrelic/entity-definitions: `entity-types/<domain>-<type>/…` and
//! `relationships/{synthesis,candidates}/*.yml`. A file with `.stg` before its ending replaces its
//! sibling in New Relic's staging and is not seen in production. Files elsewhere are none of ours.

use std::collections::BTreeMap;

use super::tree::nearest;

/// One file of a definitions folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source<'a> {
    /// `…/<domain>-<type>/definition.yml` and the like; errors repeat it.
    pub path: &'a str,
    /// Its whole text.
    pub text: &'a str,
}

/// Whose view of the files counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum View {
    /// Files without `.stg`.
    #[default]
    Production,
    /// A `.stg` file replaces its sibling.
    Staging,
}

/// A file and the one that replaces it in staging.
#[derive(Debug, Clone, Copy, Default)]
struct Slot<'a> {
    production: Option<Source<'a>>,
    staging: Option<Source<'a>>,
}

impl<'a> Slot<'a> {
    fn seen(self, view: View) -> Option<Source<'a>> {
        match view {
            View::Production => self.production,
            View::Staging => self.staging.or(self.production),
        }
    }
}

/// Names of a type's own YAML files, without their endings.
const YAML_FILES: [&str; 3] = ["definition", "golden_metrics", "summary_metrics"];

/// Files of one type.
#[derive(Debug, Default)]
pub(super) struct Folder<'a> {
    /// YAML files by their names without `.stg` and ending.
    yaml: BTreeMap<&'a str, Slot<'a>>,
    /// JSON files beside them, likewise.
    json: BTreeMap<&'a str, Slot<'a>>,
    /// Test data by event type.
    tests: BTreeMap<&'a str, Slot<'a>>,
    /// Files in `tests/` that are no JSON.
    strange_tests: Vec<Source<'a>>,
}

impl<'a> Folder<'a> {
    /// The files by the path of their folder: those of types, as far as they can be recognised.
    pub fn all(sources: impl IntoIterator<Item = Source<'a>>) -> BTreeMap<&'a str, Self> {
        let mut folders: BTreeMap<&str, Self> = BTreeMap::new();
        for source in sources {
            let Some((parent, file)) = source.path.rsplit_once('/') else { continue };
            let in_tests = parent.strip_suffix("/tests");
            let folder = folders.entry(in_tests.unwrap_or(parent)).or_default();
            let Some((stem, ending)) = file.rsplit_once('.') else { continue };
            let (name, staging) = match stem.strip_suffix(".stg") {
                Some(name) => (name, true),
                None => (stem, false),
            };
            let slots = match (in_tests, ending) {
                (Some(_), "json") => &mut folder.tests,
                (Some(_), _) => {
                    folder.strange_tests.push(source);
                    continue;
                }
                (None, "yml" | "yaml") => &mut folder.yaml,
                (None, "json") => &mut folder.json,
                (None, _) => continue,
            };
            let slot = slots.entry(name).or_default();
            *(if staging { &mut slot.staging } else { &mut slot.production }) = Some(source);
        }
        folders.retain(|path, folder| {
            let parent = path.rsplit_once('/').map(|(parent, _)| parent);
            let of_types = parent.is_some_and(|p| p.rsplit('/').next() == Some("entity-types"));
            of_types || folder.yaml.contains_key("definition")
        });
        folders
    }

    /// `definition`, `golden_metrics` or `summary_metrics`.
    pub fn yaml(&self, name: &str, view: View) -> Option<Source<'a>> {
        self.yaml.get(name).and_then(|slot| slot.seen(view))
    }

    /// Whether the type is defined, in whatever view.
    pub fn is_defined(&self) -> bool {
        self.yaml.contains_key("definition")
    }

    /// The dashboard that `definition.yml` calls `file`.
    pub fn dashboard(&self, file: &str, view: View) -> Option<Source<'a>> {
        let stem = file.strip_suffix(".json")?;
        match stem.strip_suffix(".stg") {
            Some(name) => self.json.get(name).and_then(|slot| slot.staging),
            None => self.json.get(stem).and_then(|slot| slot.seen(view)),
        }
    }

    /// Dashboards of the view: their names without endings, and the files.
    pub fn dashboards(&self, view: View) -> impl Iterator<Item = (&'a str, Source<'a>)> {
        self.json.iter().filter_map(move |(name, slot)| Some((*name, slot.seen(view)?)))
    }

    /// Test data of the view by event type.
    pub fn tests(&self, view: View) -> impl Iterator<Item = (&'a str, Source<'a>)> {
        self.tests.iter().filter_map(move |(name, slot)| Some((*name, slot.seen(view)?)))
    }

    /// Any of its files, to complain about the folder.
    pub fn any_file(&self) -> Option<Source<'a>> {
        let slots = self.yaml.values().chain(self.json.values()).chain(self.tests.values());
        let files = slots.filter_map(|slot| slot.production.or(slot.staging));
        files.chain(self.strange_tests.iter().copied()).next()
    }

    /// Files that no reader knows, each with the name that was probably meant.
    pub fn strange(&self, view: View) -> Vec<(Source<'a>, Option<&'static str>)> {
        let mut strange = Vec::new();
        for (name, slot) in &self.yaml {
            let known = YAML_FILES.contains(name);
            let Some(source) = slot.seen(view) else { continue };
            if !known || source.path.ends_with(".yaml") {
                let near = YAML_FILES.into_iter().find(|file| file == name);
                strange.push((source, near.or_else(|| nearest(name, YAML_FILES.into_iter()))));
            }
        }
        strange.extend(self.strange_tests.iter().map(|source| (*source, None)));
        strange
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn staging_replaces_and_production_ignores() {
        let paths = [
            "r/entity-types/infra-a/definition.yml",
            "r/entity-types/infra-a/definition.stg.yml",
            "r/entity-types/infra-a/golden_metrics.stg.yml",
            "r/entity-types/infra-a/new_dashboard.json",
            "r/entity-types/infra-a/new_dashboard.stg.json",
            "r/entity-types/infra-a/tests/Metric.stg.json",
            "r/entity-types/infra-a/tests/Log.json",
            "r/entity-types/infra-b/golden_metrics.yml",
            "r/relationships/synthesis/A-to-B.yml",
            "r/docs/x.json",
        ];
        let sources = paths.map(|path| Source { path, text: "" });
        let folders = Folder::all(sources);
        let names: Vec<_> = folders.keys().copied().collect();
        assert_eq!(names, ["r/entity-types/infra-a", "r/entity-types/infra-b"]);
        assert!(!folders["r/entity-types/infra-b"].is_defined());
        let folder = &folders["r/entity-types/infra-a"];
        let file = |source: Option<Source<'static>>| {
            source.map_or("", |source| source.path.rsplit('/').next().unwrap_or(""))
        };
        let (production, staging) = (View::Production, View::Staging);
        assert_eq!(file(folder.yaml("definition", production)), "definition.yml");
        assert_eq!(file(folder.yaml("definition", staging)), "definition.stg.yml");
        assert_eq!(file(folder.yaml("golden_metrics", production)), "");
        assert_eq!(file(folder.yaml("golden_metrics", staging)), "golden_metrics.stg.yml");
        let named = |name, view| file(folder.dashboard(name, view));
        assert_eq!(named("new_dashboard.json", production), "new_dashboard.json");
        assert_eq!(named("new_dashboard.json", staging), "new_dashboard.stg.json");
        assert_eq!(named("new_dashboard.stg.json", production), "new_dashboard.stg.json");
        assert_eq!(named("other_dashboard.json", staging), "");
        let tests = |view| folder.tests(view).map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(tests(production), ["Log"]);
        assert_eq!(tests(staging), ["Log", "Metric"]);
    }
}
