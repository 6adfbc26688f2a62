"""Recurrent layers as modules: several layers, both directions, dropout in between."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from bpref import _check, init
from bpref import functional as F
from bpref.fast import recurrent as fast
from bpref.functional.rnn import NONLINEARITIES
from bpref.nn.module import Module
from bpref.nn.parameter import Parameter

# What a repr shows where it is not the default.
DEFAULTS = {
    "num_layers": 1,
    "bias": True,
    "batch_first": False,
    "dropout": 0.0,
    "bidirectional": False,
}


class _Recurrent(Module):
    """What `RNN`, `LSTM` and `GRU` share; each says which pair runs one layer in one direction."""

    gates: int
    pair: tuple[Callable[..., Any], Callable[..., Any]]
    initial_states: tuple[str, ...] = ("hx",)
    grad_states: tuple[str, ...] = ("grad_state",)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bias: bool,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        generator: np.random.Generator | None,
        dtype: DTypeLike,
    ) -> None:
        self.input_size = _check.positive_int("input_size", input_size)
        self.hidden_size = _check.positive_int("hidden_size", hidden_size)
        self.num_layers = _check.positive_int("num_layers", num_layers)
        self.bias, self.batch_first = bool(bias), bool(batch_first)
        self.dropout = _check.fraction("dropout", dropout)
        self.bidirectional = bool(bidirectional)
        self.generator = _check.generator(generator)
        dtype = _check.float_dtype(dtype)

        H, rows = self.hidden_size, self.gates * self.hidden_size
        for layer in range(self.num_layers):
            columns = self._directions() * H if layer else self.input_size
            shapes = [(rows, columns), (rows, H), (rows,), (rows,)]
            for direction in range(self._directions()):
                for name, shape in zip(self._names(layer, direction), shapes, strict=False):
                    setattr(self, name, Parameter(np.empty(shape, dtype)))
        init.recurrent_([p.data for p in self.parameters()], H, self.generator)

    def forward(self, input: np.ndarray, hx: Any = None, lengths: np.ndarray | None = None) -> Any:
        """Return the states of the last layer and the final states of all layers.

        Parameters
        ----------
        input : ndarray, shape (T, N, D), or (N, T, D) for batch_first
            The padded sequences.
        hx : ndarray, shape (layers · directions, N, H), optional
            The initial states, zero without them; for LSTM the tuple (h_0, c_0).
        lengths : ndarray, shape (N,), integer, optional
            The number of valid steps of each sequence, from 1 to T.

        Returns
        -------
        output : ndarray, shape (T, N, directions · H), or (N, T, directions · H)
        h_n : ndarray, shape of hx; for LSTM the tuple (h_n, c_n)
        """
        (input,) = _check.floats(input=input)
        _check.shape("input", input, (*("NT" if self.batch_first else "TN"), self.input_size))
        sequence = self._swapped(input)
        initial = self._zero_or_given(hx, sequence)
        forward, _ = self.pair

        final: list[Any] = []  # one entry for each layer and direction, as in caches
        caches: list[Any] = []
        masks: list[Any] = []  # one for each layer but the first
        for layer in range(self.num_layers):
            if layer:
                drops = self.training and self.dropout > 0
                sequence, mask = F.dropout(sequence, self.dropout, drops, self.generator)
                masks.append(mask)
            outputs = []
            for direction in range(self._directions()):
                arrays = [state[len(caches)] for state in initial]
                arrays += [getattr(self, name).data for name in self._names(layer, direction)]
                options = {**self._options(), "lengths": lengths, "reverse": direction == 1}
                (output, *states), cache = forward(sequence, *arrays, **options)
                outputs.append(output)
                final.append(states)
                caches.append(cache)
            sequence = np.concatenate(outputs, axis=2) if self.bidirectional else outputs[0]
        self._cache = caches, masks, sequence.shape, sequence.dtype
        return self._swapped(sequence), _one_or_all(
            np.stack(states) for states in zip(*final, strict=True)
        )

    def backward(self, grad_output: np.ndarray | None, grad_state: Any = None) -> tuple[Any, Any]:
        """Add to the gradients of all parameters; return those for input and hx.

        Parameters
        ----------
        grad_output : ndarray, shape of output, or None
            ∂J/∂output; None stands for zero.
        grad_state : ndarray, shape of h_n, optional
            ∂J/∂h_n; None stands for zero. For LSTM a tuple for h_n and c_n.

        Returns
        -------
        grad_input : ndarray, shape of input
        grad_hx : ndarray, shape of hx; for LSTM a tuple for h_0 and c_0
        """
        caches, masks, (T, N, _), dtype = self._take_cache()
        H, directions, count = self.hidden_size, self._directions(), len(self.grad_states)
        expected = {"grad_output": (*((N, T) if self.batch_first else (T, N)), directions * H)}
        expected |= dict.fromkeys(self.grad_states, (len(caches), N, H))
        grad_states = _each("grad_state", grad_state, self.grad_states)
        gradient, *grad_final = _check.grad_outputs((grad_output, *grad_states), dtype, **expected)
        gradient = self._swapped(gradient)
        grad_initial = [np.empty_like(grad) for grad in grad_final]
        _, backward = self.pair

        for layer in reversed(range(self.num_layers)):
            grad_inputs = []
            for direction in range(directions):
                index = layer * directions + direction
                own = gradient[:, :, direction * H : (direction + 1) * H]
                found = backward((own, *(grad[index] for grad in grad_final)), caches[index])
                grad_inputs.append(found[0])
                for place, grad in zip(grad_initial, found[1 : 1 + count], strict=True):
                    place[index] = grad
                names = self._names(layer, direction)  # fewer than gradients without bias
                for name, grad in zip(names, found[1 + count :], strict=False):
                    getattr(self, name).accumulate(grad)
            gradient = sum(grad_inputs[1:], grad_inputs[0])
            if layer:
                gradient = F.dropout_backward(gradient, masks[layer - 1])
        return self._swapped(gradient), _one_or_all(grad_initial)

    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    def _names(self, layer: int, direction: int) -> list[str]:
        """Return the names of the parameters, in PyTorch's order."""
        kinds = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"][: 4 if self.bias else 2]
        return [f"{kind}_l{layer}{'_reverse' if direction else ''}" for kind in kinds]

    def _options(self) -> dict[str, Any]:
        """Return what the functions take besides arrays, lengths and direction."""
        return {}

    def _swapped(self, sequence: np.ndarray) -> np.ndarray:
        """Exchange time and batch for batch_first: inside, time is the first axis."""
        return sequence.swapaxes(0, 1) if self.batch_first else sequence

    def _zero_or_given(self, hx: Any, sequence: np.ndarray) -> list[np.ndarray]:
        """Return the initial states, each of shape (layers · directions, N, H)."""
        shape = (self.num_layers * self._directions(), sequence.shape[1], self.hidden_size)
        initial = []
        for name, state in zip(
            self.initial_states, _each("hx", hx, self.initial_states), strict=True
        ):
            given = np.zeros(shape, sequence.dtype) if state is None else state
            _, checked = _check.floats(input=sequence, **{name: given})
            _check.shape(name, checked, shape)
            initial.append(checked)
        return initial

    def __repr__(self) -> str:
        shown = [f"{self.input_size}, {self.hidden_size}"]
        for name, default in DEFAULTS.items():
            value = getattr(self, name, default)
            if value != default:
                shown.append(f"{name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"


def _each(name: str, value: Any, parts: tuple[str, ...]) -> tuple[Any, ...]:
    """Return what was given for each of the parts; of several parts `value` is a tuple."""
    if value is None:
        return (None,) * len(parts)
    if len(parts) == 1:
        return (value,)
    if not isinstance(value, (tuple, list)):
        came = type(value).__name__
        raise TypeError(f"{name}: expected a tuple ({', '.join(parts)}), got {came}")
    if len(value) != len(parts):
        raise ValueError(f"{name}: expected a tuple ({', '.join(parts)}), got {len(value)} values")
    return tuple(value)


def _one_or_all(states: Iterable[np.ndarray]) -> Any:
    """Return the only array by itself, several as a tuple."""
    states = tuple(states)
    return states if len(states) > 1 else states[0]


# --8<-- [start:RNN]
class RNN(_Recurrent):
    """Layers of `bpref.functional.rnn`, with `torch.nn.RNN`'s names and initial values.

    Parameters
    ----------
    input_size, hidden_size : int
        D and H, each at least 1.
    num_layers : int, default 1
        Each layer reads the states of the one below.
    nonlinearity : {"tanh", "relu"}
        What follows the sum.
    bias : bool, default True
        Whether there are b_ih and b_hh.
    batch_first : bool, default False
        Whether input and output have the shape (N, T, ...) instead of (T, N, ...).
    dropout : float, default 0.0
        The probability of a zero in the input of each layer but the first, in training.
    bidirectional : bool, default False
        Whether each layer also reads backwards, with parameters named "..._reverse"; the states
        of both directions lie side by side.
    generator : numpy.random.Generator, optional
        Where the initial values, U(−1/√H, 1/√H), and dropout come from; unseeded without one.
    dtype : float32 or float64, default float64
        PyTorch's default is float32.

    Attributes
    ----------
    weight_ih_l0, weight_hh_l0 : Parameter, shapes (H, D) and (H, H)
        Those of layer 1 end in "_l1", and so on.
    bias_ih_l0, bias_hh_l0 : Parameter, shape (H,)

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong kind or is out of range.

    Notes
    -----
    Where PyTorch takes a PackedSequence, `forward` takes padded sequences and their lengths.

    Examples
    --------
    >>> net = RNN(3, 4, generator=np.random.default_rng(0))
    >>> output, h_n = net(np.ones((5, 2, 3)), lengths=np.array([5, 2]))
    >>> output.shape, h_n.shape
    ((5, 2, 4), (1, 2, 4))
    >>> grad_input, grad_hx = net.backward(None, np.ones_like(h_n))
    >>> grad_input.shape, grad_hx.shape
    ((5, 2, 3), (1, 2, 4))
    """

    gates = 1
    pair = F.rnn, F.rnn_backward

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        generator: np.random.Generator | None = None,
        dtype: DTypeLike = np.float64,
    ) -> None:
        if nonlinearity not in NONLINEARITIES:
            raise ValueError(
                f"nonlinearity: expected one of {NONLINEARITIES}, got {nonlinearity!r}"
            )
        self.nonlinearity = nonlinearity
        options = (num_layers, bias, batch_first, dropout, bidirectional)
        super().__init__(input_size, hidden_size, *options, generator, dtype)

    def _options(self) -> dict[str, Any]:
        return {"nonlinearity": self.nonlinearity}


# --8<-- [end:RNN]


# --8<-- [start:LSTM]
class LSTM(_Recurrent):
    """Layers of `bpref.functional.lstm`, with `torch.nn.LSTM`'s names and initial values.

    Parameters
    ----------
    input_size, hidden_size : int
        D and H, each at least 1.
    num_layers : int, default 1
        Each layer reads the states of the one below.
    bias : bool, default True
        Whether there are b_ih and b_hh.
    batch_first : bool, default False
        Whether input and output have the shape (N, T, ...) instead of (T, N, ...).
    dropout : float, default 0.0
        The probability of a zero in the input of each layer but the first, in training.
    bidirectional : bool, default False
        Whether each layer also reads backwards, with parameters named "..._reverse"; the states
        of both directions lie side by side.
    proj_size : int, default 0
        Only 0: projections are not implemented.
    generator : numpy.random.Generator, optional
        Where the initial values, U(−1/√H, 1/√H), and dropout come from; unseeded without one.
    dtype : float32 or float64, default float64
        PyTorch's default is float32.

    Attributes
    ----------
    weight_ih_l0, weight_hh_l0 : Parameter, shapes (4H, D) and (4H, H)
        Those of layer 1 end in "_l1", and so on.
    bias_ih_l0, bias_hh_l0 : Parameter, shape (4H,)

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong kind or is out of range.
    NotImplementedError
        If proj_size is not 0.

    Notes
    -----
    Where PyTorch takes a PackedSequence, `forward` takes padded sequences and their lengths.

    Examples
    --------
    >>> net = LSTM(3, 4, bidirectional=True, generator=np.random.default_rng(0))
    >>> output, (h_n, c_n) = net(np.ones((5, 2, 3)), lengths=np.array([5, 2]))
    >>> output.shape, h_n.shape, c_n.shape
    ((5, 2, 8), (2, 2, 4), (2, 2, 4))
    >>> grad_input, (grad_h_0, grad_c_0) = net.backward(np.ones_like(output))
    >>> grad_input.shape, grad_h_0.shape
    ((5, 2, 3), (2, 2, 4))
    """

    gates = 4
    pair = fast.lstm, fast.lstm_backward
    initial_states = ("h_0", "c_0")
    grad_states = ("grad_h_n", "grad_c_n")

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        *,
        generator: np.random.Generator | None = None,
        dtype: DTypeLike = np.float64,
    ) -> None:
        if proj_size != 0:
            raise NotImplementedError(
                f"proj_size: expected 0, got {proj_size!r}; projections are not implemented"
            )
        options = (num_layers, bias, batch_first, dropout, bidirectional)
        super().__init__(input_size, hidden_size, *options, generator, dtype)


# --8<-- [end:LSTM]


# --8<-- [start:GRU]
class GRU(_Recurrent):
    """Layers of `bpref.functional.gru`, with `torch.nn.GRU`'s names and initial values.

    Parameters
    ----------
    input_size, hidden_size : int
        D and H, each at least 1.
    num_layers : int, default 1
        Each layer reads the states of the one below.
    bias : bool, default True
        Whether there are b_ih and b_hh.
    batch_first : bool, default False
        Whether input and output have the shape (N, T, ...) instead of (T, N, ...).
    dropout : float, default 0.0
        The probability of a zero in the input of each layer but the first, in training.
    bidirectional : bool, default False
        Whether each layer also reads backwards, with parameters named "..._reverse"; the states
        of both directions lie side by side.
    generator : numpy.random.Generator, optional
        Where the initial values, U(−1/√H, 1/√H), and dropout come from; unseeded without one.
    dtype : float32 or float64, default float64
        PyTorch's default is float32.

    Attributes
    ----------
    weight_ih_l0, weight_hh_l0 : Parameter, shapes (3H, D) and (3H, H)
        Those of layer 1 end in "_l1", and so on.
    bias_ih_l0, bias_hh_l0 : Parameter, shape (3H,)

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong kind or is out of range.

    Notes
    -----
    Where PyTorch takes a PackedSequence, `forward` takes padded sequences and their lengths.

    Examples
    --------
    >>> net = GRU(3, 4, num_layers=2, batch_first=True, generator=np.random.default_rng(0))
    >>> output, h_n = net(np.ones((2, 5, 3)))
    >>> output.shape, h_n.shape
    ((2, 5, 4), (2, 2, 4))
    >>> grad_input, grad_hx = net.backward(np.ones_like(output))
    >>> grad_input.shape, grad_hx.shape
    ((2, 5, 3), (2, 2, 4))
    """

    gates = 3
    pair = F.gru, F.gru_backward

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        generator: np.random.Generator | None = None,
        dtype: DTypeLike = np.float64,
    ) -> None:
        options = (num_layers, bias, batch_first, dropout, bidirectional)
        super().__init__(input_size, hidden_size, *options, generator, dtype)


# --8<-- [end:GRU]
