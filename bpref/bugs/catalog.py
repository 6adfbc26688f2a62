"""The list of all bugs, and a generic example on which each one can be checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bpref.bugs import activation, conv, dense, loss, norm, sequence, structure
from bpref.gradcheck import GradientReport, check_backward

__all__ = ["CATALOG", "Bug"]

GITHUB = "https://github.com"


@dataclass(frozen=True)
class Bug:
    """One wrong backward pass beside the right one.

    Attributes
    ----------
    id : str
        The name of the wrong function, and of its section on the page.
    room : str
        Where it is shown: dense, activation, loss, norm, conv, sequence or structure.
    operator : str
        The name of the right backward pass, without "_backward".
    right, wrong : callable
        Called with (grad_output, cache).
    right_lines, wrong_lines : str
        The lines that differ, read from the source.
    seen : tuple of str
        Addresses of threads; empty when none is cited. "article" is the source article.
    networks : tuple of str
        Families of networks in which the experiment trains with it.
    """

    id: str
    room: str
    operator: str
    right: Callable[..., Any]
    wrong: Callable[..., Any]
    section: str
    seen: tuple[str, ...]
    networks: tuple[str, ...]

    @property
    def right_lines(self) -> str:
        """The right lines, read from the source."""
        return _section(self.right, self.section)

    @property
    def wrong_lines(self) -> str:
        """The wrong lines, read from the source."""
        return _section(self.wrong, self.id)

    # --8<-- [start:check]
    def check(self, backward: str = "wrong", seed: int = 0, **options: Any) -> GradientReport:
        """Compare a backward pass with numerical derivatives on random inputs.

        Parameters
        ----------
        backward : str, default "wrong"
            "wrong" or "right".
        seed : int, default 0
            Of the inputs.
        **options
            As of `bpref.gradcheck.check_backward`.

        Returns
        -------
        GradientReport

        Raises
        ------
        ValueError
            If backward is another word, or the gradient does not even have the right shape.

        Examples
        --------
        >>> bug = {bug.id: bug for bug in CATALOG}["slope_at_output"]
        >>> bool(bug.check("right")), bool(bug.check("wrong"))
        (True, False)
        """
        if backward not in ("wrong", "right"):
            raise ValueError(f"backward: expected 'wrong' or 'right', got {backward!r}")
        function = self.wrong if backward == "wrong" else self.right
        rng = np.random.default_rng(seed)
        forward, function, inputs, fixed = _EXAMPLES[self.operator](rng, function)
        return check_backward(forward, function, inputs, fixed, **options)

    # --8<-- [end:check]


def _section(function: Callable[..., Any], name: str) -> str:
    """Return the marked lines of a function, without their indentation."""
    import inspect
    import textwrap

    source = inspect.getsource(function)
    marked = source.split(f"# --8<-- [start:{name}]\n")[1].split(f"# --8<-- [end:{name}]")[0]
    lines = [line for line in marked.splitlines() if "# --8<--" not in line]
    return textwrap.dedent("\n".join(lines)).strip()


Example = tuple[Callable[..., Any], Callable[..., Any], dict[str, np.ndarray], dict[str, Any]]
Maker = Callable[[np.random.Generator, Callable[..., Any]], Example]


def _plain(forward: Callable[..., Any], **shapes: tuple[int, ...]) -> Maker:
    """An example whose inputs are standard normal."""

    def make(rng: np.random.Generator, backward: Callable[..., Any]) -> Example:
        return forward, backward, {k: rng.normal(size=shape) for k, shape in shapes.items()}, {}

    return make


def _half_mse(rng: np.random.Generator, backward: Callable[..., Any]) -> Example:
    inputs = {"prediction": rng.normal(size=(4, 1))}
    return loss.half_mse, backward, inputs, {"target": rng.normal(size=(4, 1))}


def _cross_entropy(rng: np.random.Generator, backward: Callable[..., Any]) -> Example:
    fixed = {"labels": rng.integers(0, 3, size=5), "mask": np.array([1, 1, 0, 1, 0], dtype=bool)}
    return loss.cross_entropy, backward, {"input": rng.normal(size=(5, 3))}, fixed


def _dropout(rng: np.random.Generator, backward: Callable[..., Any]) -> Example:
    fixed = {"p": 0.3, "generator": np.random.default_rng(int(rng.integers(2**32)))}
    return norm.dropout, backward, {"input": rng.normal(size=(6, 5))}, fixed


def _max_pool(rng: np.random.Generator, backward: Callable[..., Any]) -> Example:
    """Pooling after a bias: all elements of a window move together, so ties are no kinks."""
    images = rng.integers(0, 2, size=(2, 3, 4, 4)).astype(float)

    def forward(bias: np.ndarray) -> tuple[np.ndarray, Any]:
        return conv.max_pool(images + bias[:, np.newaxis, np.newaxis])

    def bias_gradient(grad_output: np.ndarray, cache: Any) -> Any:
        return backward(grad_output, cache).sum(axis=(0, 2, 3))

    return forward, bias_gradient, {"bias": rng.normal(size=3)}, {}


def _embedding(rng: np.random.Generator, backward: Callable[..., Any]) -> Example:
    ids = np.array([[0, 2, 2], [3, 0, 2]])
    return sequence.embedding, backward, {"weight": rng.normal(size=(4, 3))}, {"ids": ids}


def _store(rng: np.random.Generator, backward: Callable[..., Any]) -> Example:
    """The second step of a layer: the buffer holds the gradient of the first."""
    inputs = {"weight": rng.normal(size=(2, 3))}
    stored, X = rng.normal(size=(2, 3)), rng.normal(size=(4, 3))

    def forward(weight: np.ndarray) -> tuple[np.ndarray, None]:
        return X @ weight.T, None

    def stored_gradient(grad_output: np.ndarray, cache: None) -> Any:
        return backward(grad_output.T @ X, stored)

    return forward, stored_gradient, inputs, {}


def _linear(rng: np.random.Generator, backward: Callable[..., Any]) -> Example:
    """Layers in which the wrong shapes fit: one output, or as many as inputs and samples."""
    if backward is dense.missing_weight:
        # The error signal (N, 1) goes on to a tanh layer, whose slope broadcasts it.
        def forward(input: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> Any:
            hidden, cache_hidden = activation.tanh(input)
            output, cache = dense.linear(hidden, weight, bias)
            return output, (cache, cache_hidden)

        def through(grad_output: np.ndarray, caches: Any) -> Any:
            grad_hidden, *rest = backward(grad_output, caches[0])
            return activation.tanh_backward(grad_hidden, caches[1]), *rest

        shapes = {"input": (4, 3), "weight": (1, 3), "bias": (1,)}
        return forward, through, {k: rng.normal(size=s) for k, s in shapes.items()}, {}
    shapes = {"input": (3, 3), "weight": (3, 3), "bias": (3,)}
    inputs = {k: rng.normal(size=s) for k, s in shapes.items()}
    return dense.linear, backward, inputs, {}


_EXAMPLES: Mapping[str, Maker] = {
    "linear": _linear,
    "tanh": _plain(activation.tanh, input=(4, 3)),
    "relu": _plain(activation.relu, input=(4, 3)),
    "leaky_relu": _plain(activation.leaky_relu, input=(4, 3)),
    "half_mse": _half_mse,
    "softmax": _plain(loss.softmax, input=(4, 3)),
    "cross_entropy": _cross_entropy,
    "batch_norm": _plain(norm.batch_norm, input=(5, 3), gain=(3,), shift=(3,)),
    "layer_norm": _plain(norm.layer_norm, input=(4, 5), gain=(5,), shift=(5,)),
    "dropout": _dropout,
    "conv2d": _plain(conv.conv2d, input=(2, 3, 4, 5), weight=(2, 3, 3, 3), bias=(2,)),
    "max_pool": _max_pool,
    "embedding": _embedding,
    "rnn": _plain(sequence.rnn, input=(3, 4, 2), weight_ih=(5, 2), weight_hh=(5, 5), bias=(5,)),
    "gated": _plain(sequence.gated, gate=(2, 4, 3), content=(2, 4, 3)),
    "attention": _plain(sequence.attention, query=(2, 3, 4), key=(2, 3, 4), value=(2, 3, 4)),
    "residual": _plain(structure.residual, input=(4, 3), weight=(3, 3), bias=(3,)),
    "twice": _plain(structure.twice, input=(4, 3), weight=(3, 3), bias=(3,)),
    "store": _store,
}

_MLPS = ("mlp_tanh", "mlp_relu")


# --8<-- [start:CATALOG]
CATALOG: tuple[Bug, ...] = (
    Bug(
        "missing_weight", "dense", "linear", dense.linear_backward, dense.missing_weight,
        "right_grad_input", ("article",), _MLPS,
    ),
    Bug(
        "missing_transpose", "dense", "linear", dense.linear_backward, dense.missing_transpose,
        "right_grad_input", (f"{GITHUB}/pytorch/tutorials/pull/426",), _MLPS,
    ),
    Bug(
        "bias_wrong_axis", "dense", "linear", dense.linear_backward, dense.bias_wrong_axis,
        "right_grad_bias", (f"{GITHUB}/rasbt/stat453-deep-learning-ss21/issues/5",), ("mlp_tanh",),
    ),
    Bug(
        "bias_forgotten", "dense", "linear", dense.linear_backward, dense.bias_forgotten,
        "right_grad_bias",
        (
            f"{GITHUB}/mattm/simple-neural-network/issues/5",
            f"{GITHUB}/dragen1860/Deep-Learning-with-TensorFlow-book/issues/217",
        ),
        ("mlp_tanh",),
    ),
    Bug(
        "slope_at_output", "activation", "tanh", activation.tanh_backward,
        activation.slope_at_output, "right_tanh",
        ("article", f"{GITHUB}/dragen1860/Deep-Learning-with-TensorFlow-book/issues/217"),
        ("mlp_tanh",),
    ),
    Bug(
        "slope_twice", "activation", "tanh", activation.tanh_backward, activation.slope_twice,
        "right_tanh", ("article",), ("mlp_tanh",),
    ),
    Bug(
        "relu_in_place", "activation", "relu", activation.relu_backward,
        activation.relu_in_place, "right_relu", (f"{GITHUB}/osmr/imgclsmob/issues/13",),
        ("mlp_relu",),
    ),
    Bug(
        "leaky_wrong_side", "activation", "leaky_relu", activation.leaky_relu_backward,
        activation.leaky_wrong_side, "right_leaky_relu", (), ("mlp_relu",),
    ),
    Bug(
        "sum_for_mean", "loss", "half_mse", loss.half_mse_backward, loss.sum_for_mean,
        "right_half_mse",
        (
            f"{GITHUB}/pytorch/tutorials/issues/1631",
            f"{GITHUB}/Open-Deep-ML/DML-OpenProblem/issues/54",
        ),
        ("mlp_tanh",),
    ),
    Bug(
        "sign_flip", "loss", "half_mse", loss.half_mse_backward, loss.sign_flip,
        "right_half_mse", (), ("mlp_tanh",),
    ),
    Bug(
        "labels_broadcast", "loss", "half_mse", loss.half_mse_backward, loss.labels_broadcast,
        "right_half_mse", (f"{GITHUB}/deepset-ai/FARM/issues/229",), ("mlp_tanh",),
    ),
    Bug(
        "softmax_left_out", "loss", "softmax", loss.softmax_backward, loss.softmax_left_out,
        "right_softmax", (), ("softmax",),
    ),
    Bug(
        "softmax_diagonal", "loss", "softmax", loss.softmax_backward, loss.softmax_diagonal,
        "right_softmax", (f"{GITHUB}/SebLague/Neural-Network-Experiments/pull/5",),
        ("softmax",),
    ),
    Bug(
        "softmax_twice", "loss", "cross_entropy", loss.cross_entropy_backward,
        loss.softmax_twice, "right_cross_entropy",
        (f"{GITHUB}/nfmcclure/tensorflow_cookbook/issues/86",), ("attention",),
    ),
    Bug(
        "padding_in_mean", "loss", "cross_entropy", loss.cross_entropy_backward,
        loss.padding_in_mean, "right_cross_entropy",
        (
            f"{GITHUB}/OpenNMT/OpenNMT-py/issues/2209",
            f"{GITHUB}/huggingface/transformers/issues/24725",
        ),
        ("embedding",),
    ),
    Bug(
        "padding_not_masked", "loss", "cross_entropy", loss.cross_entropy_backward,
        loss.padding_not_masked, "right_cross_entropy", (), ("embedding",),
    ),
    Bug(
        "batch_norm_no_mean", "norm", "batch_norm", norm.batch_norm_backward,
        norm.batch_norm_no_mean, "right_batch_norm",
        (f"{GITHUB}/pjreddie/darknet/issues/1723", f"{GITHUB}/apache/mxnet/issues/1053"),
        ("norm",),
    ),
    Bug(
        "batch_norm_no_variance", "norm", "batch_norm", norm.batch_norm_backward,
        norm.batch_norm_no_variance, "right_batch_norm", (f"{GITHUB}/mlpack/mlpack/pull/1327",),
        ("norm",),
    ),
    Bug(
        "gain_one_number", "norm", "batch_norm", norm.batch_norm_backward,
        norm.gain_one_number, "right_gain", (), ("norm",),
    ),
    Bug(
        "layer_norm_constants", "norm", "layer_norm", norm.layer_norm_backward,
        norm.layer_norm_constants, "right_layer_norm", (), ("norm",),
    ),
    Bug(
        "dropout_new_mask", "norm", "dropout", norm.dropout_backward, norm.dropout_new_mask,
        "right_dropout", (f"{GITHUB}/pytorch/pytorch/issues/190717",), ("mlp_relu",),
    ),
    Bug(
        "dropout_unscaled", "norm", "dropout", norm.dropout_backward, norm.dropout_unscaled,
        "right_dropout", (f"{GITHUB}/ddbourgin/numpy-ml/issues/94",), ("mlp_relu",),
    ),
    Bug(
        "conv_not_flipped", "conv", "conv2d", conv.conv2d_backward, conv.conv_not_flipped,
        "right_flip", (f"{GITHUB}/ddbourgin/numpy-ml/issues/27",), ("conv",),
    ),
    Bug(
        "conv_wrong_crop", "conv", "conv2d", conv.conv2d_backward, conv.conv_wrong_crop,
        "right_crop", (), ("conv",),
    ),
    Bug(
        "pool_all_ties", "conv", "max_pool", conv.max_pool_backward, conv.pool_all_ties,
        "right_max_pool", (f"{GITHUB}/Theano/Theano/issues/5248",), ("conv",),
    ),
    Bug(
        "embedding_assign", "sequence", "embedding", sequence.embedding_backward,
        sequence.embedding_assign, "right_embedding",
        (f"{GITHUB}/HIPS/autograd/pull/136", f"{GITHUB}/numpy/numpy/issues/16790"),
        ("embedding",),
    ),
    Bug(
        "bptt_off_by_one", "sequence", "rnn", sequence.rnn_backward, sequence.bptt_off_by_one,
        "right_state_before", (), ("rnn",),
    ),
    Bug(
        "recurrent_path_forgotten", "sequence", "rnn", sequence.rnn_backward,
        sequence.recurrent_path_forgotten, "right_carry", (), ("rnn",),
    ),
    Bug(
        "forget_gate_missing", "sequence", "gated", sequence.gated_backward,
        sequence.forget_gate_missing, "right_gate", (), ("gated",),
    ),
    Bug(
        "attention_unscaled", "sequence", "attention", sequence.attention_backward,
        sequence.attention_unscaled, "right_attention", (), ("attention",),
    ),
    Bug(
        "residual_path_forgotten", "structure", "residual", structure.residual_backward,
        structure.residual_path_forgotten, "right_residual", (), ("mlp_relu",),
    ),
    Bug(
        "stale_cache", "structure", "twice", structure.twice_backward, structure.stale_cache,
        "right_own_cache", (), ("shared",),
    ),
    Bug(
        "shared_once", "structure", "twice", structure.twice_backward, structure.shared_once,
        "right_sum_of_calls",
        (
            f"{GITHUB}/karpathy/nn-zero-to-hero/issues/52",
        ), ("shared",),
    ),
    Bug(
        "not_cleared", "structure", "store", structure.store, structure.not_cleared,
        "right_store", (f"{GITHUB}/karpathy/micrograd/issues/53",), ("mlp_tanh",),
    ),
)  # fmt: skip
# --8<-- [end:CATALOG]
