// The models that a request can choose, from GET /v1/models, in the page's selects.

import { call } from "./api.js";
import { element } from "./elements.js";

const DEFAULTS = { detectors: "detector", embedders: "embedder", liveness: "liveness" };

let answer = null;

/** GET /v1/models, requested once unless it failed. */
export function models() {
  answer ??= call("v1/models").then(({ body }) => body);
  answer.catch(() => (answer = null));
  return answer;
}

/** Request it again next time: another key may have other rights. */
export const forgetModels = () => (answer = null);

/**
 * Fill each select below `host` that has data-choice="detectors", "embedders" or "liveness", keeping the selection.
 * The field of a select with data-several is hidden unless there are several models.
 */
export async function fillChoices(host) {
  const offered = await models();
  for (const select of host.querySelectorAll("select[data-choice]")) {
    const kind = select.dataset.choice,
      chosen = select.value || offered.defaults[DEFAULTS[kind]];
    const options = Object.entries(offered[kind]).map(([role, { title }]) =>
      element("option", { value: role }, `${role}: ${title}`),
    );
    select.replaceChildren(...options);
    if (chosen in offered[kind]) select.value = chosen;
    if ("several" in select.dataset) select.closest(".field").hidden = options.length < 2;
  }
}
