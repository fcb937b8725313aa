// Opens previews of dashboards in a real browser; fails on any error of the console, any request,
// any page wider than its window, and any widget that is not drawn or whose texts cover each other.
//
// usage: node preview.cjs BROWSER OUT_FOLDER PREVIEW.html…
"use strict";

const path = require("path");
const { finish, launch, run, shoot } = require("./browser.cjs");

const [browser, out, ...previews] = process.argv.slice(2);
const WIDTHS = [400, 1280];
const SCHEMES = ["light", "dark"];

// What must hold of every preview, run inside the page.
const EXERCISE = `(() => {
  const wrong = [];
  const say = (what, holds) => { if (!holds) wrong.push(what); };
  const root = document.documentElement;
  say("the page is as wide as its window", root.scrollWidth <= root.clientWidth);
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  say("an id occurs twice", new Set(ids).size === ids.length);
  for (const link of document.querySelectorAll("a[href^='#']")) {
    const target = document.getElementById(decodeURIComponent(link.hash.slice(1)));
    say("a link leads nowhere: " + link.hash, target !== null);
  }
  const widgets = [...document.querySelectorAll(".widget")];
  say("there are widgets", widgets.length > 0);
  const meet = (a, b, by) => a.left < b.right - by && b.left < a.right - by
    && a.top < b.bottom - by && b.top < a.bottom - by;
  for (const widget of widgets) {
    const title = (widget.querySelector("h3") || widget).textContent.trim();
    const box = widget.getBoundingClientRect();
    say(title + ": has room", box.width > 40 && box.height > 20);
    say(title + ": is within the window", box.left >= -1 && box.right <= innerWidth + 1);
    if (widget.matches(".text")) continue;
    const head = widget.querySelector("h3");
    say(title + ": its title is not cut", head.scrollHeight <= head.clientHeight + 1);
    const drawn = widget.querySelector("svg *, .figure, td, .none.waits");
    say(title + ": is drawn", drawn !== null && widget.querySelector(".fails") === null);
    for (const chart of widget.querySelectorAll(".body > svg")) {
      const size = chart.getBoundingClientRect();
      say(title + ": its chart has room", size.width > 40 && size.height > 8);
      const texts = [...chart.querySelectorAll("text")].map((text) =>
        ({ words: text.textContent, box: text.getBoundingClientRect() }));
      for (const [number, one] of texts.entries()) {
        say(title + ": cut: " + one.words,
          one.box.left >= box.left - 1 && one.box.right <= box.right + 1);
        for (const other of texts.slice(number + 1)) {
          say(title + ": " + one.words + " covers " + other.words, !meet(one.box, other.box, 2));
        }
      }
    }
  }
  for (const [number, one] of widgets.entries()) {
    for (const other of widgets.slice(number + 1)) {
      say("widgets cover each other",
        !meet(one.getBoundingClientRect(), other.getBoundingClientRect(), 1));
    }
  }
  return [...new Set(wrong)];
})()`;

async function main() {
  const failures = [];
  const { open, close } = await launch(browser, out, failures);
  let pages = 0;
  for (const preview of previews) {
    const name = path.basename(preview, ".html");
    for (const width of WIDTHS) {
      for (const scheme of SCHEMES) {
        const page = await open(preview, width, scheme);
        await shoot(page, path.join(out, `${name}-${width}-${scheme}`));
        await page.exercise(EXERCISE);
        await page.close();
        pages += 1;
      }
    }
  }
  await close();
  finish(pages, failures);
}

run(main);
