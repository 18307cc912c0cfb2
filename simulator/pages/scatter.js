// Two figures of every point against each other, and the front: points that no other beats in both.

const PLOT = { width: 760, height: 470, left: 78, right: 14, top: 12, bottom: 46 };
const WIDE = 25; // figures that differ by more are on a logarithmic axis

/** Points of a group that none is better than in both figures, from the left. */
function front(points, xColumn, yColumn) {
  const cost = (column, at) => (point) => (column.is_good ? -1 : 1) * point.row[at];
  const [across, up] = [cost(xColumn, state.x), cost(yColumn, state.y)];
  const order = [...points].sort((one, other) => across(one) - across(other) || up(one) - up(other));
  const kept = [];
  let least = Infinity, last = null;
  for (const point of order) {
    const isEqual = last && across(point) === across(last) && up(point) === up(last);
    if (up(point) >= least && !isEqual) continue;
    kept.push(point);
    least = up(point);
    last = point;
  }
  return kept;
}

/** An axis of values: logarithmic where they differ much, else linear with round steps. */
function plotAxis(values, from, to) {
  const low = Math.min(...values), high = Math.max(...values);
  if (low > 0 && high / low > WIDE) return logAxis([low / 1.15, high * 1.15], from, to);
  const room = (high - low) * 0.06 || Math.abs(high) * 0.1 || 1;
  const [start, end] = [low < room && low >= 0 ? 0 : low - room, high + room];
  const rough = (end - start) / 6, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((of) => of * power >= rough);
  const ticks = [];
  for (let at = Math.ceil(start / step); at * step <= end; at++) ticks.push(at * step);
  return { at: (value) => from + ((value - start) / (end - start)) * (to - from), ticks };
}

function scatter(points, choose) {
  const [xColumn, yColumn] = [DATA.columns[state.x], DATA.columns[state.y]];
  const shown = points.filter(({ row }) => row[state.x] !== null && row[state.y] !== null);
  if (!shown.length) return html("p", { class: "quiet none" }, "No point has both figures.");
  const { width, height, left, right, top, bottom } = PLOT;
  const x = plotAxis(shown.map(({ row }) => row[state.x]), left, width - right);
  const bar = (point) => (state.y === DATA.y && DATA.errors[point.at]) || 0;
  const ends = shown.flatMap((point) => [-1, 1].map((end) => point.row[state.y] + end * bar(point)));
  const y = plotAxis(ends, height - bottom, top);
  const place = (point) => [x.at(point.row[state.x]), y.at(point.row[state.y])];
  const best = new Set(state.fronts);
  const dots = [...shown].sort((one, other) => best.has(one) - best.has(other)).map((point) => {
    const kind = `dot${best.has(point) ? " best" : ""}${point.at === state.chosen ? " chosen" : ""}`;
    const dot = seriesMarker(series(point), best.has(point) ? 5 : 3.4, ...place(point));
    return svg("g", { class: kind, "data-point": point.at, onclick: () => choose(point.at) },
      point.at === state.chosen
        ? svg("circle", { class: "ring", cx: place(point)[0], cy: place(point)[1], r: 10 }) : null,
      bar(point) ? svg("path", { class: "error", d: errorBar(point, bar(point), x, y) }) : null,
      dot, svg("title", {}, summaryOf(point)));
  });
  return svg("svg", {
    viewBox: `0 0 ${width} ${height}`, class: "scatter", role: "img",
    "aria-label": `${yColumn.title} over ${xColumn.title} of ${shown.length} points`,
  }, plotGrid(x, y, xColumn, yColumn), DATA.best ? null
    : groupsOf(state.fronts).map((group) => svg("polyline", {
      class: "front", points: stairs(group.map(place)),
    })), dots);
}

function errorBar(point, half, x, y) {
  const value = point.row[state.y];
  return `M${x.at(point.row[state.x])} ${y.at(value - half)}V${y.at(value + half)}`;
}

/** Through points of a front along the edge of what they beat. */
function stairs(places) {
  const corners = places.map(([x, y], at) =>
    at && (places[at - 1][1] !== y) ? `${x},${places[at - 1][1]} ${x},${y}` : `${x},${y}`);
  return corners.join(" ");
}

function plotGrid(x, y, xColumn, yColumn) {
  const { width, height, left, right, top, bottom } = PLOT;
  const base = height - bottom;
  const good = (column) => (column.is_good ? "more is better" : "less is better");
  return svg("g", { class: "axes" },
    x.ticks.map((tick) => [
      svg("line", { x1: x.at(tick), x2: x.at(tick), y1: top, y2: base }),
      svg("text", { x: x.at(tick), y: base + 16, "text-anchor": "middle" }, written(xColumn, tick)),
    ]),
    y.ticks.map((tick) => [
      svg("line", { x1: left, x2: width - right, y1: y.at(tick), y2: y.at(tick) }),
      svg("text", { x: left - 7, y: y.at(tick) + 4, "text-anchor": "end" }, written(yColumn, tick)),
    ]),
    svg("text", { x: (left + width - right) / 2, y: height - 8, "text-anchor": "middle" },
      `${xColumn.title}, ${good(xColumn)}`),
    svg("text", {
      "text-anchor": "middle", transform: `translate(13 ${(top + base) / 2}) rotate(-90)`,
    }, `${yColumn.title}, ${good(yColumn)}`));
}
