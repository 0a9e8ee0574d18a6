// Search: which subjects of a collection a photo shows, including those below the threshold.

import { call } from "../parts/api.js";
import { attributeLines, attributesIn } from "../parts/attributes.js";
import { verdict } from "../parts/blocks.js";
import { fillChoices, models } from "../parts/choices.js";
import { cropFigure } from "../parts/crop.js";
import { byId, element, plural } from "../parts/elements.js";
import { meter, sourceOf } from "../parts/meter.js";
import { attempt, tell } from "../parts/notice.js";
import { PhotoForm } from "../parts/photo_form.js";

const view = byId("search");
const fail = (error) => tell(alert, error);
const form = new PhotoForm(view, ["Photo to search with"], { missing, doing: "Searching …", ask, fail });
const {
  alert,
  fields,
  result,
  slots: [slot],
} = form;

function missing() {
  if (!fields.collection.value) return "";
  return slot.file ? null : "Choose a photo.";
}

/** The threshold if the request has none: the collection's, or else the model's from /v1/models. */
async function ownThreshold(name) {
  const { body } = await call(`v1/collections/${name}`);
  if (body.threshold !== null) return { value: body.threshold, source: "collection" };
  const { cosine_threshold: value, threshold_source: source } = (await models()).embedders[body.embedder];
  return { value, source };
}

async function ask(signal) {
  const name = encodeURIComponent(fields.collection.value),
    wish = fields.threshold.value;
  const body = new FormData();
  body.append("photo", slot.file);
  // -1 returns all candidates; the page marks those that reach the actual threshold and margin.
  const query = { crops: true, threshold: -1, ...form.values("detector", "liveness", "liveness_network", "top_k") };
  query.attributes = attributesIn(await models());
  const threshold = wish === "" ? await ownThreshold(name) : { value: Number(wish), source: "request" };
  const { body: answer } = await call(`v1/collections/${name}/search`, { method: "POST", query, form: body, signal });
  return [[answer.faces], shown(answer, threshold, Number(fields.min_margin.value))];
}

/** Whether a face has a second subject too close to the best one. */
const unclear = ({ margin }, least) => margin !== null && margin < least;

function shown({ faces, faces_found: total, models: names }, threshold, least) {
  if (!faces.length) {
    const advice = "Choose a photo in which the face is upright, well lit and not too small.";
    return [verdict("warn", "No face was found", advice)];
  }
  const alike = faces.map(({ candidates }) => candidates.filter(({ similarity }) => similarity >= threshold.value));
  const found = alike.map((each, index) => (unclear(faces[index], least) ? [] : each));
  const people = found.filter((each) => each.length).length;
  const near = alike[0].length ? "The two most similar subjects are too close" : "No subject in the collection is similar enough";
  const nobody = barred(faces[0]) ? "The face looks like a spoof" : near;
  const alone = found[0].length ? `This is ${found[0][0].subject}` : nobody;
  const title = faces.length === 1 ? alone : `${people} of ${plural(faces.length, "face")} recognised`;
  return [
    verdict(
      people ? "good" : "warn",
      title,
      `Embedder: ${names.embedder}. Detector: ${names.detector}.`,
      total > faces.length && `${total} faces were found. The ${faces.length} with the highest scores are shown.`,
    ),
    ...faces.map((face, index) => card(face, faces.length > 1 ? `Face ${index + 1}` : "The face", threshold, least)),
  ];
}

/** Whether a face was not searched for because it looks like a spoof and liveness is required. */
const barred = (face) => face.no_match === "not_live";

function card(face, name, threshold, least) {
  const { candidates, crop, liveness, margin } = face;
  const spoof = liveness?.live === false;
  const nobody = barred(face)
    ? "The face looks like a spoof and liveness is required, so it was not searched for."
    : "The collection is empty.";
  return element(
    "div.card.stack",
    element("h2", name),
    element(
      "div.actions",
      cropFigure(crop, name),
      element(
        "div",
        liveness && [
          element(`span.badge.${spoof ? "bad" : "good"}`, spoof ? "Looks like a spoof" : "Looks live"),
          element(
            "p.hint",
            `Live probability ${liveness.score.toFixed(2)}, needs at least ${liveness.threshold.toFixed(2)}`,
          ),
        ],
        attributeLines(face),
      ),
    ),
    candidates.length
      ? [
          element("p.hint", `A match needs at least ${threshold.value.toFixed(2)} (${sourceOf(threshold.source)}).`),
          margin !== null &&
            element(
              "p.hint",
              `Margin between the two most similar subjects: ${margin.toFixed(3)}`,
              least > 0 && `, needs at least ${least.toFixed(2)}`,
            ),
          element("ol.stack.list", candidates.map((each) => candidate(each, threshold, unclear(face, least)))),
        ]
      : element("p.hint", nobody),
  );
}

function candidate({ subject, similarity, metadata }, threshold, tooClose) {
  const alike = similarity >= threshold.value,
    match = tooClose ? "no match, margin too small" : "match";
  return element(
    "li",
    meter({
      label: `${subject}: ${alike ? match : "below the threshold"}`,
      value: similarity,
      threshold: threshold.value,
      source: sourceOf(threshold.source),
      alone: false,
    }),
    metadata && element("p.hint", JSON.stringify(metadata)),
  );
}

async function fillCollections() {
  const select = fields.collection,
    chosen = select.value;
  const { body } = await call("v1/collections");
  const names = body.collections.map(({ name }) => name);
  select.replaceChildren(...names.map((name) => element("option", { value: name }, name)));
  if (names.includes(chosen)) select.value = chosen;
  else form.changed();
  return names.length;
}

const nowhere = () =>
  element(
    "p.card.empty",
    "There are no collections yet. ",
    element("a", { href: "#/gallery" }, "Create one in the gallery"),
    " and enrol people first.",
  );

fields.collection.addEventListener("change", () => form.changed());

export const search = {
  show: () =>
    attempt(alert, async () => {
      await fillChoices(view);
      if (!(await fillCollections())) result.replaceChildren(nowhere());
    }),
  paste: (file) => slot.set(file),
};
