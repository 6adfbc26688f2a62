"""The experiments of the FAQ on gradients: PyTorch computes the same, the data is published."""

import numpy as np
import pytest
import torch

from experiments._deep import ACTIVATIONS, INITS, NORMS, PLACES, Draws, Kinds, gain, signals

DEPTH, WIDTH, BATCH = 6, 8, 16


def torch_norm(a, norm):
    if norm == "batch":
        return torch.nn.functional.batch_norm(a, None, None, training=True)
    if norm == "layer":
        return torch.nn.functional.layer_norm(a, (WIDTH,))
    if norm == "rms":
        return torch.nn.functional.rms_norm(a, (WIDTH,), eps=1e-5)
    return a


ACTS = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "leaky_relu": torch.nn.functional.leaky_relu,
    "gelu": torch.nn.functional.gelu,
}


def with_autograd(draws, init, activation, norm, skip, place):
    """The same network, differentiated by PyTorch: root mean squares of all layers."""
    weights, biases = draws.layers(init)
    h = torch.from_numpy(draws.h.copy()).requires_grad_()
    states = [h]
    for w, b in zip(weights, biases, strict=True):
        h = states[-1]
        inner = torch_norm(h, norm) if place == "pre" else h
        a = torch.nn.functional.linear(
            inner, gain(activation, init) * torch.from_numpy(w), torch.from_numpy(b)
        )
        a = torch_norm(a, norm) if place == "branch" else a
        out = ACTS[activation](a) + (h if skip else 0.0)
        states.append(torch_norm(out, norm) if place == "post" else out)
    last = torch.from_numpy(draws.grad)
    grads = torch.autograd.grad(states[-1], states, last)
    return [
        [float(x.detach().square().mean().sqrt() / first.detach().square().mean().sqrt())]
        for many, first in ((states, states[0]), (grads, last))
        for x in many
    ]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("init", INITS)
def test_the_signals_are_those_of_autograd(init, place):
    draws = Draws(3, WIDTH, DEPTH, BATCH)
    kinds = Kinds(tuple(ACTIVATIONS), NORMS, (False, True), place)
    found = signals(draws, init, kinds, [DEPTH])
    compared = 0
    for k, activation in enumerate(kinds.activations):
        for m, norm in enumerate(kinds.norms):
            for s, skip in enumerate(kinds.skips):
                ours = [*found.forward[k, m, s], *found.backward[DEPTH][k, m, s]]
                theirs = with_autograd(draws, init, activation, norm, skip, place)
                np.testing.assert_allclose(ours, np.ravel(theirs), rtol=1e-9)
                compared += len(ours)
    assert compared == 5 * 4 * 2 * 2 * (DEPTH + 1)


def test_a_part_of_the_layers_is_the_same_as_all():
    draws = Draws(0, WIDTH, 10, BATCH)
    kinds = Kinds(("tanh",), ("layer",), (True,))
    every, part = signals(draws, "he", kinds, [5, 10]), signals(draws, "he", kinds, [5, 10], 5)
    assert (
        part.forward[0, 0, 0].tolist()
        == every.forward[0, 0, 0, [0, 1, 2, 3, 4, 5, 6, 8, 10]].tolist()
    )
    assert part.backward[10][0, 0, 0].tolist() == every.backward[10][0, 0, 0, ::2].tolist()
