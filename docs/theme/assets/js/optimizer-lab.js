// "The optimizer lab": the view. It takes the place of the static figure and table of the page,
// lets the reader choose, and draws what the engine computes. Its words: optimizer-lab-words.js.

import { LIMIT, OPTIMIZERS, RANGES, SURFACES, contours, run } from "./optimizer-lab-engine.js";
import { WORDS } from "./optimizer-lab-words.js";
import { drawn, element, fill as filled } from "./widget.js";

const NAMES = Object.keys(OPTIMIZERS);
const CHOSEN = ["sgd", "momentum", "adagrad", "adam"]; // at the start
const DIGITS = [1, 1.2, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9]; // of a rate on the slider
const DECADES = [-5, -4, -3, -2, -1, 0];
const RATES = [
  ...DECADES.flatMap((e) => DIGITS.map((digits) => Number(`${digits}e${e}`))), 10,
];
const [LOWEST_RATE, HIGHEST_RATE] = [RATES[0], RATES.at(-1)];
const MAX_STEPS = 500;
const FLOOR = -12; // log10 of a height of zero, as it is drawn
const CEILING = 6;
const PLAYING = 4000; // ms from the start to the end
const FRAME = 40; // ms

const WIDTH = 420;
const MAP = { left: 40, right: 412, top: 8, bottom: 380, height: 412 };
const CURVE = { left: 44, right: 412, top: 30, bottom: 360, height: 412 };

// ---- Small helpers -----------------------------------------------------------------------------

/** Fill in {name}, {step}, …; Chinese and Latin letters are kept apart by a space. */
function fill(text, values) {
  return filled(text, values)
    .replace(/([\w.])([一-鿿])/g, "$1 $2")
    .replace(/([一-鿿])(\w)/g, "$1 $2");
}

/** A few digits, four unless told: 0.01234, 12.34, 1.234e-7. */
function short(value, digits = 4) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  const plain = size >= 1e-3 && size < 10 ** digits;
  const text = plain ? value.toPrecision(digits) : value.toExponential(digits - 1);
  return text.replace(/-/g, "\u2212");
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

function nearestRate(rate) {
  const distance = (other) => Math.abs(Math.log(other / rate));
  return RATES.reduce((best, r, i) => (distance(r) < distance(RATES[best]) ? i : best), 0);
}

function startOf(surface) {
  const { start, steps, rates } = SURFACES[surface];
  return { surface, start: [...start], steps, rates: { ...rates } };
}

function defaults() {
  return {
    ...startOf("valley"),
    noise: 1,
    seed: 1,
    chosen: new Set(CHOSEN),
    options: Object.fromEntries(NAMES.map((name) => [name, { ...OPTIMIZERS[name].options }])),
  };
}

// ---- The widget --------------------------------------------------------------------------------

class OptimizerLab {
  constructor(container) {
    this.words = WORDS[document.documentElement.lang.startsWith("zh") ? "zh" : "en"];
    this.settings = defaults();
    this.fields = []; // what has to show the settings again when they change as a whole
    this.timer = null;
    this.lines = {}; // contour lines of the surfaces that were shown
    this.app = element(
      "div", { class: "widget widget-dense ol-app" },
      this.makeSettings(), this.makeOptimizers(), this.makeOptions(), this.makeMessage(),
      this.makeToolbar(), this.makeDrawings(), this.makeVerdict(), this.makeTable(),
    );
    container.replaceChildren(this.app);
    this.showSettings();
    this.drawSurface();
    this.compute();
  }

  // ---- Fields

  /** A number field; `get` and `set` read and write the settings. */
  makeNumber(key, description, { range, get, set, whole = false }) {
    const input = element("input", {
      type: "number", step: whole ? "1" : "any", autocomplete: "off", "data-field": key,
      "aria-label": description,
    });
    this.fields.push(() => {
      input.value = String(get());
      input.removeAttribute("aria-invalid");
    });
    input.addEventListener("input", () => {
      const [low, high] = range();
      const value = input.valueAsNumber;
      const valid = value >= low && value <= high && (!whole || Number.isInteger(value));
      input.setAttribute("aria-invalid", String(!valid));
      this.message.textContent = valid
        ? ""
        : fill(whole ? this.words.whole : this.words.invalid, { field: description, low, high });
      if (valid) {
        set(value);
        this.compute();
      }
    });
    // What was not accepted goes back to the number that is in use.
    input.addEventListener("change", () => {
      if (input.getAttribute("aria-invalid") !== "true") return;
      input.value = String(get());
      input.removeAttribute("aria-invalid");
    });
    return input;
  }

  /** A field of the first row: its name is shown above it. */
  labelled(text, input) {
    input.removeAttribute("aria-label");
    return element("label", {}, element("span", {}, text), input);
  }

  makeSettings() {
    const { words } = this;
    const select = element("select", { "data-field": "surface" });
    for (const name of Object.keys(SURFACES)) {
      select.append(element("option", { value: name }, words.surfaces[name]));
    }
    select.addEventListener("change", () => {
      Object.assign(this.settings, startOf(select.value));
      this.showSettings();
      this.drawSurface();
      this.compute();
    });
    const number = (key, text, spec) => this.labelled(text, this.makeNumber(key, text, spec));
    const coordinate = (i) => ({
      range: () => SURFACES[this.settings.surface].view.slice(2 * i, 2 * i + 2),
      get: () => this.settings.start[i],
      set: (value) => {
        this.settings.start = this.settings.start.map((v, k) => (k === i ? value : v));
      },
    });
    const plain = (name, range, whole = false) => ({
      range: () => range, whole,
      get: () => this.settings[name],
      set: (value) => {
        this.settings[name] = value;
      },
    });
    this.noiseFields = [
      number("noise", words.noise, plain("noise", [0, 10])),
      number("seed", words.seed, plain("seed", [0, 2 ** 32 - 1], true)),
    ];
    this.fields.push(() => {
      select.value = this.settings.surface;
      for (const label of this.noiseFields) {
        label.hidden = !SURFACES[this.settings.surface].noisy;
      }
    });
    return element(
      "div", { class: "ol-settings", role: "group", "aria-label": words.settings },
      this.labelled(words.surface, select),
      number("x", words.startX, coordinate(0)),
      number("y", words.startY, coordinate(1)),
      number("steps", words.steps, plain("steps", [1, MAX_STEPS], true)),
      ...this.noiseFields,
    );
  }

  /** One row for each optimizer: whether it runs, and its rate as a slider and as a number. */
  makeOptimizers() {
    const { words } = this;
    const rows = NAMES.map((name) => {
      const shown = words.names[name];
      const box = element("input", { type: "checkbox", "data-field": `on-${name}` });
      box.addEventListener("change", () => {
        this.settings.chosen[box.checked ? "add" : "delete"](name);
        this.compute();
      });
      const slider = element("input", {
        type: "range", min: 0, max: RATES.length - 1, step: 1, "data-field": `slider-${name}`,
        "aria-label": fill(words.rateSlider, { name: shown }),
      });
      const rate = this.makeNumber(`lr-${name}`, fill(words.rate, { name: shown }), {
        range: () => [LOWEST_RATE, HIGHEST_RATE],
        get: () => this.settings.rates[name],
        set: (value) => {
          this.settings.rates[name] = value;
          showSlider();
        },
      });
      const showSlider = () => {
        slider.value = nearestRate(this.settings.rates[name]);
        slider.setAttribute("aria-valuetext", `η = ${this.settings.rates[name]}`);
      };
      slider.addEventListener("input", () => {
        this.settings.rates[name] = RATES[slider.valueAsNumber];
        rate.value = String(this.settings.rates[name]);
        rate.removeAttribute("aria-invalid");
        slider.setAttribute("aria-valuetext", `η = ${rate.value}`);
        this.compute();
      });
      this.fields.push(() => {
        box.checked = this.settings.chosen.has(name);
        showSlider();
      });
      return element(
        "div", { class: "ol-optimizer" },
        element("label", {}, box, this.swatch(name), shown),
        slider,
        element("span", { class: "ol-rate" }, element("i", { "aria-hidden": "true" }, "η"), rate),
      );
    });
    return element(
      "fieldset", { class: "ol-optimizers" },
      element("legend", {}, words.optimizers), ...rows,
    );
  }

  /** The line of an optimizer: its colour and its dashes. */
  swatch(name) {
    const svg = drawn("svg", {
      class: "ol-swatch", viewBox: "0 0 34 8", width: 34, height: 8, "aria-hidden": "true",
    });
    svg.append(drawn("line", { x1: 0, x2: 34, y1: 4, y2: 4, class: `ol-path ol-${name}` }));
    return svg;
  }

  makeOptions() {
    const { words } = this;
    const groups = NAMES.map((name) => {
      const fields = Object.entries(OPTIMIZERS[name].options).map(([option, standard]) => {
        const options = () => this.settings.options[name];
        const key = `${name}.${option}`;
        // A long name may break after an underscore.
        const parts = option.split(/(?<=_)/).flatMap((part) => [part, element("wbr")]);
        const code = element("code", {}, ...parts);
        if (typeof standard === "boolean") {
          const box = element("input", { type: "checkbox", "data-field": key });
          box.addEventListener("change", () => {
            options()[option] = box.checked;
            this.compute();
          });
          this.fields.push(() => {
            box.checked = options()[option];
          });
          return element("label", { class: "ol-check" }, box, code);
        }
        // Nesterov's rule is not defined without a momentum.
        const needed = name === "nesterov" && option === "momentum";
        const description = fill(words.option, { option, name: words.names[name] });
        const input = this.makeNumber(key, description, {
          range: () => (needed ? [0.001, RANGES[option][1]] : RANGES[option]),
          get: () => options()[option],
          set: (value) => {
            options()[option] = value;
          },
        });
        return element("label", {}, code, input);
      });
      return element(
        "fieldset", {}, element("legend", {}, words.names[name]),
        element("div", { class: "ol-fields" }, ...fields),
      );
    });
    return element(
      "details", { class: "widget-fold" },
      element("summary", {}, words.options),
      element("div", { class: "ol-groups" }, ...groups),
    );
  }

  makeMessage() {
    this.message = element("p", { class: "widget-message", role: "status" });
    return this.message;
  }

  /** Write all settings into the fields. */
  showSettings() {
    this.message.textContent = "";
    for (const show of this.fields) show();
  }

  // ---- Playing

  makeToolbar() {
    const { words } = this;
    const button = (name, action) => {
      const made = element("button", { type: "button", "data-action": name }, words[name]);
      made.addEventListener("click", action);
      return made;
    };
    this.playButton = button("play", () => (this.timer === null ? this.play() : this.pause()));
    this.playButton.classList.add("widget-primary");
    this.slider = element("input", { type: "range", min: 0, step: 1, "data-field": "position" });
    this.slider.addEventListener("input", () => this.go(this.slider.valueAsNumber));
    this.progress = element("output", { class: "ol-progress" });
    return element(
      "div", { class: "widget-toolbar", role: "group", "aria-label": words.controls },
      this.playButton,
      button("step", () => this.go(this.step + 1)),
      button("start", () => this.go(0)),
      button("end", () => this.go(this.settings.steps)),
      button("reset", () => this.reset()),
      element(
        "label", { class: "ol-position" },
        element("span", {}, words.position), this.slider, this.progress,
      ),
    );
  }

  go(step) {
    this.pause();
    this.step = clamp(step, 0, this.settings.steps);
    this.show();
  }

  play() {
    const { steps } = this.settings;
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
      this.go(steps);
      return;
    }
    if (this.step >= steps) this.step = 0;
    const stride = Math.max(1, Math.round((steps * FRAME) / PLAYING));
    this.playButton.textContent = this.words.pause;
    this.timer = setInterval(() => {
      this.step = Math.min(this.step + stride, steps);
      if (this.step === steps) this.pause();
      this.show();
    }, Math.max(FRAME, Math.min(PLAYING / steps, 200)));
    this.show();
  }

  pause() {
    clearInterval(this.timer);
    this.timer = null;
    this.playButton.textContent = this.words.play;
  }

  reset() {
    this.settings = defaults();
    this.showSettings();
    this.drawSurface();
    this.compute();
  }

  // ---- Drawings

  makeDrawings() {
    const make = ({ height }, name) =>
      drawn("svg", {
        viewBox: `0 0 ${WIDTH} ${height}`, role: "img", class: `ol-${name}`,
      });
    this.map = make(MAP, "map");
    this.curve = make(CURVE, "curve");
    const clip = drawn("clipPath", { id: "ol-clip" });
    clip.append(drawn("rect", {
      x: MAP.left, y: MAP.top, width: MAP.right - MAP.left, height: MAP.bottom - MAP.top,
    }));
    this.ground = drawn("g", {});
    this.inside = drawn("g", { "clip-path": "url(#ol-clip)" });
    this.handle = drawn("g", { class: "ol-handle" });
    this.handle.append(
      drawn("circle", { r: 18, class: "ol-grip" }), drawn("circle", { r: 7 }),
    );
    this.map.append(clip, this.ground, this.inside, this.handle);
    this.listenToPointer();
    return element(
      "div", { class: "ol-drawings" },
      element("div", {}, this.map, element("p", { class: "widget-hint" }, this.words.drag)),
      element("div", {}, this.curve),
    );
  }

  /** Where a point of the surface lies in the drawing. */
  place([x, y]) {
    const [left, right, bottom, top] = SURFACES[this.settings.surface].view;
    return [
      MAP.left + ((x - left) / (right - left)) * (MAP.right - MAP.left),
      MAP.bottom - ((y - bottom) / (top - bottom)) * (MAP.bottom - MAP.top),
    ];
  }

  listenToPointer() {
    let dragging = null;
    const move = (event) => {
      const box = this.map.getBoundingClientRect();
      const scale = WIDTH / box.width;
      const across = ((event.clientX - box.left) * scale - MAP.left) / (MAP.right - MAP.left);
      const up = (MAP.bottom - (event.clientY - box.top) * scale) / (MAP.bottom - MAP.top);
      const [left, right, bottom, top] = SURFACES[this.settings.surface].view;
      const round = (value, low, high) => Number(clamp(value, low, high).toFixed(2));
      this.settings.start = [
        round(left + across * (right - left), left, right),
        round(bottom + up * (top - bottom), bottom, top),
      ];
      this.showSettings();
      this.compute();
    };
    this.handle.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      event.stopPropagation();
      dragging = event.pointerId;
      this.handle.setPointerCapture(dragging);
    });
    this.handle.addEventListener("pointermove", (event) => {
      if (event.pointerId === dragging) move(event);
    });
    for (const name of ["pointerup", "pointercancel"]) {
      this.handle.addEventListener(name, () => {
        dragging = null;
      });
    }
    this.map.addEventListener("click", (event) => {
      if (!this.handle.contains(event.target)) move(event);
    });
  }

  /** The part of the map that only the surface decides. */
  drawSurface() {
    const { view, levels, minima } = SURFACES[this.settings.surface];
    const [left, right, bottom, top] = view;
    this.ground.replaceChildren();
    this.lines[this.settings.surface] ??= contours(this.settings.surface).map((segments) =>
      segments
        .map(([x1, y1, x2, y2]) => [this.place([x1, y1]), this.place([x2, y2])])
        .map(([from, to]) => `M${from.map((v) => v.toFixed(1))}L${to.map((v) => v.toFixed(1))}`)
        .join(""));
    this.lines[this.settings.surface].forEach((d, k) => {
      this.ground.append(drawn("path", { d, class: "ol-contour", "data-level": levels[k] }));
    });
    for (const minimum of minima) {
      const [x, y] = this.place(minimum);
      const d = `M${x - 5} ${y}H${x + 5}M${x} ${y - 5}V${y + 5}`;
      this.ground.append(drawn("path", { d, class: "ol-minimum" }));
    }
    this.ground.append(drawn("rect", {
      x: MAP.left, y: MAP.top, width: MAP.right - MAP.left, height: MAP.bottom - MAP.top,
      class: "ol-frame",
    }));
    const unit = right - left > 8 ? 3 : 1;
    for (let value = left; value <= right; value += unit) {
      const [x] = this.place([value, bottom]);
      this.ground.append(
        drawn("text", { x, y: MAP.bottom + 20, "text-anchor": "middle" }, value),
      );
    }
    for (let value = bottom; value <= top; value += unit) {
      const [, y] = this.place([left, value]);
      this.ground.append(
        drawn("text", { x: MAP.left - 8, y: y + 5, "text-anchor": "end" }, value),
      );
    }
  }

  /** Height of a step of a run above the lowest value of the surface. */
  height({ losses }, step) {
    return losses[step] - SURFACES[this.settings.surface].lowest;
  }

  drawMap() {
    this.inside.replaceChildren();
    const ends = [];
    for (const [name, { points, diverged }] of this.runs) {
      const shown = points.slice(0, this.step + 1).map((point) => this.place(point));
      // A coordinate far outside, or none at all, is no place in a drawing.
      const within = shown.filter((at) => at.every((v) => Math.abs(v) < 1e6));
      this.inside.append(drawn("polyline", {
        points: within.map((at) => at.map((v) => v.toFixed(2)).join(",")).join(" "),
        class: `ol-path ol-${name}`, "data-path": name,
      }));
      if (diverged !== null && this.step >= diverged) continue;
      const [x, y] = shown.at(-1);
      ends.push(drawn("circle", { cx: x, cy: y, r: 5, class: `ol-end ol-${name}` }));
    }
    this.inside.append(...ends);
    const [x, y] = this.place(this.settings.start);
    this.handle.setAttribute("transform", `translate(${x} ${y})`);
    this.map.setAttribute("aria-label", fill(this.words.map, {
      surface: this.words.surfaces[this.settings.surface], names: this.listed(),
    }));
  }

  drawCurve() {
    const { steps } = this.settings;
    const log = (height) =>
      clamp(height > 0 ? Math.log10(height) : height <= 0 ? FLOOR : CEILING, FLOOR, CEILING);
    const logs = [...this.runs].map(([name, found]) => [
      name, found.losses.map((_, step) => log(this.height(found, step))),
    ]);
    const all = logs.flatMap(([, values]) => values);
    const high = Math.ceil(Math.max(...all, 0));
    const low = Math.min(Math.floor(Math.min(...all, 0)), high - 2);
    const across = (step) => CURVE.left + (step / steps) * (CURVE.right - CURVE.left);
    const down = (value) =>
      CURVE.top + ((high - value) / (high - low)) * (CURVE.bottom - CURVE.top);

    this.curve.replaceChildren();
    const stride = Math.ceil((high - low) / 6);
    for (let value = high; value >= low; value -= stride) {
      const y = down(value);
      this.curve.append(
        drawn("line", { x1: CURVE.left, x2: CURVE.right, y1: y, y2: y, class: "ol-grid" }),
        drawn("text", { x: CURVE.left - 8, y: y + 5, "text-anchor": "end" }, value),
      );
    }
    const places = steps >= 4 ? [0, 0.25, 0.5, 0.75, 1] : [0, 1];
    for (const step of places.map((share) => Math.round(share * steps))) {
      this.curve.append(drawn(
        "text",
        { x: across(step), y: CURVE.bottom + 20, "text-anchor": step === steps ? "end" : "middle" },
        step,
      ));
    }
    this.curve.append(
      drawn(
        "text", { x: (CURVE.left + CURVE.right) / 2, y: CURVE.height - 6, "text-anchor": "middle" },
        this.words.horizontal,
      ),
      drawn("text", { x: 8, y: 16 }, this.words.vertical),
      drawn("line", {
        x1: across(this.step), x2: across(this.step), y1: CURVE.top, y2: CURVE.bottom,
        class: "ol-now",
      }),
    );
    for (const [name, values] of logs) {
      const points = values.map((value, step) =>
        `${across(step).toFixed(2)},${down(value).toFixed(2)}`);
      this.curve.append(drawn("polyline", {
        points: points.join(" "), class: `ol-path ol-${name}`, "data-curve": name,
      }));
    }
    this.curve.setAttribute("aria-label", fill(this.words.curve, { names: this.listed() }));
  }

  listed(names = [...this.runs.keys()]) {
    return names.map((name) => this.words.names[name]).join(this.words.list);
  }

  // ---- Table and verdict

  makeVerdict() {
    this.verdict = element("p", { class: "ol-verdict", role: "status" });
    return this.verdict;
  }

  makeTable() {
    const { words } = this;
    this.rows = element("tbody");
    this.caption = element("caption");
    const heads = [words.optimizer, words.eta, words.height, "x", "y", words.state];
    return element(
      "div", { class: "ol-scroll", tabindex: "0", role: "region", "aria-label": words.table },
      element(
        "table", { class: "ol-table" }, this.caption,
        element(
          "thead", {},
          element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head))),
        ),
        this.rows,
      ),
    );
  }

  /** What happened to an optimizer until the step that is shown. */
  state(found) {
    const { states } = this.words;
    const { points, losses, diverged } = found;
    if (diverged !== null && this.step >= diverged) return fill(states.diverged, { step: diverged });
    if (this.step === 0) return states.start;
    if (losses[this.step] > losses[0]) return states.higher;
    const [left, right, bottom, top] = SURFACES[this.settings.surface].view;
    const [x, y] = points[this.step];
    return x < left || x > right || y < bottom || y > top ? states.outside : states.lower;
  }

  showTable() {
    this.caption.textContent = fill(this.words.tableAt, { t: this.step });
    this.rows.replaceChildren(...[...this.runs].map(([name, found]) => {
      const last = Math.min(this.step, found.points.length - 1);
      const [x, y] = found.points[last];
      const cell = (key, value) =>
        element("td", { "data-out": key, "data-value": value }, short(value));
      return element(
        "tr",
        { "data-optimizer": name, "data-step": last, "data-diverged": found.diverged ?? "" },
        element("th", { scope: "row" }, this.swatch(name), this.words.names[name]),
        element("td", { "data-out": "lr" }, String(this.settings.rates[name])),
        cell("height", this.height(found, last)), cell("x", x), cell("y", y),
        element("td", { "data-out": "state" }, this.state(found)),
      );
    }));
  }

  /** What came out after all steps, in sentences. */
  showVerdict() {
    const { words } = this;
    const { steps } = this.settings;
    const sentences = [];
    const kept = [...this.runs].filter(([, found]) => found.diverged === null);
    const lowest = kept.sort(([, a], [, b]) => a.losses.at(-1) - b.losses.at(-1))[0];
    if (this.runs.size === 0) sentences.push(words.none);
    if (lowest) {
      const [name, found] = lowest;
      const height = short(this.height(found, steps), 2);
      sentences.push(fill(words.lowest, { steps, name: words.names[name], height }));
    }
    for (const [name, { losses, diverged }] of this.runs) {
      const values = { name: words.names[name], step: diverged, limit: LIMIT };
      if (diverged !== null) sentences.push(fill(words.diverges, values));
      else if (losses.at(-1) > losses[0]) sentences.push(fill(words.grows, values));
    }
    this.verdict.classList.toggle(
      "ol-bad", [...this.runs.values()].some(({ diverged }) => diverged !== null),
    );
    this.verdict.textContent = sentences.join(words.stop);
  }

  // ---- Together

  /** Run every chosen optimizer anew and show the end of the paths. */
  compute() {
    this.pause();
    const { surface, start, steps, noise, seed, rates, options } = this.settings;
    this.runs = new Map(NAMES.filter((name) => this.settings.chosen.has(name)).map((name) => [
      name,
      run(surface, name, { lr: rates[name], options: options[name], start, steps, noise, seed }),
    ]));
    this.step = steps;
    this.slider.max = steps;
    this.show();
    this.showVerdict();
  }

  show() {
    this.slider.value = this.step;
    const shown = { t: this.step, steps: this.settings.steps };
    this.progress.textContent = fill(this.words.of, shown);
    this.drawMap();
    this.drawCurve();
    this.showTable();
  }
}

const container = document.getElementById("optimizer-lab");
if (container) new OptimizerLab(container);
