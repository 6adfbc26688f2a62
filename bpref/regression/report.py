"""The report of a run: what was done, the curves, the scores, what simpler models reach."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpref.regression import plotting
from bpref.regression.atomic import write_atomically
from bpref.regression.baseline import MLP_VISITS, baselines
from bpref.regression.columns import ColumnReport
from bpref.regression.config import Config
from bpref.regression.document import (
    Block,
    Heading,
    Paragraph,
    Picture,
    Table,
    to_html,
    to_markdown,
)
from bpref.regression.history import History
from bpref.regression.report_target import FEW_ROWS, Part, Target, rows_of
from bpref.regression.scores import LOSSES, loss_unit
from bpref.regression.wording import listed, short

__all__ = ["Part", "Report", "write_report"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Report:
    """What `write_report` found.

    Attributes
    ----------
    scores : dict
        JSON values: ``scores[target][part][metric]``, the parts "train", "validation", "test";
        ``scores[target]["interval"][metric]`` is [low, high] or None, for the judged part;
        ``scores[target]["baselines"][name]`` has the ``mse`` and the ``difference`` of the
        network's MSE from it, as [low, high] or None.
    verdict : str
        Does the network beat least squares? Of several targets: of how many, and which.
    files : list of Path
        report.html, report.md, and the figures.
    """

    scores: dict[str, Any]
    verdict: str
    files: list[Path]


def write_report(
    folder: str | os.PathLike[str],
    *,
    config: Config,
    history: History,
    train: Part,
    validation: Part,
    test: Part | None,
    targets: Sequence[str],
    target_std: Array,
    source: str,
    facts: Mapping[str, object] | None = None,
    columns: Sequence[ColumnReport] = (),
    environment: Mapping[str, object] | None = None,
    best_epoch: int | None = None,
    mlp_visits: int = MLP_VISITS,
) -> Report:
    """Write report.md, report.html and figures/*.svg into a folder.

    The baselines are fitted here, on the same training rows. report.html stands alone: pictures
    and style are inside, nothing is loaded, nothing is run.

    Parameters
    ----------
    folder : path
        Exists, or is made.
    config : Config
        Options of the run.
    history : History
        Losses of the standardised target.
    train, validation : Part
        The rows that were learned from, and those that chose the epoch.
    test : Part or None
        Without one the validation rows are judged, and the report says what that means.
    targets : sequence of str
        Names of the m targets.
    target_std : ndarray, shape (m,)
        By which the targets were divided for the training.
    source : str
        What was learned from, for the title: the name of the file.
    facts : mapping, optional
        More about the run, such as backend, device, time, why it stopped.
    columns : sequence of ColumnReport
        What was done to each column: `Preprocessor.report()`.
    environment : mapping, optional
        Versions and machine.
    best_epoch : int, optional
        The epoch whose weights were kept, counted from 1.
    mlp_visits : int
        MLPRegressor is left out if training rows x epochs is larger.

    Returns
    -------
    Report

    Raises
    ------
    ValueError
        If the shapes do not fit.
    OSError
        If the folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 1))
    >>> y = 2 * X + 1
    >>> parts = [Part(X[i : i + 20], y[i : i + 20], y[i : i + 20] + 0.1) for i in (0, 20, 40)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = write_report(
    ...         folder, config=Config(epochs=2), history=History([2.0, 1.0]), source="line.csv",
    ...         train=parts[0], validation=parts[1], test=parts[2],
    ...         targets=["y"], target_std=y[:20].std(axis=0))
    ...     "<!DOCTYPE html>" in (Path(folder) / "report.html").read_text(encoding="utf-8")
    True
    >>> round(report.scores["y"]["test"]["rmse"], 12)
    0.1
    """
    if any(part.y.shape[1] != len(targets) for part in (train, validation, test) if part):
        raise ValueError(f"{len(targets)} targets are named, y of the parts has another number")
    folder = Path(folder)
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    parts = {"train": train, "validation": validation} | ({"test": test} if test else {})
    judged = "test" if test else "validation"
    rivals = baselines(config, train.X, train.y, validation.X, validation.y, mlp_visits=mlp_visits)
    guesses = [rival.predict and rival.predict(parts[judged].X) for rival in rivals]
    found = [
        Target(name, column, parts, judged, rivals, guesses, config.seed)
        for column, name in enumerate(targets)
    ]

    blocks: list[Block] = [Heading(f"Training report: {source}", 1)]
    blocks += [Paragraph(_verdict(found), strong=True)]
    blocks += _what_was_run(config, parts, len(targets), facts or {})
    blocks += _data(parts, columns)
    blocks += _curves(config, history, target_std, best_epoch)
    blocks += [Heading("Scores and baselines"), Paragraph(_method(judged, len(parts[judged])))]
    blocks += [Paragraph(f"{rival.name}: {rival.note}") for rival in rivals]
    for number, one in enumerate(found, 1):
        blocks += one.blocks(number)
    blocks += _to_repeat(config, environment or {})

    pictures = [block for block in blocks if isinstance(block, Picture)]
    files = {folder / "report.html": to_html(blocks), folder / "report.md": to_markdown(blocks)}
    files |= {folder / "figures" / f"{one.name}.svg": one.svg for one in pictures}
    for path, text in files.items():
        write_atomically(path, text.encode())
    return Report(
        {one.name: one.result() for one in found},
        _verdict(found),
        list(files),
    )


def _verdict(found: Sequence[Target]) -> str:
    if len(found) == 1:
        return found[0].verdict()
    wins = [one.name for one in found if one.wins()]
    which = f": {listed(wins)}" if wins else ""
    return f"The network beats least squares on {len(wins)} of {len(found)} targets{which}."


def _what_was_run(
    config: Config, parts: Mapping[str, Part], outputs: int, facts: Mapping[str, object]
) -> list[Block]:
    sizes = [parts["train"].X.shape[1], *config.hidden_sizes, outputs]
    parameters = sum((a + 1) * b for a, b in itertools.pairwise(sizes))
    layers = "–".join(map(str, sizes))
    rows = {
        "network": f"{layers}, {config.activation}, {parameters:,} parameters",
        "loss": LOSSES[config.loss],
        "optimizer": f"{config.optimizer}, learning rate {config.lr:g}, {config.schedule}",
        "batch size": f"{config.batch_size:,}",
        "seed": str(config.seed),
        **{name: str(value) for name, value in (facts or {}).items()},
    }
    return [Heading("What was run"), Table("The run", ("option", "value"), list(rows.items()))]


def _data(parts: Mapping[str, Part], columns: Sequence[ColumnReport]) -> Iterator[Block]:
    total = sum(map(len, parts.values()))
    yield Heading("Data")
    yield Paragraph(
        "Scales, categories and weights are learned on the training rows. The validation rows "
        "choose the epoch."
        + (" The test rows are used for nothing but the scores." * ("test" in parts))
    )
    yield Table(
        f"The split of {total:,} rows",
        ("part", "rows", "share"),
        [(name, f"{len(part):,}", f"{len(part) / total:.1%}") for name, part in parts.items()],
        numbers=True,
    )
    if columns:
        yield Table(
            "What was done to each column",
            ColumnReport._fields,
            [[short(row.column), *map(_cell, row[1:])] for row in columns],
        )


def _curves(
    config: Config, history: History, target_std: Array, best_epoch: int | None
) -> Iterator[Block]:
    factor, name = loss_unit(config.loss, target_std)
    epochs = len(history.epoch_loss)
    yield Heading("Learning curves")
    if best_epoch:
        yield Paragraph(
            f"The weights are those after epoch {best_epoch} of {epochs}, which had the lowest "
            "validation loss."
        )
    drawn = (
        f"{plotting.MAX_POINTS:,} of {epochs:,}" if epochs > plotting.MAX_POINTS else f"{epochs:,}"
    )
    last = {
        label: values[-1] * factor
        for label, values in (("training", history.epoch_loss), ("validation", history.val_loss))
        if values
    }
    ends = " and ".join(f"{label} loss {value:.4g}" for label, value in last.items())
    yield Picture(
        "learning-curves",
        plotting.to_svg(
            plotting.plot_learning_curves(history, loss=name, factor=factor, best_epoch=best_epoch)
        ),
        f"Losses over {epochs:,} epochs; they end with {ends}.",
        f"Losses: {drawn} epochs. The dotted one is the mean over the batches while the weights "
        "moved.",
    )
    if len(set(history.lr)) > 1:
        yield Picture(
            "learning-rate",
            plotting.to_svg(plotting.plot_learning_rate(history)),
            f"Learning rate over {epochs:,} epochs, from {history.lr[0]:.4g} to "
            f"{history.lr[-1]:.4g}.",
            "Learning rate of the last step of each epoch.",
        )


def _method(judged: str, rows: int) -> str:
    text = (
        f"The intervals come from drawing the {judged} rows again and again, with "
        "replacement. They cover the choice of these rows, not the seed of the training. A "
        "difference is taken row by row, so that what makes a row hard for both models cancels; "
        "an interval below zero means that the network is better."
    )
    if judged == "validation":
        text += (
            " No rows were kept for a test. The validation rows also chose the epoch, so that "
            "these scores are too good by an unknown amount."
        )
    if rows < FEW_ROWS:
        text += f" With {rows_of(rows, judged)} an interval says little."
    return text


def _to_repeat(config: Config, environment: Mapping[str, object]) -> Iterator[Block]:
    yield Heading("To repeat it")
    yield Table(
        "All options",
        ("option", "value"),
        [(field.name, _cell(getattr(config, field.name))) for field in fields(config)],
    )
    if environment:
        yield Table(
            "Environment",
            ("what", "value"),
            [(str(name), _cell(value)) for name, value in environment.items()],
        )


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(_cell, value)) or "none"
    return "none" if value is None else str(value)
