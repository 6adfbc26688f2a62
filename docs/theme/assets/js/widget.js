// What the widgets share: how they make elements and fill in texts.

const SVG = "http://www.w3.org/2000/svg";

/** An element of the page; an attribute that is null is left out. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** An element of a drawing; a hyphen before a number becomes a minus sign. */
export function drawn(tag, attributes = {}, text = "") {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.textContent = String(text).replace("-", "\u2212");
  return made;
}

/** Fill in {i}, {name}, … of a text. */
export function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}
