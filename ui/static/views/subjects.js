// The subjects of a collection, page by page, and the faces of one subject.

import { call } from "../parts/api.js";
import { confirmed, openDialog } from "../parts/dialogs.js";
import { element, moment, plural } from "../parts/elements.js";
import { tell } from "../parts/notice.js";
import { cell, table } from "../parts/table.js";
import { metadataForm } from "./metadata.js";
import { openRename } from "./rename.js";
import { openVerify } from "./verify.js";

const PAGE = 25;

// HTTP clients resolve these in URLs, so they never reach the service.
const UNREACHABLE = [".", ".."];

export class Subjects {
  #collection;
  #alert = element("div", { role: "alert" });
  #body = element("div.stack");
  // The `after` parameter of each page up to the current one.
  #afters = [""];

  host = element(
    "section.card.stack",
    { "aria-label": "Subjects" },
    element("h2", "Subjects"),
    this.#alert,
    this.#body,
  );

  /** `collection` has the `path` of its routes, `refresh()` after a change, and `say(text)` for screen readers. */
  constructor(collection) {
    this.#collection = collection;
  }

  /** Reload the current page. `count` is the number of subjects in the collection. */
  async refresh(count) {
    const query = { limit: PAGE, after: this.#afters.at(-1) };
    const { body } = await call(`${this.#collection.path}/subjects`, { query });
    if (!body.subjects.length && this.#afters.length > 1) {
      this.#afters.pop();
      return this.refresh(count);
    }
    if (!body.subjects.length) {
      this.#body.replaceChildren(element("p.empty", "Nobody is enrolled yet. Upload photos above."));
      return;
    }
    const actions = element("span.visually-hidden", "Actions");
    const heads = ["Subject", "Faces", "First enrolled", "Last enrolled", element("th", { scope: "col" }, actions)];
    const rows = body.subjects.map((subject) => this.#row(subject));
    this.#body.replaceChildren(table("Subjects", heads, rows), this.#pager(body, count));
  }

  #row({ id, faces, first_enrolled: first, last_enrolled: last }) {
    return element(
      "tr",
      element("th", { scope: "row" }, id),
      cell("Faces", String(faces)),
      cell("First enrolled", moment(first)),
      cell("Last enrolled", moment(last)),
      element(
        "td",
        element(
          "div.actions",
          element("button.small", { "aria-label": `Faces of ${id}`, onclick: () => this.#look(id) }, "Faces"),
          element("button.small", { "aria-label": `Rename ${id}`, onclick: () => this.#rename(id) }, "Rename"),
          element(
            "button.small",
            { "aria-label": `Compare a photo with ${id}`, onclick: () => openVerify(this.#collection.path, id) },
            "Compare",
          ),
          element(
            "button.danger.small",
            { "aria-label": `Delete ${id}`, onclick: () => this.#delete(id, faces) },
            "Delete",
          ),
        ),
      ),
    );
  }

  #pager({ subjects, next }, count) {
    const start = (this.#afters.length - 1) * PAGE;
    const turn = async (afters) => {
      const before = this.#afters;
      this.#afters = afters;
      try {
        await this.refresh(count);
        this.#collection.say(`Subjects from ${(afters.length - 1) * PAGE + 1}`);
      } catch (error) {
        this.#afters = before;
        tell(this.#alert, error);
      }
    };
    return element(
      "div.actions",
      element("span.hint", `${start + 1} to ${start + subjects.length} of ${plural(count, "subject")}`),
      element(
        "button.small.push",
        { disabled: start === 0, onclick: () => turn(this.#afters.slice(0, -1)) },
        "Previous",
      ),
      element("button.small", { disabled: next === null, onclick: () => turn([...this.#afters, next]) }, "Next"),
    );
  }

  #rename(id) {
    openRename(this.#collection.path, id, async (said) => {
      this.#collection.say(said);
      await this.#try(() => this.#collection.refresh());
    });
  }

  async #delete(id, faces) {
    const text = `This permanently deletes ${plural(faces, "face")}. Searches will no longer find ${id}.`;
    if (!(await confirmed(`Delete ${id}?`, text, "Delete"))) return;
    await this.#try(async () => {
      await call(`${this.#collection.path}/subjects/delete`, { method: "POST", json: { ids: [id] } });
      this.#collection.say(`${id} was deleted`);
      await this.#collection.refresh();
    });
  }

  async #look(id) {
    if (UNREACHABLE.includes(id)) {
      return tell(this.#alert, {
        code: "ADDRESS",
        message: "The page cannot list the faces of this subject, because its id cannot be part of a URL.",
      });
    }
    await this.#try(async () => {
      const { body } = await call(this.#facesOf(id));
      const list = element("div", this.#faces(id, body.faces));
      const close = openDialog(id, [
        metadataForm(this.#facesOf(id), body.metadata, () => this.#collection.say("The metadata was saved")),
        list,
        element("div.actions", element("button.push", { onclick: () => close() }, "Close")),
      ]);
    });
  }

  #facesOf = (id) => `${this.#collection.path}/subjects/${encodeURIComponent(id)}`;

  #faces(id, faces) {
    const remove = async (face, host) => {
      if (
        !(await confirmed(
          "Delete this face?",
          `This permanently deletes ${face.label || face.face_id} of ${id}.`,
          "Delete",
        ))
      )
        return;
      await this.#try(async () => {
        await call(`${this.#collection.path}/faces/${encodeURIComponent(face.face_id)}`, { method: "DELETE" });
        this.#collection.say("The face was deleted");
        const left = faces.filter((each) => each !== face);
        host.replaceChildren(left.length ? this.#faces(id, left) : element("p.empty", "No faces are left."));
        await this.#collection.refresh();
      }, host);
    };
    return element(
      "ul.list",
      faces.map((face) =>
        element(
          "li.actions",
          element(
            "div.stack.tight",
            element("strong", face.label || "No label"),
            element("span.hint", `${moment(face.created)}, `, element("code", face.face_id)),
          ),
          element(
            "button.danger.small.push",
            {
              "aria-label": `Delete the face ${face.label || face.face_id}`,
              onclick: (event) => remove(face, event.target.closest("ul").parentElement),
            },
            "Delete",
          ),
        ),
      ),
    );
  }

  /** Call `act` and show its error in `host`, or above the list. */
  async #try(act, host = null) {
    tell(this.#alert, null);
    try {
      await act();
    } catch (error) {
      const place = host ? element("div", { role: "alert" }) : this.#alert;
      host?.append(place);
      tell(place, error);
    }
  }
}
