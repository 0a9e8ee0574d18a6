// Search: which subjects of a collection a photo shows, including those below the threshold.

import { call } from "../parts/api.js";
import { attributeLines, attributesIn } from "../parts/attributes.js";
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

// Aborts the current request; a new request or another photo does so.
let asking = null;

function changed() {
  asking?.abort();
  const collection = form.elements.collection.value;
  button.disabled = !slot.file || !collection;
  said.textContent = collection && !slot.file ? "Choose a photo." : "";
  slot.mark([]);
  result.replaceChildren();
  tell(alert, null);
}

/** The threshold if the request has none: the collection's, or else the model's from /v1/models. */
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
  // -1 returns all candidates; the page marks those that reach the actual threshold.
  const query = { crops: true, threshold: -1 };
  for (const each of ["detector", "liveness", "liveness_network", "top_k"]) query[each] = elements[each].value;
  asking?.abort();
  asking = new AbortController();
  const { signal } = asking;
  said.textContent = "Searching …";
  tell(alert, null);
  try {
    query.attributes = attributesIn(await models());
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
  const nobody = barred(faces[0]) ? "The face looks like a spoof" : "Nobody in the collection is similar enough";
  const alone = people ? `This is ${found[0][0].subject}` : nobody;
  const title = faces.length === 1 ? alone : `${people} of ${plural(faces.length, "face")} recognised`;
  return [
    element(
      `div.verdict.${people ? "good" : "warn"}`,
      {},
      element("h2", {}, title),
      element("p", {}, `Embedder: ${names.embedder}. Detector: ${names.detector}.`),
      ...(total > faces.length ? [element("p", {}, `${total} faces were found. The ${faces.length} with the highest scores are shown.`)] : []),
    ),
    ...faces.map((face, index) => card(face, faces.length > 1 ? `Face ${index + 1}` : "The face", threshold)),
  ];
}

/** Whether a face was not searched for because it looks like a spoof and liveness is required. */
const barred = ({ liveness }) => liveness?.live === false && form.elements.liveness.value === "require";

function card(face, name, threshold) {
  const { candidates, crop, liveness } = face;
  const spoof = liveness?.live === false;
  const nobody = barred({ liveness })
    ? "The face looks like a spoof and liveness is required, so it was not searched for."
    : "The collection is empty.";
  return element(
    "div.card.stack",
    {},
    element("h2", {}, name),
    element(
      "div.actions",
      {},
      cropFigure(crop, name),
      element(
        "div",
        {},
        liveness && [
          element(`span.badge.${spoof ? "bad" : "good"}`, {}, spoof ? "Looks like a spoof" : "Looks live"),
          element(
            "p.hint",
            {},
            `Live probability ${liveness.score.toFixed(2)}, needs at least ${liveness.threshold.toFixed(2)}`,
          ),
        ],
        attributeLines(face),
      ),
    ),
    candidates.length
      ? [
          element("p.hint", {}, `A match needs at least ${threshold.value.toFixed(2)} (${sourceOf(threshold.source)}).`),
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
    "There are no collections yet. ",
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
