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

from experiments import style

RTOL = 1e-4  # training runs of thousands of steps amplify differences between CPUs

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


def _grad(tensor: Any) -> Array:
    """What PyTorch stored in .grad."""
    return np.asarray(tensor.grad)


def _relative(estimate: Array, truth: Array) -> float:
    return float(np.linalg.norm(estimate - truth) / np.linalg.norm(truth))


def _central(loss: Callable[[], float], parameter: Array, eps: float = 1e-5) -> Array:
    out = np.empty_like(parameter)
    for index in np.ndindex(parameter.shape):
        keep = parameter[index]
        parameter[index] = keep + eps
        above = loss()
        parameter[index] = keep - eps
        below = loss()
        parameter[index] = keep
        out[index] = (above - below) / (2 * eps)
    return out


# --- the worked pass -----------------------------------------------------------------------

WORKED = {
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
    p = {name: value.copy() for name, value in WORKED.items()}
    values = forward(p, X, TANH, IDENTITY)
    grads, signals = gradients(p, X, Y, TANH, IDENTITY)
    numeric = {
        name: _central(lambda: half_mse(forward(p, X, TANH, IDENTITY)["Y_hat"], Y), p[name])
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
        "relative_error": _bound(max(_relative(grads[name], numeric[name]) for name in p)),
    }


# --- the check on random networks ----------------------------------------------------------


def check(networks: int = 100) -> dict[str, Any]:
    """Largest relative error over random networks, against two independent oracles."""
    import torch

    rng = np.random.default_rng(0)
    torch_functions = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "identity": lambda a: a}
    ours = {"sigmoid": SIGMOID, "tanh": TANH, "identity": IDENTITY}
    worst = {"central": 0.0, "torch": 0.0}
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
            numeric = _central(loss, value)
            worst["central"] = max(worst["central"], _relative(grads[name], numeric))
            worst["torch"] = max(worst["torch"], _relative(grads[name], _grad(t[name])))
    # Rounding noise differs between CPUs: a power of ten that is at least three times larger.
    return {"networks": networks, **{k: _bound(v) for k, v in worst.items()}}


def _bound(value: float) -> float:
    return float(f"1e{int(np.ceil(np.log10(3.0 * value)))}")


# --- the article's formulas ------------------------------------------------------------------


def printed(networks: int = 2000) -> dict[str, Any]:
    """The printed gradients against the true ones."""
    rng = np.random.default_rng(1)
    names = ("W_1", "b_1", "W_2", "b_2")

    scalar: dict[str, Any] = {}
    for reading, slope_at in (("literal", "h"), ("charitable", "a")):
        errors: dict[str, list[float]] = {name: [] for name in names}
        flips = dict.fromkeys(names, 0)
        for _ in range(networks):
            p = random_parameters(rng, 1, 1, 1)
            X, Y = rng.normal(size=(20, 1)), rng.normal(size=(20, 1))
            true, _ = gradients(p, X, Y, SIGMOID, SIGMOID)
            wrong = printed_gradients(p, X, Y, SIGMOID, slope_at=slope_at)
            for name in names:
                t, w = float(true[name].ravel()[0]), float(wrong[name].ravel()[0])
                errors[name].append(abs(w - t) / abs(t))
                flips[name] += (t > 0) != (w > 0)
        scalar[reading] = {
            name: {
                "median_error": float(np.median(errors[name])),
                "wrong_sign": flips[name] / networks,
            }
            for name in names
        }

    d, n = 3, 4
    p = random_parameters(rng, d, n, 1)
    X, Y = rng.normal(size=(7, d)), rng.normal(size=(7, 1))
    wrong = printed_gradients(p, X, Y, SIGMOID)
    shapes = {
        name: {"parameter": _shape(_column(p[name])), "printed": _shape(_column(wrong[name]))}
        for name in names
    }

    errors = {name: [] for name in ("W_1", "b_1", "W_2")}
    cosines: list[float] = []
    for _ in range(networks):
        p = random_parameters(rng, 5, 8, 1)
        X, Y = rng.normal(size=(20, 5)), rng.normal(size=(20, 1))
        true, _ = gradients(p, X, Y, SIGMOID, SIGMOID)
        wrong = printed_gradients(p, X, Y, SIGMOID)
        wrong["W_2"] = wrong["W_2"].T
        for name in errors:
            errors[name].append(_relative(wrong[name], true[name]))
        u, v = true["W_1"].ravel(), wrong["W_1"].ravel()
        cosines.append(float(u @ v / np.linalg.norm(u) / np.linalg.norm(v)))
    low, middle, high = np.quantile(cosines, [0.05, 0.5, 0.95])
    wide: dict[str, Any] = {name: float(np.median(values)) for name, values in errors.items()}
    wide["cosine"] = {"q05": float(low), "median": float(middle), "q95": float(high)}

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
    return {"networks": networks, "scalar": scalar, "shapes": shapes, "wide": wide, "one": one}


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
                        errors.append(_relative(wrong_W_1, g["W_1"]))
                    g["W_1"], g["b_1"] = wrong_W_1, Delta_1.sum(axis=0)
                for name in p:
                    p[name] -= rate * g[name]
            ends[rule].append(half_mse(forward(p, X, TANH, IDENTITY)["Y_hat"], Y))
    return {
        "seeds": seeds,
        "steps": steps,
        "start": float(np.median(starts)),
        "right": float(np.median(ends["right"])),
        "wrong": float(np.median(ends["wrong"])),
        "wrong_max": float(np.max(ends["wrong"])),
        "fell": int(np.sum(np.array(ends["wrong"]) < np.array(starts))),
        "relative_error": float(np.median(errors)),
    }


def floor(seeds: int = 5, steps: int = 2000, rate: float = 0.1) -> dict[str, Any]:
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
        **{
            kind: {
                "median": float(np.median(v)),
                "min": float(np.min(v)),
                "max": float(np.max(v)),
            }
            for kind, v in results.items()
        },
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
        "net": {name: value.tolist() for name, value in WORKED.items()},
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


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    """The worked pass on the network; the two training runs; the floor."""
    return {
        "two_layers": _draw_network(result, lang),
        "two_layers_training": _draw_training(result, lang),
        "two_layers_floor": _draw_floor(result, lang),
    }
