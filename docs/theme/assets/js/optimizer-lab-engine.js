// "The optimizer lab": the arithmetic. Surfaces in two variables, and the update rules of
// bpref.optim in the same order of operations: only βᵗ may differ from Python's in the last digit
// (tests/site/test_optimizer_lab.py). Nothing here knows of the page.

/** A coordinate beyond this, or no number at all, ends a path: it has diverged. */
export const LIMIT = 1000;

// ---- Surfaces ----------------------------------------------------------------------------------
//
// `value` and `gradient` as in experiments/_surfaces.py; `lowest` is the value at the `minima`.
// `view` is [left, right, bottom, top], `levels` are the heights above `lowest` of the contour
// lines; start, steps and rates are what suits the surface.

const STEEP = 50; // the large curvature of the two valleys; the small one is 1

export const SURFACES = {
  valley: {
    value: (x, y) => 0.5 * (x * x + STEEP * y * y),
    gradient: (x, y) => [x, STEEP * y],
    minima: [[0, 0]],
    lowest: 0,
    view: [-3, 3, -3, 3],
    levels: [0.1, 0.5, 1.5, 4, 10, 25, 60, 120, 200],
    start: [-2.5, 1],
    steps: 100,
    rates: {
      sgd: 0.035, momentum: 0.01, nesterov: 0.01,
      adagrad: 0.5, rmsprop: 0.05, adam: 0.1, adamw: 0.1,
    },
  },
  tilted: {
    value: (x, y) => {
      const u = 0.8 * x + 0.6 * y;
      const v = 0.8 * y - 0.6 * x;
      return 0.5 * (u * u + STEEP * v * v);
    },
    gradient: (x, y) => {
      const u = 0.8 * x + 0.6 * y;
      const v = STEEP * (0.8 * y - 0.6 * x);
      return [0.8 * u - 0.6 * v, 0.6 * u + 0.8 * v];
    },
    minima: [[0, 0]],
    lowest: 0,
    view: [-3, 3, -3, 3],
    levels: [0.1, 0.5, 1.5, 4, 10, 25, 60, 120, 200],
    start: [-2.6, -0.7], // the start of the valley, turned
    steps: 100,
    rates: {
      sgd: 0.035, momentum: 0.01, nesterov: 0.01,
      adagrad: 0.5, rmsprop: 0.05, adam: 0.1, adamw: 0.1,
    },
  },
  rosenbrock: {
    value: (x, y) => {
      const r = y - x * x;
      return (1 - x) * (1 - x) + 100 * r * r;
    },
    gradient: (x, y) => {
      const r = y - x * x;
      return [-2 * (1 - x) - 400 * x * r, 200 * r];
    },
    minima: [[1, 1]],
    lowest: 0,
    view: [-2, 2, -1, 3],
    levels: [0.5, 1.5, 4, 10, 30, 100, 300, 1000],
    start: [-1.2, 1],
    steps: 300,
    rates: {
      sgd: 0.002, momentum: 0.001, nesterov: 0.001,
      adagrad: 1, rmsprop: 0.05, adam: 0.2, adamw: 0.2,
    },
  },
  himmelblau: {
    value: (x, y) => {
      const p = x * x + y - 11;
      const q = x + y * y - 7;
      return p * p + q * q;
    },
    gradient: (x, y) => {
      const p = x * x + y - 11;
      const q = x + y * y - 7;
      return [4 * x * p + 2 * q, 2 * p + 4 * y * q];
    },
    minima: [
      [3, 2], [-2.805118086952745, 3.131312518250573],
      [-3.779310253377747, -3.283185991286170], [3.584428340330492, -1.848126526964404],
    ],
    lowest: 0,
    view: [-6, 6, -6, 6],
    levels: [3, 10, 25, 50, 90, 150, 250, 450, 800],
    start: [0, -4.5],
    steps: 100,
    rates: {
      sgd: 0.01, momentum: 0.005, nesterov: 0.005,
      adagrad: 0.5, rmsprop: 0.05, adam: 0.3, adamw: 0.3,
    },
  },
  saddle: {
    value: (x, y) => 0.5 * x * x + 0.25 * y * y * y * y - 0.5 * y * y,
    gradient: (x, y) => [x, y * y * y - y],
    minima: [[0, 1], [0, -1]],
    lowest: -0.25,
    view: [-2, 2, -2, 2],
    levels: [0.03, 0.1, 0.2, 0.24, 0.3, 0.5, 0.9, 1.6, 2.6],
    start: [-1.8, 0.001],
    steps: 100,
    rates: {
      sgd: 0.1, momentum: 0.05, nesterov: 0.05,
      adagrad: 0.2, rmsprop: 0.02, adam: 0.05, adamw: 0.05,
    },
  },
  noisy: {
    value: (x, y) => 0.5 * (x * x + 4 * y * y),
    gradient: (x, y) => [x, 4 * y],
    minima: [[0, 0]],
    lowest: 0,
    view: [-3, 3, -3, 3],
    levels: [0.05, 0.2, 0.5, 1, 2, 4, 8, 14, 20],
    start: [-2.5, 2],
    steps: 200,
    rates: {
      sgd: 0.3, momentum: 0.03, nesterov: 0.03,
      adagrad: 0.5, rmsprop: 0.05, adam: 0.1, adamw: 0.1,
    },
    noisy: true,
  },
};

// ---- Noise -------------------------------------------------------------------------------------

/** Uniform numbers from 0 to below 1 of a 32-bit seed (mulberry32). */
function uniform(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 15), z | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Nearly normal numbers with mean 0 and variance 1: the sum of twelve uniform ones, minus 6.
 * Sums of such numbers are exact, logarithm and cosine are not: so they are the same everywhere.
 */
export function normal(seed) {
  const next = uniform(seed);
  return () => {
    let sum = 0;
    for (let i = 0; i < 12; i += 1) sum += next();
    return sum - 6;
  };
}

// ---- Update rules ------------------------------------------------------------------------------

/** g + decay · θ, which most rules take for the gradient. */
const decayed = (g, theta, decay) => (decay ? g.map((gi, i) => gi + decay * theta[i]) : g);

function sgd(options) {
  let velocity = null;
  return (theta, gradient) => {
    const g = decayed(gradient, theta, options.weight_decay);
    const { momentum = 0, dampening = 0, nesterov = false } = options;
    if (!momentum) return g;
    const first = velocity === null;
    velocity ??= [0, 0];
    velocity = velocity.map((v, i) => v * momentum + (first ? g[i] : (1 - dampening) * g[i]));
    return nesterov ? g.map((gi, i) => gi + momentum * velocity[i]) : velocity;
  };
}

function adagrad({ lr_decay, weight_decay, initial_accumulator_value, eps }) {
  let total = [initial_accumulator_value, initial_accumulator_value];
  return (theta, gradient, step) => {
    const g = decayed(gradient, theta, weight_decay);
    total = total.map((s, i) => s + g[i] * g[i]);
    return g.map((gi, i) => gi / (Math.sqrt(total[i]) + eps) / (1 + (step - 1) * lr_decay));
  };
}

function rmsprop({ alpha, eps, weight_decay, momentum, centered }) {
  let square = [0, 0];
  let mean = [0, 0];
  let velocity = [0, 0];
  return (theta, gradient) => {
    const g = decayed(gradient, theta, weight_decay);
    square = square.map((s, i) => s * alpha + (1 - alpha) * g[i] * g[i]);
    let spread = square;
    if (centered) {
      mean = mean.map((m, i) => m * alpha + (1 - alpha) * g[i]);
      spread = square.map((s, i) => Math.max(s - mean[i] * mean[i], 0));
    }
    const scaled = g.map((gi, i) => gi / (Math.sqrt(spread[i]) + eps));
    if (!momentum) return scaled;
    velocity = velocity.map((v, i) => v * momentum + scaled[i]);
    return velocity;
  };
}

function adaptive({ beta1, beta2, eps, amsgrad }) {
  let m = [0, 0];
  let v = [0, 0];
  let largest = [0, 0];
  return (gradient, step) => {
    m = m.map((mi, i) => mi * beta1 + (1 - beta1) * gradient[i]);
    v = v.map((vi, i) => vi * beta2 + (1 - beta2) * gradient[i] * gradient[i]);
    if (amsgrad) largest = largest.map((l, i) => Math.max(l, v[i]));
    const used = amsgrad ? largest : v;
    const correction1 = 1 - beta1 ** step;
    const correction2 = Math.sqrt(1 - beta2 ** step);
    return m.map((mi, i) => mi / correction1 / (Math.sqrt(used[i]) / correction2 + eps));
  };
}

function adam(options) {
  const rule = adaptive(options);
  return (theta, gradient, step) => rule(decayed(gradient, theta, options.weight_decay), step);
}

function adamw(options) {
  const rule = adaptive(options);
  return (theta, gradient, step) =>
    rule(gradient, step).map((d, i) => d + options.weight_decay * theta[i]);
}

const ADAM = { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0, amsgrad: false };

/** Each rule with its options and their defaults, those of bpref.optim; a momentum is 0.9. */
export const OPTIMIZERS = {
  sgd: { rule: sgd, options: { weight_decay: 0 } },
  momentum: { rule: sgd, options: { momentum: 0.9, dampening: 0, weight_decay: 0 } },
  nesterov: {
    rule: (options) => sgd({ ...options, nesterov: true }),
    options: { momentum: 0.9, weight_decay: 0 },
  },
  adagrad: {
    rule: adagrad,
    options: { lr_decay: 0, weight_decay: 0, initial_accumulator_value: 0, eps: 1e-10 },
  },
  rmsprop: {
    rule: rmsprop,
    options: { alpha: 0.99, eps: 1e-8, weight_decay: 0, momentum: 0, centered: false },
  },
  adam: { rule: adam, options: ADAM },
  adamw: { rule: adamw, options: { ...ADAM, weight_decay: 0.01 } },
};

/** Lowest and highest value of an option that is a number. */
export const RANGES = {
  momentum: [0, 0.999], dampening: [0, 1], weight_decay: [0, 1], lr_decay: [0, 1],
  initial_accumulator_value: [0, 100], eps: [1e-16, 1], alpha: [0, 0.9999],
  beta1: [0, 0.9999], beta2: [0, 0.9999],
};

// ---- A run -------------------------------------------------------------------------------------

/**
 * The path of one optimizer: points and losses from the start on, at most `steps` steps.
 * `diverged` is the step in which it left the limits, its last one; null if it did not.
 */
export function run(surface, optimizer, { lr, options, start, steps, noise, seed }) {
  const { value, gradient, noisy } = SURFACES[surface];
  const rule = OPTIMIZERS[optimizer].rule(options);
  const draw = normal(seed);
  let theta = start;
  const points = [theta];
  const losses = [value(...theta)];
  for (let step = 1; step <= steps; step += 1) {
    let g = gradient(...theta);
    if (noisy) g = g.map((gi) => gi + noise * draw());
    const direction = rule(theta, g, step);
    theta = theta.map((t, i) => t - direction[i] * lr);
    points.push(theta);
    losses.push(value(...theta));
    if (!theta.every((t) => Math.abs(t) <= LIMIT)) return { points, losses, diverged: step };
  }
  return { points, losses, diverged: null };
}

// ---- Contour lines -----------------------------------------------------------------------------

/**
 * For each level, line segments [x1, y1, x2, y2] on which a surface is that much above its lowest
 * value: marching squares on cells × cells squares. The root of the height is interpolated, which
 * on a quadratic is nearly straight.
 */
export function contours(surface, cells = 160) {
  const { value, lowest, view, levels } = SURFACES[surface];
  const [left, right, bottom, top] = view;
  const at = (i, j) => [
    left + ((right - left) * i) / cells, bottom + ((top - bottom) * j) / cells,
  ];
  const roots = [];
  for (let i = 0; i <= cells; i += 1) {
    roots.push([]);
    for (let j = 0; j <= cells; j += 1) {
      roots[i].push(Math.sqrt(Math.max(value(...at(i, j)) - lowest, 0)));
    }
  }

  /** Where the line crosses the edges of a square. */
  const crossings = (i, j, goal) => {
    const corners = [[i, j], [i + 1, j], [i + 1, j + 1], [i, j + 1]];
    const found = [];
    corners.forEach(([a, b], k) => {
      const [c, d] = corners[(k + 1) % 4];
      const from = roots[a][b] - goal;
      const to = roots[c][d] - goal;
      if (from < 0 === to < 0) return;
      const share = from / (from - to);
      const [x1, y1] = at(a, b);
      const [x2, y2] = at(c, d);
      found.push([x1 + share * (x2 - x1), y1 + share * (y2 - y1)]);
    });
    return found;
  };

  return levels.map((level) => {
    const segments = [];
    for (let i = 0; i < cells; i += 1) {
      for (let j = 0; j < cells; j += 1) {
        const found = crossings(i, j, Math.sqrt(level));
        // Four crossings are the middle of a saddle: either way of joining them is right.
        for (let k = 0; k + 1 < found.length; k += 2) segments.push([...found[k], ...found[k + 1]]);
      }
    }
    return segments;
  });
}
