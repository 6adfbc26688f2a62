"""L layers: a worked pass through three layers, the recursion checked, the slope at h measured.

Claims, and how each is measured:

* ``sample``: every number of one forward pass, one backward pass and one step through a 2-3-2-1
  network with tanh inside and a linear output.
* ``check``: the recursion, written as a loop, agrees with central differences, with PyTorch and
  with ``bpref.nn.MLP`` on random networks of 1 to 8 layers with random widths.
* ``slope``: sigma' taken at h instead of a. The relative error of the gradient of the first
  layer for sigmoid, tanh and ReLU and several depths; for ReLU it is exactly zero, because
  h > 0 where a > 0.
* ``curves``: sigma'(a) and sigma'(sigma(a)) at a few places.
"""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpref import nn
from experiments import _agreement, style
from experiments._claim import Claim

RTOL = 1e-6

WORKED = (
    "sample.a*",
    "sample.h*",
    "sample.x*",
    "sample.back*",
    "sample.slope*",
    "sample.delta*",
    "sample.rate",
    "check.deepest",
    "check.shallowest",
    "slope.depths*",
)
CLAIMS = (
    Claim(
        id="l-layers-worked-step",
        en="In the worked network the recursion gives the derivative by one weight of the first "
        "layer as ${{ l_layers.sample.dW[0][1][1] | .6f }}$ and the central difference "
        "${{ l_layers.sample.quotient | .6f }}$; one step lowers the loss from "
        "${{ l_layers.sample.J | .6f }}$ to ${{ l_layers.sample.J_after | .6f }}$.",
        zh="在手算的网络里，对第一层的一个权重，递推给出的导数是 "
        "${{ l_layers.sample.dW[0][1][1] | .6f }}$，中心差分给出 "
        "${{ l_layers.sample.quotient | .6f }}$；走一步，损失从 ${{ l_layers.sample.J | .6f }}$ "
        "降到 ${{ l_layers.sample.J_after | .6f }}$。",
        criterion="abs(sample.quotient - sample.dW[0][1][1]) < 1e-6 and sample.J_after < sample.J",
        covers=("sample.dW[0][1][1]", "sample.quotient", "sample.J", "sample.J_after"),
        exact="arithmetic",
    ),
    Claim(
        id="l-layers-recursion-any-depth",
        en="In {{ l_layers.check.networks }} random networks with up to "
        "{{ l_layers.check.deepest }} layers the gradients of the recursion agree with central "
        "differences, PyTorch and `nn.MLP`: the relative errors stay below "
        "${{ l_layers.check.central.below | sci0 }}$, ${{ l_layers.check.torch.below | sci0 }}$ "
        "and ${{ l_layers.check.package.below | sci0 }}$, in this order.",
        zh="在 {{ l_layers.check.networks }} 个最多 {{ l_layers.check.deepest }} 层的随机网络里，"
        "递推得到的梯度与中心差分、PyTorch 和 `nn.MLP` 都一致：相对误差依次不到 "
        "${{ l_layers.check.central.below | sci0 }}$、${{ l_layers.check.torch.below | sci0 }}$ 和 "
        "${{ l_layers.check.package.below | sci0 }}$。",
        criterion="check.shallowest == 1 and check.deepest == 8 and check.central.below <= 1e-6 "
        "and check.torch.below <= 1e-10 and check.package.below <= 1e-10",
        covers=("check.*",),
        runs="check.networks",
        spread=("check.torch.least", "check.torch.below"),
        figure="l_layers_check",
    ),
    Claim(
        id="l-layers-saturated-unit-passes-at-h",
        en="At $a = 5$ the slope of sigmoid is ${{ l_layers.curves.sigmoid.at_a[2] | .4f }}$ and "
        "that of tanh ${{ l_layers.curves.tanh.at_a[2] | .4f }}$; taken at $h$ they are "
        "${{ l_layers.curves.sigmoid.at_h[2] | .4f }}$ and "
        "${{ l_layers.curves.tanh.at_h[2] | .4f }}$: the saturated unit passes the signal on.",
        zh="在 $a = 5$ 处，sigmoid 的斜率是 ${{ l_layers.curves.sigmoid.at_a[2] | .4f }}$，tanh "
        "的是 ${{ l_layers.curves.tanh.at_a[2] | .4f }}$；取在 $h$ 处则是 "
        "${{ l_layers.curves.sigmoid.at_h[2] | .4f }}$ 和 "
        "${{ l_layers.curves.tanh.at_h[2] | .4f }}$：饱和的单元照样把信号往回传。",
        criterion="all(f.at_a[2] < 0.01 and f.at_h[2] > 0.1 for f in (curves.sigmoid, "
        "curves.tanh))",
        covers=("curves.*",),
        exact="arithmetic",
        figure="l_layers_slope",
    ),
    Claim(
        id="l-layers-slope-at-h-error-grows",
        en="With the slope taken at $h$, the median relative error of $\\frac{\\partial "
        "J}{\\partial W_1}$ grows with the number of layers, for sigmoid and tanh, and no network "
        "escapes: with {{ l_layers.slope.depths[4] }} tanh layers it is "
        "${{ l_layers.slope.tanh.error.median[4] | .2f }}$ (from "
        "${{ l_layers.slope.tanh.error.least[4] | .2f }}$ to "
        "${{ l_layers.slope.tanh.error.most[4] | .2f }}$).",
        zh="斜率取在 $h$ 处时，$\\frac{\\partial J}{\\partial W_1}$ 相对误差的中位数随层数增大，"
        "sigmoid 与 tanh 都如此，而且没有一个网络幸免：{{ l_layers.slope.depths[4] }} 层 tanh 时是 "
        "${{ l_layers.slope.tanh.error.median[4] | .2f }}$（最小 "
        "${{ l_layers.slope.tanh.error.least[4] | .2f }}$，最大 "
        "${{ l_layers.slope.tanh.error.most[4] | .2f }}$）。",
        criterion="all(f.error.median == sorted(f.error.median) and f.error.median[4] > 1.5 * "
        "f.error.median[0] and min(f.error.least) > 0.1 for f in (slope.sigmoid, slope.tanh))",
        covers=("slope.sigmoid.error.*", "slope.tanh.error.*", "slope.seeds"),
        runs="slope.seeds",
        spread=("slope.tanh.error.least[4]", "slope.tanh.error.most[4]"),
        figure="l_layers_slope",
    ),
    Claim(
        id="l-layers-slope-at-h-keeps-direction",
        en="With the slope taken at $h$, the wrong gradient of the first layer points less than "
        "90° away from the right one in every network, and the median cosine stays above $0.7$: "
        "with {{ l_layers.slope.depths[4] }} tanh layers it is "
        "${{ l_layers.slope.tanh.cosine.median[4] | .2f }}$ (smallest "
        "${{ l_layers.slope.tanh.cosine.least[4] | .2f }}$).",
        zh="斜率取在 $h$ 处时，每个网络里第一层的错误梯度与正确梯度的夹角都小于 90°，"
        "余弦的中位数始终高于 $0.7$：{{ l_layers.slope.depths[4] }} 层 tanh 时是 "
        "${{ l_layers.slope.tanh.cosine.median[4] | .2f }}$（最小 "
        "${{ l_layers.slope.tanh.cosine.least[4] | .2f }}$）。",
        criterion="all(min(f.cosine.median) > 0.7 and min(f.cosine.least) > 0 for f in "
        "(slope.sigmoid, slope.tanh))",
        covers=("slope.sigmoid.cosine.*", "slope.tanh.cosine.*"),
        runs="slope.seeds",
        spread=("slope.tanh.cosine.least[4]", "slope.tanh.cosine.most[4]"),
        figure="l_layers_direction",
    ),
    Claim(
        id="l-layers-relu-hides-the-slope",
        en="For ReLU the slope at $h$ and the slope at $a$ give the same gradient of the first "
        "layer in every network: the largest error is "
        "${{ l_layers.slope.relu.error.most[4] | .0f }}$.",
        zh="对 ReLU，斜率取在 $h$ 处与取在 $a$ 处，每个网络得到的第一层梯度都相同：误差最大也是 "
        "${{ l_layers.slope.relu.error.most[4] | .0f }}$。",
        criterion="max(slope.relu.error.most) == 0",
        covers=("slope.relu.error.*",),
        runs="slope.seeds",
        spread=("slope.relu.error.least[4]", "slope.relu.error.most[4]"),
        figure="l_layers_slope",
    ),
)

Array = NDArray[np.float64]
Function = Callable[[Array], Array]


def sigmoid(a: Array) -> Array:
    """Stable for every a."""
    return 0.5 * (1.0 + np.tanh(0.5 * a))


FUNCTIONS: dict[str, tuple[Function, Function]] = {
    "sigmoid": (sigmoid, lambda a: sigmoid(a) * (1.0 - sigmoid(a))),
    "tanh": (np.tanh, lambda a: 1.0 - np.tanh(a) ** 2),
    "relu": (lambda a: np.maximum(a, 0.0), lambda a: (a > 0.0).astype(float)),
}


def forward(X: Array, W: list[Array], b: list[Array], name: str) -> tuple[list[Array], list[Array]]:
    """[A_1, …, A_L] and [H_0, …, H_(L-1)]; the output is A_L."""
    A, H = [], [X]
    for Wl, bl in zip(W, b, strict=True):
        A.append(H[-1] @ Wl.T + bl)
        H.append(FUNCTIONS[name][0](A[-1]))
    return A, H[:-1]


def backward(
    Y: Array, A: list[Array], H: list[Array], W: list[Array], name: str, *, at_h: bool = False
) -> tuple[list[Array], list[Array], list[Array]]:
    """(Delta, dJ/dW, dJ/db) of every layer, first layer first; J is half the squared error."""
    slope = FUNCTIONS[name][1]
    deltas = [(A[-1] - Y) / len(Y)]
    for layer in reversed(range(len(W) - 1)):
        place = H[layer + 1] if at_h else A[layer]
        deltas.insert(0, (deltas[0] @ W[layer + 1]) * slope(place))
    return (
        deltas,
        [D.T @ h for D, h in zip(deltas, H, strict=True)],
        [D.sum(axis=0) for D in deltas],
    )


def loss(output: Array, Y: Array) -> float:
    return float(np.sum((output - Y) ** 2) / (2 * len(Y)))


def sample() -> dict[str, Any]:
    """The worked numbers of the page: 2-3-2-1, one sample."""
    W = [
        np.array([[0.5, -0.3], [0.2, 0.4], [-0.6, 0.1]]),
        np.array([[0.3, -0.5, 0.2], [0.7, 0.1, -0.4]]),
        np.array([[0.8, -0.6]]),
    ]
    b = [np.array([0.1, -0.2, 0.3]), np.array([0.2, -0.1]), np.array([0.4])]
    X, Y = np.array([[1.0, -2.0]]), np.array([[-0.5]])
    A, H = forward(X, W, b, "tanh")
    deltas, dW, db = backward(Y, A, H, W, "tanh")
    rate = 0.1
    after, _ = forward(
        X,
        [w - rate * g for w, g in zip(W, dW, strict=True)],
        [w - rate * g for w, g in zip(b, db, strict=True)],
        "tanh",
    )
    eps = 1e-5

    def moved(step: float) -> float:
        V = [W[0].copy(), *W[1:]]
        V[0][1, 1] += step
        return loss(forward(X, V, b, "tanh")[0][-1], Y)

    return {
        "x": X[0].tolist(),
        "y": float(Y[0, 0]),
        "a": [v[0].tolist() for v in A],
        "h": [v[0].tolist() for v in H[1:]],
        "J": loss(A[-1], Y),
        "delta": [v[0].tolist() for v in deltas],
        "back": [(deltas[k] @ W[k])[0].tolist() for k in (1, 2)],
        "slope": [(1 - H[k] ** 2)[0].tolist() for k in (1, 2)],
        "dW": [g.tolist() for g in dW],
        "rate": rate,
        "J_after": loss(after[-1], Y),
        "quotient": (moved(eps) - moved(-eps)) / (2 * eps),
    }


def random_network(
    rng: np.random.Generator, L: int, width: int = 6, gain: float = 1.0
) -> tuple[list[Array], list[Array]]:
    """Weights with variance gain²/fan-in and biases that are not zero."""
    sizes = [int(rng.integers(1, width + 1)) for _ in range(L + 1)]
    W = [gain * rng.normal(size=(o, i)) / np.sqrt(i) for i, o in itertools.pairwise(sizes)]
    return W, [0.5 * rng.normal(size=len(w)) for w in W]


def check(networks: int = 80) -> dict[str, Any]:
    """Relative errors over all gradients of each network, taken together."""
    import torch

    rng = np.random.default_rng(0)
    errors: dict[str, list[float]] = {"central": [], "torch": [], "package": []}
    depths = []
    parameters = []
    for _ in range(networks):
        L = int(rng.integers(1, 9))
        name = ("sigmoid", "tanh")[int(rng.integers(2))]
        W, b = random_network(rng, L, gain=1.5)
        N = int(rng.integers(1, 8))
        X, Y = rng.normal(size=(N, W[0].shape[1])), rng.normal(size=(N, len(W[-1])))
        A, H = forward(X, W, b, name)
        _, dW, db = backward(Y, A, H, W, name)
        ours = np.concatenate([g.ravel() for pair in zip(dW, db, strict=True) for g in pair])
        depths.append(L)
        parameters.append(ours.size)

        net = nn.MLP([W[0].shape[1], *map(len, W)], name, generator=np.random.default_rng(0))
        pairs = [p for pair in zip(W, b, strict=True) for p in pair]
        net.load_state_dict(dict(zip(net.state_dict(), pairs, strict=True)))
        net.backward((net(X) - Y) / N)
        theirs = np.concatenate([p.grad.ravel() for p in net.parameters()])
        errors["package"].append(_agreement.relative(theirs, ours))

        leaves = [torch.tensor(p, requires_grad=True) for p in pairs]
        h = torch.tensor(X)
        for k in range(L):
            h = torch.nn.functional.linear(h, leaves[2 * k], leaves[2 * k + 1])
            h = getattr(torch, name)(h) if k < L - 1 else h
        (((h - torch.tensor(Y)) ** 2).sum() / (2 * N)).backward()
        autograd = np.concatenate([_agreement.stored(p).ravel() for p in leaves])
        errors["torch"].append(_agreement.relative(ours, autograd))

        numeric = []
        for p in pairs:
            for index in np.ndindex(p.shape):
                keep = p[index]
                values = []
                for step in (1e-5, -1e-5):
                    p[index] = keep + step
                    values.append(loss(forward(X, W, b, name)[0][-1], Y))
                p[index] = keep
                numeric.append((values[0] - values[1]) / 2e-5)
        errors["central"].append(_agreement.relative(np.array(numeric), ours))
    floors = {"central": 1e-7, "torch": 1e-12, "package": 1e-12}
    return {
        "networks": networks,
        "deepest": max(depths),
        "shallowest": min(depths),
        "parameters": sum(parameters),
        **{judge: _agreement.spread(errors[judge], floors[judge]) for judge in floors},
    }


def slope(seeds: int = 50, width: int = 12, N: int = 16) -> dict[str, Any]:
    """Relative error of dJ/dW_1, and its cosine with the true one, when the slope is taken at h."""
    out: dict[str, Any] = {"seeds": seeds, "depths": [2, 3, 4, 6, 8]}
    for name in FUNCTIONS:
        found: dict[str, dict[str, list[float]]] = {
            key: {"least": [], "median": [], "most": []} for key in ("error", "cosine")
        }
        for L in out["depths"]:
            errors, angles = [], []
            for seed in range(seeds):
                rng = np.random.default_rng([seed, L])
                sizes = [width] * L + [1]
                W = [
                    1.5 * rng.normal(size=(o, i)) / np.sqrt(i) for i, o in itertools.pairwise(sizes)
                ]
                b = [0.1 * rng.normal(size=len(w)) for w in W]
                X, Y = rng.normal(size=(N, width)), rng.normal(size=(N, 1))
                A, H = forward(X, W, b, name)
                right = backward(Y, A, H, W, name)[1][0]
                wrong = backward(Y, A, H, W, name, at_h=True)[1][0]
                errors.append(_agreement.relative(wrong, right))
                norms = np.linalg.norm(wrong) * np.linalg.norm(right)
                angles.append(float(np.sum(wrong * right) / norms))
            for key, values in (("error", errors), ("cosine", angles)):
                found[key]["least"].append(min(values))
                found[key]["median"].append(float(np.median(values)))
                found[key]["most"].append(max(values))
        out[name] = found
    return out


def curves() -> dict[str, Any]:
    """sigma'(a) and sigma'(sigma(a)) at a = 0, 2, 5."""
    out = {}
    for name in ("sigmoid", "tanh"):
        f, df = FUNCTIONS[name]
        places = np.array([0.0, 2.0, 5.0])
        out[name] = {"at_a": df(places).tolist(), "at_h": df(f(places)).tolist()}
    return out


def run() -> dict[str, Any]:
    """All claims of the page."""
    return {"sample": sample(), "check": check(), "slope": slope(), "curves": curves()}


def draw(result: dict[str, Any], lang: str) -> Any:
    """The chain with what flows in it, the check, the slope at a and at h, the direction."""
    rows = {
        "en": ("central difference", "PyTorch", "nn.MLP"),
        "zh": ("中心差分", "PyTorch", "nn.MLP"),
    }[lang]
    judges = (result["check"][key] for key in ("central", "torch", "package"))
    return {
        "l_layers": _chain(lang),
        "l_layers_check": _agreement.figure(dict(zip(rows, judges, strict=True)), lang),
        "l_layers_slope": _slopes(result, lang),
        "l_layers_direction": _direction(result, lang),
    }


def _chain(lang: str) -> Any:
    words = {
        "en": ("forward: keep", "backward", "gradients"),
        "zh": ("前向：保存", "反向", "梯度"),
    }[lang]
    fig, ax = style.diagram(7.6, 3.0)
    boxes = (
        (0.95, 0.95, "layer 1" if lang == "en" else "第 1 层"),
        (2.95, 0.4, "…"),
        (4.4, 0.95, "layer L" if lang == "en" else "第 L 层"),
        (6.55, 0.6, "J"),
    )
    y, h = 1.3, 0.56
    for x, w, text in boxes:
        style.box(ax, x, y, w, h, text)
    up, down = y + 0.42, y + 0.14
    spans = (
        (0.12, 0.93, "x = h₀", "∂J/∂x"),
        (1.92, 2.93, "h₁", "∂J/∂h₁"),
        (3.37, 4.38, "h_{L−1}", "∂J/∂h_{L−1}"),
        (5.37, 6.53, "ŷ", "∂J/∂ŷ"),
    )
    texts = {"h_{L−1}": r"$h_{L-1}$", "∂J/∂h_{L−1}": r"$\partial J/\partial h_{L-1}$"}
    plain = {
        "x = h₀": r"$x = h_0$",
        "∂J/∂x": r"$\partial J/\partial x$",
        "h₁": r"$h_1$",
        "∂J/∂h₁": r"$\partial J/\partial h_1$",
        "ŷ": r"$\hat y$",
        "∂J/∂ŷ": r"$\partial J/\partial \hat y$",
    }
    names = texts | plain
    for x0, x1, value, gradient in spans:
        style.arrow(ax, (x0, up), (x1, up), color=style.FORWARD)
        style.arrow(ax, (x1, down), (x0, down), color=style.BACKWARD)
        middle = (x0 + x1) / 2
        ax.text(middle, up + 0.2, names[value], color=style.FORWARD, ha="center", va="center")
        ax.text(
            middle, down - 0.24, names[gradient], color=style.BACKWARD, ha="center", va="center"
        )
    for x, layer, before in ((1.42, "1", "0"), (4.87, "L", "{L-1}")):
        ax.text(
            x,
            2.42,
            rf"$h_{before},\ a_{layer}$",
            color=style.FORWARD,
            ha="center",
            va="center",
        )
        style.arrow(ax, (x, 1.88), (x, 2.26), color=style.FORWARD, linewidth=1.1)
        style.arrow(ax, (x, 1.28), (x, 0.74), color=style.BACKWARD, linewidth=1.1)
        ax.text(
            x,
            0.56,
            rf"$\delta_{layer}{{h_{before}}}^\top,\ \delta_{layer}$",
            color=style.BACKWARD,
            ha="center",
            va="center",
        )
    ax.text(1.42, 2.75, words[0], color=style.FORWARD, ha="center", va="center", fontsize=9)
    ax.text(1.42, 0.25, words[2], color=style.BACKWARD, ha="center", va="center", fontsize=9)
    return fig


def _slopes(result: dict[str, Any], lang: str) -> Any:
    words = {
        "en": {
            "at_a": "σ′(a)",
            "at_h": "σ′(h), the wrong place",
            "x": "pre-activation a",
            "depth": "layers L",
            "error": "relative error of ∂J/∂W₁",
        },
        "zh": {
            "at_a": "σ′(a)",
            "at_h": "σ′(h)，位置错误",
            "x": "预激活值 a",
            "depth": "层数 L",
            "error": "∂J/∂W₁ 的相对误差",
        },
    }[lang]
    fig, axes = style.new_figure(7.4, 3.2, ncols=2)
    a = np.linspace(-5, 5, 201)
    colors = {"sigmoid": style.SERIES[0], "tanh": style.SERIES[1], "relu": style.SERIES[2]}
    for name in ("sigmoid", "tanh"):
        f, df = FUNCTIONS[name]
        axes[0].plot(a, df(a), color=colors[name], label=f"{name}: {words['at_a']}")
        axes[0].plot(a, df(f(a)), color=colors[name], ls="--", label=f"{name}: {words['at_h']}")
    axes[0].set_xlabel(words["x"])
    axes[0].set_ylim(-0.03, 1.55)
    axes[0].legend(fontsize=8, frameon=False, loc="upper left")
    _bands(axes[1], result["slope"], "error")
    axes[1].set_xlabel(words["depth"])
    axes[1].set_ylabel(words["error"])
    axes[1].legend(fontsize=8.5, frameon=False, loc="upper left")
    return fig


def _bands(ax: Any, data: dict[str, Any], key: str) -> None:
    """The median against the number of layers, and a band from the least to the most."""
    for name, color, marker in zip(FUNCTIONS, style.SERIES, ("o", "s", "^"), strict=False):
        values = data[name][key]
        label = {"relu": "ReLU"}.get(name, name)
        ax.plot(data["depths"], values["median"], color=color, marker=marker, label=label)
        ax.fill_between(data["depths"], values["least"], values["most"], color=color, alpha=0.13)
    ax.set_xticks(data["depths"])


def _direction(result: dict[str, Any], lang: str) -> Any:
    words = {
        "en": ("layers L", "cosine, wrong and right ∂J/∂W₁"),
        "zh": ("层数 L", "错误与正确的 ∂J/∂W₁ 的余弦"),
    }[lang]
    fig, ax = style.new_figure(5.6, 3.0)
    _bands(ax, result["slope"], "cosine")
    ax.axhline(0, color=style.MUTED, linewidth=0.8)
    ax.set_xlabel(words[0])
    ax.set_ylabel(words[1])
    ax.legend(fontsize=8.5, frameon=False, loc="lower left", ncols=3)
    return fig
