"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const all = (query, within = document) => [...within.querySelectorAll(query)];
  const data = JSON.parse($("data").textContent);
  const clock = (ms) => {
    const two = (n) => String(n).padStart(2, "0");
    const whole = Math.round(ms), rest = whole % 1000;
    const text = `${two(Math.floor(whole / 60000))}:${two(Math.floor(whole / 1000) % 60)}`;
    return rest ? `${text}.${String(rest).padStart(3, "0")}` : text;
  };

  // Light, dark, or what the system asks for.
  $("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme
      ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });

  // One span of time for all pictures: a share of the run, begin and width.
  const views = all("svg.view"), axes = all("svg.axis");
  let from = 0, width = 1;
  const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 15e3, 3e4, 6e4, 12e4,
    3e5, 6e5, 9e5, 18e5, 36e5, 72e5, 144e5, 432e5, 864e5];
  const ticks = (axis) => {
    const view = axis.querySelector(".view"), span = data.end * width;
    const room = Math.max(3, axis.getBoundingClientRect().width / 76);
    const step = STEPS.find((step) => span / step <= room) || 864e5;
    view.replaceChildren();
    for (let at = Math.ceil(data.end * from / step) * step; at <= data.end * (from + width) + 1; at += step) {
      const text = document.createElementNS("http://www.w3.org/2000/svg", "text");
      const share = (at / data.end - from) / width;
      text.setAttribute("x", `${at / data.end * 100}%`);
      text.setAttribute("y", "14");
      text.setAttribute("text-anchor", share < 0.04 ? "start" : share > 0.96 ? "end" : "middle");
      text.textContent = clock(at);
      view.append(text);
    }
  };
  const show = (newFrom, newWidth) => {
    width = Math.min(1, Math.max(newWidth, Math.min(1, 20 / Math.max(1, data.end))));
    from = Math.min(1 - width, Math.max(0, newFrom));
    for (const view of views) {
      view.setAttribute("x", `${-from / width * 100}%`);
      view.setAttribute("width", `${100 / width}%`);
    }
    axes.forEach(ticks);
  };
  const zoom = (factor, around = from + width / 2) =>
    show(around - (around - from) * factor, width * factor);
  const zooms = {
    in: () => zoom(0.5), out: () => zoom(2), all: () => show(0, 1),
    focus: () => {
      const share = Math.min(1, data.span / data.end);
      show(data.focus / data.end - share / 2, share);
    },
  };
  all("[data-zoom]").forEach((button) =>
    button.addEventListener("click", () => zooms[button.dataset.zoom]()));

  // Words of marks move from tooltips of the browser, which come late, to the line below the rows.
  const pointed = $("pointed"), tracks = all(".track");
  const marks = (track) => all("rect", track);
  for (const mark of all(".track rect")) {
    const title = mark.querySelector("title");
    mark.dataset.words = title ? title.textContent : "";
    if (title) title.remove();
  }
  let marked = null;
  const point = (mark) => {
    if (marked) marked.classList.remove("pointed");
    marked = mark;
    if (mark) {
      mark.classList.add("pointed");
      const lane = mark.closest(".lane").querySelector(".name").textContent;
      pointed.textContent = `${lane}: ${mark.dataset.words}`;
    }
  };
  const shareAt = (svg, event) => {
    const box = svg.getBoundingClientRect();
    return from + width * (event.clientX - box.left) / Math.max(1, box.width);
  };
  const keys = (svg, event) => {
    const action = { "+": zooms.in, "=": zooms.in, "-": zooms.out, "0": zooms.all }[event.key];
    if (action) action();
    else if (event.shiftKey && event.key === "ArrowLeft") show(from - width / 4, width);
    else if (event.shiftKey && event.key === "ArrowRight") show(from + width / 4, width);
    else return false;
    event.preventDefault();
    return true;
  };
  tracks.forEach((track, index) => {
    track.addEventListener("pointermove", (event) => {
      const mark = event.target.closest("rect");
      if (mark) point(mark);
    });
    track.addEventListener("keydown", (event) => {
      if (keys(track, event)) return;
      const list = marks(track), at = list.indexOf(marked);
      const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: list.length - 1 }[event.key];
      const row = { ArrowUp: index - 1, ArrowDown: index + 1 }[event.key];
      if (to !== undefined && list.length) {
        point(list[Math.min(list.length - 1, Math.max(0, to))]);
      } else if (row !== undefined && tracks[row]) {
        tracks[row].focus();
      } else return;
      event.preventDefault();
    });
  });

  // Values of a curve at an instant: the last one before it.
  const valueAt = (line, at) => {
    let low = 0, high = line.at.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (line.at[middle] <= at) low = middle + 1; else high = middle;
    }
    return low ? line.values[low - 1] : null;
  };
  const read = (chart, share) => {
    const curve = data.curves[chart.dataset.curve], at = share * data.end;
    const values = curve.lines.map((line) => {
      const value = valueAt(line, at);
      return `${line.label} ${value === null ? "–" : value.toLocaleString("en", { maximumFractionDigits: 6 })}`;
    });
    let line = chart.querySelector(".pointer");
    if (!line) {
      line = document.createElementNS("http://www.w3.org/2000/svg", "line");
      line.setAttribute("class", "pointer");
      line.setAttribute("y1", "0");
      line.setAttribute("y2", "100%");
      chart.querySelectorAll(".view")[1].append(line);
    }
    line.setAttribute("x1", `${share * 100}%`);
    line.setAttribute("x2", `${share * 100}%`);
    const figure = chart.closest("figure");
    let out = figure.querySelector("output");
    if (!out) {
      out = document.createElement("output");
      figure.append(out);
    }
    out.textContent = `${clock(at)}: ${values.join(" · ")} ${curve.unit}`;
    chart.dataset.share = share;
  };
  const charts = all(".chart");
  for (const chart of charts) {
    chart.addEventListener("pointermove", (event) => read(chart, Math.min(1, shareAt(chart, event))));
    chart.addEventListener("keydown", (event) => {
      if (keys(chart, event)) return;
      const times = data.curves[chart.dataset.curve].lines.flatMap((line) => line.at);
      const sorted = [...new Set(times)].sort((a, b) => a - b);
      const now = Math.round(Number(chart.dataset.share || 0) * data.end);
      const next = event.key === "ArrowRight" ? sorted.find((at) => at > now)
        : event.key === "ArrowLeft" ? sorted.findLast((at) => at < now) : undefined;
      if (next === undefined) return;
      read(chart, next / data.end);
      event.preventDefault();
    });
  }

  // Dragging moves the time, the wheel with Ctrl or ⌘ zooms it.
  for (const svg of [...tracks, ...charts]) {
    let last = null;
    svg.addEventListener("pointerdown", (event) => {
      last = event.clientX;
      if (width < 1) svg.setPointerCapture(event.pointerId);
    });
    svg.addEventListener("pointermove", (event) => {
      if (last === null || width === 1) return;
      const moved = (last - event.clientX) / Math.max(1, svg.getBoundingClientRect().width);
      last = event.clientX;
      show(from + moved * width, width);
    });
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      svg.addEventListener(end, () => { last = null; });
    }
    svg.addEventListener("dblclick", (event) => zoom(0.4, shareAt(svg, event)));
    svg.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      zoom(event.deltaY > 0 ? 1.3 : 1 / 1.3, shareAt(svg, event));
    }, { passive: false });
  }
  addEventListener("resize", () => axes.forEach(ticks));
  show(0, 1);

  // Single messages of a row of the sequence diagram.
  const opened = $("row");
  let open = null;
  const toggle = (row) => {
    if (open) open.setAttribute("aria-expanded", "false");
    if (open === row) {
      open = null;
      opened.hidden = true;
      return;
    }
    open = row;
    row.setAttribute("aria-expanded", "true");
    const [words, lines] = data.rows[row.dataset.row];
    const head = document.createElement("p"), list = document.createElement("ul");
    head.textContent = words;
    for (const line of lines) {
      const item = document.createElement("li");
      item.textContent = line;
      list.append(item);
    }
    opened.replaceChildren(head, list);
    opened.hidden = false;
  };
  for (const row of all(".sequence .row")) {
    row.addEventListener("click", () => toggle(row));
    row.addEventListener("keydown", (event) => {
      const rows = all(".sequence .row"), at = rows.indexOf(row);
      const to = { ArrowUp: at - 1, ArrowDown: at + 1 }[event.key];
      if (event.key === "Enter" || event.key === " ") toggle(row);
      else if (to !== undefined && rows[to]) rows[to].focus();
      else return;
      event.preventDefault();
    });
  }

  for (const button of all(".copy")) {
    button.addEventListener("click", async () => {
      const text = button.previousElementSibling;
      try {
        await navigator.clipboard.writeText(text.textContent);
      } catch {
        // Where the browser gives no clipboard, the text is at least selected.
        getSelection().selectAllChildren(text);
      }
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  }
  // Paper shows everything.
  const folded = all("details");
  addEventListener("beforeprint", () => folded.forEach((part) => { part.open = true; }));
})();
