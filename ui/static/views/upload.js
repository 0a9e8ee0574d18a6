// Bulk upload into a collection: many photos, a progress bar, and a report.

import { call } from "../parts/api.js";
import { NAMINGS, enrolAll, pathOf } from "../parts/batches.js";
import { byId, element, plural } from "../parts/elements.js";
import { droppedFiles, isPhoto } from "../parts/folders.js";
import { explain } from "../parts/messages.js";
import { attempt, tell } from "../parts/notice.js";
import { ACCEPTED } from "../parts/photo.js";
import { cell, table } from "../parts/table.js";

export class Upload {
  #collection;
  #files = [];
  #others = 0;
  #running = null;
  #form = element("form.stack", { novalidate: true });
  #chosen = element("p.hint", { role: "status" });
  #start = element("button.primary", { type: "submit", disabled: true }, "Enrol");
  #cancel = element("button", { hidden: true }, "Cancel");
  #clear = element("button", { hidden: true }, "Clear the selection");
  #progress = element("progress", { hidden: true, "aria-label": "Photos sent" });
  #alert = element("div", { role: "alert" });
  #report = element("div.stack", { "aria-live": "polite" });

  host = element(
    "section.card.stack",
    { "aria-label": "Enrol people" },
    element("h2", "Enrol people"),
    this.#form,
    this.#alert,
    this.#report,
  );

  /** `collection` has the `path` of its routes, `refresh()` after a change, and `say(text)` for screen readers. */
  constructor(collection) {
    this.#collection = collection;
    this.#form.append(byId("upload").content.cloneNode(true));
    this.#form
      .querySelector(".ways")
      .append(
        this.#chooser("Choose photos", { multiple: true, accept: ACCEPTED }),
        this.#chooser("Choose a folder", { webkitdirectory: true }),
      );
    this.#form.append(this.#chosen, this.#progress, element("div.actions", this.#start, this.#cancel, this.#clear));
    const zone = this.#form.querySelector(".drop-zone");
    zone.addEventListener("dragover", (event) => event.preventDefault());
    zone.addEventListener("drop", async (event) => {
      event.preventDefault();
      const byFolder = [...event.dataTransfer.items].some((item) => item.webkitGetAsEntry?.()?.isDirectory);
      this.#take(await droppedFiles(event.dataTransfer), byFolder);
    });
    this.#form.addEventListener("input", () => this.#describe());
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#run();
    });
    this.#cancel.addEventListener("click", () => {
      this.#running.abort();
      this.#collection.say("Stopping after the photos already sent");
    });
    addEventListener("beforeunload", (event) => this.#running && event.preventDefault());
    this.#clear.addEventListener("click", () => this.#take([]));
    this.#describe();
  }

  #chooser(text, attributes) {
    const input = element("input.visually-hidden", {
      type: "file",
      "aria-label": text,
      ...attributes,
      onchange: () => this.#take([...input.files], "webkitdirectory" in attributes),
    });
    return element("label.button", text, input);
  }

  #take(files, byFolder = false) {
    if (this.#running) return;
    this.#files = files.filter(isPhoto);
    this.#others = files.length - this.#files.length;
    if (byFolder) this.#form.elements.naming.value = "folder";
    tell(this.#alert, null);
    this.#report.replaceChildren();
    this.#describe();
  }

  /** The chosen files with their subjects. */
  #entries() {
    const { naming, one } = this.#form.elements;
    const subjectOf = NAMINGS[naming.value] ?? (() => one.value.trim());
    return this.#files.map((file) => ({ file, subject: subjectOf(file) }));
  }

  #describe() {
    const entries = this.#entries(),
      subjects = new Set(entries.map(({ subject }) => subject));
    const nameless = entries.filter(({ subject }) => !subject).length;
    this.#start.disabled = !entries.length || nameless > 0 || this.#running !== null;
    this.#clear.hidden = !entries.length || this.#running !== null;
    const some = [...subjects].slice(0, 5).join(", ") + (subjects.size > 5 ? ", …" : "");
    if (!entries.length) this.#chosen.textContent = "No photos chosen.";
    else if (nameless)
      this.#chosen.textContent = `${nameless} of ${plural(entries.length, "photo")} would have no subject. Choose another option.`;
    else
      this.#chosen.textContent = `${plural(entries.length, "photo")} of ${plural(subjects.size, "subject")}: ${some}${this.#others ? ` (${plural(this.#others, "other file")} skipped)` : ""}`;
  }

  async #run() {
    const entries = this.#entries(),
      left = new Set(entries),
      refused = [],
      reported = [],
      counts = { enrolled: 0, already: 0, moved: 0, refused: 0 };
    this.#running = new AbortController();
    this.#busy(true, entries.length);
    tell(this.#alert, null);
    this.#report.replaceChildren();
    const done = (entry, photo) => {
      left.delete(entry);
      counts[photo.status] += 1;
      if (photo.error) refused.push([entry, [named(photo.error, photo)]]);
      else if (photo.reasons?.length) reported.push([entry, photo.reasons.map((each) => named(each, photo))]);
      this.#progress.value = entries.length - left.size;
      this.#chosen.textContent = `${this.#progress.value} of ${plural(entries.length, "photo")}`;
    };
    const waits = (seconds) => {
      this.#chosen.textContent = seconds
        ? `The service is busy or unreachable. Trying again in ${seconds} s.`
        : "Sending …";
    };
    let failure = null;
    try {
      await enrolAll(entries, (batch) => this.#send(batch), { done, waits, signal: this.#running.signal });
    } catch (error) {
      failure = error;
    }
    const cancelled = this.#running.signal.aborted;
    this.#running = null;
    this.#busy(false);
    // Photos that were not sent stay chosen, so that they can be sent again.
    this.#files = [...left].map(({ file }) => file);
    this.#report.replaceChildren(...this.#told(counts, refused, reported, left.size, cancelled));
    tell(this.#alert, failure);
    this.#describe();
    if (counts.enrolled) await attempt(this.#alert, () => this.#collection.refresh());
  }

  #send(batch) {
    const { elements } = this.#form,
      form = new FormData(),
      query = {};
    for (const name of ["quality", "faces", "duplicate", "liveness", "liveness_network"]) query[name] = elements[name].value;
    for (const { file, subject } of batch) {
      form.append("subject", subject);
      form.append("photo", file, file.name);
    }
    return call(`${this.#collection.path}/faces`, { method: "POST", query, form });
  }

  #busy(is, count = 0) {
    this.#progress.max = count;
    this.#progress.value = 0;
    this.#progress.hidden = this.#cancel.hidden = !is;
    this.#start.disabled = this.#clear.hidden = is;
    for (const field of this.#form.querySelectorAll("fieldset, input, select")) field.disabled = is;
  }

  #told({ enrolled, already, moved, refused: count }, refused, reported, left, cancelled) {
    const parts = [
      `${plural(enrolled, "face")} enrolled`,
      already && `${already} already enrolled`,
      moved && `${moved} enrolled for a subject that has since been renamed`,
      count && `${plural(count, "photo")} refused`,
      left && `${plural(left, "photo")} not sent`,
    ];
    const kind = count || left ? "warn" : "good";
    const verdict = element(
      `div.verdict.${kind}`,
      element("h3", cancelled ? "Cancelled" : left ? "Not all photos were sent" : "Done"),
      element("p", `${parts.filter(Boolean).join(", ")}.`),
    );
    return [
      verdict,
      refused.length && reasonTable("Refused photos", refused),
      reported.length && reasonTable("Enrolled with warnings", reported),
    ].filter(Boolean);
  }
}

/** A reason with the subject that the face resembles, which the service's message does not name. */
function named(reason, { duplicate }) {
  if (reason.code !== "DUPLICATE_FACE" || !duplicate?.subject) return reason;
  return { ...reason, message: `It resembles ${duplicate.subject}: similarity ${duplicate.similarity.toFixed(3)}` };
}

/** A table of photos with reasons against them: `photos` has pairs of an entry and its reasons. */
function reasonTable(caption, photos) {
  const line = (reason) => {
    const { title, said } = explain(reason);
    return element("div", title, element("span.hint", ` ${said}`));
  };
  const row = ([entry, reasons]) =>
    element(
      "tr",
      element("th", { scope: "row" }, pathOf(entry.file)),
      cell("Subject", entry.subject),
      cell("Reasons", element("div", reasons.map(line))),
    );
  return table(caption, ["Photo", "Subject", "Reasons"], photos.map(row), { shown: true });
}
