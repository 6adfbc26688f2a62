"""Cost and memory by counting: one layer, a network, paths, differences, checkpoints.

Claims, and how each is measured (multiply-adds by ``bpref.cost.Counter``; nothing is timed):

* ``layer``: one linear layer with tanh, forward and backward, product by product.
* ``formula``: over random networks the counted products equal the formulas exactly.
* ``ratio``: backward over forward against depth and width, with and without the elementwise
  products.
* ``paths``: the error signal of the first layer summed over every path, and by reuse.
* ``differences``: all partial derivatives by central differences, really run.
* ``memory``: activations that wait for the backward pass, and parameters.
* ``checkpoints``: training steps that really compute activations again, with segments of the
  square root of the depth and by halving; peak of the arrays alive, layers computed.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

import bpref.functional as F
from bpref.cost import Counter
from experiments import style
from experiments._claim import Claim
from experiments._ranges import bound

WORKED = (
    "layer.N",
    "layer.d",
    "layer.m",
    "paths.width",
    "paths.depths*",
    "paths.draws",
    "differences.draws",
    "checkpoints.depths*",
    "checkpoints.draws",
)
CLAIMS = (
    Claim(
        id="cost-and-memory-one-layer",
        en="In a linear layer the forward product and each of the two backward products take the "
        "same number of multiply-adds, for the layer of the page "
        "{{ cost_and_memory.layer.linear }}; tanh takes {{ cost_and_memory.layer.tanh }} forward "
        "and two for each output backward.",
        zh="线性层里，前向的乘积与反向的两个乘积，乘加次数都相同，对文中的那一层各是 "
        "{{ cost_and_memory.layer.linear }} 次；tanh 前向要 {{ cost_and_memory.layer.tanh }} 次，"
        "反向时每个输出要两次。",
        criterion="layer.linear == layer.weights == layer.inputs == layer.N * layer.d * layer.m "
        "and layer.linear_backward == 2 * layer.linear and layer.tanh == 0 and layer.tanh_backward "
        "== 2 * layer.N * layer.m",
        covers=("layer.*",),
        exact="count",
    ),
    Claim(
        id="cost-and-memory-formulas-exact",
        en="The multiply-adds counted in {{ cost_and_memory.formula.networks }} random networks "
        "equal the formulas exactly; $B / F$ lies between {{ cost_and_memory.formula.min | .2f }} "
        "and {{ cost_and_memory.formula.max | .2f }}, and no step takes more than $3 N P$.",
        zh="在 {{ cost_and_memory.formula.networks }} 个随机网络里数出的乘加次数与公式完全相等；$B "
        "/ F$ 介于 {{ cost_and_memory.formula.min | .2f }} "
        "与 {{ cost_and_memory.formula.max | .2f }} 之间，没有一步超过 $3 N P$ 次。",
        criterion="formula.equal and 1 <= formula.min and formula.max < 2 and "
        "formula.per_parameter <= 3",
        covers=("formula.*",),
        runs="formula.networks",
        spread=("formula.min", "formula.max"),
        figure="cost_and_memory",
    ),
    Claim(
        id="cost-and-memory-ratio-tends-to-two",
        en="With equal widths the counted ratio of the matrix products, backward to forward, is "
        r"$2 - \frac{1}{L}$ whatever the width. What the slopes of the activations add to it "
        "shrinks with the width. In 784-128-10 the ratio is only "
        "{{ cost_and_memory.ratio.digits.products | .3f }}.",
        zh=r"各层宽度相等时，数出的矩阵乘积之比（反向比前向）是 $2 - \frac{1}{L}$，与宽度无关。乘"
        "激活函数的斜率也使它增大一点，层越宽，增大得越少。在 784-128-10 中，这个比值只有 "
        "{{ cost_and_memory.ratio.digits.products | .3f }}。",
        criterion="ratio.products == [2 - 1 / L for L in ratio.depths] and "
        "min(ratio.products_by_width) == max(ratio.products_by_width) and ratio.by_width == "
        "sorted(ratio.by_width)[::-1] and ratio.digits.products < 1.1 and 2 - 1 / 8 < "
        "ratio.by_width[5] < 2",
        covers=("ratio.*",),
        exact="count",
        figure="cost_and_memory",
    ),
    Claim(
        id="cost-and-memory-every-path",
        en="With every path one by one, the multiplications for $\\delta_1$ grow more than "
        "ninefold with two more layers of width {{ cost_and_memory.paths.width }}, to "
        "{{ cost_and_memory.paths.naive[4] | , }} in {{ cost_and_memory.paths.depths[4] }} layers; "
        "backpropagation adds {{ cost_and_memory.paths.reuse_more }} and needs "
        "{{ cost_and_memory.paths.reuse[4] }}. Both give the same $\\delta_1$ in every draw.",
        zh="逐条路径计算时，宽度为 {{ cost_and_memory.paths.width }} 的网络每多两层，求 "
        "$\\delta_1$ 的乘法次数就变为九倍以上，{{ cost_and_memory.paths.depths[4] }} 层时达到 "
        "{{ cost_and_memory.paths.naive[4] | , }} 次；反向传播只增加 "
        "{{ cost_and_memory.paths.reuse_more }} 次，共 {{ cost_and_memory.paths.reuse[4] }} 次。"
        "每次抽样，两者得到的 $\\delta_1$ 都相同。",
        criterion="all(paths.naive[k + 1] > 9 * paths.naive[k] for k in (0, 1, 2, 3)) and "
        "all(paths.reuse[k + 1] - paths.reuse[k] == paths.reuse_more for k in (0, 1, 2, 3)) and "
        "paths.paths == [paths.width**L for L in paths.depths] and paths.difference <= 1e-10",
        covers=(
            "paths.paths*",
            "paths.naive*",
            "paths.reuse*",
            "paths.difference",
        ),
        exact="count",
    ),
    Claim(
        id="cost-and-memory-differences-quadratic",
        en="Central differences take two forward passes for each parameter, so the cost is "
        "quadratic: its ratio to the cost of backpropagation, divided by the number of "
        "parameters, stays about the same. In the widest network, with "
        "{{ cost_and_memory.differences.w16.parameters }} parameters, the ratio is "
        "{{ cost_and_memory.differences.w16.ratio | .0f }}. Both gradients agree within "
        "${{ cost_and_memory.differences.w16.within | sci0 }}$.",
        zh="中心差分对每个参数要两次前向，所以计算量是平方级的：它与反向传播之比再除以参数个数，基"
        "本不变；最宽的网络有 {{ cost_and_memory.differences.w16.parameters }} 个参数，比值是 "
        "{{ cost_and_memory.differences.w16.ratio | .0f }}。两种梯度的差别不到 "
        "${{ cost_and_memory.differences.w16.within | sci0 }}$。",
        criterion="all(row.passes == 2 * row.parameters and row.central == row.passes * "
        "row.forward and row.same_counts and row.within <= 1e-6 and 0.6 < row.ratio / "
        "row.parameters < 0.8 for row in (differences.w4, differences.w8, differences.w16))",
        covers=("differences.w*",),
        exact="count",
    ),
    Claim(
        id="cost-and-memory-stored-activations",
        en="The stored activations grow in proportion to the batch, and the parameters, "
        "{{ cost_and_memory.memory.parameters | , }}, do not grow; from a batch of "
        "{{ cost_and_memory.memory.batch_equal }} on, the activations are more.",
        zh="保存的激活值与批量成正比，而 {{ cost_and_memory.memory.parameters | , }} "
        "个参数不随批量增长；批量从 {{ cost_and_memory.memory.batch_equal }} 起，"
        "激活值的个数超过参数。",
        criterion="[memory.rows.n32, memory.rows.n64, memory.rows.n256] == [N * memory.rows.n1 for "
        "N in (32, 64, 256)] and (memory.batch_equal - 1) * memory.rows.n1 <= memory.parameters < "
        "memory.batch_equal * memory.rows.n1",
        covers=("memory.*",),
        exact="count",
    ),
    Claim(
        id="cost-and-memory-checkpoints-counted",
        en="Of {{ cost_and_memory.checkpoints.depths[3] }} layers, a step that stores everything "
        "holds {{ cost_and_memory.checkpoints.all[3] }} arrays; segments of $\\sqrt L$ layers hold "
        "{{ cost_and_memory.checkpoints.root[3] }} and compute "
        "{{ cost_and_memory.checkpoints.again[3] }} layers again, and halving holds "
        "{{ cost_and_memory.checkpoints.halving[3] }} and computes "
        "{{ cost_and_memory.checkpoints.again2[3] }} again. With segments every array saved is one "
        "layer computed again.",
        zh="{{ cost_and_memory.checkpoints.depths[3] }} 层时，全部保存的训练步要 "
        "{{ cost_and_memory.checkpoints.all[3] }} 个数组；每段 $\\sqrt L$ 层时要 "
        "{{ cost_and_memory.checkpoints.root[3] }} 个，重算 "
        "{{ cost_and_memory.checkpoints.again[3] }} 层；逐次对半只要 "
        "{{ cost_and_memory.checkpoints.halving[3] }} 个，重算 "
        "{{ cost_and_memory.checkpoints.again2[3] }} 层。分段时，每省下一个数组就要重算一层。",
        criterion="checkpoints.all == [L + 1 for L in checkpoints.depths] and "
        "all(checkpoints.root[k] ** 2 == 4 * checkpoints.depths[k] and checkpoints.root[k] + "
        "checkpoints.again[k] == checkpoints.depths[k] + 1 and 2 ** (checkpoints.halving[k] - 2) "
        "== checkpoints.depths[k] and checkpoints.again2[k] == checkpoints.depths[k] // 2 * "
        "(checkpoints.halving[k] - 4) + 1 for k in (0, 1, 2, 3))",
        covers=(
            "checkpoints.all*",
            "checkpoints.root*",
            "checkpoints.again*",
            "checkpoints.halving*",
        ),
        exact="count",
        figure="cost_and_memory_checkpoints",
    ),
    Claim(
        id="cost-and-memory-checkpoints-same-gradients",
        en="Segments and halving give the same gradients as without checkpoints, to the last bit: "
        "at every depth and in every draw of the weights the largest difference is "
        "{{ cost_and_memory.checkpoints.difference.most | .1f }}.",
        zh="分段与逐次对半得到的梯度与不设检查点时逐位相同：在每种深度、每次抽取的权重下，"
        "最大相差都是 {{ cost_and_memory.checkpoints.difference.most | .1f }}。",
        criterion="checkpoints.difference.most == 0",
        covers=("checkpoints.difference.*",),
        exact="deterministic",
    ),
    Claim(
        id="cost-and-memory-unequal-segments",
        en="Nine layers in segments of 1, 1, 1, 1 and 5 hold "
        "{{ cost_and_memory.checkpoints.nine.rest.peak }} arrays, as many as without checkpoints; "
        "in segments of 2, 2, 2, 2 and 1 they hold "
        "{{ cost_and_memory.checkpoints.nine.equal.peak }} and compute "
        "{{ cost_and_memory.checkpoints.nine.equal.again }} layers again.",
        zh="九层分成 1、1、1、1、5 五段，要 {{ cost_and_memory.checkpoints.nine.rest.peak }} "
        "个数组，与不设检查点一样多；分成 2、2、2、2、1，则只要 "
        "{{ cost_and_memory.checkpoints.nine.equal.peak }} 个，重算 "
        "{{ cost_and_memory.checkpoints.nine.equal.again }} 层。",
        criterion="checkpoints.nine.rest.peak == checkpoints.nine.one.peak and "
        "checkpoints.nine.equal.peak < checkpoints.nine.rest.peak",
        covers=("checkpoints.nine.*",),
        exact="count",
    ),
)


Array = NDArray[np.float64]


def network(widths: list[int], seed: int = 0) -> list[tuple[Array, Array]]:
    """Weights and biases of a network with these numbers of units, input first."""
    rng = np.random.default_rng(seed)
    pairs = itertools.pairwise(widths)
    return [(rng.normal(size=(m, d)) / d**0.5, 0.1 * rng.normal(size=m)) for d, m in pairs]


def forward(layers: list[tuple[Array, Array]], X: Array) -> list[Array]:
    """H_0 = X, then tanh layers; the last layer has no activation."""
    H = [X]
    for number, (W, b) in enumerate(layers, 1):
        A = H[-1] @ W.T + b
        H.append(np.tanh(A) if number < len(layers) else A)
    return H


def loss(layers: list[tuple[Array, Array]], X: Array, Y: Array) -> float:
    """Half mean squared error."""
    return float(np.sum((np.asarray(forward(layers, X)[-1]) - Y) ** 2) / (2 * len(X)))


def count(widths: list[int], N: int) -> dict[str, int]:
    """One training step on counting arrays; products of matrices and elementwise ones apart."""
    rng = np.random.default_rng(1)
    layers = network(widths)
    Y = rng.normal(size=(N, widths[-1]))
    counter = Counter()
    H = forward(layers, counter.watch(rng.normal(size=(N, widths[0]))))
    counted = {"forward": counter.multiply_adds, "weights": 0, "inputs": 0, "slopes": 0}
    Delta = (H[-1] - Y) / N
    for number in range(len(layers), 0, -1):
        before = counter.multiply_adds
        Delta.T @ H[number - 1]
        counted["weights"] += counter.multiply_adds - before
        if number == 1:
            break  # nobody needs the gradient of X
        before = counter.multiply_adds
        below = Delta @ layers[number - 1][0]
        counted["inputs"] += counter.multiply_adds - before
        before = counter.multiply_adds
        Delta = below * (1.0 - H[number - 1] * H[number - 1])
        counted["slopes"] += counter.multiply_adds - before
    counted["backward"] = counted["weights"] + counted["inputs"] + counted["slopes"]
    counted["stored"] = sum(h.size for h in H)
    counted["parameters"] = sum(W.size + b.size for W, b in layers)
    return counted


def layer(N: int = 4, d: int = 3, m: int = 2) -> dict[str, int]:
    """One linear layer with tanh, by the functions of the package."""
    rng = np.random.default_rng(0)
    counter = Counter()
    counts = {"N": N, "d": d, "m": m}

    def add(key: str) -> None:
        counts[key] = counter.multiply_adds
        counter.multiply_adds = 0

    X, W = counter.watch(rng.normal(size=(N, d))), rng.normal(size=(m, d))
    A, cache = F.linear(X, W, np.zeros(m))
    add("linear")
    H, cache_tanh = F.tanh(A)
    add("tanh")
    Delta = F.tanh_backward(counter.watch(rng.normal(size=H.shape)), cache_tanh)
    add("tanh_backward")
    F.linear_backward(Delta, cache)
    add("linear_backward")
    Delta.T @ X
    add("weights")
    Delta @ W
    add("inputs")
    return counts


def formula(networks: int = 50) -> dict[str, Any]:
    """Whether the counts equal the formulas of the page."""
    rng = np.random.default_rng(2)
    equal = True
    ratios, layers, per_parameter = [], [], 0.0
    for _ in range(networks):
        N = int(rng.integers(1, 9))
        n = [int(k) for k in rng.integers(1, 20, size=int(rng.integers(2, 8)))]
        counted = count(n, N)
        products = sum(a * b for a, b in itertools.pairwise(n))
        equal &= counted["forward"] == N * products
        equal &= counted["weights"] == N * products
        equal &= counted["inputs"] == N * (products - n[0] * n[1])
        equal &= counted["slopes"] == 2 * N * sum(n[1:-1])
        equal &= counted["stored"] == N * sum(n)
        ratios.append((counted["weights"] + counted["inputs"]) / counted["forward"])
        layers.append(len(n) - 1)
        step = counted["forward"] + counted["backward"]
        per_parameter = max(per_parameter, step / (N * counted["parameters"]))
    return {
        "networks": networks,
        "equal": equal,
        "max": max(ratios),
        "min": min(ratios),
        "ratios": ratios,
        "layers": layers,
        "per_parameter": per_parameter,
    }


def ratio(N: int = 2) -> dict[str, Any]:
    """Backward over forward for square layers."""
    depths, widths = [1, 2, 4, 8, 16, 32], [4, 8, 16, 32, 64, 128]

    def of(width: int, depth: int) -> tuple[float, float]:
        c = count([width] * (depth + 1), N)
        return (c["weights"] + c["inputs"]) / c["forward"], c["backward"] / c["forward"]

    digits = count([784, 128, 10], 64)
    return {
        "depths": depths,
        "widths": widths,
        "products": [of(16, depth)[0] for depth in depths],
        "all": {f"w{w}": [of(w, depth)[1] for depth in depths] for w in (4, 16, 128)},
        "by_width": [of(w, 8)[1] for w in widths],
        "products_by_width": [of(w, 8)[0] for w in widths],
        "digits": {
            **digits,
            "ratio": digits["backward"] / digits["forward"],
            "products": (digits["weights"] + digits["inputs"]) / digits["forward"],
        },
    }


def paths(width: int, layers: int, seed: int) -> dict[str, Any]:
    """All of delta_1 for J = sum of the last activations: every path, and by reuse."""
    rng = np.random.default_rng([3, seed])
    weights = [rng.normal(size=(width, width)) / width**0.5 for _ in range(layers)]
    h, slopes = rng.normal(size=width), []
    for W in weights:
        h = np.tanh(W @ h)
        slopes.append(1 - h**2)
    W_lists, s_lists = [W.tolist() for W in weights], [s.tolist() for s in slopes]
    naive, total = 0, [0.0] * width
    for path in itertools.product(range(width), repeat=layers):
        factor = s_lists[0][path[0]]
        for number in range(1, layers):
            factor *= W_lists[number][path[number]][path[number - 1]]
            factor *= s_lists[number][path[number]]
            naive += 2
        total[path[0]] += factor
    counter = Counter()
    delta = counter.watch(slopes[-1])
    for number in range(layers - 1, 0, -1):
        delta = slopes[number - 1] * (weights[number].T @ delta)
    return {
        "paths": width**layers,
        "naive": naive,
        "reuse": counter.multiply_adds,
        "difference": float(np.abs(np.asarray(delta) - total).max()),
    }


def gradients(layers: list[tuple[Array, Array]], X: Array, Y: Array) -> list[Array]:
    """Backpropagation, in the order W_1, b_1, W_2, ..."""
    H = forward(layers, X)
    Delta = (H[-1] - Y) / len(X)
    found: list[Array] = []
    for number in range(len(layers), 0, -1):
        found = [Delta.T @ H[number - 1], Delta.sum(axis=0), *found]
        Delta = (Delta @ layers[number - 1][0]) * (1 - H[number - 1] ** 2)
    return found


def differences(widths: list[int], seed: int = 0, N: int = 4) -> dict[str, Any]:
    """Central differences for every parameter, on counting arrays."""
    rng = np.random.default_rng([4, seed])
    layers = network(widths, seed)
    X, Y = rng.normal(size=(N, widths[0])), rng.normal(size=(N, widths[-1]))
    step = count(widths, N)
    exact = gradients(layers, X, Y)
    counter = Counter()
    watched = counter.watch(X)
    passes, worst = 0, 0.0
    for parameter, gradient in zip(itertools.chain(*layers), exact, strict=True):
        for index in np.ndindex(parameter.shape):
            keep, values = parameter[index], []
            for moved in (keep + 1e-5, keep - 1e-5):
                parameter[index] = moved
                values.append(loss(layers, watched, Y))
                passes += 1
            parameter[index] = keep
            worst = max(worst, abs((values[0] - values[1]) / 2e-5 - float(gradient[index])))
    return {
        "parameters": step["parameters"],
        "passes": passes,
        "backprop": step["forward"] + step["backward"],
        "central": counter.multiply_adds,
        "ratio": counter.multiply_adds / (step["forward"] + step["backward"]),
        "forward": step["forward"],
        "worst": worst,
    }


def all_differences(draws: int = 5) -> dict[str, Any]:
    """Three widths, several draws each; the counts are the same in every draw."""
    found: dict[str, Any] = {"draws": draws}
    for n in (4, 8, 16):
        rows = [differences([n] * 4, seed) for seed in range(draws)]
        worst = max(row.pop("worst") for row in rows)
        found[f"w{n}"] = {**rows[0], "same_counts": all(row == rows[0] for row in rows)}
        # The last digits of a difference quotient differ between CPUs: a bound with room.
        found[f"w{n}"]["within"] = bound(worst, floor=1e-8)
    return found


def memory() -> dict[str, Any]:
    """Activations and parameters of 16 layers with 64 units."""
    widths = [64] * 17
    rows = {f"n{N}": count(widths, N)["stored"] for N in (1, 32, 64, 256)}
    parameters = count(widths, 1)["parameters"]
    equal = next(N for N in range(1, 1000) if N * sum(widths) > parameters)
    return {"parameters": parameters, "rows": rows, "batch_equal": equal}


class Step:
    """A training step that knows how many activation arrays are alive and layers computed."""

    def __init__(self, weights: list[Array], x: Array) -> None:
        self.weights, self.x = weights, x
        self.alive: dict[int, Array] = {0: x}
        self.peak, self.computed = 1, 0
        self.gradients: list[Array] = [np.empty(0)] * len(weights)
        self.delta: Array | None = None

    def run(self, below: int, keep: bool = True) -> None:
        """Compute the activation above this one; without keep the one below is dropped."""
        self.computed += 1
        self.alive[below + 1] = np.tanh(self.alive[below] @ self.weights[below].T)
        if not keep:
            del self.alive[below]
        self.peak = max(self.peak, len(self.alive))

    def back(self, number: int) -> None:
        """Backward pass of one layer; J is half the squared length of the last activation."""
        h = self.alive.pop(number)
        delta = h if self.delta is None else self.delta
        delta = delta * (1 - h**2)
        self.gradients[number - 1] = delta.T @ self.alive[number - 1]
        self.delta = delta @ self.weights[number - 1]


def segments(weights: list[Array], x: Array, lengths: list[int]) -> Step:
    """Keep the input of each segment; compute the inside again, except in the last one."""
    step = Step(weights, x)
    starts = [0, *itertools.accumulate(lengths)]
    for below in range(len(weights)):
        step.run(below, keep=below in starts or below >= starts[-2])
    for start, end in reversed(list(itertools.pairwise(starts))):
        for below in range(start, end - 1):
            if below + 1 not in step.alive:
                step.run(below)
        for number in range(end, start, -1):
            step.back(number)
    return step


def halving(weights: list[Array], x: Array) -> Step:
    """Recompute by halves: walk to the middle, do the upper half, then the lower one."""
    step = Step(weights, x)

    def half(start: int, end: int) -> None:
        if end - start == 1:
            if end not in step.alive:
                step.run(start)
            step.back(end)
            return
        middle = (start + end) // 2
        for below in range(start, middle):
            step.run(below, keep=below == start)
        half(middle, end)
        # What stood at the middle is the output of the lower half and still alive.
        half(start, middle)

    half(0, len(weights))
    return step


def checkpoints(draws: int = 10) -> dict[str, Any]:
    """Depths that are squares and powers of two; the gradients of several draws."""
    depths = [4, 16, 64, 256]
    rows: dict[str, list[int]] = {key: [] for key in ("all", "root", "again", "halving", "again2")}
    worst = []
    for L, seed in itertools.product(depths, range(draws)):
        rng = np.random.default_rng([5, seed])
        weights = [rng.normal(size=(4, 4)) / 2.0 for _ in range(L)]
        x = rng.normal(size=(2, 4))
        k = int(L**0.5)
        plain = segments(weights, x, [L])
        root = segments(weights, x, [k] * k)
        half = halving(weights, x)
        for other in (root, half):
            pairs = zip(plain.gradients, other.gradients, strict=True)
            worst.append(max(float(np.abs(a - b).max()) for a, b in pairs))
        if seed > 0:
            continue  # what is counted depends on the depth alone
        rows["all"].append(plain.peak)
        rows["root"].append(root.peak)
        rows["again"].append(root.computed - L)
        rows["halving"].append(half.peak)
        rows["again2"].append(half.computed - L)
    rng = np.random.default_rng(5)
    weights = [rng.normal(size=(4, 4)) / 2.0 for _ in range(9)]
    x = rng.normal(size=(2, 4))
    splits = {"equal": [2, 2, 2, 2, 1], "rest": [1, 1, 1, 1, 5], "one": [9]}
    nine = {key: segments(weights, x, lengths) for key, lengths in splits.items()}
    return {
        "depths": depths,
        **rows,
        "draws": draws,
        "difference": {"least": min(worst), "most": max(worst)},
        "share": rows["again"][-1] / depths[-1],
        "nine": {key: {"peak": s.peak, "again": s.computed - 9} for key, s in nine.items()},
    }


def run() -> dict[str, Any]:
    """All claims of the page."""
    depths, draws = [2, 4, 6, 8, 10], 5
    drawn = [[paths(3, L, seed) for seed in range(draws)] for L in depths]
    rows = [of_depth[0] for of_depth in drawn]
    return {
        "layer": layer(),
        "formula": formula(),
        "ratio": ratio(),
        "paths": {
            "width": 3,
            "depths": depths,
            **{key: [row[key] for row in rows] for key in ("paths", "naive", "reuse")},
            "reuse_more": rows[1]["reuse"] - rows[0]["reuse"],
            # Rounding noise differs between CPUs: a power of ten that is larger.
            "draws": draws,
            "difference": bound(
                max(row["difference"] for of_depth in drawn for row in of_depth), floor=1e-12
            ),
        },
        "differences": all_differences(),
        "memory": memory(),
        "checkpoints": checkpoints(),
    }


def draw(result: dict[str, Any], lang: str) -> Any:
    """The ratio against depth and width; the peak of the arrays alive against depth."""
    words = {
        "en": (
            "layers",
            "width (8 layers)",
            "backward / forward",
            "matrix products only",
            "with slopes, width {}",
            "{} random networks",
            "arrays alive, at most",
            "everything stored",
            "segments of √L layers",
            "halving",
        ),
        "zh": (
            "层数",
            "宽度（8 层）",
            "反向 / 前向",
            "只计矩阵乘积",
            "含斜率，宽度 {}",
            "{} 个随机网络",
            "同时保存的数组（最多）",
            "全部保存",
            "每段 √L 层",
            "逐次对半",
        ),
    }[lang]
    r = result["ratio"]
    fig, (left, right) = style.new_figure(7.4, 3.4, ncols=2, sharey=True)
    f = result["formula"]
    left.plot(
        f["layers"],
        f["ratios"],
        ".",
        color=style.MUTED,
        markersize=4,
        label=words[5].format(f["networks"]),
    )
    left.plot(r["depths"], r["products"], "o-", color=style.INK, label=words[3])
    for width, colour in ((4, style.ACCENT), (16, style.FORWARD), (128, style.BACKWARD)):
        values = r["all"][f"w{width}"]
        left.plot(r["depths"], values, "s--", color=colour, label=words[4].format(width))
    right.plot(r["widths"], r["products_by_width"], "o-", color=style.INK)
    right.plot(r["widths"], r["by_width"], "s--", color=style.FORWARD)
    for ax, values, label in ((left, r["depths"], words[0]), (right, r["widths"], words[1])):
        ax.set_xscale("log", base=2)
        ax.set_xticks(values, [str(v) for v in values])
        ax.minorticks_off()
        ax.axhline(2, color=style.MUTED, linewidth=0.8)
        ax.set_xlabel(label)
    left.set_ylabel(words[2])
    left.set_ylim(0.9, 2.6)
    left.legend(fontsize=7, loc="lower right")

    c = result["checkpoints"]
    memory_figure, ax = style.new_figure(6.4, 3.4)
    for key, colour, marker, label in (
        ("all", style.MUTED, "d", words[7]),
        ("root", style.BACKWARD, "s", words[8]),
        ("halving", style.FORWARD, "o", words[9]),
    ):
        ax.loglog(c["depths"], c[key], marker=marker, color=colour, label=label)
    ax.set_xticks(c["depths"], [str(v) for v in c["depths"]])
    ax.set_yticks([4, 16, 64, 256], ["4", "16", "64", "256"])
    ax.minorticks_off()
    ax.set_xlabel(words[0])
    ax.set_ylabel(words[6])
    ax.legend(fontsize=9)
    return {"cost_and_memory": fig, "cost_and_memory_checkpoints": memory_figure}
