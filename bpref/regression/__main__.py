"""The command `python -m bpref.regression`."""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import torch
from torch import nn, optim

from bpref.regression.baseline import NOISE_FLOOR, least_squares, mse
from bpref.regression.data import (
    Array,
    DataError,
    RegressionDataset,
    Scaler,
    make_data,
    make_loaders,
    read_csv,
    split,
)
from bpref.regression.model import MLP
from bpref.regression.plotting import plot_fit, plot_losses
from bpref.regression.training import History, evaluate, fit


class _Parser(argparse.ArgumentParser):
    """Say what is wrong in one line, without the usage text."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}\n")


def _positive_int(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 1_000_000:
        raise argparse.ArgumentTypeError(f"must be between 1 and 1000000, got {value}")
    return value


def _seed(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**63:
        raise argparse.ArgumentTypeError(f"must be between 0 and 2^63 - 1, got {value}")
    return value


def _learning_rate(text: str) -> float:
    value = float(text)
    if not (0 < value < math.inf):
        raise argparse.ArgumentTypeError(f"must be a positive number, got {text}")
    return value


for _type, _name in ((_positive_int, "int"), (_seed, "int"), (_learning_rate, "float")):
    _type.__name__ = _name  # argparse prints the name in "invalid int value: 'x'"


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = _Parser(
        prog="python -m bpref.regression",
        description="Train a perceptron with one hidden layer and compare it with least squares.",
        epilog="Without --data it learns y = 2x + 1 + N(0, 1) from 100 samples.",
    )
    add = parser.add_argument
    add("--epochs", type=_positive_int, default=100, metavar="N", help="passes [%(default)s]")
    add("--batch-size", type=_positive_int, default=32, metavar="N", help="[%(default)s]")
    add("--lr", type=_learning_rate, default=0.01, metavar="X", help="of SGD [%(default)s]")
    add("--seed", type=_seed, default=0, metavar="N", help="of everything [%(default)s]")
    add("--hidden", type=_positive_int, default=10, metavar="N", help="units [%(default)s]")
    add("--device", default="auto", metavar="NAME", help="auto, cpu, cuda [%(default)s]")
    add(
        "--output",
        type=Path,
        default=Path("bpref-run"),
        metavar="DIR",
        help="for fit.png and loss.png [%(default)s]",
    )
    add("--data", metavar="FILE.csv", help="train on this file: numbers, names in line 1")
    add("--target", metavar="COLUMN", help="the column of FILE.csv to predict")
    return parser


@dataclass(frozen=True)
class Task:
    """Data ready for training, with what is needed to read the result.

    Attributes
    ----------
    X_train, y_train, X_test, y_test : ndarray
        What the model sees (standardised for a file), shapes (N, d) and (N, 1).
    labels : Scaler or None
        Turns y back into the unit of the file.
    name : str
        One line for the report.
    """

    X_train: Array
    y_train: Array
    X_test: Array
    y_test: Array
    labels: Scaler | None
    name: str

    @property
    def unit(self) -> float:
        """Factor from a loss of the model to a loss in the unit of the file."""
        return float(self.labels.std[0] ** 2) if self.labels else 1.0


def load_task(data: str | None, target: str | None, seed: int) -> Task:
    """Return the article's data, or a file split 80 % / 20 % and standardised.

    Mean and standard deviation come from the training rows only.
    """
    if data is None or target is None:
        name = "y = 2x + 1 + N(0, 1), 100 training and 100 test samples"
        return Task(*make_data(seed=seed), labels=None, name=name)
    table = read_csv(data, target)
    X_train, y_train, X_test, y_test = split(table.X, table.y, seed=seed)
    if np.ptp(y_train) == 0:
        raise DataError(f"{data}: column {target!r} is constant in the training rows")
    inputs, labels = Scaler.from_training(X_train), Scaler.from_training(y_train)
    return Task(
        inputs.transform(X_train),
        labels.transform(y_train),
        inputs.transform(X_test),
        labels.transform(y_test),
        labels=labels,
        name=f"{data}, {target!r} from {len(table.features)} columns, "
        f"{len(X_train)} training and {len(X_test)} test samples",
    )


def choose_device(name: str) -> torch.device:
    """Return the device called `name`; "auto" is CUDA where there is one, else the CPU.

    Raises
    ------
    ValueError
        If PyTorch does not know the device or cannot use it here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"device {name!r} cannot be used: {reason}") from None
    return device


def report(task: Task, before: tuple[float, float], history: History) -> str:
    """Return the table of losses, in the unit of the data."""
    weight, bias = least_squares(task.X_train, task.y_train)
    mean = task.y_train.mean(axis=0)
    rows = [
        ("untrained network", *before),
        (
            f"trained, {len(history.train_loss)} epochs",
            history.train_loss[-1],
            history.test_loss[-1],
        ),
        (
            "least squares",
            mse(task.X_train @ weight.T + bias, task.y_train),
            mse(task.X_test @ weight.T + bias, task.y_test),
        ),
        (
            "constant (mean label)",
            mse(np.broadcast_to(mean, task.y_train.shape), task.y_train),
            mse(np.broadcast_to(mean, task.y_test.shape), task.y_test),
        ),
    ]
    if task.labels is None:
        rows.append(("noise floor (expected)", NOISE_FLOOR, NOISE_FLOOR))
    lines = [f"{'mean squared error':24}{'train':>12}{'test':>12}"]
    lines += [f"{n:24}{_show(a * task.unit)}{_show(b * task.unit)}" for n, a, b in rows]
    if task.labels is not None:
        lines.append("The noise floor of a file is unknown: compare with the constant predictor.")
    return "\n".join(lines)


def _show(loss: float) -> str:
    return f"{loss:12.4f}" if loss < 100 else f"{loss:12.1f}"


def run(args: argparse.Namespace) -> str:
    """Train as the options say, write the pictures, return the report.

    Raises
    ------
    ValueError
        If an option or the data file cannot be used; the message is one line.
    OSError
        If the output folder cannot be written.
    FloatingPointError
        If the training diverged.
    """
    if (args.data is None) != (args.target is None):
        raise ValueError("--data and --target go together")
    device = choose_device(args.device)
    task = load_task(args.data, args.target, args.seed)
    args.output.mkdir(parents=True, exist_ok=True)

    train_dataset = RegressionDataset(task.X_train, task.y_train)
    test_dataset = RegressionDataset(task.X_test, task.y_test)
    train_loader, test_loader = make_loaders(
        train_dataset, test_dataset, batch_size=args.batch_size, seed=args.seed
    )
    model = MLP(task.X_train.shape[1], args.hidden, seed=args.seed).to(device)
    criterion = nn.MSELoss()
    optimizer = optim.SGD(model.parameters(), lr=args.lr)
    n_parameters = sum(p.numel() for p in model.parameters())
    print(f"data   {task.name}")
    print(
        f"model  {task.X_train.shape[1]}-{args.hidden}-1, {n_parameters} parameters, on {device}; "
        f"SGD, lr {args.lr:g}, batch {args.batch_size}, seed {args.seed}",
        flush=True,
    )

    before = (
        mse(predict(model, task.X_train, device), task.y_train),
        evaluate(model, test_loader, criterion, device),
    )
    history = fit(
        model, train_loader, test_loader, criterion, optimizer, args.epochs, device, progress=True
    )
    if not math.isfinite(history.train_loss[-1]):
        loss = history.train_loss[-1]
        raise FloatingPointError(
            f"training diverged (loss {loss}): try a smaller --lr than {args.lr:g}"
        )
    paths = write_pictures(task, model, history, device, args.output)
    return f"{report(task, before, history)}\nwrote {paths[0]} and {paths[1]}"


def predict(model: nn.Module, X: Array, device: torch.device) -> Array:
    """Return the model's predictions for X (N, d) as float64, shape (N, 1)."""
    with torch.no_grad():
        output = model(torch.as_tensor(X, dtype=torch.float32, device=device))
    return np.asarray(output.cpu().numpy(), dtype=np.float64)


def write_pictures(
    task: Task, model: nn.Module, history: History, device: torch.device, folder: Path
) -> tuple[Path, Path]:
    """Write fit.png (test set) and loss.png, in the unit of the data; return their paths."""
    weight, bias = least_squares(task.X_train, task.y_train)
    y, prediction, baseline = (
        task.labels.inverse(values) if task.labels else values
        for values in (
            task.y_test,
            predict(model, task.X_test, device),
            task.X_test @ weight.T + bias,
        )
    )
    fit_path, loss_path = folder / "fit.png", folder / "loss.png"
    plot_fit(task.X_test, y, prediction, baseline, title="test set").savefig(fit_path, dpi=150)
    if task.labels is None:
        floor, name = NOISE_FLOOR, "noise floor"
    else:
        floor, name = task.unit, "constant predictor (train)"
    scaled = History(
        train_loss=[loss * task.unit for loss in history.train_loss],
        test_loss=[loss * task.unit for loss in history.test_loss],
    )
    plot_losses(scaled, floor, name).savefig(loss_path, dpi=150)
    return fit_path, loss_path


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code.

    0: done. 1: the training diverged. 2: an option, a file or a folder cannot be used.
    """
    parser = build_parser()
    args = parser.parse_args(argv)
    try:
        print(run(args))
    except FloatingPointError as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{parser.prog}: error: {args.output}: {error.strerror or error}", file=sys.stderr)
        return 2
    except ValueError as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{parser.prog}: interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
