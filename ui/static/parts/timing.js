// Where the time of a response went, from its Server-Timing header.

import { element } from "./elements.js";
import { cell, table } from "./table.js";
import { TASK_NAMES } from "./tasks.js";

const NAMES = {
  ...TASK_NAMES,
  total: "Total",
  ingress: "HTTP and comparison",
  decode: "decoding",
  detect: "finding faces",
  crop: "cropping",
  measure: "measuring quality",
  detection: "Decoding and detection",
  networks: "Models after detection",
};
const STEPS = ["decode", "detect", "crop", "measure"];

/** [{name, label, ms, busy, steps}]: each stage with the time its replica worked and its steps; `total` is last. */
function stages(entries) {
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
 * A table of the stages.
 * @param {Array} header entries of Server-Timing; empty if a proxy removed the header
 * @param {Object} own the response's timings_ms, used instead of an empty header
 * @param {number} roundTrip as measured by the browser, in milliseconds
 */
export function timingTable(header, own, roundTrip) {
  const entries = header.length ? header : Object.entries(own).map(([name, ms]) => ({ name, label: "", ms }));
  const number = (name, value) => cell(name, milliseconds(value), "number-cell");
  const row = ({ name, label, ms, busy, steps = [] }, kind = "") => [
    element(
      "tr",
      { class: kind },
      element("th", { scope: "row" }, NAMES[name] ?? name, label && ` (${label})`),
      number("Time", ms),
      number("Work", busy ?? null),
    ),
    steps.map((step) => row(step, "step")),
  ];
  const seen = { name: "Measured by the browser", ms: roundTrip };
  const numeric = (name) => element("th.number-cell", { scope: "col" }, name);
  return table(
    "Where the time went",
    ["Stage", numeric("Time"), numeric("Work")],
    [...stages(entries), seen].flatMap((each) => row(each).flat(2)),
    { shown: true, folding: false },
  );
}
