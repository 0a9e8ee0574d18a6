// Compare the first photo with several others: a table of similarities.

import { call } from "../parts/api.js";
import { verdict } from "../parts/blocks.js";
import { element, plural } from "../parts/elements.js";
import { explain } from "../parts/messages.js";
import { sourceOf } from "../parts/meter.js";
import { cell, table } from "../parts/table.js";

/** Compare `reference` with `files`. Resolves to the faces of the reference, and the result to show. */
export async function compareMany(reference, files, query, signal) {
  const form = new FormData();
  form.append("reference", reference);
  for (const file of files) form.append("photo", file, file.name);
  const { body } = await call("v1/verify/many", { method: "POST", query, form, signal });
  return [[[body.reference]], shown(body, files)];
}

function shown({ metric, threshold, photos }, files) {
  const matches = photos.filter(({ match }) => match).length;
  const sense = metric === "cosine" ? "at least" : "at most";
  const rows = photos.map((each) => row(each, files[each.photo].name));
  const value = metric === "cosine" ? "Similarity" : "Distance";
  return [
    verdict(
      matches ? "good" : "warn",
      `${matches} of ${plural(photos.length, "photo")} show the same person`,
      `A match needs ${sense} ${threshold.value.toFixed(2)} (${sourceOf(threshold.source)}).`,
    ),
    element("div.card", table("Compared photos", ["Photo", value, "Result"], rows)),
  ];
}

function row({ match, value, face, error }, name) {
  const spoof = face?.liveness?.live === false;
  const result = error
    ? explain(error).title
    : element(`span.badge.${match ? "good" : "bad"}`, match ? "The same person" : "No match");
  return element(
    "tr",
    element("th", { scope: "row" }, name),
    cell("Value", value === null ? "" : value.toFixed(3), "number-cell"),
    cell("Result", element("div.actions", result, spoof && element("span.badge.warn", "Looks like a spoof"))),
  );
}
