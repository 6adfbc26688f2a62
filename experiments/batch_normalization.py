"""Batch normalization by hand: four samples, the projection, and the statistics held constant.

Claims, and how each is measured:

* ``sample``: every number of one feature with four samples, epsilon = 0, forward and backward,
  by the chain of Ioffe and Szegedy and by the one-line formula; the difference quotient.
* ``check``: over random batches, batch norm and layer norm agree with central differences and
  PyTorch.
* ``projection``: the gradient is orthogonal to the vector of ones and, for epsilon = 0, to the
  normalised values; with epsilon it keeps the share that the formula gives; a batch of two
  samples gets almost no gradient.
* ``constant``: the gradient with mean and variance held constant: its error, its cosine with the
  true one, and what training with it does.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments import style

Array = NDArray[np.float64]


def forward(X: Array, gamma: Array, beta: Array, eps: float, axis: int = 0) -> Any:
    """(Z, X_hat, s) with mean and biased variance over the axis."""
    centred = X - X.mean(axis=axis, keepdims=True)
    s = np.sqrt((centred**2).mean(axis=axis, keepdims=True) + eps)
    X_hat = centred / s
    return gamma * X_hat + beta, X_hat, s


def backward(G: Array, gamma: Array, X_hat: Array, s: Array, axis: int = 0) -> Array:
    """The one-line formula for the gradient of X."""
    G_hat = G * gamma
    along = (G_hat * X_hat).mean(axis=axis, keepdims=True)
    out: Array = (G_hat - G_hat.mean(axis=axis, keepdims=True) - X_hat * along) / s
    return out


def sample() -> dict[str, Any]:
    """One feature, four samples, numbers that come out even."""
    x, y = np.array([1.0, 7.0, 9.0, 15.0]), np.array([0.0, 1.0, 1.0, 3.0])
    gamma, beta, N = 2.0, 1.0, 4

    def loss(x: Array) -> float:
        z = forward(x, np.array(gamma), np.array(beta), 0.0)[0]
        return float(np.sum((z - y) ** 2) / (2 * N))

    mu = x.mean()
    v = ((x - mu) ** 2).mean()
    s = np.sqrt(v)
    x_hat = (x - mu) / s
    z = gamma * x_hat + beta
    g = (z - y) / N
    g_hat = gamma * g
    grad_v = -np.sum(g_hat * (x - mu)) / (2 * s**3)
    grad_mu = -np.sum(g_hat) / s
    chain = g_hat / s + grad_v * 2 * (x - mu) / N + grad_mu / N
    line = (g_hat - g_hat.mean() - x_hat * (g_hat * x_hat).mean()) / s
    step = np.array([1e-5, 0.0, 0.0, 0.0])
    return {
        "x": x.tolist(),
        "y": y.tolist(),
        "mu": float(mu),
        "v": float(v),
        "s": float(s),
        "x_hat": x_hat.tolist(),
        "z": z.tolist(),
        "J": loss(x),
        "g": g.tolist(),
        "g_hat": g_hat.tolist(),
        "grad_gamma": float(np.sum(g * x_hat)),
        "grad_beta": float(np.sum(g)),
        "grad_v": float(grad_v),
        "grad_mu": float(grad_mu),
        "g_hat_mean": float(g_hat.mean()),
        "along": float((g_hat * x_hat).mean()),
        "constant": (g_hat / s).tolist(),
        "through_v": (grad_v * 2 * (x - mu) / N).tolist(),
        "through_mu": float(grad_mu / N),
        "without_mean": ((g_hat - g_hat.mean()) / s).tolist(),
        "chain": chain.tolist(),
        "dx": line.tolist(),
        "quotient": (loss(x + step) - loss(x - step)) / 2e-5,
        "dx_sum": abs(float(line.sum())),
        "dx_along": abs(float(line @ x_hat)),
        "too_large": float(np.linalg.norm(g_hat / s) / np.linalg.norm(line)),
    }


def _central(f: Any, parameter: Array, eps: float = 1e-5) -> Array:
    out = np.empty_like(parameter)
    for index in np.ndindex(parameter.shape):
        keep = parameter[index]
        parameter[index] = keep + eps
        above = f()
        parameter[index] = keep - eps
        below = f()
        parameter[index] = keep
        out[index] = (above - below) / (2 * eps)
    return out


def _relative(estimate: Array, truth: Array) -> float:
    return float(np.linalg.norm(estimate - truth) / np.linalg.norm(truth))


def _bound(value: float) -> float:
    """A power of ten at least three times larger: rounding noise differs between CPUs."""
    return float(f"1e{int(np.ceil(np.log10(3.0 * value)))}")


def check(batches: int = 50) -> dict[str, Any]:
    """Largest relative errors of all three gradients of both normalisations."""
    import torch

    rng = np.random.default_rng(0)
    worst = {"central": 0.0, "torch": 0.0}
    for _ in range(batches):
        N, d = int(rng.integers(3, 8)), int(rng.integers(3, 6))
        X, T = rng.normal(size=(2, N, d))
        gamma, beta = rng.normal(size=(2, d))
        for axis in (0, 1):

            def f(
                X: Array = X, w: Array = gamma, b: Array = beta, T: Array = T, axis: int = axis
            ) -> float:
                return float(np.sum((forward(X, w, b, 1e-5, axis)[0] - T) ** 2) / 2)

            Z, X_hat, s = forward(X, gamma, beta, 1e-5, axis)
            G = Z - T
            ours = (backward(G, gamma, X_hat, s, axis), (G * X_hat).sum(axis=0), G.sum(axis=0))
            tensors = [torch.tensor(v, requires_grad=True) for v in (X, gamma, beta)]
            if axis == 0:
                out = torch.nn.functional.batch_norm(
                    tensors[0], None, None, tensors[1], tensors[2], training=True
                )
            else:
                out = torch.nn.functional.layer_norm(tensors[0], (d,), tensors[1], tensors[2])
            (((out - torch.tensor(T)) ** 2).sum() / 2).backward()
            for grad, parameter, tensor in zip(ours, (X, gamma, beta), tensors, strict=True):
                worst["central"] = max(worst["central"], _relative(grad, _central(f, parameter)))
                worst["torch"] = max(worst["torch"], _relative(grad, np.asarray(tensor.grad)))
    return {"batches": batches, **{key: _bound(value) for key, value in worst.items()}}


def projection(batches: int = 100) -> dict[str, Any]:
    """What is left of the gradient along 1 and along x_hat, relative to the full length."""
    rng = np.random.default_rng(1)
    one = np.array(1.0)
    ones, along, kept = 0.0, 0.0, 0.0
    for _ in range(batches):
        N = int(rng.integers(3, 12))
        x, g = rng.normal(size=(2, N))
        _, x_hat, s = forward(x, one, one, 0.0)
        dx = backward(g, one, x_hat, s)
        length = np.linalg.norm(g) / s[0]
        ones = max(ones, abs(float(dx.sum())) / (length * N**0.5))
        along = max(along, abs(float(dx @ x_hat)) / (length * N**0.5))
        eps = 0.1
        _, x_hat, s = forward(x, one, one, eps)
        dx = backward(g, one, x_hat, s)
        formula = eps / s[0] ** 3 * (x_hat @ g)
        kept = max(kept, abs(float((dx @ x_hat - formula) / formula)))
    x, g = np.array([0.3, 1.7]), np.array([1.0, -0.4])
    pair = {}
    for name, eps in (("zero", 0.0), ("torch", 1e-5)):
        _, x_hat, s = forward(x, one, one, eps)
        pair[name] = float(np.abs(backward(g, one, x_hat, s)).max())
    return {
        "batches": batches,
        "ones": _bound(ones),
        "along": _bound(along),
        "kept": _bound(kept),
        "pair_zero": pair["zero"],
        "pair_eps": pair["torch"],
    }


def train(seed: int, constant: bool, steps: int = 300, rate: float = 0.1) -> tuple[float, float]:
    """Loss before and after: linear, batch norm, tanh, linear; half mean squared error."""
    rng = np.random.default_rng(seed)
    X = 3.0 * rng.normal(size=(64, 4))
    Y = np.sin(X @ rng.normal(size=(4, 1)) / 3.0)
    W1, W2 = rng.normal(size=(16, 4)) / 2.0, rng.normal(size=(1, 16)) / 4.0
    gamma, beta, b2 = np.ones(16), np.zeros(16), np.zeros(1)
    start = end = 0.0
    for step in range(steps + 1):
        Z, A_hat, s = forward(X @ W1.T, gamma, beta, 1e-5)
        H = np.tanh(Z)
        E = H @ W2.T + b2 - Y
        end = float(np.sum(E**2) / (2 * len(X)))
        if step == 0:
            start = end
        Delta2 = E / len(X)
        G = (Delta2 @ W2) * (1 - H**2)
        Delta1 = G * gamma / s if constant else backward(G, gamma, A_hat, s)
        W2, b2 = W2 - rate * Delta2.T @ H, b2 - rate * Delta2.sum(axis=0)
        gamma, beta = gamma - rate * (G * A_hat).sum(axis=0), beta - rate * G.sum(axis=0)
        W1 = W1 - rate * Delta1.T @ X
    return start, end


def constant(batches: int = 200, seeds: int = 20) -> dict[str, Any]:
    """Mean and variance held constant, as if they did not depend on x."""
    rng = np.random.default_rng(2)
    errors: dict[int, list[float]] = {4: [], 32: []}
    cosines: dict[int, list[float]] = {4: [], 32: []}
    one = np.array(1.0)
    for N in errors:
        for _ in range(batches):
            x, g = rng.normal(size=(2, N))
            _, x_hat, s = forward(x, one, one, 1e-5)
            true, wrong = backward(g, one, x_hat, s), g / s
            errors[N].append(_relative(wrong, true))
            cosines[N].append(float(true @ wrong / (np.linalg.norm(true) * np.linalg.norm(wrong))))
    runs = {name: [train(k, name == "wrong") for k in range(seeds)] for name in ("right", "wrong")}
    ends = {name: np.array([end for _, end in runs[name]]) for name in runs}
    return {
        "batches": batches,
        "seeds": seeds,
        "error_n4": float(np.median(errors[4])),
        "error_n32": float(np.median(errors[32])),
        "cosine_n4": float(np.median(cosines[4])),
        "cosine_n32": float(np.median(cosines[32])),
        "start": float(np.median([start for start, _ in runs["right"]])),
        "end_right": float(np.median(ends["right"])),
        "end_wrong": float(np.median(ends["wrong"])),
        "higher": int(np.sum(ends["wrong"] > ends["right"])),
    }


def run() -> dict[str, Any]:
    """All claims of the page."""
    return {
        "sample": sample(),
        "check": check(),
        "projection": projection(),
        "constant": constant(),
    }


def draw(result: dict[str, Any], lang: str) -> Any:
    """The gradient of each of the four samples after each of the three terms."""
    words = {
        "en": (
            "statistics held constant",
            "mean removed",
            "part along x̂ removed: ∂J/∂x",
            "sample",
            "gradient",
        ),
        "zh": ("统计量视为常数", "减去均值", "再减去沿 x̂ 的分量：∂J/∂x", "样本", "梯度"),
    }[lang]
    s = result["sample"]
    fig, ax = style.new_figure(6.8, 3.4)
    x = np.arange(4)
    bars = (
        (s["constant"], style.MUTED, words[0]),
        (s["without_mean"], style.FORWARD, words[1]),
        (s["dx"], style.BACKWARD, words[2]),
    )
    for shift, (values, colour, label) in zip((-0.27, 0.0, 0.27), bars, strict=True):
        ax.bar(x + shift, values, width=0.25, color=colour, label=label)
    ax.axhline(0, color=style.MUTED, linewidth=0.8)
    ax.set_xticks(x, [f"{k + 1}: x̂ = {v:.1f}".replace("-", "−") for k, v in enumerate(s["x_hat"])])
    ax.set_xlabel(words[3])
    ax.set_ylabel(words[4])
    ax.legend(loc="lower right", fontsize=8)
    return fig
