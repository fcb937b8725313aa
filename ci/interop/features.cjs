// Gives Cucumber messages to the official formatter, and looks for what refers to nothing.
//
// usage: node features.cjs (MESSAGES.ndjson PASSED|FAILED)…
"use strict";

const fs = require("fs");
const { pipeline } = require("stream/promises");
const { CucumberHtmlStream } = require("@cucumber/html-formatter");
const { parseEnvelope } = require("@cucumber/messages");
const { Readable } = require("stream");

// Every id that an envelope defines, and every one that it refers to.
function references(envelopes) {
  const defined = new Set();
  const used = [];
  const walk = (value) => {
    if (Array.isArray(value)) return value.forEach(walk);
    if (value === null || typeof value !== "object") return;
    for (const [key, inner] of Object.entries(value)) {
      if (key === "id") defined.add(inner);
      else if (/Id$/.test(key) && inner) used.push([key, inner]);
      else if (/Ids$/.test(key)) inner.forEach((id) => used.push([key, id]));
      else walk(inner);
    }
  };
  walk(envelopes);
  return used.filter(([, id]) => !defined.has(id));
}

async function main() {
  const wrong = [];
  const given = process.argv.slice(2);
  for (let at = 0; at < given.length; at += 2) {
    const [file, expected] = [given[at], given[at + 1]];
    const lines = fs.readFileSync(file, "utf8").trim().split("\n");
    const envelopes = lines.map((line) => parseEnvelope(line));
    const dangling = references(envelopes);
    if (dangling.length > 0) wrong.push(`${file}: ${JSON.stringify(dangling.slice(0, 5))}`);
    const cases = envelopes.filter((envelope) => envelope.testCase).length;
    if (cases === 0) wrong.push(`${file}: no scenario`);
    const results = envelopes.filter((envelope) => envelope.testStepFinished)
      .map((envelope) => envelope.testStepFinished.testStepResult.status);
    if (!results.includes(expected)) wrong.push(`${file}: nothing ${expected}`);
    const html = file.replace(/ndjson$/, "html");
    await pipeline(Readable.from(envelopes), new CucumberHtmlStream(), fs.createWriteStream(html));
    const report = fs.readFileSync(html, "utf8");
    for (const envelope of envelopes.filter((envelope) => envelope.pickle)) {
      if (!report.includes(JSON.stringify(envelope.pickle.name).slice(1, -1).slice(0, 20))) {
        wrong.push(`${html} lacks ${envelope.pickle.name}`);
      }
    }
    console.log(`${file}: ${lines.length} messages, ${cases} scenarios, ${report.length} bytes`);
  }
  wrong.forEach((what) => console.error(what));
  process.exit(wrong.length > 0 ? 1 : 0);
}

main();
