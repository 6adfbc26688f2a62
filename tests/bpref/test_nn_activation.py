"""The activations as modules: equal to torch.nn's, repr and defaults included."""

import numpy as np
import pytest
import torch
from strategies import assert_like_torch, normal

from bpref import nn

ARGUMENTS = [
    ("Identity", ()),
    ("Sigmoid", ()),
    ("Tanh", ()),
    ("ReLU", ()),
    ("LeakyReLU", ()),
    ("LeakyReLU", (0.3,)),
    ("ELU", ()),
    ("ELU", (0.3,)),
    ("GELU", ()),
    ("GELU", ("tanh",)),
    ("SiLU", ()),
    ("Softplus", ()),
    ("Softplus", (2.0,)),
    ("Softplus", (2.0, 1.0)),
    ("Softmax", (0,)),
    ("Softmax", (-1,)),
    ("LogSoftmax", (0,)),
    ("LogSoftmax", (-1,)),
]
every = pytest.mark.parametrize(("name", "arguments"), ARGUMENTS)


@every
def test_like_torch(name, arguments):
    ours, theirs = getattr(nn, name)(*arguments), getattr(torch.nn, name)(*arguments)
    assert repr(ours) == repr(theirs)
    assert list(ours.parameters()) == []
    assert ours.state_dict() == {}
    values = np.append(normal(0, 6, 4), [[30.0, -30.0, 0.0, -0.0]], axis=0)
    delta = normal(1, 7, 4)
    tensor = torch.from_numpy(values.copy()).requires_grad_()
    expected = theirs(tensor)
    expected.backward(torch.from_numpy(delta))
    assert_like_torch(ours(values), expected)
    assert_like_torch(ours.backward(delta), tensor.grad)
    with pytest.raises(RuntimeError, match="since the last backward pass"):
        ours.backward(delta)


@every
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(name, arguments, dtype):
    module = getattr(nn, name)(*arguments)
    values = np.ones((2, 3), dtype)
    assert module(values).dtype == module.backward(values).dtype == dtype


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("elu", torch.nn.ELU),
        ("gelu", torch.nn.GELU),
        ("silu", torch.nn.SiLU),
        ("softplus", torch.nn.Softplus),
    ],
)
def test_in_an_mlp(name, module):
    ours = nn.MLP([3, 4, 2], name, generator=np.random.default_rng(0))
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), module(), torch.nn.Linear(4, 2)).double()
    assert repr(nn.Sequential(*ours)) == repr(theirs)
    theirs.load_state_dict({key: torch.from_numpy(v) for key, v in ours.state_dict().items()})
    X, delta = normal(0, 5, 3), normal(1, 5, 2)
    expected = theirs(torch.from_numpy(X))
    expected.backward(torch.from_numpy(delta))
    assert_like_torch(ours(X), expected)
    ours.backward(delta)
    for ours_p, theirs_p in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert_like_torch(ours_p.grad, theirs_p.grad)
