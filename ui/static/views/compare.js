// Compare: whether two photos show the same person, with all details of the answer.

import { call } from "../parts/api.js";
import { attributeLines, attributesIn } from "../parts/attributes.js";
import { facts, verdict } from "../parts/blocks.js";
import { fillChoices, models } from "../parts/choices.js";
import { cropFigure } from "../parts/crop.js";
import { byId, element, plural } from "../parts/elements.js";
import { photoNamedIn } from "../parts/messages.js";
import { meter, sourceOf } from "../parts/meter.js";
import { attempt, tell } from "../parts/notice.js";
import { ACCEPTED } from "../parts/photo.js";
import { PhotoForm } from "../parts/photo_form.js";
import { TASK_NAMES } from "../parts/tasks.js";
import { timingTable } from "../parts/timing.js";
import { compareMany } from "./compare_many.js";

const NAMES = ["First photo", "Second photo"];
const OPTIONS = ["detector", "embedder", "liveness", "liveness_network", "faces", "metric", "threshold"];

const view = byId("compare");
const form = new PhotoForm(view, NAMES, { missing, doing: "Comparing …", ask, fail });
const { alert, slots } = form;
const more = form.fields.more;

function missing() {
  if (more.files.length) return slots[0].file ? null : "The first photo is missing.";
  const names = NAMES.filter((_, index) => !slots[index].file).map((name) => `The ${name.toLowerCase()} is missing.`);
  return names.length === 2 ? "Choose two photos." : (names[0] ?? null);
}

async function ask(signal) {
  const query = { crops: true, ...form.values(...OPTIONS) };
  if (more.files.length) {
    const others = [slots[1].file, ...more.files].filter(Boolean);
    return compareMany(slots[0].file, others, { ...query, crops: false }, signal);
  }
  const body = new FormData();
  slots.forEach(({ file }, index) => body.append(`photo${index + 1}`, file));
  const started = performance.now();
  query.attributes = attributesIn(await models());
  const answer = await call("v1/verify", { method: "POST", query, form: body, signal });
  const faces = answer.body.faces.map((face) => [face]);
  return [faces, shown(answer, query.liveness, performance.now() - started)];
}

function fail(error) {
  const which = photoNamedIn(error.message);
  const prominent = {
    text: "Use the most prominent face",
    act: () => {
      form.fields.faces.value = "prominent";
      form.run();
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
    judgement(body, policy),
    element("div.card.stack", score, element("div.pair", body.faces.map((face, index) => side(face, NAMES[index])))),
    element(
      "div.card.stack",
      modelFacts(body.models),
      element("div.scroll", timingTable(timings, body.timings_ms, roundTrip)),
      element("p.hint", "The two photos are processed in parallel, and so are the models after the detector."),
    ),
  ];
}

function judgement({ match, value, metric, threshold, faces }, policy) {
  const spoofs = NAMES.filter((_, index) => faces[index].liveness?.live === false);
  const alike = metric === "cosine" ? value >= threshold.value : value <= threshold.value;
  const looks = `${spoofs.join(" and ").toLowerCase()} ${spoofs.length > 1 ? "look" : "looks"} like a spoof`;
  if (match && spoofs.length)
    return verdict(
      "warn",
      "The same person",
      `The faces are similar enough, but the ${looks}. Liveness was only reported.`,
    );
  if (match) return verdict("good", "The same person", "The faces are similar enough.");
  if (alike && policy === "require")
    return verdict(
      "bad",
      "No match: not live",
      `The faces are similar enough, but the ${looks}, and liveness is required.`,
    );
  const also = spoofs.length ? ` Also, the ${looks}.` : "";
  return verdict("bad", "Not the same person", `The faces are not similar enough.${also}`);
}

function side(face, name) {
  const { liveness, crop, score } = face;
  return element(
    "div.stack",
    cropFigure(crop, name),
    liveness
      ? meter({ label: `Liveness, ${name.toLowerCase()}`, value: liveness.score, threshold: liveness.threshold })
      : element("p.hint", "Liveness was not checked."),
    element("div", attributeLines(face)),
    element("p.hint", `Detection score: ${score.toFixed(3)}`),
  );
}

function modelFacts(names) {
  const used = { ...names, liveness: names.liveness ?? "off" };
  const tasks = Object.entries(TASK_NAMES).filter(([task]) => used[task]);
  return facts(Object.fromEntries(tasks.map(([task, term]) => [term, used[task]])));
}

function chosen() {
  const count = more.files.length;
  byId("compare-fewer").hidden = !count;
  byId("compare-count").textContent = count
    ? `${plural(count, "more photo")} to compare with the first`
    : "The first photo can be compared with up to 100 others.";
  form.changed();
}

more.accept = ACCEPTED;
more.addEventListener("change", chosen);
byId("compare-fewer").addEventListener("click", () => {
  more.value = "";
  chosen();
});
chosen();

export const compare = {
  show: () => attempt(alert, () => fillChoices(view)),
  paste: (file) => (slots.find((slot) => slot.focused) ?? slots.find((slot) => !slot.file) ?? slots[0]).set(file),
};
