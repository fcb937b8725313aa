// Runs the page of a served New Relic in a document without a browser; one JSON object at the end.
//
// usage: node newrelic_page.cjs NODE_FOLDER BASE_URL
"use strict";

const path = require("path");
const [folder, base] = process.argv.slice(2);
const { JSDOM } = require(path.resolve(folder, "node_modules/jsdom"));
const seen = { errors: [] };
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

process.on("unhandledRejection", (error) => seen.errors.push(String(error)));

async function main() {
  const html = await (await fetch(base + "/")).text();
  const script = await (await fetch(base + "/page/app.js")).text();
  const { window } = new JSDOM(html.replace(/<script[^>]*><\/script>/, ""), {
    url: base + "/", runScripts: "outside-only", pretendToBeVisual: true,
  });
  window.fetch = (place, options) =>
    fetch(base + place, { ...options, headers: { ...options.headers, Origin: base } });
  window.addEventListener("error", (event) => seen.errors.push(event.message));
  window.eval(script);

  const $ = (id) => window.document.getElementById(id);
  const text = (id) => $(id).textContent.replace(/\s+/g, " ").trim();
  const submit = (id) => $(id).dispatchEvent(new window.Event("submit", { cancelable: true }));
  const until = async (condition) => {
    for (let tries = 0; tries < 200 && !condition(); tries += 1) await sleep(50);
    return condition();
  };
  const run = async (query) => {
    $("query").value = query;
    submit("nrql-form");
    await sleep(50);
    await until(() => text("nrql-status") !== "running…");
  };

  seen.types = (await until(() => text("types").includes("QueueSample"))) && text("types");
  await until(() => text("entity-status") !== "");
  for (const id of ["trouble", "statuses", "entities", "account"]) seen[id] = text(id);
  await run("SELECT count(*) FROM QueueSample FACET queue SINCE 1 hour ago");
  seen.bars = $("chart").querySelectorAll("rect").length;
  seen.rows = $("nrql-table").querySelectorAll("tbody tr").length;
  await run("SELECT count(*) FROM QueueSample TIMESERIES 1 minute SINCE 10 minutes ago");
  seen.lines = $("chart").querySelectorAll("path.line").length;
  await run("SELECT histogram(depth, 100, 10) FROM QueueSample SINCE 1 hour ago");
  seen.histogram = $("chart").querySelectorAll("rect").length;
  await run("SELECT count(*)\nFORM QueueSample");
  seen.mistake = $("nrql-error").textContent;
  $("answer").value = "slow";
  $("more").value = "after=1s";
  submit("fault-form");
  await until(() => text("faults").includes("slow"));
  seen.faultOn = text("faults");
  $("faults").querySelector("button").click();
  await until(() => !text("faults").includes("slow"));
  seen.faultOff = text("faults");
  console.log(JSON.stringify(seen));
  process.exit(0);
}

main();
