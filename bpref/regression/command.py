"""The command `bpref-train`: fit, predict, evaluate, resume, plot."""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout, suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from bpref.regression.errors import (
    ConfigError,
    DataError,
    DivergenceError,
    GradientError,
    RunError,
)
from bpref.regression.interruption import Interruption, Stopped
from bpref.regression.options import PROG, build_parser, config_of
from bpref.regression.wording import path_name, visible

if TYPE_CHECKING:  # these take a second, and `--help` needs none of them
    from bpref.regression.distributed import Group
    from bpref.regression.run_folder import RunFolder

DIVERGED, UNUSABLE, BROKEN_PIPE = 1, 2, 141
DAY: Final = 24 * 60 * 60.0  # seconds: a report of a large table must fit in


def fit(args: argparse.Namespace, interruption: Interruption, group: Group | None) -> None:
    """Train on a table, in a new folder."""
    config = config_of(args)
    _check_file(args)
    from bpref.regression.environment import environment
    from bpref.regression.preparation import prepare
    from bpref.regression.recipe import Recipe
    from bpref.regression.run_folder import RunFolder
    from bpref.regression.running import check_device, describe, follow, run

    folder = RunFolder(args.run)
    follows = group is not None and group.rank > 0
    if not follows:
        folder.check_free(force=args.force)  # before a large table is read
    columns = {"drop": args.drop, "categorical": args.categorical}
    delimiter = args.delimiter or ","
    rows = prepare(config, args.file, args.target, **columns, delimiter=delimiter)
    check_device(config, rows)
    split = rows.split_csv()
    recipe = Recipe(
        config=config,
        file=None if args.file is None else os.path.abspath(args.file),
        sha256=rows.sha256,
        targets=rows.preprocessor.target_names,
        drop=tuple(args.drop),
        categorical=tuple(args.categorical),
        delimiter=delimiter,
        rows={part: len(lines) for part, lines in rows.lines.items()},
        split_sha256=sha256(split).hexdigest(),
        log_gradients=args.log_gradients,
    )
    if group is not None and group.rank:
        follow(group, recipe, rows, interruption)
        return
    say = _speaker(args)
    with folder.new(force=args.force):
        folder.begin(recipe, rows.preprocessor, split, environment())
        say(describe(recipe, rows))
        run(
            folder,
            recipe,
            rows,
            interruption,
            say,
            every=args.checkpoint_every,
            report=not args.no_report,
            quiet=args.quiet,
            check_gradients=args.check_gradients,
            group=group,
        )


def resume(args: argparse.Namespace, interruption: Interruption, group: Group | None) -> None:
    """Go on with a run."""
    from bpref.regression.environment import differences, environment
    from bpref.regression.preparation import restore
    from bpref.regression.run_folder import RunFolder
    from bpref.regression.running import follow, run

    folder = RunFolder(args.folder)
    recipe = folder.open()
    say = _speaker(args)
    follows = group is not None and group.rank > 0
    with nullcontext() if follows else folder.locked():
        result = folder.result()
        if result is not None and result.get("status") == "diverged":
            raise RunError(
                f"{folder.name}: the run diverged, and would again: {result.get('message')}"
            )
        if result is not None:
            say(f"{folder.name}: the run has ended before; nothing is left to do")
            return
        rows = restore(folder, recipe, args.file)
        state, seconds = folder.checkpoint()
        if group is not None and group.rank:
            follow(group, recipe, rows, interruption, state)
            return
        for change in differences(folder.read_json("environment.json"), environment()):
            _note(f"{change}: the last digits may differ from those of an uninterrupted run")
        where = f"epoch {state['epoch']}, step {state['step']}" if state else "the beginning"
        say(f"{folder.name}: goes on from {where} of {recipe.config.epochs} epochs")
        run(
            folder,
            recipe,
            rows,
            interruption,
            say,
            every=args.checkpoint_every,
            report=not args.no_report,
            quiet=args.quiet,
            state=state,
            seconds=seconds,
            group=group,
        )


def plot(args: argparse.Namespace) -> None:
    """Write the report of a run again."""
    from bpref.regression.preparation import restore
    from bpref.regression.run_folder import RunFolder
    from bpref.regression.running import history_of, report_on

    folder = RunFolder(args.folder)
    recipe = folder.open()
    with folder.locked():
        model = folder.model()
        state, _ = folder.checkpoint()
        if state is None:
            raise RunError(f"{folder.name}: no losses to draw: checkpoint.safetensors is missing")
        rows = restore(folder, recipe, args.file)
        facts = {name: state[name] for name in ("backend", "device")}
        if not model.final:
            facts["state"] = f"not finished: after {state['epoch']} epochs"
        report = report_on(folder, recipe, rows, model, history_of(state), facts)
        _speaker(args)(f"{visible(report.verdict)}\nwrote {path_name(folder.path / 'report.html')}")


def predict(args: argparse.Namespace) -> None:
    """Append predictions to the rows of a table."""
    from bpref.regression.prediction import write_predictions
    from bpref.regression.preparation import read_part
    from bpref.regression.run_folder import RunFolder
    from bpref.regression.running import predictions

    folder = RunFolder(args.folder)
    recipe, preprocessor, model = folder.open(), folder.preprocessor(), folder.model()
    delimiter = args.delimiter or recipe.delimiter
    if args.output is not None and _same_file(args.output, args.file):
        raise ConfigError(f"--output is the table itself: {args.output}")
    if args.output is not None and folder.holds(args.output):
        raise ConfigError(f"--output is a file of the run: {args.output}")
    frame = read_part(preprocessor, recipe, args.file, targets=False, delimiter=delimiter)
    values = predictions(folder, recipe, preprocessor, model, preprocessor.transform(frame))
    left_out = write_predictions(
        args.file, delimiter, frame.index.to_numpy(), values, preprocessor, args.output
    )
    if not args.quiet:
        _note_if_unfinished(folder, model.final, model.epoch)
        if left_out:
            rows = "1 row has" if left_out == 1 else f"{left_out} rows have"
            _note(f"{rows} no prediction: a value is missing (--missing drop)")


def evaluate(args: argparse.Namespace) -> None:
    """Print scores with intervals."""
    from bpref.regression.preparation import read_part, restore, sha256_of
    from bpref.regression.run_folder import RunFolder
    from bpref.regression.running import predictions, scores_of

    folder = RunFolder(args.folder)
    recipe, preprocessor, model = folder.open(), folder.preprocessor(), folder.model()
    own = args.file is None or sha256_of(args.file) == recipe.sha256
    if own:
        rows = restore(folder, recipe, args.file)
        parts = {part: X for part, (X, _) in rows.parts.items()}
        truths = {part: rows.truth(part) for part in parts}
    else:
        frame = read_part(preprocessor, recipe, args.file, targets=True, delimiter=args.delimiter)
        parts = {"all": preprocessor.transform(frame)}
        try:
            preprocessor.transform_targets(frame)
        except DataError as error:
            raise DataError(f"{error}: a score needs the true value") from None
        truths = {"all": frame[list(preprocessor.target_names)].to_numpy(float)}
        if recipe.file is not None and _same_file(recipe.file, args.file):
            _note(
                f"{args.file} has changed since the training: rows that the network has learned "
                "from may be among these"
            )
    _note_if_unfinished(folder, model.final, model.epoch)
    for part, X in parts.items():
        guess = predictions(folder, recipe, preprocessor, model, X)
        print(scores_of(part, truths[part], guess, preprocessor.target_names, recipe.config.seed))


COMMANDS: Final[dict[str, Callable[..., None]]] = {
    "fit": fit,
    "predict": predict,
    "evaluate": evaluate,
    "resume": resume,
    "plot": plot,
}
BY_ALL: Final = (fit, resume)  # processes of torchrun; the others by the first of them


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code.

    0: done. 1: the training diverged, or the gradients differ. 2: a file, an option or a folder
    cannot be used. 130, 143: stopped by Ctrl-C or by SIGTERM. Other than 0, one line on standard
    error says why.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the shell: >&-
            setattr(sys, name, io.TextIOWrapper(_Nowhere()))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name may hold what it cannot show
    with _one_speaks():
        parser = build_parser()
        args = parser.parse_args(argv)
        if args.command is None:
            parser.error(f"a command is needed: {', '.join(COMMANDS)} (see {PROG} --help)")
    try:
        with Interruption() as interruption:
            _act(args, interruption)
            sys.stdout.flush()
    except Stopped as stop:
        return _fail(stop.exit_code, stop, kind=stop.name)
    except (DivergenceError, GradientError) as error:
        return _fail(DIVERGED, error)
    except DataError as error:
        from bpref.regression.advice import advised

        missing = getattr(args, "missing", "error")  # an option of "fit" alone
        return _fail(UNUSABLE, advised(str(error), args.command, missing))
    except (ConfigError, RunError) as error:
        return _fail(UNUSABLE, error)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("bpref"):
            raise
        return _fail(UNUSABLE, f"{error.name} is not installed: pip install 'bpref[regression]'")
    except (MemoryError, RuntimeError) as error:
        from bpref.regression.distributed import GroupError

        if isinstance(error, GroupError):
            return _fail(DIVERGED, error)
        # PyTorch has RuntimeErrors for it: of the CPU, and OutOfMemoryError of a GPU.
        if isinstance(error, RuntimeError) and not re.search("allocat|out of memory", str(error)):
            raise
        return _fail(UNUSABLE, "not enough memory for this table or this network")
    except BrokenPipeError:  # the reader of the output has gone, as `head` does
        _drop_output()
        return BROKEN_PIPE
    except OSError as error:
        name = error.filename or "standard output"
        _drop_output()
        return _fail(UNUSABLE, f"{name}: {error.strerror or error}")
    return 0


def _act(args: argparse.Namespace, interruption: Interruption) -> None:
    """Do it in all processes of torchrun; or in the first, and the others end as it does."""
    from bpref.regression.distributed import TIMEOUT, join

    command = COMMANDS[args.command]
    with join(TIMEOUT if command in BY_ALL else DAY) as group:
        if command in BY_ALL:
            command(args, interruption, group)
            return
        if group is None or group.rank == 0:
            command(args)
        if group is not None:
            group.wait()


@contextmanager
def _one_speaks() -> Iterator[None]:
    """Let only the first of torchrun's processes print: all of them read the same options."""
    if os.environ.get("RANK", "0") == "0":
        yield
        return
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        try:
            yield
        except SystemExit:
            time.sleep(2)  # torchrun ends the others when one fails: the first has to speak
            raise


def _check_file(args: argparse.Namespace) -> None:
    if args.file is not None:
        return
    for name in ("target", "drop", "categorical", "delimiter"):
        value = getattr(args, name)
        if value:
            last = value[-1]
            first = "; FILE comes before the options" if os.path.isfile(last) else ""
            raise ConfigError(f"--{name} needs a FILE{first}")


def _speaker(args: argparse.Namespace) -> Callable[[str], None]:
    """Return what prints a text now, or nothing if the command is to be quiet."""

    def say(text: str) -> None:
        try:
            print(text, flush=True)
        except BrokenPipeError:  # no reader any more: no reason to end a run
            _drop_output()

    return (lambda text: None) if args.quiet else say


def _note(text: str) -> None:
    print(f"{PROG}: note: {visible(text)}", file=sys.stderr)


def _note_if_unfinished(folder: RunFolder, final: bool, epoch: int) -> None:
    if not final:
        _note(
            f"the run is not finished: these are its best weights so far, of epoch {epoch}; "
            f"{folder.command('resume')} goes on"
        )


def _same_file(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


class _Nowhere(io.RawIOBase):
    """What a stream leads to that the shell has closed."""

    def writable(self) -> bool:
        """Take everything."""
        return True

    def write(self, data: Any) -> int:
        """Forget it."""
        return len(data)


def _fail(code: int, reason: object, kind: str = "error") -> int:
    line = visible(" ".join(str(reason).split()))
    with suppress(OSError):  # there may be no one to tell
        print(f"{PROG}: {kind}: {line}", file=sys.stderr)
    return code


def _drop_output() -> None:
    """Let the interpreter flush what is left of the output to nowhere."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
    except (OSError, ValueError):
        pass
