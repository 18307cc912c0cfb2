// The page of a timeline: one layer's lanes, to zoom and to pan, and what is under the pointer.

const state = { layer: 0, view: { from: 0, to: 1 } };
const parts = {};

// Of a part of a layer it cannot be said how much of its multiplying is padding.
DATA.names.core.mac_useful = "MAC";

function start() {
  parts.choice = html("select", { onchange: () => chooseLayer(Number(parts.choice.value)) },
    DATA.layers.map((layer, at) => html("option", { value: at }, `${at + 1} ${layer.name}`)));
  parts.canvas = html("canvas", { class: "lanes", tabindex: 0, role: "img" });
  parts.facts = html("p", { class: "facts" });
  parts.under = html("output", { class: "under-pointer" });
  parts.legend = html("div");
  const button = (title, act) => html("button", { type: "button", onclick: act }, title);
  document.body.append(pageHead(), html("main", {},
    html("div", { class: "toolbar" }, html("label", {}, "layer", parts.choice),
      button("Zoom in", () => zoom(0.5)), button("Zoom out", () => zoom(2)),
      button("All", () => show({ from: 0, to: layer().time_ns }))),
    html("section", { class: "card", "aria-label": "Cores" }, parts.facts, parts.canvas,
      parts.under, parts.legend),
    sentences()), pageFoot("← → move · + − zoom · 0 all · ↑ ↓ layers"));
  listen();
  chooseLayer(0);
}

function layer() {
  return DATA.layers[state.layer];
}

function chooseLayer(at) {
  state.layer = at;
  parts.choice.value = at;
  parts.facts.replaceChildren(...[quantity(layer().time_ns, "time"), ...layer().facts].map((fact) =>
    html("span", {}, fact)));
  parts.canvas.setAttribute("aria-label", `What ${layer().lanes.length} cores do in ${layer().name}`);
  const spent = named("core").map(() => 0);
  for (const lane of layer().lanes) {
    triples(lane.parts, (_, length, kind) => { if (kind >= 0) spent[kind] += length; });
  }
  const swatch = (operand, words) =>
    html("li", {}, coloured(html("i"), "backgroundColor", "operand", operand), words);
  parts.legend.replaceChildren(legend("core", spent), html("ul", { class: "legend" },
    html("li", {}, "A line begins a tile. Below, bytes a second:"),
    swatch("activations", "read"), swatch("outputs", "written")));
  show({ from: 0, to: layer().time_ns });
}

/** Show a stretch of time, within the layer. */
function show({ from, to }) {
  const all = layer().time_ns, length = Math.min(all, Math.max(20, to - from));
  const start = Math.min(all - length, Math.max(0, from));
  state.view = { from: start, to: start + length };
  drawLanes(parts.canvas, layer(), state.view);
}

/** A view of so much of what is shown, around a place of the canvas, or its middle. */
function zoom(by, x = (LANE.left + parts.canvas.clientWidth) / 2) {
  const { from, to } = state.view;
  const middle = placement(parts.canvas, layer(), state.view).time(x);
  show({ from: middle - (middle - from) * by, to: middle + (to - middle) * by });
}

function move(by) {
  const { from, to } = state.view, step = (to - from) * by;
  show({ from: from + step, to: to + step });
}

/** What is under a place of the canvas, in words. */
function told(x, y) {
  const place = placement(parts.canvas, layer(), state.view);
  const lane = layer().lanes[Math.floor((y - LANE.axis) / place.height)];
  if (!lane || y < LANE.axis || x < LANE.left) return "";
  const time = place.time(x);
  const words = [`core ${lane.core}`, quantity(Math.max(0, time), "time")];
  const isThere = (start, length) => time >= start && time < start + length;
  triples(lane.tiles, (start, length, tile) => {
    if (isThere(start, length)) words.push(tile < 0 ? "several tiles" : `tile ${tile}`);
  });
  triples(lane.parts, (start, length, kind) => {
    if (!isThere(start, length)) return;
    const what = kind < 0 ? "not in detail" : named("core")[kind][1];
    words.push(`${what}, ${quantity(length, "time")}`);
  });
  return words.join(" · ");
}

const KEYS = {
  ArrowLeft: () => move(-0.25), ArrowRight: () => move(0.25),
  "+": () => zoom(0.5), "-": () => zoom(2), 0: () => show({ from: 0, to: layer().time_ns }),
  ArrowDown: () => chooseLayer(Math.min(DATA.layers.length - 1, state.layer + 1)),
  ArrowUp: () => chooseLayer(Math.max(0, state.layer - 1)),
};

function listen() {
  const redraw = () => show(state.view);
  addEventListener("resize", redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  document.querySelector(".theme").addEventListener("click", redraw);
  document.addEventListener("keydown", (event) => {
    if (event.target === parts.choice || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!KEYS[event.key]) return;
    event.preventDefault();
    KEYS[event.key]();
  });
  let held = null;
  parts.canvas.addEventListener("pointerdown", (event) => {
    held = { x: event.offsetX, view: state.view };
    parts.canvas.setPointerCapture(event.pointerId);
  });
  parts.canvas.addEventListener("pointerup", () => { held = null; });
  parts.canvas.addEventListener("pointermove", (event) => {
    parts.under.textContent = told(event.offsetX, event.offsetY);
    if (!held) return;
    const { scale } = placement(parts.canvas, layer(), held.view);
    const by = (held.x - event.offsetX) / scale;
    show({ from: held.view.from + by, to: held.view.to + by });
  });
  parts.canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.shiftKey) return; // the page scrolls
    event.preventDefault();
    zoom(event.deltaY + event.deltaX > 0 ? 1.25 : 0.8, event.offsetX);
  }, { passive: false });
}

start();
