// Looks up one kind of network in the measured data. Every number is a logarithm to the base 10.

import { about, packed } from "./depth-explorer-data.js";

export { about };

const NUMBERS = about.layers.length + about.depths.length * (about.parts + 2);

/** Hundredths of a decade, two bytes each, the low one first. */
function unpack(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Array.from({ length: bytes.length / 2 }, (_, i) => view.getInt16(2 * i, true) / 100);
}

const levels = unpack(packed);

/** What stands for "no number" becomes null, what stands for a gradient of zero -Infinity. */
function meaning(level) {
  if (level === about.nothing) return null;
  return level === about.zero ? -Infinity : level;
}

/**
 * The curves of one kind of network.
 *
 * `kind` holds one name of each list in `about.names`, in their order: width, initialisation,
 * activation, normalisation, skip connection.
 */
export function network(kind, depth) {
  const place = about.names.reduce(
    (found, names, i) => found * names.length + names.indexOf(kind[i]),
    0,
  );
  const row = levels.slice(place * NUMBERS, (place + 1) * NUMBERS).map(meaning);
  const d = about.depths.indexOf(depth);
  const start = about.layers.length + d * about.parts;
  const range = about.layers.length + about.depths.length * about.parts + 2 * d;
  const points = Array.from({ length: about.parts + 1 }, (_, k) => (depth * k) / about.parts);
  return {
    points,
    forward: points.map((layer) => (layer === 0 ? 0 : row[about.layers.indexOf(layer)])),
    backward: [...row.slice(start, start + about.parts), 0],
    low: row[range],
    high: row[range + 1],
  };
}

/** What becomes of the gradient: it has to stay within a factor of 1000. */
export function verdict(level) {
  if (level === null) return "chaotic";
  if (level < -3) return "vanishes";
  return level > 3 ? "explodes" : "stays";
}
