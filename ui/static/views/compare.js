// Compare: whether two photos show the same person, with all details of the answer.

import { call } from "../parts/api.js";
import { attributeLines, attributesIn } from "../parts/attributes.js";
import { fillChoices, models } from "../parts/choices.js";
import { cropFigure } from "../parts/crop.js";
import { byId, element } from "../parts/elements.js";
import { photoOf } from "../parts/messages.js";
import { meter, sourceOf } from "../parts/meter.js";
import { tell } from "../parts/notice.js";
import { PhotoSlot } from "../parts/photo.js";
import { TASK_NAMES } from "../parts/tasks.js";
import { timingTable } from "../parts/timing.js";

const NAMES = ["First photo", "Second photo"];

const view = byId("compare");
const [form, alert, result] = ["form", "[data-alert]", "[data-result]"].map((each) => view.querySelector(each));
const button = form.querySelector("[type=submit]"),
  said = form.querySelector("[role=status]");
const slots = [...form.querySelectorAll("[data-photo]")].map(
  (host, index) => new PhotoSlot(host, NAMES[index], changed),
);

// Aborts the current request; a new request or another photo does so.
let asking = null;

function changed() {
  asking?.abort();
  const missing = NAMES.filter((_, index) => !slots[index].file).map((name) => `The ${name.toLowerCase()} is missing.`);
  button.disabled = missing.length > 0;
  said.textContent = missing.length === 2 ? "Choose two photos." : (missing[0] ?? "");
  slots.forEach((slot) => slot.mark([]));
  result.replaceChildren();
  tell(alert, null);
}

async function run() {
  const { elements } = form;
  const query = { crops: true };
  for (const name of ["detector", "embedder", "liveness", "liveness_network", "faces", "metric", "threshold"])
    query[name] = elements[name].value;
  const body = new FormData();
  slots.forEach(({ file }, index) => body.append(`photo${index + 1}`, file));
  asking?.abort();
  asking = new AbortController();
  const { signal } = asking;
  said.textContent = "Comparing …";
  tell(alert, null);
  const started = performance.now();
  try {
    query.attributes = attributesIn(await models());
    const answer = await call("v1/verify", { method: "POST", query, form: body, signal });
    slots.forEach((slot, index) => slot.mark([answer.body.faces[index]]));
    result.replaceChildren(...shown(answer, query.liveness, performance.now() - started));
  } catch (error) {
    if (signal.aborted) return;
    result.replaceChildren();
    slots.forEach((slot) => slot.mark([]));
    fail(error);
  }
  said.textContent = "";
}

function fail(error) {
  const which = photoOf(error.message);
  const prominent = {
    text: "Use the most prominent face",
    act: () => {
      form.elements.faces.value = "prominent";
      run();
    },
  };
  const offers = error.code === "MULTIPLE_FACES_DETECTED" ? [prominent] : [];
  tell(alert, error, { about: which === null ? "" : NAMES[which], offers });
}

function shown({ body, timings }, policy, roundTrip) {
  const least = body.metric === "cosine";
  const score = meter({
    label: least ? "Cosine similarity" : "Euclidean distance",
    value: body.value,
    threshold: body.threshold.value,
    source: sourceOf(body.threshold.source),
    least,
    range: least ? [0, 1] : [0, 2],
  });
  return [
    verdict(body, policy),
    element(
      "div.card.stack",
      {},
      score,
      element(
        "div.pair",
        {},
        body.faces.map((face, index) => side(face, NAMES[index])),
      ),
    ),
    element(
      "div.card.stack",
      {},
      facts(body.models),
      element("div.scroll", {}, timingTable(timings, body.timings_ms, roundTrip)),
      element("p.hint", {}, "The two photos are processed in parallel, and so are the models after the detector."),
    ),
  ];
}

function verdict({ match, value, metric, threshold, faces }, policy) {
  const spoofs = NAMES.filter((_, index) => faces[index].liveness?.live === false);
  const alike = metric === "cosine" ? value >= threshold.value : value <= threshold.value;
  const looks = `${spoofs.join(" and ").toLowerCase()} ${spoofs.length > 1 ? "look" : "looks"} like a spoof`;
  if (match) {
    return words(
      spoofs.length ? "warn" : "good",
      "The same person",
      spoofs.length
        ? `The faces are similar enough, but the ${looks}. Liveness was only reported.`
        : "The faces are similar enough.",
    );
  }
  if (alike && policy === "require")
    return words(
      "bad",
      "No match: not live",
      `The faces are similar enough, but the ${looks}, and liveness is required.`,
    );
  return words(
    "bad",
    "Not the same person",
    `The faces are not similar enough.${spoofs.length ? ` Also, the ${looks}.` : ""}`,
  );
}

const words = (kind, title, text) =>
  element(`div.verdict.${kind}`, {}, element("h2", {}, title), element("p", {}, text));

function side(face, name) {
  const { liveness, crop, score } = face;
  return element(
    "div.stack",
    {},
    cropFigure(crop, name),
    liveness
      ? meter({ label: `Liveness, ${name.toLowerCase()}`, value: liveness.score, threshold: liveness.threshold })
      : element("p.hint", {}, "Liveness was not checked."),
    element("div", {}, attributeLines(face)),
    element("p.hint", {}, `Detection score: ${score.toFixed(3)}`),
  );
}

function facts(names) {
  const used = { ...names, liveness: names.liveness ?? "off" };
  const tasks = Object.entries(TASK_NAMES).filter(([task]) => used[task]);
  return element(
    "dl.facts",
    {},
    tasks.map(([task, term]) => element("div", {}, element("dt", {}, term), element("dd", {}, used[task]))),
  );
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  run();
});
changed();

export const compare = {
  show: () => fillChoices(view).catch((error) => tell(alert, error)),
  paste: (file) => (slots.find((slot) => slot.focused) ?? slots.find((slot) => !slot.file) ?? slots[0]).set(file),
};
