// What a request can choose from: the networks of GET /v1/models, in the page's selects.

import { call } from "./api.js";
import { element } from "./elements.js";

let answer = null;

/** GET /v1/models, asked once unless it failed. */
export function models() {
  answer ??= call("v1/models").then(({ body }) => body);
  answer.catch(() => (answer = null));
  return answer;
}

/** Forget it: a key of another caller may see more. */
export const forgetModels = () => (answer = null);

/** Fill each select with data-choice="detectors" or "embedders" below `host`, keeping what is chosen. */
export async function fillChoices(host) {
  const offered = await models();
  for (const select of host.querySelectorAll("select[data-choice]")) {
    const kind = select.dataset.choice,
      chosen = select.value || offered.defaults[kind.replace(/s$/, "")];
    const options = Object.entries(offered[kind]).map(([role, { title }]) =>
      element("option", { value: role }, `${role}: ${title}`),
    );
    select.replaceChildren(...options);
    if (chosen in offered[kind]) select.value = chosen;
  }
}
