"""Several processes train one model: ``torchrun --nproc-per-node K -m -- bpref.regression fit …``.

(The ``--`` keeps torchrun from taking options such as ``--run`` for its own.)

Each process holds all rows and computes the gradient of its part of every batch, divided by the
size of the whole batch. So the sum over the processes is the gradient of the batch, whatever the
parts are. `torch.nn.parallel.DistributedDataParallel` computes the same (a test compares them),
but the engine does not wrap its model in it, for four reasons:

- It takes the plain mean of the gradients. Where the parts of a batch differ in size, or a process
  has no row of a small last batch, that is not the gradient of the batch.
- It waits for autograd to reach each parameter. The engine's backward pass is written by hand.
- The loss must be summed, too: all processes have to see the same number, or one stops for a nan
  and the others wait for it. The gradients are one vector already (`flat.flatten`) with room for
  the loss at its end, so one sum does for everything.
- What it is fast for, sending the gradients of the last layers while the first ones are computed,
  pays for models far larger than a perceptron for tables.

Everything that decides a run is computed from sums, and these are the same bits in every process.
So the weights are, too, and early stopping happens everywhere at once.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from bpref.regression.backend import choose_device
from bpref.regression.callbacks import Callback, Checkpoint, TrainingState, overriding
from bpref.regression.config import Config
from bpref.regression.errors import ConfigError, DivergenceError

if TYPE_CHECKING:
    from torch import Tensor

    from bpref.regression.trainer import Data, Outcome

TIMEOUT: Final = 600.0  # seconds: a checkpoint on a slow disk must fit in
LONGEST: Final = 1024  # bytes of a text that the processes tell each other
FAILED: Final = "failed"  # in the store: exit code of the process that failed first

_meetings = itertools.count()


class GroupError(RuntimeError):
    """Another process ended or stopped to answer. The message is one line."""


def processes() -> int:
    """Return how many processes train together, as torchrun says; 1 without it.

    Raises
    ------
    ConfigError
        If the environment variables do not fit each other.
    """
    count = _variable("WORLD_SIZE", 1)
    if count < 1:
        raise ConfigError(f"environment variable WORLD_SIZE must be at least 1, got {count}")
    if count == 1:
        return 1
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        if name not in os.environ:
            raise ConfigError(f"WORLD_SIZE is {count}, but {name} is not set: start with torchrun")
    if not 0 <= (rank := _variable("RANK", 0)) < count:
        raise ConfigError(f"environment variable RANK must be below {count}, got {rank}")
    return count


def _variable(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    try:
        return int(text)
    except ValueError:
        message = f"environment variable {name} must be an integer, got {text!r}"
        raise ConfigError(message) from None


# --8<-- [start:Group]
class Group:
    """Processes that train together, as `trainer.train` expects them.

    All methods are called by all processes, in the same order; each waits for the others.

    Attributes
    ----------
    rank, world_size : int
        Which process this is, from 0, and how many there are.
    ended : bool
        Whether all have ended the run together: what is to be said of it, process 0 says.

    Raises
    ------
    GroupError
        From every method, if a process has ended or does not answer in time.
    """

    def __init__(self, rank: int, world_size: int) -> None:
        self.rank, self.world_size = rank, world_size
        self.ended = False

    def sum_(self, tensor: Tensor) -> Tensor:
        """Replace a tensor by its sum over the processes: the same bits in each of them."""
        import torch.distributed as dist

        self._together(dist.all_reduce, tensor)
        return tensor

    def any(self, answer: bool) -> bool:
        """Return whether a process said True."""
        import torch

        return bool(self.sum_(torch.tensor([float(answer)])))

    def gather(self, text: str) -> list[str]:
        """Return what all processes said, in their order, cut at 1 KiB."""
        import torch
        import torch.distributed as dist

        message = torch.zeros(LONGEST, dtype=torch.uint8)
        letters = text.encode()[:LONGEST]
        message[: len(letters)] = torch.tensor(list(letters), dtype=torch.uint8)
        found = [torch.empty_like(message) for _ in range(self.world_size)]
        self._together(dist.all_gather, found, message)
        return [bytes(one.tolist()).rstrip(b"\0").decode(errors="ignore") for one in found]

    def wait(self) -> None:
        """Wait until all processes are here."""
        self.any(False)

    def _together(self, collective: Callable[..., Any], *arguments: Any) -> None:
        try:
            collective(*arguments)
        except RuntimeError as error:
            raise GroupError(_lost(error)) from error


# --8<-- [end:Group]


def _lost(error: RuntimeError) -> str:
    reason = str(error).splitlines()[0]
    if "imed out" in reason or "timeout" in reason.lower():
        return f"a process does not answer: {reason}"
    return f"a process has ended without a message (killed, or out of memory): {reason}"


# --8<-- [start:join]
@contextmanager
def join(timeout: float = TIMEOUT) -> Iterator[Group | None]:
    """Meet the other processes of torchrun, and leave them in order.

    Inside, only process 0 prints: the standard streams of the others lead nowhere. An error in
    one process ends all. It passes through in the process where it came first, which is to
    print it, outside; in the others it becomes a SystemExit with the same exit code. Where all end
    the run together, for a loss that is not finite or for a signal, process 0 has the word.

    Parameters
    ----------
    timeout : float, default 600
        Seconds that a process may keep the others waiting.

    Yields
    ------
    Group or None
        None without torchrun, or with ``--nproc-per-node 1``: a run as any other.

    Raises
    ------
    ConfigError
        If the environment variables do not fit each other.
    GroupError
        If the processes do not find each other.

    Notes
    -----
    torchrun itself ends with exit code 1 whatever the code of the processes was; it names that in
    its report. The sums go over NCCL for tensors on a GPU and over Gloo for those on the CPU.

    Examples
    --------
    >>> with join() as group:
    ...     print(group)
    None
    """
    if processes() == 1:
        yield None
        return
    group, store = _meet(timeout)
    try:
        with _silence(group.rank):
            yield group
    except BaseException as error:
        code, first = exit_code(error), True
        if group.rank and group.ended:
            first = False
        elif not isinstance(error, SystemExit):  # it has said what it had to say
            first, code = _report(store, group.rank, code)
        _part(failed=code != 0)
        if first:
            raise
        raise SystemExit(code) from error
    _part(failed=False)


# --8<-- [end:join]


def exit_code(error: BaseException) -> int:
    """Return the exit code for an error, or the one that it has as ``exit_code``.

    1 for a run that diverged or a fault of the program, 2 for bad input, 130 for Ctrl-C.
    """
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    if isinstance(error, KeyboardInterrupt):
        return 130
    known = getattr(error, "exit_code", None)
    if isinstance(known, int):
        return known
    return 2 if isinstance(error, ValueError | OSError | MemoryError) else 1


def _meet(timeout: float) -> tuple[Group, Any]:
    import torch
    import torch.distributed as dist
    from torch.distributed.rendezvous import rendezvous

    seconds = timedelta(seconds=timeout)
    backend = "gloo"
    if torch.cuda.is_available() and dist.is_nccl_available():
        backend = "cpu:gloo,cuda:nccl"
        local_rank = _variable("LOCAL_RANK", 0)
        if local_rank < torch.cuda.device_count():
            torch.cuda.set_device(local_rank)
    try:
        store, rank, world_size = next(rendezvous("env://", timeout=seconds))
        # torchrun's store remembers who met before in these processes.
        store = dist.PrefixStore(f"bpref/{next(_meetings)}", store)  # type: ignore[attr-defined]
        dist.init_process_group(
            backend, store=store, rank=rank, world_size=world_size, timeout=seconds
        )
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise GroupError(f"the processes do not find each other: {reason}") from error
    return Group(rank, world_size), store


@contextmanager
def _silence(rank: int) -> Iterator[None]:
    with ExitStack() as stack:
        if rank:
            nowhere = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
            stack.enter_context(redirect_stdout(nowhere))
            stack.enter_context(redirect_stderr(nowhere))
        yield


def _report(store: Any, rank: int, code: int) -> tuple[bool, int]:
    """Say that this process failed; return whether it is the first, and the first one's code."""
    own = f"{code} {rank}"
    try:
        first = store.compare_set(FAILED, "", own).decode()
    except RuntimeError:  # the store has gone with the process that had it
        return True, code
    return first == own, int(first.split()[0])


def _part(failed: bool) -> None:
    """Close the connections: who waits for this process sees it at once."""
    import torch.distributed as dist

    # NCCL would wait for what is under way, and that is for a process that is gone.
    if dist.is_initialized() and not (failed and "nccl" in dist.get_backend_config()):
        dist.destroy_process_group()


# --8<-- [start:train_on]
def train_on(
    group: Group | None,
    config: Config,
    data: Data,
    *,
    callbacks: Iterable[Callback] = (),
    state: Checkpoint | None = None,
) -> Outcome:
    """Train as `trainer.train` does, in all processes of a group.

    Parameters
    ----------
    group : Group or None
        From `join`; None trains in this process.
    config, data, state
        As for `trainer.train`, the same in all processes.
    callbacks : iterable of Callback
        Those of this process; what writes files belongs to process 0. Where one of them ends the
        run, all processes end it after the same step, with the same ``stop_reason``: a signal
        may have come to one of them only.

    Returns
    -------
    Outcome
        The same in all processes.

    Raises
    ------
    ConfigError
        If the processes have other options or data, or a device cannot be used by several.
    GroupError
        If a process has ended or does not answer.
    ValueError, DivergenceError
        As `trainer.train`.

    Examples
    --------
    >>> from bpref.regression.trainer import Data
    >>> X = np.linspace(-1, 1, 8)[:, None]
    >>> with join() as group:
    ...     outcome = train_on(group, Config(epochs=2), Data(X, 2 * X + 1))
    >>> outcome.steps
    2
    """
    from bpref.regression.trainer import train

    if group is None:
        return train(config, data, callbacks=callbacks, state=state)
    check_device(config)
    _check_alike(group, config, data, state)
    try:
        return train(config, data, callbacks=[Together(group, callbacks)], state=state, group=group)
    except DivergenceError as error:
        group.ended = True
        place = _where(group.gather(error.place))
        error.args = (str(error).replace(error.place, place),)
        error.place = place
        raise


# --8<-- [end:train_on]


class Together(Callback):
    """Callbacks of one process, whose answer counts for all.

    Parameters
    ----------
    group : Group
    callbacks : iterable of Callback
        Each process may have its own.
    """

    def __init__(self, group: Group, callbacks: Iterable[Callback]) -> None:
        self.group, self.callbacks = group, list(callbacks)
        self._on_step = overriding(self.callbacks, "on_step")
        self._asks = False

    def on_fit_start(self, state: TrainingState) -> None:
        """Call those of this process; one may say that the run is at its end."""
        # A sum in each step only where a callback may end the run there.
        self._asks = self.group.any(bool(self._on_step))
        self._call("on_fit_start", state)
        self._agree(bool(state.stop_reason), state)

    def on_step(self, state: TrainingState) -> bool:
        """Call those of this process, and ask the others."""
        answers = [method(state) for method in self._on_step]
        return self._asks and self._agree(True in answers, state)

    def on_epoch_end(self, state: TrainingState) -> bool:
        """Call those of this process, and ask the others."""
        return self._agree(self._call("on_epoch_end", state), state)

    def on_fit_end(self, state: TrainingState) -> None:
        """Call those of this process."""
        self._call("on_fit_end", state)

    def _call(self, name: str, state: TrainingState) -> bool:
        answers = [method(state) for method in overriding(self.callbacks, name)]
        return True in answers

    def _agree(self, ends: bool, state: TrainingState) -> bool:
        """Return whether a process ends the run, and write its reason into the state."""
        if not self.group.any(ends):
            return False
        self.group.ended = True
        reasons = self.group.gather(state.stop_reason if ends else "")
        state.stop_reason = next(filter(None, reasons), state.stop_reason)
        return True


def check_device(config: Config) -> None:
    """Refuse a device that the processes of a machine can't have one each of.

    Raises
    ------
    ConfigError
        With the device and the number of processes.
    """
    import torch

    device, local = choose_device(config), _variable("LOCAL_WORLD_SIZE", 1)
    if device.type == "mps":
        raise ConfigError("device mps trains in one process; use cpu for several")
    if device.type != "cuda":
        return
    if local > 1 and ":" in config.device:
        raise ConfigError(f"device {config.device!r} is one GPU for {local} processes; use cuda")
    if (count := torch.cuda.device_count()) < local:
        raise ConfigError(f"device cuda: {local} processes on this machine, but {count} GPU(s)")


def _check_alike(group: Group, config: Config, data: Data, state: Checkpoint | None) -> None:
    """Refuse processes that would not train the same model on the same rows."""
    for name, value in (
        ("options", config.to_dict()),
        ("data", vars(data)),
        ("checkpoint", state or {}),
    ):
        digests = group.gather(_digest(value))
        others = [rank for rank, one in enumerate(digests) if one != digests[0]]
        if others:
            raise ConfigError(f"{name} of process {others[0]} are not those of process 0")


def _digest(values: Mapping[str, Any]) -> str:
    digest = hashlib.blake2b()
    for name, value in sorted(values.items()):
        if isinstance(value, np.ndarray):
            digest.update(f"{name} {value.dtype} {value.shape}".encode())
            digest.update(np.ascontiguousarray(value).data)
        else:
            digest.update(f"{name} {json.dumps(value)}".encode())
    return digest.hexdigest()


def _where(places: list[str]) -> str:
    """Return the place nearest to the cause: each process has looked at its own rows only."""

    def distance(place: str) -> int:
        starts = ("the gradient", "the inputs", "the output of")
        return next((n for n, start in enumerate(starts) if place.startswith(start)), sys.maxsize)

    return min(places, key=distance)
