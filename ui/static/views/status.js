// Status: all stages of the service, updated every few seconds while the view is visible.

import { call } from "../parts/api.js";
import { byId, element } from "../parts/elements.js";
import { tell } from "../parts/notice.js";
import { cell, table } from "../parts/table.js";
import { TASK_NAMES } from "../parts/tasks.js";

const EVERY_MS = 3000;
const KINDS = { ...TASK_NAMES, ingress: "HTTP" };

const view = byId("status"),
  alert = view.querySelector("[data-alert]");
let timer = null,
  watched = false;

async function refresh() {
  clearTimeout(timer);
  if (!watched || document.hidden) return;
  try {
    const { body } = await call("v1/status");
    byId("since").textContent = body.since_s;
    draw(body.stages);
    tell(alert, null);
    byId("refreshed").textContent =
      `Updated at ${new Date().toLocaleTimeString()}; updates every ${EVERY_MS / 1000} seconds.`;
  } catch (error) {
    // Shown once, because screen readers read the alert whenever it changes.
    if (alert.dataset.code !== error.code || !alert.hasChildNodes()) tell(alert, error);
    alert.dataset.code = error.code;
  }
  clearTimeout(timer);
  if (watched) timer = setTimeout(refresh, EVERY_MS);
}

function draw(stages) {
  const heads = ["Stage", "State", "Model", "Licence", "Replicas", "Calls now", "Calls", "p50", "p95"];
  byId("stages").setAttribute("aria-busy", "false");
  byId("stages").replaceChildren(table("Stages of the service", heads, stages.map(row)));
}

function row({ deployment, kind, role, model, title, licence, ready, replicas, calls }) {
  const name = element(
    "th",
    { scope: "row" },
    element("span", KINDS[kind] ?? kind, role && role !== kind && ` ${role}`),
    element("div.hint", deployment),
  );
  return element(
    "tr",
    name,
    cell("State", badge(ready, replicas)),
    cell("Model", title ? element("span", { title: model }, title) : "–"),
    cell("Licence", licence ?? "–"),
    cell("Replicas", replicasIn(replicas), "whole"),
    cell("Calls now", String(calls.ongoing)),
    cell("Calls", calls.recent.toLocaleString("en")),
    cell("p50", milliseconds(calls.p50_ms), "whole"),
    cell("p95", milliseconds(calls.p95_ms), "whole"),
  );
}

function badge(ready, { running, wanted, starting }) {
  if (!ready) return element("span.badge.bad", starting ? "Starting" : "Not ready");
  return running < wanted ? element("span.badge.warn", "Scaling") : element("span.badge.good", "Ready");
}

/** For example "1 of 2, 1 starting". */
function replicasIn({ running, starting, stopping, wanted }) {
  const moving = [starting && `${starting} starting`, stopping && `${stopping} stopping`].filter(Boolean);
  return `${running} of ${wanted}${moving.length ? `, ${moving.join(", ")}` : ""}`;
}

const milliseconds = (value) => (value === null ? "–" : `${value.toFixed(1)} ms`);

document.addEventListener("visibilitychange", refresh);

export const status = {
  show() {
    watched = true;
    refresh();
  },
  hide() {
    watched = false;
    clearTimeout(timer);
  },
};
