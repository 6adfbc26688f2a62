import math

import numpy as np
import pytest
import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

from bpref.regression import (
    MLP,
    NOISE_FLOOR,
    Batches,
    Criterion,
    DivergenceError,
    RegressionDataset,
    evaluate,
    fit,
    least_squares,
    make_data,
    make_loaders,
    mse,
    train_epoch,
)
from bpref.regression.callbacks import Callback, EarlyStopping
from bpref.regression.steps import Steps


class Constant(nn.Module):
    """Predict one trainable number for every input."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(float(value)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.value.expand(len(x), 1)


def hundred_samples(kind: str = "loader"):
    """96 labels 0 and 4 labels 10, in order: batches 32, 32, 32, 4."""
    X, y = np.zeros((100, 1)), np.concatenate([np.zeros((96, 1)), np.full((4, 1), 10.0)])
    if kind == "loader":
        return DataLoader(RegressionDataset(X, y), batch_size=32)
    X, y = (torch.as_tensor(a, dtype=torch.float32) for a in (X, y))
    return Batches(X, y, batch_size=32, shuffle=False)


both = pytest.mark.parametrize("kind", ["loader", "batches"])


@both
def test_evaluate_weights_samples_and_not_batches(kind):
    # squared errors: 96 times 0, 4 times 100. Mean over samples 4, mean of batch means 25.
    loss = evaluate(Constant(0), hundred_samples(kind), nn.MSELoss(), "cpu")
    assert loss == pytest.approx(4.0)


@both
def test_train_epoch_weights_samples_and_not_batches(kind):
    # One step per batch on the constant c, d loss / d c = 2 (c - y), lr = 0.25: c halves in
    # each batch of label 0. From c = 8: losses 64, 16, 4 (32 samples each), then (1 - 10)^2.
    model = Constant(8)
    optimizer = optim.SGD(model.parameters(), lr=0.25)
    loss = train_epoch(model, hundred_samples(kind), nn.MSELoss(), optimizer, "cpu")
    assert loss == pytest.approx((32 * (64 + 16 + 4) + 4 * 81) / 100)
    assert model.value.item() == pytest.approx(1 + 0.25 * 2 * 9)


@both
def test_accumulation_gives_the_same_step(kind):
    found = []
    for accumulate in (1, 3, 32):
        model = Constant(8)
        optimizer = optim.SGD(model.parameters(), lr=0.25)
        loss = train_epoch(
            model, hundred_samples(kind), Criterion(), optimizer, "cpu", accumulate=accumulate
        )
        found.append((loss, model.value.item()))
    assert found[1] == pytest.approx(found[0])
    assert found[2] == pytest.approx(found[0])


def test_weights_of_a_loader_are_sample_weights():
    X, y = torch.zeros(4, 1), torch.tensor([[1.0], [2.0], [3.0], [4.0]])
    weight = torch.tensor([0.0, 1.0, 1.0, 2.0])
    loader = DataLoader(TensorDataset(X, y, weight), batch_size=3)
    expected = (4 + 9 + 2 * 16) / 4
    assert evaluate(Constant(0), loader, Criterion(), "cpu") == pytest.approx(expected)
    # The first batch moves c from 0 to 0.25 · 2 · (2 + 3) / 2, the second sees that c.
    model = Constant(0)
    loss = train_epoch(model, loader, Criterion(), optim.SGD(model.parameters(), lr=0.25))
    assert loss == pytest.approx((4 + 9 + 2 * (4 - 1.25) ** 2) / 4)


def test_train_epoch_does_not_carry_gradients_over():
    model = Constant(8)
    optimizer = optim.SGD(model.parameters(), lr=0.25)
    model.value.grad = torch.tensor(1e6)
    train_epoch(model, hundred_samples(), nn.MSELoss(), optimizer, "cpu")
    assert abs(model.value.item()) < 10


def test_evaluate_changes_nothing_and_builds_no_graph():
    model = MLP(seed=0)
    before = {name: p.clone() for name, p in model.named_parameters()}
    seen = []

    def criterion(output, y):
        seen.append(output.requires_grad)
        return nn.functional.mse_loss(output, y)

    evaluate(model, hundred_samples(), criterion, "cpu")
    assert seen == [False] * 4
    assert not model.training
    for name, p in model.named_parameters():
        assert torch.equal(p, before[name])
        assert p.grad is None


def test_an_empty_loader_is_refused():
    empty = DataLoader(RegressionDataset(np.zeros((0, 1)), np.zeros((0, 1))))
    model = MLP(seed=0)
    with pytest.raises(ValueError, match="no sample"):
        evaluate(model, empty, nn.MSELoss(), "cpu")
    with pytest.raises(ValueError, match="no sample"):
        train_epoch(model, empty, nn.MSELoss(), optim.SGD(model.parameters()), "cpu")


def trained(seed: int, epochs: int = 100, **options):
    X_train, y_train, X_test, y_test = make_data(seed=seed)
    train_dataset = RegressionDataset(X_train, y_train)
    test_dataset = RegressionDataset(X_test, y_test)
    loaders = make_loaders(train_dataset, test_dataset, seed=seed)
    model = MLP(seed=seed)
    optimizer = optim.SGD(model.parameters(), lr=0.01)
    history = fit(model, *loaders, nn.MSELoss(), optimizer, epochs, "cpu", **options)
    return model, history


def test_same_seed_gives_identical_numbers():
    model_a, a = trained(7, epochs=5)
    model_b, b = trained(7, epochs=5)
    assert a == b
    for p, q in zip(model_a.parameters(), model_b.parameters(), strict=True):
        assert torch.equal(p, q)
    assert trained(8, epochs=5)[1] != a


def test_the_global_generator_is_left_alone():
    torch.manual_seed(123)
    state = torch.get_rng_state()
    trained(0, epochs=2)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("seed", range(5))
def test_the_result_is_within_a_quarter_of_least_squares_on_the_same_data(seed):
    _, history = trained(seed)
    X_train, y_train, X_test, y_test = make_data(seed=seed)
    weight, bias = least_squares(X_train, y_train)
    linear = mse(X_test @ weight.T + bias, y_test)
    assert abs(history.test_loss[-1] - linear) < 0.25
    assert abs(history.train_loss[-1] - mse(X_train @ weight.T + bias, y_train)) < 0.25
    assert history.train_loss[-1] < 2 * NOISE_FLOOR


def test_the_history_has_the_loss_of_the_final_model_on_the_whole_training_set():
    model, history = trained(2, epochs=3)
    X_train, y_train, X_test, y_test = make_data(seed=2)
    with torch.no_grad():
        train = model(torch.as_tensor(X_train, dtype=torch.float32)).numpy()
        test = model(torch.as_tensor(X_test, dtype=torch.float32)).numpy()
    assert history.train_loss[-1] == pytest.approx(mse(train, y_train), rel=1e-5)
    assert history.val_loss[-1] == pytest.approx(mse(test, y_test), rel=1e-5)
    assert history.test_loss is history.val_loss
    assert history.epoch_loss[0] != history.train_loss[0]  # measured while the weights moved
    assert history.lr == [0.01] * 3


def test_measuring_the_training_loss_does_not_change_the_training():
    model_a, a = trained(3, epochs=4)
    model_b, b = trained(3, epochs=4, measure_train=False)
    assert a.epoch_loss == b.epoch_loss
    assert (len(a.train_loss), len(b.train_loss)) == (4, 0)
    for p, q in zip(model_a.parameters(), model_b.parameters(), strict=True):
        assert torch.equal(p, q)


def test_fit_needs_an_epoch():
    with pytest.raises(ValueError, match="epochs"):
        trained(0, epochs=0)


def test_a_loader_and_batches_of_the_same_order_give_the_same_run():
    X, y, X_test, y_test = (torch.as_tensor(a, dtype=torch.float32) for a in make_data())
    found = []
    for make in (
        lambda a, b: DataLoader(TensorDataset(a, b), batch_size=32),
        lambda a, b: Batches(a, b, batch_size=32, shuffle=False),
    ):
        model = MLP(seed=0)
        optimizer = optim.SGD(model.parameters(), lr=0.01)
        found.append(
            fit(model, make(X, y), make(X_test, y_test), nn.MSELoss(), optimizer, 3, "cpu")
        )
    assert found[0] == found[1]


def test_fit_without_validation_rows():
    X, y, *_ = (torch.as_tensor(a, dtype=torch.float32) for a in make_data())
    model = MLP(seed=0)
    optimizer = optim.SGD(model.parameters(), lr=0.01)
    history = fit(model, Batches(X, y, batch_size=32), None, Criterion(), optimizer, 2)
    assert (len(history.epoch_loss), history.val_loss) == (2, [])


def test_early_stopping_with_a_loader():
    _, history = trained(0, 500, callbacks=[EarlyStopping(5)])
    best = int(np.argmin(history.val_loss)) + 1
    assert len(history.val_loss) == best + 5 < 500


def test_the_rate_of_steps_reaches_every_step():
    seen = []

    class Watch(Callback):
        def on_step(self, state):
            seen.append((state.step, state.lr, state.optimizer.param_groups[0]["lr"]))

    model = Constant(8)
    optimizer = optim.SGD(model.parameters(), lr=7.0)
    steps = Steps(rate=lambda step: 0.1 / (step + 1), callbacks=[Watch()])
    fit(model, hundred_samples(), None, nn.MSELoss(), optimizer, 2, "cpu", steps=steps)
    assert seen == [(step + 1, 0.1 / (step + 1), 0.1 / (step + 1)) for step in range(8)]


def test_clipping_comes_between_the_backward_pass_and_the_update():
    model = Constant(8)
    optimizer = optim.SGD(model.parameters(), lr=1.0)

    def clip(loss):
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        return loss

    train_epoch(model, hundred_samples(), nn.MSELoss(), optimizer, steps=Steps(before_update=clip))
    assert model.value.item() == pytest.approx(8 - 3 * 0.5 + 0.5)


def test_a_loss_that_is_not_finite_is_an_error_before_the_update():
    model = Constant(8)
    optimizer = optim.SGD(model.parameters(), lr=1.0)

    def criterion(output, y):
        return nn.functional.mse_loss(output, y) * math.nan

    with pytest.raises(DivergenceError, match=r"nan at step 1 \(epoch 1\)"):
        train_epoch(model, hundred_samples(), criterion, optimizer)
    assert model.value.item() == 8


def test_patience_is_at_least_one():
    with pytest.raises(ValueError, match="at least 1"):
        EarlyStopping(0)
