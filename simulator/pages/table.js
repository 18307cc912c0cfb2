// Values as their columns write them, and rows in the order asked for.

const LISTED = 200; // rows of a table of many

/** A value as its column writes it. */
function written(column, value) {
  if (value === null) return "–";
  if (typeof value !== "number") return String(value);
  if (column.unit in DATA.units) return quantity(value, column.unit);
  if (column.unit === "ratio") return percent(value);
  if (column.unit === "times") return times(value);
  if (column.unit === "decimal") return grouped(value, 2);
  if (column.unit === "change") {
    return Math.abs(value) < 0.0005 ? percent(Math.abs(value)) : (value > 0 ? "+" : "") + percent(value);
  }
  const isRounded = column.role === "figure" && !Number.isInteger(value);
  const digits = { maximumSignificantDigits: isRounded ? 4 : 15 };
  return (isRounded ? value.toLocaleString("en-US", digits) : exact(value, digits))
    + (column.unit ? ` ${column.unit}` : "");
}

/** A number as it is: large round ones as 50 G. */
function exact(value, digits) {
  for (const [size, prefix] of [[1e12, "T"], [1e9, "G"], [1e6, "M"]]) {
    const short = value / size;
    if (short >= 1 && Number(short.toPrecision(4)) === short) return `${short}\u00a0${prefix}`;
  }
  return value.toLocaleString("en-US", digits);
}

/** Things by a value each: numbers by size, texts as people order them, and none last. */
function ordered(things, valueOf, isDown) {
  return [...things].sort((one, other) => {
    const [a, b] = [valueOf(one), valueOf(other)];
    if (a === null || b === null) return (a === null) - (b === null);
    const first = typeof a === "number" && typeof b === "number" ? a - b
      : String(a).localeCompare(String(b), "en", { numeric: true });
    return (isDown ? -1 : 1) * first; // equal ones stay in their order
  });
}

/** Mark the chosen row of a list; Tab reaches it, or the first row where it is not listed. */
function markChosen(list, isChosen) {
  const rows = [...list.querySelectorAll("tbody tr")];
  const reached = rows.find(isChosen) || rows[0];
  for (const row of rows) {
    row.setAttribute("aria-selected", String(isChosen(row)));
    row.tabIndex = row === reached ? 0 : -1;
  }
}

/** Scroll a list, and nothing around it, to its chosen row where that is below what is seen. */
function reveal(list) {
  const row = list.querySelector("[aria-selected=true]");
  if (row && row.offsetTop + row.offsetHeight > list.clientHeight) {
    list.scrollTop = row.offsetTop - list.clientHeight / 2;
  }
}

/** What "aria-sort" says of a column. */
function sortedAs(column, { sorted, isDown }) {
  return sorted !== column ? "none" : isDown ? "descending" : "ascending";
}

/** The head of a column; a click sorts by it. */
function sortHead(title, kind, order, sort, says = null) {
  return html("th", { scope: "col", class: kind, title: says, "aria-sort": order },
    html("button", { type: "button", onclick: sort }, title));
}
