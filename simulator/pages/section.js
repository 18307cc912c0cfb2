// A section of an answer: its table, what is drawn of it, and the chosen row.

const NARROW = matchMedia("(max-width: 1080px)"); // as the style has it
const SEARCHED = 20; // rows from which on a table has a search

/** A section's element, and a function that leaves of it the rows with a value in its first filter. */
function sectionView(section, pick) {
  const { columns, rows } = section;
  const view = {
    section, points: rows.map((row, at) => ({ row, at })), sorted: null, isDown: false, chosen: section.chosen, text: "",
    filters: filtersOf(columns, rows, (_, at) => section.filters.includes(at)),
    series: seriesOf(section), pick,
  };
  view.canChoose = section.details.length > 0;
  for (const name of ["plot", "list", "detail"]) view[name] = html("div", { class: name });
  view.found = html("output", { class: "quiet", "aria-live": "polite" });
  view.list.addEventListener("keydown", (event) => moveRow(view, event));
  const element = html("section", { class: "part", "aria-label": section.title },
    html("h2", {}, section.title),
    section.says.map((line) => html("p", { class: "quiet" }, unbroken(line))),
    toolbar(view), panes(view));
  showSection(view);
  NARROW.addEventListener("change", () => showSection(view));
  return {
    element, only: (value) => onlyWith(view, value), reveal: () => reveal(view.list),
    pickFirst: () => rows.length > 1 && pickChosen(view),
  };
}

/** What has a colour and a marker each; of a fixed order, those that do not occur as well. */
function seriesOf({ plot, rows }) {
  if (!plot) return [];
  return plot.values.length ? plot.values : valuesOf(rows, plot.apart);
}

function markerOf(view, value) {
  return icon(seriesMarker(view.series.indexOf(value), 1, 0, 0));
}

function toolbar(view) {
  const search = html("input", {
    type: "search", placeholder: "Search", "aria-label": `Search ${view.section.title}`,
    oninput: () => { view.text = search.value.toLowerCase(); showSection(view); },
  });
  view.chips = html("div", { class: "filters" });
  showFilters(view);
  const isLong = view.points.length > SEARCHED;
  if (!isLong && !view.filters.length) return null;
  return html("div", { class: "toolbar" }, isLong ? search : null, view.chips, view.found);
}

function showFilters(view) {
  const { plot } = view.section;
  view.chips.replaceChildren(...filterRows(view.filters, () => showSection(view), ({ at, values }, number) =>
    plot && plot.apart === at ? markerOf(view, values[number]) : null));
}

/** The plot beside the chosen row, above the list; without a plot the list beside it. */
function panes(view) {
  const { bars, plot } = view.section;
  const legend = bars ? barLegend(view.section) : null;
  if (plot) {
    return [html("div", { class: "panes drawn" },
      html("div", { class: "card" }, plotLegend(view), view.plot), view.detail), view.list];
  }
  return [legend, view.canChoose ? html("div", { class: "panes told" }, view.list, view.detail) : view.list];
}

/** Colours and markers of a plot that no filter shows. */
function plotLegend(view) {
  const { plot, columns, rows } = view.section;
  if (view.filters.some(({ at }) => at === plot.apart)) return null;
  return html("ul", { class: "legend" }, valuesOf(rows, plot.apart).map((value) => html("li", {},
    markerOf(view, value), written(columns[plot.apart], value))));
}

/** Leave rows with a value in the first column of filters; where all have it, nothing changes. */
function onlyWith(view, value) {
  const filter = view.filters.find(({ at }) => at === view.section.filters[0]);
  if (!filter) return;
  filter.only = new Set([value]);
  showFilters(view);
  const select = view.chips.querySelector("select");
  if (select) select.value = filter.values.indexOf(value);
  showSection(view);
}

/** All that depends on which rows are shown, and in which order. */
function showSection(view) {
  const found = view.points.filter(({ row }) => passes(view.filters, row)
    && row.some((value) => String(value).toLowerCase().includes(view.text)));
  view.shown = view.sorted === null ? found : ordered(found, ({ row }) => row[view.sorted], view.isDown);
  const isLeft = !view.shown.length || view.shown.some(({ at }) => at === view.chosen);
  if (!isLeft) view.chosen = view.shown[0].at;
  const all = view.points.length;
  view.found.textContent = (found.length < all ? `${found.length} of ${all} rows` : `${all} rows`)
    + (found.length > LISTED ? `; the first ${LISTED}${view.canChoose ? " and the chosen one" : ""} are listed` : "");
  showList(view);
  if (!found.length) view.list.append(html("p", { class: "quiet none" }, "No row is like that."));
  showChosen(view);
  if (!isLeft) pickChosen(view);
}

function showList(view) {
  view.list.replaceChildren(sectionTable(view));
  if (view.canChoose) markRow(view);
}

function markRow({ list, chosen }) {
  markChosen(list, (row) => Number(row.dataset.row) === chosen);
}

/** The first rows, and the chosen one wherever it stands. */
function listed({ shown, chosen, canChoose }) {
  return shown.filter(({ at }, number) => number < LISTED || (canChoose && at === chosen));
}

function sectionTable(view) {
  const { section } = view;
  const axis = section.bars && barAxis(section, view.shown, (view.canChoose && !section.plot) || NARROW.matches ? 3 : 6);
  const shown = section.columns.map((column, at) => ({ column, at })).filter(({ at }) => !section.hidden.includes(at));
  const after = section.bars ? Math.max(...section.bars.columns.filter((at) => !section.hidden.includes(at)), 0) : -1;
  const heads = shown.flatMap(({ column, at }) => [
    sortHead(column.title, column.role, sortedAs(at, view), () => sortSection(view, at)),
    at === after ? html("th", { scope: "col", class: "bars" }, barHead(axis, section.bars.base)) : null]);
  const rows = listed(view).map((point) => html("tr", {
    role: "row", "data-row": point.at,
    onclick: view.canChoose ? () => chooseRow(view, point.at) : null,
  }, shown.flatMap(({ column, at }) => [
    cellOf(view, column, point, at),
    at === after ? html("td", { class: "bars" }, barCell(section, axis, point.at)) : null])));
  return html("table", { role: "grid", "aria-label": section.title, class: "layers" },
    html("thead", {}, html("tr", {}, heads)), html("tbody", {}, rows));
}

function cellOf(view, column, { row }, at) {
  const { plot } = view.section, text = written(column, row[at]);
  return html("td", { class: column.role, title: column.role === "figure" ? null : text },
    plot && plot.apart === at ? markerOf(view, row[at]) : null, text);
}

function sortSection(view, column) {
  const { role } = view.section.columns[column];
  view.isDown = view.sorted === column ? !view.isDown : role === "figure"; // the largest first
  view.sorted = column;
  showSection(view);
  view.list.querySelector("[aria-sort$=ending] button").focus();
}

function chooseRow(view, at) {
  view.chosen = at;
  if (view.list.querySelector(`[data-row="${at}"]`)) markRow(view);
  else showList(view);
  showChosen(view);
  pickChosen(view);
}

function pickChosen({ section, chosen, pick }) {
  if (section.picks) pick(section.rows[chosen][0]);
}

function showChosen(view) {
  const { section } = view;
  if (section.plot) view.plot.replaceChildren(sectionPlot(view));
  if (!view.canChoose) return;
  view.detail.replaceChildren(...(view.shown.length ? rowDetail(section, view.chosen) : []));
}

function rowDetail({ columns, rows, details }, at) {
  const row = rows[at];
  const told = columns.slice(1).map((column, number) => row[number + 1] === null || row[number + 1] === "" ? null
    : html("div", {}, html("dt", {}, column.title), html("dd", {}, written(column, row[number + 1]))));
  const lines = details[at].length
    ? html("ul", { class: "lines" }, details[at].map((line) => html("li", {}, unbroken(line)))) : null;
  return [html("div", { class: "card" }, html("h3", { class: "row-name" }, written(columns[0], row[0])),
    lines, html("dl", {}, told))];
}

function sectionPlot(view) {
  const { columns, plot } = view.section;
  return scatter({
    columns, x: plot.x, y: plot.y, points: view.shown, chosen: view.canChoose ? view.chosen : null,
    best: new Set(), fronts: [], agreement: plot.agreement, target: plot.target, goals: [plot.behind, plot.behind],
    series: ({ row }) => view.series.indexOf(row[plot.apart]), error: () => 0,
    says: ({ row }) => columns.map((column, at) => `${column.title}: ${written(column, row[at])}`).join("\n"),
  }, (at) => {
    chooseRow(view, at);
    view.list.querySelector(`[data-row="${at}"]`).scrollIntoView({ block: "nearest" });
  });
}

/** Arrows go through the rows that are shown; the chosen one has the focus. */
function moveRow(view, event) {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!by || isModified(event) || !view.canChoose) return;
  const rows = [...view.list.querySelectorAll("tbody tr")];
  if (!rows.length) return;
  event.preventDefault();
  const now = rows.findIndex((row) => Number(row.dataset.row) === view.chosen);
  const next = Math.min(rows.length - 1, Math.max(0, now + by));
  chooseRow(view, Number(rows[next].dataset.row));
  rows[next].focus({ preventScroll: true });
  rows[next].scrollIntoView({ block: "nearest" });
}
