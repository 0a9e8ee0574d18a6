// The box that says what went wrong and what to do.

import { element } from "./elements.js";
import { explain } from "./messages.js";

/**
 * Show `error` in `host`, which is an alert; null takes the last one away.
 * @param {Array<{text: string, act: Function}>} offers buttons for what can be done about it
 */
export function tell(host, error, { about = "", offers = [] } = {}) {
  host.replaceChildren();
  if (!error) return;
  const { title, advice, said } = explain(error);
  const all = error.code === "UNAUTHENTICATED" ? [{ text: "Enter an API key", act: askForKey }, ...offers] : offers;
  host.append(
    element(
      "div.notice",
      {},
      element("p", {}, element("strong", {}, about ? `${about}: ${title}` : title)),
      element("p", {}, advice),
      said && element("p.hint", {}, `The service says: ${said}`),
      element(
        "p.hint",
        {},
        "Code ",
        element("code", {}, error.code ?? "PAGE"),
        error.requestId && [", request ID ", element("code", {}, error.requestId)],
      ),
      all.length > 0 &&
        element(
          "div.actions",
          {},
          all.map(({ text, act }) => element("button", { type: "button", onclick: act }, text)),
        ),
    ),
  );
}

const askForKey = () => document.getElementById("key-button").click();
