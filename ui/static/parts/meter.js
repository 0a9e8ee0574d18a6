// A score as a bar, with the threshold that decides marked on it.

import { element } from "./elements.js";

export const SOURCES = {
  request: "yours",
  collection: "the collection's",
  configuration: "the service's configuration",
  card: "the model's own",
};

/** "yours", "the collection's", …; a source that this page does not know by its own name. */
export const sourceOf = (source) => SOURCES[source] ?? source;

/**
 * @param {Object} of
 * @param {string} of.label what was scored
 * @param {number} of.value
 * @param {number} of.threshold
 * @param {string} of.source who set the threshold, in words
 * @param {boolean} of.least whether the value has to be at least, else at most, the threshold
 * @param {[number, number]} of.range that the bar spans; a value outside lies at its end
 * @param {boolean} of.alone whether the threshold is told below it; else several stand under one sentence
 */
export function meter({ label, value, threshold, source = "", least = true, range = [0, 1], alone = true }) {
  const [low, high] = range;
  const share = (number) => Math.min(Math.max((number - low) / (high - low), 0), 1);
  const passed = least ? value >= threshold : value <= threshold;
  const needed = `needs ${least ? "at least" : "at most"} ${threshold.toFixed(2)}${source ? `, ${source}` : ""}`;
  const fill = element(`div.fill.${passed ? "good" : "bad"}`);
  const mark = element("div.mark");
  // Set as properties: the page's policy forbids style attributes.
  fill.style.width = `${100 * share(value)}%`;
  mark.style.left = `${100 * share(threshold)}%`;
  return element(
    "div.meter",
    {},
    element(
      "div.top",
      {},
      element("span", {}, label),
      element("span", { class: passed ? "good-ink" : "bad-ink" }, value.toFixed(3)),
    ),
    element(
      "div.track",
      {
        role: "meter",
        "aria-label": label,
        "aria-valuemin": low,
        "aria-valuemax": high,
        "aria-valuenow": Math.min(Math.max(value, low), high),
        "aria-valuetext": `${value.toFixed(3)}, ${needed}`,
      },
      fill,
      mark,
    ),
    alone && element("p.hint", {}, needed),
  );
}
