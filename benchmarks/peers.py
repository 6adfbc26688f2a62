"""One training step of a multilayer perceptron in every library that is compared.

Each function takes a `Problem` and returns a `Contender`: `step()` does forward, loss, backward
and the update and has finished when it returns; `weights()` gives the parameters. All start from
the same weights, so that after a few steps they must agree.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bpref import nn, optim

Weights = list[np.ndarray]  # W_1, b_1, W_2, b_2, … with W_l of shape (m, d)


@dataclass(frozen=True)
class Problem:
    """A network, a batch, a loss and a learning rate; everything in float32."""

    sizes: list[int]
    loss: str  # "mse" or "cross_entropy"
    x: np.ndarray
    y: np.ndarray
    weights: Weights
    lr: float

    @classmethod
    def make(cls, sizes: list[int], batch: int, loss: str) -> Problem:
        rng = np.random.default_rng(0)
        x = rng.standard_normal((batch, sizes[0])).astype(np.float32)
        y: np.ndarray
        if loss == "mse":
            y = rng.standard_normal((batch, sizes[-1])).astype(np.float32)
        else:
            y = rng.integers(0, sizes[-1], batch)
        model = nn.MLP(sizes, generator=rng, dtype=np.float32)
        return cls(sizes, loss, x, y, [p.data.copy() for p in model.parameters()], 0.01)


@dataclass(frozen=True)
class Contender:
    """What is timed, and what shows that it computed the right thing."""

    step: Callable[[], Any]
    weights: Callable[[], Weights]


def _bpref(problem: Problem) -> tuple[nn.MLP, nn.Module, optim.SGD]:
    model = nn.MLP(problem.sizes, dtype=np.float32)
    for parameter, value in zip(model.parameters(), problem.weights, strict=True):
        parameter.data = value
    criterion = nn.MSELoss() if problem.loss == "mse" else nn.CrossEntropyLoss()
    return model, criterion, optim.SGD(model.parameters(), lr=problem.lr)


def bpref_training_step(problem: Problem) -> Contender:
    """`bpref.nn.TrainingStep`: the program on preallocated arrays."""
    model, criterion, optimizer = _bpref(problem)
    step = nn.TrainingStep(model, criterion, optimizer)
    return Contender(
        lambda: step(problem.x, problem.y), lambda: [p.data for p in model.parameters()]
    )


def bpref_modules(problem: Problem) -> Contender:
    """The same by the modules one after the other, as a page would write it."""
    model, criterion, optimizer = _bpref(problem)

    def step() -> None:
        optimizer.zero_grad()
        criterion(model(problem.x), problem.y)
        model.backward(criterion.backward(1.0))
        optimizer.step()

    return Contender(step, lambda: [p.data for p in model.parameters()])


def matrix_products(problem: Problem) -> Contender:
    """Only the matrix products of the step, without anything in between: the floor for NumPy."""
    d, batch = problem.sizes, len(problem.x)
    h = [np.ones((batch, n), np.float32) for n in d]
    h[0] = problem.x
    W = problem.weights[::2]
    grad_W = [np.empty_like(w) for w in W]

    def step() -> None:
        for layer, w in enumerate(W):
            np.dot(h[layer], w.T, h[layer + 1])
        for layer in reversed(range(len(W))):
            np.dot(h[layer + 1].T, h[layer], grad_W[layer])
            if layer:
                np.dot(h[layer + 1], W[layer], h[layer])

    return Contender(step, lambda: problem.weights)


def pytorch_eager(problem: Problem) -> Contender:
    """`torch.nn`, `torch.optim.SGD`."""
    import torch

    layers: list[torch.nn.Module] = []
    for d, m in itertools.pairwise(problem.sizes):
        layers += [torch.nn.Linear(d, m), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), problem.weights, strict=True):
            parameter.copy_(torch.from_numpy(value))
    criterion = torch.nn.MSELoss() if problem.loss == "mse" else torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
    x, y = torch.from_numpy(problem.x), torch.from_numpy(problem.y)

    def step() -> None:
        optimizer.zero_grad()
        criterion(model(x), y).backward()
        optimizer.step()

    return Contender(step, lambda: [p.detach().numpy() for p in model.parameters()])


def pytorch_compiled(problem: Problem) -> Contender:
    """The whole step as one function through `torch.compile`."""
    import torch

    weights = [torch.from_numpy(w.copy()) for w in problem.weights]
    x, y = torch.from_numpy(problem.x), torch.from_numpy(problem.y)
    criterion: Any = {
        "mse": torch.nn.functional.mse_loss,
        "cross_entropy": torch.nn.functional.cross_entropy,
    }[problem.loss]

    def loss(weights: list[torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        for layer in range(0, len(weights), 2):
            x = torch.nn.functional.linear(x, weights[layer], weights[layer + 1])
            if layer + 2 < len(weights):
                x = torch.relu(x)
        return criterion(x, y)

    @torch.compile
    def update(weights: list[torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        grads, value = torch.func.grad_and_value(loss)(weights, x, y)
        for weight, grad in zip(weights, grads, strict=True):
            weight.sub_(problem.lr * grad)
        return value

    def step() -> None:
        with torch.no_grad():
            update(weights, x, y)

    return Contender(step, lambda: [w.numpy() for w in weights])


def jax_jit(problem: Problem) -> Contender:
    """One jitted call a step, finished when it returns."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_cpu_enable_async_dispatch", False)  # faster for small steps
    x, y = jnp.asarray(problem.x), jnp.asarray(problem.y)

    def loss(weights: list[Any], x: Any, y: Any) -> Any:
        for layer in range(0, len(weights), 2):
            x = x @ weights[layer].T + weights[layer + 1]
            if layer + 2 < len(weights):
                x = jax.nn.relu(x)
        if problem.loss == "mse":
            return jnp.mean((x - y) ** 2)
        return -jnp.mean(jax.nn.log_softmax(x)[jnp.arange(len(y)), y])

    @jax.jit
    def update(weights: list[Any], x: Any, y: Any) -> list[Any]:
        grads = jax.grad(loss)(weights, x, y)
        return [w - problem.lr * g for w, g in zip(weights, grads, strict=True)]

    state = {"weights": [jnp.asarray(w) for w in problem.weights]}

    def step() -> None:
        state["weights"] = update(state["weights"], x, y)
        state["weights"][0].block_until_ready()

    return Contender(step, lambda: [np.asarray(w) for w in state["weights"]])


def hips_autograd(problem: Problem) -> Contender:
    """HIPS autograd: differentiates NumPy code while it runs."""
    import autograd.numpy as anp
    from autograd import grad

    weights = [w.copy() for w in problem.weights]
    rows = np.arange(len(problem.y))

    def loss(weights: Weights) -> Any:
        x = problem.x
        for layer in range(0, len(weights), 2):
            x = anp.dot(x, weights[layer].T) + weights[layer + 1]
            if layer + 2 < len(weights):
                x = anp.maximum(x, 0)
        if problem.loss == "mse":
            return anp.mean((x - problem.y) ** 2)
        shifted = x - anp.max(x, axis=1, keepdims=True)
        log_sum = anp.log(anp.sum(anp.exp(shifted), axis=1))
        return anp.mean(log_sum - shifted[rows, problem.y])

    gradient = grad(loss)

    def step() -> None:
        for weight, g in zip(weights, gradient(weights), strict=True):
            weight -= problem.lr * g

    return Contender(step, lambda: weights)


def tinygrad_jit(problem: Problem) -> Contender:
    """Tinygrad with TinyJit; compiles its kernels with clang."""
    from tinygrad import Context, Tensor, TinyJit
    from tinygrad.nn.optim import SGD

    weights = [Tensor(w.copy()) for w in problem.weights]
    x, y = Tensor(problem.x).is_param_(False), Tensor(problem.y).is_param_(False)
    optimizer = SGD(weights, lr=problem.lr)

    @TinyJit
    def update() -> Tensor:
        out = x
        for layer in range(0, len(weights), 2):
            out = out.linear(weights[layer].T, weights[layer + 1])
            if layer + 2 < len(weights):
                out = out.relu()
        if problem.loss == "mse":
            loss = (out - y).square().mean()
        else:
            loss = out.sparse_categorical_crossentropy(y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.realize()

    def step() -> None:
        with Context(TRAINING=1):
            update().item()

    return Contender(step, lambda: [w.numpy() for w in weights])


def scikit_learn(problem: Problem) -> Contender:
    """`MLPRegressor` or `MLPClassifier`, one `partial_fit` a step."""
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    batch = len(problem.x)
    options: dict[str, Any] = {
        "hidden_layer_sizes": problem.sizes[1:-1],
        "activation": "relu",
        "solver": "sgd",
        "alpha": 0.0,
        "batch_size": batch,
        "momentum": 0.0,
        "shuffle": False,
    }
    if problem.loss == "mse":
        # Its loss is half the squared error of a sample; for one output that is half of ours.
        model = MLPRegressor(learning_rate_init=2 * problem.lr, **options)
        y = problem.y.ravel()
        model.partial_fit(problem.x, y)
    else:
        model = MLPClassifier(learning_rate_init=problem.lr, **options)
        y = problem.y
        model.partial_fit(problem.x, y, classes=np.arange(problem.sizes[-1]))
    for place, value in zip(model.coefs_, problem.weights[::2], strict=True):
        place[...] = value.T
    for place, value in zip(model.intercepts_, problem.weights[1::2], strict=True):
        place[...] = value

    def weights() -> Weights:
        pairs = zip(model.coefs_, model.intercepts_, strict=True)
        return [array for W, b in pairs for array in (W.T, b)]

    return Contender(lambda: model.partial_fit(problem.x, y), weights)


def micrograd(problem: Problem) -> Contender:
    """Karpathy's scalar engine; only for networks of a few dozen weights."""
    from micrograd.nn import MLP

    model = MLP(problem.sizes[0], problem.sizes[1:])
    for layer, W, b in zip(model.layers, problem.weights[::2], problem.weights[1::2], strict=True):
        for neuron, row, bias in zip(layer.neurons, W, b, strict=True):
            neuron.b.data = float(bias)
            for weight, value in zip(neuron.w, row, strict=True):
                weight.data = float(value)

    def step() -> None:
        outputs = [model([float(v) for v in row]) for row in problem.x]
        errors = [(o - float(t[0])) ** 2 for o, t in zip(outputs, problem.y, strict=True)]
        loss = sum(errors[1:], errors[0]) * (1 / len(errors))
        model.zero_grad()
        loss.backward()
        for parameter in model.parameters():
            parameter.data -= problem.lr * parameter.grad

    def weights() -> Weights:
        result = []
        for layer in model.layers:
            result.append(np.array([[w.data for w in n.w] for n in layer.neurons], np.float32))
            result.append(np.array([n.b.data for n in layer.neurons], np.float32))
        return result

    return Contender(step, weights)


# In the order of the table; PyTorch eager is what the others are divided by.
PEERS: dict[str, Callable[[Problem], Contender]] = {
    "PyTorch eager": pytorch_eager,
    "bpref TrainingStep": bpref_training_step,
    "bpref modules": bpref_modules,
    "NumPy matrix products alone": matrix_products,
    "PyTorch compiled": pytorch_compiled,
    "JAX jit": jax_jit,
    "HIPS autograd": hips_autograd,
    "tinygrad jit": tinygrad_jit,
    "scikit-learn": scikit_learn,
    "micrograd": micrograd,
}
