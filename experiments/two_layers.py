"""Two layers by hand: the four gradients, a worked pass, and the article's printed formulas.

Claims, and how each is measured:

* ``sample``, ``batch``: every intermediate number of one forward and one backward pass through
  the 2-3-1 network of the page (tanh, linear output), for one sample and for three.
* ``check``: the four gradients agree with central differences and with PyTorch on random
  networks of random sizes (sigmoid and tanh inside, identity and sigmoid at the output).
* ``printed``: the four gradients as the article prints them (its section 4.3, sigmoid in both
  layers) against the true ones: shapes, relative error, share of wrong signs, direction.
* ``training``: gradient descent with the right and with the printed gradients on data that the
  network can represent exactly.
* ``missing_w2``: only the factor W2 is left out of the hidden error signal; a regression trains
  all the same, and only the gradient check sees it.
* ``floor``: what a sigmoid output costs on y = 2x + 1 + noise.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments import _agreement, style
from experiments._claim import Claim
from experiments._ranges import Bar, bound, draw_ranges, exactly

RTOL = 1e-4  # training runs of thousands of steps amplify differences between CPUs

WORKED = (
    "x*",
    "y*",
    "rate",
    "sample.*",
    "batch.*",
    "printed.groups",
    "training.steps",
    "floor.constant",
)
CLAIMS = (
    Claim(
        id="two-layers-worked-step",
        en="In the worked pass the four gradients agree with central differences to a relative "
        "error of ${{ two_layers.sample.relative_error | sci0 }}$, and one step takes the loss "
        "from ${{ two_layers.sample.J | .6f }}$ to ${{ two_layers.sample.J_after | .6f }}$, on "
        "three samples from ${{ two_layers.batch.J | .6f }}$ to "
        "${{ two_layers.batch.J_after | .6f }}$.",
        zh="手算的一遍里，四个梯度与中心差分的相对误差不到 "
        "${{ two_layers.sample.relative_error | sci0 }}$；走一步，损失从 "
        "${{ two_layers.sample.J | .6f }}$ 降到 ${{ two_layers.sample.J_after | .6f }}$，"
        "三个样本时从 ${{ two_layers.batch.J | .6f }}$ 降到 "
        "${{ two_layers.batch.J_after | .6f }}$。",
        criterion="max(sample.relative_error, batch.relative_error) <= 1e-6 and sample.J_after < "
        "sample.J and batch.J_after < batch.J and sample.Delta_1[1] * sample.Delta_2[0] < 0",
        covers=("*.J", "*.J_after", "*.relative_error"),
        exact="arithmetic",
        figure="two_layers",
    ),
    Claim(
        id="two-layers-gradients-agree",
        en="In {{ two_layers.check.networks }} random networks, sigmoid and tanh inside, identity "
        "and sigmoid at the output, no relative error of a gradient reaches "
        "${{ two_layers.check.central.below | sci0 }}$ against central differences or "
        "${{ two_layers.check.torch.below | sci0 }}$ against PyTorch.",
        zh="在 {{ two_layers.check.networks }} 个随机网络上，内层用 sigmoid 和 tanh，"
        "输出用恒等函数和 sigmoid，梯度的相对误差与中心差分相比都不到 "
        "${{ two_layers.check.central.below | sci0 }}$，与 PyTorch 相比都不到 "
        "${{ two_layers.check.torch.below | sci0 }}$。",
        criterion="check.central.below <= 1e-6 and check.torch.below <= 1e-10",
        covers=("check.*",),
        runs="check.networks",
        spread=("check.torch.least", "check.torch.below"),
        figure="two_layers_check",
    ),
    Claim(
        id="two-layers-sigmoid-output-has-a-floor",
        en="With a sigmoid at the output none of {{ two_layers.floor.seeds }} trained networks "
        "gets below the ${{ two_layers.floor.bound_fresh | .3f }}$ of the best function between 0 "
        "and 1 on the same fresh data (median ${{ two_layers.floor.sigmoid.median | .3f }}$); with "
        "a linear output the largest error is ${{ two_layers.floor.linear.max | .3f }}$.",
        zh="输出用 sigmoid 时，训练好的 {{ two_layers.floor.seeds }} "
        "个网络没有一个低于取值在 0 与 1 之间的最优函数在同样的新数据上的误差 "
        "${{ two_layers.floor.bound_fresh | .3f }}$（中位数 "
        "${{ two_layers.floor.sigmoid.median | .3f }}$）；输出为线性时，误差最大也只有 "
        "${{ two_layers.floor.linear.max | .3f }}$。",
        criterion="floor.sigmoid.min >= floor.bound_fresh and abs(floor.bound - floor.bound_fresh) "
        "< 0.05 and 1 < floor.bound < floor.constant and floor.linear.max < 1.5",
        covers=("floor.*",),
        runs="floor.seeds",
        spread=("floor.sigmoid.min", "floor.sigmoid.max"),
        figure="two_layers_floor",
    ),
    Claim(
        id="two-layers-printed-shapes",
        en="As printed, the gradient of $W_2$ has the shape "
        "`{{ two_layers.printed.shapes.W_2.printed }}` instead of "
        "`{{ two_layers.printed.shapes.W_2.parameter }}`, and that of $b_2$ "
        "`{{ two_layers.printed.shapes.b_2.printed }}` instead of "
        "`{{ two_layers.printed.shapes.b_2.parameter }}`; the other two fit.",
        zh="照印出的公式，$W_2$ 的梯度形状是 `{{ two_layers.printed.shapes.W_2.printed }}`，"
        "而不是 `{{ two_layers.printed.shapes.W_2.parameter }}`；$b_2$ 的是 "
        "`{{ two_layers.printed.shapes.b_2.printed }}`，而不是 "
        "`{{ two_layers.printed.shapes.b_2.parameter }}`；另外两个形状相符。",
        criterion="all(s.parameter == s.printed for s in (printed.shapes.W_1, "
        "printed.shapes.b_1)) and all(s.parameter != s.printed for s in (printed.shapes.W_2, "
        "printed.shapes.b_2))",
        covers=("printed.shapes.*",),
        exact="deterministic",
    ),
    Claim(
        id="two-layers-printed-one-case",
        en="In the case by hand the printed gradients of $W_1$ and $b_1$ have the wrong sign: "
        "${{ two_layers.printed.one.W_1.printed | .6f }}$ instead of "
        "${{ two_layers.printed.one.W_1.true | .6f }}$.",
        zh="在手算的例子里，印出的 $W_1$ 与 $b_1$ 的梯度符号相反：得到 "
        "${{ two_layers.printed.one.W_1.printed | .6f }}$，而不是 "
        "${{ two_layers.printed.one.W_1.true | .6f }}$。",
        criterion="all(g.true * g.printed < 0 for g in (printed.one.W_1, printed.one.b_1)) and "
        "all(g.true * g.printed > 0 and abs(g.printed - g.true) > 0.1 * abs(g.true) for g in "
        "(printed.one.W_2, printed.one.b_2))",
        covers=("printed.one.*",),
        exact="arithmetic",
    ),
    Claim(
        id="two-layers-printed-gradients-wrong",
        en="Over {{ two_layers.printed.networks }} random networks with one unit per layer the "
        "printed gradient of $W_1$ has a median relative error of "
        "${{ two_layers.printed.scalar.literal.W_1.median_error | .2f }}$, more than the answer "
        "zero would have, and the wrong sign in "
        "{{ two_layers.printed.scalar.literal.W_1.wrong_sign | pct1 }} of them; with the kinder "
        "reading in {{ two_layers.printed.scalar.charitable.W_1.wrong_sign | pct1 }}. The same "
        "holds in each of {{ two_layers.printed.groups }} groups of networks.",
        zh="在 {{ two_layers.printed.networks }} 个每层一个单元的随机网络上，印出的 $W_1$ "
        "梯度相对误差的中位数是 "
        "${{ two_layers.printed.scalar.literal.W_1.median_error | .2f }}$，比直接回答零还大；"
        "{{ two_layers.printed.scalar.literal.W_1.wrong_sign | pct1 }} 的网络上符号相反，"
        "用宽容的读法也有 "
        "{{ two_layers.printed.scalar.charitable.W_1.wrong_sign | pct1 }}。把这些网络分成 "
        "{{ two_layers.printed.groups }} 组，组组如此。",
        criterion="all(g.error.min > 1 and 0.35 < g.share.min and g.share.max < 0.65 for r in "
        "(printed.scalar.literal, printed.scalar.charitable) for g in (r.W_1, r.b_1)) and "
        "all(g.error.min > 0.5 and g.share.max < 0.1 for r in (printed.scalar.literal, "
        "printed.scalar.charitable) for g in (r.W_2, r.b_2))",
        covers=("printed.networks", "printed.scalar.*"),
        runs="printed.groups",
        spread=("printed.scalar.literal.W_1.error.min", "printed.scalar.literal.W_1.error.max"),
        figure="two_layers_printed",
    ),
    Claim(
        id="two-layers-printed-direction-unrelated",
        en="In wider networks the cosine between the printed and the true gradient of $W_1$ has "
        "the median ${{ two_layers.printed.wide.cosine.median | z.2f }}$; nine in ten of "
        "{{ two_layers.printed.networks }} lie between "
        "${{ two_layers.printed.wide.cosine.q05 | .2f }}$ and "
        "${{ two_layers.printed.wide.cosine.q95 | .2f }}$.",
        zh="在更宽的网络里，印出的 $W_1$ 梯度与真实梯度夹角余弦的中位数是 "
        "${{ two_layers.printed.wide.cosine.median | z.2f }}$；"
        "{{ two_layers.printed.networks }} 个中有九成落在 "
        "${{ two_layers.printed.wide.cosine.q05 | .2f }}$ 与 "
        "${{ two_layers.printed.wide.cosine.q95 | .2f }}$ 之间。",
        criterion="abs(printed.wide.cosine.median) < 0.05 and printed.wide.cosine.q05 < -0.3 and "
        "0.3 < printed.wide.cosine.q95 < 0.7",
        covers=("printed.wide.*",),
        runs="printed.networks",
        spread=("printed.wide.cosine.min", "printed.wide.cosine.max"),
        figure="two_layers_cosine",
    ),
    Claim(
        id="two-layers-printed-training",
        en="Trained with the right gradients, each of {{ two_layers.training.seeds }} networks "
        "ends far below its start, at ${{ two_layers.training.right.end | sci1 }}$ in the median; "
        "with the printed ones the median is ${{ two_layers.training.printed.end | .3f }}$, and "
        "the worst run ends at ${{ two_layers.training.printed.end_max | .2f }}$, above the median "
        "start of ${{ two_layers.training.right.start | .3f }}$.",
        zh="用正确的梯度训练，{{ two_layers.training.seeds }} 个网络的损失都降到远低于起点，"
        "中位数为 ${{ two_layers.training.right.end | sci1 }}$；用印出的梯度，中位数是 "
        "${{ two_layers.training.printed.end | .3f }}$，最差的一次结束于 "
        "${{ two_layers.training.printed.end_max | .2f }}$，比起点的中位数 "
        "${{ two_layers.training.right.start | .3f }}$ 还高。",
        criterion="training.right.end_max < 0.05 * training.right.low[0] and training.printed.end "
        "> 0.1 * training.printed.start and training.printed.end_max > training.printed.start",
        covers=("training.*",),
        runs="training.seeds",
        spread=("training.printed.end_min", "training.printed.end_max"),
        figure="two_layers_training",
    ),
    Claim(
        id="two-layers-missing-weight-still-trains",
        en="Without $W_2$ the loss still falls in {{ two_layers.missing_w2.fell }} of "
        "{{ two_layers.missing_w2.seeds }} runs, to "
        "${{ two_layers.missing_w2.wrong.median | .3f }}$ in the median where the right gradient "
        "ends at ${{ two_layers.missing_w2.right.median | .3f }}$, although in the first step the "
        "gradient of $W_1$ is off by ${{ two_layers.missing_w2.error.median | .2f }}$ of its "
        "length in the median, and by ${{ two_layers.missing_w2.error.min | .2f }}$ at least.",
        zh="漏掉 $W_2$，{{ two_layers.missing_w2.seeds }} 次运行中仍有 "
        "{{ two_layers.missing_w2.fell }} 次损失下降，中位数降到 "
        "${{ two_layers.missing_w2.wrong.median | .3f }}$，正确的梯度则降到 "
        "${{ two_layers.missing_w2.right.median | .3f }}$；可是第一步里 $W_1$ 的梯度，误差的中位数"
        "是其长度的 ${{ two_layers.missing_w2.error.median | .2f }}$ 倍，最小也有 "
        "${{ two_layers.missing_w2.error.min | .2f }}$ 倍。",
        criterion="missing_w2.fell == missing_w2.seeds and missing_w2.wrong.median < 0.5 * "
        "missing_w2.start.median and missing_w2.right.median <= missing_w2.wrong.median and "
        "missing_w2.error.min > 0.1",
        covers=("missing_w2.*",),
        runs="missing_w2.seeds",
        spread=("missing_w2.wrong.min", "missing_w2.wrong.max"),
        figure="two_layers_missing_weight",
    ),
)

Array = NDArray[np.float64]
Parameters = dict[str, Array]


@dataclass(frozen=True)
class Activation:
    """A scalar function and its derivative, both taken at the pre-activation."""

    value: Callable[[Array], Array]
    slope: Callable[[Array], Array]


def _sigmoid(a: Array) -> Array:
    return 0.5 * (1.0 + np.tanh(0.5 * a))


def _sigmoid_slope(a: Array) -> Array:
    s = _sigmoid(a)
    return s * (1.0 - s)


SIGMOID = Activation(_sigmoid, _sigmoid_slope)
TANH = Activation(np.tanh, lambda a: 1.0 - np.tanh(a) ** 2)
IDENTITY = Activation(lambda a: a, np.ones_like)


def forward(p: Parameters, X: Array, sigma: Activation, phi: Activation) -> Parameters:
    """All intermediate values for a batch X (N, d); b_1 is (n,), b_2 is (m,)."""
    A_1 = X @ p["W_1"].T + p["b_1"]
    H_1 = sigma.value(A_1)
    A_2 = H_1 @ p["W_2"].T + p["b_2"]
    return {"A_1": A_1, "H_1": H_1, "A_2": A_2, "Y_hat": phi.value(A_2)}


def half_mse(Y_hat: Array, Y: Array) -> float:
    """J = 1/(2N) sum of squared norms."""
    return float(np.sum((Y_hat - Y) ** 2) / (2 * len(Y)))


def gradients(
    p: Parameters, X: Array, Y: Array, sigma: Activation, phi: Activation
) -> tuple[Parameters, Parameters]:
    """(gradients of J, error signals) of the two-layer network."""
    v = forward(p, X, sigma, phi)
    Delta_2 = (v["Y_hat"] - Y) * phi.slope(v["A_2"]) / len(X)
    back_1 = Delta_2 @ p["W_2"]
    slope_1 = sigma.slope(v["A_1"])
    Delta_1 = back_1 * slope_1
    grads = {
        "W_1": Delta_1.T @ X,
        "b_1": Delta_1.sum(axis=0),
        "W_2": Delta_2.T @ v["H_1"],
        "b_2": Delta_2.sum(axis=0),
    }
    signals = {"Delta_2": Delta_2, "back_1": back_1, "slope_1": slope_1, "Delta_1": Delta_1}
    return grads, signals


def printed_gradients(
    p: Parameters, X: Array, Y: Array, sigma: Activation, *, slope_at: str = "h"
) -> Parameters:
    """The article's section 4.3, factor by factor, with the shapes that its formulas give.

    One output (m = 1), the same sigma in both layers. ``slope_at="h"`` takes sigma'(h) as
    printed; ``slope_at="a"`` is the kinder reading sigma'(a).
    """
    v = forward(p, X, sigma, sigma)
    z = v["A_2"]  # (N, 1)
    inner = sigma.slope(v["H_1"] if slope_at == "h" else v["A_1"])  # (N, n)
    common = (v["Y_hat"] - Y) * inner * sigma.slope(z) / len(X)  # (N, n)
    return {
        "W_1": common.T @ X,
        "b_1": common.sum(axis=0),
        "W_2": (common * sigma.value(v["H_1"]) * sigma.value(z)).sum(axis=0)[:, None],  # (n, 1)
        "b_2": common.sum(axis=0)[:, None],  # (n, 1)
    }


def random_parameters(rng: np.random.Generator, d: int, n: int, m: int) -> Parameters:
    """Standard normal weights and biases, so that no term is small by accident."""
    return {
        "W_1": rng.normal(size=(n, d)),
        "b_1": rng.normal(size=n),
        "W_2": rng.normal(size=(m, n)),
        "b_2": rng.normal(size=m),
    }


# --- the worked pass -----------------------------------------------------------------------

NET = {
    "W_1": np.array([[0.4, -0.2], [-0.3, 0.8], [0.6, 0.1]]),
    "b_1": np.array([0.1, 0.2, -0.1]),
    "W_2": np.array([[0.7, -0.5, 0.9]]),
    "b_2": np.array([0.3]),
}
WORKED_X = np.array([[0.5, -1.0], [1.0, 2.0], [-1.5, 0.5]])
WORKED_Y = np.array([[0.5], [-1.0], [0.25]])
WORKED_RATE = 0.1


def worked_pass(X: Array, Y: Array) -> dict[str, Any]:
    """Every number of one forward pass, one backward pass and one update."""
    p = {name: value.copy() for name, value in NET.items()}
    values = forward(p, X, TANH, IDENTITY)
    grads, signals = gradients(p, X, Y, TANH, IDENTITY)
    numeric = {
        name: _agreement.central(
            lambda: half_mse(forward(p, X, TANH, IDENTITY)["Y_hat"], Y), p[name]
        )
        for name in p
    }
    updated = {name: p[name] - WORKED_RATE * grads[name] for name in p}
    squeeze = len(X) == 1
    tidy = {
        name: (array[0] if squeeze else array).tolist()
        for name, array in {**values, **signals}.items()
    }
    return {
        **tidy,
        "J": half_mse(values["Y_hat"], Y),
        "grad": {name: array.tolist() for name, array in grads.items()},
        "updated": {name: array.tolist() for name, array in updated.items()},
        "J_after": half_mse(forward(updated, X, TANH, IDENTITY)["Y_hat"], Y),
        "relative_error": bound(
            max(_agreement.relative(grads[name], numeric[name]) for name in p), floor=0.0
        ),
    }


# --- the check on random networks ----------------------------------------------------------


def check(networks: int = 100) -> dict[str, Any]:
    """Relative errors over random networks, against two independent oracles."""
    import torch

    rng = np.random.default_rng(0)
    torch_functions = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "identity": lambda a: a}
    ours = {"sigmoid": SIGMOID, "tanh": TANH, "identity": IDENTITY}
    errors: dict[str, list[float]] = {"central": [], "torch": []}
    for _ in range(networks):
        d, n, m = (int(rng.integers(2, 6)) for _ in range(3))
        N = int(rng.integers(2, 9))
        inner = str(rng.choice(["sigmoid", "tanh"]))
        outer = str(rng.choice(["identity", "sigmoid"]))
        p = random_parameters(rng, d, n, m)
        X, Y = rng.normal(size=(N, d)), rng.normal(size=(N, m))
        sigma, phi = ours[inner], ours[outer]
        grads, _ = gradients(p, X, Y, sigma, phi)

        t = {name: torch.tensor(value, requires_grad=True) for name, value in p.items()}
        hidden = torch_functions[inner](torch.tensor(X) @ t["W_1"].T + t["b_1"])
        output = torch_functions[outer](hidden @ t["W_2"].T + t["b_2"])
        (((output - torch.tensor(Y)) ** 2).sum() / (2 * N)).backward()

        def loss(
            p: Parameters = p,
            X: Array = X,
            Y: Array = Y,
            sigma: Activation = sigma,
            phi: Activation = phi,
        ) -> float:
            return half_mse(forward(p, X, sigma, phi)["Y_hat"], Y)

        for name, value in p.items():
            numeric = _agreement.central(loss, value)
            errors["central"].append(_agreement.relative(grads[name], numeric))
            errors["torch"].append(_agreement.relative(grads[name], _agreement.stored(t[name])))
    floors = {"central": 1e-7, "torch": 1e-13}
    spreads = {judge: _agreement.spread(errors[judge], floors[judge]) for judge in floors}
    return {"networks": networks, **spreads}


# --- the article's formulas ------------------------------------------------------------------


def _scalar(networks: int, groups: int, slope_at: str) -> dict[str, Any]:
    """One unit per layer: relative errors and wrong signs, over all networks and by groups."""
    names = ("W_1", "b_1", "W_2", "b_2")
    errors = {name: np.empty((groups, networks // groups)) for name in names}
    flips = {name: np.empty((groups, networks // groups), dtype=bool) for name in names}
    for place in np.ndindex(groups, networks // groups):
        rng = np.random.default_rng([1, *place])
        p = random_parameters(rng, 1, 1, 1)
        X, Y = rng.normal(size=(20, 1)), rng.normal(size=(20, 1))
        true, _ = gradients(p, X, Y, SIGMOID, SIGMOID)
        wrong = printed_gradients(p, X, Y, SIGMOID, slope_at=slope_at)
        for name in names:
            t, w = float(true[name].ravel()[0]), float(wrong[name].ravel()[0])
            errors[name][place] = abs(w - t) / abs(t)
            flips[name][place] = (t > 0) != (w > 0)
    return {
        name: {
            "median_error": float(np.median(errors[name])),
            "wrong_sign": float(np.mean(flips[name])),
            "error": exactly(np.median(errors[name], axis=1)),
            "share": exactly(np.mean(flips[name], axis=1)),
        }
        for name in names
    }


def printed(networks: int = 2000, groups: int = 10) -> dict[str, Any]:
    """The printed gradients against the true ones."""
    rng = np.random.default_rng(1)
    names = ("W_1", "b_1", "W_2", "b_2")
    scalar = {
        reading: _scalar(networks, groups, slope_at)
        for reading, slope_at in (("literal", "h"), ("charitable", "a"))
    }

    d, n = 3, 4
    p = random_parameters(rng, d, n, 1)
    X, Y = rng.normal(size=(7, d)), rng.normal(size=(7, 1))
    wrong = printed_gradients(p, X, Y, SIGMOID)
    shapes = {
        name: {"parameter": _shape(_column(p[name])), "printed": _shape(_column(wrong[name]))}
        for name in names
    }

    errors: dict[str, list[float]] = {name: [] for name in ("W_1", "b_1", "W_2")}
    cosines: list[float] = []
    for _ in range(networks):
        p = random_parameters(rng, 5, 8, 1)
        X, Y = rng.normal(size=(20, 5)), rng.normal(size=(20, 1))
        true, _ = gradients(p, X, Y, SIGMOID, SIGMOID)
        wrong = printed_gradients(p, X, Y, SIGMOID)
        wrong["W_2"] = wrong["W_2"].T
        for name in errors:
            errors[name].append(_agreement.relative(wrong[name], true[name]))
        u, v = true["W_1"].ravel(), wrong["W_1"].ravel()
        cosines.append(float(u @ v / np.linalg.norm(u) / np.linalg.norm(v)))
    low, middle, high = np.quantile(cosines, [0.05, 0.5, 0.95])
    wide: dict[str, Any] = {name: float(np.median(values)) for name, values in errors.items()}
    wide["cosine"] = {
        "min": float(min(cosines)),
        "q05": float(low),
        "median": float(middle),
        "q95": float(high),
        "max": float(max(cosines)),
        "counts": np.histogram(cosines, bins=20, range=(-1.0, 1.0))[0].tolist(),
    }

    example = {
        "W_1": np.array([[-0.7]]),
        "b_1": np.array([0.2]),
        "W_2": np.array([[-1.2]]),
        "b_2": np.array([0.1]),
    }
    x, y = np.array([[1.5]]), np.array([[2.0]])
    true, _ = gradients(example, x, y, SIGMOID, SIGMOID)
    wrong = printed_gradients(example, x, y, SIGMOID)
    one = {
        name: {"true": float(true[name].ravel()[0]), "printed": float(wrong[name].ravel()[0])}
        for name in names
    }
    return {
        "networks": networks,
        "groups": groups,
        "scalar": scalar,
        "shapes": shapes,
        "wide": wide,
        "one": one,
    }


def _column(array: Array) -> Array:
    return array if array.ndim == 2 else array[:, None]


def _shape(array: Array) -> str:
    return f"({array.shape[0]}, {array.shape[1]})"


# --- training ------------------------------------------------------------------------------


def training(seeds: int = 10, steps: int = 1000, rate: float = 0.5) -> dict[str, Any]:
    """Gradient descent with the right and with the printed gradients; tanh in both layers."""
    every = 10
    curves: dict[str, list[list[float]]] = {"right": [], "printed": []}
    for seed in range(seeds):
        rng = np.random.default_rng(100 + seed)
        d, n, N = 3, 8, 50
        teacher = random_parameters(rng, d, n, 1)
        X = rng.normal(size=(N, d))
        Y = forward(teacher, X, TANH, TANH)["Y_hat"]
        start = random_parameters(rng, d, n, 1)
        for rule, rows in curves.items():
            p = {name: value.copy() for name, value in start.items()}
            row = []
            for step in range(steps + 1):
                if step % every == 0:
                    row.append(half_mse(forward(p, X, TANH, TANH)["Y_hat"], Y))
                if rule == "right":
                    g, _ = gradients(p, X, Y, TANH, TANH)
                else:
                    g = printed_gradients(p, X, Y, TANH)
                    # As printed they cannot be applied: give them the parameters' shapes.
                    g["W_2"], g["b_2"] = g["W_2"].T, g["b_2"].mean(axis=0)
                for name in p:
                    p[name] -= rate * g[name]
            rows.append(row)
    out: dict[str, Any] = {"seeds": seeds, "steps": steps, "every": every}
    for rule, rows in curves.items():
        table = np.array(rows)
        out[rule] = {
            "median": np.median(table, axis=0).tolist(),
            "low": table.min(axis=0).tolist(),
            "high": table.max(axis=0).tolist(),
            "start": float(np.median(table[:, 0])),
            "end": float(np.median(table[:, -1])),
            "end_min": float(table[:, -1].min()),
            "end_max": float(table[:, -1].max()),
        }
    return out


def _regression_data(rng: np.random.Generator, size: int) -> tuple[Array, Array]:
    X = rng.normal(size=(size, 1))
    return X, 2.0 * X + 1.0 + rng.normal(size=(size, 1))


def missing_w2(seeds: int = 10, steps: int = 1000, rate: float = 0.1) -> dict[str, Any]:
    """The hidden error signal without W2 on y = 2x + 1 + noise; tanh, n = 10, linear output."""
    ends: dict[str, list[float]] = {"right": [], "wrong": []}
    starts, errors = [], []
    for seed in range(seeds):
        rng = np.random.default_rng(300 + seed)
        X, Y = _regression_data(rng, 100)
        start = random_parameters(rng, 1, 10, 1)
        starts.append(half_mse(forward(start, X, TANH, IDENTITY)["Y_hat"], Y))
        for rule in ends:
            p = {name: value.copy() for name, value in start.items()}
            for step in range(steps):
                g, signals = gradients(p, X, Y, TANH, IDENTITY)
                if rule == "wrong":
                    Delta_1 = signals["Delta_2"] * signals["slope_1"]
                    wrong_W_1 = Delta_1.T @ X
                    if step == 0:
                        errors.append(_agreement.relative(wrong_W_1, g["W_1"]))
                    g["W_1"], g["b_1"] = wrong_W_1, Delta_1.sum(axis=0)
                for name in p:
                    p[name] -= rate * g[name]
            ends[rule].append(half_mse(forward(p, X, TANH, IDENTITY)["Y_hat"], Y))
    return {
        "seeds": seeds,
        "steps": steps,
        "start": exactly(starts),
        "right": exactly(ends["right"]),
        "wrong": exactly(ends["wrong"]),
        "fell": int(np.sum(np.array(ends["wrong"]) < np.array(starts))),
        "error": exactly(errors),
    }


def floor(seeds: int = 10, steps: int = 2000, rate: float = 0.1) -> dict[str, Any]:
    """Mean squared error on fresh data with a sigmoid and with a linear output."""
    # Best function with values in [0, 1]: clip the conditional mean 2x + 1. Trapezoid rule.
    grid = np.linspace(-8.0, 8.0, 160_001)
    density = np.exp(-0.5 * grid**2) / np.sqrt(2 * np.pi)
    mean = 2.0 * grid + 1.0
    excess = np.sum((mean - np.clip(mean, 0.0, 1.0)) ** 2 * density) * (grid[1] - grid[0])
    fresh_X, fresh_Y = _regression_data(np.random.default_rng(999), 100_000)
    best = np.clip(2.0 * fresh_X + 1.0, 0.0, 1.0)
    results: dict[str, list[float]] = {"sigmoid": [], "linear": []}
    curves: dict[str, list[float]] = {}
    shown: tuple[Array, Array] | None = None
    line = np.linspace(-3.0, 3.0, 61)[:, None]
    for seed in range(seeds):
        rng = np.random.default_rng(500 + seed)
        X, Y = _regression_data(rng, 100)
        start = random_parameters(rng, 1, 10, 1)
        for kind, phi in (("sigmoid", SIGMOID), ("linear", IDENTITY)):
            p = {name: value.copy() for name, value in start.items()}
            for _ in range(steps):
                g, _ = gradients(p, X, Y, TANH, phi)
                for name in p:
                    p[name] -= rate * g[name]
            error = forward(p, fresh_X, TANH, phi)["Y_hat"] - fresh_Y
            results[kind].append(float(np.mean(error**2)))
            if seed == 0:
                curves[kind] = forward(p, line, TANH, phi)["Y_hat"][:, 0].tolist()
                shown = (X, Y)
    assert shown is not None
    return {
        "seeds": seeds,
        "steps": steps,
        "bound": float(1.0 + excess),
        "bound_fresh": float(np.mean((best - fresh_Y) ** 2)),
        "constant": 5.0,
        **{kind: exactly(values) for kind, values in results.items()},
        "figure": {
            "x": shown[0][:, 0].tolist(),
            "y": shown[1][:, 0].tolist(),
            "line": line[:, 0].tolist(),
            **curves,
        },
    }


def run() -> dict[str, Any]:
    """All claims of the page."""
    return {
        "net": {name: value.tolist() for name, value in NET.items()},
        "rate": WORKED_RATE,
        "x": WORKED_X.tolist(),
        "y": WORKED_Y[:, 0].tolist(),
        "sample": worked_pass(WORKED_X[:1], WORKED_Y[:1]),
        "batch": worked_pass(WORKED_X, WORKED_Y),
        "check": check(),
        "printed": printed(),
        "training": training(),
        "missing_w2": missing_w2(),
        "floor": floor(),
    }


# --- figures -------------------------------------------------------------------------------


def _signed(value: float, digits: int = 3) -> str:
    return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def _label(ax: Any, x: float, y: float, text: str, color: str, size: float = 8.5) -> None:
    ax.text(
        x,
        y,
        text,
        color=color,
        fontsize=size,
        ha="center",
        va="center",
        bbox={"facecolor": style.SURFACE, "edgecolor": "none", "pad": 1.2},
        zorder=5,
    )


def _draw_network(result: dict[str, Any], lang: str) -> Any:
    words = {
        "en": {"forward": "forward: value", "backward": "backward: gradient of J"},
        "zh": {"forward": "前向：数值", "backward": "反向：J 的梯度"},
    }[lang]
    s, net = result["sample"], result["net"]
    fig, ax = style.diagram(7.6, 5.0)
    radius = 0.27
    column = (0.75, 3.55, 6.15)
    inputs = [(column[0], 3.35), (column[0], 1.45)]
    hidden = [(column[1], 4.2), (column[1], 2.4), (column[1], 0.6)]
    output = (column[2], 2.4)

    def edge(
        start: tuple[float, float],
        end: tuple[float, float],
        weight: float,
        gradient: float,
        at: float,
    ) -> None:
        length = float(np.hypot(end[0] - start[0], end[1] - start[1]))
        ux, uy = (end[0] - start[0]) / length, (end[1] - start[1]) / length
        a = (start[0] + radius * ux, start[1] + radius * uy)
        b = (end[0] - (radius + 0.02) * ux, end[1] - (radius + 0.02) * uy)
        style.arrow(ax, a, b, color=style.MUTED, linewidth=1.0, mutation_scale=9)
        x, y = start[0] + at * (end[0] - start[0]), start[1] + at * (end[1] - start[1])
        _label(ax, x, y + 0.1, _signed(weight, 1), style.FORWARD)
        _label(ax, x, y - 0.1, _signed(gradient), style.BACKWARD)

    for j, target in enumerate(hidden):
        for k, source in enumerate(inputs):
            at = (0.47, 0.30, 0.70)[j] if k == 0 else (0.70, 0.30, 0.47)[j]
            edge(source, target, net["W_1"][j][k], s["grad"]["W_1"][j][k], at)
        edge(target, output, net["W_2"][0][j], s["grad"]["W_2"][0][j], 0.5)

    def node(x: float, y: float, name: str) -> None:
        ax.add_patch(
            style.matplotlib.patches.Circle(
                (x, y),
                radius,
                facecolor=style.SURFACE,
                edgecolor=style.INK,
                linewidth=1.3,
                zorder=6,
            )
        )
        ax.text(x, y, name, ha="center", va="center", color=style.INK, fontsize=11, zorder=7)

    for k, (x, y) in enumerate(inputs):
        node(x, y, f"x{'₁₂'[k]}")
        _label(ax, x, y + 0.42, _signed(result["x"][0][k], 1), style.FORWARD, 9)
    for j, (x, y) in enumerate(hidden):
        node(x, y, f"h{'₁₂₃'[j]}")
        _label(
            ax, x, y + 0.40, f"{_signed(s['A_1'][j])} → {_signed(s['H_1'][j])}", style.FORWARD, 9
        )
        _label(ax, x, y - 0.40, f"δ = {_signed(s['Delta_1'][j])}", style.BACKWARD, 9)
        rise = (0.16, 0.13, -0.16)[j]
        ax.text(
            x + 0.36,
            y + rise,
            f"b = {_signed(net['b_1'][j], 1)}",
            color=style.FORWARD,
            fontsize=8.5,
            va="center",
        )
    node(*output, "ŷ")
    _label(ax, output[0], output[1] + 0.42, _signed(s["Y_hat"][0]), style.FORWARD, 9)
    _label(ax, output[0], output[1] - 0.42, f"δ = {_signed(s['Delta_2'][0])}", style.BACKWARD, 9)
    _label(ax, output[0], output[1] - 0.66, f"b = {_signed(net['b_2'][0], 1)}", style.FORWARD)
    style.box(ax, 6.85, 2.2, 0.42, 0.4, "J")
    style.arrow(ax, (output[0] + radius, 2.4), (6.84, 2.4), color=style.MUTED, linewidth=1.0)
    _label(ax, 7.06, 2.78, _signed(s["J"]), style.FORWARD, 9)
    _label(ax, 7.06, 1.98, f"y = {_signed(result['y'][0], 1)}", style.INK, 9)
    ax.text(5.0, 4.72, words["forward"], color=style.FORWARD, fontsize=9.5, va="center")
    ax.text(5.0, 4.46, words["backward"], color=style.BACKWARD, fontsize=9.5, va="center")
    return fig


def _draw_training(result: dict[str, Any], lang: str) -> Any:
    t = {
        "en": ("step", "loss J", "right gradients", "printed gradients"),
        "zh": ("步数", "损失 J", "正确的梯度", "原文印出的梯度"),
    }[lang]
    data = result["training"]
    fig, ax = style.new_figure(6.4, 3.2)
    steps = np.arange(len(data["right"]["median"])) * data["every"]
    for rule, color in (("right", style.GOOD), ("printed", style.BAD)):
        ax.plot(steps, data[rule]["median"], color=color)
        ax.fill_between(
            steps, data[rule]["low"], data[rule]["high"], color=color, alpha=0.15, linewidth=0
        )
    ax.set_yscale("log")
    ax.set_xlabel(t[0])
    ax.set_ylabel(t[1])
    ax.text(steps[-1], 0.42, t[3], color=style.BAD, ha="right", va="center", fontsize=9.5)
    ax.text(steps[-1], 2.0e-3, t[2], color=style.GOOD, ha="right", va="center", fontsize=9.5)
    return fig


def _draw_floor(result: dict[str, Any], lang: str) -> Any:
    t = {
        "en": ("x", "y", "linear output", "sigmoid output", "100 training samples"),
        "zh": ("x", "y", "线性输出", "sigmoid 输出", "100 个训练样本"),
    }[lang]
    data = result["floor"]["figure"]
    fig, ax = style.new_figure(6.4, 3.2)
    ax.plot(data["x"], data["y"], "o", color=style.MUTED, markersize=3.5, alpha=0.6, label=t[4])
    ax.plot(data["line"], data["linear"], color=style.GOOD, label=t[2])
    ax.plot(data["line"], data["sigmoid"], color=style.BAD, label=t[3])
    ax.axhspan(0.0, 1.0, color=style.BAD, alpha=0.10, linewidth=0)
    ax.set_xlabel(t[0])
    ax.set_ylabel(t[1])
    ax.legend(loc="upper left")
    return fig


def _draw_printed(result: dict[str, Any], lang: str) -> Any:
    """Median relative error of each printed gradient in ten groups of networks."""
    words = {
        "en": ("as printed", "kinder reading", "median relative error"),
        "zh": ("照印出的公式", "宽容的读法", "相对误差中位数"),
    }[lang]
    readings = (("literal", style.BAD), ("charitable", style.FORWARD))
    bars = [
        Bar(f"{parameter[0]}{'₁₂'[int(parameter[2]) - 1]}  {label}", found["error"], color)
        for parameter in ("W_1", "b_1", "W_2", "b_2")
        for (reading, color), label in zip(readings, words, strict=False)
        for found in [result["printed"]["scalar"][reading][parameter]]
    ]
    fig = draw_ranges(bars, words[2], height=0.24)
    fig.axes[0].axvline(1.0, color=style.MUTED, linewidth=0.9, linestyle="--")
    return fig


def _draw_cosine(result: dict[str, Any], lang: str) -> Any:
    x, y = {"en": ("cosine", "networks"), "zh": ("余弦", "网络个数")}[lang]
    counts = result["printed"]["wide"]["cosine"]["counts"]
    edges = np.linspace(-1.0, 1.0, len(counts) + 1)
    fig, ax = style.new_figure(6.0, 2.4)
    ax.bar(edges[:-1], counts, width=np.diff(edges), align="edge", color=style.BAD, alpha=0.7)
    ax.axvline(0.0, color=style.MUTED, linewidth=0.9, linestyle="--")
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    return fig


def _draw_missing_weight(result: dict[str, Any], lang: str) -> Any:
    t = {
        "en": ("loss at the start", "right gradient", "without W₂", "loss"),
        "zh": ("开始时的损失", "正确的梯度", "漏掉 W₂", "损失"),
    }[lang]
    found = result["missing_w2"]
    colors = (style.MUTED, style.GOOD, style.BAD)
    keys = ("start", "right", "wrong")
    bars = [Bar(row, found[k], c) for row, k, c in zip(t[:3], keys, colors, strict=True)]
    return draw_ranges(bars, t[3])


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    """The worked pass on the network, the agreement, the floor, the article's formulas."""
    judges = {"en": ("central differences", "PyTorch"), "zh": ("中心差分", "PyTorch")}[lang]
    check = (result["check"]["central"], result["check"]["torch"])
    return {
        "two_layers_check": _agreement.figure(dict(zip(judges, check, strict=True)), lang),
        "two_layers_printed": _draw_printed(result, lang),
        "two_layers_cosine": _draw_cosine(result, lang),
        "two_layers_missing_weight": _draw_missing_weight(result, lang),
        "two_layers": _draw_network(result, lang),
        "two_layers_training": _draw_training(result, lang),
        "two_layers_floor": _draw_floor(result, lang),
    }
