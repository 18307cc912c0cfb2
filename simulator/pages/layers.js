// The list of layers: columns, order, search, and filters by what bounds.

/** A column: its title, what a row shows, by what rows are sorted, and whether it is worth showing. */
const COLUMNS = [
  { title: "#", kind: "figure quiet", cell: (layer) => String(layer.at + 1), by: (layer) => layer.at },
  { title: "layer", kind: "name", cell: nameCell, by: (layer) => layer.name },
  {
    title: "×", kind: "figure", says: "how often it occurs",
    cell: (layer) => String(layer.repeat), by: (layer) => layer.repeat,
    isShown: (layers) => layers.some((layer) => layer.repeat > 1),
  },
  {
    title: `time, ${DATA.time_column.unit.name}`, kind: "figure", says: "of one execution",
    cell: (layer) => columnTime(layer.time_ns), by: (layer) => layer.time_ns,
  },
  {
    title: "share", kind: "share", says: "of the time of all layers, and where it goes",
    cell: shareCell, by: (layer) => layer.share,
  },
  {
    title: `over ${DATA.patterns[0].name}`, kind: "figure", says: "speed-up",
    cell: (layer) => layer.speedup.toFixed(2), by: (layer) => layer.speedup,
    isShown: () => DATA.patterns.length > 1,
  },
  {
    title: "MAC util.", kind: "figure", says: "useful slots over what the tensor cores could do",
    cell: (layer) => percent(layer.utilization), by: (layer) => layer.utilization,
  },
  {
    title: "bound by", kind: "bound", cell: (layer) => [markerIcon(layer.work_bound), layer.bound],
    by: (layer) => layer.bound,
  },
];

/** A time in the unit of the column, with as many decimals as all others. */
function columnTime(time) {
  const { unit, decimals: places } = DATA.time_column;
  return grouped(time / unit.size, places);
}

function nameCell(layer) {
  return html("span", { title: [layer.name, layer.sizes, layer.note].filter(Boolean).join("\n") },
    layer.name);
}

function shareCell(layer) {
  const bar = stackedBar("core", layer.core_time_ns, sum(layer.core_time_ns), layer.name);
  bar.style.width = `${(100 * layer.share) / state.mostShare}%`;
  return html("div", {}, html("div", { class: "room" }, bar), html("span", {}, percent(layer.share)));
}

/** The layers of a pattern that the search and the filters leave, in the order asked for. */
function visibleLayers() {
  const text = state.text.toLowerCase();
  const found = state.rows
    .filter((layer) => !state.bounds.size || state.bounds.has(layer.work_bound))
    .filter((layer) => searched(layer).includes(text));
  return ordered(found, COLUMNS[state.sorted].by, state.isDown);
}

function searched(layer) {
  return [layer.name, ...layer.members, layer.kind, layer.ran_as].join("\n").toLowerCase();
}

function layerTable(layers, sort, choose) {
  const columns = COLUMNS.map((column, at) => ({ ...column, at }))
    .filter((column) => !column.isShown || column.isShown(state.rows));
  const heads = columns.map((column) => sortHead(
    column.title, column.kind, sortedAs(column.at, state), () => sort(column.at), column.says));
  const rows = layers.map((layer) => html("tr", {
    role: "row", "data-layer": layer.at, onclick: () => choose(layer.at),
  }, columns.map((column) => html("td", { class: column.kind }, column.cell(layer)))));
  return html("table", { role: "grid", "aria-label": "Layers", class: "layers" },
    html("thead", {}, html("tr", {}, heads)), html("tbody", {}, rows));
}

/** A button for every resource that bounds a layer, pressed where only its layers are shown. */
function boundFilters(toggle) {
  const bounds = named("bound").filter(([key]) => state.rows.some((row) => row.work_bound === key));
  return bounds.map(([key, words]) => html("button", {
    type: "button", class: "chip", "aria-pressed": String(state.bounds.has(key)),
    onclick: () => toggle(key),
  }, markerIcon(key), words, html("small", {},
    String(state.rows.filter((row) => row.work_bound === key).length))));
}
