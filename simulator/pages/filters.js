// Which points are shown: values of what was chosen, or a range where there are many.

const FEW = 12; // values that have a button each

/** A filter for every column of names and settings, or of those asked for, that has several values. */
function filtersOf(columns, rows, isFilter = ({ role }) => ["choice", "outcome"].includes(role)) {
  return columns.map((column, at) => ({ column, at })).filter(({ column, at }) =>
    isFilter(column, at)).map((one) => {
    const values = valuesOf(rows, one.at);
    return { ...one, values, only: new Set(), range: [null, null] };
  }).filter(({ values }) => values.length > 1);
}

/** All values of a column, in order. */
function valuesOf(rows, at) {
  return ordered([...new Set(rows.map((row) => row[at]))], (value) => value, false);
}

/** Whether a row passes all filters; a column without one passes everything. */
function passes(filters, row) {
  return filters.every(({ at, only, range }) =>
    (!only.size || only.has(row[at])) && (range[0] === null || row[at] >= range[0])
    && (range[1] === null || row[at] <= range[1]));
}

/** What filters are set with; "iconOf" is asked for what stands before a value. */
function filterRows(filters, changed, iconOf = () => null) {
  return filters.map((filter) => html("div", {
    class: "filter", role: "group", "aria-label": filter.column.title,
  }, html("span", { class: "quiet" }, filter.column.title), inputsOf(filter)(filter, changed, iconOf)));
}

function inputsOf({ values }) {
  if (values.length <= FEW) return valueButtons;
  return values.every((value) => typeof value === "number") ? rangeInputs : valueSelect;
}

function valueButtons(filter, changed, iconOf) {
  return filter.values.map((value, number) => html("button", {
    type: "button", class: "chip", "aria-pressed": String(filter.only.has(value)),
    onclick: (event) => {
      if (!filter.only.delete(value)) filter.only.add(value);
      event.currentTarget.setAttribute("aria-pressed", String(filter.only.has(value)));
      changed();
    },
  }, iconOf(filter, number), written(filter.column, value)));
}

function valueSelect(filter, changed) {
  const options = filter.values.map((value, at) => html("option", { value: at }, written(filter.column, value)));
  return html("select", {
    "aria-label": filter.column.title,
    onchange: ({ target }) => {
      filter.only = new Set(target.value === "" ? [] : [filter.values[Number(target.value)]]);
      changed();
    },
  }, html("option", { value: "" }, "all"), options);
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
