"""Claims of the article: several forward passes, and a cost that grows exponentially.

Counted, by running a tanh network whose every multiplication goes through a counter:
multiply-adds of one forward and one backward pass for widths 32 to 1024, the same for
central differences, the sum over all paths without reuse against backpropagation, over ten
draws of the weights, and the number of stored values with and without checkpoints. Nothing is
timed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments._claim import Claim
from experiments._ranges import spread

LAYERS, BATCH, DRAWS = 8, 4, 10
WIDTHS = (32, 64, 128, 256, 512, 1024)
Array = np.ndarray

WORKED = ("layers", "batch", "paths.depths*", "paths.draws")
CLAIMS = (
    Claim(
        id="strengths-and-limits-backward-at-most-two-forward",
        en="The backward pass of {{ strengths_and_limits_cost.layers }} equal layers takes "
        "{{ strengths_and_limits_cost.ratio.backward | .3f }} times the multiply-adds of the "
        "forward pass, both together {{ strengths_and_limits_cost.ratio.step | .3f }} times; "
        "central differences take ${{ strengths_and_limits_cost.ratio.differences | sci2 }}$ times "
        "the work of a step for the widest network.",
        zh="{{ strengths_and_limits_cost.layers }} 个同样大小的层，反向计算的乘加次数是前向的 "
        "{{ strengths_and_limits_cost.ratio.backward | .3f }} 倍，合计 "
        "{{ strengths_and_limits_cost.ratio.step | .3f }} 倍；对最宽的网络，"
        "中心差分的工作量是一步的 ${{ strengths_and_limits_cost.ratio.differences | sci2 }}$ 倍。",
        criterion="ratio.backward == 2 - 1 / layers and ratio.step == 3 - 1 / layers and "
        "ratio.differences > 1e6",
        covers=("ratio.backward", "ratio.step", "ratio.differences"),
        exact="count",
        figure="strengths_and_limits_cost",
    ),
    Claim(
        id="strengths-and-limits-cost-linear",
        en="From width 32 to 1024 the multiply-adds of a training step grow in proportion to the "
        "number of parameters (slope {{ strengths_and_limits_cost.slope.step | .3f }} in the "
        "log-log diagram), those of central differences with its square (slope "
        "{{ strengths_and_limits_cost.slope.differences | .3f }}).",
        zh="宽度从 32 到 1024，一个训练步的乘加次数与参数个数成正比（双对数图中的斜率为 "
        "{{ strengths_and_limits_cost.slope.step | .3f }}），中心差分则与它的平方成正比（斜率为 "
        "{{ strengths_and_limits_cost.slope.differences | .3f }}）。",
        criterion="abs(slope.step - 1) < 1e-3 and abs(slope.differences - 2) < 1e-3 and "
        "abs(ratio.per_parameter - (3 - 1 / layers)) < 1e-9",
        covers=("rows.*", "slope.*", "ratio.per_parameter"),
        exact="count",
        figure="strengths_and_limits_cost",
    ),
    Claim(
        id="strengths-and-limits-reuse-saves-the-exponential",
        en="Following every path takes more than four times the multiplications with each layer, "
        "{{ strengths_and_limits_cost.paths.naive[7] | , }} for "
        "{{ strengths_and_limits_cost.paths.depths[7] }} layers of width 4; backpropagation takes "
        "{{ strengths_and_limits_cost.paths.backprop[7] }}, and every layer adds the same number. "
        "In {{ strengths_and_limits_cost.paths.draws }} draws of the weights for each depth the "
        "largest difference of the two results is "
        "${{ strengths_and_limits_cost.paths.difference.max | sci }}$.",
        zh="逐条路径求和，每多一层，乘法次数变为四倍以上，宽度为 4 的 "
        "{{ strengths_and_limits_cost.paths.depths[7] }} 层网络要 "
        "{{ strengths_and_limits_cost.paths.naive[7] | , }} 次；反向传播只要 "
        "{{ strengths_and_limits_cost.paths.backprop[7] }} 次，每多一层，多出的次数都相同。"
        "每种深度抽取 {{ strengths_and_limits_cost.paths.draws }} 组权重，两种结果最多相差 "
        "${{ strengths_and_limits_cost.paths.difference.max | sci }}$。",
        criterion="all(paths.naive[k + 1] > 4 * paths.naive[k] and paths.backprop[k + 1] - "
        "paths.backprop[k] == paths.backprop[0] for k in (0, 1, 2, 3, 4, 5, 6)) and "
        "paths.naive[0] < paths.backprop[0] and paths.difference.max < 1e-12",
        covers=("paths.naive*", "paths.backprop*", "paths.difference.*"),
        runs="paths.draws",
        spread=("paths.difference.min", "paths.difference.max"),
        figure="strengths_and_limits_cost",
    ),
    Claim(
        id="strengths-and-limits-memory-and-checkpoints",
        en="Doubling the batch or the depth doubles the stored activations. Checkpoints every four "
        "layers halve them, from {{ strengths_and_limits_cost.memory.stored | , }} to "
        "{{ strengths_and_limits_cost.memory.checkpoint_stored | , }} values, for "
        "{{ strengths_and_limits_cost.memory.checkpoint_cost | .2f }} times the multiply-adds; "
        "{{ strengths_and_limits_cost.memory.checkpoint_differing }} elements of the gradients "
        "change.",
        zh="批量或深度加倍，保存的激活值也加倍。每四层设一个检查点，保存的激活值减半，从 "
        "{{ strengths_and_limits_cost.memory.stored | , }} 个变为 "
        "{{ strengths_and_limits_cost.memory.checkpoint_stored | , }} 个，乘加次数变为 "
        "{{ strengths_and_limits_cost.memory.checkpoint_cost | .2f }} 倍；梯度中数值改变的元素有 "
        "{{ strengths_and_limits_cost.memory.checkpoint_differing }} 个。",
        criterion="memory.stored_double_batch == memory.stored_double_depth == 2 * memory.stored "
        "and memory.checkpoint_stored * 2 == memory.stored and 1 < memory.checkpoint_cost < 1.5 "
        "and memory.checkpoint_differing == 0",
        covers=("memory.*",),
        exact="count",
    ),
)


class Counter:
    """Counts what a training step does: multiply-adds, passes, stored values."""

    def __init__(self) -> None:
        self.multiply_adds = 0
        self.stored = 0
        self.peak_stored = 0

    def matmul(self, a: Array, b: Array) -> Array:
        self.multiply_adds += a.shape[0] * a.shape[1] * b.shape[1]
        product: Array = a @ b
        return product

    def store(self, *arrays: Array) -> None:
        self.stored += sum(a.size for a in arrays)
        self.peak_stored = max(self.peak_stored, self.stored)

    def release(self, *arrays: Array) -> None:
        self.stored -= sum(a.size for a in arrays)


def make_network(width: int, layers: int, seed: int = 0) -> list[Array]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((width, width)) / width**0.5 for _ in range(layers)]


def forward(weights: list[Array], h: Array, counter: Counter) -> tuple[Array, list[Any]]:
    """H_l = tanh(H_{l-1} W_lᵀ); stores the input and the output of every layer."""
    caches = []
    for weight in weights:
        output = np.tanh(counter.matmul(h, weight.T))
        counter.store(output)
        caches.append((h, output))
        h = output
    return h, caches


def backward(
    weights: list[Array], delta: Array, caches: list[Any], counter: Counter, first: bool = True
) -> tuple[Array, list[Array]]:
    """Gradients of all weights; the network's first layer needs no gradient of its input."""
    gradients = []
    for index in reversed(range(len(weights))):
        h, output = caches[index]
        delta = delta * (1 - output**2)
        gradients.append(counter.matmul(delta.T, h))
        counter.release(output)
        if index > 0 or not first:
            delta = counter.matmul(delta, weights[index])
    return delta, gradients[::-1]


def count(width: int, layers: int, batch: int) -> dict[str, Any]:
    """One training step: forward pass, loss, backward pass."""
    rng = np.random.default_rng(1)
    weights = make_network(width, layers)
    x, y = rng.standard_normal((2, batch, width))
    counter = Counter()
    output, caches = forward(weights, x, counter)
    forward_cost = counter.multiply_adds
    _, gradients = backward(weights, (output - y) / batch, caches, counter)
    return {
        "parameters": sum(w.size for w in weights),
        "forward": forward_cost,
        "step": counter.multiply_adds,
        "stored": counter.peak_stored,
        "gradients": gradients,
    }


def step_with_checkpoints(width: int, layers: int, batch: int, segment: int) -> dict[str, Any]:
    """Keep the activations at every ``segment``-th layer only; compute the others again."""
    rng = np.random.default_rng(1)
    weights = make_network(width, layers)
    x, y = rng.standard_normal((2, batch, width))
    counter = Counter()
    starts, h = [], x
    for begin in range(0, layers, segment):
        starts.append((begin, h))
        discarded = Counter()  # these activations are not kept
        h, _ = forward(weights[begin : begin + segment], h, discarded)
        counter.multiply_adds += discarded.multiply_adds
        counter.store(h)
    delta = (h - y) / batch
    gradients: list[Array] = []
    for begin, start in reversed(starts):
        part = weights[begin : begin + segment]
        end, caches = forward(part, start, counter)
        counter.release(end)  # kept already, as the start of the next segment
        delta, grads = backward(part, delta, caches, counter, first=begin == 0)
        gradients = grads + gradients
    return {"step": counter.multiply_adds, "stored": counter.peak_stored, "gradients": gradients}


def paths(width: int, layers: int, seed: int) -> dict[str, Any]:
    """dy/da_1 for one unit of layer 1: summed over all paths, and by backpropagation."""
    weights = make_network(width, layers, seed)
    h = np.random.default_rng([2, seed]).standard_normal(width)
    slopes = []
    for weight in weights:
        h = np.tanh(weight @ h)
        slopes.append(1 - h**2)
    multiplications = 0

    def along_paths(layer: int, unit: int) -> float:
        """Follow every path from this unit to y = sum of the last layer; nothing is reused."""
        nonlocal multiplications
        if layer == layers - 1:
            return float(slopes[layer][unit])
        total = 0.0
        for following in range(width):
            total += weights[layer + 1][following, unit] * along_paths(layer + 1, following)
            multiplications += 1
        multiplications += 1
        return float(slopes[layer][unit]) * total

    slow = along_paths(0, 0)
    delta, reused = slopes[-1], 0
    for layer in reversed(range(layers - 1)):
        delta = slopes[layer] * (weights[layer + 1].T @ delta)
        reused += width * width + width
    return {
        "naive": multiplications,
        "backprop": reused,
        "difference": abs(slow - float(delta[0])),
    }


def run() -> dict[str, Any]:
    rows = {f"w{w}": count(w, LAYERS, BATCH) for w in WIDTHS}
    for row in rows.values():
        row.pop("gradients")
        row["differences"] = 2 * row["parameters"] * row["forward"]
    parameters = np.log([row["parameters"] for row in rows.values()])

    def slope(key: str) -> float:
        return float(np.polyfit(parameters, np.log([r[key] for r in rows.values()]), 1)[0])

    widest = rows[f"w{WIDTHS[-1]}"]
    depths = list(range(2, 10))
    drawn = [[paths(4, depth, seed) for seed in range(DRAWS)] for depth in depths]
    path_rows = [rows[0] for rows in drawn]

    plain = count(64, 16, 32)
    saving = step_with_checkpoints(64, 16, 32, 4)
    double = count(64, 16, 64)
    deeper = count(64, 32, 32)
    return {
        "layers": LAYERS,
        "batch": BATCH,
        "rows": rows,
        "slope": {key: slope(key) for key in ("forward", "step", "differences")},
        "ratio": {
            "backward": (widest["step"] - widest["forward"]) / widest["forward"],
            "step": widest["step"] / widest["forward"],
            "per_parameter": widest["step"] / (widest["parameters"] * BATCH),
            "differences": widest["differences"] / widest["step"],
        },
        "paths": {
            "depths": depths,
            "naive": [r["naive"] for r in path_rows],
            "backprop": [r["backprop"] for r in path_rows],
            "draws": DRAWS,
            "difference": spread(r["difference"] for rows in drawn for r in rows),
        },
        "memory": {
            "parameters": plain["parameters"],
            "stored": plain["stored"],
            "stored_double_batch": double["stored"],
            "stored_double_depth": deeper["stored"],
            "checkpoint_stored": saving["stored"],
            "checkpoint_cost": saving["step"] / plain["step"],
            "checkpoint_differing": sum(
                int(np.sum(a != b))
                for a, b in zip(plain["gradients"], saving["gradients"], strict=True)
            ),
        },
    }


def draw(result: dict[str, Any], lang: str) -> Any:
    from experiments.style import BACKWARD, BAD, FORWARD, MUTED, new_figure

    label = {
        "en": {
            "params": "parameters",
            "madds": "multiply-adds",
            "forward": "forward",
            "step": "forward + backward",
            "differences": "central differences",
            "layers": "layers",
            "mult": "multiplications",
            "naive": "every path",
            "backprop": "backpropagation",
        },
        "zh": {
            "params": "参数个数",
            "madds": "乘加次数",
            "forward": "前向",
            "step": "前向 + 反向",
            "differences": "中心差分",
            "layers": "层数",
            "mult": "乘法次数",
            "naive": "逐条路径求和",
            "backprop": "反向传播",
        },
    }[lang]
    fig, (left, right) = new_figure(7.2, 3.4, ncols=2)
    rows = [result["rows"][f"w{w}"] for w in WIDTHS]
    x = [row["parameters"] for row in rows]
    for key, colour, marker in (
        ("differences", BAD, "d"),
        ("step", BACKWARD, "s"),
        ("forward", FORWARD, "o"),
    ):
        left.loglog(x, [row[key] for row in rows], marker=marker, color=colour, label=label[key])
    left.set_xlabel(label["params"])
    left.set_ylabel(label["madds"])
    left.legend()
    depths = result["paths"]["depths"]
    right.semilogy(depths, result["paths"]["naive"], "d-", color=MUTED, label=label["naive"])
    right.semilogy(
        depths, result["paths"]["backprop"], "s-", color=BACKWARD, label=label["backprop"]
    )
    right.set_xlabel(label["layers"])
    right.set_ylabel(label["mult"])
    right.legend()
    return fig
