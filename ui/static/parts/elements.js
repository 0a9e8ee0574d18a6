// Creating elements. All text reaches the page here, as text and never as markup.

/**
 * @param {string} tag name, with classes after dots: "div.card"
 * @param {Object} attributes can be left out. "on…" adds a listener, true sets an empty attribute, false and null none
 * @param {...(Node|string|null|false|Array)} children
 */
export function element(tag, ...rest) {
  const [attributes, ...children] = rest[0]?.constructor === Object ? rest : [{}, ...rest];
  const [name, ...classes] = tag.split(".");
  const made = document.createElement(name);
  made.classList.add(...classes);
  // Without a type, a button submits the form around it.
  if (name === "button") made.type = "button";
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== false && value != null) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child != null && child !== false));
  return made;
}

export const byId = (id) => document.getElementById(id);

export const plural = (count, one, many = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

/** A timestamp in the reader's locale and time zone. */
export const moment = (text) => new Date(text).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
