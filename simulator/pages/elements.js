// Elements, figures and the data of the page. Texts are always set as text, never as HTML.

const DATA = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg";

/** Put attributes and children into an element; "on…" attributes are listeners. */
function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null));
  return element;
}

function html(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

/** Colour an element as the style says for "core", "operand" or "bound" and a name. */
function coloured(element, property, palette, name) {
  element.style[property] = `var(--${palette}-${name})`;
  return element;
}

function named(palette) {
  return Object.entries(DATA.names[palette]);
}

/** Three digits and the unit that suits, as simulator.quantities writes them. */
function quantity(value, of) {
  const units = DATA.units[of];
  const least = units[units.length - 1];
  if (!value) return `0 ${least[1]}`;
  const rounded = Math.abs(Number(value.toPrecision(3)));
  const unit = units.find(([size]) => rounded >= size) || least;
  const scaled = value / unit[0];
  const whole = unit === least && Number.isInteger(scaled);
  return `${grouped(scaled, whole ? 0 : decimals(scaled))} ${unit[1]}`;
}

/** Decimals that give three digits. */
function decimals(value) {
  const [, power] = Math.abs(value).toExponential(2).split("e");
  return Math.min(6, Math.max(0, 2 - Number(power)));
}

function grouped(value, places) {
  const options = { minimumFractionDigits: places, maximumFractionDigits: places };
  return value.toLocaleString("en-US", options);
}

function percent(ratio) {
  return ratio > 0 && ratio < 0.0005 ? "<0.1 %" : `${grouped(100 * ratio, 1)} %`;
}

function times(ratio) {
  return `${ratio < 100 ? ratio.toFixed(2) : grouped(ratio, 0)}×`;
}

/** A text in which signs that would turn around what follows them are seen instead. */
function straight(text) {
  return text.replace(/[\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}

/** A sentence that breaks no line between a figure and its unit. */
function unbroken(sentence) {
  return straight(sentence).replace(/(\d) (%|[fpnµmkMGTP]?(?:s|B|J|W|MAC)\b)/g, "$1\u00a0$2");
}

/** Whether a key belongs to the browser, as Alt and an arrow do. */
function isModified({ ctrlKey, metaKey, altKey }) {
  return ctrlKey || metaKey || altKey;
}

function sum(values) {
  return values.reduce((all, value) => all + value, 0);
}

/** A titled part of the page; empty where it has nothing to show. */
function card(title, kind, ...children) {
  const shown = children.flat(Infinity).filter((child) => child !== null);
  if (!shown.length) return null;
  return html("section", { class: `card ${kind}`, "aria-label": title },
    html("h3", {}, title), ...shown);
}
