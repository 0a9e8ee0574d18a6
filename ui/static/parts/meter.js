// A bar that shows a score and its threshold.

import { element } from "./elements.js";

const SOURCES = {
  request: "your setting",
  collection: "collection setting",
  configuration: "service configuration",
  card: "model default",
};

/** Who set a threshold, in words; an unknown source is returned unchanged. */
export const sourceOf = (source) => SOURCES[source] ?? source;

/**
 * @param {Object} of
 * @param {string} of.label
 * @param {number} of.value
 * @param {number} of.threshold
 * @param {string} of.source who set the threshold, in words
 * @param {boolean} of.least true if the value must be at least the threshold, false if at most
 * @param {[number, number]} of.range of the bar; values outside are drawn at its end
 * @param {boolean} of.alone whether to state the threshold below the bar
 */
export function meter({ label, value, threshold, source = "", least = true, range = [0, 1], alone = true }) {
  const [low, high] = range;
  const share = (number) => Math.min(Math.max((number - low) / (high - low), 0), 1);
  const passed = least ? value >= threshold : value <= threshold;
  const needed = `needs ${least ? "at least" : "at most"} ${threshold.toFixed(2)}${source ? ` (${source})` : ""}`;
  const fill = element(`div.fill.${passed ? "good" : "bad"}`);
  const mark = element("div.mark");
  // Properties, because the Content-Security-Policy forbids style attributes.
  fill.style.width = `${100 * share(value)}%`;
  mark.style.left = `${100 * share(threshold)}%`;
  return element(
    "div.meter",
    element(
      "div.top",
      element("span", label),
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
    alone && element("p.hint", needed),
  );
}
