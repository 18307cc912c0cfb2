// What there is to see of one layer under one pattern, a card each.

function layerDetail(pattern, layer, choosePattern, chooseLayer) {
  return [
    detailHead(pattern, layer),
    html("div", { class: "cards" },
      card("Why", "why", whyLines(layer), busyTable(layer)),
      card("What would help", "helps", layer.helps.length
        ? html("ul", {}, layer.helps.map((line) => html("li", {}, unbroken(line)))) : null),
      card("Under each pattern", "patterns", patternTable(layer, choosePattern)),
      card("Where an average core's time goes", "wide", coreTime(layer)),
      card("Tiles and cores", "", tilesCard(layer)),
      card("Among all layers", "", roofline(pattern, layer.at, chooseLayer), boundLegend(pattern)),
      card("Traffic by level and operand", "wide", trafficTable(layer)),
      card("Figures", "wide", html("dl", {}, layer.figures.map(([label, text]) =>
        html("div", {}, html("dt", {}, label), html("dd", {}, text)))))),
  ];
}

function detailHead(pattern, layer) {
  const facts = [
    layer.kind, layer.sizes, layer.dtype,
    layer.repeat > 1 ? `${layer.repeat} times` : "",
    `pattern ${pattern.name}`, layer.sizes && `ran as ${layer.ran_as}`,
  ];
  return html("header", { class: "detail-head" },
    html("h2", { id: "layer-name" }, layer.name),
    html("p", { class: "big" }, quantity(layer.time_ns, "time"),
      html("small", {}, `${percent(layer.share)} of all`)),
    html("p", { class: "facts" }, facts.filter(Boolean).map((fact) => html("span", {}, fact))),
    layer.members.length
      ? html("p", { class: "quiet" }, straight(`One kernel of ${layer.members.join(", ")}`)) : null,
    layer.note ? html("p", { class: "quiet" }, layer.note) : null,
    pattern.command ? commandLine(`${pattern.command} ${layer.row}`.trim()) : null);
}

function whyLines(layer) {
  return html("ul", { class: "lines" }, layer.why.map((line) => html("li", {}, unbroken(line))));
}

function busyTable(layer) {
  const rows = Object.entries(layer.busy).filter(([, ratio]) => ratio);
  return html("table", { class: "busy" }, html("caption", {}, "Busy, share of the time"),
    html("tbody", {}, rows.map(([key, ratio]) => html("tr", {},
      html("th", { scope: "row" }, markerIcon(key), DATA.names.bound[key]),
      html("td", { class: "wide" }, ratioBar(ratio, "bound", key)),
      html("td", {}, percent(ratio))))));
}

/** The same layer under all patterns; a row shows it there. */
function patternTable(layer, choosePattern) {
  if (DATA.patterns.length < 2) return null;
  const views = DATA.patterns.map((pattern) => pattern.layers[layer.at]);
  const most = Math.max(...views.map((view) => view.time_ns));
  const rows = views.map((view, at) => html("tr", {
    "aria-current": String(at === state.pattern), onclick: () => choosePattern(at),
  },
  html("th", { scope: "row" }, DATA.patterns[at].name),
  html("td", { class: "word" }, view.ran_as),
  html("td", { class: "wide" }, stackedBar("core", view.core_time_ns,
    (sum(view.core_time_ns) * most) / view.time_ns, `core time under ${DATA.patterns[at].name}`)),
  html("td", {}, columnTime(view.time_ns)),
  html("td", {}, times(view.speedup)),
  html("td", { class: "word" }, markerIcon(view.work_bound), view.bound)));
  const heads = [["pattern", "word"], ["ran as", "word"], ["core time", "word"],
    [DATA.time_column.unit.name], ["speed-up"], ["bound by", "word"]];
  return html("table", { class: "under" }, html("thead", {}, html("tr", {},
    heads.map(([title, kind]) => html("th", { scope: "col", class: kind }, title)))),
  html("tbody", {}, rows));
}

function coreTime(layer) {
  const all = sum(layer.core_time_ns);
  const shown = named("core").map(([key, words], at) => [key, words, layer.core_time_ns[at]])
    .filter(([, , time]) => time);
  return [
    stackedBar("core", layer.core_time_ns, all, "Where an average core's time goes"),
    html("ul", { class: "shares" }, shown.map(([key, words, time]) => html("li", {},
      coloured(html("i"), "backgroundColor", "core", key), html("span", {}, words),
      html("b", {}, quantity(time, "time")), html("small", {}, percent(time / all))))),
  ];
}

function tilesCard(layer) {
  const { tiles } = layer;
  if (!tiles) return null;
  const { drawing, turns, waves } = tileGrid(tiles);
  const outputs = tiles.count > 1 ? `${grouped(tiles.count, 0)} outputs` : "";
  const parts = tiles.splits > 1 ? `in ${tiles.splits} parts` : "";
  const lines = [outputs, tiles.down, tiles.across, [tiles.depth, parts].filter(Boolean).join(", ")];
  return [
    html("p", { class: "facts" }, layer.mapping === "-" ? null
      : html("span", {}, `tile ${layer.mapping}`),
    lines.filter(Boolean).map((line) => html("span", {}, line))),
    drawing,
    turns.length ? waveList(turns, waves, tiles.cores) : null,
    html("p", { class: "quiet" }, tiles.order),
  ];
}

/** What markers stand for; the chosen layer has a ring. */
function boundLegend(pattern) {
  const shown = new Set(pattern.layers.filter((one) => one.point).map((one) => one.work_bound));
  return html("ul", { class: "legend" }, named("bound").filter(([key]) => shown.has(key))
    .map(([key, words]) => html("li", {}, markerIcon(key), words)));
}

function trafficTable(layer) {
  const operands = named("operand");
  const used = operands.map((_, of) => layer.moved.some((level) => sum(level[of])));
  const rows = named("level").flatMap(([, words], level) => ["read", "written"].map((way, side) => {
    const bytes = layer.moved[level].map((ways) => ways[side]);
    const all = sum(bytes);
    if (!all) return null;
    return html("tr", {}, html("th", { scope: "row" }, `${words} ${way}`),
      bytes.filter((_, of) => used[of]).map((size) =>
        html("td", { class: size ? "" : "quiet" }, size ? quantity(size, "size") : "–")),
      html("td", { class: "all" }, html("b", {}, quantity(all, "size"))),
      html("td", { class: "wide" }, stackedBar("operand", bytes, all, `${words} ${way}`)));
  }));
  const heads = operands.filter((_, of) => used[of]).map(([key, words]) => html("th", {
    scope: "col" }, coloured(html("i"), "backgroundColor", "operand", key), words.replace(" ", "\n")));
  return html("table", { class: "traffic" },
    html("thead", {}, html("tr", {}, html("td"), heads,
      html("th", { scope: "col" }, "all"), html("th", { scope: "col", class: "word" }, "shares"))),
    html("tbody", {}, rows.filter(Boolean)));
}
