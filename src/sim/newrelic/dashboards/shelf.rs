//! All dashboards, and how they change.
//!
//! Whoever calls keeps the entities in step: every change answers with the GUIDs that came and
//! went.

use indexmap::IndexMap;

use super::input::{DashboardInput, PageInput, PageUpdateInput, WidgetInput, WidgetUpdateInput};
use super::model::{Dashboard, Page};
use super::validate;
use super::widget::{Numbers, change, widgets};
use super::{Refusal, RefusalKind};
use crate::domain::account::AccountId;
use crate::domain::units::UnixMillis;

/// Most dashboards. A guard of our own.
const DASHBOARDS_MAX: usize = 10_000;

/// What a GUID names.
#[derive(Debug, Clone, Copy)]
pub(in crate::sim::newrelic) struct Found<'a> {
    pub(in crate::sim::newrelic) dashboard: &'a Dashboard,
    /// The page, when it names one.
    pub(in crate::sim::newrelic) page: Option<&'a Page>,
}

/// All of them.
#[derive(Debug)]
pub(in crate::sim::newrelic) struct Dashboards {
    max: usize,
    all: IndexMap<String, Dashboard>,
    /// The dashboard of each page.
    pages: IndexMap<String, String>,
    numbers: Numbers,
}

/// Who changes something, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sim::newrelic) struct Editor {
    pub(in crate::sim::newrelic) user: u32,
    pub(in crate::sim::newrelic) at: UnixMillis,
}

fn guid(account: AccountId, numbers: &mut Numbers) -> String {
    use base64::Engine as _;
    let text = format!("{account}|VIZ|DASHBOARD|da:{}", numbers.next());
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
}

impl Default for Dashboards {
    fn default() -> Self {
        Self::new(DASHBOARDS_MAX)
    }
}

impl Dashboards {
    /// Room for `max` of them, deleted ones included: these go when there is no other room.
    pub(super) fn new(max: usize) -> Self {
        let (all, pages) = (IndexMap::new(), IndexMap::new());
        Self { max, all, pages, numbers: Numbers::default() }
    }

    /// Forgets the dashboard that was made first of those that are deleted.
    fn forget_a_deleted_one(&mut self) {
        let Some(place) = self.all.values().position(|dashboard| dashboard.deleted) else { return };
        if let Some((guid, _)) = self.all.shift_remove_index(place) {
            self.pages.retain(|_, owner| *owner != guid);
        }
    }

    /// What `guid` names, deleted dashboards left out.
    pub(in crate::sim::newrelic) fn find(&self, guid: &str) -> Option<Found<'_>> {
        let owner = self.pages.get(guid).map_or(guid, String::as_str);
        let dashboard = self.all.get(owner).filter(|dashboard| !dashboard.deleted)?;
        let page = dashboard.pages.iter().find(|page| page.guid == guid);
        (page.is_some() || owner == guid).then_some(Found { dashboard, page })
    }

    /// Makes a dashboard; its GUID.
    pub(in crate::sim::newrelic) fn create(
        &mut self,
        account: AccountId,
        input: &DashboardInput,
        editor: Editor,
    ) -> Result<String, Refusal> {
        validate::dashboard(input)?;
        if let Some(page) = input.pages.iter().find(|page| page.guid.is_some()) {
            let message =
                format!("Invalid page input: page '{}' is new and has no guid", page.name);
            return Err(Refusal::input(message));
        }
        if self.all.len() >= self.max {
            self.forget_a_deleted_one();
        }
        if self.all.len() >= self.max {
            return Err(Refusal::input(format!("There are {} dashboards already", self.max)));
        }
        let guid = guid(account, &mut self.numbers);
        let dashboard = Dashboard {
            guid: guid.clone(),
            account,
            name: input.name.clone(),
            description: input.description.clone(),
            permissions: input.permissions.clone(),
            owner: editor.user,
            created_at: editor.at,
            updated_at: editor.at,
            pages: Vec::new(),
            variables: input.variables.clone().unwrap_or_default(),
            deleted: false,
        };
        self.all.insert(guid.clone(), dashboard);
        self.set_pages(&guid, &input.pages, editor.at);
        Ok(guid)
    }

    /// Gives a dashboard new pages, those that it has under their GUIDs.
    fn set_pages(&mut self, guid: &str, inputs: &[PageInput], at: UnixMillis) {
        let Self { all, pages, numbers, .. } = self;
        let Some(dashboard) = all.get_mut(guid) else { return };
        let old = std::mem::take(&mut dashboard.pages);
        pages.retain(|_, owner| owner != guid);
        for input in inputs {
            let known = old.iter().find(|page| Some(&page.guid) == input.guid.as_ref());
            let page = Page {
                guid: known
                    .map_or_else(|| self::guid(dashboard.account, numbers), |p| p.guid.clone()),
                name: input.name.clone(),
                description: input.description.clone(),
                created_at: known.map_or(at, |page| page.created_at),
                updated_at: at,
                widgets: widgets(&input.widgets, known.map_or(&[], |page| &page.widgets), numbers),
            };
            pages.insert(page.guid.clone(), guid.to_owned());
            dashboard.pages.push(page);
        }
    }

    fn editable(&mut self, guid: &str, editor: Editor) -> Result<&mut Dashboard, Refusal> {
        let missing = || Refusal::input(format!("Dashboard not found: {guid}"));
        let found = self.all.get_mut(guid).filter(|dashboard| !dashboard.deleted);
        let dashboard = found.ok_or_else(missing)?;
        let open = dashboard.permissions == "PUBLIC_READ_WRITE" || dashboard.owner == editor.user;
        let message = "You do not have permission to edit this dashboard";
        open.then_some(dashboard).ok_or_else(|| Refusal::new(RefusalKind::Forbidden, message))
    }

    /// Replaces a dashboard.
    pub(in crate::sim::newrelic) fn update(
        &mut self,
        guid: &str,
        input: &DashboardInput,
        editor: Editor,
    ) -> Result<(), Refusal> {
        let dashboard = self.editable(guid, editor)?;
        validate::dashboard(input)?;
        let mut named: Vec<&String> = input.pages.iter().filter_map(|p| p.guid.as_ref()).collect();
        if let Some(guid) = named.iter().find(|g| dashboard.pages.iter().all(|p| p.guid != ***g)) {
            let message =
                format!("Invalid page input: no page of this dashboard has guid '{guid}'");
            return Err(Refusal::input(message));
        }
        named.sort_unstable();
        if let Some(pair) = named.windows(2).find(|pair| pair[0] == pair[1]) {
            let message = format!("Invalid page input: guid '{}' is used twice", pair[0]);
            return Err(Refusal::input(message));
        }
        dashboard.name.clone_from(&input.name);
        dashboard.description.clone_from(&input.description);
        dashboard.permissions.clone_from(&input.permissions);
        dashboard.variables = input.variables.clone().unwrap_or_default();
        dashboard.updated_at = editor.at;
        self.set_pages(guid, &input.pages, editor.at);
        Ok(())
    }

    fn editable_page(
        &mut self,
        guid: &str,
        editor: Editor,
    ) -> Result<(&mut Page, &mut Numbers), Refusal> {
        let missing = || Refusal::new(RefusalKind::PageNotFound, format!("Page not found: {guid}"));
        let owner = self.pages.get(guid).cloned().ok_or_else(missing)?;
        match self.editable(&owner, editor) {
            Err(refusal) if refusal.kind == RefusalKind::InvalidInput => return Err(missing()),
            other => drop(other?),
        }
        let Self { all, numbers, .. } = self;
        let dashboard = all.get_mut(&owner).ok_or_else(missing)?;
        dashboard.updated_at = editor.at;
        let page = dashboard.pages.iter_mut().find(|page| page.guid == guid).ok_or_else(missing)?;
        page.updated_at = editor.at;
        Ok((page, numbers))
    }

    /// Replaces a page.
    pub(in crate::sim::newrelic) fn update_page(
        &mut self,
        guid: &str,
        input: &PageUpdateInput,
        editor: Editor,
    ) -> Result<(), Refusal> {
        validate::page(&input.name, input.description.as_deref(), &input.widgets)?;
        let (page, numbers) = self.editable_page(guid, editor)?;
        page.widgets = widgets(&input.widgets, &page.widgets, numbers);
        page.name.clone_from(&input.name);
        page.description.clone_from(&input.description);
        Ok(())
    }

    /// Adds widgets to a page.
    pub(in crate::sim::newrelic) fn add_widgets(
        &mut self,
        guid: &str,
        inputs: &[WidgetInput],
        editor: Editor,
    ) -> Result<(), Refusal> {
        inputs.iter().try_for_each(validate::widget)?;
        let (page, numbers) = self.editable_page(guid, editor)?;
        validate::widget_count(page.widgets.len() + inputs.len())?;
        let taken = page.widgets.iter().map(|widget| widget.layout).collect();
        page.widgets.extend(super::widget::more_widgets(inputs, taken, numbers));
        Ok(())
    }

    /// Changes widgets of a page; what is left out stays.
    pub(in crate::sim::newrelic) fn update_widgets(
        &mut self,
        guid: &str,
        inputs: &[WidgetUpdateInput],
        editor: Editor,
    ) -> Result<(), Refusal> {
        inputs.iter().try_for_each(validate::widget_change)?;
        let (page, _) = self.editable_page(guid, editor)?;
        let mut changed = page.widgets.clone();
        for input in inputs {
            let id = input.id.as_deref().unwrap_or_default();
            let Some(widget) = changed.iter_mut().find(|widget| widget.id == id) else {
                let message = format!("Widget not found: {id}");
                return Err(Refusal::new(RefusalKind::WidgetNotFound, message));
            };
            change(widget, input);
        }
        page.widgets = changed;
        Ok(())
    }

    /// Deletes a dashboard, logically.
    pub(in crate::sim::newrelic) fn delete(
        &mut self,
        guid: &str,
        editor: Editor,
    ) -> Result<(), Refusal> {
        self.set_deleted(guid, editor, true)
    }

    /// Brings a deleted dashboard back.
    pub(in crate::sim::newrelic) fn undelete(
        &mut self,
        guid: &str,
        editor: Editor,
    ) -> Result<(), Refusal> {
        self.set_deleted(guid, editor, false)
    }

    fn set_deleted(&mut self, guid: &str, editor: Editor, deleted: bool) -> Result<(), Refusal> {
        let found = self.all.get_mut(guid).filter(|dashboard| dashboard.deleted != deleted);
        let Some(dashboard) = found else {
            let message = format!("Dashboard not found: {guid}");
            return Err(Refusal::new(RefusalKind::DashboardNotFound, message));
        };
        if dashboard.permissions != "PUBLIC_READ_WRITE" && dashboard.owner != editor.user {
            let message = "You do not have permission to delete this dashboard";
            return Err(Refusal::new(RefusalKind::Forbidden, message));
        }
        dashboard.deleted = deleted;
        Ok(())
    }

    /// A dashboard, also a deleted one.
    pub(in crate::sim::newrelic) fn get(&self, guid: &str) -> Option<&Dashboard> {
        self.all.get(guid)
    }
}
