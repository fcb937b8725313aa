// A real browser for tests of pages: Chromium over the DevTools protocol on a pipe. Needs nothing
// but node and Chromium.
//
// Every page that is opened must stay quiet: an error of the console and a request to anywhere are
// failures, and so is a browser that ends by itself.
"use strict";

const { spawn } = require("child_process");
const fs = require("fs");
const path = require("path");
const { pathToFileURL } = require("url");

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

// A browser with its profile in `out`; `failures` gets what its pages do wrong.
async function launch(browser, out, failures) {
  fs.mkdirSync(out, { recursive: true });
  // Until all is done: a browser that goes away leaves nothing to wait for, and node would end well.
  process.exitCode = 1;
  const profile = path.join(out, "profile");
  const child = spawn(browser, ["--headless=new", "--no-sandbox", "--disable-gpu",
    "--disable-dev-shm-usage", "--remote-debugging-pipe", `--user-data-dir=${profile}`],
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
  const close = async () => {
    closing = true;
    const closed = new Promise((resolve) => child.once("exit", resolve));
    await devtools.send("Browser.close").catch(() => {});
    await closed;
    fs.rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  const open = (file, width, scheme) => openPage(devtools, file, width, scheme, failures);
  return { open, close };
}

async function openPage(devtools, file, width, scheme, failures) {
  const { targetId } = await devtools.send("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await devtools.send("Target.attachToTarget", { targetId, flatten: true });
  const send = (method, params) => devtools.send(method, params, sessionId);
  const where = `${path.basename(file)} at ${width} ${scheme}`;
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
  await send("Page.navigate", { url: pathToFileURL(path.resolve(file)).href });
  await load;
  // Runs an expression in the page; it gives a list of what is wrong there.
  const exercise = async (expression) => {
    const { result, exceptionDetails } =
      await send("Runtime.evaluate", { expression, returnByValue: true });
    if (exceptionDetails) failures.push(`${where}: ${exceptionDetails.exception.description}`);
    for (const wrong of result.value || []) failures.push(`${where}: not so: ${wrong}`);
  };
  const close = () => devtools.send("Target.closeTarget", { targetId });
  return { send, where, exercise, close };
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

// Tells what failed and ends the process; a run that opened no page has failed.
function finish(pages, failures) {
  for (const failure of failures) console.error(failure);
  console.log(`${pages} pages, ${failures.length} failures`);
  process.exit(pages > 0 && failures.length === 0 ? 0 : 1);
}

// Runs `main`; an exception is a failure.
function run(main) {
  main().catch((error) => {
    console.error(error);
    process.exit(1);
  });
}

module.exports = { finish, launch, run, shoot };
