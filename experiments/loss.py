"""Losses: what each one asks for, and what its gradient does.

Claims and how they are measured (float64, NumPy):
* ``constant``: 99 zeros and one 100; the constant that minimises MSE, MAE, Huber.
* ``outliers``: a line fitted to y = 2x + 1 + noise with 10 % corrupted labels by
  MSE, MAE and Huber, and to clean data; distance to the true line, 20 seeds.
* ``saturation``: gradient at the logit of MSE-after-sigmoid and of binary
  cross-entropy, label 1; steps of gradient descent until the answer is right.
* ``double_softmax``: softmax before a loss that takes logits: the wrong value, the
  floor log(1 + (C-1)/e), and the loss after equal training, 10 seeds.
* ``mse_or_ce``: one classifier trained with CE and with MSE, accuracy on fresh samples,
  each loss at the best of four learning rates, 10 seeds.
* ``identities``: NLL = cross-entropy; BCE = two-class cross-entropy; padding.
* ``boxes`` (drawn): gradient descent on 1 - IoU and on 1 - GIoU from disjoint boxes.
"""

from __future__ import annotations

import numpy as np

from experiments._many_nets import spread

SEEDS = 20
Array = np.ndarray


def sigmoid(z: Array) -> Array:
    return np.exp(-np.logaddexp(0.0, -z))


def log_softmax(z: Array) -> Array:
    shifted = z - z.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def cross_entropy(z: Array, target: Array) -> float:
    return float(-log_softmax(z)[np.arange(len(target)), target].mean())


# -- regression with outliers


def residual_gradient(r: Array, kind: str) -> Array:
    """Return d loss / d prediction for the residuals r = prediction - label."""
    return {"mse": r, "mae": np.sign(r), "huber": np.clip(r, -1.0, 1.0)}[kind]


def fit_line(x: Array, y: Array, kind: str) -> Array:
    """Fit slope and intercept: least squares for MSE, reweighted least squares else."""
    design = np.stack([x, np.ones_like(x)], axis=1)
    theta = np.linalg.lstsq(design, y, rcond=None)[0]
    for _ in range(0 if kind == "mse" else 300):
        r = np.abs(design @ theta - y)
        floor = 1.0 if kind == "huber" else 1e-7
        weight = 1.0 / np.maximum(r, floor)
        normal = design.T @ (design * weight[:, None])
        theta = np.linalg.solve(normal, design.T @ (weight * y))
    return theta


def outliers() -> dict:
    errors: dict[str, dict[str, list[float]]] = {}
    points = {}
    for case in ("clean", "dirty"):
        errors[case] = {"mse": [], "mae": [], "huber": []}
        for seed in range(SEEDS):
            rng = np.random.default_rng(seed)
            x = rng.uniform(-3.0, 3.0, 100)
            y = 2.0 * x + 1.0 + 0.5 * rng.normal(size=100)
            if case == "dirty":
                worst = np.argsort(x)[-10:]  # ten labels at the right end lose their sign
                y[worst] = -y[worst] - 10.0
            for kind, found in errors[case].items():
                theta = fit_line(x, y, kind)
                # root mean square distance of the lines for x uniform in [-3, 3]
                found.append(float(np.sqrt(3.0 * (theta[0] - 2.0) ** 2 + (theta[1] - 1.0) ** 2)))
                if seed == 0 and case == "dirty":
                    points[kind] = theta.tolist()
            if seed == 0 and case == "dirty":
                points["x"], points["y"] = x.tolist(), y.tolist()
    out: dict = {c: {k: spread(v) for k, v in e.items()} for c, e in errors.items()}
    out["example"] = points
    return out


def constant() -> dict[str, float]:
    y = np.array([0.0] * 99 + [100.0])
    low, high = 0.0, 100.0
    for _ in range(200):  # Huber with delta 1: the sum of clipped residuals crosses zero
        middle = (low + high) / 2.0
        if residual_gradient(middle - y, "huber").sum() > 0:
            high = middle
        else:
            low = middle
    return {"mse": float(y.mean()), "mae": float(np.median(y)), "huber": (low + high) / 2.0}


# -- classes: saturation, logits


def saturation() -> dict:
    z = np.linspace(-12.0, 12.0, 49)
    p = sigmoid(z)
    table = {
        "z": z.tolist(),
        "mse": ((p - 1.0) * p * (1.0 - p) * 2.0).tolist(),
        "bce": (p - 1.0).tolist(),
    }
    steps = {}
    for start in (-2.0, -5.0, -10.0):
        for kind in ("mse", "bce"):
            logit, count = start, 0
            while logit <= 0.0 and count < 1_000_000:
                q = float(sigmoid(np.array(logit)))
                grad = (q - 1.0) * (2.0 * q * (1.0 - q) if kind == "mse" else 1.0)
                logit, count = logit - grad, count + 1
            steps[f"{kind}_{int(-start)}"] = count
    q = float(sigmoid(np.array(-10.0)))
    return {
        "curve": table,
        "steps": steps,
        "mse_at_minus_10": 2.0 * (q - 1.0) * q * (1.0 - q),
        "bce_at_minus_10": q - 1.0,
    }


def double_softmax() -> dict:
    """Train a linear softmax classifier on three Gaussian classes, right and wrong."""
    final: dict[str, dict[str, list[float]]] = {
        k: {"ce": [], "reported": [], "accuracy": []} for k in ("logits", "probabilities")
    }
    for seed in range(10):
        rng = np.random.default_rng(seed)
        centres = rng.normal(size=(3, 4))
        target = rng.integers(0, 3, 300)
        x = centres[target] + 0.5 * rng.normal(size=(300, 4))
        onehot = np.eye(3)[target]
        for kind, found in final.items():
            w, b = np.zeros((3, 4)), np.zeros(3)
            for _ in range(300):
                z = x @ w.T + b
                p = np.exp(log_softmax(z))
                if kind == "logits":
                    delta = (p - onehot) / 300
                else:
                    outer = (np.exp(log_softmax(p)) - onehot) / 300
                    delta = p * (outer - (outer * p).sum(axis=1, keepdims=True))
                w -= 0.5 * delta.T @ x
                b -= 0.5 * delta.sum(axis=0)
            z = x @ w.T + b
            found["ce"].append(cross_entropy(z, target))
            shown = z if kind == "logits" else np.exp(log_softmax(z))
            found["reported"].append(cross_entropy(shown, target))
            found["accuracy"].append(float((z.argmax(axis=1) == target).mean()))
    out: dict = {k: {m: spread(v) for m, v in f.items()} for k, f in final.items()}
    out["floor_3"] = float(np.log1p(2.0 / np.e))
    out["floor_10"] = float(np.log1p(9.0 / np.e))
    out["floor_1000"] = float(np.log1p(999.0 / np.e))
    return out


def mse_or_ce() -> dict:
    """Train one two-layer classifier with CE and with MSE on the softmax output.

    Accuracy on 1000 fresh samples. Each loss gets the best of four learning rates, judged
    by the mean of that accuracy over the seeds; none of the winners is at the edge.
    """
    rates, seeds, n = (0.025, 0.1, 0.4, 1.6), 10, 200
    out: dict = {}
    for scale, name in ((1.0, "normal"), (10.0, "wrong")):
        accuracy = {kind: np.zeros((len(rates), seeds)) for kind in ("ce", "mse")}
        for seed in range(seeds):
            rng = np.random.default_rng(100 + seed)
            centres = 1.5 * rng.normal(size=(5, 6))
            label = rng.integers(0, 5, n)
            x = centres[label] + rng.normal(size=(n, 6))
            onehot = np.eye(5)[label]
            first = rng.normal(size=(32, 6)) / np.sqrt(6.0)
            second = scale * rng.normal(size=(5, 32)) / np.sqrt(32.0)
            fresh = rng.integers(0, 5, 1000)
            xt = centres[fresh] + rng.normal(size=(1000, 6))
            for kind, table in accuracy.items():
                for k, rate in enumerate(rates):
                    w1, w2 = first.copy(), second.copy()
                    for _ in range(200):
                        h = np.tanh(x @ w1.T)
                        p = np.exp(log_softmax(h @ w2.T))
                        delta = (p - onehot) / n
                        if kind == "mse":  # sum of squares over classes, mean over samples
                            up = 2.0 * delta
                            delta = p * (up - (up * p).sum(axis=1, keepdims=True))
                        g2 = delta.T @ h
                        w1 -= rate * ((delta @ w2) * (1.0 - h * h)).T @ x
                        w2 -= rate * g2
                    z = np.tanh(xt @ w1.T) @ w2.T
                    table[k, seed] = (z.argmax(axis=1) == fresh).mean()
        out[name] = {}
        for kind, table in accuracy.items():
            best = int(table.mean(axis=1).argmax())
            out[name][kind] = spread(table[best]) | {"rate": rates[best]}
    return out


def identities() -> dict:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(8, 5))
    target = rng.integers(0, 5, 8)
    nll = float(-np.log(np.exp(log_softmax(z)))[np.arange(8), target].mean())
    s = rng.normal(size=64)
    label = rng.integers(0, 2, 64)
    bce = float((np.logaddexp(0.0, s) - label * s).mean())
    two = cross_entropy(np.stack([np.zeros(64), s], axis=1), label)
    # a batch of four sentences of length 12 with 12, 9, 6 and 3 real tokens
    tokens = rng.normal(size=(4, 12, 10))
    words = rng.integers(0, 10, (4, 12))
    real = np.arange(12)[None, :] < np.array([12, 9, 6, 3])[:, None]
    picked = -np.take_along_axis(log_softmax(tokens), words[..., None], axis=2)[..., 0]
    per_sentence = (picked * real).sum(axis=1) / real.sum(axis=1)
    return {
        "nll_minus_ce": abs(nll - cross_entropy(z, target)),
        "bce_minus_two_class_ce": abs(bce - two),
        "real_tokens": int(real.sum()),
        "all_tokens": int(real.size),
        "mean_over_real": float(picked[real].mean()),
        "divided_by_all": float((picked * real).sum() / real.size),
        "mean_of_sentence_means": float(per_sentence.mean()),
    }


# -- boxes


def overlap(a: Array, b: Array) -> tuple[Array, Array, Array]:
    """Return intersection, union and hull areas of boxes (R, 4) = (x0, y0, x1, y1)."""
    side = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
    inter = np.maximum(side, 0.0).prod(axis=1)
    area = (a[:, 2:] - a[:, :2]).prod(axis=1) + (b[:, 2:] - b[:, :2]).prod(axis=1)
    hull = (np.maximum(a[:, 2:], b[:, 2:]) - np.minimum(a[:, :2], b[:, :2])).prod(axis=1)
    return inter, area - inter, hull


def box_loss(a: Array, b: Array, kind: str) -> Array:
    inter, union, hull = overlap(a, b)
    loss = 1.0 - inter / union
    return loss if kind == "iou" else loss + (hull - union) / hull


def box_gradient(a: Array, b: Array, kind: str) -> Array:
    """Return d loss / d a of 1 - IoU or 1 - GIoU; box a is the prediction."""
    inter, union, hull = overlap(a, b)
    wh = a[:, 2:] - a[:, :2]
    side = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
    outer = np.maximum(a[:, 2:], b[:, 2:]) - np.minimum(a[:, :2], b[:, :2])
    meet = (side > 0.0).all(axis=1, keepdims=True)
    d_area = np.concatenate([-wh[:, ::-1], wh[:, ::-1]], axis=1)
    d_inter = np.concatenate(
        [-side[:, ::-1] * (a[:, :2] > b[:, :2]), side[:, ::-1] * (a[:, 2:] < b[:, 2:])], axis=1
    )
    d_inter = np.where(meet, d_inter, 0.0)
    d_union = d_area - d_inter
    i, u, c = inter[:, None], union[:, None], hull[:, None]
    grad = -(d_inter * u - i * d_union) / u**2
    if kind == "iou":
        return grad
    d_hull = np.concatenate(
        [-outer[:, ::-1] * (a[:, :2] < b[:, :2]), outer[:, ::-1] * (a[:, 2:] > b[:, 2:])], axis=1
    )
    return grad - (d_union * c - u * d_hull) / c**2


def boxes() -> dict:
    runs, steps = 200, 3000
    rng = np.random.default_rng(0)
    size = rng.uniform(0.5, 1.5, (2, runs, 2))
    corner = np.zeros((runs, 2))
    # the predicted box starts at a gap of 0.2 to 2 to the right of the true one
    start = corner.copy()
    start[:, 0] = size[0, :, 0] + rng.uniform(0.2, 2.0, runs)
    start[:, 1] = rng.uniform(-0.5, 0.5, runs)
    truth = np.concatenate([corner, corner + size[0]], axis=1)
    begin = np.concatenate([start, start + size[1]], axis=1)
    out: dict = {"runs": runs, "steps": steps}
    for kind in ("iou", "giou"):
        a = begin.copy()
        curve = []
        for step in range(steps + 1):
            if step % 100 == 0:
                inter, union, _ = overlap(a, truth)
                curve.append(np.quantile(inter / union, [0.1, 0.5, 0.9]).tolist())
            a = a - 0.01 * box_gradient(a, truth, kind)
        inter, union, _ = overlap(a, truth)
        iou = inter / union
        out[kind] = {
            "stuck": float((iou == 0.0).mean()),
            "above_half": float((iou > 0.5).mean()),
            "iou": spread(iou),
            "curve": curve,
        }
    # the worked example of the page, and the formula against central differences
    a, b = np.array([[2.0, 0.0, 3.0, 1.0]]), np.array([[0.0, 0.0, 1.0, 1.0]])
    out["example_iou_gradient"] = np.abs(box_gradient(a, b, "iou")).max().item()
    out["example_giou_loss"] = box_loss(a, b, "giou").item()
    worst = 0.0
    for kind in ("iou", "giou"):
        for p in (begin, truth + rng.uniform(-0.2, 0.2, truth.shape)):
            grad = box_gradient(p, truth, kind)
            for k in range(4):
                e = np.eye(4)[k] * 1e-6
                numeric = (box_loss(p + e, truth, kind) - box_loss(p - e, truth, kind)) / 2e-6
                worst = max(worst, float(np.abs(numeric - grad[:, k]).max()))
    out["gradient_check_below_1e6"] = worst < 1e-6
    return out


def run() -> dict:
    return {
        "seeds": SEEDS,
        "constant": constant(),
        "outliers": outliers(),
        "saturation": saturation(),
        "double_softmax": double_softmax(),
        "mse_or_ce": mse_or_ce(),
        "identities": identities(),
        "boxes": boxes(),
    }


def draw(result: dict, lang: str) -> dict:
    from experiments.style import INK, MUTED, SERIES, new_figure

    t = {
        "en": {
            "z": "logit a (the label is 1)",
            "grad": "size of the gradient at the logit",
            "mse": "MSE after the sigmoid",
            "bce": "binary cross-entropy",
            "x": "x",
            "y": "y",
            "data": "data, 10 labels corrupted",
            "true": "true line",
            "step": "gradient step",
            "iou": "IoU with the true box",
            "liou": "loss 1 − IoU",
            "lgiou": "loss 1 − GIoU",
        },
        "zh": {
            "z": "logit a（标签为 1）",
            "grad": "logit 处的梯度大小",
            "mse": "sigmoid 之后用 MSE",
            "bce": "二元交叉熵",
            "x": "x",
            "y": "y",
            "data": "数据，其中 10 个标签被破坏",
            "true": "真实直线",
            "step": "梯度下降步数",
            "iou": "与真实框的 IoU",
            "liou": "损失 1 − IoU",
            "lgiou": "损失 1 − GIoU",
        },
    }[lang]
    figures = {}

    fig, ax = new_figure()
    curve = result["saturation"]["curve"]
    for kind, color in (("mse", SERIES[1]), ("bce", SERIES[0])):
        ax.semilogy(curve["z"], np.abs(curve[kind]), color=color, label=t[kind])
    ax.set_xlabel(t["z"])
    ax.set_ylabel(t["grad"])
    ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2)
    figures["loss-saturation"] = fig

    fig, ax = new_figure()
    example = result["outliers"]["example"]
    ax.plot(example["x"], example["y"], "o", color=MUTED, markersize=3, label=t["data"])
    line = np.array([-3.0, 3.0])
    ax.plot(line, 2.0 * line + 1.0, color=INK, linestyle=":", label=t["true"])
    names = {"mse": "MSE", "mae": "MAE", "huber": "Huber"}
    for k, (kind, name) in enumerate(names.items()):
        slope, shift = example[kind]
        style = ("-", "-", "--")[k]
        ax.plot(line, slope * line + shift, style, color=SERIES[k], label=name)
    ax.set_xlabel(t["x"])
    ax.set_ylabel(t["y"])
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    figures["loss-outliers"] = fig

    fig, ax = new_figure()
    boxes_ = result["boxes"]
    steps = np.arange(0, boxes_["steps"] + 1, 100)
    for kind, color in (("iou", SERIES[1]), ("giou", SERIES[0])):
        low, middle, high = np.array(boxes_[kind]["curve"]).T
        ax.fill_between(steps, low, high, color=color, alpha=0.2, linewidth=0)
        ax.plot(steps, middle, color=color, label=t["l" + kind])
    ax.set_xlabel(t["step"])
    ax.set_ylabel(t["iou"])
    ax.set_ylim(-0.03, 1.03)
    ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2)
    figures["loss-boxes"] = fig
    return figures
