"""Every displayed formula of the derivation pages, evaluated.

Each entry below holds the LaTeX of one formula and, beside it, the same formula written in NumPy
by hand. Three things are tested: the LaTeX stands on the page in both languages; every displayed
formula of the pages has an entry; and the NumPy value agrees with bpref, with central differences
and with PyTorch, on random arrays whose sizes are all different. A formula that is changed on the
page therefore fails until its entry is changed too, and a wrong entry fails by its value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import bpref.functional as F
from bpref.gradcheck import numerical_gradient
from experiments import two_layers as experiment

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = ("model", "one-layer", "two-layers")
SEEDS = (0, 1, 2)


# --- the oracles ---------------------------------------------------------------------------

TORCH: dict[str, Callable[..., torch.Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "identity": lambda a: a,
}


def slope(name: str, a: np.ndarray) -> np.ndarray:
    """σ′(a), written out here: the tests must not borrow it from the package."""
    if name == "sigmoid":
        s = 1.0 / (1.0 + np.exp(-a))
        return s * (1.0 - s)
    return 1.0 - np.tanh(a) ** 2 if name == "tanh" else np.ones_like(a)


def sigma(name: str, a: np.ndarray) -> np.ndarray:
    if name == "sigmoid":
        return 1.0 / (1.0 + np.exp(-a))
    return np.tanh(a) if name == "tanh" else a


class Net:
    """A network with one or two layers: its values, and the gradients of J from three oracles."""

    order: tuple[str, ...]
    parameters: tuple[str, ...]

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.rng = rng
        self.d, self.n, self.m, self.N = (int(s) for s in rng.permutation([2, 3, 4, 5]))
        self.given = self.draw(rng)
        self.values = self.run_numpy({})
        self.J = float(self.values.pop("J"))
        self.bpref = self.run_bpref()
        self.torch = self.run_torch()

    def draw(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        raise NotImplementedError

    def run_numpy(self, override: dict[str, np.ndarray]) -> dict[str, Any]:
        raise NotImplementedError

    def run_bpref(self) -> dict[str, np.ndarray]:
        raise NotImplementedError

    def run_torch(self) -> dict[str, np.ndarray]:
        raise NotImplementedError

    def __getattr__(self, name: str) -> np.ndarray:
        """net.W_1, net.A_2, … are values; net.d_W_1, net.d_A_2, … the gradients by PyTorch."""
        values = self.__dict__.get("values", {})
        if name in values:
            return values[name]
        if name.startswith("d_") and name[2:] in self.torch:
            return self.torch[name[2:]]
        raise AttributeError(name)

    def is_gradient(self, name: str, value: np.ndarray) -> None:
        """The value is ∂J/∂name according to all three oracles."""
        assert value.shape == self.values[name].shape
        np.testing.assert_allclose(value, self.torch[name], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(value, self.bpref[name], rtol=1e-9, atol=1e-12)
        numeric = numerical_gradient(lambda v: self.run_numpy({name: v})["J"], self.values[name])
        np.testing.assert_allclose(value, numeric, rtol=1e-5, atol=1e-8)

    def is_value(self, name: str, value: np.ndarray) -> None:
        """The value is what PyTorch and bpref compute in the forward pass."""
        np.testing.assert_allclose(value, self.torch_values[name], rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(value, self.bpref_values[name], rtol=1e-12, atol=1e-14)

    def is_loss(self, value: float) -> None:
        assert value == pytest.approx(float(self.torch_values["J"]), rel=1e-12)
        assert value == pytest.approx(float(self.bpref_values["J"]), rel=1e-12)

    def _torch_grads(self, tensors: dict[str, torch.Tensor], J: torch.Tensor) -> dict:
        for tensor in tensors.values():
            if not tensor.is_leaf:
                tensor.retain_grad()
        J.backward()
        self.torch_values = {k: t.detach().numpy() for k, t in tensors.items()}
        self.torch_values["J"] = J.detach().numpy()
        return {k: t.grad.numpy() for k, t in tensors.items() if t.grad is not None}


class OneLayer(Net):
    def draw(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        self.inner = "sigmoid"
        self.Y = rng.uniform(size=(self.N, self.m))
        return {
            "X": rng.normal(size=(self.N, self.d)),
            "W": rng.normal(size=(self.m, self.d)),
            "b": rng.normal(size=self.m),
        }

    def run_numpy(self, override: dict[str, np.ndarray]) -> dict[str, Any]:
        v = {**self.given, **override}
        v.setdefault("A", np.einsum("ik,jk->ij", v["X"], v["W"]) + v["b"])
        v.setdefault("Y_hat", sigma(self.inner, v["A"]))
        v["J"] = np.sum((v["Y_hat"] - self.Y) ** 2) / (2 * self.N)
        return v

    def run_bpref(self) -> dict[str, np.ndarray]:
        A, c_1 = F.linear(self.X, self.W, self.b)
        Y_hat, c_2 = F.sigmoid(A)
        J, c_3 = F.half_mse_loss(Y_hat, self.Y)
        self.bpref_values = {"A": A, "Y_hat": Y_hat, "J": J}
        d_Y_hat = F.half_mse_loss_backward(1.0, c_3)
        d_A = F.sigmoid_backward(d_Y_hat, c_2)
        d_X, d_W, d_b = F.linear_backward(d_A, c_1)
        return {"Y_hat": d_Y_hat, "A": d_A, "X": d_X, "W": d_W, "b": d_b}

    def run_torch(self) -> dict[str, np.ndarray]:
        t = {k: torch.tensor(self.given[k], requires_grad=True) for k in ("X", "W", "b")}
        t["A"] = torch.nn.functional.linear(t["X"], t["W"], t["b"])
        t["Y_hat"] = torch.sigmoid(t["A"])
        return self._torch_grads(t, ((t["Y_hat"] - torch.tensor(self.Y)) ** 2).sum() / (2 * self.N))


class TwoLayers(Net):
    def draw(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        self.inner = str(rng.choice(["sigmoid", "tanh"]))
        self.outer = str(rng.choice(["identity", "sigmoid"]))
        self.Y = rng.normal(size=(self.N, self.m))
        return {
            "X": rng.normal(size=(self.N, self.d)),
            "W_1": rng.normal(size=(self.n, self.d)),
            "b_1": rng.normal(size=self.n),
            "W_2": rng.normal(size=(self.m, self.n)),
            "b_2": rng.normal(size=self.m),
        }

    def run_numpy(self, override: dict[str, np.ndarray]) -> dict[str, Any]:
        v = {**self.given, **override}
        v.setdefault("A_1", np.einsum("ik,jk->ij", v["X"], v["W_1"]) + v["b_1"])
        v.setdefault("H_1", sigma(self.inner, v["A_1"]))
        v.setdefault("A_2", np.einsum("ij,rj->ir", v["H_1"], v["W_2"]) + v["b_2"])
        v.setdefault("Y_hat", sigma(self.outer, v["A_2"]))
        v["J"] = np.sum((v["Y_hat"] - self.Y) ** 2) / (2 * self.N)
        return v

    def run_bpref(self) -> dict[str, np.ndarray]:
        A_1, c_1 = F.linear(self.X, self.W_1, self.b_1)
        H_1, c_h = getattr(F, self.inner)(A_1)
        A_2, c_2 = F.linear(H_1, self.W_2, self.b_2)
        Y_hat, c_y = getattr(F, self.outer)(A_2)
        J, c_J = F.half_mse_loss(Y_hat, self.Y)
        self.bpref_values = {"A_1": A_1, "H_1": H_1, "A_2": A_2, "Y_hat": Y_hat, "J": J}
        d_Y_hat = F.half_mse_loss_backward(1.0, c_J)
        d_A_2 = getattr(F, f"{self.outer}_backward")(d_Y_hat, c_y)
        d_H_1, d_W_2, d_b_2 = F.linear_backward(d_A_2, c_2)
        d_A_1 = getattr(F, f"{self.inner}_backward")(d_H_1, c_h)
        d_X, d_W_1, d_b_1 = F.linear_backward(d_A_1, c_1)
        return {
            "X": d_X, "W_1": d_W_1, "b_1": d_b_1, "A_1": d_A_1, "H_1": d_H_1,
            "W_2": d_W_2, "b_2": d_b_2, "A_2": d_A_2, "Y_hat": d_Y_hat,
        }  # fmt: skip

    def run_torch(self) -> dict[str, np.ndarray]:
        t = {k: torch.tensor(v, requires_grad=True) for k, v in self.given.items()}
        t["A_1"] = torch.nn.functional.linear(t["X"], t["W_1"], t["b_1"])
        t["H_1"] = TORCH[self.inner](t["A_1"])
        t["A_2"] = torch.nn.functional.linear(t["H_1"], t["W_2"], t["b_2"])
        t["Y_hat"] = TORCH[self.outer](t["A_2"]) * 1.0  # a node of its own, also for identity
        return self._torch_grads(t, ((t["Y_hat"] - torch.tensor(self.Y)) ** 2).sum() / (2 * self.N))


# --- the register of formulas ------------------------------------------------------------------


@dataclass(frozen=True)
class Formula:
    page: str
    name: str
    latex: str
    check: Callable[[int], None]


FORMULAS: list[Formula] = []


def formula(page: str, latex: str) -> Callable[[Callable[[int], None]], Callable[[int], None]]:
    """Register a check; its argument is a seed and its name identifies the formula."""

    def register(check: Callable[[int], None]) -> Callable[[int], None]:
        FORMULAS.append(Formula(page, check.__name__, latex, check))
        return check

    return register


def on_net(kind: type[Net]) -> Callable[[Callable[[Any], None]], Callable[[int], None]]:
    """Let the check take a random network instead of a seed."""

    def wrap(check: Callable[[Any], None]) -> Callable[[int], None]:
        def run(seed: int) -> None:
            check(kind(seed))

        run.__name__ = check.__name__
        return run

    return wrap


def rows(N: int, f: Callable[[int], np.ndarray]) -> np.ndarray:
    """Per-sample formulas: one row per sample."""
    return np.stack([f(i) for i in range(N)])


def elements(shape: tuple[int, ...], f: Callable[..., float]) -> np.ndarray:
    """Index formulas: one number per element."""
    return np.array([f(*index) for index in np.ndindex(*shape)]).reshape(shape)


# --- model -------------------------------------------------------------------------------------


def points(seed: int) -> np.ndarray:
    """Pre-activations of both signs, away from the kink at 0."""
    rng = np.random.default_rng(seed)
    return rng.choice([-1.0, 1.0], size=40) * rng.uniform(0.05, 4.0, size=40)


def is_function(name: str, a: np.ndarray, value: np.ndarray, **options: float) -> None:
    reference = getattr(torch.nn.functional, name, None) or getattr(torch, name)
    np.testing.assert_allclose(value, getattr(F, name)(a, **options)[0], rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(
        value, reference(torch.tensor(a), **options).numpy(), rtol=1e-12, atol=1e-15
    )


def is_slope(name: str, a: np.ndarray, value: np.ndarray, **options: float) -> None:
    op, backward = getattr(F, name), getattr(F, f"{name}_backward")
    _, kept = op(a, **options)
    np.testing.assert_allclose(value, backward(np.ones_like(a), kept), rtol=1e-12, atol=1e-15)
    numeric = numerical_gradient(lambda v: op(v, **options)[0].sum(), a)
    np.testing.assert_allclose(value, numeric, rtol=1e-6, atol=1e-8)
    t = torch.tensor(a, requires_grad=True)
    reference = getattr(torch.nn.functional, name, None) or getattr(torch, name)
    reference(t, **options).sum().backward()
    np.testing.assert_allclose(value, t.grad.numpy(), rtol=1e-12, atol=1e-15)


@formula("model", r"a_l^{(i)} = W_l h_{l-1}^{(i)} + b_l")
@on_net(TwoLayers)
def layer_affine(net: TwoLayers) -> None:
    net.is_value("A_1", rows(net.N, lambda i: net.W_1 @ net.X[i] + net.b_1))
    net.is_value("A_2", rows(net.N, lambda i: net.W_2 @ net.H_1[i] + net.b_2))


@formula("model", r"h_l^{(i)} = \sigma(a_l^{(i)})")
@on_net(TwoLayers)
def layer_activation(net: TwoLayers) -> None:
    net.is_value("H_1", rows(net.N, lambda i: sigma(net.inner, net.A_1[i])))


@formula("model", r"W_2 (W_1 x + b_1) + b_2 = (W_2 W_1) x + (W_2 b_1 + b_2)")
@on_net(TwoLayers)
def two_affine_layers_are_one(net: TwoLayers) -> None:
    W_1, b_1, W_2, b_2, x = net.W_1, net.b_1, net.W_2, net.b_2, net.X[0]
    np.testing.assert_allclose(
        W_2 @ (W_1 @ x + b_1) + b_2, (W_2 @ W_1) @ x + (W_2 @ b_1 + b_2), rtol=1e-12, atol=1e-13
    )


@formula("model", r"\sigma(a) = \frac{1}{1 + e^{-a}}")
def sigmoid_value(seed: int) -> None:
    a = points(seed)
    is_function("sigmoid", a, 1 / (1 + np.exp(-a)))


@formula("model", r"\sigma'(a) = \sigma(a) (1 - \sigma(a))")
def sigmoid_slope(seed: int) -> None:
    a = points(seed)
    s = 1 / (1 + np.exp(-a))
    is_slope("sigmoid", a, s * (1 - s))


@formula("model", r"\sigma(a) = \frac{e^{a} - e^{-a}}{e^{a} + e^{-a}}")
def tanh_value(seed: int) -> None:
    a = points(seed)
    is_function("tanh", a, (np.exp(a) - np.exp(-a)) / (np.exp(a) + np.exp(-a)))


@formula("model", r"\sigma'(a) = 1 - \sigma(a)^2")
def tanh_slope(seed: int) -> None:
    a = points(seed)
    is_slope("tanh", a, 1 - np.tanh(a) ** 2)


@formula("model", r"\sigma(a) = \begin{cases} a & a > 0 \\ 0 & a \le 0 \end{cases}")
def relu_value(seed: int) -> None:
    a = np.append(points(seed), 0.0)
    is_function("relu", a, np.array([v if v > 0 else 0.0 for v in a]))


@formula("model", r"\sigma'(a) = \begin{cases} 1 & a > 0 \\ 0 & a \le 0 \end{cases}")
def relu_slope(seed: int) -> None:
    a = points(seed)
    is_slope("relu", a, np.array([1.0 if v > 0 else 0.0 for v in a]))
    zero = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    torch.relu(zero).sum().backward()
    assert float(zero.grad) == 0.0 == F.relu_backward(np.ones(1), F.relu(np.zeros(1))[1])[0]


@formula("model", r"\sigma(a) = \begin{cases} a & a > 0 \\ c a & a \le 0 \end{cases}")
def leaky_relu_value(seed: int) -> None:
    a, c = np.append(points(seed), 0.0), 0.03
    is_function("leaky_relu", a, np.array([v if v > 0 else c * v for v in a]), negative_slope=c)


@formula("model", r"\sigma'(a) = \begin{cases} 1 & a > 0 \\ c & a \le 0 \end{cases}")
def leaky_relu_slope(seed: int) -> None:
    a, c = points(seed), 0.03
    is_slope("leaky_relu", a, np.array([1.0 if v > 0 else c for v in a]), negative_slope=c)
    zero = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    torch.nn.functional.leaky_relu(zero, c).sum().backward()
    assert float(zero.grad) == pytest.approx(c)


def labelled(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(4, 8)), int(rng.integers(2, 4)))
    return rng.normal(size=shape), rng.normal(size=shape)


def is_loss(name: str, z: np.ndarray, y: np.ndarray, value: float, reference: Any) -> None:
    assert value == pytest.approx(float(getattr(F, name)(z, y)[0]), rel=1e-12)
    assert value == pytest.approx(float(reference(torch.tensor(z), torch.tensor(y))), rel=1e-12)


def is_loss_gradient(
    name: str, z: np.ndarray, y: np.ndarray, value: np.ndarray, reference: Any
) -> None:
    op, backward = getattr(F, name), getattr(F, f"{name}_backward")
    np.testing.assert_allclose(value, backward(1.0, op(z, y)[1]), rtol=1e-12, atol=1e-15)
    numeric = numerical_gradient(lambda v: op(v, y)[0], z)
    np.testing.assert_allclose(value, numeric, rtol=1e-6, atol=1e-9)
    t = torch.tensor(z, requires_grad=True)
    reference(t, torch.tensor(y)).backward()
    np.testing.assert_allclose(value, t.grad.numpy(), rtol=1e-12, atol=1e-15)


def torch_half_mse(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.mse_loss(z, y, reduction="sum") / (2 * len(z))


TF = torch.nn.functional


@formula("model", r"J = \frac{1}{2N} \sum_{i=1}^{N} \lVert \hat y^{(i)} - y^{(i)} \rVert^2")
def half_mse(seed: int) -> None:
    y_hat, y = labelled(seed)
    N = len(y)
    J = 1 / (2 * N) * sum(np.linalg.norm(y_hat[i] - y[i]) ** 2 for i in range(N))
    is_loss("half_mse_loss", y_hat, y, J, torch_half_mse)


@formula(
    "model",
    r"\frac{\partial J}{\partial \hat y^{(i)}} = \frac{1}{N} (\hat y^{(i)} - y^{(i)})",
)
def half_mse_gradient(seed: int) -> None:
    y_hat, y = labelled(seed)
    value = rows(len(y), lambda i: 1 / len(y) * (y_hat[i] - y[i]))
    is_loss_gradient("half_mse_loss", y_hat, y, value, torch_half_mse)


@formula("model", r"J = \frac{1}{N m} \sum_{i=1}^{N} \lVert \hat y^{(i)} - y^{(i)} \rVert^2")
def mse(seed: int) -> None:
    y_hat, y = labelled(seed)
    N, m = y.shape
    J = 1 / (N * m) * sum(np.linalg.norm(y_hat[i] - y[i]) ** 2 for i in range(N))
    is_loss("mse_loss", y_hat, y, J, TF.mse_loss)


@formula(
    "model",
    r"\frac{\partial J}{\partial \hat y^{(i)}} = \frac{2}{N m} (\hat y^{(i)} - y^{(i)})",
)
def mse_gradient(seed: int) -> None:
    y_hat, y = labelled(seed)
    N, m = y.shape
    value = rows(N, lambda i: 2 / (N * m) * (y_hat[i] - y[i]))
    is_loss_gradient("mse_loss", y_hat, y, value, TF.mse_loss)


def binary(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return 3.0 * rng.normal(size=9), rng.integers(0, 2, size=9).astype(float)


@formula("model", r"J = \frac{1}{N} \sum_{i=1}^{N} (\log(1 + e^{a^{(i)}}) - y^{(i)} a^{(i)})")
def bce(seed: int) -> None:
    a, y = binary(seed)
    J = 1 / len(a) * sum(np.log(1 + np.exp(a[i])) - y[i] * a[i] for i in range(len(a)))
    is_loss("binary_cross_entropy_with_logits", a, y, J, TF.binary_cross_entropy_with_logits)


@formula("model", r"\frac{\partial J}{\partial a^{(i)}} = \frac{1}{N} (\sigma(a^{(i)}) - y^{(i)})")
def bce_gradient(seed: int) -> None:
    a, y = binary(seed)
    value = elements(a.shape, lambda i: 1 / len(a) * (1 / (1 + np.exp(-a[i])) - y[i]))
    name = "binary_cross_entropy_with_logits"
    is_loss_gradient(name, a, y, value, TF.binary_cross_entropy_with_logits)


def classes(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    a, k = 2.0 * rng.normal(size=(7, 4)), rng.integers(0, 4, size=7)
    return a, k, np.eye(4)[k]


def probabilities(a: np.ndarray) -> np.ndarray:
    m = a.shape[1]
    return elements(a.shape, lambda i, k: np.exp(a[i, k]) / sum(np.exp(a[i, j]) for j in range(m)))


@formula("model", r"p_k^{(i)} = \frac{e^{a_k^{(i)}}}{\sum_{j=1}^{m} e^{a_j^{(i)}}}")
def softmax(seed: int) -> None:
    a, _, _ = classes(seed)
    np.testing.assert_allclose(probabilities(a), torch.softmax(torch.tensor(a), 1), rtol=1e-12)


@formula("model", r"J = -\frac{1}{N} \sum_{i=1}^{N} \sum_{k=1}^{m} y_k^{(i)} \log p_k^{(i)}")
def cross_entropy(seed: int) -> None:
    a, labels, y = classes(seed)
    p, (N, m) = probabilities(a), a.shape
    J = -1 / N * sum(y[i, k] * np.log(p[i, k]) for i in range(N) for k in range(m))
    is_loss("cross_entropy", a, labels, J, TF.cross_entropy)


@formula("model", r"\frac{\partial J}{\partial a^{(i)}} = \frac{1}{N} (p^{(i)} - y^{(i)})")
def cross_entropy_gradient(seed: int) -> None:
    a, labels, y = classes(seed)
    p = probabilities(a)
    value = rows(len(a), lambda i: 1 / len(a) * (p[i] - y[i]))
    is_loss_gradient("cross_entropy", a, labels, value, TF.cross_entropy)


@formula("model", r"\log(1 + e^{a}) = \max(a, 0) + \log(1 + e^{-\lvert a \rvert})")
def stable_bce(seed: int) -> None:
    a = points(seed)
    right = np.maximum(a, 0) + np.log(1 + np.exp(-np.abs(a)))
    np.testing.assert_allclose(np.log(1 + np.exp(a)), right, rtol=1e-12)
    np.testing.assert_allclose(TF.softplus(torch.tensor(a)).numpy(), right, rtol=1e-12)


@formula(
    "model",
    r"\frac{e^{a_k}}{\sum_{j=1}^{m} e^{a_j}} = \frac{e^{a_k - c}}{\sum_{j=1}^{m} e^{a_j - c}}",
)
def stable_softmax(seed: int) -> None:
    a = points(seed)
    for c in (a.max(), 1.7):
        left = np.exp(a) / np.exp(a).sum()
        np.testing.assert_allclose(left, np.exp(a - c) / np.exp(a - c).sum(), rtol=1e-12)


# --- one layer ----------------------------------------------------------------------------------


@formula("one-layer", r"a_j^{(i)} = \sum_{k=1}^{d} W_{jk} x_k^{(i)} + b_j")
@on_net(OneLayer)
def index_affine(net: OneLayer) -> None:
    def a(i: int, j: int) -> float:
        return sum(net.W[j, k] * net.X[i, k] for k in range(net.d)) + net.b[j]

    net.is_value("A", elements((net.N, net.m), a))


@formula("one-layer", r"\hat y_j^{(i)} = \sigma(a_j^{(i)})")
@on_net(OneLayer)
def index_output(net: OneLayer) -> None:
    net.is_value("Y_hat", elements(net.A.shape, lambda i, j: 1 / (1 + np.exp(-net.A[i, j]))))


@formula(
    "one-layer",
    r"J = \frac{1}{2N} \sum_{i=1}^{N} \sum_{j=1}^{m} (\hat y_j^{(i)} - y_j^{(i)})^2",
)
@on_net(OneLayer)
def index_loss(net: OneLayer) -> None:
    total = sum((net.Y_hat[i, j] - net.Y[i, j]) ** 2 for i in range(net.N) for j in range(net.m))
    net.is_loss(1 / (2 * net.N) * total)


@formula(
    "one-layer",
    r"\frac{\partial J}{\partial a_j^{(i)}} = \frac{1}{N} (\hat y_j^{(i)} - y_j^{(i)}) "
    r"\sigma'(a_j^{(i)})",
)
@on_net(OneLayer)
def index_delta(net: OneLayer) -> None:
    s = slope("sigmoid", net.A)
    net.is_gradient(
        "A",
        elements(net.A.shape, lambda i, j: 1 / net.N * (net.Y_hat[i, j] - net.Y[i, j]) * s[i, j]),
    )


@formula(
    "one-layer",
    r"\frac{\partial J}{\partial W_{jk}} = \sum_{i=1}^{N} \delta_j^{(i)} x_k^{(i)}",
)
@on_net(OneLayer)
def index_weight(net: OneLayer) -> None:
    delta = net.d_A
    net.is_gradient(
        "W",
        elements(net.W.shape, lambda j, k: sum(delta[i, j] * net.X[i, k] for i in range(net.N))),
    )


@formula("one-layer", r"\frac{\partial J}{\partial b_j} = \sum_{i=1}^{N} \delta_j^{(i)}")
@on_net(OneLayer)
def index_bias(net: OneLayer) -> None:
    net.is_gradient("b", elements(net.b.shape, lambda j: sum(net.d_A[i, j] for i in range(net.N))))


@formula(
    "one-layer",
    r"\frac{\partial J}{\partial x_k^{(i)}} = \sum_{j=1}^{m} W_{jk} \delta_j^{(i)}",
)
@on_net(OneLayer)
def index_input(net: OneLayer) -> None:
    net.is_gradient(
        "X",
        elements(net.X.shape, lambda i, k: sum(net.W[j, k] * net.d_A[i, j] for j in range(net.m))),
    )


@formula("one-layer", r"a^{(i)} = W x^{(i)} + b")
@on_net(OneLayer)
def sample_affine(net: OneLayer) -> None:
    net.is_value("A", rows(net.N, lambda i: net.W @ net.X[i] + net.b))


@formula("one-layer", r"\hat y^{(i)} = \sigma(a^{(i)})")
@on_net(OneLayer)
def sample_output(net: OneLayer) -> None:
    net.is_value("Y_hat", rows(net.N, lambda i: sigma("sigmoid", net.A[i])))


@formula("one-layer", r"J = \frac{1}{2N} \sum_{i=1}^{N} \lVert \hat y^{(i)} - y^{(i)} \rVert^2")
@on_net(OneLayer)
def sample_loss(net: OneLayer) -> None:
    norms = (np.linalg.norm(net.Y_hat[i] - net.Y[i]) ** 2 for i in range(net.N))
    net.is_loss(1 / (2 * net.N) * sum(norms))


@formula(
    "one-layer",
    r"\delta^{(i)} = \frac{1}{N} (\hat y^{(i)} - y^{(i)}) \odot \sigma'(a^{(i)})",
)
@on_net(OneLayer)
def sample_delta(net: OneLayer) -> None:
    net.is_gradient(
        "A",
        rows(net.N, lambda i: 1 / net.N * (net.Y_hat[i] - net.Y[i]) * slope("sigmoid", net.A[i])),
    )


@formula(
    "one-layer",
    r"\frac{\partial J}{\partial W} = \sum_{i=1}^{N} \delta^{(i)} {x^{(i)}}^\top",
)
@on_net(OneLayer)
def sample_weight(net: OneLayer) -> None:
    net.is_gradient("W", sum(net.d_A[i][:, None] @ net.X[i][None, :] for i in range(net.N)))


@formula("one-layer", r"\frac{\partial J}{\partial b} = \sum_{i=1}^{N} \delta^{(i)}")
@on_net(OneLayer)
def sample_bias(net: OneLayer) -> None:
    net.is_gradient("b", sum(net.d_A[i] for i in range(net.N)))


@formula("one-layer", r"\frac{\partial J}{\partial x^{(i)}} = W^\top \delta^{(i)}")
@on_net(OneLayer)
def sample_input(net: OneLayer) -> None:
    net.is_gradient("X", rows(net.N, lambda i: net.W.T @ net.d_A[i]))


@formula("one-layer", r"A = X W^\top + \mathbf{1} b^\top")
@on_net(OneLayer)
def batch_affine(net: OneLayer) -> None:
    net.is_value("A", net.X @ net.W.T + np.ones((net.N, 1)) @ net.b[None, :])


@formula("one-layer", r"\hat Y = \sigma(A)")
@on_net(OneLayer)
def batch_output(net: OneLayer) -> None:
    net.is_value("Y_hat", sigma("sigmoid", net.A))


@formula("one-layer", r"\Delta = \frac{1}{N} (\hat Y - Y) \odot \sigma'(A)")
@on_net(OneLayer)
def batch_delta(net: OneLayer) -> None:
    net.is_gradient("A", 1 / net.N * (net.Y_hat - net.Y) * slope("sigmoid", net.A))


@formula("one-layer", r"\frac{\partial J}{\partial W} = \Delta^\top X")
@on_net(OneLayer)
def batch_weight(net: OneLayer) -> None:
    net.is_gradient("W", net.d_A.T @ net.X)


@formula("one-layer", r"\frac{\partial J}{\partial b} = \Delta^\top \mathbf{1}")
@on_net(OneLayer)
def batch_bias(net: OneLayer) -> None:
    net.is_gradient("b", net.d_A.T @ np.ones(net.N))


@formula("one-layer", r"\frac{\partial J}{\partial X} = \Delta W")
@on_net(OneLayer)
def batch_input(net: OneLayer) -> None:
    net.is_gradient("X", net.d_A @ net.W)


@formula(
    "one-layer",
    r"\frac{\partial J}{\partial W} = \frac{1}{N}\sum_{i=1}^N(\hat{y_i} - y_i)\sigma'(z_i)"
    r"\frac{\partial z_i}{\partial W}",
)
def article_one_layer_is_transposed(seed: int) -> None:
    """With dz/dW = x' as printed, and W of shape (d, 1), the result is the gradient transposed."""
    rng = np.random.default_rng(seed)
    N, d = 6, 3
    X, y, W, b = rng.normal(size=(N, d)), rng.uniform(size=N), rng.normal(size=(d, 1)), 0.3

    def J(W: np.ndarray) -> float:
        return float(np.sum((sigma("sigmoid", (X @ W)[:, 0] + b) - y) ** 2) / (2 * N))

    z = (X @ W)[:, 0] + b
    factor = (sigma("sigmoid", z) - y) * slope("sigmoid", z)
    printed = 1 / N * sum(factor[i] * X[i][None, :] for i in range(N))
    true = numerical_gradient(J, W)
    assert printed.shape == (1, d) != W.shape
    np.testing.assert_allclose(printed.T, true, rtol=1e-6, atol=1e-9)


# --- two layers ---------------------------------------------------------------------------------


@formula(
    "two-layers",
    r"W_1 = \begin{bmatrix} 0.4 & -0.2 \\ -0.3 & 0.8 \\ 0.6 & 0.1 \end{bmatrix}, \quad "
    r"b_1 = \begin{bmatrix} 0.1 \\ 0.2 \\ -0.1 \end{bmatrix}, \quad "
    r"W_2 = \begin{bmatrix} 0.7 & -0.5 & 0.9 \end{bmatrix}, \quad b_2 = 0.3",
)
def worked_parameters(seed: int) -> None:
    """The numbers on the page are those of the experiment that fills its tables."""
    latex = FORMULAS_BY_NAME["worked_parameters"].latex
    numbers = [float(x) for x in re.findall(r"-?\d+\.\d+", latex)]
    net = experiment.WORKED
    expected = [float(v) for name in ("W_1", "b_1", "W_2", "b_2") for v in net[name].ravel()]
    assert numbers == expected


@formula(
    "two-layers",
    r"\delta_{2,r}^{(i)} = \frac{1}{N} (\hat y_r^{(i)} - y_r^{(i)}) \varphi'(a_{2,r}^{(i)})",
)
@on_net(TwoLayers)
def index_delta_2(net: TwoLayers) -> None:
    s = slope(net.outer, net.A_2)
    net.is_gradient(
        "A_2",
        elements(net.A_2.shape, lambda i, r: 1 / net.N * (net.Y_hat[i, r] - net.Y[i, r]) * s[i, r]),
    )


@formula(
    "two-layers",
    r"\frac{\partial J}{\partial W_{2,rj}} = \sum_{i=1}^{N} \delta_{2,r}^{(i)} h_{1,j}^{(i)}",
)
@on_net(TwoLayers)
def index_weight_2(net: TwoLayers) -> None:
    def element(r: int, j: int) -> float:
        return sum(net.d_A_2[i, r] * net.H_1[i, j] for i in range(net.N))

    net.is_gradient("W_2", elements(net.W_2.shape, element))


@formula("two-layers", r"\frac{\partial J}{\partial b_{2,r}} = \sum_{i=1}^{N} \delta_{2,r}^{(i)}")
@on_net(TwoLayers)
def index_bias_2(net: TwoLayers) -> None:
    net.is_gradient(
        "b_2", elements(net.b_2.shape, lambda r: sum(net.d_A_2[i, r] for i in range(net.N)))
    )


@formula(
    "two-layers",
    r"\frac{\partial J}{\partial h_{1,j}^{(i)}} = \sum_{r=1}^{m} W_{2,rj} \delta_{2,r}^{(i)}",
)
@on_net(TwoLayers)
def index_hidden(net: TwoLayers) -> None:
    def element(i: int, j: int) -> float:
        return sum(net.W_2[r, j] * net.d_A_2[i, r] for r in range(net.m))

    net.is_gradient("H_1", elements(net.H_1.shape, element))


@formula(
    "two-layers",
    r"\delta_{1,j}^{(i)} = \sigma'(a_{1,j}^{(i)}) \sum_{r=1}^{m} W_{2,rj} \delta_{2,r}^{(i)}",
)
@on_net(TwoLayers)
def index_delta_1(net: TwoLayers) -> None:
    s = slope(net.inner, net.A_1)

    def element(i: int, j: int) -> float:
        return s[i, j] * sum(net.W_2[r, j] * net.d_A_2[i, r] for r in range(net.m))

    net.is_gradient("A_1", elements(net.A_1.shape, element))


@formula(
    "two-layers",
    r"\frac{\partial J}{\partial W_{1,jk}} = \sum_{i=1}^{N} \delta_{1,j}^{(i)} x_k^{(i)}",
)
@on_net(TwoLayers)
def index_weight_1(net: TwoLayers) -> None:
    def element(j: int, k: int) -> float:
        return sum(net.d_A_1[i, j] * net.X[i, k] for i in range(net.N))

    net.is_gradient("W_1", elements(net.W_1.shape, element))


@formula("two-layers", r"\frac{\partial J}{\partial b_{1,j}} = \sum_{i=1}^{N} \delta_{1,j}^{(i)}")
@on_net(TwoLayers)
def index_bias_1(net: TwoLayers) -> None:
    net.is_gradient(
        "b_1", elements(net.b_1.shape, lambda j: sum(net.d_A_1[i, j] for i in range(net.N)))
    )


@formula("two-layers", r"a_1^{(i)} = W_1 x^{(i)} + b_1")
@on_net(TwoLayers)
def sample_affine_1(net: TwoLayers) -> None:
    net.is_value("A_1", rows(net.N, lambda i: net.W_1 @ net.X[i] + net.b_1))


@formula("two-layers", r"h_1^{(i)} = \sigma(a_1^{(i)})")
@on_net(TwoLayers)
def sample_hidden(net: TwoLayers) -> None:
    net.is_value("H_1", rows(net.N, lambda i: sigma(net.inner, net.A_1[i])))


@formula("two-layers", r"a_2^{(i)} = W_2 h_1^{(i)} + b_2")
@on_net(TwoLayers)
def sample_affine_2(net: TwoLayers) -> None:
    net.is_value("A_2", rows(net.N, lambda i: net.W_2 @ net.H_1[i] + net.b_2))


@formula("two-layers", r"\hat y^{(i)} = \varphi(a_2^{(i)})")
@on_net(TwoLayers)
def sample_output_2(net: TwoLayers) -> None:
    net.is_value("Y_hat", rows(net.N, lambda i: sigma(net.outer, net.A_2[i])))


@formula("two-layers", r"J = \frac{1}{2N} \sum_{i=1}^{N} \lVert \hat y^{(i)} - y^{(i)} \rVert^2")
@on_net(TwoLayers)
def sample_loss_2(net: TwoLayers) -> None:
    norms = (np.linalg.norm(net.Y_hat[i] - net.Y[i]) ** 2 for i in range(net.N))
    net.is_loss(1 / (2 * net.N) * sum(norms))


@formula(
    "two-layers",
    r"\delta_2^{(i)} = \frac{1}{N} (\hat y^{(i)} - y^{(i)}) \odot \varphi'(a_2^{(i)})",
)
@on_net(TwoLayers)
def sample_delta_2(net: TwoLayers) -> None:
    net.is_gradient(
        "A_2",
        rows(net.N, lambda i: 1 / net.N * (net.Y_hat[i] - net.Y[i]) * slope(net.outer, net.A_2[i])),
    )


@formula(
    "two-layers",
    r"\frac{\partial J}{\partial W_2} = \sum_{i=1}^{N} \delta_2^{(i)} {h_1^{(i)}}^\top",
)
@on_net(TwoLayers)
def sample_weight_2(net: TwoLayers) -> None:
    net.is_gradient("W_2", sum(net.d_A_2[i][:, None] @ net.H_1[i][None, :] for i in range(net.N)))


@formula("two-layers", r"\frac{\partial J}{\partial b_2} = \sum_{i=1}^{N} \delta_2^{(i)}")
@on_net(TwoLayers)
def sample_bias_2(net: TwoLayers) -> None:
    net.is_gradient("b_2", sum(net.d_A_2[i] for i in range(net.N)))


@formula("two-layers", r"\delta_1^{(i)} = (W_2^\top \delta_2^{(i)}) \odot \sigma'(a_1^{(i)})")
@on_net(TwoLayers)
def sample_delta_1(net: TwoLayers) -> None:
    net.is_gradient(
        "A_1",
        rows(net.N, lambda i: (net.W_2.T @ net.d_A_2[i]) * slope(net.inner, net.A_1[i])),
    )


@formula(
    "two-layers",
    r"\frac{\partial J}{\partial W_1} = \sum_{i=1}^{N} \delta_1^{(i)} {x^{(i)}}^\top",
)
@on_net(TwoLayers)
def sample_weight_1(net: TwoLayers) -> None:
    net.is_gradient("W_1", sum(net.d_A_1[i][:, None] @ net.X[i][None, :] for i in range(net.N)))


@formula("two-layers", r"\frac{\partial J}{\partial b_1} = \sum_{i=1}^{N} \delta_1^{(i)}")
@on_net(TwoLayers)
def sample_bias_1(net: TwoLayers) -> None:
    net.is_gradient("b_1", sum(net.d_A_1[i] for i in range(net.N)))


@formula(
    "two-layers",
    r"\delta_l^{(i)} = (W_{l+1}^\top \delta_{l+1}^{(i)}) \odot \sigma'(a_l^{(i)})",
)
def recursion(seed: int) -> None:
    """Four layers of tanh with a linear output."""
    rng = np.random.default_rng(seed)
    sizes, N = [3, 5, 2, 4, 3], 6
    L = len(sizes) - 1
    W = {k: rng.normal(size=(sizes[k], sizes[k - 1])) for k in range(1, L + 1)}
    b = {k: rng.normal(size=sizes[k]) for k in range(1, L + 1)}
    X, Y = rng.normal(size=(N, sizes[0])), rng.normal(size=(N, sizes[-1]))

    t: dict[int, torch.Tensor] = {}
    h = torch.tensor(X)
    for k in range(1, L + 1):
        t[k] = h @ torch.tensor(W[k], requires_grad=True).T + torch.tensor(b[k])
        t[k].retain_grad()
        h = torch.tanh(t[k]) if k < L else t[k]
    torch_half_mse(h, torch.tensor(Y)).backward()
    a = {k: t[k].detach().numpy() for k in t}
    delta = {k: t[k].grad.numpy() for k in t}

    def J_from(layer: int, a_l: np.ndarray) -> float:
        for k in range(layer + 1, L + 1):
            a_l = np.tanh(a_l) @ W[k].T + b[k]
        return float(np.sum((a_l - Y) ** 2) / (2 * N))

    for k in range(L - 1, 0, -1):
        above, W_above, here = delta[k + 1], W[k + 1], a[k]
        value = np.stack([(W_above.T @ above[i]) * slope("tanh", here[i]) for i in range(N)])
        np.testing.assert_allclose(value, delta[k], rtol=1e-9, atol=1e-12)
        numeric = numerical_gradient(lambda v, k=k: J_from(k, v), here)
        np.testing.assert_allclose(value, numeric, rtol=1e-5, atol=1e-8)
        back = F.tanh_backward(above @ W_above, F.tanh(here)[1])
        np.testing.assert_allclose(value, back, rtol=1e-9, atol=1e-12)


@formula("two-layers", r"A_1 = X W_1^\top + \mathbf{1} b_1^\top")
@on_net(TwoLayers)
def batch_affine_1(net: TwoLayers) -> None:
    net.is_value("A_1", net.X @ net.W_1.T + np.ones((net.N, 1)) @ net.b_1[None, :])


@formula("two-layers", r"H_1 = \sigma(A_1)")
@on_net(TwoLayers)
def batch_hidden(net: TwoLayers) -> None:
    net.is_value("H_1", sigma(net.inner, net.A_1))


@formula("two-layers", r"A_2 = H_1 W_2^\top + \mathbf{1} b_2^\top")
@on_net(TwoLayers)
def batch_affine_2(net: TwoLayers) -> None:
    net.is_value("A_2", net.H_1 @ net.W_2.T + np.ones((net.N, 1)) @ net.b_2[None, :])


@formula("two-layers", r"\hat Y = \varphi(A_2)")
@on_net(TwoLayers)
def batch_output_2(net: TwoLayers) -> None:
    net.is_value("Y_hat", sigma(net.outer, net.A_2))


@formula("two-layers", r"\Delta_2 = \frac{1}{N} (\hat Y - Y) \odot \varphi'(A_2)")
@on_net(TwoLayers)
def batch_delta_2(net: TwoLayers) -> None:
    net.is_gradient("A_2", 1 / net.N * (net.Y_hat - net.Y) * slope(net.outer, net.A_2))


@formula("two-layers", r"\frac{\partial J}{\partial W_2} = \Delta_2^\top H_1")
@on_net(TwoLayers)
def batch_weight_2(net: TwoLayers) -> None:
    net.is_gradient("W_2", net.d_A_2.T @ net.H_1)


@formula("two-layers", r"\frac{\partial J}{\partial b_2} = \Delta_2^\top \mathbf{1}")
@on_net(TwoLayers)
def batch_bias_2(net: TwoLayers) -> None:
    net.is_gradient("b_2", net.d_A_2.T @ np.ones(net.N))


@formula("two-layers", r"\Delta_1 = (\Delta_2 W_2) \odot \sigma'(A_1)")
@on_net(TwoLayers)
def batch_delta_1(net: TwoLayers) -> None:
    net.is_gradient("A_1", (net.d_A_2 @ net.W_2) * slope(net.inner, net.A_1))


@formula("two-layers", r"\frac{\partial J}{\partial W_1} = \Delta_1^\top X")
@on_net(TwoLayers)
def batch_weight_1(net: TwoLayers) -> None:
    net.is_gradient("W_1", net.d_A_1.T @ net.X)


@formula("two-layers", r"\frac{\partial J}{\partial b_1} = \Delta_1^\top \mathbf{1}")
@on_net(TwoLayers)
def batch_bias_1(net: TwoLayers) -> None:
    net.is_gradient("b_1", net.d_A_1.T @ np.ones(net.N))


# The article's four: the transcription is what the experiment measures, and it is not the gradient.


def article_case(seed: int, n: int, d: int) -> tuple[dict, dict, dict]:
    """(what the article prints for one output, the experiment's version, the true gradients)."""
    rng = np.random.default_rng(seed)
    N = 5
    p = experiment.random_parameters(rng, d, n, 1)
    X, Y = rng.normal(size=(N, d)), rng.normal(size=(N, 1))
    s, ds = (lambda a: sigma("sigmoid", a)), (lambda a: slope("sigmoid", a))
    printed: dict[str, Any] = dict.fromkeys(p, 0.0)
    for i in range(N):
        x = X[i][:, None]
        h = s(p["W_1"] @ x + p["b_1"][:, None])
        z = p["W_2"] @ h + p["b_2"]
        common = 1 / N * (s(z) - Y[i]) * (ds(h) * ds(z))  # (n, 1)
        printed["W_1"] = printed["W_1"] + common @ x.T
        printed["b_1"] = printed["b_1"] + common[:, 0]
        printed["W_2"] = printed["W_2"] + common * (s(h) * s(z))
        printed["b_2"] = printed["b_2"] + common
    measured = experiment.printed_gradients(p, X, Y, experiment.SIGMOID)
    true, _ = experiment.gradients(p, X, Y, experiment.SIGMOID, experiment.SIGMOID)
    for name in p:  # the experiment's "true" is true

        def J(v: np.ndarray, name: str = name) -> float:
            q = {**p, name: v}
            values = experiment.forward(q, X, experiment.SIGMOID, experiment.SIGMOID)
            return experiment.half_mse(values["Y_hat"], Y)

        np.testing.assert_allclose(true[name], numerical_gradient(J, p[name]), rtol=1e-5, atol=1e-9)
    return printed, measured, true


def article_is_wrong(seed: int, name: str) -> None:
    printed, measured, true = article_case(seed, n=4, d=3)
    np.testing.assert_allclose(printed[name], measured[name], rtol=1e-12, atol=1e-15)
    if name in ("W_2", "b_2"):
        assert printed[name].shape != true[name].shape
    else:
        error = np.linalg.norm(printed[name] - true[name]) / np.linalg.norm(true[name])
        assert error > 0.1
    printed, _, true = article_case(seed, n=1, d=1)  # all shapes agree, and still
    assert abs(float(printed[name].ravel()[0]) / float(true[name].ravel()[0]) - 1) > 0.01


@formula(
    "two-layers",
    r"\frac{\partial J}{\partial W_1} = \frac{1}{N}\sum_{i=1}^N(\hat{y_i} - y_i)"
    r"(\sigma'(h_i)\sigma'(z_i)\frac{\partial z_i}{\partial W_1})",
)
def article_weight_1(seed: int) -> None:
    article_is_wrong(seed, "W_1")


@formula(
    "two-layers",
    r"\frac{\partial J}{\partial b_1} = \frac{1}{N}\sum_{i=1}^N(\hat{y_i} - y_i)"
    r"(\sigma'(h_i)\sigma'(z_i))",
)
def article_bias_1(seed: int) -> None:
    article_is_wrong(seed, "b_1")


@formula(
    "two-layers",
    r"\frac{\partial J}{\partial W_2} = \frac{1}{N}\sum_{i=1}^N(\hat{y_i} - y_i)"
    r"(\sigma'(h_i)\sigma'(z_i)\frac{\partial z_i}{\partial W_2})",
)
def article_weight_2(seed: int) -> None:
    article_is_wrong(seed, "W_2")


@formula(
    "two-layers",
    r"\frac{\partial J}{\partial b_2} = \frac{1}{N}\sum_{i=1}^N(\hat{y_i} - y_i)"
    r"(\sigma'(h_i)\sigma'(z_i))",
)
def article_bias_2(seed: int) -> None:
    article_is_wrong(seed, "b_2")


FORMULAS_BY_NAME = {f.name: f for f in FORMULAS}


# --- the tests ----------------------------------------------------------------------------------


@cache
def displayed(page: str, lang: str) -> list[str]:
    """All displayed formulas of a page, in order."""
    text = (DOCS / lang / "derivation" / f"{page}.md").read_text(encoding="utf-8")
    return re.findall(r"^\$\$\n(.*?)\n\$\$$", text, flags=re.S | re.M)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("page", PAGES)
def test_page_and_register_have_the_same_formulas(page: str, lang: str) -> None:
    assert displayed(page, lang) == [f.latex for f in FORMULAS if f.page == page]


def test_names_are_unique() -> None:
    assert len(FORMULAS_BY_NAME) == len(FORMULAS)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("entry", FORMULAS, ids=lambda f: f"{f.page}:{f.name}")
def test_formula(entry: Formula, seed: int) -> None:
    for lang in ("en", "zh"):
        assert entry.latex in displayed(entry.page, lang)
    entry.check(seed)
