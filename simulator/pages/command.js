// A line for a shell, with a button that copies it.

function commandLine(line) {
  const code = html("code", { tabindex: 0 }, line);
  const button = html("button", { type: "button", class: "copy" }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code); // where a browser lets no page write there
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  return html("div", { class: "command" }, code, button);
}
