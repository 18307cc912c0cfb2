// Bars and the roofline. A drawing is an element that is made anew whenever it changes.

/** A bar of parts on one line; ``of`` is what the whole width stands for. */
function stackedBar(palette, values, of, text) {
  const keys = named(palette);
  const parts = values.map((value, at) => {
    if (!value) return null;
    const part = html("span", { title: `${keys[at][1]} ${percent(value / sum(values))}` });
    part.style.width = `${(100 * value) / of}%`;
    return coloured(part, "backgroundColor", palette, keys[at][0]);
  });
  return html("div", { class: "bar", role: "img", "aria-label": text }, parts);
}

/** Colours with their names; ``values`` say which of them occur. */
function legend(palette, values) {
  const keys = named(palette).filter((_, at) => values[at]);
  return html("ul", { class: "legend" }, keys.map(([key, words]) =>
    html("li", {}, coloured(html("i"), "backgroundColor", palette, key), words)));
}

/** A share of a whole as a thin bar. */
function ratioBar(ratio, palette, key) {
  const part = coloured(html("span"), "backgroundColor", palette, key);
  part.style.width = `${100 * Math.min(1, ratio)}%`;
  return html("div", { class: "bar thin", "aria-hidden": "true" }, part);
}

// Markers of about one unit of radius, so that bounds differ in shape, too.
const MARKERS = {
  mac: "M1 0A1 1 0 1 1 -1 0A1 1 0 1 1 1 0Z",
  scratchpad: "M-.9-.9H.9V.9H-.9Z",
  operand: "M0-1.25L1.25 0L0 1.25L-1.25 0Z",
  vector: "M0-1.2L1.14-.37L.71 .97H-.71L-1.14-.37Z",
  port: "M0-1.2L1.15 .9H-1.15Z",
  l2: "M0 1.2L1.15-.9H-1.15Z",
  dram: "M-.42-1.2H.42V-.42H1.2V.42H.42V1.2H-.42V.42H-1.2V-.42H-.42Z",
  latency: "M0-.55L.6-1.15L1.15-.6L.55 0L1.15 .6L.6 1.15L0 .55L-.6 1.15L-1.15 .6L-.55 0L-1.15-.6L-.6-1.15Z",
};

function marker(bound, radius, x, y, shape = bound) {
  const path = svg("path", { d: MARKERS[shape], transform: `translate(${x} ${y}) scale(${radius})` });
  return coloured(path, "fill", "bound", bound);
}

// Their colours in an order in which neighbours differ most.
const SERIES = ["mac", "scratchpad", "l2", "port", "dram", "operand", "latency", "vector"];

/** One of a series: when colours begin anew, each has another shape. */
function seriesMarker(number, radius, x, y) {
  const shape = SERIES[(number + Math.floor(number / SERIES.length)) % SERIES.length];
  return marker(SERIES[number % SERIES.length], radius, x, y, shape);
}

/** A marker to stand in a line of text. */
function icon(drawn) {
  return svg("svg", { class: "marker", viewBox: "-1.4 -1.4 2.8 2.8", "aria-hidden": "true" }, drawn);
}

function markerIcon(bound) {
  return icon(marker(bound, 1, 0, 0));
}

/** A logarithmic axis from values to a length of the drawing, and where its ticks are. */
function logAxis(values, from, to) {
  const low = Math.log10(Math.min(...values)), high = Math.log10(Math.max(...values));
  const at = (value) => from + ((Math.log10(value) - low) / (high - low)) * (to - from);
  const steps = high - low < 1 ? [1, 2, 5] : high - low < 2.2 ? [1, 3] : [1];
  const ticks = [];
  for (let power = Math.floor(low); power <= high; power++) {
    for (const step of steps) {
      const value = step * 10 ** power;
      if (Math.log10(value) >= low && Math.log10(value) <= high) ticks.push(value);
    }
  }
  return { at, ticks };
}

const ROOF = { width: 330, height: 262, left: 50, right: 8, top: 14, bottom: 40 };

/** Every layer below what memory and tensor cores allow; ``choose`` is called with a layer. */
function roofline(pattern, chosen, choose) {
  const shown = pattern.layers.map((layer, at) => ({ ...layer, at })).filter((one) => one.point);
  if (!shown.length) return html("p", { class: "quiet" }, "No layer multiplies and moves bytes.");
  const dtypes = [...new Set(shown.map((layer) => layer.dtype))];
  const peaks = dtypes.map((dtype) => pattern.peaks[dtype]);
  const bandwidth = pattern.dram_bytes_per_second;
  const xs = [...shown.map((one) => one.point[0]), ...peaks.map((peak) => peak / bandwidth)];
  const ys = [...shown.map((one) => one.point[1]), ...peaks];
  const { width, height, left, right, top, bottom } = ROOF;
  const lowest = [Math.min(...xs, Math.max(...peaks) / bandwidth / 4), Math.min(...ys, Math.max(...peaks) / 15)];
  const x = logAxis([lowest[0] / 2, Math.max(...xs) * 4], left, width - right);
  const y = logAxis([lowest[1] / 2, Math.max(...ys) * 1.8], height - bottom, top);
  const drawing = svg("svg", {
    viewBox: `0 0 ${width} ${height}`, class: "roofline", role: "img",
    "aria-label": `Roofline of ${shown.length} layers`,
  }, axes(x, y), roofs(x, y, peaks, dtypes, bandwidth));
  const order = shown.sort((one, other) => other.share - one.share);
  for (const layer of order.filter((one) => one.at !== chosen)) {
    drawing.append(point(layer, x, y, "point", choose));
  }
  for (const layer of order.filter((one) => one.at === chosen)) {
    drawing.append(point(layer, x, y, "point chosen", choose));
  }
  return drawing;
}

function point(layer, x, y, kind, choose) {
  const [perByte, perSecond] = layer.point;
  const radius = 2.8 + 7 * Math.sqrt(layer.share);
  const said = `${layer.name}: ${quantity(perSecond, "rate")}, ${grouped(perByte, decimals(perByte))} MAC/byte, ${layer.bound}`;
  return svg("g", { class: kind, onclick: () => choose(layer.at) }, svg("title", {}, said),
    kind === "point" ? null
      : svg("circle", { class: "ring", cx: x.at(perByte), cy: y.at(perSecond), r: radius + 5 }),
    marker(layer.work_bound, radius, x.at(perByte), y.at(perSecond)));
}

function axes(x, y) {
  const { width, height, left, right, top, bottom } = ROOF;
  const base = height - bottom;
  const size = DATA.units.rate.find(([size]) => y.ticks[y.ticks.length - 1] >= size);
  const short = (value) => value.toLocaleString("en-US", { maximumSignificantDigits: 2 });
  return svg("g", { class: "axes" },
    x.ticks.map((tick) => [
      svg("line", { x1: x.at(tick), x2: x.at(tick), y1: top, y2: base }),
      svg("text", { x: x.at(tick), y: base + 15, "text-anchor": "middle" }, short(tick)),
    ]),
    y.ticks.map((tick) => [
      svg("line", { x1: left, x2: width - right, y1: y.at(tick), y2: y.at(tick) }),
      svg("text", { x: left - 7, y: y.at(tick) + 4, "text-anchor": "end" }, short(tick / size[0])),
    ]),
    svg("text", { x: (left + width - right) / 2, y: height - 8, "text-anchor": "middle" },
      "useful MACs per byte of DRAM traffic"),
    svg("text", {
      "text-anchor": "middle", transform: `translate(11 ${(top + base) / 2}) rotate(-90)`,
    }, `useful MACs, ${size[1]}`));
}

function roofs(x, y, peaks, dtypes, bandwidth) {
  const { width, left, right, height, bottom } = ROOF;
  const base = height - bottom, highest = Math.max(...peaks);
  const ridge = x.at(highest / bandwidth);
  // On logarithmic axes the slope is a line through the ridge and any other point of it.
  const slope = (y.at(highest) - y.at(highest / 10)) / (ridge - x.at(highest / bandwidth / 10));
  const start = Math.max(left, ridge + (base - y.at(highest)) / slope);
  const middle = (start + ridge) / 2, angle = (Math.atan(slope) * 180) / Math.PI;
  const half = y.at(highest) + slope * (middle - ridge);
  return svg("g", { class: "roof" },
    svg("line", { x1: start, y1: y.at(highest) + slope * (start - ridge), x2: ridge, y2: y.at(highest) }),
    svg("text", {
      "text-anchor": "middle", transform: `translate(${middle} ${half}) rotate(${angle}) translate(0 -6)`,
    }, `DRAM ${quantity(bandwidth, "size")}/s`),
    peaks.map((peak, at) => [
      svg("line", { x1: x.at(peak / bandwidth), x2: width - right, y1: y.at(peak), y2: y.at(peak) }),
      svg("text", { x: width - right, y: y.at(peak) - 5, "text-anchor": "end" },
        `${dtypes[at]} peak, ${quantity(peak, "rate")}`),
    ]));
}
