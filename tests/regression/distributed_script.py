"""What the tests of `bpref.regression.distributed` start with torchrun.

Usage: distributed_script.py TASK FOLDER. A task is JSON: which function, with which arguments; or
several of them by name. Every process leaves ``<rank>.json`` or ``<rank>.npz`` and ``<rank>.code``
in the folder, or in that of the name.
"""

import itertools
import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from bpref.regression import distributed
from bpref.regression.callbacks import Callback
from bpref.regression.config import Config
from bpref.regression.distributed import exit_code, join, train_on
from bpref.regression.errors import RunError
from bpref.regression.interruption import Stopped
from bpref.regression.trainer import Data, train

RANK = os.environ.get("RANK", "0")
LOST = 60.0  # seconds: no test needs them


def table(rows=11, d=3, m=2, weights=False, seed=0):
    rng = np.random.default_rng(seed)
    X, X_val = rng.standard_normal((rows, d)), rng.standard_normal((5, d))
    y = np.tanh(X @ rng.standard_normal((d, m))) + 0.3 * rng.standard_normal((rows, m))
    y_val = X_val @ rng.standard_normal((d, m))
    w = rng.uniform(0.1, 2, rows) if weights else None
    return Data(X, y, X_val, y_val, w, None if w is None else rng.uniform(0.1, 2, 5))


class Gradients(Callback):
    """Keep the gradient of every step; the rate is so small that the weights stay."""

    def __init__(self):
        self.found = []

    def on_step(self, state):
        parts = [np.asarray(p.grad).ravel() for p in state.model.parameters()]
        self.found.append(np.concatenate(parts))


def still(options):
    """Return a configuration whose weights do not move."""
    return Config(**{"epochs": 1, "lr": 1e-300, "backend": "torch", "device": "cpu", **options})


def gradients(group, folder, cases):
    """Gradients of all batches: summed by the engine, and by DistributedDataParallel."""
    found = {}
    for name, case in cases.items():
        config, data = still(case["options"]), table(**case.get("data", {}))
        keep = Gradients()
        train_on(group, config, data, callbacks=[keep])
        found[f"{name} engine"] = keep.found
        for mean in ("weighted", "plain"):
            found[f"{name} {mean}"] = by_ddp(group, config, data, mean == "plain")
    np.savez(folder / f"{RANK}.npz", **found)


def by_ddp(group, config, data, plain):
    """Gradients as DistributedDataParallel averages them, of every batch of the first epoch."""
    import torch
    from torch.nn.parallel import DistributedDataParallel

    from bpref.regression.batches import Batches
    from bpref.regression.loss import Criterion
    from bpref.regression.model import MLP

    dtype = getattr(torch, config.dtype)
    sizes = data.X_train.shape[1], config.hidden_sizes, data.y_train.shape[1]
    options = {"activation": config.activation, "seed": config.seed, "dtype": dtype}
    model = DistributedDataParallel(MLP(*sizes, **options))
    criterion = Criterion(config.loss, config.huber_delta)
    batches = Batches(
        torch.tensor(data.X_train, dtype=dtype),
        torch.tensor(data.y_train, dtype=dtype),
        data.w_train,
        batch_size=config.batch_size,
        seed=config.seed,
        rank=group.rank,
        world_size=group.world_size,
    )
    found = []
    for x, y, weight, total in batches:
        model.zero_grad()
        own = float(len(x) if weight is None else weight.sum())
        # The mean over the processes is that over the rows if each loss is a share of the batch's.
        loss = criterion(model(x), y, weight, own if plain else total / group.world_size)
        loss.backward()
        found.append(np.concatenate([p.grad.numpy().ravel() for p in model.parameters()]))
    return found


def runs(group, folder, cases):
    """Weights and histories of whole runs."""
    arrays, numbers = {}, {}
    for name, case in cases.items():
        outcome = train_on(group, Config(**case["options"]), table(**case.get("data", {})))
        arrays |= {f"{name} {key}": value for key, value in outcome.last.items()}
        numbers[name] = [
            vars(outcome.history),
            outcome.best_epoch,
            outcome.epochs_run,
            outcome.stop_reason,
        ]
        if outcome.epochs_run > 2:  # the checkpoint of several processes is one for one process
            arrays |= {
                f"{name} checkpoint {key}": value
                for key, value in outcome.checkpoint.items()
                if isinstance(value, np.ndarray)
            }
    np.savez(folder / f"{RANK}.npz", **arrays)
    (folder / f"{RANK}.json").write_text(json.dumps(numbers))


class Fault(Callback):
    """Something goes wrong in one process after so many steps."""

    def __init__(self, folder, kind):
        self.folder, self.kind = folder, kind

    def on_step(self, state):
        print("a line of process", RANK)
        print("a warning of process", RANK, file=sys.stderr)
        if state.step == 5:
            if self.kind == "error":
                raise RunError("run/checkpoint: no space left on the device")
            if self.kind == "fault":
                raise ZeroDivisionError("a fault of the program")
            if self.kind == "interrupt":
                raise KeyboardInterrupt
            if self.kind == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.kind == "hang":
                time.sleep(13)
            if self.kind == "signal":
                os.kill(os.getpid(), signal.SIGINT)
            if self.kind == "callback":
                state.stop_reason = "disk nearly full"
                return True
        if self.kind == "ready":
            (self.folder / f"{RANK}.ready").touch()
            time.sleep(0.01)
        return None


class Signals(Callback):
    """End the run in order when a signal comes."""

    def __init__(self):
        self.got = None
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.note)

    def note(self, number, frame):
        self.got = number

    def on_step(self, state):
        if self.got is None:
            return None
        state.stop_reason = signal.Signals(self.got).name
        return True


def fault(group, folder, kind, rank):
    """A long run with a fault in one process, which returns how it ended."""
    signals = Signals()
    callbacks = [signals]
    if rank in (group.rank, "all"):
        callbacks.append(Fault(folder, kind))
    data = table(rows=8)
    if kind == "other data" and group.rank == rank:
        data = table(rows=8, seed=1)
    if kind == "nan":
        data.X_train[3] = np.nan
    config = Config(epochs=100_000, batch_size=8, lr=1e-6, device="cpu", patience=90_000)
    outcome = train_on(group, config, data, callbacks=callbacks)
    (folder / f"{RANK}.json").write_text(json.dumps([outcome.stop_reason, outcome.steps]))
    if group.rank == 0:
        time.sleep(0.5)  # it saves what there is, and has the word
    raise Stopped(signal.Signals[outcome.stop_reason], f"resume process {RANK}")


def main(folder, task, attempt=0):
    """Do a task as a command would: one line for an error, one exit code."""
    distributed._meetings = itertools.count(attempt)
    work = {"gradients": gradients, "runs": runs, "fault": fault}[task.pop("function")]
    try:
        with join(task.pop("timeout", LOST)) as group:
            work(group, folder, **task)
        code = 0
    except SystemExit as error:
        code = exit_code(error)
    except BaseException as error:
        print(f"bpref-train: error: {str(error) or type(error).__name__}", file=sys.stderr)
        code = exit_code(error)
    (folder / f"{RANK}.code").write_text(str(code))
    sys.exit(code)


def one_after_the_other(folder, tasks):
    """Do each task in a process of its own, which need not import everything again."""
    import torch.distributed.rendezvous  # noqa: F401

    train(still({}), table())  # imports what the first step does
    for attempt, (name, task) in enumerate(tasks.items()):
        own = folder / name
        own.mkdir(exist_ok=True)
        (own / f"{RANK}.begins").touch()
        while len(list(own.glob("*.begins"))) < int(os.environ["WORLD_SIZE"]):
            time.sleep(0.02)  # else one of them waits long for the other's last task to end
        if child := os.fork():
            os.waitpid(child, 0)
            continue
        signal.alarm(90)
        for number, stream in ((1, "out"), (2, "err")):
            os.dup2(os.open(own / f"{RANK}.{stream}", os.O_WRONLY | os.O_CREAT), number)
        main(own, task, attempt)


if __name__ == "__main__":
    tasks, folder = json.loads(sys.argv[1]), Path(sys.argv[2])
    if "function" in tasks:
        main(folder, tasks)
    one_after_the_other(folder, tasks)
