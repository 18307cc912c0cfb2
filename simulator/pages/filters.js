// Which points are shown: values of what was chosen, or a range where there are many.

const FEW = 12; // values that have a button each

/** Columns of names and settings, with all their values in order. */
function choices() {
  return DATA.columns.map((column, at) => ({ column, at })).filter(({ column }) =>
    ["choice", "outcome"].includes(column.role)).map((one) => {
    const values = [...new Set(DATA.rows.map((row) => row[one.at]))];
    values.sort((a, b) => typeof a === "number" && typeof b === "number" ? a - b
      : String(a).localeCompare(String(b), "en", { numeric: true }));
    return { ...one, values };
  }).filter(({ values }) => values.length > 1);
}

/** Whether a row passes all filters; a column without one passes everything. */
function passes(row) {
  return state.filters.every(({ at, only, range }) =>
    (!only.size || only.has(row[at])) && (range[0] === null || row[at] >= range[0])
    && (range[1] === null || row[at] <= range[1]));
}

function filterRows(changed) {
  return state.filters.map((filter) => html("div", {
    class: "filter", role: "group", "aria-label": filter.column.title,
  }, html("span", { class: "quiet" }, filter.column.title),
  filter.values.length > FEW && filter.values.every((value) => typeof value === "number")
    ? rangeInputs(filter, changed) : valueButtons(filter, changed)));
}

function valueButtons(filter, changed) {
  return filter.values.map((value, number) => html("button", {
    type: "button", class: "chip", "aria-pressed": String(filter.only.has(value)),
    onclick: (event) => {
      if (!filter.only.delete(value)) filter.only.add(value);
      event.currentTarget.setAttribute("aria-pressed", String(filter.only.has(value)));
      changed();
    },
  }, filter.at === DATA.apart ? icon(seriesMarker(number, 1, 0, 0)) : null,
  written(filter.column, value)));
}

function rangeInputs(filter, changed) {
  const ends = [filter.values[0], filter.values[filter.values.length - 1]];
  return ["from", "to"].map((word, end) => html("label", {}, word, html("input", {
    type: "number", placeholder: ends[end], step: "any",
    oninput: (event) => {
      filter.range[end] = event.target.value === "" ? null : Number(event.target.value);
      changed();
    },
  })));
}
