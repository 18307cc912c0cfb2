// Bars in the rows of a table: one axis above them, a bar a series in every row.

const BAR = { height: 9, gap: 2, room: 4, least: 24 };

/** From figures of points to per cent of the width, with about so many ticks. */
function barAxis({ bars, columns }, points, about) {
  const inside = points.filter(({ at }) => !bars.outside[at]);
  const values = (inside.length ? inside : points).flatMap(({ row }) => bars.columns.map((at) => row[at]))
    .filter((value) => value !== null);
  const low = Math.min(bars.base - bars.band, ...values), high = Math.max(bars.base + bars.band, ...values);
  const room = (high - low) * 0.04 || 0.05;
  const [start, end] = [low < bars.base ? low - room : low, high + room];
  const at = (value) => Math.min(100, Math.max(0, (100 * (value - start)) / (end - start)));
  const near = (tick) => tick !== bars.base && Math.abs(at(tick) - at(bars.base)) < 54 / about;
  const ticks = roundTicks(start, end, about);
  return { at, ticks, labelled: ticks.filter((tick) => !near(tick)), column: columns[bars.columns[0]] };
}

/** The axis, to stand in the head of the column. */
function barHead(axis, base) {
  return svg("svg", { class: "bar-axis", role: "img", "aria-label": axis.column.title },
    axis.labelled.map((tick) => svg("text", {
      x: `${axis.at(tick)}%`, y: 12, "text-anchor": axis.at(tick) < 8 ? "start" : axis.at(tick) > 92 ? "end" : "middle",
      class: tick === base ? "base" : "",
    }, written(axis.column, tick))));
}

/** The bars of a row, by its number. */
function barCell({ bars, rows, columns, title }, axis, at) {
  const row = rows[at], many = bars.columns.length;
  const used = many * (BAR.height + BAR.gap) - BAR.gap;
  const height = Math.max(BAR.least, used + 2 * BAR.room), top = (height - used) / 2;
  const rule = (value, kind) => svg("line", {
    class: kind, x1: `${axis.at(value)}%`, x2: `${axis.at(value)}%`, y1: 0, y2: height });
  const texts = bars.columns.map((of) => `${columns[of].title} ${written(columns[of], row[of])}`);
  return svg("svg", { class: "bar-cell", height, role: "img", "aria-label": texts.join(", ") },
    bars.band ? svg("rect", {
      class: "band", x: `${axis.at(bars.base - bars.band)}%`, y: 0, height,
      width: `${axis.at(bars.base + bars.band) - axis.at(bars.base - bars.band)}%`,
    }) : null,
    axis.ticks.map((tick) => rule(tick, "tick")), rule(bars.base, "base"),
    bars.columns.map((of, number) => {
      const ends = [barStart(bars, rows, at, of), row[of]];
      return row[of] === null || ends[0] === ends[1] ? null
        : bar(bars, axis, ends, { row: at, number, top }, texts[number]);
    }));
}

/** Where a bar begins: at the base, or where the row before ended. */
function barStart(bars, rows, at, of) {
  const isBetween = bars.is_falling && at > 0 && at < rows.length - 1;
  return isBetween ? rows[at - 1][of] : bars.base;
}

function bar(bars, axis, ends, { row, number, top }, text) {
  const [from, to] = ends.map(axis.at).sort((one, other) => one - other);
  const isPale = bars.outside[row] || (bars.strong.length && bars.strong[row] !== number);
  const drawn = svg("rect", {
    class: isPale ? "pale" : "", x: `${from}%`, y: top + number * (BAR.height + BAR.gap),
    width: `${Math.max(0.25, to - from)}%`, height: BAR.height,
  }, svg("title", {}, text));
  return bars.kinds.length ? coloured(drawn, "fill", "core", bars.kinds[row])
    : coloured(drawn, "fill", "bound", SERIES[number % SERIES.length]);
}

/** What colours, pale bars and the band stand for. */
function barLegend({ bars, columns }) {
  const used = new Set(bars.kinds);
  const series = bars.kinds.length ? named("core").filter(([key]) => used.has(key)).map(([key, words]) => [["core", key], words])
    : bars.columns.map((at, number) => [["bound", SERIES[number % SERIES.length]], columns[at].title]);
  const shown = series.length > 1 || bars.kinds.length ? series : [];
  const items = shown.map(([[palette, key], words]) =>
    html("li", {}, coloured(html("i"), "backgroundColor", palette, key), words));
  if (bars.band) items.push(html("li", {}, html("i", { class: "band" }), bars.band_says));
  return items.length ? html("ul", { class: "legend" }, items) : null;
}
