// A dialog to rename a subject, or to merge it into the one that has the name already.

import { call } from "../parts/api.js";
import { openDialog } from "../parts/dialogs.js";
import { element } from "../parts/elements.js";
import { tell } from "../parts/notice.js";

/**
 * Ask for the new name of the subject `id`, and rename it.
 * @param {string} path of the collection's routes
 * @param {(said: string) => Promise} done called after the change, with what it was
 */
export function openRename(path, id, done) {
  const alert = element("div", { role: "alert" });
  const name = element("input", { type: "text", id: "new-subject", value: id, maxlength: 512, autocomplete: "off" });
  const change = async (how, json, said) => {
    tell(alert, null);
    try {
      await call(`${path}/subjects/${how}`, { method: "POST", json });
      close();
      await done(said);
    } catch (error) {
      const act = () => change("merge", { subjects: [id], into: name.value }, `${id} was merged into ${name.value}`);
      const merge = { text: `Merge ${id} into ${name.value}`, act };
      tell(alert, error, { offers: error.code === "SUBJECT_EXISTS" && name.value !== id ? [merge] : [] });
    }
  };
  const submit = (event) => {
    event.preventDefault();
    change("rename", { subject: id, new: name.value }, `${id} is now ${name.value}`);
  };
  const form = element(
    "form.stack",
    { onsubmit: submit },
    element("div.field", element("label", { for: "new-subject" }, "New name"), name),
    alert,
    element(
      "div.actions",
      element("button", { onclick: () => close() }, "Cancel"),
      element("button.primary.push", { type: "submit" }, "Rename"),
    ),
  );
  const close = openDialog(`Rename ${id}`, [form]);
}
