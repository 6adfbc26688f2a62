import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bpref import nn as numpy_nn
from bpref.regression.by_hand import RULES, ByHand, HandLoss, HandOptimizer
from bpref.regression.config import ACTIVATIONS
from bpref.regression.dropout import Masks
from bpref.regression.flat import flatten
from bpref.regression.loss import Criterion
from bpref.regression.model import MLP


def test_the_default_model_is_1_10_1_with_31_parameters():
    model = MLP(seed=0)
    assert sum(p.numel() for p in model.parameters()) == 31
    x = torch.linspace(-2, 2, 5)[:, None]
    hidden = torch.relu(x @ model[0].weight.T + model[0].bias)
    torch.testing.assert_close(model(x), hidden @ model[2].weight.T + model[2].bias)


def test_without_a_seed_the_weights_follow_the_global_generator():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        a = MLP()
        torch.manual_seed(5)
        b = torch.nn.Sequential(torch.nn.Linear(1, 10), torch.nn.ReLU(), torch.nn.Linear(10, 1))
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        assert torch.equal(p, q)


def test_a_seed_leaves_the_weights_to_nobody_else():
    torch.manual_seed(123)
    a = MLP(seed=4)
    torch.manual_seed(124)
    for p, q in zip(a.parameters(), MLP(seed=4).parameters(), strict=True):
        assert torch.equal(p, q)
    assert not torch.equal(a[0].weight, MLP(seed=5)[0].weight)


@given(
    sizes=st.lists(st.integers(1, 6), min_size=2, max_size=5),
    activation=st.sampled_from(ACTIVATIONS),
    dropout=st.sampled_from([0.0, 0.5]),
    seed=st.integers(0, 9),
)
def test_weights_move_to_bpref_and_back(sizes, activation, dropout, seed):
    d, *hidden, m = sizes
    ours = numpy_nn.MLP(sizes, activation, generator=np.random.default_rng(seed))
    options = {"activation": activation, "dropout": dropout, "dtype": torch.float64}
    model = MLP(d, hidden, m, seed=seed, **options)
    assert list(model.state_dict()) == list(ours.state_dict())
    for key, value in ours.state_dict().items():
        assert (model.state_dict()[key].numpy() == value).all()
    other = MLP(d, hidden, m, **options)
    ours.load_state_dict(other.state_dict())
    x = np.random.default_rng(0).standard_normal((4, d))
    with torch.no_grad():
        np.testing.assert_allclose(
            other.eval()(torch.from_numpy(x)).numpy(), ours(x), rtol=0, atol=1e-12
        )


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((0,), {}, "at least 1"),
        ((1, (3, 0)), {}, "at least 1"),
        ((), {"activation": "swish"}, "relu, tanh"),
        ((), {"dropout": 1.0}, "below 1"),
    ],
)
def test_what_cannot_be_is_refused(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        MLP(*arguments, **options)


def test_dropout_is_pytorchs_until_it_gets_masks():
    model = MLP(2, (50,), dropout=0.5, seed=0)
    x = torch.ones(3, 2)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        a = model(x)
        assert not torch.equal(model(x), a)
        torch.manual_seed(0)
        assert torch.equal(model(x), a)
    assert torch.equal(model.eval()(x), model(x))
    masks = Masks(0.5, seed=0)
    model.train().set_masks(masks)
    masks.start(0, 3)
    b = model(x)
    masks.start(0, 3)
    assert torch.equal(model(x), b)
    factor = torch.from_numpy(mask_of((3, 50)))
    hidden = torch.relu(model[0](x)) * factor
    torch.testing.assert_close(b, model[2](hidden))


def mask_of(shape):
    masks = Masks(0.5, seed=0)
    masks.start(0, shape[0])
    return masks.take(0, shape, np.float32)


def test_flatten_keeps_values_and_shares_memory():
    model = MLP(3, (4, 2), 2, seed=0)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    flat = flatten(model)
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key])
    model(torch.ones(1, 3)).sum().backward()
    joined = torch.cat([p.grad.reshape(-1) for p in model.parameters()])
    assert torch.equal(flat.grad, joined)
    assert flat.grad.any()
    with torch.no_grad():
        flat.zero_()
    assert not any(p.any() for p in model.parameters())


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=2, max_size=5),
    activation=st.sampled_from(ACTIVATIONS),
    rows=st.integers(0, 7),
    dropout=st.booleans(),
    seed=st.integers(0, 99),
    passes=st.integers(1, 3),
)
def test_the_backward_pass_by_hand_is_autograds(sizes, activation, rows, dropout, seed, passes):
    d, *hidden, m = sizes
    masks = Masks(0.4, seed) if dropout else None
    options = {"activation": activation, "dropout": 0.4 * dropout, "dtype": torch.float64}
    model, other = (MLP(d, hidden, m, seed=seed, **options) for _ in range(2))
    if masks is not None:
        other.set_masks(masks)
    optimizer = HandOptimizer(model, lambda p: torch.optim.SGD(p, lr=0.0))
    network = optimizer.network = ByHand(model, masks)
    optimizer.zero_grad()
    rng = np.random.default_rng(seed)
    for step in range(passes):  # gradients of several passes add up
        x, y = (torch.from_numpy(rng.standard_normal((rows, k))) for k in (d, m))
        for net, criterion in ((network, HandLoss(network)), (other, Criterion())):
            if masks is not None:
                masks.start(step, rows)
            loss = criterion(net(x), y, None, 5.0)
            loss.backward()
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad, rtol=0, atol=1e-12)


def test_there_is_a_rule_for_every_activation():
    assert tuple(RULES) == ACTIVATIONS
