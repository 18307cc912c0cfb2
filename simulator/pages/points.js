// The page of a sweep: filters, two figures of every point, the chosen one, and a table.

const state = {
  x: DATA.x, y: DATA.y, chosen: null, sorted: DATA.y, isDown: DATA.columns[DATA.y].is_good, isFront: true,
  filters: filtersOf(DATA.columns, DATA.rows),
  fronts: [],
};
const BEST = DATA.best && new Set(DATA.best);
const POINTS = DATA.rows.map((row, at) => ({ row, at }));
const FIGURES = DATA.columns.map((column, at) => ({ column, at }))
  .filter(({ column }) => column.role === "figure");
const parts = {};

/** The number of a point's series: its value among those of the column that tells them apart. */
function series(point) {
  const apart = state.filters.find(({ at }) => at === DATA.apart);
  return apart ? apart.values.indexOf(point.row[DATA.apart]) : 0;
}

function summaryOf(point) {
  return DATA.columns.map((column, at) => ({ column, at }))
    .filter(({ column, at }) => column.role === "choice" || at === state.x || at === state.y)
    .map(({ column, at }) => `${column.title}: ${written(column, point.row[at])}`).join("\n");
}

/** Points by what does not compare. */
function groupsOf(points) {
  const groups = new Map();
  for (const point of points) {
    const key = DATA.groups === null ? null : point.row[DATA.groups];
    groups.set(key, [...(groups.get(key) || []), point]);
  }
  return [...groups.values()];
}

function start() {
  for (const name of ["filters", "plot", "detail", "list"]) parts[name] = html("div", { class: name });
  parts.found = html("output", { class: "quiet", "aria-live": "polite" });
  parts.only = html("button", {
    type: "button", class: "chip", "aria-pressed": "true",
    onclick: () => {
      state.isFront = !state.isFront;
      parts.only.setAttribute("aria-pressed", String(state.isFront));
      showTable();
    },
  }, "Front only");
  parts.filters.append(...filterRows(state.filters, show,
    (filter, number) => filter.at === DATA.apart ? icon(seriesMarker(number, 1, 0, 0)) : null));
  document.body.append(pageHead(), html("main", {},
    html("section", { class: "overview", "aria-label": "Filters" }, parts.filters, sentences()),
    html("div", { class: "panes drawn" },
      html("section", { class: "card" }, axisChoices(), parts.plot), parts.detail),
    html("div", { class: "toolbar" }, parts.only, parts.found),
    parts.list), pageFoot("↑ ↓ rows"));
  document.addEventListener("keydown", onKey);
  show();
}


/** What is drawn up and across. */
function axisChoices() {
  return html("p", { class: "axes-chosen" }, ["y", "x"].map((axis) => html("label", {},
    axis === "y" ? "up" : "across", html("select", {
      onchange: (event) => { state[axis] = Number(event.target.value); show(); },
    }, FIGURES.map(({ column, at }) => html("option", {
      value: at, selected: at === state[axis] }, column.title))))));
}

/** All that depends on which points are shown. */
function show() {
  state.shown = POINTS.filter(({ row }) => passes(state.filters, row));
  const known = state.shown.filter(({ row }) => row[state.x] !== null && row[state.y] !== null);
  const columns = [DATA.columns[state.x], DATA.columns[state.y]];
  state.fronts = BEST ? known.filter(({ at }) => BEST.has(at))
    : groupsOf(known).flatMap((group) => front(group, columns, [state.x, state.y]));
  if (!state.shown.some(({ at }) => at === state.chosen)) {
    state.chosen = state.fronts.length ? state.fronts[0].at : null;
  }
  showPlot();
  showTable();
}

function showPlot() {
  parts.plot.replaceChildren(scatter({
    columns: DATA.columns, x: state.x, y: state.y, points: state.shown, chosen: state.chosen,
    best: new Set(state.fronts), fronts: BEST ? [] : groupsOf(state.fronts), series, says: summaryOf,
    error: ({ at }) => (state.y === DATA.y && DATA.errors[at]) || 0,
    goals: [state.x, state.y].map((at) => `, ${DATA.columns[at].is_good ? "more" : "less"} is better`),
  }, choosePoint));
  parts.detail.replaceChildren(...pointDetail());
}

function pointDetail() {
  if (state.chosen === null) return [];
  const point = POINTS[state.chosen];
  const rows = (roles) => html("dl", {}, DATA.columns.map((column, at) =>
    roles.includes(column.role) ? html("div", {}, html("dt", {}, column.title),
      html("dd", {}, written(column, point.row[at]))) : null));
  return [html("h2", {}, placeOf(point)), card("What was chosen", "", rows(["choice"])),
    card("What came of it", "", rows(["outcome", "figure", "text"]))];
}

/** Where a point stands among all, or why it does not. */
function placeOf(point) {
  const missing = [state.x, state.y].find((at) => point.row[at] === null);
  if (missing !== undefined) return `Not compared: no ${DATA.columns[missing].title}`;
  return DATA.places[point.at] || (state.fronts.includes(point) ? "On the front" : "Beaten by another point");
}

function choosePoint(at) {
  state.chosen = at;
  showPlot();
  markPoint();
}

function markPoint() {
  markChosen(parts.list, (row) => Number(row.dataset.point) === state.chosen);
}

function showTable() {
  const points = state.isFront ? state.fronts : state.shown;
  const order = ordered(points, ({ row }) => row[state.sorted], state.isDown);
  const heads = DATA.columns.map((column, at) =>
    sortHead(column.title, column.role, sortedAs(at, state), () => sortBy(at)));
  const rows = order.slice(0, LISTED).map((point) => html("tr", {
    role: "row", "data-point": point.at,
    onclick: () => choosePoint(point.at),
  }, DATA.columns.map((column, at) => html("td", { class: column.role },
    at === DATA.apart ? icon(seriesMarker(series(point), 1, 0, 0)) : null,
    written(column, point.row[at])))));
  parts.list.replaceChildren(html("table", { role: "grid", "aria-label": "Points", class: "layers" },
    html("thead", {}, html("tr", {}, heads)), html("tbody", {}, rows)));
  markPoint();
  const all = `${state.shown.length} of ${POINTS.length} points, ${state.fronts.length} on the front`;
  parts.found.textContent = order.length > LISTED ? `${all}; the first ${LISTED} rows` : all;
}

function sortBy(column) {
  state.isDown = state.sorted === column ? !state.isDown : DATA.columns[column].is_good;
  state.sorted = column;
  showTable();
  parts.list.querySelector("[aria-sort$=ending] button").focus();
}

function onKey(event) {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!by || isModified(event) || ["INPUT", "SELECT"].includes(event.target.tagName)) return;
  const rows = [...parts.list.querySelectorAll("tbody tr")];
  if (!rows.length) return;
  event.preventDefault();
  const now = rows.findIndex((row) => Number(row.dataset.point) === state.chosen);
  const next = now < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, now + by));
  choosePoint(Number(rows[next].dataset.point));
  rows[next].focus({ preventScroll: true });
  rows[next].scrollIntoView({ block: "nearest" });
}

start();
