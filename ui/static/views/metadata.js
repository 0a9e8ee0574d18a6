// A form to edit the metadata of a subject as JSON.

import { call } from "../parts/api.js";
import { element } from "../parts/elements.js";
import { tell } from "../parts/notice.js";

/**
 * @param {string} path of the subject
 * @param {Object|null} metadata the present one; null if there is none
 * @param {() => void} saved called after each change
 */
export function metadataForm(path, metadata, saved) {
  const alert = element("div", { role: "alert" });
  const text = element("textarea", { id: "metadata", rows: 4, spellcheck: "false" });
  text.value = metadata === null ? "" : JSON.stringify(metadata, null, 2);
  const save = async (event) => {
    event.preventDefault();
    tell(alert, null);
    try {
      await call(path, { method: "PATCH", json: { metadata: text.value.trim() ? parsed(text.value) : null } });
      saved();
    } catch (error) {
      tell(alert, error);
    }
  };
  return element(
    "form.stack.tight",
    { onsubmit: save },
    element("div.field", element("label", { for: "metadata" }, "Metadata (a JSON object, or empty)"), text),
    alert,
    element("div.actions", element("button.small.push", { type: "submit" }, "Save metadata")),
  );
}

function parsed(text) {
  let found = null;
  try {
    found = JSON.parse(text);
  } catch {
    // Reported below.
  }
  if (found?.constructor !== Object) throw { code: "INVALID_METADATA" };
  return found;
}
