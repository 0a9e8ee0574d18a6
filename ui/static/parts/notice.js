// A box that explains an error and says what to do.

import { element } from "./elements.js";
import { explain } from "./messages.js";

/**
 * Show `error` in the alert `host`, or clear it with null.
 * @param {string} about the photo that the error is about
 * @param {Array<{text: string, act: Function}>} offers buttons that resolve the error
 */
export function tell(host, error, { about = "", offers = [] } = {}) {
  host.replaceChildren();
  if (!error) return;
  const { title, advice, said } = explain(error);
  const all = error.code === "UNAUTHENTICATED" ? [{ text: "Enter an API key", act: askForKey }, ...offers] : offers;
  host.append(
    element(
      "div.notice",
      element("p", element("strong", about ? `${about}: ${title}` : title)),
      element("p", advice),
      said && element("p.hint", `Message from the service: ${said}`),
      element(
        "p.hint",
        "Code ",
        element("code", error.code ?? "PAGE"),
        error.requestId && [", request ID ", element("code", error.requestId)],
      ),
      all.length > 0 &&
        element("div.actions", all.map(({ text, act }) => element("button", { onclick: act }, text))),
    ),
  );
}

/** Run `act` and show its error in the alert `host`. */
export const attempt = (host, act) => act().catch((error) => tell(host, error));

const askForKey = () => document.getElementById("key-button").click();
