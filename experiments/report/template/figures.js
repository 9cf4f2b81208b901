"use strict";
// Figures, drawn from the JSON in #data, and what a pointer or a key shows of them. page.js follows: the rest of the page.

const data = JSON.parse(document.getElementById("data").textContent);
const readout = document.getElementById("readout");
const chosen = new Set(data.arms.flatMap((arm, index) => (arm.featured ? [index] : [])));
if (chosen.size === data.arms.length) chosen.clear();

// ---- words and numbers, as experiments/text.py writes them

const THIN = "\u202f";
const whole = (value) => Math.abs(Math.round(value)).toString().replace(/\B(?=(\d{3})+$)/g, THIN);
const significant = (value, digits) => String(Number(value.toPrecision(digits)));

function number(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  const text = size >= 1000 ? whole(size) : size >= 10 ? size.toFixed(1) : size >= 1 ? size.toFixed(2) : significant(size, 3);
  return (value < 0 ? "\u2212" : "") + text;
}
const SHOWN = {
  number,
  steps: (value) => whole(value),
  share: (value) => (value === null ? "–" : `${(100 * value).toFixed(1).replace(/\.0$/, "")} %`),
};
const SHORT = {
  number: (value) => (Math.abs(value) >= 1000 ? number(value) : significant(value, 6).replace("-", "\u2212")),
  steps: (value) => (value >= 1e6 ? `${significant(value / 1e6, 4)} M` : value >= 1e3 ? `${significant(value / 1e3, 4)} k` : String(value)),
  share: (value) => `${Math.round(100 * value)} %`,
};
const interval = (show, low, high) => (low === null || low === undefined ? "" : `[${show(low)}, ${show(high)}]`);

// ---- drawing

// Of the legend's pictures, which are part of the page.
const SVG = document.querySelector("svg").namespaceURI;
const MARKERS = [
  "M-3 0a3 3 0 1 0 6 0a3 3 0 1 0 -6 0", "M-3 -3h6v6h-6z", "M0 -3.6L3.6 3H-3.6z", "M0 -4L4 0L0 4L-4 0z", "M0 3.6L3.6 -3H-3.6z",
  "M-1.3 -4h2.6v2.7h2.7v2.6h-2.7v2.7h-2.6v-2.7h-2.7v-2.6h2.7z", "M-4 -2.2L-2.2 -4L0 -1.8L2.2 -4L4 -2.2L1.8 0L4 2.2L2.2 4L0 1.8L-2.2 4L-4 2.2L-1.8 0z",
  "M0 -4.5L1.3 -1.5L4.4 -1.4L2 .6L2.8 3.7L0 2L-2.8 3.7L-2 .6L-4.4 -1.4L-1.3 -1.5z",
];

function element(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}
const fixed = (value) => Math.round(value * 10) / 10;
const armClass = (index) => `arm c${data.arms[index].colour}`;

function ticks(low, high, most) {
  const raw = (high - low) / most;
  const base = 10 ** Math.floor(Math.log10(raw));
  const step = base * [1, 2, 2.5, 5, 10].find((factor) => factor * base >= raw * 0.999);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) found.push(Number((k * step).toPrecision(12)));
  return found;
}

// A scale from values to pixels that ends a little beyond the data, or where the axis says.
function scale(axis, values, from, to, room) {
  let low = Infinity, high = -Infinity;
  for (const value of values) if (value !== null) { low = Math.min(low, value); high = Math.max(high, value); }
  if (low === high) { const around = Math.abs(low) * 0.1 || 1; low -= around; high += around; }
  const margin = (high - low) * room;
  low = axis.low ?? low - margin;
  high = axis.high ?? high + margin;
  if (!(high > low)) high = low + 1;
  const at = (value) => from + ((value - low) / (high - low)) * (to - from);
  at.back = (pixel) => low + ((pixel - from) / (to - from)) * (high - low);
  [at.low, at.high] = [low, high];
  return at;
}

function path(x, y, atX, atY, stepped) {
  let text = "", pen = "M";
  for (let i = 0; i < x.length; i++) {
    if (y[i] === null) { pen = "M"; continue; }
    const [px, py] = [fixed(atX(x[i])), fixed(atY(y[i]))];
    text += pen === "L" && stepped ? `H${px}V${py}` : `${pen}${px} ${py}`;
    pen = "L";
  }
  return text;
}

function marker(svg, arm, x, y, size = 1) {
  svg.append(element("path", { d: MARKERS[data.arms[arm].marker], class: `${armClass(arm)} dot`, "data-arm": arm, transform: `translate(${fixed(x)} ${fixed(y)}) scale(${size})` }));
}
function cross(svg, arm, x, y) {
  svg.append(element("path", { d: `M${fixed(x) - 4} ${fixed(y) - 4}l8 8m0 -8l-8 8`, class: "arm bad", "data-arm": arm }));
}

// Axes with grid lines; returns what is inside: {left, right, top, bottom}.
function frame(svg, panel, box, atX, atY) {
  const wide = (box.right - box.left) / 75;
  for (const value of ticks(atX.low, atX.high, Math.max(3, wide))) {
    const x = fixed(atX(value));
    svg.append(element("path", { d: `M${x} ${box.top}V${box.bottom}`, class: "grid" }));
    svg.append(element("text", { x, y: box.bottom + 16, class: "tick middle" }, SHORT[panel.x.show](value)));
  }
  svg.append(element("text", { x: (box.left + box.right) / 2, y: box.bottom + 34, class: "label middle" }, panel.x.label));
  for (const mark of panel.marks ?? []) {
    const d = atY ? `M${box.left} ${fixed(atY(mark))}H${box.right}` : `M${fixed(atX(mark))} ${box.top}V${box.bottom}`;
    svg.append(element("path", { d, class: "mark" }));
  }
  if (!atY) return;
  for (const value of ticks(atY.low, atY.high, 5)) {
    const y = fixed(atY(value));
    svg.append(element("path", { d: `M${box.left} ${y}H${box.right}`, class: "grid" }));
    svg.append(element("text", { x: box.left - 6, y: y + 4, class: "tick end" }, SHORT[panel.y.show](value)));
  }
  svg.append(element("text", { x: 6, y: 12, class: "label" }, panel.y.label));
}

const DRAW = {
  lines(svg, panel, width) {
    const box = { left: 54, right: width - 16, top: 24, bottom: 246, height: 290 };
    const [xs, ys] = [[], panel.marks.slice()];
    for (const line of panel.lines) {
      xs.push(...line.x, ...(line.runs ?? []).flatMap((run) => run[0]));
      ys.push(...line.y, ...(line.low ?? []), ...(line.high ?? []), ...(line.runs ?? []).flatMap((run) => run[1]));
    }
    const atX = scale(panel.x, xs, box.left, box.right, 0.01);
    const atY = scale(panel.y, ys, box.bottom, box.top, 0.04);
    frame(svg, panel, box, atX, atY);
    for (const line of panel.lines) {
      const kind = armClass(line.arm), tag = { "data-arm": line.arm };
      for (const [x, y] of line.runs ?? []) svg.append(element("path", { d: path(x, y, atX, atY), class: `${kind} seed`, ...tag }));
      if (line.low) {
        const back = path([...line.x].reverse(), [...line.high].reverse(), atX, atY);
        svg.append(element("path", { d: `${path(line.x, line.low, atX, atY)}${back.replace("M", "L")}z`, class: `${kind} band`, ...tag }));
      }
    }
    // Lines lie above all bands, and markers sit at other places for each arm.
    panel.lines.forEach((line, place) => {
      const dashes = line.second ? "2 3" : data.arms[line.arm].dashes;
      svg.append(element("path", { d: path(line.x, line.y, atX, atY, line.stepped), class: `${armClass(line.arm)} line`, "data-arm": line.arm, "stroke-dasharray": dashes || "none" }));
      const every = Math.max(1, Math.floor(line.x.length / 6));
      for (let i = Math.floor((place * every) / 5) % every; i < line.x.length; i += every) if (line.y[i] !== null) marker(svg, line.arm, atX(line.x[i]), atY(line.y[i]), 0.9);
      for (const [x, y] of line.ends ?? []) cross(svg, line.arm, atX(x), atY(y));
    });
    const shared = [...new Set(panel.lines.flatMap((line) => line.x))].sort((a, b) => a - b);
    const show = SHOWN[panel.y.show];
    return { height: box.height, stops: shared.map((x) => ({
      x: atX(x), top: box.top, bottom: box.bottom, head: `${panel.x.label}: ${SHOWN[panel.x.show](x)}`, ranked: true,
      rows: () => panel.lines.flatMap((line) => {
        const value = along(line, line.y, x);
        return value === null ? [] : [{ arm: line.arm, name: line.name, value, y: atY(value), text: show(value), more: line.low ? interval(show, along(line, line.low, x), along(line, line.high, x)) : "" }];
      }),
    })) };
  },

  rows(svg, panel, width) {
    const { box, middle } = names(svg, panel.rows.map((row) => row.arm), width);
    const atX = scale(panel.x, [...panel.marks, ...panel.rows.flatMap((row) => [...row.value, ...row.dots, ...row.crosses])], box.left, box.right, 0.04);
    frame(svg, panel, box, atX);
    const show = SHOWN[panel.x.show];
    return { height: box.height, stops: panel.rows.map((row, place) => {
      const [value, low, high] = row.value, y = middle(place), kind = armClass(row.arm), tag = { "data-arm": row.arm };
      const all = [...row.dots, ...row.crosses], lift = (i) => (all.length < 2 ? 0 : (i / (all.length - 1) - 0.5) * 9);
      row.dots.forEach((dot, i) => marker(svg, row.arm, atX(dot), y + lift(i), 0.7));
      row.crosses.forEach((dot, i) => cross(svg, row.arm, atX(dot), y + lift(row.dots.length + i)));
      svg.append(element("path", { d: `M${fixed(atX(low))} ${y}H${fixed(atX(high))}`, class: `${kind} bar`, ...tag }));
      svg.append(element("path", { d: `M${fixed(atX(value))} ${y - 8}v16`, class: "arm centre", ...tag }));
      const bad = row.crosses.length ? `, ${row.crosses.length} failed or diverged` : "";
      const runs = all.length ? `${all.length} ${all.length === 1 ? "seed" : "seeds"}${bad}` : "";
      return { x: atX(value), y, head: panel.title, rows: () => [{ arm: row.arm, text: show(value), more: `${interval(show, low, high)} ${runs}` }] };
    }) };
  },

  shares(svg, panel, width) {
    const { box, middle } = names(svg, panel.arms, width, 24);
    const atX = scale(panel.x, [], box.left, box.right, 0);
    frame(svg, panel, box, atX);
    panel.parts.forEach((part, i) => {
      const x = box.left + (i * (box.right - box.left)) / panel.parts.length;
      svg.append(element("rect", { x, y: 8, width: 9, height: 9, class: `part${i}` }), element("text", { x: x + 13, y: 16, class: "tick" }, part));
    });
    return { height: box.height, stops: panel.arms.map((arm, place) => {
      let left = 0;
      panel.values[place].forEach((share, i) => {
        svg.append(element("rect", { x: fixed(atX(left)), y: middle(place) - 8, width: Math.max(0, fixed(atX(left + share) - atX(left))), height: 16, class: `arm part${i}`, "data-arm": arm }));
        left += share;
      });
      return { x: (box.left + box.right) / 2, y: middle(place), head: data.arms[arm].name, rows: () => panel.values[place].map((share, i) => ({ part: i, name: panel.parts[i], text: SHOWN.share(share), more: "" })) };
    }) };
  },

  matrix(svg, panel, width) {
    const { box, middle, height } = names(svg, panel.arms, width, -1);
    const size = panel.arms.length, cell = Math.min((box.right - box.left) / size, 64), stops = [];
    const head = cell >= 14 ? Math.min(110, 12 + 6.4 * Math.max(...panel.arms.map((arm) => short(data.arms[arm].name, 16).length))) : 8;
    const group = element("g", { transform: `translate(0 ${head})` });
    panel.arms.forEach((column, j) => {
      const x = box.left + (j + 0.5) * cell;
      if (cell >= 14) svg.append(element("text", { class: "tick arm", "data-arm": column, transform: `translate(${fixed(x + 4)} ${head - 2}) rotate(-90)` }, short(data.arms[column].name, 16)));
      panel.arms.forEach((row, i) => {
        const value = panel.value[i][j];
        if (value === null) return;
        group.append(element("rect", { x: fixed(box.left + j * cell), y: fixed(middle(i) - height / 2), width: fixed(cell) - 1, height: height - 1, class: value >= 0.5 ? "above" : "below", "fill-opacity": Math.min(1, Math.abs(value - 0.5) * 1.3).toFixed(2) }));
        if (cell >= 30) group.append(element("text", { x: fixed(x), y: middle(i) + 4, class: "tick middle cell" }, value.toFixed(2)));
        stops.push({ x, y: middle(i) + head, place: i * size + j, head: `${data.arms[row].name} against ${data.arms[column].name}`, rows: () => [{ arm: row, text: value.toFixed(3), more: interval((v) => v.toFixed(3), panel.low[i][j], panel.high[i][j]) }] });
      });
    });
    // The names of the rows were drawn before the height of the columns' names was known.
    for (const text of [...svg.querySelectorAll("text.row")]) group.append(text);
    svg.append(group);
    stops.sort((a, b) => a.place - b.place);
    return { height: box.bottom + head + 4, stops, columns: size - 1 };
  },

  points(svg, panel, width) {
    const box = { left: 54, right: width - 16, top: 24, bottom: 246, height: 290 };
    const atX = scale(panel.x, panel.points.flatMap((point) => point.x), box.left, box.right, 0.06);
    const atY = scale(panel.y, panel.points.flatMap((point) => point.y), box.bottom, box.top, 0.06);
    frame(svg, panel, box, atX, atY);
    const stops = panel.points.map((point) => {
      const [x, left, right] = point.x.map(atX), [y, low, high] = point.y.map(atY);
      svg.append(element("path", { d: `M${fixed(left)} ${fixed(y)}H${fixed(right)}M${fixed(x)} ${fixed(low)}V${fixed(high)}`, class: `${armClass(point.arm)} thin`, "data-arm": point.arm }));
      marker(svg, point.arm, x, y, 1.3);
      const [showX, showY] = [SHOWN[panel.x.show], SHOWN[panel.y.show]];
      return { x, y, head: data.arms[point.arm].name, rows: () => [
        { arm: point.arm, name: panel.y.label, text: showY(point.y[0]), more: interval(showY, point.y[1], point.y[2]) },
        { arm: point.arm, name: panel.x.label, text: showX(point.x[0]), more: interval(showX, point.x[1], point.x[2]) }] };
    });
    return { height: box.height, stops: stops.sort((a, b) => a.x - b.x) };
  },
};

const short = (name, most) => (name.length <= most ? name : `${name.slice(0, most - 1)}…`);

// Names of arms at the left, one row for each; returns the box that is left and the middle of each row.
function names(svg, arms, width, top = 6) {
  const most = Math.max(8, Math.floor(width / 22));
  const left = 14 + 6.6 * Math.max(...arms.map((arm) => Math.min(most, data.arms[arm].name.length)));
  const height = top < 0 ? Math.max(14, Math.min(30, (width - left) / arms.length)) : arms.length > 30 ? 15 : arms.length > 12 ? 19 : 26;
  const start = Math.max(0, top), middle = (place) => start + (place + 0.5) * height;
  arms.forEach((arm, place) => svg.append(element("text", { x: left - 8, y: middle(place) + 4, class: "tick end row arm", "data-arm": arm }, short(data.arms[arm].name, most))));
  const bottom = start + arms.length * height + 2;
  return { box: { left, right: width - 20, top: start, bottom, height: bottom + 44 }, middle, height };
}

// A line's value at x: of the last point before it if stepped, else between its neighbours; null beyond its ends.
function along(line, values, x) {
  const places = line.x;
  if (!places.length || x < places[0] || x > places[places.length - 1]) return null;
  let [low, high] = [0, places.length - 1];
  while (high - low > 1) { const middle = (low + high) >> 1; if (places[middle] <= x) low = middle; else high = middle; }
  if (places[high] <= x) return values[high];
  if (line.stepped || values[low] === null || values[high] === null || high === low) return values[low];
  return values[low] + ((values[high] - values[low]) * (x - places[low])) / (places[high] - places[low]);
}

// ---- pointer and keys

class View {
  constructor(host, panel) {
    [this.host, this.panel, this.width, this.stop] = [host, panel, 0, -1];
    this.svg = element("svg", { tabindex: 0, class: panel.kind, role: "img", "aria-label": `${panel.title.replace("\n", ", ")}. Arrow keys read the values.` });
    host.append(this.svg);
    this.svg.addEventListener("pointermove", (event) => this.point(event));
    this.svg.addEventListener("pointerdown", (event) => this.point(event));
    this.svg.addEventListener("pointerleave", () => this.show(-1));
    this.svg.addEventListener("blur", () => this.show(-1));
    this.svg.addEventListener("focus", () => { if (this.svg.matches(":focus-visible")) this.show(Math.max(0, this.stop)); });
    this.svg.addEventListener("keydown", (event) => this.key(event));
  }

  draw() {
    const width = Math.max(240, Math.round(this.host.clientWidth));
    if (width === this.width) return;
    this.width = width;
    this.svg.replaceChildren();
    const drawn = DRAW[this.panel.kind](this.svg, this.panel, width);
    Object.assign(this, { stops: drawn.stops, columns: drawn.columns ?? 1, height: drawn.height });
    this.svg.setAttribute("viewBox", `0 0 ${width} ${drawn.height}`);
    this.guide = element("path", { class: "guide" });
    this.svg.append(this.guide);
    dim(this.svg);
  }

  point(event) {
    const place = this.svg.getBoundingClientRect(), zoom = this.width / place.width;
    const [x, y] = [(event.clientX - place.left) * zoom, (event.clientY - place.top) * zoom];
    const far = (stop) => (stop.y === undefined ? Math.abs(stop.x - x) : Math.hypot(this.panel.kind === "rows" || this.panel.kind === "shares" ? 0 : stop.x - x, stop.y - y));
    let best = -1;
    this.stops.forEach((stop, i) => { if (best < 0 || far(stop) < far(this.stops[best])) best = i; });
    this.show(best, y);
  }

  key(event) {
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns, Home: -Infinity, End: Infinity };
    if (event.key === "Escape") this.show(-1);
    if (!(event.key in steps)) return;
    event.preventDefault();
    this.show(Math.min(this.stops.length - 1, Math.max(0, this.stop + steps[event.key])));
  }

  show(index, pointerY) {
    this.stop = index;
    const stop = this.stops?.[index];
    readout.hidden = !stop;
    if (!this.guide) return;
    const guide = !stop ? "" : stop.y === undefined ? `M${fixed(stop.x)} ${stop.top}V${stop.bottom}` : `M${fixed(stop.x) - 10} ${fixed(stop.y)}h20`;
    this.guide.setAttribute("d", guide);
    if (stop) this.tell(stop, pointerY);
  }

  tell(stop, pointerY) {
    let rows = stop.rows();
    if (stop.ranked) rows.sort((a, b) => b.value - a.value);
    const kept = rows.filter((row) => !chosen.size || row.arm === undefined || chosen.has(row.arm));
    if (kept.length) rows = kept;
    const nearest = stop.ranked && pointerY !== undefined && rows.length ? rows.reduce((a, b) => (Math.abs(b.y - pointerY) < Math.abs(a.y - pointerY) ? b : a)) : null;
    const head = document.createElement("p");
    head.textContent = stop.head;
    const list = document.createElement("ul");
    for (const row of rows.slice(0, 12)) {
      const item = document.createElement("li");
      if (row === nearest) item.className = "nearest";
      const key = element("svg", { viewBox: "0 0 24 10", class: "key", "aria-hidden": "true" });
      swatch(key, row, 24);
      const [name, text, more] = ["span", "b", "small"].map((tag) => document.createElement(tag));
      name.textContent = row.name || data.arms[row.arm].name;
      text.textContent = row.text;
      more.textContent = row.more;
      item.append(key, name, " ", text, " ", more);
      list.append(item);
    }
    if (rows.length > 12) list.append(Object.assign(document.createElement("li"), { textContent: `and ${rows.length - 12} more` }));
    readout.replaceChildren(head, list);
    const place = this.svg.getBoundingClientRect(), zoom = place.width / this.width;
    const [x, y] = [place.left + stop.x * zoom, place.top + (stop.y ?? stop.top) * zoom];
    const [wide, tall] = [readout.offsetWidth, readout.offsetHeight];
    const left = x + 16 + wide < innerWidth ? x + 16 : x - 16 - wide;
    readout.style.left = `${Math.max(6, Math.min(innerWidth - wide - 6, left))}px`;
    readout.style.top = `${Math.max(6, Math.min(innerHeight - tall - 6, y))}px`;
  }
}

function swatch(svg, row, width) {
  if (row.part !== undefined) return svg.append(element("rect", { x: 6, y: 0, width: 10, height: 10, class: `part${row.part}` }));
  const arm = data.arms[row.arm];
  svg.append(element("path", { d: `M0 5H${width}`, class: `c${arm.colour} line`, "stroke-dasharray": arm.dashes || "none" }));
  svg.append(element("path", { d: MARKERS[arm.marker], class: `c${arm.colour} dot`, transform: `translate(${width / 2} 5)` }));
}
