"""One training step as a fixed program of NumPy calls on preallocated arrays.

The modules check their arguments and make new arrays in every call. For a small network that
costs far more than its arithmetic. Here the calls of one step are written down once for a batch
shape, each with the array that it writes to, and then only repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from bpref.nn.activation import Identity, ReLU, Sigmoid, Tanh
from bpref.nn.container import Sequential
from bpref.nn.linear import Linear
from bpref.nn.loss import CrossEntropyLoss, HalfMSELoss, MSELoss
from bpref.nn.module import Module
from bpref.nn.parameter import structure_version

Call = Callable[[], Any]


# --8<-- [start:TrainingStep]
class TrainingStep:
    """Zero the gradients, forward, loss, backward, update: one call for each batch.

    The result is that of the four lines that it stands for:

    ```python
    optimizer.zero_grad()
    loss = criterion(model(input), target)
    model.backward(criterion.backward())
    optimizer.step()
    ```

    Parameters
    ----------
    model : Module
        A `Sequential` of `Linear`, `ReLU`, `Tanh`, `Sigmoid` and `Identity` runs as a
        program; any other model runs by these lines, and so does one with a forward or backward
        of its own.
    criterion : Module
        `MSELoss`, `HalfMSELoss` or `CrossEntropyLoss` (without options other than a reduction
        "mean" or "sum") for the program; any other by the lines.
    optimizer : object with ``zero_grad()`` and ``step()``
        Holds the parameters of the model.

    Attributes
    ----------
    model, criterion, optimizer
        As given. After a step the gradients of the parameters are those of its batch; the
        program does not compute ∂J/∂input, which nobody asks for. Modules, parameters and
        options may be changed between steps.

    Raises
    ------
    TypeError
        If model or criterion is not a Module; in a call, if a dtype does not fit.
    ValueError
        In a call, if a shape does not fit.

    Examples
    --------
    >>> from bpref import nn, optim
    >>> model = nn.MLP([1, 4, 1], generator=np.random.default_rng(0))
    >>> step = nn.TrainingStep(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1))
    >>> x = np.linspace(0, 1, 8).reshape(8, 1)
    >>> losses = [step(x, 2 * x + 1) for _ in range(100)]
    >>> losses[-1] < 0.01 < losses[0]
    True
    """

    def __init__(self, model: Module, criterion: Module, optimizer: Any) -> None:
        for name, module in (("model", model), ("criterion", criterion)):
            if not isinstance(module, Module):
                came = type(module).__name__
                raise TypeError(f"{name}: expected a bpref.nn.Module, got {came}")
        self.model, self.criterion, self.optimizer = model, criterion, optimizer
        self._programs: dict[tuple[int, ...], Program] = {}
        self._written_for: tuple[Any, ...] = ()

    def __call__(self, input: np.ndarray, target: np.ndarray) -> float:
        """Train on one batch.

        Parameters
        ----------
        input : ndarray, shape (N, d)
            The batch.
        target : ndarray
            What the criterion compares the output with.

        Returns
        -------
        float
            The loss before the update.
        """
        written_for = structure_version(), self.model, self.criterion, self.optimizer
        if self._written_for != written_for:  # a module or a parameter has changed
            self._programs.clear()
            self._written_for = written_for
        program = self._programs.get(getattr(input, "shape", ()))
        if program is None and _is_batch(input) and self._has_program():
            self.criterion(self.model(input), target)  # raises where something does not fit
            program = self._programs[input.shape] = Program(self.model, self.criterion, input)
        if program is None or not program.fits(input, target):
            return self._by_modules(input, target)
        loss = program.run(input, target)
        self.optimizer.step()
        return loss

    def __getstate__(self) -> dict[str, Any]:
        # Programs refer to arrays of this very model; a copy writes its own.
        return {**vars(self), "_programs": {}, "_written_for": ()}

    def _has_program(self) -> bool:
        return (
            _is_supported(self.model)
            and _has_gradient(self.criterion)
            and _are_held(self.model, self.optimizer)
        )

    def _by_modules(self, input: np.ndarray, target: np.ndarray) -> float:
        self.optimizer.zero_grad()
        loss = self.criterion(self.model(input), target)
        self.model.backward(self.criterion.backward(1.0))
        self.optimizer.step()
        return float(loss)


# --8<-- [end:TrainingStep]


def _is_batch(input: Any) -> bool:
    return type(input) is np.ndarray and input.ndim == 2 and len(input) > 0


def _is_supported(model: Module) -> bool:
    layers = (Linear, ReLU, Tanh, Sigmoid, Identity)
    if not isinstance(model, Sequential) or not len(model) or not _runs_as(model, Sequential):
        return False
    return all(type(m) in layers and _runs_as(m, type(m)) for m in model.modules)


def _are_held(model: Module, optimizer: Any) -> bool:
    """Whether the optimizer holds all parameters of the model once, and no others.

    The program writes their gradients anew; `zero_grad` must have had no other effect.
    """
    places = [id(parameter) for _, parameter in model._all_parameters()]
    held = [id(parameter) for parameter in getattr(optimizer, "params", ())]
    return bool(places) and sorted(places) == sorted(held)


def _has_gradient(criterion: Any) -> bool:
    kinds = MSELoss, HalfMSELoss, CrossEntropyLoss
    if not any(isinstance(criterion, kind) and _runs_as(criterion, kind) for kind in kinds):
        return False
    if isinstance(criterion, CrossEntropyLoss) and (
        criterion.weight is not None or criterion.label_smoothing or criterion.ignore_index >= 0
    ):
        return False
    return bool(criterion.reduction != "none")


def _runs_as(module: Module, kind: type[Module]) -> bool:
    """Whether a module computes with the code of this class: not overridden, not patched."""
    names = ("__call__", "forward", "backward")
    return all(
        name not in vars(module) and getattr(type(module), name) is getattr(kind, name)
        for name in names
    )


class Program:
    """The calls of one step for one batch shape.

    Parameters
    ----------
    model : Sequential
    criterion : Module
    input : ndarray, shape (N, d)
        Only its shape and dtype matter.
    """

    def __init__(self, model: Any, criterion: Module, input: np.ndarray) -> None:
        self.forward: list[Call] = []
        self.backward: list[Call] = []  # in the order of execution
        self.dtype = input.dtype
        self.input = np.empty_like(input)
        self.ones = np.ones(len(input), input.dtype)  # a product with it sums over the batch
        self.one = np.ones((), input.dtype)

        output = self.input
        backwards: list[Callable[[np.ndarray], np.ndarray]] = []
        for module in model.modules:
            output, backward = self._layer(module, output, first=output is self.input)
            backwards.append(backward)
        self.loss, self.target_fits, grad = self._criterion(criterion, output)
        for backward in reversed(backwards):
            grad = backward(grad)

    def run(self, input: np.ndarray, target: np.ndarray) -> float:
        """Compute the loss and write all gradients."""
        self.input[...] = input
        for call in self.forward:
            call()
        loss = self.loss(target)
        for call in self.backward:
            call()
        return loss

    def fits(self, input: Any, target: Any) -> bool:
        """Whether the program applies; where it does not, the modules compute or complain."""
        return (
            type(input) is type(target) is np.ndarray
            and input.dtype == self.dtype
            and self.target_fits(target)
        )

    def _layer(self, module: Module, input: np.ndarray, first: bool) -> Any:
        """Write down the forward calls; return the output and what writes the backward calls."""
        if isinstance(module, Linear):
            return self._linear(module, input, first)
        if isinstance(module, Identity):
            return input, lambda grad: grad
        output, slope = np.empty_like(input), np.empty_like(input)
        if isinstance(module, ReLU):
            zeros = np.zeros_like(input)  # NumPy is several times faster with two equal shapes
            self.forward.append(partial(np.maximum, input, zeros, out=output))
            calls = _is_positive(output, zeros, slope)
        elif isinstance(module, Tanh):
            self.forward.append(partial(np.tanh, input, output))
            calls = [
                partial(np.multiply, output, output, slope),
                partial(np.subtract, self.one, slope, slope),
            ]
        else:  # σ(a) = (1 + tanh(a / 2)) / 2 never overflows
            half = np.full_like(self.one, 0.5)
            self.forward += [
                partial(np.multiply, input, half, output),
                partial(np.tanh, output, output),
                partial(np.multiply, output, half, output),
                partial(np.add, output, half, output),
            ]
            calls = [
                partial(np.multiply, output, output, slope),
                partial(np.subtract, output, slope, slope),
            ]

        def backward(grad: np.ndarray) -> np.ndarray:
            self.backward += [*calls, partial(np.multiply, grad, slope, grad)]
            return grad

        return output, backward

    def _linear(self, module: Linear, input: np.ndarray, first: bool) -> Any:
        weight, bias = module.weight, module.bias
        output = np.empty((len(input), module.out_features), self.dtype)
        # The method `dot`: the function of this name first looks for other kinds of arrays.
        self.forward.append(partial(input.dot, weight.data.T, output))
        if bias is not None:
            self.forward.append(partial(np.add, output, bias.data, output))

        def backward(grad: np.ndarray) -> np.ndarray:
            self.backward.append(partial(grad.T.dot, input, weight.grad))
            if bias is not None:
                self.backward.append(partial(self.ones.dot, grad, bias.grad))
            if first:
                return grad
            grad_input = np.empty_like(input)
            self.backward.append(partial(grad.dot, weight.data, grad_input))
            return grad_input

        return output, backward

    def _criterion(self, criterion: Any, output: np.ndarray) -> Any:
        """Return what gives the loss, what checks a target, and the array of ∂J/∂output."""
        if isinstance(criterion, CrossEntropyLoss):
            return self._cross_entropy(criterion, output)
        halves = isinstance(criterion, HalfMSELoss)
        count = 1 if criterion.reduction == "sum" else (len(output) if halves else output.size)
        factor = (0.5 if halves else 1.0) / count
        error = np.empty_like(output)
        flat = error.reshape(-1)
        scale = np.asarray(2 * factor, self.dtype)
        dtype, shape = self.dtype, output.shape

        def fits(target: np.ndarray) -> bool:
            return target.dtype == dtype and target.shape == shape

        def loss(target: np.ndarray) -> float:
            np.subtract(output, target, error)
            return float(flat.dot(flat)) * factor

        self.backward.append(partial(np.multiply, error, scale, error))
        return loss, fits, error

    def _cross_entropy(self, criterion: Any, output: np.ndarray) -> Any:
        """Softmax and cross-entropy: ∂J/∂a = (softmax(a) − one-hot(y)) / N."""
        count = 1 if criterion.reduction == "sum" else len(output)
        probability = np.empty_like(output)
        column = np.empty((len(output), 1), self.dtype)
        rows = np.arange(len(output))
        divisor = np.asarray(count, self.dtype)

        def fits(target: np.ndarray) -> bool:
            if target.dtype.kind not in "iu" or target.shape != rows.shape:
                return False
            return bool(target.min() >= 0 and target.max() < output.shape[1])

        def loss(target: np.ndarray) -> float:
            np.maximum.reduce(output, axis=1, keepdims=True, out=column)
            np.subtract(output, column, probability)
            picked = float(probability[rows, target].sum())
            np.exp(probability, probability)
            np.add.reduce(probability, axis=1, keepdims=True, out=column)
            np.divide(probability, column, probability)
            probability[rows, target] -= 1
            np.log(column, column)
            return (float(column.sum()) - picked) / count

        self.backward.append(partial(np.divide, probability, divisor, probability))
        return loss, fits, probability


def _is_positive(output: np.ndarray, zeros: np.ndarray, slope: np.ndarray) -> list[Call]:
    """Return the calls that write 1 where the output of a ReLU is positive and 0 elsewhere."""
    if output.size < 2048:  # one call costs more than its arithmetic
        return [partial(np.sign, output, slope)]
    positive = np.empty(output.shape, bool)  # np.sign has no vectorised loop
    return [partial(np.greater, output, zeros, positive), partial(np.copyto, slope, positive)]
