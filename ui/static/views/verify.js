// Verify: whether a photo shows one subject of a collection, in a dialog.

import { call } from "../parts/api.js";
import { verdict } from "../parts/blocks.js";
import { openDialog } from "../parts/dialogs.js";
import { element } from "../parts/elements.js";
import { meter, sourceOf } from "../parts/meter.js";
import { tell } from "../parts/notice.js";
import { PhotoSlot } from "../parts/photo.js";

/** Open a dialog that compares a photo with the subject `id`. `path` is that of the collection's routes. */
export function openVerify(path, id) {
  const host = element("div"),
    alert = element("div", { role: "alert" }),
    result = element("div.stack", { "aria-live": "polite" });
  let asking = null;
  const ask = async () => {
    asking?.abort();
    asking = new AbortController();
    const { signal } = asking;
    result.replaceChildren();
    tell(alert, null);
    if (!slot.file) return;
    const form = new FormData();
    form.append("subject", id);
    form.append("photo", slot.file);
    try {
      const { body } = await call(`${path}/verify`, { method: "POST", form, signal });
      slot.mark([body.face]);
      result.replaceChildren(...shown(body));
    } catch (error) {
      if (!signal.aborted) tell(alert, error);
    }
  };
  const slot = new PhotoSlot(host, "Photo to compare", ask);
  const close = openDialog(
    `Is this ${id}?`,
    [
      host,
      alert,
      result,
      element("div.actions", element("button.push", { onclick: () => close() }, "Close")),
    ],
    () => asking?.abort(),
  );
}

function shown({ subject, match, similarity, threshold }) {
  return [
    match
      ? verdict("good", `This is ${subject}`, "The face is similar enough.")
      : verdict("bad", `This is not ${subject}`, "The face is not similar enough."),
    meter({
      label: "Cosine similarity to the most similar face",
      value: similarity,
      threshold: threshold.value,
      source: sourceOf(threshold.source),
    }),
  ];
}
