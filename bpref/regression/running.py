"""A run in its folder: train, save, judge, report; and say what happens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from itertools import pairwise
from signal import SIGTERM
from typing import Any, Self

import numpy as np

from bpref.regression import trainer
from bpref.regression.atomic import writing
from bpref.regression.backend import choose_backend, choose_device
from bpref.regression.bootstrap import LEVEL, score_intervals
from bpref.regression.callbacks import Callback, Checkpoint, TrainingState
from bpref.regression.config import Config
from bpref.regression.distributed import Group, GroupError, train_on
from bpref.regression.errors import DivergenceError, GradientError, RunError
from bpref.regression.frames import Array
from bpref.regression.gradients import GradientLog, check_gradients
from bpref.regression.history import History
from bpref.regression.interruption import INTERRUPTED, Interruption, Stopped
from bpref.regression.preparation import LINE, Rows
from bpref.regression.preprocessing import Preprocessor
from bpref.regression.progress import progress
from bpref.regression.recipe import Recipe
from bpref.regression.run_folder import Model, RunFolder
from bpref.regression.saving import Saving
from bpref.regression.scores import METRICS, NAMES, loss_unit, scores, shown
from bpref.regression.tensorboard import TensorBoard
from bpref.regression.wording import path_name, short, visible

MOST_COLUMNS = 20  # in what is printed; the report has all


def run(
    folder: RunFolder,
    recipe: Recipe,
    rows: Rows,
    interruption: Interruption,
    say: Callable[[str], None],
    *,
    every: float,
    report: bool = True,
    quiet: bool = False,
    check_gradients: bool = False,
    state: Checkpoint | None = None,
    seconds: float = 0.0,
    group: Group | None = None,
) -> None:
    """Train to the end, or until a signal comes, and leave everything in the folder.

    Parameters
    ----------
    folder : RunFolder
        Locked, with config.json, preprocessing.json and split.csv.
    recipe, rows
        Of the run.
    interruption : Interruption
        Open.
    say : callable
        Takes what is to be printed.
    every : float
        Seconds between two checkpoints.
    report : bool
        Whether report.html is written.
    quiet : bool
        Whether the progress is not shown.
    check_gradients : bool
        Whether `gradients.check_gradients` has a look first.
    state, seconds
        Checkpoint to go on from, and the time that it took to get there.
    group : Group, optional
        Processes that train together; this one is number 0. The others `follow`.

    Raises
    ------
    DivergenceError
        If a loss is not finite. The weights of the best epoch are kept.
    GradientError
        If `check_gradients` finds a difference.
    GroupError
        If another process has ended. The last checkpoint is kept.
    RunError
        If a file cannot be written. The last checkpoint is kept.
    Stopped
        After a signal; the state is saved.
    """
    with _kept(folder, state) as kept:
        interruption.waits = True  # a signal ends the step, not the process
        config, data = recipe.config, data_of(rows)
        if check_gradients:
            _check_gradients(config, data, say)
        factor = loss_factor(config, rows.preprocessor)
        with ExitStack() as stack:
            more = None
            callbacks: list[Callback] = []
            if recipe.log_gradients:
                path = folder.path / "gradients.jsonl"
                log = GradientLog(
                    config, data.X_train, path, warn=lambda text: say(f"warning  {text}")
                )
                callbacks.append(stack.enter_context(closing(log)))
                more = log.scalars
            board = TensorBoard(folder.path / "tensorboard", factor=factor, more=more)
            saving = Saving(
                folder,
                interruption,
                every=every,
                factor=factor,
                seconds=seconds,
                before=[board.flush],
            )
            kept.saving = saving
            callbacks += [stack.enter_context(closing(board)), stack.enter_context(closing(saving))]
            if not quiet:
                bar = progress(len(data.X_train), factor=factor)
                callbacks.append(stack.enter_context(closing(bar)))
            outcome = _train(folder, config, data, callbacks, state, group)
        seconds = saving.seconds

        saving.save(outcome.checkpoint)
        interruption.waits = False  # from here on a signal stops at once
        if interruption.received or outcome.stop_reason == INTERRUPTED:
            raise Stopped(interruption.received or SIGTERM)  # it may have come to another process
        folder.save_model(outcome.best, outcome.best_epoch)
        model = Model(outcome.best, outcome.best_epoch, final=True)
        facts = {
            "backend": outcome.backend,
            "device": outcome.device,
            "epochs done": f"{outcome.epochs_run} ({outcome.stop_reason})",
            "training time": f"{seconds:.3g} s",
        }
        say(
            f"trained  {outcome.epochs_run} epochs, {outcome.steps} steps in "
            f"{seconds:.3g} s with {outcome.backend} on {outcome.device}: "
            f"{outcome.stop_reason}; weights of epoch {outcome.best_epoch}"
        )
        if recipe.log_gradients:
            say(
                f"gradients norms of each layer are in {path_name(folder.path / 'gradients.jsonl')}"
            )
        if report:
            say("report   is being written: baselines on the same rows")
            written = report_on(folder, recipe, rows, model, outcome.history, facts)
            found = written.scores
            say(f"result   {visible(written.verdict)}")
        else:
            found = judge(folder, recipe, rows, model)
        folder.write_json(
            "result.json",
            {
                "status": "finished",
                "reason": outcome.stop_reason,
                "epochs": outcome.epochs_run,
                "steps": outcome.steps,
                "best_epoch": outcome.best_epoch,
                "best_validation_loss": outcome.best_loss * factor,
                "backend": outcome.backend,
                "device": outcome.device,
                "seconds": seconds,
                "scores": found,
            },
        )
    say(scores_table(found))
    where = folder.path / "report.html" if report else folder.path
    say(f"written  {path_name(where)}; next: {folder.command('predict')} FILE")


def _train(
    folder: RunFolder,
    config: Config,
    data: trainer.Data,
    callbacks: Sequence[Callback],
    state: Checkpoint | None,
    group: Group | None,
) -> trainer.Outcome:
    """Train; of a divergence, say what is kept."""
    try:
        return train_on(group, config, data, callbacks=callbacks, state=state)
    except DivergenceError as error:
        kept = _keep_what_was_good(folder, error)
        raise DivergenceError(f"{error}; {kept}") from None
    except ValueError as error:
        if state is None or isinstance(error, RunError):
            raise
        raise RunError(f"{path_name(folder.checkpoint_path)}: {error}") from None


def follow(
    group: Group,
    recipe: Recipe,
    rows: Rows,
    interruption: Interruption,
    state: Checkpoint | None = None,
) -> None:
    """Train as another process than number 0: write nothing, end with the others.

    Raises
    ------
    Stopped
        After a signal, which may have come to another process.
    """
    interruption.waits = True
    callbacks = [Stop(interruption)]
    outcome = train_on(group, recipe.config, data_of(rows), callbacks=callbacks, state=state)
    if outcome.stop_reason == INTERRUPTED:
        raise Stopped(interruption.received or SIGTERM)


class Stop(Callback):
    """End the run after a signal."""

    def __init__(self, interruption: Interruption) -> None:
        self.interruption = interruption

    def on_step(self, state: TrainingState) -> bool:
        """Ask for the signal."""
        if not self.interruption.received:
            return False
        state.stop_reason = INTERRUPTED
        return True


def _check_gradients(config: Config, data: trainer.Data, say: Callable[[str], None]) -> None:
    found = check_gradients(config, data)
    say(str(found))
    if not found.ok:
        raise GradientError(f"{str(found).splitlines()[-1]}; nothing was trained")


class _kept:
    """Say after an error or a signal what of the run is kept, and how to go on."""

    def __init__(self, folder: RunFolder, state: Checkpoint | None) -> None:
        self.folder, self.state = folder, state
        self.saving: Saving | None = None  # once there is one

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, _: Any) -> None:
        if not isinstance(error, RunError | GroupError | Stopped):
            return
        epoch, step = (self.state["epoch"], self.state["step"]) if self.state else (0, 0)
        if self.saving is not None and self.saving.saved is not None:
            epoch, step = self.saving.saved
        where = (
            f"the state after step {step} (epoch {epoch}) is kept" if step else "no step was saved"
        )
        if not self.folder.path.exists():
            text = f"{self.folder.name}: the folder of the run was removed; nothing is kept"
        elif isinstance(error, Stopped):
            text = f"stopped; {where}; go on with: {self.folder.command('resume')}"
        else:
            text = f"{error}; {where}; go on with: {self.folder.command('resume')}"
        if isinstance(error, Stopped):
            raise Stopped(error.signal, text) from None
        raise type(error)(text) from None


def _keep_what_was_good(folder: RunFolder, error: DivergenceError) -> str:
    outcome = error.outcome
    if outcome.best_epoch:
        folder.save_model(outcome.best, outcome.best_epoch)
        kept = f"the weights of epoch {outcome.best_epoch} are kept in {folder.name}"
    else:
        kept = "no epoch had ended, so no weights are kept"
    folder.write_json(
        "result.json",
        {
            "status": "diverged",
            "message": str(error),
            "epoch": error.epoch,
            "step": error.step,
            "place": error.place,
            "best_epoch": outcome.best_epoch,
        },
    )
    return kept


def data_of(rows: Rows) -> trainer.Data:
    """Return what is trained and validated on."""
    return trainer.Data(*rows.parts["train"], *rows.parts["validation"])


def check_device(config: Config, rows: Rows) -> None:
    """Refuse a device that cannot be used here, before a folder is made.

    Raises
    ------
    ConfigError
    """
    if choose_backend(config, sizes_of(config, rows.preprocessor)) == "torch":
        choose_device(config)


def sizes_of(config: Config, preprocessor: Preprocessor) -> tuple[int, ...]:
    """Return the units of every layer, from the columns of X to the targets."""
    return len(preprocessor.x_names), *config.hidden_sizes, len(preprocessor.targets)


def loss_factor(config: Config, preprocessor: Preprocessor) -> float:
    """Return the factor from a loss of the engine to the unit of the target."""
    std = np.array([column.std for column in preprocessor.targets])
    return loss_unit(config.loss, std)[0]


def history_of(checkpoint: Mapping[str, Any]) -> History:
    """Return the losses of a checkpoint."""
    return History(**{name: checkpoint[f"history.{name}"].tolist() for name in vars(History())})


def predictions(
    folder: RunFolder, recipe: Recipe, preprocessor: Preprocessor, model: Model, X: Array
) -> Array:
    """Return the predictions (N, m) for X in the unit of the targets, on any machine.

    Raises
    ------
    RunError
        If the weights do not fit config.json.
    """
    config = replace(recipe.config, device="auto", backend="auto", amp=False)
    try:
        return preprocessor.inverse_targets(trainer.predict(config, model.weights, X))
    except (ValueError, IndexError) as error:
        raise RunError(f"{folder.name}: the weights do not fit config.json: {error}") from None


def report_on(
    folder: RunFolder,
    recipe: Recipe,
    rows: Rows,
    model: Model,
    history: History,
    facts: dict[str, Any],
) -> Any:
    """Write the report and the figures; return the `report.Report`.

    Raises
    ------
    RunError
        If they cannot be written.
    """
    from bpref.regression.report import Part, write_report

    preprocessor = rows.preprocessor
    parts = {
        part: Part(
            X.astype(np.float64, copy=False),
            rows.truth(part),
            predictions(folder, recipe, preprocessor, model, X),
        )
        for part, (X, _) in rows.parts.items()
    }
    if rows.source == LINE:
        facts = facts | {"noise floor": "1: no predictor of this line can expect a smaller MSE"}
    with writing(folder.path):
        return write_report(
            folder.path,
            config=recipe.config,
            history=history,
            train=parts["train"],
            validation=parts["validation"],
            test=parts.get("test"),
            targets=preprocessor.target_names,
            target_std=np.array([column.std for column in preprocessor.targets]),
            source=rows.source,
            facts=facts,
            columns=preprocessor.report(),
            environment=folder.read_json("environment.json"),
            best_epoch=model.epoch,
        )


def judge(folder: RunFolder, recipe: Recipe, rows: Rows, model: Model) -> dict[str, Any]:
    """Return the scores of every target and part: `found[target][part][metric]`."""
    found: dict[str, Any] = {name: {} for name in rows.preprocessor.target_names}
    for part, (X, _) in rows.parts.items():
        truth = rows.truth(part)
        guess = predictions(folder, recipe, rows.preprocessor, model, X)
        for column, name in enumerate(found):
            values = scores(truth[:, column], guess[:, column])
            found[name][part] = {
                metric: float(value) if np.isfinite(value) else None
                for metric, value in values.items()
            }
    return found


# What is printed


def describe(recipe: Recipe, rows: Rows) -> str:
    """Say what the run is made from, and what was done to each column."""
    config, preprocessor = recipe.config, rows.preprocessor
    counts = ", ".join(f"{n} {part}" for part, n in recipe.rows.items() if n)
    sizes = sizes_of(config, preprocessor)
    parameters = sum((d + 1) * m for d, m in pairwise(sizes))
    columns = preprocessor.report()
    left_out = preprocessor.dropped_rows
    lines = [
        f"table    {rows.source}: {sum(recipe.rows.values())} rows: {counts}"
        + (f"; {left_out} left out, which miss a value" if left_out else ""),
        *(
            f"{column.role:8} {visible(short(column.column))}"
            f"{column.kind and f' ({column.kind})'}: {column.treatment}"
            for column in columns[:MOST_COLUMNS]
        ),
        f"network  {'–'.join(map(str, sizes))} {config.activation}, {parameters} parameters",
        f"training {config.loss}, {config.optimizer}, learning rate {config.lr:g}, "
        f"batches of {config.batch_size}, {config.epochs} epochs, seed {config.seed}",
    ]
    if len(columns) > MOST_COLUMNS:
        more = f"         … and {len(columns) - MOST_COLUMNS} more columns: see report.html"
        lines.insert(1 + MOST_COLUMNS, more)
    return "\n".join(lines)


def scores_table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the scores of all parts as text."""
    lines = []
    for target, of_target in found.items():
        parts = [part for part in ("train", "validation", "test") if part in of_target]
        lines.append(f"{visible(short(target)):20}" + "".join(f"{part:>12}" for part in parts))
        for metric in METRICS:
            values = [shown(of_target[part][metric], metric) for part in parts]
            lines.append(f"  {NAMES[metric]:18}" + "".join(f"{value:>12}" for value in values))
    return "\n".join(lines)


def scores_of(part: str, y: Array, prediction: Array, targets: Sequence[str], seed: int) -> str:
    """Return the scores of one part, with intervals, as text."""
    lines = []
    for column, target in enumerate(targets):
        truth, guess = y[:, column], prediction[:, column]
        spans = score_intervals(truth, guess, seed=seed)
        name = visible(short(target))
        lines.append(f"{name}: {len(truth)} rows ({part}), with {LEVEL:.0%} interval")
        for metric, value in scores(truth, guess).items():
            span = spans[metric]
            ends = f"{shown(span.low, metric)} to {shown(span.high, metric)}" if span else "none"
            lines.append(f"  {NAMES[metric]:6}{shown(float(value), metric):>12}   {ends}")
    return "\n".join(lines)
