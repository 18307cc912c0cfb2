// Lanes of cores on a canvas: what each does between two times.

const LANE = { left: 62, gap: 2, axis: 22, levels: 44 };

/** Triples of a flat list, as objects of three. */
function triples(flat, use) {
  for (let at = 0; at < flat.length; at += 3) use(flat[at], flat[at + 1], flat[at + 2]);
}

/** Colours of the page as it is now, by the names of the style's variables. */
function colourReader() {
  const style = getComputedStyle(document.documentElement);
  return (name) => style.getPropertyValue(`--${name}`).trim();
}

/** How a view of a layer lies on its canvas: its lanes' height, and where a time is. */
function placement(canvas, layer, view) {
  const width = canvas.clientWidth, lanes = layer.lanes.length;
  const height = Math.min(22, Math.max(7, Math.floor(520 / lanes)));
  const scale = (width - LANE.left - 8) / (view.to - view.from);
  const levels = Object.values(layer.moved).filter((moved) => moved.length);
  return {
    width, height, scale, lanes,
    x: (time) => LANE.left + (time - view.from) * scale,
    time: (x) => view.from + (x - LANE.left) / scale,
    all: LANE.axis + lanes * height + levels.length * LANE.levels + 6,
  };
}

function drawLanes(canvas, layer, view) {
  const place = placement(canvas, layer, view), ratio = devicePixelRatio || 1;
  canvas.width = place.width * ratio;
  canvas.height = place.all * ratio;
  canvas.style.height = `${place.all}px`;
  const pen = canvas.getContext("2d"), colour = colourReader();
  pen.scale(ratio, ratio);
  pen.font = `11px ${getComputedStyle(document.body).fontFamily}`;
  drawAxis(pen, place, view, colour);
  pen.save();
  pen.beginPath();
  pen.rect(LANE.left, 0, place.width - LANE.left - 8, place.all);
  pen.clip();
  layer.lanes.forEach((lane, row) => drawLane(pen, place, lane, row, view, colour));
  drawLevels(pen, place, layer, view, colour);
  pen.restore();
  drawNames(pen, place, layer, colour);
}

function drawLane(pen, place, lane, row, view, colour) {
  const top = LANE.axis + row * place.height, high = place.height - LANE.gap;
  const kinds = named("core");
  triples(lane.parts, (start, length, kind) => {
    if (start + length < view.from || start > view.to) return;
    pen.fillStyle = kind < 0 ? colour("quiet") : colour(`core-${kinds[kind][0]}`);
    pen.fillRect(place.x(start), top, Math.max(0.3, length * place.scale), high);
  });
  pen.fillStyle = colour("ink");
  triples(lane.tiles, (start) => {
    if (start >= view.from && start <= view.to) pen.fillRect(place.x(start) - 0.5, top, 1, high);
  });
}

function drawAxis(pen, place, view, colour) {
  const rough = ((view.to - view.from) * 90) / place.width, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((of) => of * power >= rough);
  pen.textAlign = "center";
  for (let at = Math.ceil(view.from / step); at * step <= view.to; at++) {
    pen.fillStyle = colour("line");
    pen.fillRect(place.x(at * step), LANE.axis - 4, 1, place.all);
    pen.fillStyle = colour("muted");
    pen.fillText(quantity(at * step, "time"), place.x(at * step), 12);
  }
}

function drawNames(pen, place, layer, colour) {
  const every = Math.ceil(13 / place.height);
  pen.fillStyle = colour("muted");
  pen.textAlign = "right";
  layer.lanes.forEach((lane, row) => {
    const middle = LANE.axis + (row + 0.5) * place.height + 3;
    if (row % every === 0) pen.fillText(`core ${lane.core}`, LANE.left - 6, middle);
  });
  usedLevels(layer).forEach(([level], at) => pen.fillText(
    DATA.names.level[level], LANE.left - 6, levelBase(place, at) - LANE.levels / 2 + 8));
}

function usedLevels(layer) {
  return Object.entries(layer.moved).filter(([, moved]) => moved.length);
}

function levelBase(place, at) {
  return LANE.axis + place.lanes * place.height + (at + 1) * LANE.levels;
}

/** Bandwidth of a level below the cores: bytes read, and written on top of them. */
function drawLevels(pen, place, layer, view, colour) {
  usedLevels(layer).forEach(([, moved], at) => {
    let most = 1;
    triples(moved, (_, read, written) => { most = Math.max(most, read + written); });
    const base = levelBase(place, at), tall = LANE.levels - 10;
    const draw = (from, to, read, written) => {
      if (to < view.from || from > view.to) return;
      const wide = Math.max(0.4, (to - from) * place.scale), x = place.x(from);
      const [low, high] = [(read / most) * tall, (written / most) * tall];
      pen.fillStyle = colour("operand-activations");
      pen.fillRect(x, base - low, wide, low);
      pen.fillStyle = colour("operand-outputs");
      pen.fillRect(x, base - low - high, wide, high);
    };
    for (let one = 0; one < moved.length; one += 3) {
      draw(moved[one], moved[one + 3] ?? layer.time_ns, moved[one + 1], moved[one + 2]);
    }
    pen.fillStyle = colour("strong-line");
    pen.fillRect(LANE.left, base, place.width, 1);
  });
}
