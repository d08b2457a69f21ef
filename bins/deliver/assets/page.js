// What a page needs script for: to draw its charts, from the tables beneath them, and to keep itself up to date.
"use strict";

(() => {
  const LINES = 6;
  // Lines are told apart without colour, too.
  const DASHES = [[], [7, 4], [2, 3], [9, 3, 2, 3], [4, 4], [12, 4]];
  const EVERY = 30_000;

  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // Values as the page writes them.
  function words(value, unit) {
    if (value === null || value === undefined) return "–";
    const group = (text) => text.replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
    const number = (places) => {
      const [whole, rest] = value.toFixed(places).replace("-", "−").split(".");
      return group(whole) + (rest ? "." + rest : "");
    };
    if (unit === "share") return (value * 100).toFixed(1) + "\u202f%";
    if (unit === "count") return number(0);
    if (unit !== "seconds") return number(Math.abs(value) < 100 ? 2 : 0);
    if (Math.abs(value) < 59.95) return value.toFixed(1) + "\u202fs";
    const whole = Math.round(Math.abs(value));
    const two = (n) => String(n).padStart(2, "0");
    const [hours, minutes, seconds] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
    const sign = value < 0 ? "−" : "";
    return sign + (hours ? `${group(String(hours))}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`);
  }

  // Steps of an axis that can be read: of time in minutes and hours, not in thousands of seconds.
  const SECONDS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400, 172800, 432000, 864000];

  function read(table) {
    const rows = [...table.tBodies[0].rows];
    const names = [...table.tHead.rows[0].cells].slice(1, -1).map((cell) => cell.textContent);
    const cell = (row, at) => {
      const value = row.cells[at + 1].dataset.v;
      return value === undefined ? null : Number(value);
    };
    return {
      names,
      labels: rows.map((row) => row.cells[0].textContent),
      times: rows.map((row) => Number(row.dataset.t)),
      moving: rows.map((row) => row.dataset.state !== "settled"),
      doubtful: rows.map((row) => row.dataset.doubtful !== undefined),
      lines: names.map((_, at) => rows.map((row) => cell(row, at))),
    };
  }

  function draw(section) {
    const figure = section.querySelector("figure.chart");
    const table = section.querySelector("table.values");
    if (!figure || !table || typeof uPlot !== "function") return null;
    const unit = figure.dataset.unit;
    const data = read(table);
    const plot = figure.querySelector(".plot");
    const legend = figure.querySelector(".legend");
    plot.hidden = legend.hidden = false;
    plot.replaceChildren();

    const colours = Array.from({ length: LINES }, (_, at) => style(`--line-${at + 1}`));
    const [dim, line, sheet, moving, missing] = ["--dim", "--line", "--sheet", "--moving", "--missing"].map(style);
    const font = `12px ${getComputedStyle(document.body).fontFamily}`;
    const alone = data.times.length === 1;

    // Ticks stand at windows, with the names the server gave them: local time is resolved there and nowhere else.
    // Windows are no grid: where none are there is a gap, and labels are as far apart as they are on the screen.
    const ticks = (u) => {
      const chosen = [];
      let free = -Infinity;
      for (let at = u.valToIdx(u.scales.x.min); at <= u.valToIdx(u.scales.x.max); at += 1) {
        const place = u.valToPos(data.times[at], "x");
        if (place < free) continue;
        chosen.push(data.times[at]);
        free = place + 118;
      }
      return chosen;
    };
    // Behind the lines: where figures may still change, and where data are missing.
    const edge = (u, at) => (at <= 0 ? u.scales.x.min : at >= data.times.length ? u.scales.x.max : (data.times[at] + data.times[at - 1]) / 2);
    const band = (u, marks, colour) => {
      const { left, top, width, height } = u.bbox;
      for (let from = marks.indexOf(true); from >= 0; ) {
        let to = from;
        while (marks[to]) to += 1;
        const [begin, end] = [from, to].map((at) => Math.min(left + width, Math.max(left, u.valToPos(edge(u, at), "x", true))));
        u.ctx.save();
        u.ctx.fillStyle = colour;
        u.ctx.fillRect(begin, top, end - begin, height);
        u.ctx.restore();
        from = marks.indexOf(true, to);
      }
    };
    const shade = (u) => {
      band(u, data.moving, moving);
      band(u, data.doubtful, missing);
    };
    const say = (at) => {
      legend.replaceChildren(
        ...data.names.map((name, line) => {
          const item = document.createElement("span");
          const value = at === null || at === undefined ? "" : ` ${words(data.lines[line][at], unit)}`;
          item.innerHTML = `<svg width="22" height="8" aria-hidden="true"><line x1="0" y1="4" x2="22" y2="4"/></svg>`;
          const stroke = item.querySelector("line");
          stroke.setAttribute("stroke", colours[line % LINES]);
          stroke.setAttribute("stroke-width", "2");
          stroke.setAttribute("stroke-dasharray", DASHES[line % LINES].join(" "));
          const bold = document.createElement("b");
          bold.textContent = value;
          item.append(name, bold);
          return item;
        }),
      );
      if (at !== null && at !== undefined) {
        const when = document.createElement("span");
        when.textContent = data.labels[at] + (data.moving[at] ? ", may still change" : "") + (data.doubtful[at] ? ", data missing" : "");
        legend.append(when);
        return;
      }
      for (const [marks, name, words] of [[data.moving, "moving", "may still change"], [data.doubtful, "missing", "data missing"]]) {
        if (!marks.includes(true)) continue;
        const note = document.createElement("span");
        note.className = `key ${name}`;
        note.textContent = words;
        legend.append(note);
      }
    };
    const axis = { stroke: dim, font, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1, size: 5 } };
    const chart = new uPlot(
      {
        width: plot.clientWidth,
        height: plot.clientHeight,
        padding: [12, 12, 0, 0],
        legend: { show: false },
        cursor: { points: { size: 8 }, y: false, drag: { x: false, y: false } },
        scales: {
          x: alone ? { time: true, range: () => [data.times[0] - 1, data.times[0] + 1] } : { time: true },
          y: { range: (u, least, most) => (least === null ? [0, 1] : uPlot.rangeNum(Math.min(0, least), most, { min: { pad: 0, soft: 0, mode: 1 }, max: { pad: 0.08, soft: 0, mode: 2 } })) },
        },
        axes: [
          { ...axis, splits: ticks, values: (u, splits) => splits.map((at) => data.labels[data.times.indexOf(at)].replace(/ \([A-Z].*\)$/, "")), gap: 8 },
          { ...axis, size: 70, values: (u, splits) => splits.map((value) => words(value, unit)), ...(unit === "seconds" ? { incrs: SECONDS } : unit === "count" ? { incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000, 1000000] } : {}) },
        ],
        series: [
          {},
          ...data.names.map((name, at) => ({
            label: name,
            stroke: colours[at % LINES],
            width: 2,
            dash: DASHES[at % LINES],
            spanGaps: false,
            points: { show: data.times.length <= 62, size: 6, fill: sheet, stroke: colours[at % LINES] },
          })),
        ],
        hooks: {
          drawClear: [shade],
          setCursor: [(u) => say(u.cursor.idx)],
        },
      },
      [data.times, ...data.lines],
      plot,
    );
    say(null);
    return chart;
  }

  let charts = [];

  function drawAll() {
    for (const { chart } of charts) chart.destroy();
    charts = [];
    for (const section of document.querySelectorAll("main section")) {
      const chart = draw(section);
      if (chart) charts.push({ chart, plot: section.querySelector(".plot") });
    }
  }

  function fit() {
    for (const { chart, plot } of charts) chart.setSize({ width: plot.clientWidth, height: plot.clientHeight });
  }

  // Up to date: parts that changed are replaced, unless somebody is in them.
  function refresh(fresh) {
    let drawn = false;
    for (const old of document.querySelectorAll("[data-live]")) {
      const other = fresh.getElementById(old.id);
      if (!other) continue;
      const busy = old.contains(document.activeElement) || old.contains(getSelection()?.anchorNode) && !getSelection().isCollapsed;
      if (busy) continue;
      // A chart that was drawn is compared by the table it was drawn from.
      const table = (part) => part.querySelector("table.values")?.outerHTML ?? part.innerHTML;
      if (table(old) === table(other)) continue;
      const open = [...old.querySelectorAll("details")].map((part) => part.open);
      [...other.querySelectorAll("details")].forEach((part, at) => (part.open = open[at] ?? part.open));
      old.replaceChildren(...document.adoptNode(other).childNodes);
      drawn ||= old.querySelector("figure.chart") !== null;
    }
    if (drawn) drawAll();
  }

  let paused = false;

  async function look() {
    if (paused || document.hidden) return;
    try {
      const answer = await fetch(location.href, { credentials: "same-origin", redirect: "manual" });
      // Logged out, or nobody there: what is shown stays, with the instant it is of.
      if (!answer.ok) return;
      refresh(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch {
      return;
    }
  }

  drawAll();
  let waiting = 0;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(fit, 100);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  const pause = document.getElementById("pause");
  if (pause) {
    pause.hidden = false;
    pause.addEventListener("click", () => {
      paused = !paused;
      pause.setAttribute("aria-pressed", String(paused));
    });
    setInterval(look, EVERY);
    document.addEventListener("visibilitychange", look);
  }
})();
