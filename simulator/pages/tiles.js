// The tiles of a layer on its output, coloured by the wave in which cores take them.

const GRID = { width: 330, height: 170, largest: 20, wavesListed: 6 };

/** Turns of all tiles, one a place, from runs. */
function unrolled(runs) {
  const turns = [];
  for (let at = 0; at < runs.length; at += 2) {
    for (let many = 0; many < runs[at + 1]; many++) turns.push(runs[at]);
  }
  return turns;
}

/**
 * Where cells of a long grid go: lines of ``length`` places along the longer side, one line below
 * the other, so that cells are as large as they can be.
 */
function folded(long, short) {
  const most = Math.min(long, 1024);
  let best = { size: 0 };
  for (let length = 1; length <= most; length++) {
    const lines = Math.ceil(long / length);
    const gaps = lines > 1 ? lines * 0.5 : 0;
    const size = Math.min(GRID.width / length, GRID.height / (lines * short + gaps), GRID.largest);
    if (size >= best.size) best = { size, length, lines };
  }
  return best;
}

/** The drawing of a grid, with the tile under the pointer in words below it. */
function tileGrid(tiles) {
  const turns = unrolled(tiles.turns);
  const rows = tiles.rows * tiles.count, columns = tiles.columns * tiles.splits;
  const isTall = rows > columns;
  const [long, short] = isTall ? [rows, columns] : [columns, rows];
  const { size, length, lines } = folded(long, short);
  const place = (row, column) => {
    const [along, across] = isTall ? [row, column] : [column, row];
    const line = Math.floor(along / length);
    return [(along % length) * size, (line * short + across) * size + line * size * 0.5];
  };
  const waves = turns.length ? Math.max(...turns) + 1 : 1;
  const paths = cellPaths(tiles, turns, waves, place, size, isTall);
  const height = (lines * short + (lines - 1) * 0.5) * size;
  const said = `${rows} by ${tiles.columns} tiles in ${waves} ${waves === 1 ? "wave" : "waves"}`;
  const drawing = svg("svg", {
    viewBox: `0 0 ${GRID.width} ${Math.ceil(height)}`, class: "tiles", role: "img",
    "aria-label": turns.length ? said : `${rows} by ${tiles.columns} tiles`,
  }, paths.map((path, wave) => {
    const made = svg("path", { d: path, "data-wave": wave },
      svg("title", {}, turns.length ? `wave ${wave + 1}` : "tiles"));
    made.style.fill = turns.length ? waveColour(wave, waves) : "var(--quiet)";
    return made;
  }));
  return { drawing, turns, waves };
}

/** One path a wave, of squares with a hair between them. */
function cellPaths(tiles, turns, waves, place, size, isTall) {
  const paths = Array.from({ length: waves }, () => []);
  const hair = size > 5 ? 1 : size * 0.12;
  const columns = tiles.columns * tiles.splits;
  const cells = tiles.rows * tiles.count * columns;
  const drawn = turns.length || Math.min(cells, 16384);
  for (let tile = 0; tile < drawn; tile++) {
    const [x, y] = place(Math.floor(tile / columns), tile % columns);
    // Parts along k of one tile stand close together.
    const isLast = (tile + 1) % tiles.splits === 0;
    const between = isLast ? hair : hair / 4;
    const width = (size - (isTall ? hair : between)).toFixed(2);
    const height = (size - (isTall ? between : hair)).toFixed(2);
    paths[turns[tile] || 0].push(`M${x.toFixed(2)} ${y.toFixed(2)}h${width}v${height}h-${width}z`);
  }
  return paths.map((path) => path.join(""));
}

/** From dark blue to yellow, as cividis: lightness says which wave is earlier. */
function waveColour(wave, waves) {
  const stops = [[21, 84, 148], [87, 101, 120], [125, 124, 120], [170, 158, 112], [224, 199, 81]];
  const at = waves > 1 ? (wave / (waves - 1)) * (stops.length - 1) : 0;
  const low = Math.min(stops.length - 2, Math.floor(at));
  const mixed = stops[low].map((from, of) => from + (stops[low + 1][of] - from) * (at - low));
  return `rgb(${mixed.map(Math.round).join(" ")})`;
}

/** How many of the cores each wave keeps busy; long lists without their middle. */
function waveList(turns, waves, cores) {
  const tiles = new Array(waves).fill(0);
  for (const turn of turns) tiles[turn]++;
  const row = (wave) => {
    const bar = html("span");
    bar.style.width = `${(100 * tiles[wave]) / cores}%`;
    bar.style.backgroundColor = waveColour(wave, waves);
    return html("tr", {},
      html("th", { scope: "row" }, `wave ${wave + 1}`),
      html("td", { class: "wide" }, html("div", { class: "bar thin", "aria-hidden": "true" }, bar)),
      html("td", {}, `${tiles[wave]} of ${cores} cores`));
  };
  const listed = waves > GRID.wavesListed
    ? [...Array(GRID.wavesListed - 2).keys(), null, waves - 1] : [...Array(waves).keys()];
  return html("table", { class: "waves" }, html("tbody", {}, listed.map((wave) =>
    wave === null ? html("tr", {}, html("th", { scope: "row" }, "…")) : row(wave))));
}
