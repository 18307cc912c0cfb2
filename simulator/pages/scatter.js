// Two figures of every point against each other, and the front: points that no other beats in both.

const PLOT = { width: 760, height: 470, left: 78, right: 14, top: 12, bottom: 46 };
const WIDE = 25; // figures that differ by more are on a logarithmic axis

/** Points of a group that none is better than in both figures, from the left. */
function front(points, columns, places) {
  const [across, up] = columns.map((column, axis) =>
    (point) => (column.is_good ? -1 : 1) * point.row[places[axis]]);
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
  const least = Math.min(...values.filter((value) => value > 0));
  if (low >= 0 && high / least > WIDE) return wideAxis(least, high, from, to, low === 0);
  const room = (high - low) * 0.06 || Math.abs(high) * 0.1 || 1;
  const [start, end] = [low < room && low >= 0 ? 0 : low - room, high + room];
  return { at: (value) => from + ((value - start) / (end - start)) * (to - from), ticks: roundTicks(start, end, 6) };
}

/** A logarithmic axis; zero, where there is one, stands at its start. */
function wideAxis(least, high, from, to, hasZero) {
  const { at, ticks } = logAxis([least / (hasZero ? 3 : 1.15), high * 1.15], from, to);
  if (!hasZero) return { at, ticks };
  return { at: (value) => (value ? at(value) : from), ticks: [0, ...ticks.filter((tick) => tick > least / 1.5)] };
}

/** Round values between two, about so many. */
function roundTicks(start, end, about) {
  const rough = (end - start) / about, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((of) => of * power >= rough);
  const ticks = [];
  for (let at = Math.ceil(start / step); at * step <= end; at++) ticks.push(Number((at * step).toPrecision(12)));
  return ticks;
}

/** Points at their two figures; "choose" is called with the number of one.
 *
 * A view has columns, x, y, points, chosen (a number), best (a set of points), fronts, goals (what
 * stands behind the titles of x and y), and of a point its series, says and error. It may have an
 * agreement: x and y are one figure told twice, and a band around equality; and a target of y.
 */
function scatter(view, choose) {
  const { columns, x: across, y: up, best } = view;
  const shown = view.points.filter(({ row }) => row[across] !== null && row[up] !== null);
  if (!shown.length) return html("p", { class: "quiet none" }, "No point has both figures.");
  const { width, height, left, right, top, bottom } = PLOT;
  const ends = shown.flatMap((point) => [-1, 1].map((end) => point.row[up] + end * view.error(point)));
  if (view.target) ends.push(view.target);
  const all = shown.map(({ row }) => row[across]);
  if (view.agreement) {
    all.push(...ends);
    all.push(Math.max(...all) * (1 + view.agreement), Math.min(...all) * (1 - view.agreement));
  }
  const x = plotAxis(all, left, width - right);
  const y = plotAxis(view.agreement ? all : ends, height - bottom, top);
  const place = (point) => [x.at(point.row[across]), y.at(point.row[up])];
  const rank = (point) => 2 * (point.at === view.chosen) + best.has(point); // the last is above all
  const dots = [...shown].sort((one, other) => rank(one) - rank(other)).map((point) => {
    const isChosen = point.at === view.chosen, [dx, dy] = place(point);
    const kind = `dot${best.has(point) ? " best" : ""}${isChosen ? " chosen" : ""}`;
    return svg("g", { class: kind, "data-point": point.at, onclick: () => choose(point.at) },
      isChosen ? svg("circle", { class: "ring", cx: dx, cy: dy, r: 10 }) : null,
      view.error(point) ? svg("path", { class: "error", d: errorBar(point.row[up], dx, view.error(point), y) }) : null,
      seriesMarker(view.series(point), best.has(point) ? 5 : 3.4, dx, dy),
      svg("title", {}, view.says(point)));
  });
  return svg("svg", {
    viewBox: `0 0 ${width} ${height}`, class: "scatter", role: "img",
    "aria-label": `${columns[up].title} over ${columns[across].title} of ${shown.length} points`,
  }, view.agreement ? agreement(all, x, y, view.agreement) : null,
  plotGrid(x, y, columns[across], columns[up], view.goals),
  view.target ? svg("line", { class: "target", x1: left, x2: width - right, y1: y.at(view.target), y2: y.at(view.target) }) : null,
  view.fronts.map((group) => svg("polyline", { class: "front", points: stairs(group.map(place)) })), dots);
}

function errorBar(value, x, half, y) {
  return `M${x} ${y.at(value - half)}V${y.at(value + half)}`;
}

/** Where both figures are equal, and a band of a share around it. */
function agreement(values, x, y, share) {
  const low = Math.min(...values), high = Math.max(...values);
  const ends = (factor) => [low, high].map((value) => [x.at(value), y.at(value * factor)]);
  const line = (places) => places.map((place) => place.join(",")).join(" ");
  const { width, height, left, right, top, bottom } = PLOT;
  const [w, h] = [width - left - right, height - top - bottom];
  return svg("svg", { x: left, y: top, width: w, height: h, viewBox: `${left} ${top} ${w} ${h}` }, // clips
    svg("polygon", { class: "band", points: line([...ends(1 + share), ...ends(1 - share).reverse()]) }),
    svg("polyline", { class: "equal", points: line(ends(1)) }));
}

/** Through points of a front along the edge of what they beat. */
function stairs(places) {
  const corners = places.map(([x, y], at) =>
    at && (places[at - 1][1] !== y) ? `${x},${places[at - 1][1]} ${x},${y}` : `${x},${y}`);
  return corners.join(" ");
}

function plotGrid(x, y, xColumn, yColumn, goals) {
  const { width, height, left, right, top, bottom } = PLOT;
  const base = height - bottom;
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
      xColumn.title + goals[0]),
    svg("text", {
      "text-anchor": "middle", transform: `translate(13 ${(top + base) / 2}) rotate(-90)`,
    }, yColumn.title + goals[1]));
}
