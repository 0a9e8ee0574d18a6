// Requests to the service: the API key, errors, and the Server-Timing header.

const ROOT = new URL("../../", import.meta.url);
const KEY = "facegraph-key";

/** A failed request. `code` is the service's error code; without one, NETWORK or HTTP_ and the status. */
export class ApiError extends Error {
  constructor({ status = 0, code, message, details = {}, requestId = null, retryAfter = null }) {
    super(message);
    Object.assign(this, { status, code, details, requestId, retryAfter });
  }
}

// Per tab, until it is closed.
export const key = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (value) => (value ? sessionStorage.setItem(KEY, value) : sessionStorage.removeItem(KEY)),
};

/**
 * @param {string} path relative to the service's root, with its parts already encoded
 * @param {{method?: string, query?: Object, json?: Object, form?: FormData, signal?: AbortSignal}} options
 * @returns {Promise<{body: Object, timings: Array}>}
 * @throws {ApiError}, or an AbortError if `signal` aborts
 */
export async function call(path, { method = "GET", query = {}, json, form, signal } = {}) {
  const address = new URL(path, ROOT);
  for (const [name, value] of Object.entries(query)) {
    if (value !== "" && value != null) address.searchParams.set(name, value);
  }
  const headers = { Accept: "application/json" };
  if (key.get()) headers.Authorization = `Bearer ${key.get()}`;
  if (json) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(address, { method, headers, body: json ? JSON.stringify(json) : form, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError({ code: "NETWORK", message: error.message });
  }
  const body = await response.json().catch(() => null);
  if (!response.ok || body === null) throw failure(response, body);
  return { body, timings: timings(response.headers.get("Server-Timing") ?? "") };
}

function failure(response, body) {
  const seconds = Number.parseFloat(response.headers.get("Retry-After") ?? "");
  return new ApiError({
    status: response.status,
    code: body?.error?.code ?? `HTTP_${response.status}`,
    message: body?.error?.message ?? "",
    details: body?.error?.details,
    requestId: body?.request_id ?? response.headers.get("X-Request-ID"),
    retryAfter: Number.isFinite(seconds) ? seconds : null,
  });
}

/** Parse a Server-Timing header: [{name, label, ms}]. */
export function timings(header) {
  const entries = header.matchAll(/([\w-]+)((?:;\w+=(?:"(?:[^"\\]|\\.)*"|[^;,"]*))*)/g);
  return [...entries].map(([, name, rest]) => ({
    name,
    label: JSON.parse(rest.match(/;desc=("(?:[^"\\]|\\.)*")/)?.[1] ?? '""'),
    ms: Number.parseFloat(rest.replace(/"(?:[^"\\]|\\.)*"/, "").match(/;dur=([\d.]+)/)?.[1] ?? "NaN"),
  }));
}
