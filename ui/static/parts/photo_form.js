// A form that sends photos and shows the answer: one request at a time, which another request or photo aborts.

import { tell } from "./notice.js";
import { PhotoSlot } from "./photo.js";

export class PhotoForm {
  #button;
  #said;
  #how;
  #asking = null;

  /**
   * @param {Element} view with a form, a [data-photo] for each photo, a [data-alert] and a [data-result]
   * @param {string[]} names of the photos
   * @param {Object} how
   * @param {() => string|null} how.missing what the user still has to choose, in words; null if nothing
   * @param {string} how.doing shown during a request
   * @param {(signal: AbortSignal) => Promise<[Array, Node[]]>} how.ask resolves to the faces of each photo and the
   *   result to show
   * @param {(error: Error) => void} how.fail shows an error
   */
  constructor(view, names, how) {
    const [form, alert, result] = ["form", "[data-alert]", "[data-result]"].map((each) => view.querySelector(each));
    Object.assign(this, { alert, result, fields: form.elements });
    this.#how = how;
    this.#button = form.querySelector("[type=submit]");
    this.#said = form.querySelector("[role=status]");
    this.slots = [...form.querySelectorAll("[data-photo]")].map(
      (host, index) => new PhotoSlot(host, names[index], () => this.changed()),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.run();
    });
  }

  async run() {
    this.#asking?.abort();
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    this.#said.textContent = this.#how.doing;
    tell(this.alert, null);
    try {
      this.#show(...(await this.#how.ask(signal)));
    } catch (error) {
      if (signal.aborted) return;
      this.#show([], []);
      this.#how.fail(error);
    }
    this.#said.textContent = "";
  }

  /** Discard the answer: a photo or an option that it depends on has changed. */
  changed() {
    this.#asking?.abort();
    const missing = this.#how.missing();
    this.#button.disabled = missing !== null;
    this.#said.textContent = missing ?? "";
    this.#show([], []);
    tell(this.alert, null);
  }

  /** The values of these fields, by name. */
  values(...names) {
    return Object.fromEntries(names.map((name) => [name, this.fields[name].value]));
  }

  #show(faces, parts) {
    this.slots.forEach((slot, index) => slot.mark(faces[index] ?? []));
    this.result.replaceChildren(...parts);
  }
}
