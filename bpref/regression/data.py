"""The article's data, a line with noise, as tensors in batches."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch.utils.data import DataLoader, Dataset

Array: TypeAlias = NDArray[np.float64]
Pair: TypeAlias = tuple[torch.Tensor, torch.Tensor]  # one sample, or one batch: (x, y)

SLOPE = 2.0
INTERCEPT = 1.0
NOISE_STD = 1.0


def make_data(
    n_train: int = 100, n_test: int = 100, seed: int = 0
) -> tuple[Array, Array, Array, Array]:
    """Draw the article's data: y = 2 x + 1 + noise, with x and the noise from N(0, 1).

    Parameters
    ----------
    n_train, n_test : int
        Number of training and of test samples, each at least 1.
    seed : int
        Seed of a generator of its own; NumPy's global state is not touched.

    Returns
    -------
    X_train : ndarray, float64, shape (n_train, 1)
    y_train : ndarray, float64, shape (n_train, 1)
    X_test : ndarray, float64, shape (n_test, 1)
    y_test : ndarray, float64, shape (n_test, 1)

    Raises
    ------
    ValueError
        If a sample count is below 1.

    Examples
    --------
    >>> X_train, y_train, X_test, y_test = make_data(seed=0)
    >>> X_train.shape, y_test.shape
    ((100, 1), (100, 1))
    """
    if n_train < 1 or n_test < 1:
        raise ValueError(f"n_train and n_test must be at least 1, got {n_train} and {n_test}")
    # --8<-- [start:make_data_body]
    rng = np.random.default_rng(seed)
    X_train = rng.standard_normal((n_train, 1))
    y_train = SLOPE * X_train + INTERCEPT + NOISE_STD * rng.standard_normal((n_train, 1))
    X_test = rng.standard_normal((n_test, 1))
    y_test = SLOPE * X_test + INTERCEPT + NOISE_STD * rng.standard_normal((n_test, 1))
    return X_train, y_train, X_test, y_test
    # --8<-- [end:make_data_body]


class RegressionDataset(Dataset[Pair]):
    """Inputs and labels as tensors of one dtype, one pair per index.

    Parameters
    ----------
    X : array_like, shape (N, d)
        Inputs.
    y : array_like, shape (N, m)
        Labels. A 1-D array is refused: against a prediction of shape (N, 1) it would
        broadcast to (N, N).
    dtype : torch.dtype
        Must be the dtype of the model; `nn.Linear` is float32 unless told otherwise.

    Raises
    ------
    ValueError
        If X or y is not 2-D, or their numbers of rows differ.

    Examples
    --------
    >>> dataset = RegressionDataset(np.zeros((3, 1)), np.ones((3, 1)))
    >>> len(dataset), dataset[0]
    (3, (tensor([0.]), tensor([1.])))
    """

    # --8<-- [start:RegressionDataset_body]
    def __init__(self, X: ArrayLike, y: ArrayLike, dtype: torch.dtype = torch.float32) -> None:
        self.X = torch.as_tensor(X, dtype=dtype)
        self.y = torch.as_tensor(y, dtype=dtype)
        if self.X.ndim != 2 or self.y.ndim != 2:
            raise ValueError(
                "X and y must be 2-D, (N, d) and (N, m), "
                f"got shapes {tuple(self.X.shape)} and {tuple(self.y.shape)}"
            )
        if len(self.X) != len(self.y):
            raise ValueError(f"X has {len(self.X)} rows, y has {len(self.y)}")

    def __len__(self) -> int:
        """Return the number of samples N."""
        return len(self.X)

    def __getitem__(self, idx: int) -> Pair:
        """Return the sample at `idx`: tensors of shapes (d,) and (m,)."""
        return self.X[idx], self.y[idx]

    # --8<-- [end:RegressionDataset_body]


def make_loaders(
    train_dataset: Dataset[Pair], test_dataset: Dataset[Pair], batch_size: int = 32, seed: int = 0
) -> tuple[DataLoader[Pair], DataLoader[Pair]]:
    """Return the loader for training (shuffled) and the loader for testing (in order).

    Parameters
    ----------
    train_dataset, test_dataset : Dataset
        Datasets that give (x, y) pairs.
    batch_size : int
        Samples per batch; the last batch holds what is left over.
    seed : int
        Seed of the shuffling. Each loader owns its generator, because a loader without
        one draws from PyTorch's global generator every time it is iterated.

    Returns
    -------
    train_loader : DataLoader
    test_loader : DataLoader

    Raises
    ------
    ValueError
        If `batch_size` is below 1.

    Examples
    --------
    >>> X_train, y_train, X_test, y_test = make_data()
    >>> train_loader, test_loader = make_loaders(
    ...     RegressionDataset(X_train, y_train), RegressionDataset(X_test, y_test))
    >>> [len(x) for x, y in train_loader]
    [32, 32, 32, 4]
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    # --8<-- [start:make_loaders_body]
    train_loader = DataLoader(
        train_dataset,
        batch_size=batch_size,
        shuffle=True,
        generator=torch.Generator().manual_seed(seed),
    )
    test_loader = DataLoader(test_dataset, batch_size=batch_size, generator=torch.Generator())
    return train_loader, test_loader
    # --8<-- [end:make_loaders_body]
