// "The live backward pass": the view. It finds its container, reads the texts of the interface
// from the JSON in it, takes the place of the static table and shows what the engine computes.

import {
  ACTIVATIONS, DEFAULTS, cells, continued, listing, number, trainingStep,
} from "./backward-pass-engine.js";
import { drawn, element, fill } from "./widget.js";

const LIMIT = 10_000; // of every field, so that no number overflows
const WIDE = 560; // px from which the drawing runs from left to right
const UNITS = [0, 1, 2];

// ---- Small helpers -----------------------------------------------------------------------------

/** Text of the engine with _{…} and ^{…} as HTML: symbols in italics, sub- and superscripts. */
function typeset(text) {
  const made = element("span", { class: "bp-math" });
  for (const [, sub, sup, word, other] of text.matchAll(
    /_\{([^}]*)\}|\^\{([^}]*)\}|(exp|max|tanh|e\d+)|([\s\S])/g,
  )) {
    if (sub !== undefined) made.append(element("sub", {}, sub));
    else if (sup !== undefined) made.append(element("sup", {}, sup));
    else if (word === undefined && /[A-Za-zŷδση]/.test(other)) made.append(element("i", {}, other));
    else made.append(word ?? other);
  }
  made.normalize();
  return made;
}

/** The text of the engine as one line without mark-up, for a screen reader. */
function plain(text) {
  return text.replace(/_\{([^}]*)\}/g, " $1").replace(/\^\{\((\d)\)\}/g, "");
}

function at(array, index) {
  return index.reduce((found, i) => found[i], array);
}

// ---- The widget --------------------------------------------------------------------------------

class BackwardPass {
  constructor(container) {
    this.texts = JSON.parse(document.getElementById("backward-pass-texts").textContent);
    this.settings = structuredClone(DEFAULTS);
    this.done = 0; // how many scalars are computed
    this.losses = []; // of the steps before this one
    this.fields = [];
    this.app = element(
      "div", { class: "widget widget-dense bp-app" },
      this.makeSettings(), this.makeToolbar(), this.makeCard(), this.makeDrawing(),
      this.makeLists(),
    );
    container.replaceChildren(this.app);
    this.app.querySelector("details").open = this.app.clientWidth >= WIDE;
    this.showSettings();
    this.render();
    new ResizeObserver(() => this.draw()).observe(this.app);
  }

  // ---- Settings

  makeSettings() {
    const { texts } = this;
    this.activation = element("select", { "data-field": "activation" });
    for (const name of Object.keys(ACTIVATIONS)) {
      this.activation.append(element("option", { value: name }, texts.activations[name]));
    }
    this.activation.addEventListener("change", () => {
      this.change({ activation: this.activation.value });
    });
    this.batch = [1, 2].map((N) => {
      const radio = element("input", { type: "radio", name: "bp-batch", value: N });
      radio.addEventListener("change", () => this.change({ batch: N }));
      return radio;
    });
    this.shared = element("input", { type: "checkbox", "data-field": "shared" });
    this.shared.addEventListener("change", () => this.change({ shared: this.shared.checked }));
    const general = element(
      "div", { class: "bp-general" },
      element("label", {}, element("span", {}, texts.activation), this.activation),
      this.makeField("lr", [], "η", texts.fields.lr, false),
      element(
        "fieldset", { class: "bp-batch" },
        element("legend", {}, texts.batch),
        ...this.batch.map((radio) => element("label", {}, radio, ` ${radio.value}`)),
      ),
      element("label", { class: "bp-shared" }, this.shared, element("span", {}, texts.shared)),
    );

    this.samples = [0, 1].map((i) =>
      this.makeGroup(
        fill(texts.sample, { i: i + 1 }),
        this.makeField("x", [i, 0], "x_{1}", fill(texts.fields.x, { k: 1, i: i + 1 })),
        this.makeField("x", [i, 1], "x_{2}", fill(texts.fields.x, { k: 2, i: i + 1 })),
        this.makeField("y", [i], "y", fill(texts.fields.y, { i: i + 1 })),
      ),
    );
    const units = UNITS.map((j) =>
      this.makeGroup(
        fill(texts.unit, { j: j + 1 }),
        ...[0, 1].map((k) =>
          this.makeField(
            "W_1", [j, k], `W_{1,${j + 1}${k + 1}}`,
            fill(texts.fields.W_1, { k: k + 1, j: j + 1 }),
          ),
        ),
        this.makeField("b_1", [j], `b_{1,${j + 1}}`, fill(texts.fields.b_1, { j: j + 1 })),
      ),
    );
    const output = this.makeGroup(
      texts.output,
      ...UNITS.map((j) =>
        this.makeField("W_2", [0, j], `W_{2,1${j + 1}}`, fill(texts.fields.W_2, { j: j + 1 })),
      ),
      this.makeField("b_2", [0], "b_{2}", texts.fields.b_2),
    );
    const details = element(
      "details", { class: "widget-fold" },
      element("summary", {}, texts.numbers),
      element("div", { class: "bp-groups" }, ...this.samples, ...units, output),
    );
    this.message = element("p", { class: "widget-message", role: "status" });
    return element(
      "div", { class: "bp-settings", role: "group", "aria-label": texts.settings },
      general, details, this.message,
    );
  }

  makeGroup(title, ...fields) {
    return element("fieldset", {}, element("legend", {}, title), ...fields);
  }

  /** An input for one number; `symbol` is shown, `description` is what it is in words. */
  makeField(name, index, symbol, description, hidden = true) {
    const input = element("input", {
      type: "number", step: "any", autocomplete: "off",
      "data-field": name + index.map((i) => `[${i}]`).join(""),
    });
    const words = element("span", hidden ? { class: "visually-hidden" } : {}, ` ${description}`);
    const label = element("label", {}, element("span", {}, typeset(symbol), words), input);
    this.fields.push({ name, index, input, description });
    input.addEventListener("input", () => this.edit(name, index, input, description));
    // What was not accepted goes back to the number that is in use.
    input.addEventListener("change", () => {
      if (input.getAttribute("aria-invalid") === "true") this.showSettings();
    });
    return label;
  }

  edit(name, index, input, description) {
    const value = input.valueAsNumber;
    const low = name === "lr" ? 0 : -LIMIT;
    const valid = value >= low && value <= LIMIT;
    input.setAttribute("aria-invalid", String(!valid));
    if (!valid) {
      this.message.textContent = fill(this.texts.invalid, {
        field: description, low: number(low), high: number(LIMIT),
      });
      return;
    }
    this.message.textContent = "";
    const settings = structuredClone(this.settings);
    if (index.length === 0) settings[name] = value;
    else at(settings[name], index.slice(0, -1))[index.at(-1)] = value;
    this.settings = settings;
    this.losses = [];
    this.showShared();
    this.render();
  }

  change(settings) {
    const name = this.cells[this.done - 1]?.name;
    this.settings = { ...this.settings, ...settings };
    this.losses = [];
    this.message.textContent = "";
    // Stay where the reader was: behind the last scalar of the same array.
    this.done = cells(this.settings).findLastIndex((cell) => cell.name === name) + 1;
    if (name === "grad_w" && this.done === 0) this.done = this.ends().backward;
    this.showSettings();
    this.render();
  }

  /** Write the settings into the form. */
  showSettings() {
    for (const { name, index, input } of this.fields) {
      input.value = String(at(this.settings[name], index));
      input.removeAttribute("aria-invalid");
    }
    this.activation.value = this.settings.activation;
    this.batch.forEach((radio) => (radio.checked = Number(radio.value) === this.settings.batch));
    this.shared.checked = this.settings.shared;
    this.samples[1].hidden = this.settings.batch === 1;
    this.showShared();
  }

  /** With shared weights the fields of unit 2 show the weights of unit 1. */
  showShared() {
    for (const { name, index, input } of this.fields) {
      if (name !== "W_1" || index[0] !== 1) continue;
      input.disabled = this.settings.shared;
      const row = this.settings.shared ? 0 : 1;
      const value = String(this.settings.W_1[row][index[1]]);
      if (this.settings.shared || input.getAttribute("aria-invalid") !== "true") {
        if (input !== document.activeElement) input.value = value;
      }
    }
  }

  // ---- Buttons

  makeToolbar() {
    const actions = {
      back: () => this.go(this.done - 1),
      step: () => this.go(this.done + 1),
      forward: () => this.go(this.ends().forward),
      backward: () => this.go(this.ends().backward),
      update: () => this.go(this.ends().update),
      continue: () => this.continue(),
      reset: () => this.reset(),
    };
    this.buttons = {};
    const bar = element("div", {
      class: "widget-toolbar", role: "group", "aria-label": this.texts.controls,
    });
    for (const [name, action] of Object.entries(actions)) {
      const button = element(
        "button", { type: "button", "data-action": name }, this.texts.buttons[name],
      );
      button.addEventListener("click", () => {
        if (!this.useless()[name]) action();
      });
      this.buttons[name] = button;
      bar.append(button);
    }
    bar.addEventListener("keydown", (event) => {
      const target = {
        ArrowLeft: this.done - 1, ArrowRight: this.done + 1, Home: 0, End: this.cells.length,
      }[event.key];
      if (target === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      this.go(target);
    });
    this.buttons.step.classList.add("widget-primary");
    this.hint = element("p", { class: "widget-hint" }, this.texts.keys);
    return element("div", {}, bar, this.hint);
  }

  /** How many scalars are computed when each pass has ended. */
  ends() {
    const phases = cells(this.settings).map((cell) => cell.phase);
    return {
      forward: phases.lastIndexOf("forward") + 1,
      backward: phases.lastIndexOf("backward") + 1,
      update: phases.length,
    };
  }

  go(position) {
    this.done = Math.min(Math.max(position, 0), this.cells.length);
    this.message.textContent = "";
    this.render();
    this.announce();
  }

  continue() {
    const next = continued(this.settings);
    const parameters = [next.W_1, next.b_1, next.W_2, next.b_2].flat(2);
    if (parameters.some((value) => Math.abs(value) > LIMIT)) {
      this.message.textContent = this.texts.diverged;
      return;
    }
    this.losses.push(trainingStep(this.settings).J);
    this.settings = next;
    this.showSettings();
    this.go(0);
  }

  reset() {
    this.settings = structuredClone(DEFAULTS);
    this.losses = [];
    this.showSettings();
    this.go(0);
  }

  // ---- What is shown

  makeCard() {
    this.status = element("p", { class: "visually-hidden bp-status", role: "status" });
    this.card = element("div", { class: "bp-card" });
    this.history = element("p", { class: "bp-history" });
    return element("div", {}, this.status, this.card, this.history);
  }

  makeDrawing() {
    this.svg = drawn("svg", { role: "img", "aria-label": this.texts.drawing });
    const legend = element("ul", { class: "widget-legend bp-legend" });
    for (const phase of ["forward", "backward", "update"]) {
      legend.append(element("li", { class: `bp-${phase}` }, this.texts.legend[phase]));
    }
    return element("div", { class: "bp-drawing" }, this.svg, legend);
  }

  makeLists() {
    const { texts } = this;
    const scrolling = { tabindex: "0", role: "region" };
    this.code = element("code");
    this.codeBox = element(
      "div", { class: "bp-code", ...scrolling, "aria-label": texts.code }, this.code,
    );
    this.ledger = element("ol", { class: "bp-ledger" });
    this.ledgerBox = element(
      "div", { class: "bp-ledger-box", ...scrolling, "aria-label": texts.ledger }, this.ledger,
    );
    return element(
      "div", { class: "bp-lists" },
      element("div", {}, element("p", { class: "bp-caption" }, texts.code), this.codeBox),
      element("div", {}, element("p", { class: "bp-caption" }, texts.ledger), this.ledgerBox),
    );
  }

  /** What a scalar is, in words. */
  describe(cell) {
    const [first, second] = cell.index;
    const perSample = ["a_1", "h_1", "a_2", "h_2", "grad_h_2", "delta_2", "grad_h_1", "delta_1"];
    const hasSample = perSample.includes(cell.name);
    const isRow = ["grad_W_1", "new_W_1"].includes(cell.name);
    const ofBias = ["grad_b_1", "new_b_1"].includes(cell.name);
    const words = fill(this.texts.cells[cell.name], {
      j: (isRow || ofBias ? first : second) + 1,
      k: (isRow ? second : first) + 1,
    });
    const sample = hasSample && this.settings.batch > 1;
    return sample ? fill(this.texts.of_sample, { what: words, i: first + 1 }) : words;
  }

  progress() {
    return fill(this.texts.progress, { n: this.done, total: this.cells.length });
  }

  announce() {
    const cell = this.cells[this.done - 1];
    this.status.textContent = cell
      ? fill(this.texts.spoken, {
          progress: this.progress(), what: this.describe(cell), value: number(cell.value),
        })
      : this.texts.start;
  }

  /** Compute at once, show when the reader's action is over: it may change several things. */
  render() {
    this.cells = cells(this.settings);
    if (this.waiting) return;
    this.waiting = true;
    queueMicrotask(() => {
      this.waiting = false;
      this.show();
    });
  }

  show() {
    this.app.dataset.done = this.done;
    this.app.dataset.total = this.cells.length;
    this.showButtons();
    this.showCard();
    this.showCode();
    this.showLedger();
    this.draw();
    const losses = [...this.losses, trainingStep(this.settings).J];
    this.history.textContent = this.losses.length
      ? fill(this.texts.losses, { losses: losses.slice(-6).map((J) => number(J)).join(" → ") })
      : "";
  }

  /** Which buttons would change nothing; they keep the focus, so they are not `disabled`. */
  useless() {
    const ends = this.ends();
    return {
      back: this.done === 0,
      step: this.done === ends.update,
      forward: this.done === ends.forward,
      backward: this.done === ends.backward,
      update: this.done === ends.update,
      continue: this.done < ends.update,
    };
  }

  showButtons() {
    for (const [name, off] of Object.entries(this.useless())) {
      this.buttons[name].setAttribute("aria-disabled", String(off));
    }
  }

  showCard() {
    const cell = this.cells[this.done - 1];
    if (!cell) {
      this.card.dataset.phase = "";
      this.card.replaceChildren(element("p", {}, this.texts.start));
      return;
    }
    this.card.dataset.phase = cell.phase;
    const line = listing(this.settings).find(({ name }) => name === cell.name);
    const relation = cell.phase === "update" ? " ← " : " = ";
    const value = element("strong", {}, number(cell.value));
    this.card.replaceChildren(
      element(
        "p", { class: "bp-what" },
        element("span", { class: "bp-phase" }, this.texts.phases[cell.phase]),
        ` ${this.describe(cell)} `,
        element("span", { class: "bp-progress" }, this.progress()),
      ),
      element(
        "p", { class: "bp-equation" },
        element("span", {}, typeset(cell.symbol), relation, typeset(cell.formula)),
        element("span", {}, "= ", typeset(cell.substituted)),
        element("span", {}, "= ", value),
      ),
      element("p", { class: "bp-line" }, element("code", {}, line.text)),
    );
  }

  showCode() {
    const current = this.cells[this.done - 1]?.name;
    const lines = listing(this.settings).map(({ name, text }) => {
      const lit = name !== null && name === current;
      const line = element("span", { class: "bp-code-line", "data-line": name }, `${text}\n`);
      if (lit) line.setAttribute("aria-current", "step");
      return line;
    });
    this.code.replaceChildren(...lines);
    reveal(this.codeBox, this.code.querySelector("[aria-current]"));
  }

  showLedger() {
    const rows = this.cells.map((cell, position) => {
      const computed = position < this.done;
      const row = element(
        "li",
        {
          "data-cell": cell.key,
          "data-phase": cell.phase,
          "data-value": computed ? String(cell.value) : null,
          "aria-current": position === this.done - 1 ? "step" : null,
        },
        element(
          "span", { class: "bp-formula" },
          typeset(cell.symbol), cell.phase === "update" ? " ← " : " = ", typeset(cell.formula),
        ),
      );
      if (computed) {
        row.append(
          element("span", { class: "bp-substituted" }, "= ", typeset(cell.substituted)),
          element("span", { class: "bp-value" }, "= ", element("strong", {}, number(cell.value))),
        );
      }
      return row;
    });
    this.ledger.replaceChildren(...rows);
    reveal(this.ledgerBox, this.ledger.querySelector("[aria-current]") ?? rows[0]);
  }

  // ---- The drawing

  draw() {
    const wide = this.app.clientWidth >= WIDE;
    this.svg.replaceChildren();
    this.svg.classList.toggle("narrow", !wide);
    new Drawing(this, wide).draw();
  }
}

/** Scroll a box, and only the box, until the row is in the middle of it. */
function reveal(box, row) {
  if (row) box.scrollTop = row.offsetTop - (box.clientHeight - row.offsetHeight) / 2;
}

/** One picture of the network: from left to right, or from top to bottom on a phone. */
class Drawing {
  constructor(widget, wide) {
    this.svg = widget.svg;
    this.texts = widget.texts;
    this.wide = wide;
    this.N = widget.settings.batch;
    this.shared = widget.settings.shared;
    this.step = trainingStep(widget.settings);
    const done = widget.cells.slice(0, widget.done);
    this.known = new Set(done.map((cell) => cell.key));
    this.current = done.at(-1);
    this.now = new Set(this.current?.parts);
    this.line = wide ? 15.5 : 14;
  }

  draw() {
    const samples = [...Array(this.N).keys()];
    const unit = (j) => [
      this.parameter("b", "b_1", [j]),
      ...this.rows(samples, "a", "a_1", j, "forward"),
      ...this.rows(samples, "h", "h_1", j, "forward"),
      ...this.rows(samples, "∂J/∂h", "grad_h_1", j, "backward"),
      ...this.rows(samples, "δ", "delta_1", j, "backward"),
      this.gradient("∂J/∂b", "grad_b_1", [j]),
    ];
    const output = [
      this.parameter("b", "b_2", [0]),
      ...this.rows(samples, "a", "a_2", 0, "forward"),
      ...this.rows(samples, "ŷ", "h_2", 0, "forward"),
      ...this.rows(samples, "∂J/∂ŷ", "grad_h_2", 0, "backward"),
      ...this.rows(samples, "δ", "delta_2", 0, "backward"),
      this.gradient("∂J/∂b", "grad_b_2", [0]),
    ];
    const loss = [
      ...this.rows(samples, "y", "y", 0, "given"),
      { label: "J", key: "J", value: this.step.J, kind: "forward" },
    ];
    const input = (k) => this.rows(samples, "x", "x", k, "given");
    const tall = this.height(unit(0));
    const low = this.height(input(0));
    const place = this.wide ? this.across(tall, low) : this.down(tall, low);

    const ends = this.wide
      ? { from: (p) => [p.x + p.w / 2, p.y], to: (p) => [p.x - p.w / 2, p.y] }
      : { from: (p, h) => [p.x, p.y + h / 2], to: (p, h) => [p.x, p.y - h / 2] };
    for (const j of UNITS) {
      for (const k of [0, 1]) {
        this.edge(ends.from(place.input[k], low), ends.to(place.unit[j], tall), `W_1[${j}][${k}]`);
      }
      this.edge(ends.from(place.unit[j], tall), ends.to(place.output, tall), `W_2[0][${j}]`);
    }
    this.edge(
      [place.output.x + place.output.w / 2, place.output.y],
      [place.loss.x - place.loss.w / 2, place.loss.y], "loss",
    );
    for (const j of UNITS) {
      for (const k of [0, 1]) {
        const t = place.t[k];
        this.weight(ends.from(place.input[k], low), ends.to(place.unit[j], tall), t, "W_1", [j, k]);
      }
      this.weight(
        ends.from(place.unit[j], tall), ends.to(place.output, tall), place.t[2], "W_2", [0, j],
      );
    }
    for (const k of [0, 1]) {
      this.box(place.input[k], fill(this.texts.input, { k: k + 1 }), input(k), `x${k}`);
    }
    for (const j of UNITS) {
      this.box(place.unit[j], fill(this.texts.unit, { j: j + 1 }), unit(j), `unit${j}`);
    }
    this.box(place.output, this.texts.output, output, "output");
    this.box(place.loss, this.texts.loss, loss, "loss");
  }

  height(rows) {
    return (rows.length + 1) * this.line + 9;
  }

  across(tall, low) {
    const gap = Math.max(18, low / 2);
    const total = 3 * tall + 2 * gap + 8;
    const middle = total / 2;
    this.svg.setAttribute("viewBox", `0 0 760 ${total}`);
    return {
      input: [0, 1].map((k) => ({ x: 50, y: middle + (k - 0.5) * total * 0.42, w: 92 })),
      unit: UNITS.map((j) => ({ x: 338, y: middle + (j - 1) * (tall + gap), w: 134 })),
      output: { x: 570, y: middle, w: 134 },
      loss: { x: 709, y: middle, w: 96 },
      t: [0.7, 0.7, 0.45],
    };
  }

  down(tall, low) {
    const unit = 4 + low + 136 + tall / 2;
    const output = unit + tall + 84;
    this.svg.setAttribute("viewBox", `0 0 340 ${output + tall / 2 + 4}`);
    return {
      input: [0, 1].map((k) => ({ x: 110 + 120 * k, y: 4 + low / 2, w: 82 })),
      unit: UNITS.map((j) => ({ x: 57 + 113 * j, y: unit, w: 108 })),
      output: { x: 170, y: output, w: 116 },
      loss: { x: 293, y: output, w: 88 },
      t: [0.6, 0.9, 0.32],
    };
  }

  // Rows of a box. `kind` gives the colour, `key` is the scalar.

  rows(samples, label, name, column, kind) {
    return samples.map((i) => {
      const key = `${name}[${i}][${column}]`;
      return {
        key, kind, value: this.step[name][i][column],
        label: label + (this.N === 1 ? "" : ["⁽¹⁾", "⁽²⁾"][i]),
      };
    });
  }

  parameter(label, name, index) {
    const key = `new_${name}[${index[0]}]`;
    const changed = this.known.has(key);
    const value = at(this.step[changed ? `new_${name}` : name], index);
    return { label, value, key, kind: changed ? "update" : "given" };
  }

  gradient(label, name, index) {
    return { label, key: `${name}[${index[0]}]`, value: at(this.step[name], index), kind: "backward" };
  }

  box({ x, y, w }, title, rows, part) {
    const h = this.height(rows);
    const group = drawn("g", { class: `bp-box${this.now.has(part) ? " now" : ""}` });
    const left = x - w / 2;
    const top = y - h / 2;
    group.append(drawn("rect", { x: left, y: top, width: w, height: h, rx: 5 }));
    group.append(drawn("text", { x, y: top + this.line - 1, class: "title" }, title));
    rows.forEach((row, n) => {
      const line = top + this.line * (n + 2) - 1;
      const shown = row.kind === "given" || this.known.has(row.key);
      const now = this.current?.key === row.key ? " now" : "";
      const text = (where, anchor, content) =>
        group.append(
          drawn(
            "text", { x: where, y: line, "text-anchor": anchor, class: `${row.kind}${now}` }, content,
          ),
        );
      text(left + 6, "start", row.label);
      if (shown) text(left + w - 6, "end", (row.kind === "update" ? "→ " : "") + number(row.value, 4));
    });
    this.svg.append(group);
  }

  edge([x1, y1], [x2, y2], part) {
    const tied = this.shared && /^W_1\[[01]\]/.test(part) ? " tied" : "";
    const now = this.now.has(part) ? ` now ${this.current.phase}` : "";
    this.svg.append(drawn("line", { x1, y1, x2, y2, class: `bp-edge${tied}${now}` }));
  }

  /** A weight on its edge; below it, as soon as it is known, its gradient. */
  weight([x1, y1], [x2, y2], t, name, index) {
    const path = index.map((i) => `[${i}]`).join("");
    const x = x1 + t * (x2 - x1);
    const y = y1 + t * (y2 - y1);
    const changed = this.known.has(`new_${name}${path}`);
    const value = at(this.step[changed ? `new_${name}` : name], index);
    const summed = name === "W_1" && this.shared && index[0] < 2 && this.known.has(`grad_w[${index[1]}]`);
    const current = this.current?.key;
    const put = (dy, kind, key, content) => {
      const now = current === key ? " now" : "";
      this.svg.append(
        drawn("text", { x, y: y + dy, class: `bp-weight ${kind}${now}` }, content),
      );
    };
    put(-1, changed ? "update" : "given", `new_${name}${path}`, (changed ? "→" : "") + number(value, 4));
    if (summed) {
      const key = `grad_w[${index[1]}]`;
      put(11, "backward", key, `Σ ${number(this.step.grad_w[index[1]], 4)}`);
    } else if (this.known.has(`grad_${name}${path}`)) {
      put(11, "backward", `grad_${name}${path}`, number(at(this.step[`grad_${name}`], index), 4));
    }
  }
}

const container = document.getElementById("backward-pass");
if (container) new BackwardPass(container);
