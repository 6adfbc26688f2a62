import numpy as np
import pandas as pd
import pytest
import torch

from bpref.regression import (
    RegressionDataset,
    Scaler,
    make_data,
    make_loaders,
    read_csv,
    split,
)


def test_make_data_is_the_line_with_noise_of_variance_one():
    X, y, _, _ = make_data(n_train=50_000, n_test=1, seed=3)
    noise = y - 2 * X - 1
    assert abs(noise.mean()) < 0.02
    assert abs(noise.var() - 1) < 0.03
    assert abs(np.corrcoef(X[:, 0], noise[:, 0])[0, 1]) < 0.02


def test_make_data_shapes_dtypes_and_seed():
    parts = make_data(n_train=7, n_test=5, seed=1)
    assert [part.shape for part in parts] == [(7, 1), (7, 1), (5, 1), (5, 1)]
    assert {part.dtype for part in parts} == {np.dtype(np.float64)}
    for a, b in zip(parts, make_data(n_train=7, n_test=5, seed=1), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(parts[0], make_data(n_train=7, n_test=5, seed=2)[0])
    with pytest.raises(ValueError, match="at least 1"):
        make_data(n_train=0)


def test_the_dataset_gives_float32_pairs():
    dataset = RegressionDataset(np.zeros((4, 2)), np.ones((4, 1)))
    x, y = dataset[3]
    assert len(dataset) == 4
    assert (x.dtype, y.dtype) == (torch.float32, torch.float32)
    assert (x.shape, y.shape) == ((2,), (1,))
    assert RegressionDataset([[0.0]], [[1.0]], dtype=torch.float64).X.dtype == torch.float64


@pytest.mark.parametrize(
    ("X", "y"),
    [
        (np.zeros((4, 1)), np.zeros(4)),  # would broadcast to (4, 4) against a prediction
        (np.zeros(4), np.zeros((4, 1))),
        (np.zeros((4, 1)), np.zeros((3, 1))),
    ],
)
def test_the_dataset_refuses_shapes_that_would_broadcast(X, y):
    with pytest.raises(ValueError, match=r"2-D|rows"):
        RegressionDataset(X, y)


def loaders(seed=0, batch_size=32):
    X_train, y_train, X_test, y_test = make_data()
    return make_loaders(
        RegressionDataset(X_train, y_train),
        RegressionDataset(X_test, y_test),
        batch_size=batch_size,
        seed=seed,
    )


def test_loaders_give_32_32_32_4_and_every_sample_once():
    train_loader, test_loader = loaders()
    for loader in (train_loader, test_loader):
        batches = [x for x, _ in loader]
        assert [len(x) for x in batches] == [32, 32, 32, 4]
        seen = torch.cat(batches).flatten().sort().values
        assert torch.equal(seen, loader.dataset.X.flatten().sort().values)


def test_training_batches_are_shuffled_anew_and_test_batches_are_not():
    train_loader, test_loader = loaders()
    first, second = (torch.cat([x for x, _ in train_loader]) for _ in range(2))
    assert not torch.equal(first, second)
    assert torch.equal(torch.cat([x for x, _ in test_loader]), test_loader.dataset.X)


def test_shuffling_follows_the_seed():
    def order(seed):
        return torch.cat([x for x, _ in loaders(seed)[0]])

    assert torch.equal(order(4), order(4))
    assert not torch.equal(order(4), order(5))
    with pytest.raises(ValueError, match="batch_size"):
        loaders(batch_size=0)


def test_the_diabetes_file_is_what_its_readme_says(diabetes):
    table = read_csv(diabetes, "target")
    frame = pd.read_csv(diabetes)
    assert table.X.shape == (442, 10)
    assert table.features == ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")
    np.testing.assert_array_equal(table.y[:, 0], frame["target"])
    np.testing.assert_array_equal(table.X, frame.drop(columns="target"))
    assert (table.y.min(), table.y.max()) == (25, 346)


def test_the_target_may_be_any_column_and_blank_lines_are_no_samples(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("\ufeffa, b ,c\n1,2,3\n\n2,1,5\n3,3,8\n4,9,1\n5,0,2\n\n", encoding="utf-8")
    table = read_csv(path, "b")
    assert table.features == ("a", "c")
    assert table.target == "b"
    np.testing.assert_array_equal(table.y[:, 0], [2, 1, 3, 9, 0])


def test_split_keeps_pairs_together_and_loses_none():
    X = np.arange(442.0)[:, None]
    X_train, y_train, X_test, y_test = split(X, 3 * X, seed=5)
    assert (len(X_train), len(X_test)) == (354, 88)
    np.testing.assert_array_equal(y_train, 3 * X_train)
    np.testing.assert_array_equal(y_test, 3 * X_test)
    np.testing.assert_array_equal(np.sort(np.concatenate([X_train, X_test]), axis=0), X)
    with pytest.raises(ValueError, match="cannot be split"):
        split(X[:1], X[:1])


def test_the_scaler_uses_training_statistics_only():
    train, test = np.array([[1.0, 5.0], [3.0, 5.0]]), np.array([[9.0, 6.0]])
    scaler = Scaler.from_training(train)
    np.testing.assert_allclose(scaler.transform(train), [[-1, 0], [1, 0]])
    np.testing.assert_allclose(scaler.transform(test), [[7, 1]])  # constant column: std 1
    np.testing.assert_allclose(scaler.inverse(scaler.transform(test)), test)
