// The frame around the views: which one is shown, the colours, and the API key.

import { key } from "./parts/api.js";
import { forgetModels } from "./parts/choices.js";
import { openDialog } from "./parts/dialogs.js";
import { byId, element } from "./parts/elements.js";
import { photoOf } from "./parts/photo.js";
import { compare } from "./views/compare.js";
import { gallery } from "./views/gallery.js";
import { search } from "./views/search.js";
import { status } from "./views/status.js";

// Each has show(rest of the address) and optionally hide() and paste(file).
const VIEWS = { compare, search, gallery, status };

let shown = null;

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    // An address that was typed by hand may contain a bare %.
    return text;
  }
}

/** Show the view in the address; #/gallery/staff is the gallery with the collection "staff" open. */
function route() {
  const [name, ...rest] = location.hash.slice(2).split("/");
  const next = name in VIEWS ? name : "compare";
  if (shown !== next) {
    VIEWS[shown]?.hide?.();
    for (const each of Object.keys(VIEWS)) byId(each).hidden = each !== next;
    for (const link of document.querySelectorAll(".tabs a")) {
      if (link.hash === `#/${next}`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    const heading = byId(`${next}-title`);
    document.title = `${heading.textContent} · facegraph`;
    // After loading, keyboard focus stays at the top of the page.
    if (shown !== null) heading.focus();
    shown = next;
  }
  VIEWS[next].show(decoded(rest.join("/")));
}

function theme() {
  const button = byId("theme-button"),
    root = document.documentElement,
    dark = matchMedia("(prefers-color-scheme: dark)");
  const current = () => root.dataset.theme ?? (dark.matches ? "dark" : "light");
  const label = () => {
    button.textContent = current() === "dark" ? "Light" : "Dark";
    button.setAttribute("aria-label", `Switch to ${current() === "dark" ? "light" : "dark"} colours`);
  };
  const kept = localStorage.getItem("facegraph-theme");
  if (kept) root.dataset.theme = kept;
  button.addEventListener("click", () => {
    root.dataset.theme = current() === "dark" ? "light" : "dark";
    localStorage.setItem("facegraph-theme", root.dataset.theme);
    label();
  });
  dark.addEventListener("change", label);
  label();
}

function keyDialog() {
  const field = element("input", {
    id: "key-field",
    type: "password",
    autocomplete: "off",
    value: key.get(),
    "aria-describedby": "key-hint",
  });
  const done = (value) => {
    key.set(value);
    forgetModels();
    close();
    labelKey();
    route();
  };
  const submit = (event) => {
    event.preventDefault();
    done(field.value.trim());
  };
  const form = element(
    "form",
    { onsubmit: submit },
    element("div.field", element("label", { for: "key-field" }, "Key"), field),
    element(
      "p.hint",
      { id: "key-hint" },
      "Kept until this tab is closed, and sent only to this service. If the service does not require keys, leave the field empty.",
    ),
    element(
      "div.actions",
      element("button.primary", { type: "submit" }, "Use this key"),
      element("button", { onclick: () => done("") }, "Forget the key"),
      element("button.push", { onclick: () => close() }, "Close"),
    ),
  );
  const close = openDialog("API key", form, () => byId("key-button").focus());
}

const labelKey = () => (byId("key-button").textContent = key.get() ? "API key: set" : "API key");

theme();
labelKey();
byId("key-button").addEventListener("click", keyDialog);
// Following the link would replace the view in the address.
byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("main").focus();
});
addEventListener("hashchange", route);
addEventListener("paste", (event) => {
  const file = photoOf(event.clipboardData);
  if (file && VIEWS[shown].paste) {
    event.preventDefault();
    VIEWS[shown].paste(file);
  }
});
// A photo dropped outside a drop zone must not replace the page.
for (const name of ["dragover", "drop"]) addEventListener(name, (event) => event.preventDefault());
route();
