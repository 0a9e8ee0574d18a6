// Search: who of a collection is in a photo, with those who are not alike enough.

import { call } from "../parts/api.js";
import { fillChoices, models } from "../parts/choices.js";
import { cropFigure } from "../parts/crop.js";
import { byId, element, plural } from "../parts/elements.js";
import { meter, sourceOf } from "../parts/meter.js";
import { tell } from "../parts/notice.js";
import { PhotoSlot } from "../parts/photo.js";

const view = byId("search");
const [form, alert, result] = ["form", "[data-alert]", "[data-result]"].map((each) => view.querySelector(each));
const button = form.querySelector("[type=submit]"),
  said = form.querySelector("[role=status]");
const slot = new PhotoSlot(form.querySelector("[data-photo]"), "Photo to search with", changed);

// What is being asked; a new question, or another photo, ends it.
let asking = null;

function changed() {
  asking?.abort();
  const collection = form.elements.collection.value;
  button.disabled = !slot.file || !collection;
  said.textContent = collection && !slot.file ? "A photo is needed." : "";
  slot.mark([]);
  result.replaceChildren();
  tell(alert, null);
}

/** The threshold that decides without a wish of the caller's: the collection's, else the network's of /v1/models. */
async function ownThreshold(name) {
  const { body } = await call(`v1/collections/${name}`);
  if (body.threshold !== null) return { value: body.threshold, source: "collection" };
  const { cosine_threshold: value, threshold_source: source } = (await models()).embedders[body.embedder];
  return { value, source };
}

async function run() {
  const { elements } = form,
    name = encodeURIComponent(elements.collection.value),
    wish = elements.threshold.value;
  const body = new FormData();
  body.append("photo", slot.file);
  // -1 leaves nobody out: which of them match is shown by the threshold that counts.
  const query = { crops: true, threshold: -1 };
  for (const each of ["detector", "liveness", "top_k"]) query[each] = elements[each].value;
  asking?.abort();
  asking = new AbortController();
  const { signal } = asking;
  said.textContent = "Searching …";
  tell(alert, null);
  try {
    const threshold = wish === "" ? await ownThreshold(name) : { value: Number(wish), source: "request" };
    const { body: answer } = await call(`v1/collections/${name}/search`, { method: "POST", query, form: body, signal });
    slot.mark(answer.faces);
    result.replaceChildren(...shown(answer, threshold));
  } catch (error) {
    if (signal.aborted) return;
    slot.mark([]);
    result.replaceChildren();
    tell(alert, error);
  }
  said.textContent = "";
}

function shown({ faces, faces_found: total, models: names }, threshold) {
  if (!faces.length) {
    return [
      element(
        "div.verdict.warn",
        {},
        element("h2", {}, "No face was found"),
        element("p", {}, "Choose a photo in which the face is upright, well lit and not too small."),
      ),
    ];
  }
  const found = faces.map(({ candidates }) => candidates.filter(({ similarity }) => similarity >= threshold.value));
  const people = found.filter((each) => each.length).length;
  const nobody = barred(faces[0]) ? "The face looks like a spoof" : "Nobody in the collection is alike enough";
  const alone = people ? `This is ${found[0][0].subject}` : nobody;
  const title = faces.length === 1 ? alone : `${people} of ${plural(faces.length, "face")} recognised`;
  return [
    element(
      `div.verdict.${people ? "good" : "warn"}`,
      {},
      element("h2", {}, title),
      element("p", {}, `By ${names.embedder}, with faces found by ${names.detector}.`),
      ...(total > faces.length ? [element("p", {}, `${total} faces were found; these are the ${faces.length} best.`)] : []),
    ),
    ...faces.map((face, index) => card(face, faces.length > 1 ? `Face ${index + 1}` : "The face", threshold)),
  ];
}

/** Whether a face is not searched with: it looks like a spoof, and liveness is required. */
const barred = ({ liveness }) => liveness?.live === false && form.elements.liveness.value === "require";

function card({ candidates, crop, liveness }, name, threshold) {
  const spoof = liveness?.live === false;
  const nobody = barred({ liveness })
    ? "The face looks like a spoof, and liveness is required: it is not searched with."
    : "The collection has nobody to compare with.";
  return element(
    "div.card.stack",
    {},
    element("h2", {}, name),
    element(
      "div.actions",
      {},
      cropFigure(crop, name),
      liveness &&
        element(
          "div",
          {},
          element(`span.badge.${spoof ? "bad" : "good"}`, {}, spoof ? "Looks like a spoof" : "Looks live"),
          element(
            "p.hint",
            {},
            `live probability ${liveness.score.toFixed(2)}, needs ${liveness.threshold.toFixed(2)}`,
          ),
        ),
    ),
    candidates.length
      ? [
          element("p.hint", {}, `A match has at least ${threshold.value.toFixed(2)}, ${sourceOf(threshold.source)}.`),
          element(
            "ol.stack.list",
            {},
            candidates.map((each) => candidate(each, threshold)),
          ),
        ]
      : element("p.hint", {}, nobody),
  );
}

function candidate({ subject, similarity }, threshold) {
  const match = similarity >= threshold.value;
  return element(
    "li",
    {},
    meter({
      label: `${subject}: ${match ? "match" : "below the threshold"}`,
      value: similarity,
      threshold: threshold.value,
      source: sourceOf(threshold.source),
      alone: false,
    }),
  );
}

async function fillCollections() {
  const select = form.elements.collection,
    chosen = select.value;
  const { body } = await call("v1/collections");
  const names = body.collections.map(({ name }) => name);
  select.replaceChildren(...names.map((name) => element("option", { value: name }, name)));
  if (names.includes(chosen)) select.value = chosen;
  else changed();
  return names.length;
}

const nowhere = () =>
  element(
    "p.card.empty",
    {},
    "There is no collection yet. ",
    element("a", { href: "#/gallery" }, "Create one in the gallery"),
    " and enrol people first.",
  );

form.elements.collection.addEventListener("change", changed);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  run();
});

export const search = {
  async show() {
    try {
      await fillChoices(view);
      const count = await fillCollections();
      if (!count) result.replaceChildren(nowhere());
    } catch (error) {
      tell(alert, error);
    }
  },
  paste: (file) => slot.set(file),
};
