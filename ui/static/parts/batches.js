// Bulk enrolment without the page: whom a file shows, which files travel together, and sending them until all is said.

import { ApiError } from "./api.js";

// Far below the service's limits, 64 photos and about 28 MB a request, so that the progress moves.
const MOST_PHOTOS = 12;
const MOST_BYTES = 16e6;
const MOST_TRIES = 8;

/** How the subject of a file is found: by the folder it lies in, by its own name, or the same for all. */
export const NAMINGS = {
  folder: (file) => pathOf(file).split("/").slice(-2, -1)[0] ?? "",
  // ada_2.jpg, ada-2.jpg and "ada (2).jpg" are of ada.
  file: (file) =>
    file.name
      .replace(/\.[^.]*$/, "")
      .replace(/[\s_-]*\(?\d+\)?$/, "")
      .trim() || file.name.replace(/\.[^.]*$/, ""),
};

/** The file's place in its folder, as it was chosen or dropped. */
export const pathOf = (file) => file.path ?? (file.webkitRelativePath || file.name);

/** `entries`, each {file, subject}, in batches that fit. */
export function batches(entries, mostPhotos = MOST_PHOTOS, mostBytes = MOST_BYTES) {
  const made = [];
  let bytes = 0;
  for (const entry of entries) {
    const last = made.at(-1);
    if (last && last.length < mostPhotos && bytes + entry.file.size <= mostBytes) last.push(entry);
    else {
      made.push([entry]);
      bytes = 0;
    }
    bytes += entry.file.size;
  }
  return made;
}

/**
 * Enrol `entries`. Each photo's fate is told to `done`, as the API answers it, with its entry; `waits` is called with
 * the seconds until a request is repeated, and 0 when it is.
 *
 * A batch is repeated as it is after 503 and 429: the same photo of the same subject is one face. One that is too
 * large or takes too long is halved.
 *
 * @param {(batch: Array) => Promise<{body: Object}>} send
 * @param {AbortSignal} signal ends it before the next request
 * @throws {ApiError} what concerns the batch as a whole, and does not pass
 */
export async function enrolAll(entries, send, { done, waits, signal, pause = sleep }) {
  const waiting = batches(entries);
  while (waiting.length && !signal.aborted) {
    const batch = waiting.shift();
    const { photos, halve } = await patiently(batch, send, waits, signal, pause);
    if (halve) waiting.unshift(batch.slice(0, batch.length / 2), batch.slice(batch.length / 2));
    else photos?.forEach((photo) => done(batch[photo.photo], photo));
  }
}

async function patiently(batch, send, waits, signal, pause) {
  for (let tries = 1; ; tries++) {
    try {
      return await send(batch).then(({ body }) => body);
    } catch (error) {
      if (error.details?.photos) return error.details;
      if (batch.length > 1 && ["BODY_TOO_LARGE", "TIMEOUT"].includes(error.code)) return { halve: true };
      if (error.code === "BODY_TOO_LARGE")
        return { photos: [{ photo: 0, status: "refused", error: { code: "IMAGE_TOO_LARGE", message: "" } }] };
      const passes = error instanceof ApiError && ([429, 503].includes(error.status) || error.code === "NETWORK");
      if (!passes || tries === MOST_TRIES) throw error;
      if (signal.aborted) return {};
      const seconds = error.retryAfter ?? tries;
      waits(seconds, error);
      await pause(seconds, signal);
      if (signal.aborted) return {};
      waits(0);
    }
  }
}

/** Resolves after `seconds`, or as soon as `signal` says so. */
function sleep(seconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, 1000 * seconds);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
