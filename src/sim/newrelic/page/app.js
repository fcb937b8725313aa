"use strict";
// The page of a served New Relic. Texts enter the document as text only, never as markup.

const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const POLL_MS = 1000;
const SLOW_POLL_MS = 5000;
const SERIES_MAX = 20;
const LONG = ["guid", "message", "tags"];
let key = "";
let keyNeeded = false;

/** A new element with attributes and children; a child may be a text. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.append(...children);
  return made;
}

function shape(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.append(...children);
  return made;
}

/** Asks the server; throws an Error whose message a person can act on. */
async function ask(method, path, body) {
  const options = { method, headers: {}, cache: "no-store", credentials: "omit" };
  if (key) options.headers["Api-Key"] = key;
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch("/page/api" + path, options);
  } catch {
    throw new Error("the server does not answer");
  }
  let answer;
  try {
    answer = await response.json();
  } catch {
    throw new Error(`the server answered ${response.status} with something else`);
  }
  if (response.status === 401 && !key) {
    keyNeeded = true;
    $("key-form").hidden = false;
  }
  if (answer && answer.error) throw new Error(`${answer.error}: ${answer.fix}`);
  return answer;
}

const numbers = new Intl.NumberFormat("en", { maximumSignificantDigits: 6 });

function time(ms) {
  return new Date(ms).toISOString().replace("T", " ").replace(/\.\d+Z$/, "Z");
}

/** What a cell shows. */
function show(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : numbers.format(value);
  if (typeof value === "object") return JSON.stringify(value);
  return String(value);
}

/** A table of `rows` (objects or arrays); numbers stand on the right. */
function table(caption, columns, rows, cell = (row, column) => show(row[column])) {
  if (rows.length === 0) return element("p", { class: "empty" }, `No ${caption}.`);
  const isNumber = columns.map((column) =>
    rows.every((row) => row[column] === null || row[column] === undefined || typeof row[column] === "number"));
  const kind = (at) => (LONG.includes(columns[at]) ? { class: "long" } : isNumber[at] ? { class: "number" } : {});
  const head = element("tr", {}, ...columns.map((column, at) =>
    element("th", { scope: "col", ...kind(at) }, String(column))));
  const body = rows.map((row) => element("tr", {}, ...columns.map((column, at) =>
    element("td", kind(at), cell(row, column)))));
  return element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
}

/** Says `text` in `id`, once: what stands there already is not said again. */
function say(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

/** Replaces the children of `id`, unless they would be the same. */
function put(id, made) {
  const place = $(id);
  const old = place.firstElementChild;
  if (old && old.isEqualNode(made)) return;
  place.replaceChildren(made);
}

// ---- figures -----------------------------------------------------------------------------------

function sparkline(rates) {
  const width = 300, height = 60;
  const values = rates.map((rate) => rate.per_second);
  const most = Math.max(1, ...values);
  const step = width / Math.max(1, values.length - 1);
  const points = values.map((value, at) => `${(at * step).toFixed(1)},${(height - 4 - (value / most) * (height - 8)).toFixed(1)}`);
  const label = values.length === 0 ? "no samples yet"
    : `events per second over ${values.length} samples: now ${show(values.at(-1))}, at most ${show(most)}`;
  return shape("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label },
    shape("line", { class: "axis", x1: 0, x2: width, y1: height - 2, y2: height - 2 }),
    shape("polyline", { class: "spark", points: points.join(" ") }));
}

function faultRow(active, switches) {
  const { id, fault } = active;
  const { answer, target, ...rest } = fault;
  const details = Object.entries(rest).map(([name, value]) => `${name} ${value}`).join(", ");
  const item = element("li", {}, `${answer} of ${target}${details ? ": " + details : ""} `);
  if (switches) {
    const off = element("button", { type: "button", "aria-label": `Switch ${answer} off` }, "Off");
    off.addEventListener("click", () => act("fault-error", () => ask("DELETE", `/faults/${id}`)));
    item.append(off);
  }
  return item;
}

/** Does something and shows its error in `place`. */
async function act(place, work) {
  try {
    $(place).textContent = "";
    await work();
    await refresh();
  } catch (error) {
    $(place).textContent = error.message;
  }
}

function options(select, wanted) {
  const have = [...select.options].map((option) => option.value).join();
  if (have === wanted.map(([value]) => String(value)).join()) return;
  select.replaceChildren(...wanted.map(([value, text]) => element("option", { value }, text)));
}

function draw(state) {
  const { clock, rates } = state;
  $("clock").textContent = `${time(clock.now_ms)}, ${clock.speed === 1 ? "real time" : clock.speed + " times as fast"}`;
  $("rate").textContent = show(rates.at(-1)?.per_second ?? 0);
  $("stored").textContent = `${state.events_stored.toLocaleString("en")} events and ${state.points_stored.toLocaleString("en")} points stored, ${(state.store.bytes / 1e6).toFixed(1)} MB`;
  put("spark", sparkline(rates));
  const types = state.event_types.sort((one, two) => two.events - one.events);
  put("types", table("events yet", ["event_type", "account", "events"], types));
  const statuses = Object.entries(state.requests).map(([status, count]) => ({ status, count }));
  put("statuses", table("requests yet", ["status", "count"], statuses));
  put("requests", table("requests yet",
    ["at", "api", "account", "status", "body_bytes", "events_stored", "events_rejected", "fault"],
    state.newest_requests.map((row) => ({ ...row, at: time(row.at_ms) }))));
  options($("account"), state.accounts.map(({ id, name }) => [id, `${id} ${name}`]));
  options($("answer"), state.answers.map((name) => [name, name]));
  $("fault-form").hidden = !state.switches;
  const { faults, synthesis_delay: delay } = state.faults;
  const list = faults.length === 0 ? element("p", { class: "empty" }, "All is well.")
    : element("ul", {}, ...faults.map((active) => faultRow(active, state.switches)));
  const whole = element("div", {}, list);
  if (!/^0/.test(delay)) whole.append(element("p", {}, `Entities become visible ${delay} later than usual.`));
  const busy = $("faults").contains(document.activeElement);
  // A button that somebody is about to press stays where it is.
  if (!busy || $("faults").querySelectorAll("li").length !== faults.length) put("faults", whole);
}

async function refresh() {
  const state = await ask("GET", "/state");
  draw(state);
  say("trouble", "");
  $("key-form").hidden = !keyNeeded;
}

async function poll() {
  try {
    if (!document.hidden) await refresh();
  } catch (error) {
    say("trouble", error.message);
  }
  setTimeout(poll, POLL_MS);
}

// ---- NRQL --------------------------------------------------------------------------------------

/** Results of `query`; a message with its place in the text when it has one. */
async function nrql(query, account) {
  const answer = await ask("POST", "/nrql", { query, account: Number(account) || undefined });
  const found = answer.data?.actor?.account?.nrql;
  if (answer.errors?.length || !found) {
    throw new Error(answer.errors?.map((error) => error.message).join("\n") || "there is no answer");
  }
  return found;
}

/** `message`, and the line of the query that it names with a caret below the place. */
function withPlace(message, query) {
  const place = /line (\d+),? (?:position|column) (\d+)/i.exec(message);
  if (!place) return message;
  const line = query.split("\n")[Number(place[1]) - 1] ?? "";
  return `${message}\n\n${line}\n${" ".repeat(Math.max(0, Number(place[2]) - 1))}^`;
}

const BUCKET = ["beginTimeSeconds", "endTimeSeconds", "inspectedCount", "facet", "comparison", "timestamp"];

/** The values of a row that a chart can show, by name; percentiles and the like by their parts. */
function figures(row, facetKeys) {
  const found = [];
  for (const [name, value] of Object.entries(row)) {
    if (BUCKET.includes(name) || facetKeys.includes(name)) continue;
    if (typeof value === "number") found.push([name, value]);
    else if (value && typeof value === "object" && !Array.isArray(value)) {
      for (const [part, inner] of Object.entries(value)) {
        if (typeof inner === "number") found.push([`${name} ${part}`, inner]);
      }
    }
  }
  return found;
}

function facetName(row) {
  const { facet, comparison } = row;
  const name = Array.isArray(facet) ? facet.map(show).join(", ") : show(facet);
  return comparison ? `${name} ${comparison}`.trim() : name;
}

function legend(names) {
  const item = (name, at) => element("li", {},
    shape("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" },
      shape("rect", { class: `s${at % 8}`, width: 10, height: 10 })), ` ${name}`);
  return element("ul", { class: "legend" }, ...names.map(item));
}

function lineChart(rows, facetKeys) {
  const series = new Map();
  for (const row of rows) {
    for (const [name, value] of figures(row, facetKeys)) {
      const whose = [facetName(row), name].filter(Boolean).join(": ");
      if (!series.has(whose)) series.set(whose, []);
      series.get(whose).push([(row.beginTimeSeconds + row.endTimeSeconds) / 2, value]);
    }
  }
  if (series.size === 0) return null;
  const shown = [...series.entries()].slice(0, SERIES_MAX);
  const all = shown.flatMap(([, points]) => points);
  const [first, last] = [Math.min(...all.map(([at]) => at)), Math.max(...all.map(([at]) => at))];
  const low = Math.min(0, ...all.map(([, value]) => value));
  const high = Math.max(...all.map(([, value]) => value), low + 1e-9);
  const width = 800, height = 240, left = 60, bottom = 22, top = 10;
  const x = (at) => left + ((at - first) / Math.max(1, last - first)) * (width - left - 10);
  const y = (value) => height - bottom - ((value - low) / (high - low)) * (height - bottom - top);
  const parts = [low, (low + high) / 2, high].flatMap((value) => [
    shape("line", { class: "axis", x1: left, x2: width - 10, y1: y(value), y2: y(value) }),
    shape("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, numbers.format(value)),
  ]);
  parts.push(shape("text", { x: left, y: height - 4 }, time(first * 1000)),
    shape("text", { x: width - 10, y: height - 4, "text-anchor": "end" }, time(last * 1000)));
  shown.forEach(([, points], at) => {
    const ordered = points.sort((one, two) => one[0] - two[0]);
    const path = ordered.map(([when, value], index) => `${index ? "L" : "M"}${x(when).toFixed(1)} ${y(value).toFixed(1)}`);
    parts.push(shape("path", { class: `line s${at % 8}`, d: path.join("") }));
    if (ordered.length === 1) parts.push(shape("circle", { class: `s${at % 8}`, cx: x(ordered[0][0]), cy: y(ordered[0][1]), r: 3 }));
  });
  const more = series.size > SERIES_MAX ? `, ${series.size - SERIES_MAX} more not shown` : "";
  const label = `${shown.length} series from ${time(first * 1000)} to ${time(last * 1000)}, ${numbers.format(low)} to ${numbers.format(high)}${more}`;
  return element("div", {},
    shape("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label }, ...parts),
    legend(shown.map(([name]) => name)));
}

function barChart(rows, facetKeys) {
  const bars = rows.slice(0, SERIES_MAX).map((row) => [facetName(row), figures(row, facetKeys)[0]?.[1]]);
  if (bars.some(([, value]) => value === undefined)) return null;
  const most = Math.max(...bars.map(([, value]) => Math.abs(value)), 1e-9);
  const row = 22, width = 800, left = 220;
  const parts = bars.flatMap(([name, value], at) => [
    shape("text", { x: left - 8, y: at * row + 15, "text-anchor": "end" }, name.length > 34 ? name.slice(0, 33) + "…" : name),
    shape("rect", { class: "s0", x: left, y: at * row + 4, height: row - 8, width: Math.max(1, (Math.abs(value) / most) * (width - left - 90)) }),
    shape("text", { x: left + 6 + (Math.abs(value) / most) * (width - left - 90), y: at * row + 15 }, numbers.format(value)),
  ]);
  const label = `${bars.length} bars, ${bars[0][0]} ${numbers.format(bars[0][1])} first`;
  return shape("svg", { viewBox: `0 0 ${width} ${bars.length * row + 4}`, role: "img", "aria-label": label }, ...parts);
}

function chart(found) {
  const rows = found.results ?? [];
  const facetKeys = found.metadata?.facets ?? [];
  if (rows.length === 0) return null;
  if (rows[0].beginTimeSeconds !== undefined) return lineChart(rows, facetKeys);
  if (rows[0].facet !== undefined) return barChart(rows, facetKeys);
  // Histograms, percentiles, funnels: one row whose parts are what there is to see.
  const parts = rows.length === 1 ? Object.values(rows[0]).filter((value) => value && typeof value === "object" && !Array.isArray(value)) : [];
  const bars = parts.length === 1 ? Object.entries(parts[0]).filter(([, value]) => typeof value === "number") : [];
  if (bars.length > 1) return barChart(bars.map(([facet, value]) => ({ facet, value })), []);
  return null;
}

/** The columns of a table: when and what first, then the figures; a facet that has its own name once. */
function columnsOf(rows, facetKeys) {
  const all = [...new Set(rows.slice(0, 500).flatMap(Object.keys))];
  const named = facetKeys.length > 0 && facetKeys.every((name) => all.includes(name));
  const first = ["timestamp", "comparison", ...(named ? facetKeys : ["facet"]), "beginTimeSeconds", "endTimeSeconds"]
    .filter((name) => all.includes(name));
  return [...first, ...all.filter((name) => !first.includes(name) && name !== "facet")];
}

/** Rows as a table reads them: times as text, every key that any row has. */
function readable(rows) {
  const at = (row, name, factor) => (typeof row[name] === "number" ? { [name]: time(row[name] * factor) } : {});
  return rows.map((row) => ({
    ...row, ...at(row, "beginTimeSeconds", 1000), ...at(row, "endTimeSeconds", 1000), ...at(row, "timestamp", 1),
  }));
}

async function run() {
  const query = $("query").value;
  $("nrql-status").textContent = "running…";
  $("nrql-error").hidden = true;
  try {
    const found = await nrql(query, $("account").value);
    const rows = readable(found.results ?? []);
    const columns = columnsOf(rows, found.metadata?.facets ?? []);
    const picture = chart(found);
    $("chart").hidden = !picture;
    $("chart").replaceChildren(...(picture ? [picture] : []));
    put("nrql-table", table("results", columns, rows));
    const messages = (found.metadata?.messages ?? []).join(" ");
    $("nrql-status").textContent = `${rows.length} ${rows.length === 1 ? "row" : "rows"} ${messages}`.trim();
  } catch (error) {
    $("nrql-status").textContent = "";
    // Results of another query below an error would be read as this one's.
    $("chart").hidden = true;
    $("nrql-table").replaceChildren();
    $("nrql-error").textContent = withPlace(error.message, query);
    $("nrql-error").hidden = false;
    const place = /line (\d+),? (?:position|column) (\d+)/i.exec(error.message);
    if (place) {
      const before = query.split("\n").slice(0, Number(place[1]) - 1).join("\n").length;
      const start = before + (Number(place[1]) > 1 ? 1 : 0) + Number(place[2]) - 1;
      $("query").setSelectionRange(start, start + 1);
    }
  }
}

// ---- entities ----------------------------------------------------------------------------------

let entityRows = [];
let entityCursor = null;

function entityCell(row, column) {
  if (column !== "tags") return show(row[column]);
  const tags = row.tags.flatMap(({ key: name, values }) => values.map((value) => `${name}=${value}`));
  return element("span", {}, ...tags.map((tag) => element("span", { class: "tag" }, tag)));
}

async function search(more) {
  try {
    const answer = await ask("POST", "/entities", { query: $("search").value, cursor: more ? entityCursor : null });
    const found = answer.data?.actor?.entitySearch;
    if (answer.errors?.length || !found?.results) {
      throw new Error(answer.errors?.map((error) => error.message).join(" ") || "there is no answer");
    }
    entityRows = more ? entityRows.concat(found.results.entities) : found.results.entities;
    entityCursor = found.results.nextCursor;
    put("entities", table("entities found", ["name", "type", "domain", "accountId", "reporting", "tags", "guid"], entityRows, entityCell));
    $("more-entities").hidden = !entityCursor;
    $("entity-status").textContent = `${entityRows.length} of ${found.count}`;
    $("entity-error").hidden = true;
  } catch (error) {
    $("entity-error").textContent = error.message;
    $("entity-error").hidden = false;
  }
}

async function errors() {
  try {
    const query = "SELECT timestamp, newRelicFeature, category, message, requestId, apiKeyPrefix, eventTypeSample FROM NrIntegrationError SINCE 1 day ago LIMIT 50";
    const found = await nrql(query, $("account").value);
    const columns = ["timestamp", "newRelicFeature", "category", "message", "eventTypeSample", "apiKeyPrefix", "requestId"];
    put("errors", table("errors", columns, readable(found.results ?? [])));
  } catch (error) {
    put("errors", element("p", { class: "error" }, error.message));
  }
}

/** What is asked for less often, while nobody looks at older pages of it. */
async function pollSlowly() {
  if (!document.hidden && !(keyNeeded && !key)) {
    await errors();
    if (entityRows.length <= 50) await search(false);
  }
  setTimeout(pollSlowly, SLOW_POLL_MS);
}

// ---- forms -------------------------------------------------------------------------------------

function onSubmit(id, work) {
  $(id).addEventListener("submit", (event) => {
    event.preventDefault();
    work();
  });
}

onSubmit("nrql-form", run);
onSubmit("entity-form", () => search(false));
onSubmit("key-form", () => {
  key = $("key").value.trim();
  $("key").value = "";
  refresh().then(() => search(false)).catch((error) => say("trouble", error.message));
});
onSubmit("fault-form", () => act("fault-error", () => {
  const order = { answer: $("answer").value };
  if (order.answer !== "late_synthesis") order.target = $("target").value;
  if ($("share").value.trim()) order.share = Number($("share").value);
  if ($("lasts").value.trim()) order.lasts = $("lasts").value.trim();
  for (const pair of $("more").value.split(",").filter((text) => text.trim())) {
    const [name, ...rest] = pair.split("=");
    order[name.trim()] = rest.join("=").trim();
  }
  return ask("POST", "/faults", order);
}));
$("more-entities").addEventListener("click", () => search(true));
$("query").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    run();
  }
});

poll().then(() => pollSlowly());
