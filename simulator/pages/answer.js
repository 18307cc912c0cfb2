// The page of an answer: the answer, its commands, and the sections of the chosen group.

function start() {
  const [answer, ...others] = DATA.sentences;
  const groups = [...new Set(DATA.sections.map(({ group }) => group))];
  const shown = html("div", { id: "view", role: groups.length > 1 && "tabpanel", "aria-label": "Tables" });
  const tabs = html("div", { class: "tabs", role: "tablist", "aria-label": "Parts" });
  const choose = (name) => {
    const hadFocus = tabs.contains(document.activeElement);
    const views = sectionsOf(name);
    shown.replaceChildren(...views.map(({ element }) => element));
    views.forEach((view) => view.reveal());
    if (groups.length < 2) return;
    tabs.replaceChildren(...groups.map((group) => html("button", {
      type: "button", role: "tab", "aria-selected": String(group === name), "aria-controls": "view",
      tabindex: group === name ? 0 : -1, onclick: () => choose(group),
    }, group)));
    if (hadFocus) tabs.querySelector("[aria-selected=true]").focus();
  };
  tabs.addEventListener("keydown", ({ key }) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[key];
    const now = [...tabs.children].indexOf(document.activeElement);
    if (by && groups[now + by] !== undefined) choose(groups[now + by]);
  });
  document.body.append(pageHead(), html("main", {},
    html("section", { class: "overview", "aria-label": "Answer" },
      html("p", { class: "answer" }, unbroken(answer)), sentences(others),
      DATA.commands.map(([what, line]) => html("div", { class: "to-run" },
        html("span", { class: "quiet" }, what), commandLine(line)))),
    groups.length > 1 ? html("div", { class: "toolbar" }, tabs) : null, shown), pageFoot("↑ ↓ rows"));
  choose(groups[0]);
}

/** The sections of a group; a row that is chosen in one may pick rows of the next. */
function sectionsOf(name) {
  const views = [];
  for (const section of DATA.sections.filter(({ group }) => group === name)) {
    const number = views.length;
    views.push(sectionView(section, (value) => views[number + 1].only(value)));
  }
  views.forEach((view) => view.pickFirst());
  return views;
}

start();
