// Sends events and metrics with npm @newrelic/telemetry-sdk; one JSON line per answer.
//
// usage: node newrelic_node.cjs SDK_FOLDER HOST PORT LICENSE_KEY WRONG_KEY
"use strict";

const path = require("path");
const [folder, host, port, key, wrongKey] = process.argv.slice(2);
const { telemetry } = require(path.resolve(folder, "node_modules/@newrelic/telemetry-sdk"));
const { EventBatch, EventClient, Event } = telemetry.events;
const { CountMetric, GaugeMetric, MetricBatch, MetricClient, SummaryMetric } = telemetry.metrics;

function send(name, client, batch) {
  return new Promise((resolve) => {
    client.send(batch, (error, response, body) => {
      const status = response ? response.statusCode : null;
      console.log(JSON.stringify({ name, status, body, error: error ? String(error) : null }));
      resolve();
    });
  });
}

function metricClient(apiKey) {
  const client = new MetricClient({ apiKey, host });
  // The SDK knows no other port than 443 for metrics; everything else of it is as published.
  client._sendDataOptions.port = Number(port);
  return client;
}

async function main() {
  const now = Date.now();
  const events = Array.from({ length: 50 }, (_, n) =>
    new Event("NodeSample", { n, text: `ü${n}`, queue: n % 2 ? "odd" : "even" }, now));
  const eventClient = (apiKey) => new EventClient({ apiKey, host, port: Number(port) });
  await send("events", eventClient(key), new EventBatch({ client: "node" }, events));
  await send("events with a wrong key", eventClient(wrongKey), new EventBatch({}, events.slice(0, 1)));

  const batch = new MetricBatch({ client: "node" }, now - 10000, 10000);
  batch.addMetric(new GaugeMetric("node.gauge", 2.5, { queue: "a" }, now));
  batch.addMetric(new GaugeMetric("node.gauge", 7.5, { queue: "b" }, now));
  const count = new CountMetric("node.count");
  count.record(3);
  count.record(4);
  batch.addMetric(count);
  const summary = new SummaryMetric("node.summary");
  [1, 2, 9].forEach((value) => summary.record(value));
  batch.addMetric(summary);
  await send("metrics", metricClient(key), batch);
  await send("metrics with a wrong key", metricClient(wrongKey), batch);
  process.exit(0);
}

main();
