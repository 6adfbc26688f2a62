"""One thread for a run whose work is too small to be shared among the cores."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController

_blas, _torch = threading.Lock(), threading.Lock()


@cache
def _libraries() -> ThreadpoolController:
    """Return the libraries with threads of their own in this process; they are looked up once."""
    return ThreadpoolController()


def one_blas_thread() -> AbstractContextManager[None]:
    """Let the library behind NumPy's matrix products use one thread, then as many as before."""
    return _by_the_first(_blas, lambda: _libraries().limit(limits=1, user_api="blas"))


def one_thread() -> AbstractContextManager[None]:
    """Let PyTorch use one thread, then as many as before."""
    return _by_the_first(_torch, _one_torch_thread)


@contextmanager
def _by_the_first(
    lock: threading.Lock, limit: Callable[[], AbstractContextManager[Any]]
) -> Iterator[None]:
    """Limit the threads, a number of the whole process, unless another run has done so.

    Of runs that overlap, as in a grid search with threads, the first one sets the number and takes
    it back: another would take its 1 for what was before.
    """
    if not lock.acquire(blocking=False):
        yield
        return
    try:
        with limit():
            yield
    finally:
        lock.release()


@contextmanager
def _one_torch_thread() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
