// Gallery: the list of collections, and one open collection with its subjects and its upload.

import { call } from "../parts/api.js";
import { facts } from "../parts/blocks.js";
import { fillChoices } from "../parts/choices.js";
import { confirmed } from "../parts/dialogs.js";
import { byId, element, moment, plural } from "../parts/elements.js";
import { attempt, tell } from "../parts/notice.js";
import { Subjects } from "./subjects.js";
import { Upload } from "./upload.js";

const view = byId("gallery"),
  alert = view.querySelector("[data-alert]"),
  form = byId("new-collection"),
  pane = byId("collection");
// Opened collections by name, kept because an upload continues while something else is shown.
const opened = new Map();
let shown = "";

const say = (text) => (byId("gallery-said").textContent = text);

async function list(chosen) {
  const { body } = await call("v1/collections");
  byId("collections").replaceChildren(
    ...body.collections.map(({ name, embedder }) =>
      element(
        "li",
        element(
          "a",
          { href: `#/gallery/${encodeURIComponent(name)}`, "aria-current": name === chosen && "page" },
          name,
          element("span.hint", ` ${embedder}`),
        ),
      ),
    ),
    ...(body.collections.length ? [] : [element("li.empty", "No collections yet. Create the first one below.")]),
  );
}

async function show(name) {
  tell(alert, null);
  shown = name;
  try {
    await Promise.all([list(name), fillChoices(view)]);
    if (!name)
      return pane.replaceChildren(
        element("p.card.empty", "Open a collection to see its subjects and enrol more people, or create one."),
      );
    if (!opened.has(name)) opened.set(name, new Collection(name));
    await opened.get(name).refresh();
    // Another one may have been opened in the meantime.
    if (shown === name) pane.replaceChildren(...opened.get(name).parts);
  } catch (error) {
    if (error.code === "COLLECTION_NOT_FOUND") opened.delete(name);
    // Do not keep showing the previous collection.
    if (["COLLECTION_NOT_FOUND", "COLLECTION_UNREADABLE"].includes(error.code)) pane.replaceChildren();
    tell(alert, error);
  }
}

/** An opened collection. `path` is that of its routes; `parts` are its elements. */
class Collection {
  say = say;
  #name;
  #faces = 0;
  #facts = facts({});
  #subjects;
  #upload;

  constructor(name) {
    this.#name = name;
    this.path = `v1/collections/${encodeURIComponent(name)}`;
    this.#subjects = new Subjects(this);
    this.#upload = new Upload(this);
    const drop = element("button.danger.small.push", { onclick: () => this.#delete() }, "Delete the collection");
    const head = element("div.card.stack", element("div.actions", element("h2", name), drop), this.#facts);
    this.parts = [head, this.#upload.host, this.#subjects.host];
  }

  async refresh() {
    const [{ body }] = await Promise.all([call(this.path), fillChoices(this.#upload.host)]);
    this.#faces = body.faces;
    const described = facts({
      Subjects: body.subjects.toLocaleString("en"),
      Faces: body.faces.toLocaleString("en"),
      Model: `${body.model} (${body.embedder})`,
      Threshold: body.threshold === null ? "service default" : body.threshold.toFixed(2),
      "Last changed": moment(body.changed),
    });
    this.#facts.replaceChildren(...described.children);
    await this.#subjects.refresh(body.subjects);
  }

  async #delete() {
    const what = this.#faces ? `This permanently deletes its ${plural(this.#faces, "face")}.` : "It is empty.";
    if (!(await confirmed(`Delete the collection ${this.#name}?`, what, "Delete it"))) return;
    await attempt(alert, async () => {
      await call(this.path, { method: "DELETE", query: { with_faces: true } });
      this.say(`${this.#name} was deleted`);
      opened.delete(this.#name);
      location.hash = "#/gallery";
    });
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { name, embedder, threshold } = form.elements,
    chosen = name.value.trim();
  tell(alert, null);
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(chosen)) {
    name.setAttribute("aria-invalid", "true");
    name.focus();
    return tell(alert, { code: "INVALID_COLLECTION_NAME" });
  }
  name.removeAttribute("aria-invalid");
  await attempt(alert, async () => {
    const { body } = await call("v1/collections");
    // The service would change the threshold of the existing collection.
    if (body.collections.some((each) => each.name === chosen))
      return tell(alert, { code: "COLLECTION_EXISTS" });
    const json = { embedder: embedder.value, threshold: threshold.value === "" ? null : Number(threshold.value) };
    await call(`v1/collections/${encodeURIComponent(chosen)}`, { method: "PUT", json });
    form.reset();
    say(`${chosen} was created`);
    location.hash = `#/gallery/${encodeURIComponent(chosen)}`;
  });
});

export const gallery = { show };
