// Head and foot of every page.

const KEPT = "nmsim-theme"; // where browsers keep what was chosen

const THEMES = { auto: "Light or dark as the system", light: "Light", dark: "Dark" };

/** The title, what was simulated, and the switch between light and dark. */
function pageHead() {
  const button = html("button", { type: "button", class: "theme" });
  const show = (theme) => {
    document.documentElement.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
    button.title = THEMES[theme];
  };
  const names = Object.keys(THEMES);
  button.addEventListener("click", () => {
    const theme = names[(names.indexOf(document.documentElement.dataset.theme) + 1) % names.length];
    show(theme);
    kept((storage) => storage.setItem(KEPT, theme));
  });
  const last = kept((storage) => storage.getItem(KEPT));
  show(names.includes(last) ? last : "auto");
  return html("header", { class: "page-head" }, html("h1", {}, straight(DATA.title)),
    html("p", { class: "facts" }, DATA.facts.map((fact) => html("span", {}, fact))), button);
}

/** What "use" finds in the browser's storage, which it may refuse to files. */
function kept(use) {
  try {
    return use(localStorage);
  } catch {
    return null;
  }
}

/** What came of it, and notes for those who open them. */
function sentences(said = DATA.sentences) {
  return [
    said.length
      ? html("ul", { class: "lines" }, said.map((line) => html("li", {}, unbroken(line))))
      : null,
    DATA.notes.length ? html("details", { class: "quiet" },
      html("summary", {}, `${DATA.notes.length} ${DATA.notes.length === 1 ? "note" : "notes"}`),
      html("ul", {}, DATA.notes.map((note) => html("li", {}, straight(note))))) : null,
  ];
}

function pageFoot(keys) {
  return html("footer", { class: "quiet" },
    html("span", {}, DATA.made_by), html("span", {}, keys));
}
