import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from bpref import nn as numpy_nn
from bpref.regression.by_hand import ByHand, HandLoss, HandOptimizer
from bpref.regression.loss import Criterion
from bpref.regression.model import MLP
from bpref.regression.numpy_training import Loss, Network

KINDS = ("mse", "mae", "huber")


def arrays(n, m, seed):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, m)) * 2, rng.standard_normal((n, m)), rng.uniform(0, 2, n)


@pytest.mark.parametrize("m", [1, 3])
@pytest.mark.parametrize(
    ("ours", "pytorchs"),
    [
        (Criterion("mse"), nn.MSELoss()),
        (Criterion("mae"), nn.L1Loss()),
        (Criterion("huber", 0.7), nn.HuberLoss(delta=0.7)),
    ],
)
def test_without_weights_it_is_pytorchs(ours, pytorchs, m):
    prediction, y, _ = map(torch.from_numpy, arrays(20, m, 0))
    a, b = prediction.clone().requires_grad_(), prediction.clone().requires_grad_()
    loss, expected = ours(a, y), pytorchs(b, y)
    loss.backward()
    expected.backward()
    torch.testing.assert_close(loss, expected, rtol=0, atol=1e-14)
    torch.testing.assert_close(a.grad, b.grad, rtol=0, atol=1e-14)


def written_out(kind, prediction, y, weight, total, delta):
    """The definition, one number at a time."""
    loss = 0.0
    for i in range(len(y)):
        for k in range(y.shape[1]):
            e = abs(prediction[i, k] - y[i, k])
            if kind == "mse":
                value = e**2
            elif kind == "mae":
                value = e
            else:
                value = e**2 / 2 if e <= delta else delta * (e - delta / 2)
            loss += weight[i] * value / y.shape[1]
    return loss / total


@given(
    kind=st.sampled_from(KINDS),
    n=st.integers(1, 9),
    m=st.integers(1, 3),
    seed=st.integers(0, 99),
    weights=st.booleans(),
    total=st.sampled_from([None, 3.0]),
    delta=st.sampled_from([0.3, 1.0]),
)
def test_three_implementations_and_the_definition(kind, n, m, seed, weights, total, delta):
    prediction, y, w = arrays(n, m, seed)
    weight = w if weights else None
    divisor = total or (w.sum() if weights else n)
    expected = written_out(kind, prediction, y, w if weights else np.ones(n), divisor, delta)

    def tensor(array):
        return None if array is None else torch.from_numpy(array)

    p = tensor(prediction).requires_grad_()
    loss = Criterion(kind, delta)(p, tensor(y), tensor(weight), total)
    loss.backward()
    assert loss.item() == pytest.approx(expected, rel=1e-12)

    # The identity as a network: the gradient of its bias is that of the predictions, summed.
    model = MLP(m, (), m, dtype=torch.float64)
    optimizer = HandOptimizer(model, lambda p: torch.optim.SGD(p, lr=0.0))
    network = optimizer.network = ByHand(model)
    with torch.no_grad():
        model[0].weight.copy_(torch.eye(m))
        model[0].bias.zero_()
    optimizer.zero_grad()
    output = network(tensor(prediction))
    by_hand = HandLoss(network, kind, delta)(output, tensor(y), tensor(weight), total)
    by_hand.backward()
    assert by_hand.item() == pytest.approx(expected, rel=1e-12)
    torch.testing.assert_close(model[0].bias.grad, p.grad.sum(0), rtol=1e-12, atol=1e-12)

    numpy_model = numpy_nn.MLP([m, m])
    numpy_model[0].weight.data, numpy_model[0].bias.data = np.eye(m), np.zeros(m)
    numpy_network = Network(numpy_model)
    in_numpy = Loss(numpy_network, kind, delta)(numpy_network(prediction), y, weight, total)
    in_numpy.backward()
    assert in_numpy.item() == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(
        numpy_model[0].bias.grad, p.grad.sum(0).numpy(), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("kind", KINDS)
def test_no_weight_at_all_is_a_loss_of_zero(kind):
    prediction, y, _ = map(torch.from_numpy, arrays(3, 2, 0))
    prediction.requires_grad_()
    loss = Criterion(kind)(prediction, y, torch.zeros(3, dtype=torch.float64))
    loss.backward()
    assert loss.item() == 0
    assert not prediction.grad.any()


def test_shapes_are_not_broadcast():
    with pytest.raises(ValueError, match=r"same shape, got \(4, 1\) and \(4,\)"):
        Criterion()(torch.zeros(4, 1), torch.zeros(4))


def test_a_kind_that_does_not_exist():
    with pytest.raises(ValueError, match="mse, mae or huber"):
        Criterion("mape")
