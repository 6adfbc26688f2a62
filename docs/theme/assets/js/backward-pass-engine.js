// One training step of a 2-3-1 network, one scalar at a time. No page in here, only arithmetic.
//
// Names, shapes and order are those of bpref.trace: x (N, 2), W_1 (3, 2), b_1 (3), a_1 (N, 3), ...,
// samples as rows. The output is linear, the loss is J = 1/(2N) Σ (ŷ − y)².
//
// Settings: {x: [[, ], [, ]], y: [, ], W_1, b_1, W_2, b_2, activation, lr, batch, shared}.
// There are always two samples in them; `batch` (1 or 2) says how many are used. With `shared`,
// hidden unit 2 has the weights of hidden unit 1 (not its bias).

export const DEFAULTS = {
  x: [[0.5, -1], [1, 2]],
  y: [0.5, -1],
  W_1: [[0.4, -0.2], [-0.3, 0.8], [0.6, 0.1]],
  b_1: [0.1, 0.2, -0.1],
  W_2: [[0.7, -0.5, 0.9]],
  b_2: [0.3],
  activation: "tanh",
  lr: 0.1,
  batch: 1,
  shared: false,
};
export const LEAK = 0.01; // negative_slope of bpref and PyTorch

const HIDDEN = [0, 1, 2];
const INPUTS = [0, 1];

function sigmoid(a) {
  return a < 0 ? Math.exp(a) / (1 + Math.exp(a)) : 1 / (1 + Math.exp(-a));
}

// For each activation: the function, its backward rule (grad is ∂J/∂h), and both as text.
// `python` is the right side of the line of code.
export const ACTIVATIONS = {
  identity: {
    forward: (a) => a,
    backward: (grad) => grad,
    formula: (a) => a,
    slope: () => "1",
    slopeOf: () => "1",
    python: { forward: "a_1", backward: "grad_h_1" },
  },
  sigmoid: {
    forward: sigmoid,
    backward: (grad, a, h) => grad * h * (1 - h),
    formula: (a) => `1 / (1 + exp(−${bracket(a)}))`,
    slope: (a, h) => `${h} · (1 − ${h})`,
    slopeOf: (a, h) => `${number(h)} · (1 − ${number(h)})`,
    python: { forward: "1 / (1 + np.exp(-a_1))", backward: "grad_h_1 * h_1 * (1 - h_1)" },
  },
  tanh: {
    forward: Math.tanh,
    backward: (grad, a, h) => grad * (1 - h * h),
    formula: (a) => `tanh(${a})`,
    slope: (a, h) => `(1 − ${squared(h)})`,
    slopeOf: (a, h) => `(1 − ${squared(factor(h))})`,
    python: { forward: "np.tanh(a_1)", backward: "grad_h_1 * (1 - h_1**2)" },
  },
  relu: {
    forward: (a) => (a > 0 ? a : 0),
    backward: (grad, a) => (a > 0 ? grad : 0),
    formula: (a) => `max(${a}, 0)`,
    slope: (a) => `σ′(${a})`,
    slopeOf: (a) => (a > 0 ? "1" : "0"),
    python: { forward: "np.maximum(a_1, 0)", backward: "grad_h_1 * (a_1 > 0)" },
  },
  leaky_relu: {
    forward: (a) => (a > 0 ? a : LEAK * a),
    backward: (grad, a) => (a > 0 ? grad : LEAK * grad),
    formula: (a) => `max(${a}, ${LEAK} · ${bracket(a)})`,
    slope: (a) => `σ′(${a})`,
    slopeOf: (a) => (a > 0 ? "1" : String(LEAK)),
    python: {
      forward: `np.where(a_1 > 0, a_1, ${LEAK} * a_1)`,
      backward: `grad_h_1 * np.where(a_1 > 0, 1, ${LEAK})`,
    },
  },
};

// ---- The training step -----------------------------------------------------------------------

/** Every array of the step, by the names of bpref.trace; `grad_w` only with shared weights. */
export function trainingStep(settings) {
  const { b_1, W_2, b_2, lr, batch: N } = settings;
  const { forward, backward } = ACTIVATIONS[settings.activation];
  const samples = [...Array(N).keys()];
  const x = settings.x.slice(0, N);
  const y = settings.y.slice(0, N).map((one) => [one]);
  const W_1 = settings.W_1.map((row, j) => [...(settings.shared && j === 1 ? settings.W_1[0] : row)]);

  const a_1 = x.map((x_i) => HIDDEN.map((j) => x_i[0] * W_1[j][0] + x_i[1] * W_1[j][1] + b_1[j]));
  const h_1 = a_1.map((row) => row.map(forward));
  const a_2 = h_1.map((h) => [h[0] * W_2[0][0] + h[1] * W_2[0][1] + h[2] * W_2[0][2] + b_2[0]]);
  const h_2 = a_2.map((row) => [...row]);
  const J = sum(samples.map((i) => (h_2[i][0] - y[i][0]) ** 2)) / (2 * N);

  const grad_h_2 = samples.map((i) => [(h_2[i][0] - y[i][0]) / N]);
  const delta_2 = grad_h_2.map((row) => [...row]);
  const grad_W_2 = [HIDDEN.map((j) => sum(samples.map((i) => delta_2[i][0] * h_1[i][j])))];
  const grad_b_2 = [sum(samples.map((i) => delta_2[i][0]))];
  const grad_h_1 = samples.map((i) => HIDDEN.map((j) => delta_2[i][0] * W_2[0][j]));
  const delta_1 = samples.map((i) =>
    HIDDEN.map((j) => backward(grad_h_1[i][j], a_1[i][j], h_1[i][j])),
  );
  const grad_W_1 = HIDDEN.map((j) =>
    INPUTS.map((k) => sum(samples.map((i) => delta_1[i][j] * x[i][k]))),
  );
  const grad_b_1 = HIDDEN.map((j) => sum(samples.map((i) => delta_1[i][j])));

  // A weight that is used twice gets both gradients, and one update.
  const shared = settings.shared ? { grad_w: INPUTS.map((k) => grad_W_1[0][k] + grad_W_1[1][k]) } : {};
  const used = grad_W_1.map((row, j) => (settings.shared && j < 2 ? shared.grad_w : row));

  const descend = (value, gradient) => value - lr * gradient;
  return {
    x, y, W_1, b_1, W_2, b_2,
    a_1, h_1, a_2, h_2, J,
    grad_h_2, delta_2, grad_W_2, grad_b_2, grad_h_1, delta_1, grad_W_1, grad_b_1, ...shared,
    new_W_1: W_1.map((row, j) => row.map((value, k) => descend(value, used[j][k]))),
    new_b_1: b_1.map((value, j) => descend(value, grad_b_1[j])),
    new_W_2: [W_2[0].map((value, j) => descend(value, grad_W_2[0][j]))],
    new_b_2: [descend(b_2[0], grad_b_2[0])],
  };
}

/** The settings of the next step: the updated parameters in place of the old ones. */
export function continued(settings) {
  const { new_W_1, new_b_1, new_W_2, new_b_2 } = trainingStep(settings);
  return { ...settings, W_1: new_W_1, b_1: new_b_1, W_2: new_W_2, b_2: new_b_2 };
}

function sum(terms) {
  return terms.reduce((total, term) => total + term);
}

// ---- The same step as a list of scalars ------------------------------------------------------

/**
 * Every scalar of the step in the order in which it is computed:
 * {key, name, index, phase, value, symbol, formula, substituted, parts}.
 *
 * `symbol` and `formula` are text with _{…} and ^{…}; `parts` are the places in the drawing.
 */
export function cells(settings) {
  const step = trainingStep(settings);
  const { x, y, W_1, b_1, W_2, b_2, a_1, h_1, h_2 } = step;
  const { lr, batch: N, shared } = settings;
  const sigma = ACTIVATIONS[settings.activation];
  const samples = [...Array(N).keys()];
  const found = [];
  const symbols = symbolsFor(N, shared);

  function add(phase, name, index, formula, substituted, parts) {
    const value = index.reduce((array, i) => array[i], step[name]);
    const key = name + index.map((i) => `[${i}]`).join("");
    found.push({
      key, name, index, phase, value, formula, substituted, parts, symbol: symbols[name](...index),
    });
  }
  const s = symbols;
  const perSample = (text) => samples.map(text).join(" + ");

  for (const i of samples) {
    for (const j of HIDDEN) {
      add(
        "forward", "a_1", [i, j],
        `${s.W_1(j, 0)} ${s.x(i, 0)} + ${s.W_1(j, 1)} ${s.x(i, 1)} + ${s.b_1(j)}`,
        `${product(W_1[j][0], x[i][0])} + ${product(W_1[j][1], x[i][1])} + ${factor(b_1[j])}`,
        ["x0", "x1", `W_1[${j}][0]`, `W_1[${j}][1]`, `unit${j}`],
      );
    }
  }
  for (const i of samples) {
    for (const j of HIDDEN) {
      add(
        "forward", "h_1", [i, j],
        sigma.formula(s.a_1(i, j)), sigma.formula(number(a_1[i][j])), [`unit${j}`],
      );
    }
  }
  for (const i of samples) {
    add(
      "forward", "a_2", [i, 0],
      `${HIDDEN.map((j) => `${s.W_2(0, j)} ${s.h_1(i, j)}`).join(" + ")} + ${s.b_2(0)}`,
      `${HIDDEN.map((j) => product(W_2[0][j], h_1[i][j])).join(" + ")} + ${factor(b_2[0])}`,
      [...HIDDEN.map((j) => `W_2[0][${j}]`), "output"],
    );
  }
  for (const i of samples) {
    add("forward", "h_2", [i, 0], s.a_2(i, 0), number(h_2[i][0]), ["output"]);
  }
  {
    const whole = (terms) => (N === 1 ? `1/2 · ${terms[0]}` : `1/4 · (${terms.join(" + ")})`);
    add(
      "forward", "J", [],
      whole(samples.map((i) => squared(`(${s.h_2(i, 0)} − ${s.y(i, 0)})`))),
      whole(samples.map((i) => squared(`(${number(h_2[i][0])} − ${factor(y[i][0])})`))),
      ["output", "loss"],
    );
  }

  for (const i of samples) {
    const mean = (text) => (N === 1 ? text : `(${text}) / ${N}`);
    add(
      "backward", "grad_h_2", [i, 0],
      mean(`${s.h_2(i, 0)} − ${s.y(i, 0)}`),
      mean(`${number(h_2[i][0])} − ${factor(y[i][0])}`),
      ["loss", "output"],
    );
  }
  for (const i of samples) {
    add(
      "backward", "delta_2", [i, 0],
      `${s.grad_h_2(i, 0)} · 1`, `${number(step.grad_h_2[i][0])} · 1`, ["output"],
    );
  }
  for (const j of HIDDEN) {
    add(
      "backward", "grad_W_2", [0, j],
      perSample((i) => `${s.delta_2(i, 0)} ${s.h_1(i, j)}`),
      perSample((i) => product(step.delta_2[i][0], h_1[i][j])),
      ["output", `unit${j}`, `W_2[0][${j}]`],
    );
  }
  add(
    "backward", "grad_b_2", [0],
    perSample((i) => s.delta_2(i, 0)), perSample((i) => factor(step.delta_2[i][0])), ["output"],
  );
  for (const i of samples) {
    for (const j of HIDDEN) {
      add(
        "backward", "grad_h_1", [i, j],
        `${s.delta_2(i, 0)} ${s.W_2(0, j)}`, product(step.delta_2[i][0], W_2[0][j]),
        ["output", `W_2[0][${j}]`, `unit${j}`],
      );
    }
  }
  for (const i of samples) {
    for (const j of HIDDEN) {
      add(
        "backward", "delta_1", [i, j],
        `${s.grad_h_1(i, j)} · ${sigma.slope(s.a_1(i, j), s.h_1(i, j))}`,
        `${factor(step.grad_h_1[i][j])} · ${sigma.slopeOf(a_1[i][j], h_1[i][j])}`,
        [`unit${j}`],
      );
    }
  }
  for (const j of HIDDEN) {
    for (const k of INPUTS) {
      add(
        "backward", "grad_W_1", [j, k],
        perSample((i) => `${s.delta_1(i, j)} ${s.x(i, k)}`),
        perSample((i) => product(step.delta_1[i][j], x[i][k])),
        [`unit${j}`, `x${k}`, `W_1[${j}][${k}]`],
      );
    }
  }
  for (const j of HIDDEN) {
    add(
      "backward", "grad_b_1", [j],
      perSample((i) => s.delta_1(i, j)), perSample((i) => factor(step.delta_1[i][j])), [`unit${j}`],
    );
  }
  if (shared) {
    for (const k of INPUTS) {
      add(
        "backward", "grad_w", [k],
        `${s.grad_W_1(0, k)} + ${s.grad_W_1(1, k)}`,
        `${factor(step.grad_W_1[0][k])} + ${factor(step.grad_W_1[1][k])}`,
        [`W_1[0][${k}]`, `W_1[1][${k}]`],
      );
    }
  }

  function update(name, index, old, gradient, gradientSymbol, parts) {
    add(
      "update", `new_${name}`, index,
      `${s[name](...index)} − η · ${gradientSymbol}`,
      `${number(old)} − ${number(lr)} · ${factor(gradient)}`,
      parts,
    );
  }
  for (const j of HIDDEN) {
    for (const k of INPUTS) {
      const tied = shared && j < 2;
      update(
        "W_1", [j, k], W_1[j][k],
        tied ? step.grad_w[k] : step.grad_W_1[j][k],
        tied ? s.grad_w(k) : s.grad_W_1(j, k),
        [`W_1[${j}][${k}]`],
      );
    }
  }
  for (const j of HIDDEN) {
    update("b_1", [j], b_1[j], step.grad_b_1[j], s.grad_b_1(j), [`unit${j}`]);
  }
  for (const j of HIDDEN) {
    update("W_2", [0, j], W_2[0][j], step.grad_W_2[0][j], s.grad_W_2(0, j), [`W_2[0][${j}]`]);
  }
  update("b_2", [0], b_2[0], step.grad_b_2[0], s.grad_b_2(0), ["output"]);
  return found;
}

/** How each scalar is written on the page, as text with _{…} and ^{…}; indices from 0. */
export function symbolsFor(N, shared) {
  const sample = (i) => (N === 1 ? "" : `^{(${i + 1})}`);
  const s = {
    x: (i, k) => `x_{${k + 1}}${sample(i)}`,
    y: (i) => `y${sample(i)}`,
    W_1: (j, k) => (shared && j < 2 ? `w_{${k + 1}}` : `W_{1,${j + 1}${k + 1}}`),
    b_1: (j) => `b_{1,${j + 1}}`,
    W_2: (r, j) => `W_{2,1${j + 1}}`,
    b_2: () => "b_{2}",
    a_1: (i, j) => `a_{1,${j + 1}}${sample(i)}`,
    h_1: (i, j) => `h_{1,${j + 1}}${sample(i)}`,
    a_2: (i) => `a_{2}${sample(i)}`,
    h_2: (i) => `ŷ${sample(i)}`,
    J: () => "J",
    delta_1: (i, j) => `δ_{1,${j + 1}}${sample(i)}`,
    delta_2: (i) => `δ_{2}${sample(i)}`,
    grad_w: (k) => `∂J/∂w_{${k + 1}}`,
    // Of each place by itself, even where one weight stands in two places.
    grad_W_1: (j, k) => `∂J/∂W_{1,${j + 1}${k + 1}}`,
  };
  for (const name of ["h_1", "h_2", "b_1", "W_2", "b_2"]) {
    s[`grad_${name}`] = (...index) => `∂J/∂${s[name](...index)}`;
  }
  for (const name of ["W_1", "b_1", "W_2", "b_2"]) {
    s[`new_${name}`] = s[name];
  }
  return s;
}

// ---- The same step as a program --------------------------------------------------------------

/** Lines of a NumPy program that computes all of it: {name, text}; name is that of its cells. */
export function listing(settings) {
  const { x, y, W_1, b_1, W_2, b_2 } = trainingStep(settings);
  const { forward, backward } = ACTIVATIONS[settings.activation].python;
  const given = (name, array) => ({ name, text: `${name} = np.array(${python(array)})` });
  const line = (name, text) => ({ name, text: `${name} = ${text}` });
  const plain = (text) => ({ name: null, text });
  return [
    plain("import numpy as np"),
    plain(""),
    given("x", x),
    given("y", y),
    given("W_1", W_1),
    given("b_1", b_1),
    given("W_2", W_2),
    given("b_2", b_2),
    plain(`lr, N = ${settings.lr}, len(x)`),
    plain(""),
    plain("# Forward"),
    line("a_1", "x @ W_1.T + b_1"),
    line("h_1", forward),
    line("a_2", "h_1 @ W_2.T + b_2"),
    line("h_2", "a_2  # the prediction"),
    line("J", "np.sum((h_2 - y) ** 2) / (2 * N)"),
    plain(""),
    plain("# Backward"),
    line("grad_h_2", "(h_2 - y) / N"),
    line("delta_2", "grad_h_2"),
    line("grad_W_2", "delta_2.T @ h_1"),
    line("grad_b_2", "delta_2.sum(axis=0)"),
    line("grad_h_1", "delta_2 @ W_2"),
    line("delta_1", backward),
    line("grad_W_1", "delta_1.T @ x"),
    line("grad_b_1", "delta_1.sum(axis=0)"),
    ...(settings.shared ? [line("grad_w", "grad_W_1[0] + grad_W_1[1]")] : []),
    plain(""),
    plain("# Update"),
    ...(settings.shared ? [plain("grads = np.array([grad_w, grad_w, grad_W_1[2]])")] : []),
    line("new_W_1", settings.shared ? "W_1 - lr * grads" : "W_1 - lr * grad_W_1"),
    line("new_b_1", "b_1 - lr * grad_b_1"),
    line("new_W_2", "W_2 - lr * grad_W_2"),
    line("new_b_2", "b_2 - lr * grad_b_2"),
  ];
}

function python(value) {
  if (Array.isArray(value)) {
    return `[${value.map(python).join(", ")}]`;
  }
  return Number.isInteger(value) && Math.abs(value) < 1e15 ? value.toFixed(1) : String(value);
}

// ---- Numbers as text -------------------------------------------------------------------------

/** A number to at most `digits` decimals; very large and very small ones with a power of ten. */
export function number(value, digits = 6) {
  let text;
  const size = Math.abs(value);
  if (value === 0) {
    text = "0";
  } else if (size < 10 ** (1 - digits) || size >= 1e5) {
    text = value.toExponential(Math.max(1, digits - 3)).replace("e+", "e");
  } else {
    const decimals = Math.max(1, digits - Math.max(0, Math.floor(Math.log10(size))));
    text = String(Number(value.toFixed(decimals)));
  }
  return text.replaceAll("-", "−");
}

/** A number inside a product or a sum: negative ones in brackets. */
function factor(value) {
  return value < 0 ? `(${number(value)})` : number(value);
}

function product(a, b) {
  return `${factor(a)} · ${factor(b)}`;
}

function squared(text) {
  return text.includes("^") && !text.startsWith("(") ? `(${text})^{2}` : `${text}^{2}`;
}

/** Text behind a minus or a dot: a negative number in brackets, a symbol as it is. */
function bracket(text) {
  return text.startsWith("−") ? `(${text})` : text;
}
