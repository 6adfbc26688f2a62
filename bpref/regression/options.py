"""The options of the command, and the help that fits a screen."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import Field, fields
from typing import Any, Final, NoReturn

from bpref import __version__
from bpref.regression.config import Config
from bpref.regression.wording import visible

PROG: Final = "bpref-train"

MAIN: Final = f"""\
usage: {PROG} COMMAND ...

Train a regression network on a CSV table, use it, judge it.

commands
  fit [FILE]             train; without FILE: y = 2x + 1 + noise
  predict FOLDER FILE    append predictions to the rows of a table
  evaluate FOLDER [FILE] scores, with intervals
  resume FOLDER          go on with a run that was interrupted
  plot FOLDER            draw the report and its figures again

A first try:
  {PROG} fit
  {PROG} fit houses.csv --target price --run trial
  {PROG} predict trial new-houses.csv --output predicted.csv

{PROG} COMMAND --help lists the options of a command.
Exit codes: 0 done, 1 diverged or gradients differ, 2 a file, an option or a
folder cannot be used, 130 and 143 stopped by a signal; `resume` goes on.
"""

FIT: Final = """\
usage: bpref-train fit FILE --target COLUMN ... [options]

Train a perceptron on a CSV table; without FILE on the article's line.
Defaults stand in brackets.

  --target COLUMN ...       what to predict: one column of numbers, or more
  --drop COLUMN ...         columns that are not used
  --categorical COLUMN ...  columns whose numbers are names, such as codes
  --delimiter CHAR          between the cells [,]
  --missing POLICY          of missing cells: error, drop, mean [{missing}]
  --validation X, --test X  shares of the rows [{validation}, {test}]

  --hidden-sizes N ...      units of the hidden layers; none: linear model [10]
  --activation NAME         relu, tanh, sigmoid, gelu, leaky_relu, identity
                            [{activation}]
  --dropout X               share of the units that a step leaves out [{dropout:g}]
  --loss NAME               mse, mae, huber [{loss}]; --huber-delta X [{huber_delta:g}]
  --optimizer NAME          sgd, adam, adamw, rmsprop, adagrad [{optimizer}]
  --lr X, --momentum X      learning rate [{lr}]; of sgd, rmsprop [{momentum:g}]
  --weight-decay X          [{weight_decay:g}]
  --schedule NAME           of the rate: constant, cosine, linear, step
                            [{schedule}]; --warmup-epochs N [{warmup_epochs}]
  --epochs N                passes over the training rows [{epochs}]
  --batch-size N            rows of a step [{batch_size}]; in N parts: --accumulate N [{accumulate}]
  --clip-norm X             largest norm of the gradient [none]
  --patience N              stop after N epochs without a better validation loss

  --seed N                  of the split, weights, order, dropout [{seed}]
  --device NAME             auto, cpu, cuda, cuda:1, mps [{device}]; --amp: bfloat16
  --dtype NAME              float32, float64 [{dtype}]
  --backend NAME            auto, torch, numpy [{backend}]
  --run FOLDER              what the run is kept in, TensorBoard's logs as well
                            [bpref-run]; for torchrun, which has a --run of its
                            own: --folder
  --force                   replace the run that FOLDER holds
  --checkpoint-every X      seconds between two checkpoints, at least [10]
  --check-gradients         compare autograd with bpref on the first batch
  --log-gradients           norms per layer; warn where they vanish or explode
  --no-report, --quiet      leave the report out; print errors only
""".format(**vars(Config()))

PREDICT: Final = f"""\
usage: {PROG} predict FOLDER FILE [--output FILE] [--delimiter CHAR]

Append a column "predicted_TARGET" to the rows of a CSV table. FILE needs the
feature columns of the training, in any order; others stay as they are.

  FOLDER            of a run
  FILE              the table
  --output FILE     where the rows go [standard output]
  --delimiter CHAR  between the cells [that of the training]
  --quiet           no note on what was left empty
"""

EVALUATE: Final = f"""\
usage: {PROG} evaluate FOLDER [FILE] [--delimiter CHAR]

Print MSE, RMSE, MAE and R² of every target, with bootstrap intervals: for all
rows of FILE, or without it for the training, validation, test rows of the run.

  FOLDER            of a run
  FILE              a table with the feature columns and the targets
  --delimiter CHAR  between the cells [that of the training]
"""

RESUME: Final = f"""\
usage: {PROG} resume FOLDER [FILE] [options]

Go on with a run that was interrupted. Its weights will be those of a run that
never was, bit for bit on the same machine with the same versions.

  FOLDER                of the run
  FILE                  the table, if it is no longer where it was
  --checkpoint-every X  seconds between two checkpoints, at least [10]
  --no-report           leave the report out
  --quiet               print errors only
"""

PLOT: Final = f"""\
usage: {PROG} plot FOLDER [FILE]

Write report.html, report.md and the figures of a run again. The table is read
again, for the baselines.

  FOLDER   of a run
  FILE     the table, if it is no longer where it was
  --quiet  print errors only
"""


class Parser(argparse.ArgumentParser):
    """A parser with a help of its own, whose errors are one line."""

    def __init__(self, text: str = "", **options: Any) -> None:
        super().__init__(**{**options, "prog": PROG, "allow_abbrev": False})
        self.text = text

    def format_help(self) -> str:
        """Return the text as it is."""
        return self.text

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, without the usage."""
        line = visible(" ".join(message.split()))
        self.exit(2, f"{PROG}: error: {line}\n")


def build_parser() -> Parser:
    """Return the parser of all commands."""
    parser = Parser(MAIN)
    parser.add_argument("--version", action="version", version=f"{PROG} {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    fit = commands.add_parser("fit", text=FIT)
    fit.add_argument("file", nargs="?")
    for name in ("target", "drop", "categorical"):
        fit.add_argument(f"--{name}", nargs="+", action="extend", default=[])
    for field in fields(Config):
        fit.add_argument(f"--{field.name.replace('_', '-')}", **_option(field))
    # torchrun takes every --run for its own --run-path, also behind the name of the program.
    fit.add_argument("--run", "--folder", default="bpref-run", metavar="FOLDER")
    for name in ("force", "check-gradients", "log-gradients"):
        fit.add_argument(f"--{name}", action="store_true")

    predict = commands.add_parser("predict", text=PREDICT)
    predict.add_argument("--output", metavar="FILE")
    evaluate = commands.add_parser("evaluate", text=EVALUATE)
    resume = commands.add_parser("resume", text=RESUME)
    plot = commands.add_parser("plot", text=PLOT)
    for command in (predict, evaluate, resume, plot):
        command.add_argument("folder", metavar="FOLDER")
        command.add_argument("file", metavar="FILE", nargs=None if command is predict else "?")
    for command in (fit, predict, evaluate):
        command.add_argument("--delimiter", type=_delimiter, metavar="CHAR")
    for command in (fit, resume):
        command.add_argument("--checkpoint-every", type=_seconds, default=10.0, metavar="X")
        command.add_argument("--no-report", action="store_true")
    for command in (fit, predict, resume, plot):
        command.add_argument("--quiet", action="store_true")
    return parser


def config_of(args: argparse.Namespace) -> Config:
    """Return the configuration that the options of "fit" ask for."""
    return Config(**{field.name: getattr(args, field.name) for field in fields(Config)})


def _option(field: Field[Any]) -> dict[str, Any]:
    kind = str(field.type)
    if kind == "bool":
        return {"action": "store_true"}
    if kind.startswith("tuple"):
        return {"nargs": "*", "type": int, "default": field.default, "metavar": "N"}
    types: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "str": str}
    return {"type": types[kind.split(" ")[0]], "default": field.default, "metavar": "X"}


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number of seconds, got {text!r}")
    return value


def _delimiter(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("must be one character, got ''")
    return "\t" if text in ("\\t", "tab") else text


_seconds.__name__ = "float"  # argparse prints it in "invalid float value: 'x'"
