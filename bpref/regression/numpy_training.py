"""The run in NumPy: what the loop of `training` needs, from `bpref` alone.

The modules check their arguments and make new arrays in every call; for a small network that is
most of the time. So the calls of a step are written down once for every shape of a batch, as in
`bpref.nn.TrainingStep`, and then repeated.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from bpref import nn, optim
from bpref.fast import activation as fast
from bpref.nn import training_step
from bpref.regression.config import Config
from bpref.regression.dropout import Masks
from bpref.regression.optimizers import make_optimizer


class Network:
    """A `bpref.nn.MLP` as programs, one for each shape of a batch.

    Parameters
    ----------
    model : bpref.nn.MLP
        Its weights are used and its gradients written where they are.
    masks : Masks, optional
        Dropout after every activation in training; none without it.

    Attributes
    ----------
    adds : bool
        Whether `backward` adds to the gradients; otherwise it writes them anew.
    """

    def __init__(self, model: nn.MLP, masks: Masks | None = None) -> None:
        self.model, self.masks = model, masks
        self.training, self.adds = True, False
        self._programs: dict[tuple[bool, tuple[int, ...]], Program] = {}
        vectors = model.flat_vectors()
        assert vectors is not None  # a Sequential has them
        self.data, self.grad = vectors

    def train(self) -> None:
        """Use dropout."""
        self.training = True

    def eval(self) -> None:
        """Leave dropout out."""
        self.training = False

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Return the outputs, shape (n, m), for inputs of shape (n, d); valid until the next."""
        key = self.training, x.shape
        program = self._programs.get(key)
        if program is None:
            masks = self.masks if self.training else None
            program = self._programs[key] = Program(self.model, x, masks)
        self.program = program
        program.input[...] = x
        for call in program.forward:
            call()
        return program.output

    def backward(self) -> None:
        """Write the gradients, given that for the output in ``program.delta``."""
        before = self.grad.copy() if self.adds else None
        for call in self.program.backward:
            call()
        if before is not None:
            self.grad += before
        self.adds = True


class Program(training_step.Program):
    """The calls of a step for one shape of a batch, with dropout, and without a loss.

    Parameters
    ----------
    model : bpref.nn.MLP
    input : ndarray, shape (n, d)
        Only its shape and dtype matter.
    masks : Masks, optional
    """

    def __init__(self, model: nn.MLP, input: np.ndarray, masks: Masks | None) -> None:
        self.masks, self.hidden = masks, 0
        super().__init__(model, model, input)

    def _criterion(self, criterion: Any, output: np.ndarray) -> Any:
        """The loss is apart: it writes its gradient into `delta`."""
        self.output, self.delta = output, np.empty_like(output)
        self.delta_flat, self.scale = self.delta.reshape(-1), np.empty((), self.dtype)
        return None, None, self.delta

    def _layer(self, module: nn.Module, input: np.ndarray, first: bool) -> Any:
        if isinstance(module, nn.Linear):
            return super()._layer(module, input, first)
        if isinstance(module, nn.GELU):
            output, backward = self._gelu(input)
        elif isinstance(module, nn.LeakyReLU):
            output, backward = self._leaky_relu(module, input)
        else:
            output, backward = super()._layer(module, input, first)
        return self._dropout(output, backward) if self.masks else (output, backward)

    def _gelu(self, input: np.ndarray) -> Any:
        output = np.empty_like(input)
        caches: list[Any] = [None]

        def forward() -> None:
            output[...], caches[0] = fast.gelu(input)

        def backward(grad: np.ndarray) -> np.ndarray:
            def call() -> None:
                grad[...] = fast.gelu_backward(grad, caches[0])

            self.backward.append(call)
            return grad

        self.forward.append(forward)
        return output, backward

    def _leaky_relu(self, module: nn.LeakyReLU, input: np.ndarray) -> Any:
        output, slope = np.empty_like(input), np.empty_like(input)
        positive, zeros = np.empty(input.shape, bool), np.zeros_like(input)
        low = np.full_like(self.one, module.negative_slope)
        self.forward += [
            partial(np.multiply, input, low, output),
            partial(np.maximum, input, output, out=output),
        ]

        def backward(grad: np.ndarray) -> np.ndarray:
            self.backward += [
                partial(np.greater, input, zeros, positive),
                partial(np.copyto, slope, low),
                partial(np.copyto, slope, self.one, where=positive),
                partial(np.multiply, grad, slope, grad),
            ]
            return grad

        return output, backward

    def _dropout(self, input: np.ndarray, backward_of_input: Any) -> Any:
        output, factor, layer = np.empty_like(input), np.empty_like(input), self.hidden
        take = self.masks.take if self.masks else None
        self.hidden += 1

        def forward() -> None:
            assert take is not None
            factor[...] = take(layer, input.shape, input.dtype)
            np.multiply(input, factor, output)

        def backward(grad: np.ndarray) -> np.ndarray:
            self.backward.append(partial(np.multiply, grad, factor, grad))
            return backward_of_input(grad)

        self.forward.append(forward)
        return output, backward


class Loss:
    """The weighted mean of squared, absolute or Huber errors, see `loss.Criterion`.

    Parameters
    ----------
    network : Network
        What `backward` goes on with.
    kind : {"mse", "mae", "huber"}
    delta : float, default 1.0
    """

    def __init__(self, network: Network, kind: str = "mse", delta: float = 1.0) -> None:
        self.network, self.kind, self.delta = network, kind, delta
        self._value = 0.0

    def __call__(
        self,
        prediction: np.ndarray,
        y: np.ndarray,
        weight: np.ndarray | None = None,
        total: float | None = None,
    ) -> Loss:
        """Compute the loss and its gradient for the prediction, which is the network's last."""
        program = self.network.program
        delta, flat = program.delta, program.delta_flat
        np.subtract(prediction, y, delta)
        if total is None:
            total = y.shape[0] if weight is None else float(weight.sum())
        count = (total or 1.0) * y.shape[1]
        scale = program.scale
        if weight is None and self.kind == "mse":
            self._value = float(flat.dot(flat)) / count
            scale.fill(2 / count)
        else:
            self._value = self._other(delta, weight) / count
            scale.fill((2 if self.kind == "mse" else 1) / count)
        np.multiply(delta, scale, delta)
        return self

    def _other(self, error: np.ndarray, weight: np.ndarray | None) -> float:
        """Return Σ wᵢ ℓᵢ and put its slope, for "mse" half of it, in the place of the error."""
        if self.kind == "mae":
            slope = np.sign(error)
            distance = error
        elif self.kind == "huber":
            slope = np.clip(error, -self.delta, self.delta)
            distance = error - 0.5 * slope
        else:
            slope = distance = error
        if weight is not None:
            slope = slope * weight[:, None]
        loss = float(np.dot(slope.reshape(-1), distance.reshape(-1)))
        error[...] = slope
        return loss

    def item(self) -> float:
        """Return the loss."""
        return self._value

    def backward(self) -> None:
        """Write all gradients."""
        self.network.backward()


class NumpyOptimizer:
    """An optimizer of `bpref.optim` whose gradients a `Network` writes.

    Parameters
    ----------
    network : Network
    config : Config
    """

    def __init__(self, network: Network, config: Config) -> None:
        self.network = network
        self.inner = make_optimizer(optim, config, network.model.parameters())
        self.step = self.inner.step
        self.keys = [key for key, _ in network.model.named_parameters()]

    @property
    def lr(self) -> float:
        """The learning rate."""
        return float(self.inner.lr)

    @lr.setter
    def lr(self, value: float) -> None:
        self.inner.lr = value

    def zero_grad(self) -> None:
        """Let the next backward pass write the gradients anew."""
        self.network.adds = False

    def clip(self, max_norm: float) -> None:
        """Scale the gradient down to this norm, as `bpref.optim.clip_grad_norm_`."""
        grad = self.network.grad
        norm = math.sqrt(float(np.dot(grad, grad)))
        if not norm + 1e-6 <= max_norm:
            grad *= max_norm / (norm + 1e-6)

    def buffers(self) -> dict[str, np.ndarray]:
        """Return copies of what the rule remembers, as ``<buffer>.<key of the parameter>``."""
        states = self.inner.state_dict()["state"]
        return {
            f"{name}.{key}": array
            for key, state in zip(self.keys, states, strict=True)
            for name, array in state.items()
        }

    def load_buffers(self, buffers: Mapping[str, np.ndarray], steps: int) -> None:
        """Go on where `buffers` were taken after so many steps."""
        names = dict.fromkeys(key.partition(".")[0] for key in buffers)
        state_dict = self.inner.state_dict()
        state_dict["steps"] = steps
        state_dict["state"] = [
            {name: buffers[f"{name}.{key}"] for name in names} for key in self.keys
        ]
        self.inner.load_state_dict(state_dict)
