// Opens cards in a real browser; fails on any error of the console, any request, and any page that
// is wider than its window.
//
// usage: node card.cjs BROWSER OUT_FOLDER CARD.html…
"use strict";

const fs = require("fs");
const path = require("path");
const { finish, launch, run, shoot } = require("./browser.cjs");

const [browser, out, ...cards] = process.argv.slice(2);
const WIDTHS = [360, 800, 1440];
const SCHEMES = ["light", "dark"];

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

async function main() {
  const failures = [];
  const { open, close } = await launch(browser, out, failures);
  let pages = 0;
  for (const card of cards) {
    const name = path.basename(card, ".html");
    for (const width of WIDTHS) {
      for (const scheme of SCHEMES) {
        const page = await open(card, width, scheme);
        await shoot(page, path.join(out, `${name}-${width}-${scheme}`));
        await page.exercise(EXERCISE);
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
  await close();
  finish(pages, failures);
}

run(main);
