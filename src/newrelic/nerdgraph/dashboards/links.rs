//! Links between the pages of a dashboard.
//!
//! New Relic knows pages by GUIDs, which it gives when it makes them; files know them by name
//! ([`PAGE_LINK`]). So a new page can be linked to only by a second change, once it is there.
//!
//! Invariants:
//! - What is sent holds GUIDs alone. What leads to a page that is not there yet is left out first,
//!   and set by a change that touches nothing but links.
//! - Between the two changes nothing of anybody else's is overwritten: if what is stored is not
//!   what was sent, the links stay away and the error says so.

use std::collections::BTreeMap;

use super::difference::{Difference, page_partners};
use super::document::{DashboardDocument, PageDocument};
use super::stored::StoredDashboard;
use crate::dashboards::PAGE_LINK;
use crate::newrelic::nerdgraph::change::{ChangeError, Done, LOOKS};
use crate::newrelic::nerdgraph::client::NerdGraph;
use crate::ports::{Clock as _, Ports};

/// The name of the page that a linked GUID stands for, if it is one of a file.
fn page_name(linked: &str) -> Option<&str> {
    linked.strip_prefix(PAGE_LINK)
}

fn links(pages: &[PageDocument]) -> impl Iterator<Item = &String> {
    pages.iter().flat_map(|page| &page.widgets).flat_map(|widget| &widget.linked_entity_guids)
}

impl DashboardDocument {
    /// Whether a widget leads to a page by its name.
    pub fn has_page_links(&self) -> bool {
        links(&self.pages).any(|linked| page_name(linked).is_some())
    }

    /// Links to pages that the document does not have, each with its place.
    pub(super) fn dead_links(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (at, page) in self.pages.iter().enumerate() {
            for (number, widget) in page.widgets.iter().enumerate() {
                let names = widget.linked_entity_guids.iter().filter_map(|link| page_name(link));
                let dead = names.filter(|name| self.pages.iter().all(|page| page.name != **name));
                problems.extend(dead.map(|name| {
                    format!(
                        "pages[{at}].widgets[{number}].linkedEntityGuids: there is no page `{name}`"
                    )
                }));
            }
        }
        problems
    }

    /// This document with the GUIDs of those pages of `stored` that its links mean; links to pages
    /// that are not stored yet stay names.
    #[must_use]
    pub fn linked_within(&self, stored: &Self) -> Self {
        let mut guids: BTreeMap<&str, &String> = BTreeMap::new();
        let partners = page_partners(&stored.pages, &self.pages);
        for (page, partner) in self.pages.iter().zip(partners) {
            if let Some(guid) = partner.and_then(|place| stored.pages[place].guid.as_ref()) {
                guids.entry(&page.name).or_insert(guid);
            }
        }
        self.relinked(|linked| {
            let guid = page_name(linked).and_then(|name| guids.get(name));
            Some(guid.map_or(linked, |guid| guid).to_owned())
        })
    }

    /// This document without the links that are still names.
    pub(super) fn without_page_links(&self) -> Self {
        self.relinked(|linked| page_name(linked).is_none().then(|| linked.to_owned()))
    }

    /// This document with names for the links to pages of its own that have GUIDs.
    pub(super) fn with_named_links(&self) -> Self {
        let mut names: BTreeMap<&str, &str> = BTreeMap::new();
        for (at, page) in self.pages.iter().enumerate() {
            // Of pages with one name, the name means the first.
            let is_first = self.pages[..at].iter().all(|other| other.name != page.name);
            if let Some(guid) = page.guid.as_deref().filter(|_| is_first) {
                names.insert(guid, &page.name);
            }
        }
        self.relinked(|linked| {
            let name = names.get(linked).map(|name| format!("{PAGE_LINK}{name}"));
            Some(name.unwrap_or_else(|| linked.to_owned()))
        })
    }

    fn relinked(&self, link: impl Fn(&str) -> Option<String>) -> Self {
        let mut document = self.clone();
        let widgets = document.pages.iter_mut().flat_map(|page| &mut page.widgets);
        for widget in widgets {
            let linked = widget.linked_entity_guids.iter();
            widget.linked_entity_guids = linked.filter_map(|linked| link(linked)).collect();
        }
        document
    }
}

impl<P: Ports> NerdGraph<P> {
    /// Sets the links of `document` that lead to pages which `done` has just made, if it has any.
    pub(super) async fn link_pages(
        &self,
        done: Done,
        document: &DashboardDocument,
    ) -> Result<Done, ChangeError> {
        if !document.has_page_links() {
            return Ok(done);
        }
        let linked = self.set_links(&done.id, document).await;
        let found_out = linked.map_err(|error| ChangeError::Unlinked {
            guid: done.id.clone(),
            reason: error.to_string(),
        })?;
        Ok(Done { found_out: done.found_out || found_out, ..done })
    }

    /// Whether the answer to the change was lost.
    async fn set_links(
        &self,
        guid: &str,
        document: &DashboardDocument,
    ) -> Result<bool, ChangeError> {
        let mut waits = LOOKS.into_iter();
        loop {
            // Early looks may see nothing yet, or what was there before.
            let linked = self.dashboard(guid).await?.and_then(|stored| lacking(&stored, document));
            match (linked, waits.next()) {
                (Some(Lacking::Nothing), _) => return Ok(false),
                (Some(Lacking::Links(linked)), _) => {
                    return Ok(self.replace(guid, &linked).await?.found_out);
                }
                (None, Some(wait)) => self.clock().sleep(wait).await,
                (None, None) => return Err(ChangeError::ChangedMeanwhile),
            }
        }
    }
}

/// What a dashboard lacks that is otherwise as wanted.
enum Lacking {
    Nothing,
    /// Links; the dashboard with them.
    Links(DashboardDocument),
}

/// What `stored` lacks of `document`; `None` when more than links differs.
fn lacking(stored: &StoredDashboard, document: &DashboardDocument) -> Option<Lacking> {
    let wanted = document.linked_within(&stored.document).adopting(&stored.document);
    let sent = wanted.without_page_links();
    let difference = Difference::between(&stored.document, &sent);
    match (difference.is_empty(), difference.is_of_links_alone()) {
        (true, _) => Some(Lacking::Nothing),
        (false, true) => Some(Lacking::Links(sent)),
        (false, false) => None,
    }
}
