"""The command as a process of its own: one that can be killed, without waiting for imports.

A server process imports what the command needs and forks for each command.
"""

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import warnings
from collections import namedtuple
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRELOAD = ["bpref.regression.running", "bpref.regression.report", "bpref.regression.prediction"]
PRELOAD += ["bpref.regression.command", "tensorboard.summary.writer.record_writer"]
PRELOAD += ["sklearn.neural_network", "scipy.stats", "matplotlib.backends.backend_svg"]
PRELOAD += ["torch._dynamo"]  # takes seconds, at the first step of an optimizer

Done = namedtuple("Done", "code out err")


def _server():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    return context


class Command:
    """A command that runs; `hook`, with its arguments, is called in the process before it."""

    def __init__(self, folder, *args, hook=None, stdout=None, environment=None):
        name = f"{time.monotonic_ns()}"
        folder.joinpath("logs").mkdir(exist_ok=True)
        self.out, self.err = (folder / "logs" / f"{name}.{kind}" for kind in ("out", "err"))
        arguments = [str(arg) for arg in args]
        paths = str(stdout or self.out), str(self.err)
        saved = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = str(ROOT)
        try:
            self.process = _server().Process(
                target=_child, args=(arguments, str(folder), paths, hook or (), environment or {})
            )
            self.process.start()
        finally:
            os.environ.pop("PYTHONPATH")
            if saved is not None:
                os.environ["PYTHONPATH"] = saved

    def signal(self, number):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, number)

    def wait(self, seconds=60):
        self.process.join(seconds)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
            raise AssertionError(f"no end after {seconds} s: {self.err.read_text()}")
        # A process that was killed at once has not even opened them.
        out, err = (p.read_text() if p.exists() else "" for p in (self.out, self.err))
        return Done(self.process.exitcode, out, err)


def run(folder, *args, **options):
    return Command(folder, *args, **options).wait()


def torchrun(folder, *args, signal=0):
    """Run the command in two processes, the second gets the signal; also its messages alone."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node", "2", "--"),
            *(str(ROOT / "tests/regression/distributed_command.py"), str(int(signal))),
            *map(str, args),
        ],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("bpref-train: ")]
    return done, lines


def _child(args, folder, paths, hook, environment):
    for number, path in enumerate(paths, start=1):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(descriptor, number)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w", 1)
    os.environ.update(environment)
    os.chdir(folder)
    warnings.simplefilter("error")
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    from bpref.regression.command import main

    if hook:
        function, *arguments = hook
        function(*arguments)
    code = main(args)
    os._exit(code)  # as a shell sees it: without the clean-up of multiprocessing


# Hooks


def die():
    os.kill(os.getpid(), signal.SIGKILL)


class DyingFile:
    """A file that half of what is written reaches; then the process is killed."""

    def __init__(self, file):
        self.file = file

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def write(self, data):
        self.file.write(data[: len(data) // 2])
        self.file.flush()
        die()


def die_at(moment, number, name=""):
    """Die at the nth write of a file of that name: `half`, `written`, `synced` or `renamed`."""
    from bpref.regression import atomic

    left, paths = [number], {}

    def is_it(path):
        if not str(path).removesuffix(".part").endswith(name):
            return False
        left[0] -= 1
        return left[0] == 0

    class System:
        """The module os with a trap."""

        def __getattr__(self, attribute):
            return getattr(os, attribute)

        def fsync(self, descriptor):
            path = paths.pop(descriptor, None)  # None: a folder
            hit = moment in ("written", "synced") and path is not None and is_it(path)
            if hit and moment == "written":
                die()
            os.fsync(descriptor)
            if hit:
                die()

        def replace(self, source, target):
            os.replace(source, target)
            if moment == "renamed" and is_it(target):
                die()

    def open_(path, mode="r"):
        file = open(path, mode)  # noqa: SIM115
        paths[file.fileno()] = path
        return DyingFile(file) if moment == "half" and is_it(path) else file

    atomic.os, atomic.open = System(), open_


def slowly(seconds):
    """Wait after every step, so that a signal from outside finds the run at work."""
    at_step(lambda step: time.sleep(seconds))


def signal_at(step, *numbers):
    """Send signals to the process itself behind a step."""
    at_step(lambda now: [signal.raise_signal(n) for n in numbers] if now == step else None)


def at_step(call):
    from bpref.regression.saving import Saving

    original = Saving.on_step

    def on_step(self, state):
        call(state.step)
        return original(self, state)

    Saving.on_step = on_step
