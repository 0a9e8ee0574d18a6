// Where the time of an answer went, from its Server-Timing header.

import { element } from "./elements.js";
import { cell, table } from "./table.js";

const NAMES = {
  total: "In all",
  ingress: "HTTP and comparing",
  detector: "Detector",
  liveness: "Liveness",
  embedder: "Embedder",
  gallery: "Gallery",
  decode: "decoding",
  detect: "finding faces",
  crop: "cropping",
  measure: "measuring quality",
  detection: "Decoding and detection",
  networks: "Liveness and embedding",
};
const STEPS = ["decode", "detect", "crop", "measure"];

/** [{name, label, ms, busy, steps}]: each stage with its own work and its parts, `total` last. */
export function stages(entries) {
  const of = (name) => entries.find((entry) => entry.name === name)?.ms ?? null;
  const rows = entries
    .filter(({ name }) => !name.endsWith("-busy") && !STEPS.includes(name) && name !== "total")
    .map((entry) => ({ ...entry, busy: of(`${entry.name}-busy`), steps: [] }));
  const detector = rows.find(({ name }) => name === "detector");
  if (detector) detector.steps = entries.filter(({ name }) => STEPS.includes(name));
  const total = of("total");
  return total === null ? rows : [...rows, { name: "total", label: "", ms: total, busy: null, steps: [] }];
}

const milliseconds = (value) => (value === null ? "" : `${value.toFixed(1)} ms`);

/**
 * A table of it.
 * @param {Array} header entries of Server-Timing; empty where something on the way took the header
 * @param {Object} own the answer's timings_ms, which count then
 * @param {number} roundTrip what the browser waited, in milliseconds
 */
export function timingTable(header, own, roundTrip) {
  const entries = header.length ? header : Object.entries(own).map(([name, ms]) => ({ name, label: "", ms }));
  const number = (name, value) => cell(name, milliseconds(value), "number-cell");
  const row = ({ name, label, ms, busy, steps = [] }, kind = "") => [
    element(
      "tr",
      { class: kind },
      element("th", { scope: "row" }, NAMES[name] ?? name, label && ` (${label})`),
      number("Took", ms),
      number("Worked itself", busy ?? null),
    ),
    steps.map((step) => row(step, "step")),
  ];
  const seen = { name: "As the browser saw it", ms: roundTrip };
  const numeric = (name) => element("th.number-cell", { scope: "col" }, name);
  return table(
    "Where the time went",
    ["Stage", numeric("Took"), numeric("Worked itself")],
    [...stages(entries), seen].flatMap((each) => row(each).flat(2)),
    { shown: true, folding: false },
  );
}
