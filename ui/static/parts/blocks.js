// Blocks that several views show.

import { element } from "./elements.js";

/** The outcome of a request: good, bad or warn, a title, and texts. False texts are left out. */
export const verdict = (kind, title, ...texts) =>
  element(`div.verdict.${kind}`, element("h2", title), texts.filter(Boolean).map((text) => element("p", text)));

/** The entries of an object as terms with values. */
export const facts = (entries) =>
  element(
    "dl.facts",
    Object.entries(entries).map(([term, value]) => element("div", element("dt", term), element("dd", value))),
  );
