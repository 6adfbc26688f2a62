// "The depth explorer": the view. Sliders and lists choose a kind of network; the chart, the
// results and the table show what was measured for it. Nothing is computed but the look-up.

import { about, network, verdict } from "./depth-explorer-engine.js";
import { drawn, element } from "./widget.js";

const HEIGHT = 300;
const LEFT = 58;
const RIGHT = 16;
const TOP = 14;
const BOTTOM = 46;
const PHONE = matchMedia("(max-width: 30em)");
const TICKS = [0.5, 1, 2, 5, 10, 20, 50];

const WORDS = {
  en: {
    label: "Depth explorer",
    depth: "Depth",
    width: "Width",
    activation: "Activation",
    init: "Initialization",
    norm: "Normalization before the activation",
    skip: "Skip connections",
    layers: (n) => `${n} layers`,
    units: (n) => `${n} units`,
    inits: {
      small: "N(0, 0.01²)", torch: "PyTorch default", xavier: "Xavier", he: "He",
      orthogonal: "orthogonal", unit: "N(0, 1)",
    },
    norms: { none: "none", batch: "batch norm", layer: "layer norm", rms: "RMS norm" },
    forward: "forward: size of h at the layer, over the input",
    backward: "backward: size of the gradient at the layer, over the last layer",
    signal: "Signal at the last layer",
    gradient: "Gradient at the input",
    range: (low, high, n) => [low, " to ", high, ` over ${n} seeds`],
    factor: "Factor per layer",
    vanishes: "The gradient vanishes.",
    explodes: "The gradient explodes.",
    stays: "The gradient keeps its size, within a factor of 1000.",
    chaotic: (n) =>
      `The gradient explodes, and rounding errors grow as fast: behind ${n} layers no value can ` +
      "be reproduced.",
    none: "not reproducible",
    axis: "layer",
    chart: (n, signal, gradient) =>
      `Two curves over ${n} layers, as powers of ten. The signal ends at ${signal} of the input; ` +
      `the gradient arrives at the input with ${gradient} of its size at the last layer.`,
    table: "All numbers of the chart",
    columns: ["layer", "size of h", "size of the gradient"],
  },
  zh: {
    label: "深度浏览器",
    depth: "深度",
    width: "宽度",
    activation: "激活函数",
    init: "初始化",
    norm: "激活之前的归一化",
    skip: "跳跃连接",
    layers: (n) => `${n} 层`,
    units: (n) => `${n} 个单元`,
    inits: {
      small: "N(0, 0.01²)", torch: "PyTorch 默认", xavier: "Xavier", he: "He",
      orthogonal: "正交", unit: "N(0, 1)",
    },
    norms: { none: "无", batch: "批归一化", layer: "层归一化", rms: "RMS 归一化" },
    forward: "前向：该层 h 的大小与输入之比",
    backward: "反向：该层梯度的大小与最后一层之比",
    signal: "最后一层的信号",
    gradient: "输入处的梯度",
    range: (low, high, n) => [`${n} 个种子：`, low, " 至 ", high],
    factor: "每层的倍数",
    vanishes: "梯度消失。",
    explodes: "梯度爆炸。",
    stays: "梯度大小基本不变，相差不超过 1000 倍。",
    chaotic: (n) => `梯度爆炸，舍入误差也以同样的速度增长：超过 ${n} 层，任何数值都无法重现。`,
    none: "无法重现",
    axis: "层",
    chart: (n, signal, gradient) =>
      `${n} 层上的两条曲线，以十的幂表示。信号最终为输入的 ${signal}；` +
      `梯度传到输入处时，是它在最后一层时的 ${gradient}。`,
    table: "图中的全部数值",
    columns: ["层", "h 的大小", "梯度的大小"],
  },
};
const ACTIVATIONS = {
  sigmoid: "sigmoid", tanh: "tanh", relu: "ReLU", leaky_relu: "LeakyReLU (0.01)", gelu: "GELU",
};

/** Two digits of a number that is given by its logarithm, as [mantissa, exponent]. */
function digits(level) {
  const [mantissa, exponent] = (10 ** (level - Math.floor(level))).toExponential(1).split("e");
  return [mantissa, Number(exponent) + Math.floor(level)];
}

/** The number in one line, for a screen reader and for small ranges. */
function plain(level, words) {
  if (level === null) return words.none;
  if (level === -Infinity) return "0";
  const [mantissa, exponent] = digits(level);
  if (exponent < -2 || exponent > 3) return `${mantissa}e${exponent}`;
  return (Number(mantissa) * 10 ** exponent).toFixed(Math.max(0, 1 - exponent));
}

/** The same with a power of ten as HTML. */
function typeset(level, words) {
  const text = plain(level, words);
  const [mantissa, exponent] = text.split("e");
  if (level === null || exponent === undefined) return element("span", {}, text);
  const power = element("sup", {}, exponent.replace("-", "\u2212"));
  return element("span", { class: "de-number" }, `${mantissa} × 10`, power);
}

class DepthExplorer {
  constructor(root) {
    this.words = WORDS[document.documentElement.lang.startsWith("zh") ? "zh" : "en"];
    const { words } = this;
    const [widths, inits, activations, norms] = about.names;
    this.depth = this.slider("depth", words.depth, about.depths.length, 2);
    this.width = this.slider("width", words.width, widths.length, 2);
    this.init = this.list("init", inits.map((name) => [name, words.inits[name]]), "torch");
    this.activation = this.list(
      "activation", activations.map((name) => [name, ACTIVATIONS[name]]), "relu",
    );
    this.norm = this.list("norm", norms.map((name) => [name, words.norms[name]]), "none");
    this.skip = element("input", { type: "checkbox", id: "de-skip" });
    this.shown = { depth: element("span"), width: element("span") };
    this.svg = drawn("svg", { role: "img" });
    this.out = Object.fromEntries(
      ["signal", "gradient", "factor"].map((name) => [name, element("dd", { "data-out": name })]),
    );
    this.range = element("dd", { "data-out": "range" });
    this.verdict = element("p", { class: "de-verdict", role: "status" });
    this.body = element("tbody");
    root.append(
      element(
        "div", { class: "de-controls", role: "group", "aria-label": words.label },
        this.field(this.depth, words.depth, this.shown.depth),
        this.field(this.width, words.width, this.shown.width),
        this.field(this.activation, words.activation),
        this.field(this.init, words.init),
        this.field(this.norm, words.norm),
        element("label", { class: "de-skip" }, this.skip, ` ${words.skip}`),
      ),
      this.verdict,
      element(
        "dl", {},
        element("dt", {}, words.gradient), this.out.gradient, this.range,
        element("dt", {}, words.factor), this.out.factor,
        element("dt", {}, words.signal), this.out.signal,
      ),
      element(
        "ul", { class: "widget-legend de-legend" },
        element("li", { class: "de-forward" }, words.forward),
        element("li", { class: "de-backward" }, words.backward),
      ),
      this.svg,
      element(
        "details", { class: "widget-fold" },
        element("summary", {}, words.table),
        element(
          "table", {},
          element(
            "thead", {},
            element(
              "tr", {},
              ...words.columns.map((column) => element("th", { scope: "col" }, column)),
            ),
          ),
          this.body,
        ),
      ),
    );
    for (const control of root.querySelectorAll("input, select")) {
      control.addEventListener("input", () => this.update());
    }
    PHONE.addEventListener("change", () => this.update());
    this.update();
    root.hidden = false;
  }

  slider(name, label, count, value) {
    return element("input", {
      type: "range", id: `de-${name}`, min: 0, max: count - 1, step: 1, value,
    });
  }

  list(name, options, chosen) {
    const made = element("select", { id: `de-${name}` });
    for (const [value, text] of options) made.append(element("option", { value }, text));
    made.value = chosen;
    return made;
  }

  field(control, label, shown) {
    const text = element("label", { for: control.id }, label);
    return element("div", { class: "de-field" }, text, control, ...(shown ? [shown] : []));
  }

  update() {
    const { words } = this;
    const depth = about.depths[Number(this.depth.value)];
    const width = about.names[0][Number(this.width.value)];
    const found = network(
      [
        width, this.init.value, this.activation.value, this.norm.value,
        this.skip.checked ? "skip" : "plain",
      ],
      depth,
    );
    this.name(this.depth, this.shown.depth, words.layers(depth));
    this.name(this.width, this.shown.width, words.units(Number(width.slice(1))));
    const signal = found.forward.at(-1);
    const gradient = found.backward[0];
    this.number(this.out.signal, signal);
    this.number(this.out.gradient, gradient);
    this.number(this.out.factor, gradient === null ? null : gradient / depth);
    const ends = [found.low, found.high].map((level) => typeset(level, words));
    this.range.replaceChildren(...(gradient === null ? [] : words.range(...ends, about.seeds)));
    this.range.dataset.low = found.low;
    this.range.dataset.high = found.high;
    const kind = verdict(gradient);
    this.verdict.dataset.verdict = kind;
    this.verdict.textContent =
      kind === "chaotic" ? words.chaotic(about.reproducible) : words[kind];
    this.svg.setAttribute(
      "aria-label", words.chart(depth, plain(signal, words), plain(gradient, words)),
    );
    this.draw(found, depth);
    this.body.replaceChildren(
      ...found.points.map((layer, k) =>
        element(
          "tr", {},
          element("th", { scope: "row" }, layer),
          element("td", {}, typeset(found.forward[k], words)),
          element("td", {}, typeset(found.backward[k], words)),
        ),
      ),
    );
  }

  name(slider, shown, text) {
    slider.setAttribute("aria-valuetext", text);
    shown.textContent = text;
  }

  number(out, level) {
    out.dataset.value = level;
    out.replaceChildren(typeset(level, this.words));
  }

  draw(found, depth) {
    const width = PHONE.matches ? 360 : 640;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    const values = [...found.forward, ...found.backward].filter(Number.isFinite);
    const reach = Math.max(...values) - Math.min(...values);
    const step = TICKS.find((tick) => reach / tick <= 6) ?? 100;
    const low = Math.min(-step, Math.floor(Math.min(...values) / step) * step);
    const high = Math.max(step, Math.ceil(Math.max(...values) / step) * step);
    const x = (layer) => LEFT + (layer / depth) * (width - LEFT - RIGHT);
    const y = (level) => TOP + ((high - level) / (high - low)) * (HEIGHT - TOP - BOTTOM);
    const parts = [];
    for (let level = low; level <= high; level += step) {
      const line = { x1: LEFT, x2: width - RIGHT, y1: y(level), y2: y(level) };
      parts.push(
        drawn("line", { ...line, class: level === 0 ? "zero" : "grid" }),
        drawn("text", { x: LEFT - 8, y: y(level) + 4, "text-anchor": "end" }, level),
      );
    }
    for (const layer of found.points) {
      parts.push(
        drawn("text", { x: x(layer), y: HEIGHT - BOTTOM + 20, "text-anchor": "middle" }, layer),
      );
    }
    const middle = (TOP + HEIGHT - BOTTOM) / 2;
    parts.push(
      drawn(
        "text",
        { x: (LEFT + width - RIGHT) / 2, y: HEIGHT - 5, "text-anchor": "middle" },
        this.words.axis,
      ),
      drawn(
        "text",
        {
          transform: `translate(14 ${middle}) rotate(-90)`, "text-anchor": "middle",
        },
        "log10",
      ),
    );
    for (const name of ["forward", "backward"]) {
      const points = found.points
        .map((layer, k) => [layer, found[name][k]])
        .filter(([, level]) => Number.isFinite(level));
      const line = points.map(([layer, level]) => `${x(layer)},${y(level)}`).join(" ");
      parts.push(drawn("polyline", { points: line, class: name }));
      for (const [layer, level] of points) {
        const mark = name === "forward" ? { r: 4.5 } : { r: 4 };
        parts.push(
          drawn("circle", {
            ...mark, cx: x(layer), cy: y(level), class: name,
            "data-layer": layer, "data-level": level,
          }),
        );
      }
    }
    this.svg.replaceChildren(...parts);
  }
}

for (const root of document.querySelectorAll("[data-depth-explorer]")) new DepthExplorer(root);
