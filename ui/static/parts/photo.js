// One photo, chosen as a file, dropped, pasted or taken with the camera, and shown with the faces found in it.

import { takePhoto } from "./camera.js";
import { element } from "./elements.js";
import { isPhoto } from "./folders.js";
import { overlay } from "./overlay.js";

// Some systems have no media type for the newer formats, so their file extensions are listed too.
export const ACCEPTED =
  "image/jpeg,image/png,image/webp,image/bmp,image/heic,image/heif,image/avif,.jfif,.heic,.heif,.hif,.avif";

/** The first dropped or pasted photo. If none looks like a photo, the first file: the service will check it. */
export function photoOf(transfer) {
  const files = [...(transfer?.files ?? [])];
  return files.find(isPhoto) ?? files[0];
}

export class PhotoSlot {
  #name;
  #drop;
  #foot;
  #changed;
  #address = null;
  file = null;

  /** Fill `host` with a place for a photo called `name`. `changed` is called whenever the photo changes. */
  constructor(host, name, changed) {
    this.#name = name;
    this.#changed = changed;
    this.#drop = element("div.drop", {
      ondragover: (event) => {
        event.preventDefault();
        this.#drop.classList.add("over");
      },
      ondragleave: () => this.#drop.classList.remove("over"),
      ondrop: (event) => {
        event.preventDefault();
        this.#drop.classList.remove("over");
        this.set(photoOf(event.dataTransfer) ?? this.file);
      },
    });
    this.#foot = element("div.actions");
    host.classList.add("photo");
    host.setAttribute("role", "group");
    host.setAttribute("aria-label", name);
    host.append(element("p.label", { "aria-hidden": "true" }, name), this.#drop, this.#foot);
    this.#draw();
  }

  /** Whether it contains the keyboard focus. */
  get focused() {
    return this.#drop.parentElement.contains(document.activeElement);
  }

  /** Show `file`, or no photo if it is null. */
  set(file) {
    if (this.#address) URL.revokeObjectURL(this.#address);
    const kept = this.focused;
    this.file = file;
    this.#address = file && URL.createObjectURL(file);
    this.#draw();
    if (kept) this.#drop.parentElement.querySelector("input, button")?.focus();
    this.#changed();
  }

  /** Draw `faces` from the API over the photo. */
  async mark(faces) {
    const image = this.#drop.querySelector("img");
    this.#drop.querySelector("svg")?.remove();
    if (!image || !faces.length) return;
    // A photo that this browser cannot decode has no size.
    await image.decode().catch(() => {});
    if (image.isConnected && image.naturalWidth) {
      this.#drop.append(overlay(faces, image.naturalWidth, image.naturalHeight));
    }
  }

  #draw() {
    this.#drop.classList.toggle("full", this.file !== null);
    if (!this.file) {
      const invite = element("p", "Drop a photo here or paste it, or");
      const ways = element("div.actions", this.#chooser("Choose a file"), this.#camera());
      this.#drop.replaceChildren(element("div.invite", invite, ways));
      this.#foot.replaceChildren();
      return;
    }
    const image = element("img", { src: this.#address, alt: `${this.#name}: ${this.file.name}` });
    image.addEventListener("error", () =>
      image.replaceWith(element("p.empty", `This browser cannot show ${this.file.name}.`)),
    );
    this.#drop.replaceChildren(image);
    this.#foot.replaceChildren(
      element("span.photo-name.hint", { title: this.file.name }, this.file.name),
      this.#chooser("Replace"),
      element("button.small", { "aria-label": `Remove the ${this.#lower}`, onclick: () => this.set(null) }, "Remove"),
    );
  }

  get #lower() {
    return this.#name.toLowerCase();
  }

  #chooser(text) {
    const input = element("input.visually-hidden", {
      type: "file",
      accept: ACCEPTED,
      "aria-label": `${text} for the ${this.#lower}`,
      onchange: () => input.files[0] && this.set(input.files[0]),
    });
    return element(this.file ? "label.button.small" : "label.button", text, input);
  }

  #camera() {
    const take = async () => {
      const taken = await takePhoto();
      if (taken) this.set(taken);
    };
    return element("button", { "aria-label": `Use the camera for the ${this.#lower}`, onclick: take }, "Camera");
  }
}
