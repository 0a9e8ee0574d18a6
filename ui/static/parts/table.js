// Tables, which fold on narrow screens: there each cell has its column's name beside it.

import { element } from "./elements.js";

/**
 * @param {string} caption
 * @param {Array<string|Node>} heads of the columns; a Node is a heading cell already
 * @param {Node[]} rows
 * @param {Object} how
 * @param {boolean} how.shown whether the caption can be seen; it is read aloud either way
 * @param {boolean} how.folding
 */
export function table(caption, heads, rows, { shown = false, folding = true } = {}) {
  const head = (each) => (each instanceof Node ? each : element("th", { scope: "col" }, each));
  return element(
    folding ? "table.folding" : "table",
    {},
    element(shown ? "caption" : "caption.visually-hidden", {}, caption),
    element("thead", {}, element("tr", {}, heads.map(head))),
    element("tbody", {}, rows),
  );
}

/** A cell of the column called `name`, of a class: "whole" breaks no line, "number-cell" is besides set to the right. */
export const cell = (name, content, kind = null) => element("td", { "data-name": name, class: kind }, content);
