// The page: its head, the patterns, the list of layers and the chosen one; and what keys do.

const state = { pattern: 0, layer: 0, sorted: 0, isDown: false, text: "", bounds: new Set(), rows: [],
  mostShare: 0 };

const parts = {}; // what is made anew: summary, tabs, filters, list, detail

function start() {
  for (const name of ["summary", "tabs", "filters", "list", "detail"]) {
    parts[name] = html("div", { class: name });
  }
  parts.tabs.setAttribute("role", "tablist");
  parts.tabs.setAttribute("aria-label", "Pattern");
  parts.filters.setAttribute("role", "group");
  parts.filters.setAttribute("aria-label", "Only layers bound by");
  parts.search = html("input", {
    type: "search", placeholder: "Search layers ( / )", "aria-label": "Search layers",
    oninput: () => { state.text = parts.search.value; showList(); },
  });
  parts.found = html("output", { class: "quiet", "aria-live": "polite" });
  document.body.append(pageHead(), html("main", {},
    html("section", { class: "overview", "aria-label": "All layers" }, parts.summary, sentences()),
    html("div", { class: "toolbar" }, parts.tabs, parts.search, parts.filters, parts.found),
    html("div", {
      class: "panes", id: "view", role: DATA.patterns.length > 1 && "tabpanel",
      "aria-label": "Layers and the chosen one",
    }, parts.list, parts.detail)),
  pageFoot("↑ ↓ layers · ← → patterns · / search · Esc clears"));
  document.addEventListener("keydown", onKey);
  const shares = DATA.patterns[0].layers.map((layer) => layer.share);
  state.layer = shares.indexOf(Math.max(...shares));
  choosePattern(0);
  reveal(parts.list);
}

/** A row a pattern, with where its time goes; its figures stand below those of the others. */
function summaryTable() {
  const patterns = DATA.patterns, most = Math.max(...patterns.map((one) => one.time_ns));
  const several = patterns.length > 1, hasEnergy = patterns.some((one) => one.energy_pj !== null);
  const heads = ["pattern", "time", "with launches", several && `over ${patterns[0].name}`,
    several && "density alone", "MAC util.", hasEnergy && "energy", "DRAM",
    "core time", "bound by", "ran as"].filter(Boolean);
  const words = new Set(heads.slice(-3)), extra = new Set(["with launches", "DRAM", "ran as"]);
  const rows = patterns.map((one, at) => html("tr", {
    "aria-current": String(at === state.pattern), onclick: () => choosePattern(at),
  },
  html("th", { scope: "row" }, one.name),
  html("td", {}, html("b", {}, quantity(one.time_ns, "time"))),
  html("td", { class: "extra" }, quantity(one.launched_ns, "time")),
  several ? html("td", {}, html("b", {}, times(one.speedup))) : null,
  several ? html("td", { class: "quiet" }, times(one.density_speedup)) : null,
  html("td", {}, percent(one.utilization)),
  hasEnergy ? html("td", {}, one.energy_pj === null ? "–" : quantity(one.energy_pj, "energy")) : null,
  html("td", { class: "extra" }, quantity(one.dram_bytes, "size")),
  html("td", { class: "wide" }, stackedBar("core", one.core_time_ns,
    (sum(one.core_time_ns) * most) / one.time_ns, `Core time under ${one.name}`)),
  html("td", { class: "word bounds" }, one.bounds.slice(0, 3).map(([bound, ratio]) =>
    html("span", {}, `${bound} ${Math.round(100 * ratio)}\u00a0%`))),
  html("td", { class: "word extra" }, one.ran_as)));
  const all = named("core").map((_, at) => sum(patterns.map((one) => one.core_time_ns[at])));
  return [
    html("div", { class: "scrolled" }, html("table", { class: "totals" },
      html("thead", {}, html("tr", {}, heads.map((head) =>
        html("th", { scope: "col", class: (words.has(head) ? "word " : "") + (extra.has(head) ? "extra" : "") }, head)))),
      html("tbody", {}, rows))),
    legend("core", all),
  ];
}

function patternTabs() {
  if (DATA.patterns.length < 2) return [];
  return DATA.patterns.map((pattern, at) => html("button", {
    type: "button", role: "tab", "aria-selected": String(at === state.pattern),
    "aria-controls": "view", tabindex: at === state.pattern ? 0 : -1,
    onclick: () => choosePattern(at),
  }, pattern.name));
}

function choosePattern(at) {
  const hadFocus = parts.tabs.contains(document.activeElement);
  state.pattern = at;
  state.rows = DATA.patterns[at].layers.map((layer, place) => ({ ...layer, at: place }));
  state.mostShare = Math.max(...state.rows.map((row) => row.share));
  parts.summary.replaceChildren(...summaryTable());
  parts.tabs.replaceChildren(...patternTabs());
  if (hadFocus) parts.tabs.children[at].focus();
  showList();
  showDetail();
}

function chooseLayer(at) {
  state.layer = at;
  markLayer();
  showDetail();
}

function markLayer() {
  markChosen(parts.list, (row) => Number(row.dataset.layer) === state.layer);
}

function sortBy(column) {
  const wasSorted = state.sorted === column;
  // Names and numbers begin with the first one, figures with the largest.
  state.isDown = wasSorted ? !state.isDown : COLUMNS[column].kind.startsWith("figure") && column > 0
    || COLUMNS[column].kind === "share";
  state.sorted = column;
  showList();
  parts.list.querySelector("[aria-sort$=ending] button").focus();
}

function toggleBound(bound) {
  if (!state.bounds.delete(bound)) state.bounds.add(bound);
  showList();
  const at = named("bound").filter(([key]) => state.rows.some((row) => row.work_bound === key))
    .findIndex(([key]) => key === bound);
  parts.filters.children[at].focus();
}

function showList() {
  const layers = visibleLayers();
  parts.filters.replaceChildren(...boundFilters(toggleBound));
  parts.list.replaceChildren(layerTable(layers, sortBy, chooseLayer));
  markLayer();
  if (!layers.length) parts.list.append(html("p", { class: "quiet none" }, "No layer is like that."));
  const all = state.rows.length;
  parts.found.textContent = (layers.length < all ? `${layers.length} of ` : "")
    + `${all} ${all === 1 ? "layer" : "layers"}`;
}

function showDetail() {
  const pattern = DATA.patterns[state.pattern];
  parts.detail.replaceChildren(
    ...layerDetail(pattern, state.rows[state.layer], choosePattern, chooseLayer));
}

/** Move through the rows that are shown; the chosen one has the focus. */
function moveLayer(by) {
  const rows = [...parts.list.querySelectorAll("tbody tr")];
  if (!rows.length) return;
  const now = rows.findIndex((row) => Number(row.dataset.layer) === state.layer);
  const next = now < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, now + by));
  chooseLayer(Number(rows[next].dataset.layer));
  rows[next].focus({ preventScroll: true });
  rows[next].scrollIntoView({ block: "nearest" });
}

function movePattern(by) {
  const next = state.pattern + by;
  if (next >= 0 && next < DATA.patterns.length) choosePattern(next);
}

const KEYS = {
  ArrowDown: () => moveLayer(1),
  ArrowUp: () => moveLayer(-1),
  PageDown: () => moveLayer(10),
  PageUp: () => moveLayer(-10),
  Home: () => moveLayer(-Infinity),
  End: () => moveLayer(Infinity),
  ArrowRight: () => movePattern(1),
  ArrowLeft: () => movePattern(-1),
  "/": () => parts.search.focus(),
  Escape: clearSearch,
};

/** Keys that a field of text or a command needs for itself, and keys that scroll the page outside the list. */
const OF_TEXT = new Set(["ArrowLeft", "ArrowRight", "/"]);
const OF_CODE = new Set(["ArrowLeft", "ArrowRight"]);
const OF_LIST = new Set(["Home", "End", "PageUp", "PageDown"]);

function onKey(event) {
  const isText = event.target === parts.search, isList = parts.list.contains(event.target);
  if (isModified(event) || !KEYS[event.key]) return;
  if (event.target.closest("code") && OF_CODE.has(event.key)) return;
  if ((isText && OF_TEXT.has(event.key)) || (!isList && OF_LIST.has(event.key))) return;
  event.preventDefault();
  KEYS[event.key]();
}

function clearSearch() {
  state.text = parts.search.value = "";
  state.bounds.clear();
  showList();
  moveLayer(0);
}

start();
