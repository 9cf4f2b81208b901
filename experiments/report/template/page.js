// The rest of the page: which arms stand out, tables that sort and export, and the start. Follows figures.js.

// ---- which arms stand out

let hovered = null;
function dim(root) {
  const strong = hovered === null ? chosen : new Set([hovered]);
  for (const mark of root.querySelectorAll("[data-arm]")) mark.classList.toggle("dim", strong.size > 0 && !strong.has(Number(mark.dataset.arm)));
}
for (const button of document.querySelectorAll(".legend button[data-choose]")) {
  const arm = Number(button.dataset.choose);
  swatch(button.querySelector("svg"), { arm }, 40);
  const told = () => { for (const other of document.querySelectorAll(".legend button[data-choose]")) other.setAttribute("aria-pressed", chosen.has(Number(other.dataset.choose))); dim(document); };
  button.addEventListener("click", () => { if (!chosen.delete(arm)) chosen.add(arm); hovered = null; told(); });
  button.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse") { hovered = arm; dim(document); } });
  button.addEventListener("pointerleave", () => { hovered = null; dim(document); });
  button.setAttribute("aria-pressed", chosen.has(arm));
}
document.querySelector(".legend .all")?.addEventListener("click", () => {
  chosen.clear();
  for (const button of document.querySelectorAll(".legend button[data-choose]")) button.setAttribute("aria-pressed", "false");
  dim(document);
});

// ---- tables

const exact = (cell) => cell.dataset.value ?? cell.textContent;
for (const button of document.querySelectorAll("thead button")) {
  button.addEventListener("click", () => {
    // Numbers by value, texts as people sort them, and what is missing always last.
    const heading = button.closest("th"), body = heading.closest("table").tBodies[0], column = heading.cellIndex;
    const down = heading.getAttribute("aria-sort") === "ascending";
    const compare = (a, b) => {
      const [x, y] = [exact(a.cells[column]), exact(b.cells[column])];
      if (x === "" || y === "") return (x === "") - (y === "");
      const order = isNaN(x) || isNaN(y) ? x.localeCompare(y, "en", { numeric: true }) : x - y;
      return down ? -order : order;
    };
    for (const other of heading.parentElement.cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    body.append(...[...body.rows].sort(compare));
  });
}

const LATEX = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "\u2212": "$-$", "\u202f": "\\,", "–": "--", "±": "$\\pm$", "τ": "$\\tau$" };
const latex = (text) => text.replace(/[&%$#_{}]/g, "\\$&").replace(/\\(?![&%$#_{}])|[~^\u2212\u202f–±τ]/g, (sign) => LATEX[sign]);
const FORMS = {
  CSV: (head, body) => [head.map((cell) => cell.dataset.key), ...body.map((row) => row.map(exact))].map((row) => row.map((text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)).join(",") + "\n").join(""),
  Markdown: (head, body) => {
    const line = (cells) => `| ${cells.join(" | ")} |\n`, text = (cell) => cell.textContent.replaceAll("|", "\\|");
    return line(head.map(text)) + line(head.map((cell) => (cell.className === "number" ? "---:" : "---"))) + body.map((row) => line(row.map(text))).join("");
  },
  LaTeX: (head, body) => {
    const line = (cells) => `${cells.map((cell) => latex(cell.textContent)).join(" & ")} \\\\\n`;
    const columns = head.map((cell) => (cell.className === "number" ? "r" : "l")).join("");
    return `\\begin{tabular}{${columns}}\n\\toprule\n${line(head)}\\midrule\n${body.map(line).join("")}\\bottomrule\n\\end{tabular}\n`;
  },
};

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Some browsers give a page from a file no clipboard: then the older way.
    const area = Object.assign(document.createElement("textarea"), { value: text });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

for (const button of document.querySelectorAll("button[data-export]")) {
  button.addEventListener("click", async () => {
    const table = button.closest(".table").querySelector("table"), form = button.dataset.export;
    const text = FORMS[form]([...table.tHead.rows[0].cells], [...table.tBodies[0].rows].map((row) => [...row.cells]));
    if (form === "CSV") {
      const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: `${table.dataset.stem}.csv` });
      link.click();
      URL.revokeObjectURL(link.href);
    } else {
      await copy(text);
      const label = button.textContent;
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = label; }, 1500);
    }
  });
}

// ---- start: figures in turn, so that the page answers while a hundred of them are drawn

const views = [...document.querySelectorAll("[data-chart]")].flatMap((figure) => data.charts[figure.dataset.chart].map((panel) => {
  const host = document.createElement("div");
  if (data.charts[figure.dataset.chart].length > 1) host.append(Object.assign(document.createElement("p"), { className: "panel-title", textContent: panel.title }));
  figure.querySelector(".panels").append(host);
  return new View(host, panel);
}));
const drawAll = () => views.forEach((view) => view.draw());
(function next(index) {
  const until = performance.now() + 30;
  while (index < views.length && performance.now() < until) views[index++].draw();
  if (index < views.length) setTimeout(next, 0, index);
  else document.documentElement.dataset.ready = "";
})(0);
let waiting;
addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(drawAll, 100); });
addEventListener("scroll", () => { readout.hidden = true; }, { passive: true });
addEventListener("beforeprint", drawAll);
