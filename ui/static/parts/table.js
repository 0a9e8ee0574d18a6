// Tables. On narrow screens they fold: each cell is a line with the name of its column.

import { element } from "./elements.js";

/**
 * @param {string} caption
 * @param {Array<string|Node>} heads of the columns: texts, or complete th elements
 * @param {Node[]} rows
 * @param {Object} how
 * @param {boolean} how.shown whether the caption is visible; screen readers read it in any case
 * @param {boolean} how.folding
 */
export function table(caption, heads, rows, { shown = false, folding = true } = {}) {
  const head = (each) => (each instanceof Node ? each : element("th", { scope: "col" }, each));
  return element(
    folding ? "table.folding" : "table",
    element(shown ? "caption" : "caption.visually-hidden", caption),
    element("thead", element("tr", heads.map(head))),
    element("tbody", rows),
  );
}

/** A cell of the column `name`. The class "whole" prevents line breaks; "number-cell" also aligns right. */
export const cell = (name, content, kind = null) => element("td", { "data-name": name, class: kind }, content);
