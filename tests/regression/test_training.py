import numpy as np
import pytest
import torch
from torch import nn, optim
from torch.utils.data import DataLoader

from bpref.regression import (
    MLP,
    NOISE_FLOOR,
    RegressionDataset,
    evaluate,
    fit,
    least_squares,
    make_data,
    make_loaders,
    mse,
    train_epoch,
)


class Constant(nn.Module):
    """Predict one trainable number for every input."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(float(value)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.value.expand(len(x), 1)


def hundred_samples() -> DataLoader:
    """96 labels 0 and 4 labels 10, in order: batches 32, 32, 32, 4."""
    y = np.concatenate([np.zeros((96, 1)), np.full((4, 1), 10.0)])
    return DataLoader(RegressionDataset(np.zeros((100, 1)), y), batch_size=32)


def test_evaluate_weights_samples_and_not_batches():
    # squared errors: 96 times 0, 4 times 100. Mean over samples 4, mean of batch means 25.
    assert evaluate(Constant(0), hundred_samples(), nn.MSELoss(), "cpu") == pytest.approx(4.0)


def test_train_epoch_weights_samples_and_not_batches():
    # One step per batch on the constant c, d loss / d c = 2 (c - y), lr = 0.25: c halves in
    # each batch of label 0. From c = 8: losses 64, 16, 4 (32 samples each), then (1 - 10)^2.
    model = Constant(8)
    optimizer = optim.SGD(model.parameters(), lr=0.25)
    loss = train_epoch(model, hundred_samples(), nn.MSELoss(), optimizer, "cpu")
    assert loss == pytest.approx((32 * (64 + 16 + 4) + 4 * 81) / 100)
    assert model.value.item() == pytest.approx(1 + 0.25 * 2 * 9)


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
    with pytest.raises(ValueError, match="no sample"):
        evaluate(MLP(seed=0), empty, nn.MSELoss(), "cpu")


def trained(seed: int, epochs: int = 100):
    X_train, y_train, X_test, y_test = make_data(seed=seed)
    train_dataset = RegressionDataset(X_train, y_train)
    test_dataset = RegressionDataset(X_test, y_test)
    train_loader, test_loader = make_loaders(train_dataset, test_dataset, seed=seed)
    model = MLP(seed=seed)
    optimizer = optim.SGD(model.parameters(), lr=0.01)
    history = fit(model, train_loader, test_loader, nn.MSELoss(), optimizer, epochs, "cpu")
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


def test_without_a_seed_the_weights_follow_the_global_generator():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        a = MLP()
    b = MLP(seed=5)
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        assert torch.equal(p, q)


def test_the_default_model_is_1_10_1_with_31_parameters():
    model = MLP(seed=0)
    assert sum(p.numel() for p in model.parameters()) == 31
    x = torch.linspace(-2, 2, 5)[:, None]
    hidden = torch.relu(x @ model.fc1.weight.T + model.fc1.bias)
    torch.testing.assert_close(model(x), hidden @ model.fc2.weight.T + model.fc2.bias)


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
    assert history.test_loss[-1] == pytest.approx(mse(test, y_test), rel=1e-5)
    assert history.epoch_loss[0] != history.train_loss[0]  # measured while the weights moved


def test_measuring_the_training_loss_does_not_change_the_training():
    _, history = trained(3, epochs=4)
    X_train, y_train, X_test, y_test = make_data(seed=3)
    train_loader, _ = make_loaders(
        RegressionDataset(X_train, y_train), RegressionDataset(X_test, y_test), seed=3
    )
    model = MLP(seed=3)
    optimizer = optim.SGD(model.parameters(), lr=0.01)
    losses = [train_epoch(model, train_loader, nn.MSELoss(), optimizer, "cpu") for _ in range(4)]
    assert losses == history.epoch_loss


def test_fit_needs_an_epoch():
    with pytest.raises(ValueError, match="epochs"):
        trained(0, epochs=0)
