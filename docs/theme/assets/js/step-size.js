// A difference quotient of J = w / (1 + w²) at w = 0.7 for the step and precision that are chosen.
//
// Every operation is + - * / and is rounded to the precision at once, as NumPy does it: the numbers
// are NumPy's to the last bit (tests/site/test_step_size.py). All words stand in the page.

import { drawn } from "./widget.js";

const WEIGHT = 0.7;
const DIGITS = ["1", "2", "5"];
const LOWEST = -18; // the first step is 1e-18
const FLOOR = -17; // an error of zero is drawn here
const WIDTH = 640;
const HEIGHT = 300;
const LEFT = 64;
const RIGHT = 14;
const TOP = 12;
const BOTTOM = 44;

const precisions = { 64: (x) => x, 32: Math.fround };

export const step = (index) => `${DIGITS[index % 3]}e${LOWEST + Math.floor(index / 3)}`;

/** J, rounded after every operation. */
function loss(w, r) {
  return r(w / r(1 + r(w * w)));
}

/** The difference quotient; `method` is forward, central or complex. */
export function quotient(method, bits, h) {
  const r = precisions[bits];
  const w = r(WEIGHT);
  h = r(h);
  if (method === "forward") {
    return r(r(loss(r(w + h), r) - loss(w, r)) / h);
  }
  if (method === "central") {
    return r(r(loss(r(w + h), r) - loss(r(w - h), r)) / r(2 * h));
  }
  // Im J(w + ih) / h with real arithmetic: 1 + (w + ih)² = u + iv.
  const u = r(r(1 + r(w * w)) - r(h * h));
  const v = r(2 * r(w * h));
  const size = r(r(u * u) + r(v * v));
  return r(r(r(r(h * u) - r(w * v)) / size) / h);
}

/** The derivative at the weight as the precision stores it. */
export function exact(bits) {
  const w = precisions[bits](WEIGHT);
  const square = w * w;
  return (1 - square) / ((1 + square) * (1 + square));
}

export function relativeError(method, bits, h) {
  const truth = exact(bits);
  return Math.abs(quotient(method, bits, h) - truth) / Math.abs(truth);
}

const across = (exponent) => LEFT + ((exponent - LOWEST) / -LOWEST) * (WIDTH - LEFT - RIGHT);
const down = (exponent) => TOP + ((1 - exponent) / (1 - FLOOR)) * (HEIGHT - TOP - BOTTOM);
const logOf = (error) => Math.min(1, error > 0 ? Math.max(FLOOR, Math.log10(error)) : FLOOR);

function place(method, bits, index) {
  const h = Number(step(index));
  return [across(Math.log10(h)), down(logOf(relativeError(method, bits, h)))];
}

/** Everything of the chart that does not move. */
function frame(svg, words) {
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  for (let exponent = LOWEST; exponent <= 0; exponent += 3) {
    const x = across(exponent);
    svg.append(drawn("line", { x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM, class: "grid" }));
    svg.append(
      drawn("text", { x, y: HEIGHT - BOTTOM + 16, "text-anchor": "middle" }, exponent),
    );
  }
  for (let exponent = -15; exponent <= 0; exponent += 5) {
    const y = down(exponent);
    svg.append(drawn("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y, y2: y, class: "grid" }));
    svg.append(drawn("text", { x: LEFT - 8, y: y + 5, "text-anchor": "end" }, exponent));
  }
  const middle = (TOP + HEIGHT - BOTTOM) / 2;
  svg.append(
    drawn(
      "text",
      { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 6, "text-anchor": "middle" },
      words.horizontal,
    ),
    drawn(
      "text",
      {
        transform: `translate(13 ${middle}) rotate(-90)`,
        "text-anchor": "middle",
        class: "vertical",
      },
      words.vertical,
    ),
  );
}

function start(root) {
  const select = root.querySelector("select");
  const slider = root.querySelector("input[type=range]");
  const svg = root.querySelector("svg");
  const out = (name) => root.querySelector(`[data-out="${name}"]`);
  const last = Number(slider.max);

  frame(svg, root.dataset);
  const curve = drawn("polyline", { class: "curve" });
  const line = drawn("line", { y1: TOP, y2: HEIGHT - BOTTOM, class: "now" });
  const point = drawn("circle", { r: 5.5, class: "point" });
  svg.append(curve, line, point);

  function show(name, value, text) {
    out(name).dataset.value = String(value);
    out(name).textContent = text;
  }

  function update() {
    const [method, bits] = select.value.split("-");
    const index = Number(slider.value);
    const h = step(index);
    const error = relativeError(method, bits, Number(h));
    slider.setAttribute("aria-valuetext", `h = ${h}`);
    show("step", Number(h), h);
    const value = quotient(method, bits, Number(h));
    show("quotient", value, value.toFixed(16));
    show("exact", exact(bits), exact(bits).toFixed(16));
    show("error", error, error.toExponential(2));
    const points = [];
    for (let i = 0; i <= last; i += 1) points.push(place(method, bits, i).join(","));
    curve.setAttribute("points", points.join(" "));
    const [x, y] = place(method, bits, index);
    line.setAttribute("x1", x);
    line.setAttribute("x2", x);
    point.setAttribute("cx", x);
    point.setAttribute("cy", y);
  }

  select.addEventListener("change", update);
  slider.addEventListener("input", update);
  update();
  root.hidden = false;
}

for (const root of document.querySelectorAll("[data-step-size]")) start(root);
