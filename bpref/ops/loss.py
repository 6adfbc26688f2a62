"""Registry entries of `bpref.functional.loss` and the files ``loss_*.py`` next to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bpref import functional as F
from bpref.fast import loss as fast
from bpref.ops.operator import Cost, Draw, Operator, Sample

REDUCTIONS = ("mean", "sum", "none")


def _losses(reduction: str, count: int) -> int:
    """Return how many losses come out, for r in the cost rules."""
    return count if reduction == "none" else 1


def _reduced(torch: Any, losses: Any, reduction: str, batch: int = 1) -> Any:
    """Return what PyTorch's reduction makes of single losses."""
    if reduction == "none":
        return losses
    if reduction == "batchmean":
        return losses.sum() / batch
    return getattr(torch, reduction)(losses)


def _loss(
    name: str,
    formula: str,
    rule: str,
    cost: Cost,
    *,
    sample: Callable[[Draw], Sample],
    sizes: Callable[..., dict[str, int]],
    benchmark: Callable[[Draw], Sample],
    shapes: dict[str, str],
    torch: str = "",
    gradient: str = "input",
    **others: Any,
) -> Operator:
    """Return the entry of a loss that is differentiated for its first argument."""
    return Operator(
        name=name,
        family="loss",
        forward=getattr(F, name),
        backward=getattr(F, f"{name}_backward"),
        gradients=(gradient,),
        sample=sample,
        formula=formula,
        rules={gradient: rule},
        shapes=shapes,
        sizes=sizes,
        cost=cost,
        torch=torch,
        benchmark=benchmark,
        **others,
    )


# Errors of a regression ------------------------------------------------------------------------


def _regression(
    draw: Draw, shape: tuple[int, ...], kinks: tuple[float, ...] = (), **options: Any
) -> Sample:
    target = draw.normal(*shape)
    error = draw.away_from(*shape, kinks=kinks)
    options = {"target": target, "reduction": draw.choice(REDUCTIONS), **options}
    return Sample({"input": np.asarray(target + error)}, options)


def _mse_loss(draw: Draw) -> Sample:
    return _regression(draw, draw.shape())


def _half_mse_loss(draw: Draw) -> Sample:
    return _regression(draw, (draw.batch(), *draw.shape(2)))


def _l1_loss(draw: Draw) -> Sample:
    return _regression(draw, draw.shape(), kinks=(0.0,))


def _smooth_l1_loss(draw: Draw) -> Sample:
    beta = draw.choice((1.0, 0.3, 0.0))
    return _regression(draw, draw.shape(), kinks=(-beta, 0.0, beta), beta=beta)


def _huber_loss(draw: Draw) -> Sample:
    delta = draw.choice((1.0, 0.3))
    return _regression(draw, draw.shape(), kinks=(-delta, delta), delta=delta)


def _regression_benchmark(draw: Draw) -> Sample:
    return Sample({"input": draw.normal(128, 1024)}, {"target": draw.normal(128, 1024)})


def _element_sizes(input: Any, reduction: str = "mean", **options: Any) -> dict[str, int]:
    return {"n": input.size, "r": _losses(reduction, input.size)}


def _half_mse_sizes(input: Any, reduction: str = "mean", **options: Any) -> dict[str, int]:
    return {"n": input.size, "N": len(input)}


def _smooth_l1_sizes(input: Any, beta: float = 1.0, **options: Any) -> dict[str, int]:
    return {"n": input.size, "q": input.size if beta > 0.0 else 0}


def _half_mse_reference(torch: Any, input: Any, target: Any, reduction: str = "mean") -> Any:
    losses = torch.nn.functional.mse_loss(input, target, reduction="none")
    for _ in input.shape[1:]:
        losses = losses.sum(1)
    return _reduced(torch, 0.5 * losses, reduction)


def _elementwise(name: str, formula: str, rule: str, cost: Cost, **others: Any) -> Operator:
    """Return the entry of a loss of single numbers."""
    others = {
        "torch": f"nn.functional.{name}",
        "sizes": _element_sizes,
        "benchmark": _regression_benchmark,
        "shapes": {"input": "any", "output": "scalar"},
        **others,
    }
    return _loss(name, formula, rule, cost, **others)


# Logits and probabilities ----------------------------------------------------------------------


def _binary(draw: Draw) -> Sample:
    shape = draw.shape()
    soft = draw.uniform(0.0, 1.0, *shape)
    input = draw.normal(*shape)
    if draw.values == "extreme" and input.size:
        input.flat[0] = 0  # a loss of usual size: far below it, PyTorch's formula cancels
    options: dict[str, Any] = {
        "target": np.where(soft < 0.7, soft.round(), soft),  # hard and soft labels
        "reduction": draw.choice(REDUCTIONS),
    }
    for name in ("weight", "pos_weight"):
        if draw.boolean():
            options[name] = draw.uniform(0.1, 3.0, *_broadcast_from(draw, shape))
    return Sample({"input": input}, options)


def _broadcast_from(draw: Draw, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return a shape that broadcasts to `shape`: some first axes missing, some axes 1."""
    trailing = shape[draw.integer(0, len(shape)) :]
    return tuple(size if draw.boolean() else 1 for size in trailing)


def _binary_benchmark(draw: Draw) -> Sample:
    target = draw.uniform(0.0, 1.0, 128, 1024).round()
    return Sample({"input": draw.normal(128, 1024)}, {"target": target})


def _binary_sizes(
    input: Any, weight: Any = None, pos_weight: Any = None, **options: Any
) -> dict[str, int]:
    n = input.size
    return {
        "n": n,
        "u": 0 if weight is None else n,
        "p": 0 if pos_weight is None else n,
        "s": sum(factor.size for factor in (weight, pos_weight) if factor is not None),
    }


def _class_shape(draw: Draw) -> tuple[int, ...]:
    """Return (C,), (N, C), (N, C, d1) or (N, C, d1, d2)."""
    classes, axes = draw.integer(1, 4), draw.integer(0, 3)
    if axes == 0:
        return (classes,)
    return (draw.batch(), classes, *(draw.integer(1, 3) for _ in range(axes - 1)))


def _labels(draw: Draw, shape: tuple[int, ...]) -> dict[str, Any]:
    """Return labels, some of them ignored, for scores of the given shape."""
    axis = min(1, len(shape) - 1)
    rng = draw.generator()
    labels = rng.integers(0, shape[axis], shape[:axis] + shape[axis + 1 :])
    ignore_index = draw.choice((-100, 1))
    labels = np.where(rng.uniform(size=labels.shape) < 0.3, ignore_index, labels)
    if labels.size:
        labels.flat[0] = 0  # the mean over no label at all is nan
    return {"target": labels, "ignore_index": ignore_index, "reduction": draw.choice(REDUCTIONS)}


def _class_weight(draw: Draw, classes: int) -> dict[str, Any]:
    return {"weight": draw.uniform(0.1, 3.0, classes)} if draw.boolean() else {}


def _cross_entropy(draw: Draw) -> Sample:
    shape = _class_shape(draw)
    axis = min(1, len(shape) - 1)
    options = _labels(draw, shape)
    if draw.boolean():
        scores = draw.uniform(0.01, 1.0, *shape)
        target = scores / scores.sum(axis=axis, keepdims=True)
        options = {"target": target, "reduction": options["reduction"]}
    options |= _class_weight(draw, shape[axis])
    options["label_smoothing"] = draw.choice((0.0, 0.2, 1.0))
    return Sample({"input": _logits(draw, *shape)}, options)


def _logits(draw: Draw, *shape: int) -> Any:
    """Return logits with no probability so near 1 that 1 - p is lost in float32."""
    logits = draw.normal(*shape)
    return np.asarray(0.5 * logits) if draw.values == "smooth" else logits


def _nll_loss(draw: Draw) -> Sample:
    shape = _class_shape(draw)
    options = _labels(draw, shape) | _class_weight(draw, shape[min(1, len(shape) - 1)])
    return Sample({"input": np.asarray(-np.abs(draw.normal(*shape)))}, options)


def _classes_benchmark(draw: Draw) -> Sample:
    target = draw.generator().integers(0, 1000, 128)
    return Sample({"input": draw.normal(128, 1000)}, {"target": target})


def _class_sizes(
    input: Any, weight: Any = None, label_smoothing: float = 0.0, **options: Any
) -> dict[str, int]:
    n = input.size
    return {
        "n": n,
        "M": n // input.shape[min(1, input.ndim - 1)],
        "w": 0 if weight is None else n,
        "s": n if label_smoothing > 0.0 else 0,
    }


def _nll_reference(torch: Any, input: Any, **options: Any) -> Any:
    # PyTorch's nll_loss fails on the backward pass of some layouts with more than one d axis.
    return torch.nn.functional.nll_loss(input.contiguous(), **options)


def _kl_div(draw: Draw) -> Sample:
    shape = draw.shape()
    target = draw.uniform(0.01, 1.0, *shape)
    log_target = draw.boolean()
    target = np.asarray(np.log(target)) if log_target else np.where(target < 0.2, 0.0, target)
    reduction = draw.choice((*REDUCTIONS, "batchmean"))
    options = {"target": target, "reduction": reduction, "log_target": log_target}
    return Sample({"input": draw.normal(*shape)}, options)


def _kl_div_benchmark(draw: Draw) -> Sample:
    target = draw.uniform(0.0, 2e-3, 128, 1000)
    return Sample({"input": draw.normal(128, 1000)}, {"target": target, "reduction": "batchmean"})


def _kl_div_reference(
    torch: Any, input: Any, target: Any, reduction: str = "mean", log_target: bool = False
) -> Any:
    # PyTorch warns of "mean".
    losses = torch.nn.functional.kl_div(input, target, reduction="none", log_target=log_target)
    return _reduced(torch, losses, reduction, batch=input.shape[0] if input.ndim else 1)


# Margins ---------------------------------------------------------------------------------------


def _hinge_embedding_loss(draw: Draw) -> Sample:
    shape, margin = draw.shape(), draw.choice((1.0, 0.3))
    target = np.where(draw.uniform(0.0, 1.0, *shape) < 0.5, 1.0, -1.0)
    options = {
        "target": np.asarray(target, draw.dtype),
        "margin": margin,
        "reduction": draw.choice(REDUCTIONS),
    }
    distance = np.abs(draw.away_from(*shape, kinks=(-margin, margin)))
    return Sample({"input": np.asarray(distance)}, options)


def _hinge_benchmark(draw: Draw) -> Sample:
    target = np.where(draw.uniform(0.0, 1.0, 128, 1024) < 0.5, 1.0, -1.0)
    return Sample({"input": draw.normal(128, 1024)}, {"target": np.asarray(target, draw.dtype)})


def _multi_margin_loss(draw: Draw) -> Sample:
    lead = (draw.batch(),) if draw.boolean() else ()
    shape = (*lead, draw.integer(1, 4))
    labels = np.asarray(draw.generator().integers(0, shape[-1], shape[:-1]))
    input = draw.normal(*shape)
    if draw.values == "smooth":  # differences of scores are odd multiples of 0.05: no kink
        input = input.round(1)
        place = np.expand_dims(labels, -1)
        np.put_along_axis(input, place, np.take_along_axis(input, place, -1) + 0.05, -1)
    options = {
        "target": labels,
        "p": draw.choice((1, 2)),
        "margin": draw.choice((1.0, 0.3)),
        "reduction": draw.choice(REDUCTIONS),
        **_class_weight(draw, shape[-1]),
    }
    return Sample({"input": np.asarray(input, draw.dtype)}, options)


def _multi_margin_sizes(
    input: Any, target: Any, p: int = 1, reduction: str = "mean", **options: Any
) -> dict[str, int]:
    return {
        "n": input.size,
        "M": target.size,
        "q": input.size if p == 2 else 0,
    }


def _multi_margin_reference(torch: Any, reduction: str = "mean", **arguments: Any) -> Any:
    # The mean of an empty batch is an uninitialised number in PyTorch's own reduction.
    losses = torch.nn.functional.multi_margin_loss(**arguments, reduction="none")
    return _reduced(torch, losses, reduction)


# Boxes -----------------------------------------------------------------------------------------


def _boxes(draw: Draw) -> Sample:
    lead = draw.shape(2)
    corners = draw.distinct(*lead, 2, 2, 2)  # box, x or y, low or high
    if draw.values == "extreme":  # of one size: beside a box of 1e4, one of 1 is lost in rounding
        corners = draw.uniform(-1e4, 1e4, *lead, 2, 2, 2)
    boxes = np.swapaxes(np.sort(corners, axis=-1), -1, -2).reshape(*lead, 2, 4)
    inputs = {"boxes1": boxes[..., 0, :], "boxes2": boxes[..., 1, :]}
    return Sample(inputs, {"reduction": draw.choice(REDUCTIONS), "eps": draw.choice((1e-7, 0.1))})


def _boxes_benchmark(draw: Draw) -> Sample:
    corners = np.sort(draw.normal(1000, 2, 2, 2), axis=-1)
    boxes = np.swapaxes(corners, -1, -2).reshape(1000, 2, 4)
    return Sample({"boxes1": boxes[:, 0], "boxes2": boxes[:, 1]}, {"reduction": "mean"})


def _box_sizes(boxes1: Any, boxes2: Any, **options: Any) -> dict[str, int]:
    return {"N": boxes1.size // 4}


def _box_reference(
    torch: Any, boxes1: Any, boxes2: Any, reduction: str, eps: float, *, generalized: bool
) -> Any:
    """Compute the published formulas, coordinate by coordinate."""
    ax1, ay1, ax2, ay2 = boxes1.unbind(-1)
    bx1, by1, bx2, by2 = boxes2.unbind(-1)
    width = torch.minimum(ax2, bx2) - torch.maximum(ax1, bx1)
    height = torch.minimum(ay2, by2) - torch.maximum(ay1, by1)
    meet = (width > 0) & (height > 0)
    intersection = torch.where(meet, width * height, torch.zeros_like(width))
    union = (ax2 - ax1) * (ay2 - ay1) + (bx2 - bx1) * (by2 - by1) - intersection
    value = intersection / (union + eps)
    if generalized:
        across = torch.maximum(ax2, bx2) - torch.minimum(ax1, bx1)
        upright = torch.maximum(ay2, by2) - torch.minimum(ay1, by1)
        # (C - U) / (C + eps), in a form whose derivative by C does not cancel in float32
        value = value - (1 - (union + eps) / (across * upright + eps))
    return _reduced(torch, 1 - value, reduction)


def _iou_reference(
    torch: Any, boxes1: Any, boxes2: Any, reduction: str = "none", eps: float = 1e-7
) -> Any:
    return _box_reference(torch, boxes1, boxes2, reduction, eps, generalized=False)


def _giou_reference(
    torch: Any, boxes1: Any, boxes2: Any, reduction: str = "none", eps: float = 1e-7
) -> Any:
    return _box_reference(torch, boxes1, boxes2, reduction, eps, generalized=True)


# Sequences and policies ------------------------------------------------------------------------


def _ctc_loss(draw: Draw) -> Sample:
    samples, most, symbols = draw.batch(), draw.integer(0, 3), draw.integer(2, 4)
    frames = 2 * most + draw.integer(1, 3)  # enough for any target of `most` labels
    rng, blank = draw.generator(), draw.integer(0, 1)
    labels = rng.integers(0, symbols - 1, (samples, most))
    options = {
        "targets": labels + (labels >= blank),
        "input_lengths": rng.integers(2 * most + 1, frames, samples, endpoint=True),
        "target_lengths": rng.integers(0, most, samples, endpoint=True),
        "blank": blank,
        "reduction": draw.choice(REDUCTIONS),
        "zero_infinity": draw.boolean(),
    }
    return Sample({"log_probs": _log_softmax(draw.normal(frames, samples, symbols))}, options)


def _log_softmax(logits: Any) -> Any:
    return F.log_softmax(logits, -1)[0]


def _ctc_benchmark(draw: Draw) -> Sample:
    rng = draw.generator()
    options = {
        "targets": rng.integers(1, 30, (16, 12)),
        "input_lengths": np.full(16, 60),
        "target_lengths": np.full(16, 12),
    }
    return Sample({"log_probs": _log_softmax(draw.normal(60, 16, 30))}, options)


def _ctc_sizes(log_probs: Any, targets: Any, **options: Any) -> dict[str, int]:
    frames, samples, symbols = log_probs.shape
    states = 2 * np.shape(targets)[1] + 1
    return {"T": frames, "N": samples, "C": symbols, "L": states, "K": max(states - 2, 0)}


def _ctc_reference(
    torch: Any,
    log_probs: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Any:
    """Take PyTorch's loss, and its gradient less exp(log_probs): see `ctc_loss_backward`."""
    if log_probs.shape[1] == 0:  # PyTorch refuses an empty batch
        return _reduced(torch, log_probs.sum((0, 2)), reduction)
    losses = torch.nn.functional.ctc_loss(
        log_probs,
        targets,
        input_lengths,
        target_lengths,
        blank=blank,
        reduction="none",
        zero_infinity=zero_infinity,
    )
    is_frame = torch.arange(len(log_probs))[:, None] < input_lengths
    surplus = (log_probs.exp() * is_frame[:, :, None]).sum((0, 2))
    losses = losses - surplus + surplus.detach()
    if reduction == "mean":
        losses = losses / target_lengths.clamp(min=1)
    return _reduced(torch, losses, reduction)


def _reinforce_loss(draw: Draw) -> Sample:
    samples, actions = draw.batch(), draw.integer(1, 4)
    options: dict[str, Any] = {
        "action": draw.generator().integers(0, actions, samples),
        "returns": draw.normal(samples),
        "reduction": draw.choice(REDUCTIONS),
    }
    baseline = draw.integer(0, 2)
    if baseline:
        options["baseline"] = 0.5 if baseline == 1 else draw.normal(samples)
    return Sample({"logits": _logits(draw, samples, actions)}, options)


def _reinforce_benchmark(draw: Draw) -> Sample:
    options = {"action": draw.generator().integers(0, 10, 1000), "returns": draw.normal(1000)}
    return Sample({"logits": draw.normal(1000, 10)}, options)


def _reinforce_sizes(logits: Any, **options: Any) -> dict[str, int]:
    return {"N": logits.shape[0], "A": logits.shape[1]}


def _reinforce_reference(
    torch: Any, logits: Any, action: Any, returns: Any, baseline: Any = 0.0, reduction: str = "mean"
) -> Any:
    log_policy = torch.log_softmax(logits, 1).gather(1, action[:, None])[:, 0]
    return _reduced(torch, -log_policy * (returns - baseline), reduction)


def _box_rule(which: int, enclosing: bool) -> str:
    """Return the chain rule over the areas: I intersection, A own, U union, C around both."""
    box = rf"\partial B_{which}"
    terms = [
        # The union is A_1 + A_2 - I.
        rf"\left( \frac{{\partial J}}{{\partial I}} - \frac{{\partial J}}{{\partial U}} \right)"
        rf" \frac{{\partial I}}{{{box}}}",
        rf"\frac{{\partial J}}{{\partial U}} \frac{{\partial A_{which}}}{{{box}}}",
    ]
    if enclosing:
        terms.append(rf"\frac{{\partial J}}{{\partial C}} \frac{{\partial C}}{{{box}}}")
    return r"\bar J \left( " + " + ".join(terms) + r" \right)"


def _box_operator(
    name: str, formula: str, cost: Cost, reference: Any, *, enclosing: bool
) -> Operator:
    """Return the entry of a loss of pairs of boxes."""
    return Operator(
        name=name,
        family="loss",
        forward=getattr(F, name),
        backward=getattr(F, f"{name}_backward"),
        gradients=("boxes1", "boxes2"),
        sample=_boxes,
        formula=formula,
        rules={f"boxes{i}": _box_rule(i, enclosing) for i in (1, 2)},
        shapes={"boxes1": "(N, 4)", "boxes2": "(N, 4)", "output": "(N,)"},
        sizes=_box_sizes,
        cost=cost,
        torch="",
        reference=reference,
        benchmark=_boxes_benchmark,
    )


_CLASS_SHAPES = {"input": "(N, C)", "output": "scalar"}

OPERATORS = [
    _elementwise(
        "mse_loss",
        r"J = \frac{1}{n} \sum_i (\hat y_i - y_i)^2",
        r"\bar J\, \frac{2}{n} (\hat y - y)",
        Cost(forward="n", backward="r + n", stored="n"),
        sample=_mse_loss,
    ),
    _elementwise(
        "half_mse_loss",
        r"J = \frac{1}{2N} \sum_i \lVert \hat y_i - y_i \rVert^2",
        r"\bar J\, \frac{1}{N} (\hat y - y)",
        Cost(forward="n + N", backward="n", stored="n"),
        sample=_half_mse_loss,
        sizes=_half_mse_sizes,
        shapes={"input": "(N, ...)", "output": "scalar"},
        torch="",
        reference=_half_mse_reference,
    ),
    _elementwise(
        "l1_loss",
        r"J = \frac{1}{n} \sum_i |\hat y_i - y_i|",
        r"\bar J\, \frac{1}{n} \operatorname{sign}(\hat y - y)",
        Cost(forward="0", backward="n", stored="n"),
        sample=_l1_loss,
    ),
    _elementwise(
        "smooth_l1_loss",
        r"J = \frac{1}{n} \sum_i \begin{cases} e_i^2 / (2 \beta) & |e_i| < \beta \\"
        r" |e_i| - \beta / 2 & |e_i| \ge \beta \end{cases}, \quad e = \hat y - y",
        r"\bar J\, \frac{1}{n} \begin{cases} e / \beta & |e| < \beta \\"
        r" \operatorname{sign}(e) & |e| \ge \beta \end{cases}",
        Cost(forward="2*q", backward="n", stored="n"),
        sample=_smooth_l1_loss,
        sizes=_smooth_l1_sizes,
    ),
    _elementwise(
        "huber_loss",
        r"J = \frac{1}{n} \sum_i \begin{cases} e_i^2 / 2 & |e_i| < \delta \\"
        r" \delta (|e_i| - \delta / 2) & |e_i| \ge \delta \end{cases}, \quad e = \hat y - y",
        r"\bar J\, \frac{1}{n} \min(\max(e, -\delta), \delta)",
        Cost(forward="3*n", backward="n", stored="n"),
        sample=_huber_loss,
    ),
    _elementwise(
        "binary_cross_entropy_with_logits",
        r"J = -\frac{1}{n} \sum_i w_i \left( v_i\, y_i \log \sigma(a_i)"
        r" + (1 - y_i) \log(1 - \sigma(a_i)) \right)",
        r"\bar J\, \frac{1}{n} w \odot \left( (1 - y) \odot \sigma(a)"
        r" - v \odot y \odot (1 - \sigma(a)) \right)",
        Cost(forward="2*n + u + p", backward="n + u + 3*p", stored="2*n + s"),
        sample=_binary,
        sizes=_binary_sizes,
        benchmark=_binary_benchmark,
    ),
    _loss(
        "cross_entropy",
        r"J = -\frac{1}{Z} \sum_i \sum_c q_{ic} \log \operatorname{softmax}(a_i)_c",
        r"\bar J\, \frac{1}{Z} \bigl(\operatorname{softmax}(a_i)_c \textstyle\sum_k q_{ik}"
        r" - q_{ic}\bigr)",
        Cost(forward="n + w + s", backward="2*n", stored="2*n + M"),
        sample=_cross_entropy,
        sizes=_class_sizes,
        benchmark=_classes_benchmark,
        shapes=_CLASS_SHAPES,
        torch="nn.functional.cross_entropy",
        fast=(fast.cross_entropy, fast.cross_entropy_backward),
    ),
    _loss(
        "nll_loss",
        r"J = -\frac{1}{Z} \sum_i w_{y_i} \log p_{i, y_i}",
        r"-\bar J\, \frac{1}{Z} w_{y_i} [c = y_i]",
        Cost(forward="M", backward="M", stored="3*M"),
        sample=_nll_loss,
        sizes=_class_sizes,
        benchmark=_classes_benchmark,
        shapes=_CLASS_SHAPES,
        torch="nn.functional.nll_loss",
        reference=_nll_reference,
    ),
    _elementwise(
        "kl_div",
        r"J = \frac{1}{n} \sum_i q_i (\log q_i - \log p_i)",
        r"-\bar J\, \frac{1}{n}\, q",
        Cost(forward="n", backward="n", stored="n"),
        sample=_kl_div,
        benchmark=_kl_div_benchmark,
        reference=_kl_div_reference,
    ),
    _elementwise(
        "hinge_embedding_loss",
        r"J = \frac{1}{n} \sum_i \begin{cases} x_i & y_i = 1 \\"
        r" \max(0, \mu - x_i) & y_i = -1 \end{cases}",
        r"\bar J\, \frac{1}{n} \begin{cases} 1 & y = 1 \\ -[x \le \mu] & y = -1 \end{cases}",
        Cost(forward="0", backward="n", stored="n"),
        sample=_hinge_embedding_loss,
        benchmark=_hinge_benchmark,
    ),
    _loss(
        "multi_margin_loss",
        r"J = \frac{1}{N} \sum_i \frac{1}{C} \sum_{c \ne y_i} v_{ic}^p,"
        r" \quad v_{ic} = \max(0, \mu - x_{i, y_i} + x_{ic})",
        r"\bar J\, \frac{1}{N C} \begin{cases} p\, v_{ic}^{p - 1} [v_{ic} > 0] & c \ne y_i \\"
        r" -\sum_{k \ne y_i} p\, v_{ik}^{p - 1} [v_{ik} > 0] & c = y_i \end{cases}",
        Cost(forward="M + q", backward="M + n + q", stored="n + 2*M"),
        sample=_multi_margin_loss,
        sizes=_multi_margin_sizes,
        benchmark=_classes_benchmark,
        shapes=_CLASS_SHAPES,
        torch="nn.functional.multi_margin_loss",
        reference=_multi_margin_reference,
    ),
    _box_operator(
        "iou_loss",
        r"J = 1 - \frac{I}{U + \varepsilon}, \quad U = A_1 + A_2 - I",
        Cost(forward="4*N", backward="35*N", stored="8*N"),
        _iou_reference,
        enclosing=False,
    ),
    _box_operator(
        "generalized_box_iou_loss",
        r"J = 1 - \frac{I}{U + \varepsilon} + \frac{C - U}{C + \varepsilon},"
        r" \quad U = A_1 + A_2 - I",
        Cost(forward="4*N", backward="35*N", stored="8*N"),
        _giou_reference,
        enclosing=True,
    ),
    _loss(
        "ctc_loss",
        r"J = -\frac{1}{N} \sum_i \frac{1}{\max(1, S_i)}"
        r" \log \sum_{\pi \in \mathcal A(y_i)} \prod_{t \le T_i} p_{ti}(\pi_t)",
        r"-\bar J\, \frac{1}{N \max(1, S_i)}\, P(\pi_t = c \mid \pi \in \mathcal A(y_i))",
        Cost(forward="0", backward="T*N*C", stored="2*T*N*L + 2*N*L + N*K + 3*N"),
        sample=_ctc_loss,
        sizes=_ctc_sizes,
        benchmark=_ctc_benchmark,
        shapes={"log_probs": "(T, N, C)", "output": "scalar"},
        torch="nn.functional.ctc_loss",
        gradient="log_probs",
        reference=_ctc_reference,
        # Log-probabilities of -1e4 add up to -1e5, where float32 has two digits behind the point:
        # the same in PyTorch, whose rounding differs.
        extreme=False,
    ),
    _loss(
        "reinforce_loss",
        r"J = -\frac{1}{N} \sum_i \log \pi_{i, k_i}\, (R_i - b_i)",
        r"\bar J\, \frac{1}{N} (R_i - b_i)\, (\pi_{ic} - [c = k_i])",
        Cost(forward="N", backward="N + N*A", stored="N*A + 2*N"),
        sample=_reinforce_loss,
        sizes=_reinforce_sizes,
        benchmark=_reinforce_benchmark,
        shapes={"logits": "(N, A)", "output": "scalar"},
        gradient="logits",
        reference=_reinforce_reference,
    ),
]
