// Bulk enrolment without its view: the subject of each file, batches, and retries.

import { ApiError } from "./api.js";

// Far below the service's limits of 64 photos and about 28 MB per request, so that progress is visible.
const MAX_PHOTOS = 12;
const MAX_BYTES = 16e6;
const MAX_TRIES = 8;

/** Ways to name the subject of a file: by its folder or by its own name. */
export const NAMINGS = {
  folder: (file) => pathOf(file).split("/").slice(-2, -1)[0] ?? "",
  // ada_2.jpg, ada-2.jpg and "ada (2).jpg" all show ada.
  file: (file) =>
    file.name
      .replace(/\.[^.]*$/, "")
      .replace(/[\s_-]*\(?\d+\)?$/, "")
      .trim() || file.name.replace(/\.[^.]*$/, ""),
};

/** The file's path within the folder that was chosen or dropped. */
export const pathOf = (file) => file.path ?? (file.webkitRelativePath || file.name);

/** Split `entries`, each {file, subject}, into batches within both limits. */
function batches(entries) {
  const made = [];
  let bytes = 0;
  for (const entry of entries) {
    const last = made.at(-1);
    if (last && last.length < MAX_PHOTOS && bytes + entry.file.size <= MAX_BYTES) last.push(entry);
    else {
      made.push([entry]);
      bytes = 0;
    }
    bytes += entry.file.size;
  }
  return made;
}

/**
 * Enrol `entries`. `done` is called with each entry and the API's result for its photo; `waits` is called with the
 * seconds until a request is retried, and with 0 when it is sent again.
 *
 * After 503 and 429 the same batch is sent again, which is safe: the same photo of the same subject is enrolled once.
 * A batch that is too large or takes too long is halved.
 *
 * @param {(batch: Array) => Promise<{body: Object}>} send
 * @param {AbortSignal} signal stops before the next request
 * @throws {ApiError} if a batch fails as a whole and a retry would not help
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
      if (!passes || tries === MAX_TRIES) throw error;
      if (signal.aborted) return {};
      const seconds = error.retryAfter ?? tries;
      waits(seconds);
      await pause(seconds, signal);
      if (signal.aborted) return {};
      waits(0);
    }
  }
}

/** Resolves after `seconds`, or as soon as `signal` aborts. */
function sleep(seconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, 1000 * seconds);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
