// Native dialogs, which keep the focus inside and close with Escape.

import { element } from "./elements.js";

// Dialogs can be stacked; each needs an id for its title.
let count = 0;

/**
 * Show `content` in a dialog called `title`. Returns a function that closes it.
 * @param {(value: string) => void} closed called when it is closed, with the value of the button that submitted a form
 */
export function openDialog(title, content, closed = () => {}) {
  const id = `dialog-${++count}`;
  const body = element("div.stack", element("h2", { id }, title), content);
  const dialog = element("dialog", { "aria-labelledby": id }, body);
  dialog.addEventListener("close", () => {
    dialog.remove();
    closed(dialog.returnValue);
  });
  document.body.append(dialog);
  dialog.showModal();
  return () => dialog.close();
}

/** Ask for confirmation of a deletion. Resolves to true or false. */
export function confirmed(title, text, action) {
  return new Promise((resolve) => {
    const form = element(
      "form.actions",
      { method: "dialog" },
      element("button", { type: "submit", autofocus: true }, "Keep"),
      element("button.danger.push", { type: "submit", value: "confirmed" }, action),
    );
    openDialog(title, [element("p", text), form], (value) => resolve(value === "confirmed"));
  });
}
