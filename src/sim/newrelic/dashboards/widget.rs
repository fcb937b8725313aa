//! From what users send to what is kept.

use serde_json::Value as Json;

use super::input::{LayoutInput, WidgetInput};
use super::model::{Layout, Widget};
use super::place;
use super::raw;
use super::validate::kind_of;

/// Numbers for GUIDs and ids, the same in every run.
#[derive(Debug)]
pub(super) struct Numbers(u64);

impl Default for Numbers {
    fn default() -> Self {
        Self(1_000_000)
    }
}

impl Numbers {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.saturating_add(1);
        self.0
    }
}

/// Widgets of a page, in its order. Those that `known` has keep their ids; the others get new
/// ones. Widgets without a place get the first free one.
pub(super) fn widgets(
    inputs: &[WidgetInput],
    known: &[Widget],
    numbers: &mut Numbers,
) -> Vec<Widget> {
    let taken = inputs.iter().filter_map(|input| input.layout).map(whole).collect();
    make(inputs, known, taken, numbers)
}

/// Widgets beside others, whose places are `taken`; their ids are new.
pub(super) fn more_widgets(
    inputs: &[WidgetInput],
    mut taken: Vec<Layout>,
    numbers: &mut Numbers,
) -> Vec<Widget> {
    taken.extend(inputs.iter().filter_map(|input| input.layout).map(whole));
    make(inputs, &[], taken, numbers)
}

fn make(
    inputs: &[WidgetInput],
    known: &[Widget],
    mut taken: Vec<Layout>,
    numbers: &mut Numbers,
) -> Vec<Widget> {
    let mut made: Vec<Widget> = Vec::with_capacity(inputs.len());
    for input in inputs {
        let is_ours = |id: &&String| {
            known.iter().any(|widget| widget.id == **id) && made.iter().all(|w| w.id != **id)
        };
        let id = input.id.as_ref().filter(is_ours).cloned();
        let id = id.unwrap_or_else(|| numbers.next().to_string());
        let layout = input.layout.map_or_else(|| place::free(&taken), whole);
        if input.layout.is_none() {
            taken.push(layout);
        }
        made.push(widget(input, id, layout));
    }
    made
}

fn whole(layout: LayoutInput) -> Layout {
    Layout {
        column: layout.column.unwrap_or(1),
        row: layout.row.unwrap_or(1),
        width: layout.width.unwrap_or(4),
        height: layout.height.unwrap_or(3),
    }
}

/// The visualization and the raw form of a widget that was checked.
fn configuration(input: &WidgetInput) -> Option<(String, Json)> {
    let visualization = input.visualization.as_ref().and_then(|v| v.id.clone());
    if let Some(raw) = &input.raw_configuration {
        return Some((visualization?, raw.clone()));
    }
    let (kind, members) = kind_of(input.configuration.as_ref()?)?;
    let visualization = visualization.unwrap_or_else(|| format!("viz.{kind}"));
    Some((visualization, raw::of_typed(kind, members)))
}

fn widget(input: &WidgetInput, id: String, layout: Layout) -> Widget {
    let (visualization, raw) = configuration(input).unwrap_or_default();
    Widget {
        id,
        title: input.title.clone(),
        description: input.description.clone(),
        layout,
        visualization,
        raw,
        linked: input.linked_entity_guids.clone().unwrap_or_default(),
        link: input.link.as_ref().map(|link| link.url.clone()),
    }
}

/// Changes a widget; what the input leaves out stays.
pub(super) fn change(widget: &mut Widget, input: &WidgetInput) {
    if let Some((visualization, raw)) = configuration(input) {
        (widget.visualization, widget.raw) = (visualization, raw);
    }
    if let Some(layout) = input.layout {
        widget.layout = whole(layout);
    }
    if input.title.is_some() {
        widget.title.clone_from(&input.title);
    }
    if input.description.is_some() {
        widget.description.clone_from(&input.description);
    }
    if let Some(linked) = &input.linked_entity_guids {
        widget.linked.clone_from(linked);
    }
    if let Some(link) = &input.link {
        widget.link = Some(link.url.clone());
    }
}
