// Opens cards in a real browser; fails on any error of the console, any request, and any page that
// is wider than its window. Speaks the DevTools protocol over a pipe: needs nothing but node and
// Chromium.
//
// usage: node card.cjs BROWSER OUT_FOLDER CARD.html…
"use strict";

const { spawn } = require("child_process");
const fs = require("fs");
const path = require("path");
const { pathToFileURL } = require("url");

const [browser, out, ...cards] = process.argv.slice(2);
const WIDTHS = [360, 800, 1440];
const SCHEMES = ["light", "dark"];
const failures = [];
// Until all is done: a browser that goes away leaves nothing to wait for, and node would end well.
process.exitCode = 1;

function connect(child) {
  const [write, read] = [child.stdio[3], child.stdio[4]];
  const waiting = new Map(), listeners = [];
  let next = 1, rest = Buffer.alloc(0);
  read.on("data", (bytes) => {
    rest = Buffer.concat([rest, bytes]);
    for (let end; (end = rest.indexOf(0)) >= 0; rest = rest.subarray(end + 1)) {
      const message = JSON.parse(rest.subarray(0, end).toString());
      const wait = waiting.get(message.id);
      if (!wait) listeners.forEach((listen) => listen(message));
      else if (message.error) wait.reject(new Error(`${wait.method}: ${message.error.message}`));
      else wait.resolve(message.result);
      waiting.delete(message.id);
    }
  });
  const send = (method, params = {}, sessionId = undefined) => new Promise((resolve, reject) => {
    const id = next++;
    waiting.set(id, { resolve, reject, method });
    write.write(JSON.stringify({ id, method, params, sessionId }) + "\0");
  });
  return { send, listen: (listener) => listeners.push(listener) };
}

// What every card must be able to do, run inside the page.
const EXERCISE = `(() => {
  const wrong = [];
  const say = (what, holds) => { if (!holds) wrong.push(what); };
  const one = (query) => document.querySelector(query);
  const key = (on, key) => on.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  say("an id occurs twice", new Set(ids).size === ids.length);
  for (const id of ["passport", "verdict"]) JSON.parse(document.getElementById(id).textContent);
  const view = one(".track .view"), width = () => parseFloat(view.getAttribute("width"));
  one('[data-zoom="in"]').click();
  say("zooming in widens the rows", width() === 200);
  one('[data-zoom="focus"]').click();
  say("the focus is closer than the whole run", width() > 100);
  key(one(".track"), "0");
  say("0 shows the whole run", width() === 100);
  key(one(".track"), "ArrowRight");
  say("an arrow key names a bar", one("#pointed").textContent.length > 5);
  const chart = one(".chart");
  if (chart) {
    key(chart, "ArrowRight");
    say("an arrow key reads a curve", chart.closest("figure").querySelector("output").textContent);
  }
  const row = one(".sequence .row");
  if (row) {
    key(row, "Enter");
    say("Enter opens a row", !one("#row").hidden && one("#row").textContent.length > 5);
    key(row, "Enter");
    say("Enter closes it again", one("#row").hidden);
  }
  const scheme = () => getComputedStyle(document.documentElement).colorScheme;
  const before = getComputedStyle(document.body).backgroundColor;
  one("#theme").click();
  say("the switch changes the colours", getComputedStyle(document.body).backgroundColor !== before);
  one("#theme").click();
  say("and back", getComputedStyle(document.body).backgroundColor === before);
  say("the page is as wide as its window",
    document.documentElement.scrollWidth <= document.documentElement.clientWidth);
  document.querySelectorAll("details").forEach((part) => { part.open = true; });
  say("the page is as wide as its window when all is unfolded",
    document.documentElement.scrollWidth <= document.documentElement.clientWidth);
  const inside = (element) => element.closest(".scroll") === null;
  for (const element of document.querySelectorAll("p, li, td, dd, h1, h2, pre, .name")) {
    const box = element.getBoundingClientRect();
    if (inside(element) && box.right > innerWidth + 1) say("cut: " + element.textContent, false);
  }
  return wrong;
})()`;

async function open(devtools, card, width, scheme) {
  const { targetId } = await devtools.send("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await devtools.send("Target.attachToTarget", { targetId, flatten: true });
  const send = (method, params) => devtools.send(method, params, sessionId);
  const where = `${path.basename(card)} at ${width} ${scheme}`;
  let loaded;
  const load = new Promise((resolve) => { loaded = resolve; });
  devtools.listen((message) => {
    if (message.sessionId !== sessionId) return;
    const { method, params } = message;
    if (method === "Page.loadEventFired") loaded();
    if (method === "Runtime.exceptionThrown") {
      failures.push(`${where}: ${params.exceptionDetails.exception?.description || "an exception"}`);
    }
    if (method === "Runtime.consoleAPICalled") failures.push(`${where}: console.${params.type}`);
    if (method === "Log.entryAdded") failures.push(`${where}: ${params.entry.text}`);
    if (method === "Network.requestWillBeSent") {
      const url = params.request.url;
      if (!url.startsWith("file:") && !url.startsWith("data:")) {
        failures.push(`${where}: asks for ${url}`);
      }
    }
  });
  for (const domain of ["Page", "Runtime", "Log", "Network"]) await send(`${domain}.enable`);
  await send("Emulation.setDeviceMetricsOverride",
    { width, height: 900, deviceScaleFactor: 1, mobile: width < 500 });
  await send("Emulation.setEmulatedMedia",
    { features: [{ name: "prefers-color-scheme", value: scheme }] });
  await send("Page.navigate", { url: pathToFileURL(path.resolve(card)).href });
  await load;
  return { send, where, close: () => devtools.send("Target.closeTarget", { targetId }) };
}

// In pieces, so that a viewer who scales pictures down can still read them.
const PIECE = 1200, PIECES_MAX = 8;

async function shoot(page, stem) {
  const { cssContentSize: { width, height } } = await page.send("Page.getLayoutMetrics");
  for (let piece = 0; piece < Math.min(PIECES_MAX, Math.ceil(height / PIECE)); piece += 1) {
    const y = piece * PIECE;
    const clip = { x: 0, y, width, height: Math.min(PIECE, height - y), scale: 1 };
    const { data } = await page.send("Page.captureScreenshot",
      { format: "png", captureBeyondViewport: true, clip });
    fs.writeFileSync(`${stem}-${piece + 1}.png`, Buffer.from(data, "base64"));
  }
}

async function main() {
  fs.mkdirSync(out, { recursive: true });
  const child = spawn(browser, ["--headless=new", "--no-sandbox", "--disable-gpu",
    "--disable-dev-shm-usage", "--remote-debugging-pipe", `--user-data-dir=${path.join(out, "profile")}`],
  { stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"] });
  let said = "", closing = false;
  child.stderr.on("data", (text) => { said = (said + text).slice(-4000); });
  child.once("exit", (code, signal) => {
    if (closing) return;
    console.error(`the browser ended by itself (${signal || code}):\n${said}`);
    process.exit(1);
  });
  // It closes its ends of the pipe first; how it ended is told above.
  for (const pipe of child.stdio.slice(3)) pipe.on("error", () => {});
  const devtools = connect(child);
  let pages = 0;
  for (const card of cards) {
    const name = path.basename(card, ".html");
    for (const width of WIDTHS) {
      for (const scheme of SCHEMES) {
        const page = await open(devtools, card, width, scheme);
        await shoot(page, path.join(out, `${name}-${width}-${scheme}`));
        const { result, exceptionDetails } =
          await page.send("Runtime.evaluate", { expression: EXERCISE, returnByValue: true });
        if (exceptionDetails) failures.push(`${page.where}: ${exceptionDetails.exception.description}`);
        for (const wrong of result.value || []) failures.push(`${page.where}: not so: ${wrong}`);
        if (width === 1440 && scheme === "light") {
          const { data } = await page.send("Page.printToPDF",
            { printBackground: true, preferCSSPageSize: true });
          fs.writeFileSync(path.join(out, `${name}.pdf`), Buffer.from(data, "base64"));
        }
        await page.close();
        pages += 1;
      }
    }
  }
  closing = true;
  const closed = new Promise((resolve) => child.once("exit", resolve));
  await devtools.send("Browser.close").catch(() => {});
  await closed;
  fs.rmSync(path.join(out, "profile"), { recursive: true, force: true, maxRetries: 5 });
  for (const failure of failures) console.error(failure);
  console.log(`${pages} pages, ${failures.length} failures`);
  process.exit(pages > 0 && failures.length === 0 ? 0 : 1);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
