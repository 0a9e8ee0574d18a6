// Native dialogs, which keep the focus inside and close with Escape.

import { element } from "./elements.js";

// Dialogs can be stacked; each needs an id for its title.
let count = 0;

/** Show `content` in a dialog called `title`. `closed` is called when it is closed. Returns a function that closes it. */
export function openDialog(title, content, closed = () => {}) {
  const id = `dialog-${++count}`;
  const dialog = element(
    "dialog",
    { "aria-labelledby": id },
    element("div.stack", element("h2", { id }, title), content),
  );
  dialog.addEventListener("close", () => {
    dialog.remove();
    closed();
  });
  document.body.append(dialog);
  dialog.showModal();
  return () => dialog.close();
}

/** Ask for confirmation of a deletion. Resolves to true or false. */
export function confirmed(title, text, action) {
  return new Promise((resolve) => {
    let answer = false;
    const end = (given) => () => {
      answer = given;
      close();
    };
    const close = openDialog(
      title,
      [
        element("p", text),
        element(
          "div.actions",
          element("button", { autofocus: true, onclick: end(false) }, "Keep"),
          element("button.danger.push", { onclick: end(true) }, action),
        ),
      ],
      () => resolve(answer),
    );
  });
}
