"""Argument checks shared by the whole package.

Every error names the argument, what was expected and what came:
``weight: expected shape (out_features, 3), got (4, 2)``. A value of a wrong kind is a
`TypeError`, a wrong shape or a value out of range is a `ValueError`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
REDUCTIONS = ("none", "mean", "sum")


def array(name: str, value: Any) -> np.ndarray:
    """Return `value` as an array; refuse what NumPy can't read or would read without its mask.

    Examples
    --------
    >>> array("input", np.ma.masked_array([1.0, 2.0], mask=[False, True]))
    Traceback (most recent call last):
    TypeError: input: expected an array without a mask, got a MaskedArray; use .filled(...)
    """
    if getattr(value, "counts_multiplications", False):  # bpref.cost watches the operators at work
        return value
    came = type(value).__name__
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name}: expected an array without a mask, got a {came}; use .filled(...)")
    try:
        return np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:  # ragged list; tensor with a graph
        raise TypeError(f"{name}: expected a NumPy array, got {came}: {error}") from None


def floats(**arguments: Any) -> tuple[np.ndarray, ...]:
    """Return the arguments as arrays of one dtype, float32 or float64.

    Examples
    --------
    >>> floats(input=np.ones(2, dtype=int))
    Traceback (most recent call last):
    TypeError: input: expected dtype float32 or float64, got int64
    """
    arrays = tuple(array(name, value) for name, value in arguments.items())
    dtype = arrays[0].dtype
    for name, came in zip(arguments, (array.dtype for array in arrays), strict=True):
        if came not in FLOATS:
            raise TypeError(f"{name}: expected dtype float32 or float64, got {came}")
        if came != dtype:
            first = next(iter(arguments))
            raise TypeError(f"{name}: expected dtype {dtype} as of {first}, got {came}")
    return arrays


def optional_floats(**arguments: Any) -> tuple[Any, ...]:
    """Return what `floats` does; an argument that is None, not the first one, stays None.

    Examples
    --------
    >>> optional_floats(input=np.ones(2), bias=None)
    (array([1., 1.]), None)
    """
    first = next(iter(arguments))
    given = {name: v for name, v in arguments.items() if name == first or v is not None}
    arrays = dict(zip(given, floats(**given), strict=True))
    return tuple(arrays.get(name) for name in arguments)


def shape(name: str, array: np.ndarray, expected: Sequence[int | str]) -> None:
    """Check the shape; a string in `expected` is the name of a size that is free.

    Examples
    --------
    >>> shape("weight", np.ones((4, 2)), ("out_features", 3))
    Traceback (most recent call last):
    ValueError: weight: expected shape (out_features, 3), got (4, 2)
    """
    fits = len(array.shape) == len(expected) and all(
        isinstance(want, str) or want == came
        for want, came in zip(expected, array.shape, strict=True)
    )
    if not fits:
        text = ", ".join(map(str, expected)) + ("," if len(expected) == 1 else "")
        raise ValueError(f"{name}: expected shape ({text}), got {array.shape}")


def grad_output(
    value: Any, expected: tuple[int, ...], dtype: np.dtype, name: str = "grad_output"
) -> np.ndarray:
    """Return the gradient of an output as an array of that output's shape and dtype.

    A single real number (the usual ``1.0`` of a scalar loss) takes the dtype of the output.
    """
    gradient = array(name, value)
    if gradient.ndim == 0 and gradient.dtype.kind in "iuf":
        gradient = gradient.astype(dtype)
    elif gradient.dtype != dtype:
        came = gradient.dtype
        raise TypeError(f"{name}: expected dtype {dtype} as of the output, got {came}")
    shape(name, gradient, expected)
    return gradient


def grad_outputs(
    value: Any, dtype: np.dtype, **expected: tuple[int, ...]
) -> tuple[np.ndarray, ...]:
    """Return the gradients of several outputs as arrays of these shapes; None means zero.

    Examples
    --------
    >>> grad_outputs((None, np.ones(1)), np.dtype(float), grad_output=(2,), grad_h_n=(1,))
    (array([0., 0.]), array([1.]))
    """
    names = f"({', '.join(expected)})"
    if not isinstance(value, (tuple, list)):
        raise TypeError(f"grad_output: expected a tuple {names}, got {type(value).__name__}")
    if len(value) != len(expected):
        raise ValueError(f"grad_output: expected a tuple {names}, got {len(value)} values")
    return tuple(
        np.zeros(want, dtype) if gradient is None else grad_output(gradient, want, dtype, name)
        for gradient, (name, want) in zip(value, expected.items(), strict=True)
    )


def linear_arguments(
    input: np.ndarray, weight: np.ndarray, bias: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return the arguments of a linear layer when their dtypes and shapes fit."""
    if bias is None:
        input, weight = floats(input=input, weight=weight)
    else:
        input, weight, bias = floats(input=input, weight=weight, bias=bias)
    if input.ndim == 0:
        raise ValueError("input: expected shape (..., in_features), got ()")
    shape("weight", weight, ("out_features", input.shape[-1]))
    if 0 in weight.shape:
        raise ValueError(f"weight: expected at least one feature each way, got {weight.shape}")
    if bias is not None:
        shape("bias", bias, (weight.shape[0],))
    return input, weight, bias


def bilinear_arguments(
    input1: np.ndarray, input2: np.ndarray, weight: np.ndarray, bias: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]:
    """Return the arguments of a bilinear layer when their dtypes and shapes fit."""
    if bias is None:
        input1, input2, weight = floats(input1=input1, input2=input2, weight=weight)
    else:
        input1, input2, weight, bias = floats(
            input1=input1, input2=input2, weight=weight, bias=bias
        )
    if input1.ndim == 0:
        raise ValueError("input1: expected shape (..., in1_features), got ()")
    shape("input2", input2, (*input1.shape[:-1], "in2_features"))
    shape("weight", weight, ("out_features", input1.shape[-1], input2.shape[-1]))
    if 0 in weight.shape:
        raise ValueError(f"weight: expected at least one feature each way, got {weight.shape}")
    if bias is not None:
        shape("bias", bias, (weight.shape[0],))
    return input1, input2, weight, bias


def indices(name: str, value: Any, count: int) -> np.ndarray:
    """Return `value` as an integer array of any shape with elements in [0, count)."""
    array_ = array(name, value)
    array_ = integers(name, array_, array_.shape)
    _refuse(name, f"indices from 0 to {count - 1}", array_, (array_ < 0) | (array_ >= count))
    return array_


def padding_index(value: Any, count: int) -> int | None:
    """Return the padding row, from 0 on, of `count` rows; −1 is the last one, None is none."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"padding_idx: expected an int, got {type(value).__name__}")
    if not -count <= value < count:
        raise ValueError(
            f"padding_idx: expected an index from {-count} to {count - 1}, got {value}"
        )
    return int(value) % count


def sequence(name: str, array: np.ndarray) -> None:
    """Check that there are a time axis and a feature axis."""
    if array.ndim < 2 or array.shape[-1] == 0:
        raise ValueError(f"{name}: expected shape (..., T, D) with D at least 1, got {array.shape}")


def places(name: str, array: np.ndarray) -> None:
    """Check that a sequence is not empty."""
    if array.shape[-2] == 0:
        raise ValueError(f"{name}: expected at least one place, got shape {array.shape}")


def mask(name: str, value: Any, dtype: np.dtype) -> np.ndarray:
    """Return an attention mask as an array, bool or of the dtype."""
    array_ = array(name, value)
    if array_.dtype not in (bool, dtype):
        raise TypeError(f"{name}: expected dtype {dtype} as of query, or bool, got {array_.dtype}")
    return array_


def attention_arguments(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any,
    dropout_p: Any,
    is_causal: bool,
    scale: Any,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None, float, float]:
    """Return the arguments of an attention, is_causal as a mask and scale as a number."""
    query, key, value = floats(query=query, key=key, value=value)
    sequence("query", query)
    *lead, length, features = query.shape
    shape("key", key, (*lead, "S", features))
    places("key", key)
    shape("value", value, (*lead, key.shape[-2], "V"))
    if is_causal:
        if attn_mask is not None:
            raise ValueError("attn_mask: expected None when is_causal is True, got an array")
        attn_mask = np.tri(length, key.shape[-2], dtype=bool)
    elif attn_mask is not None:
        attn_mask = mask("attn_mask", attn_mask, query.dtype)
        broadcastable("attn_mask", attn_mask, (*lead, length, key.shape[-2]))
    scale = 1.0 / math.sqrt(features) if scale is None else real("scale", scale)
    return query, key, value, attn_mask, fraction("dropout_p", dropout_p), scale


def multi_head_arguments(
    query: Any,
    key: Any,
    value: Any,
    in_proj_weight: Any,
    in_proj_bias: Any,
    out_proj_weight: Any,
    out_proj_bias: Any,
    num_heads: Any,
) -> tuple[Any, ...]:
    """Return the arguments of an attention with several heads when they fit."""
    arrays = optional_floats(
        query=query,
        key=key,
        value=value,
        in_proj_weight=in_proj_weight,
        in_proj_bias=in_proj_bias,
        out_proj_weight=out_proj_weight,
        out_proj_bias=out_proj_bias,
    )
    query, key, value, in_proj_weight, in_proj_bias, out_proj_weight, out_proj_bias = arrays
    shape("query", query, ("N", "L", "D"))
    sequence("query", query)
    count, _, features = query.shape
    shape("key", key, (count, "S", features))
    places("key", key)
    shape("value", value, key.shape)
    shape("in_proj_weight", in_proj_weight, (3 * features, features))
    shape("out_proj_weight", out_proj_weight, (features, features))
    if in_proj_bias is not None:
        shape("in_proj_bias", in_proj_bias, (3 * features,))
    if out_proj_bias is not None:
        shape("out_proj_bias", out_proj_bias, (features,))
    return (*arrays, divides("num_heads", num_heads, features, "features"))


def divides(name: str, value: Any, whole: int, parts: str) -> int:
    """Return `value` when it is a positive int that divides `whole`."""
    value = positive_int(name, value)
    if whole % value != 0:
        raise ValueError(f"{name}: expected a divisor of {whole} {parts}, got {value}")
    return value


def channels(input: np.ndarray, **per_channel: np.ndarray | None) -> int:
    """Return C of an input (N, C, ...) when the arrays that are given have the shape (C,)."""
    if input.ndim < 2 or input.shape[1] == 0:
        raise ValueError(f"input: expected shape (N, C, ...) with C at least 1, got {input.shape}")
    for name, array in per_channel.items():
        if array is not None:
            shape(name, array, input.shape[1:2])
    return input.shape[1]


def last_axes(
    input: np.ndarray, normalized_shape: Any, **affine: np.ndarray | None
) -> tuple[int, ...]:
    """Return the normalised axes as negative numbers when all shapes fit."""
    expected = sizes("normalized_shape", normalized_shape)
    if input.shape[-len(expected) :] != expected:
        ending = ", ".join(map(str, expected))
        raise ValueError(f"input: expected shape (..., {ending}), got {input.shape}")
    for name, array in affine.items():
        if array is not None:
            shape(name, array, expected)
    return tuple(range(-len(expected), 0))


def batch_norm_arguments(
    input: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any,
    bias: Any,
    training: bool,
    momentum: Any,
    eps: Any,
) -> tuple[Any, Any, Any, Any, Any, float, float]:
    """Return the arguments of a batch norm, training left out, when they fit."""
    input, running_mean, running_var, weight, bias = optional_floats(
        input=input, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias
    )
    count = channels(
        input, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias
    )
    if (running_mean is None) != (running_var is None):
        missing = "running_mean" if running_mean is None else "running_var"
        raise ValueError(f"{missing}: expected an array like the other statistic, got None")
    if running_mean is None and not training:
        raise ValueError("running_mean: expected an array when training is False, got None")
    if training and input.size == count:
        raise ValueError(
            f"input: expected more than one value per channel in training, got shape {input.shape}"
        )
    momentum, eps = real("momentum", momentum), positive("eps", eps)
    return input, running_mean, running_var, weight, bias, momentum, eps


def gelu_form(approximate: Any) -> str:
    """Return `approximate` when it names a form of gelu."""
    if approximate not in ("none", "tanh"):
        raise ValueError(f"approximate: expected 'none' or 'tanh', got {approximate!r}")
    return str(approximate)


def softplus_options(beta: Any, threshold: Any) -> tuple[float, float]:
    """Return the options of softplus when they are finite and beta is not 0."""
    beta, threshold = real("beta", beta), real("threshold", threshold)
    if beta == 0:
        raise ValueError(f"beta: expected a number other than 0, got {beta}")
    return beta, threshold


def axis(name: str, value: Any, ndim: int) -> int:
    """Return the number, from 0 on, of an axis of an array with `ndim` axes; −1 is the last one."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name}: expected an int, got {type(value).__name__}")
    if not -ndim <= value < ndim:
        raise ValueError(f"{name}: expected an axis of an array with ndim {ndim}, got {value}")
    return int(value) % ndim


def axes(name: str, value: Any, ndim: int) -> tuple[int, ...]:
    """Return the numbers of one axis or several; None stands for all axes.

    An empty tuple is refused: PyTorch's sum takes it for all axes, NumPy's for none.
    """
    if value is None:
        return tuple(range(ndim))
    values = value if isinstance(value, (tuple, list)) else (value,)
    found = tuple(axis(name, each, ndim) for each in values)
    if not found or len(set(found)) < len(found):
        raise ValueError(f"{name}: expected one axis or several, each once, got {value}")
    return found


def known_reduction(reduction: str, known: tuple[str, ...] = REDUCTIONS) -> str:
    """Return the reduction when it is known."""
    if reduction not in known:
        raise ValueError(f"reduction: expected one of {known}, got {reduction!r}")
    return reduction


def divisor(reduction: str, count: float) -> float:
    """Return what the sum of the losses is divided by: `count` for "mean", else 1.

    The mean over nothing is nan, as in PyTorch: dividing by nan gives it without a warning.
    """
    known_reduction(reduction)
    if reduction != "mean":
        return 1.0
    return float(count) if count else float("nan")


def batch(name: str, array: np.ndarray) -> None:
    """Check that there is a batch axis."""
    if array.ndim == 0:
        raise ValueError(f"{name}: expected shape (N, ...), got ()")


def class_axis(name: str, array: np.ndarray) -> int:
    """Return the axis of the classes: 1 in (N, C, ...), 0 in (C,), the scores of one sample."""
    if array.ndim == 0:
        raise ValueError(f"{name}: expected shape (N, C, ...) or (C,), got ()")
    axis = min(1, array.ndim - 1)
    if array.shape[axis] == 0:
        raise ValueError(f"{name}: expected at least one class, got shape {array.shape}")
    return axis


def class_scores(input: Any, weight: Any) -> tuple[np.ndarray, np.ndarray | None, int]:
    """Return the scores of classes, their weights (C,) or None, and the axis of the classes."""
    not_text(weight=weight)
    input, weight = optional_floats(input=input, weight=weight)
    axis = class_axis("input", input)
    if weight is not None:
        shape("weight", weight, (input.shape[axis],))
    return input, weight, axis


def labels(
    name: str,
    value: Any,
    expected: tuple[int, ...],
    classes: int,
    ignore_index: int | None = None,
) -> np.ndarray:
    """Return integer class labels of the expected shape, each in [0, classes) or ignored.

    Examples
    --------
    >>> labels("target", np.array([0, 3, -100]), (3,), 3, ignore_index=-100)
    Traceback (most recent call last):
    ValueError: target: expected labels from 0 to 2, got 3 at index (1,)
    """
    array_ = integers(name, value, expected)
    wrong = (array_ < 0) | (array_ >= classes)
    if ignore_index is not None:
        wrong &= array_ != ignore_index
    _refuse(name, f"labels from 0 to {classes - 1}", array_, wrong)
    return array_


def integers(name: str, value: Any, expected: Sequence[int | str]) -> np.ndarray:
    """Return `value` as an integer array of the expected shape."""
    array_ = array(name, value)
    if array_.dtype.kind not in "iu":
        raise TypeError(f"{name}: expected an integer dtype, got {array_.dtype}")
    shape(name, array_, expected)
    return array_


def integer(name: str, value: Any) -> int:
    """Return `value` when it is an integer."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name}: expected an int, got {type(value).__name__}")
    return int(value)


def power(name: str, value: Any) -> int:
    """Return `value` when it is 1 or 2."""
    number = integer(name, value)
    if number not in (1, 2):
        raise ValueError(f"{name}: expected 1 or 2, got {number}")
    return number


def lengths(name: str, value: Any, count: int, low: int, high: int) -> np.ndarray:
    """Return the lengths of `count` sequences, each from low to high, as signed integers."""
    array_ = integers(name, value, (count,))
    _refuse(name, f"lengths from {low} to {high}", array_, (array_ < low) | (array_ > high))
    return array_.astype(np.int64)


def label_sequences(
    name: str, array: np.ndarray, inside: np.ndarray, classes: int, blank: int
) -> None:
    """Check labels in [0, classes) other than the blank, wherever `inside` is true."""
    wrong = inside & ((array < 0) | (array >= classes) | (array == blank))
    _refuse(name, f"labels from 0 to {classes - 1} other than the blank {blank}", array, wrong)


def index(name: str, value: Any, classes: int) -> int:
    """Return `value` when it is a class in [0, classes)."""
    number = count(name, value)
    if number >= classes:
        raise ValueError(f"{name}: expected a class from 0 to {classes - 1}, got {value}")
    return number


def text(name: str, value: Any) -> str:
    """Return `value` when it is a string that prints.

    Examples
    --------
    >>> text("label", "loss")
    'loss'
    """
    if not isinstance(value, str):
        raise TypeError(f"{name}: expected a str, got {type(value).__name__}")
    if not value.isprintable():
        raise ValueError(f"{name}: expected text that prints, got {value!r}")
    return value


def not_text(**arguments: Any) -> None:
    """Refuse a string where weights belong: a reduction that was passed by position.

    Examples
    --------
    >>> not_text(weight="sum")
    Traceback (most recent call last):
    TypeError: weight: expected an array, got str; write reduction="sum"
    """
    for name, value in arguments.items():
        if isinstance(value, str):
            raise TypeError(f'{name}: expected an array, got str; write reduction="{value}"')


def broadcastable(name: str, array: np.ndarray, expected: tuple[int, ...]) -> None:
    """Check that an array can be broadcast to the expected shape."""
    try:
        fits = np.broadcast_shapes(array.shape, expected) == expected
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"{name}: expected a shape that broadcasts to {expected}, got {array.shape}"
        )


def boxes(name: str, array: np.ndarray) -> None:
    """Check boxes (x1, y1, x2, y2) along the last axis: no width or height below 0."""
    if array.ndim == 0 or array.shape[-1] != 4:
        raise ValueError(f"{name}: expected shape (..., 4), got {array.shape}")
    wrong = np.argwhere((array[..., :2] > array[..., 2:]).any(axis=-1))
    if len(wrong):
        index = tuple(int(i) for i in wrong[0])
        raise ValueError(
            f"{name}: expected x1 <= x2 and y1 <= y2, got {array[index].tolist()} at index {index}"
        )


def probabilities(name: str, array: np.ndarray) -> None:
    """Check that every element lies in [0, 1]; nan does not."""
    _refuse(name, "values from 0 to 1", array, ~((array >= 0) & (array <= 1)))


def signs(name: str, array: np.ndarray) -> None:
    """Check that every element is 1 or −1."""
    _refuse(name, "labels 1 or -1", array, (array != 1) & (array != -1))


def _refuse(name: str, expected: str, array: np.ndarray, wrong: np.ndarray) -> None:
    """Raise an error that shows the first element for which `wrong` is true."""
    if wrong.any():
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(f"{name}: expected {expected}, got {array[index]} at index {index}")


def positive_int(name: str, value: Any) -> int:
    """Return `value` when it is an integer of at least 1."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name}: expected an int, got {type(value).__name__}")
    if value < 1:
        raise ValueError(f"{name}: expected at least 1, got {value}")
    return int(value)


def sizes(name: str, value: Any) -> tuple[int, ...]:
    """Return an int or a sequence of ints, each at least 1, as a tuple.

    Examples
    --------
    >>> sizes("normalized_shape", 3)
    (3,)
    """
    if not isinstance(value, (tuple, list)):
        return (positive_int(name, value),)
    if not value:
        raise ValueError(f"{name}: expected at least one size, got {value}")
    return tuple(positive_int(f"{name}[{i}]", size) for i, size in enumerate(value))


def count(name: str, value: Any) -> int:
    """Return `value` when it is an integer of at least 0."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name}: expected an int, got {type(value).__name__}")
    if value < 0:
        raise ValueError(f"{name}: expected at least 0, got {value}")
    return int(value)


def keys(name: str, value: Any, expected: Iterable[str]) -> None:
    """Check that `value` is a mapping with exactly the expected keys.

    Examples
    --------
    >>> keys("state_dict", {"lr": 0.1}, ["lr", "momentum"])
    Traceback (most recent call last):
    ValueError: state_dict: expected the keys ['lr', 'momentum'], got ['lr']
    """
    if not isinstance(value, Mapping):
        raise TypeError(f"{name}: expected a mapping, got {type(value).__name__}")
    expected = list(expected)
    if set(value) != set(expected):
        raise ValueError(f"{name}: expected the keys {expected}, got {list(value)}")


def real(name: str, value: Any, *, minimum: float | None = None) -> float:
    """Return `value` when it is a finite real number, not below `minimum`."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name}: expected a number, got {type(value).__name__}")
    try:
        finite = math.isfinite(value)
    except OverflowError:  # an int beyond the range of a float
        finite = False
    if not finite:
        raise ValueError(f"{name}: expected a finite number, got {value}")
    if minimum is not None and value < minimum:
        raise ValueError(f"{name}: expected at least {minimum}, got {value}")
    return float(value)


def fraction(name: str, value: Any) -> float:
    """Return `value` when it is a number from 0 to 1."""
    number = real(name, value, minimum=0.0)
    if number > 1.0:
        raise ValueError(f"{name}: expected at most 1.0, got {value}")
    return number


def positive(name: str, value: Any) -> float:
    """Return `value` when it is a finite number above 0."""
    number = real(name, value)
    if number <= 0:
        raise ValueError(f"{name}: expected a number above 0, got {value}")
    return number


def writable(array: Any) -> np.ndarray:
    """Return `array` when values can be written into it in place."""
    if not isinstance(array, np.ndarray):
        hint = "; pass its .data" if hasattr(array, "data") and hasattr(array, "grad") else ""
        raise TypeError(f"array: expected a NumPy array, got {type(array).__name__}{hint}")
    floats(array=array)
    if not array.flags.writeable:
        raise ValueError("array: expected an array that can be written to, got a read-only one")
    return array


def generator(value: Any) -> np.random.Generator:
    """Return `value`, or a fresh unseeded generator for None."""
    if value is None:
        return np.random.default_rng()
    if not isinstance(value, np.random.Generator):
        raise TypeError(f"generator: expected a numpy.random.Generator, got {type(value).__name__}")
    return value


def float_dtype(value: Any) -> np.dtype:
    """Return `value` as a dtype, float32 or float64."""
    for dtype in FLOATS:
        if value is not None and value == dtype:
            return dtype
    raise TypeError(f"dtype: expected float32 or float64, got {value!r}")
