//! Dashboards: mutations, and the fields that `DashboardEntity` adds.

use async_graphql::Value;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use super::super::session::User;
use super::super::view::{self, Form};
use super::{Answer, Call, Failure, Resolver, actor, entity};
use crate::domain::units::UnixMillis;
use crate::sim::newrelic::dashboards::{
    Dashboard, DashboardInput, Editor, Found, Page, PageUpdateInput, Refusal, Widget, WidgetInput,
    WidgetUpdateInput, configuration_of,
};
use crate::sim::newrelic::entities::{Glance, NewEntity};
use crate::sim::newrelic::state::State;

pub(super) fn find(object: &str, field: &str) -> Option<Resolver> {
    Some(match (object, field) {
        ("RootMutationType", "dashboardCreate") => create,
        ("RootMutationType", "dashboardUpdate") => update,
        ("RootMutationType", "dashboardDelete") => delete,
        ("RootMutationType", "dashboardUndelete") => undelete,
        ("RootMutationType", "dashboardUpdatePage") => update_page,
        ("RootMutationType", "dashboardUpdateWidgetsInPage") => update_widgets,
        ("RootMutationType", "dashboardAddWidgetsToPage") => add_widgets,
        ("RootMutationType", "dashboardCreateSnapshotUrl") => snapshot,
        ("DashboardEntity" | "DashboardEntityOutline", field) => of_entity(field)?,
        ("DashboardWidget", "linkedEntities") => linked,
        _ => return None,
    })
}

/// Whether a dashboard is somebody else's private one.
pub(super) fn is_hidden(state: &State, entity: Glance<'_>, user: &User) -> bool {
    if entity.entity_type() != "DASHBOARD" {
        return false;
    }
    let found = state.graph.dashboards.find(entity.guid());
    found.is_some_and(|f| f.dashboard.permissions == "PRIVATE" && f.dashboard.owner != user.id)
}

fn date(at: UnixMillis) -> String {
    Timestamp::from_millisecond(at.0).map(|time| time.to_string()).unwrap_or_default()
}

fn owner(id: u32) -> Json {
    json!({"userId": id, "email": format!("user-{id}@example.com")})
}

fn shown_widget(widget: &Widget) -> Json {
    json!({
        "id": widget.id,
        "title": widget.title,
        "description": widget.description,
        "layout": {
            "column": widget.layout.column,
            "row": widget.layout.row,
            "width": widget.layout.width,
            "height": widget.layout.height,
        },
        "visualization": {"id": widget.visualization},
        "rawConfiguration": widget.raw,
        "configuration": configuration_of(&widget.visualization, &widget.raw),
        "link": widget.link.as_ref().map(|url| json!({"url": url})),
        "linkedEntityGuids": widget.linked,
    })
}

fn shown_page(dashboard: &Dashboard, page: &Page) -> Json {
    json!({
        "guid": page.guid,
        "name": page.name,
        "description": page.description,
        "createdAt": date(page.created_at),
        "updatedAt": date(page.updated_at),
        "owner": owner(dashboard.owner),
        "widgets": page.widgets.iter().map(shown_widget).collect::<Vec<_>>(),
    })
}

/// Variables as sent, with both forms of the default value.
fn shown_variables(dashboard: &Dashboard) -> Vec<Json> {
    let shown = |variable: &Json| {
        let mut variable = variable.clone();
        let single = variable.get("defaultValue").filter(|value| !value.is_null()).cloned();
        let Some(fields) = variable.as_object_mut() else { return variable };
        if let Some(value) = single
            && fields.get("defaultValues").is_none_or(Json::is_null)
        {
            fields.insert("defaultValues".to_owned(), json!([{"value": value}]));
        }
        variable
    };
    dashboard.variables.iter().map(shown).collect()
}

/// As `DashboardEntityResult`; the entity's own fields have the same names.
fn shown(dashboard: &Dashboard) -> Json {
    let pages: Vec<Json> = dashboard.pages.iter().map(|page| shown_page(dashboard, page)).collect();
    json!({
        "guid": dashboard.guid,
        "accountId": dashboard.account.get(),
        "name": dashboard.name,
        "description": dashboard.description,
        "permissions": dashboard.permissions,
        "owner": owner(dashboard.owner),
        "createdAt": date(dashboard.created_at),
        "updatedAt": date(dashboard.updated_at),
        "pages": pages,
        "variables": shown_variables(dashboard),
    })
}

/// A field of the dashboard or page that the parent is.
fn of_entity(field: &str) -> Option<Resolver> {
    Some(match field {
        "createdAt" => |call| about(call, |found| json!(date(found.created_at()))),
        "updatedAt" => |call| about(call, |found| json!(date(found.updated_at()))),
        "owner" => |call| about(call, |found| owner(found.dashboard.owner)),
        "permissions" => |call| about(call, |found| json!(found.dashboard.permissions)),
        "description" => |call| about(call, |found| json!(found.description())),
        "dashboardParentGuid" => {
            |call| about(call, |found| json!(found.page.map(|_| &found.dashboard.guid)))
        }
        "pages" => |call| about(call, pages),
        "variables" => |call| about(call, |found| json!(shown_variables(found.dashboard))),
        _ => return None,
    })
}

impl Found<'_> {
    fn created_at(&self) -> UnixMillis {
        self.page.map_or(self.dashboard.created_at, |page| page.created_at)
    }

    fn updated_at(&self) -> UnixMillis {
        self.page.map_or(self.dashboard.updated_at, |page| page.updated_at)
    }

    fn description(&self) -> Option<&String> {
        self.page.map_or(&self.dashboard.description, |page| &page.description).as_ref()
    }
}

fn pages(found: Found<'_>) -> Json {
    let all = found.dashboard.pages.iter();
    let shown = all.filter(|page| found.page.is_none_or(|own| own.guid == page.guid));
    shown.map(|page| shown_page(found.dashboard, page)).collect()
}

fn about(call: &Call<'_>, show: fn(Found<'_>) -> Json) -> Result<Answer, Failure> {
    let state = call.session.newrelic.state();
    let found = call.parent_text("guid").and_then(|guid| state.graph.dashboards.find(guid));
    Ok(found.map_or(Answer::NULL, |found| Answer::json(show(found))))
}

fn linked(call: &Call<'_>) -> Result<Answer, Failure> {
    let Some(Value::List(guids)) = call.parent("linkedEntityGuids") else {
        return Ok(Answer::NULL);
    };
    let state = call.session.newrelic.state();
    let seen = guids.iter().filter_map(|guid| match guid {
        Value::String(guid) => entity::seen(call, &state, guid),
        _ => None,
    });
    let shown = seen.map(|linked| view::entity(&linked, Form::Outline, None)).collect();
    Ok(Answer::Value(Value::List(shown)))
}

/// Keeps the entities of a dashboard in step with it.
fn sync(state: &mut State, guid: &str, before: &[String]) {
    let now = state.now;
    let Some(dashboard) = state.graph.dashboards.get(guid).cloned() else { return };
    let mut wanted = vec![(dashboard.guid.clone(), dashboard.name.clone())];
    let pages = dashboard.pages.iter();
    wanted.extend(pages.map(|page| (page.guid.clone(), page.entity_name(&dashboard))));
    if dashboard.deleted {
        wanted.clear();
    }
    for guid in before.iter().filter(|guid| wanted.iter().all(|(wanted, _)| wanted != *guid)) {
        state.entities.delete(guid, now);
    }
    for (guid, name) in &wanted {
        let new = NewEntity {
            account: dashboard.account,
            guid,
            domain: "VIZ",
            entity_type: "DASHBOARD",
            name,
            lifetime: None,
        };
        // At once: whoever made a dashboard reads it back by its guid.
        state.entities.register(new, now, || std::time::Duration::ZERO);
    }
}

/// GUIDs of a dashboard and its pages.
fn guids(state: &State, guid: &str) -> Vec<String> {
    let dashboard = state.graph.dashboards.get(guid);
    let pages = dashboard.into_iter().flat_map(|d| d.pages.iter().map(|page| page.guid.clone()));
    pages.chain([guid.to_owned()]).collect()
}

fn input<T: DeserializeOwned>(call: &Call<'_>, name: &str) -> Result<T, Failure> {
    let json = call.args.get(name).cloned().unwrap_or_default();
    serde_json::from_value(json).map_err(|error| Failure::input(error.to_string()))
}

fn refused(refusal: &Refusal) -> Json {
    json!([{"type": refusal.kind.as_str(), "description": refusal.description}])
}

/// Changes dashboards, if the key opens the account of the one that `guid` names.
fn change(
    call: &Call<'_>,
    guid: &str,
    edit: impl FnOnce(&mut State, Editor) -> Result<(), Refusal>,
) -> Result<String, Refusal> {
    let mut state = call.session.newrelic.state();
    state.advance(call.session.now);
    let editor = Editor { user: call.session.user.id, at: state.now };
    let owner = state.graph.dashboards.find(guid).map(|found| found.dashboard);
    let owner = owner.or_else(|| state.graph.dashboards.get(guid));
    let mine = owner.filter(|dashboard| call.session.user.accounts.contains(&dashboard.account));
    let owner = mine.map_or_else(String::new, |dashboard| dashboard.guid.clone());
    let before = guids(&state, &owner);
    edit(&mut state, editor)?;
    sync(&mut state, &owner, &before);
    Ok(owner)
}

/// The GUID to look for: one that the key may not see is looked for in vain.
fn visible<'a>(call: &'a Call<'_>, name: &str) -> &'a str {
    let guid = call.text(name).unwrap_or_default();
    let state = call.session.newrelic.state();
    let dashboards = &state.graph.dashboards;
    let found = dashboards.find(guid).map(|found| found.dashboard).or_else(|| dashboards.get(guid));
    let mine = found.is_some_and(|d| call.session.user.accounts.contains(&d.account));
    if mine { guid } else { "" }
}

fn create(call: &Call<'_>) -> Result<Answer, Failure> {
    let account = actor::allowed(call, call.number("accountId").unwrap_or_default())?;
    let input: DashboardInput = input(call, "dashboard")?;
    let mut state = call.session.newrelic.state();
    state.advance(call.session.now);
    let editor = Editor { user: call.session.user.id, at: state.now };
    match state.graph.dashboards.create(account, &input, editor) {
        Err(refusal) => Ok(Answer::json(json!({"errors": refused(&refusal)}))),
        Ok(guid) => {
            sync(&mut state, &guid, &[]);
            let result = state.graph.dashboards.get(&guid).map(shown);
            Ok(Answer::json(json!({"entityResult": result, "errors": null})))
        }
    }
}

fn update(call: &Call<'_>) -> Result<Answer, Failure> {
    let input: DashboardInput = input(call, "dashboard")?;
    let guid = visible(call, "guid");
    let done =
        change(call, guid, |state, editor| state.graph.dashboards.update(guid, &input, editor));
    match done {
        Err(refusal) => Ok(Answer::json(json!({"errors": refused(&refusal)}))),
        Ok(guid) => {
            let state = call.session.newrelic.state();
            let result = state.graph.dashboards.get(&guid).map(shown);
            Ok(Answer::json(json!({"entityResult": result, "errors": null})))
        }
    }
}

fn payload(done: Result<String, Refusal>) -> Result<Answer, Failure> {
    let errors = done.err().map(|refusal| refused(&refusal));
    Ok(Answer::json(json!({"errors": errors})))
}

fn delete(call: &Call<'_>) -> Result<Answer, Failure> {
    let guid = visible(call, "guid");
    let done = change(call, guid, |state, editor| state.graph.dashboards.delete(guid, editor));
    let status = if done.is_ok() { "SUCCESS" } else { "FAILURE" };
    let errors = done.err().map(|refusal| refused(&refusal));
    Ok(Answer::json(json!({"status": status, "errors": errors})))
}

/// Deletes a dashboard for a mutation that has the state locked.
pub(super) fn delete_now(call: &Call<'_>, state: &mut State, guid: &str) -> Result<(), Refusal> {
    let editor = Editor { user: call.session.user.id, at: state.now };
    let before = guids(state, guid);
    state.graph.dashboards.delete(guid, editor)?;
    sync(state, guid, &before);
    Ok(())
}

fn undelete(call: &Call<'_>) -> Result<Answer, Failure> {
    let guid = visible(call, "guid");
    payload(change(call, guid, |state, editor| state.graph.dashboards.undelete(guid, editor)))
}

fn update_page(call: &Call<'_>) -> Result<Answer, Failure> {
    let input: PageUpdateInput = input(call, "page")?;
    let guid = visible(call, "guid");
    payload(change(call, guid, |state, editor| {
        state.graph.dashboards.update_page(guid, &input, editor)
    }))
}

fn update_widgets(call: &Call<'_>) -> Result<Answer, Failure> {
    let inputs: Vec<WidgetUpdateInput> = input(call, "widgets")?;
    let guid = visible(call, "guid");
    payload(change(call, guid, |state, editor| {
        state.graph.dashboards.update_widgets(guid, &inputs, editor)
    }))
}

fn add_widgets(call: &Call<'_>) -> Result<Answer, Failure> {
    let inputs: Vec<WidgetInput> = input(call, "widgets")?;
    let guid = visible(call, "guid");
    payload(change(call, guid, |state, editor| {
        state.graph.dashboards.add_widgets(guid, &inputs, editor)
    }))
}

fn snapshot(call: &Call<'_>) -> Result<Answer, Failure> {
    let guid = visible(call, "guid");
    if call.session.newrelic.state().graph.dashboards.find(guid).is_none() {
        return Ok(Answer::NULL);
    }
    let window = call.args.get("params").map(Json::to_string).unwrap_or_default();
    let hash = xxhash_rust::xxh3::xxh3_128(format!("{guid}\n{window}").as_bytes());
    let url = format!("https://gorgon.nr-assets.net/image/{hash:032x}?type=PDF");
    Ok(Answer::Value(url.into()))
}
