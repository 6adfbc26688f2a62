import contextlib
import fcntl
import io
import os
import pty
import re
import struct
import termios
import threading

import pytest

from bpref.regression.callbacks import TrainingState
from bpref.regression.progress import Progress, StepProgress, progress


def fit(bar, epochs, first=0, steps=4, stop=None, val_loss=0.25):
    state = TrainingState(epochs=epochs, steps_per_epoch=steps, epoch=first, step=first * steps)
    bar.on_fit_start(state)
    for epoch in range(first + 1, epochs + 1):
        for _ in range(steps):
            state.step += 1
            if isinstance(bar, StepProgress):
                bar.on_step(state)
        state.epoch, state.epoch_loss, state.val_loss = epoch, 1 / epoch, val_loss
        bar.on_epoch_end(state)
        if epoch == stop:
            break
    bar.on_fit_end(state)


def lines(epochs, **options):
    file = io.StringIO()
    every = options.pop("every", None)
    factor = options.pop("factor", 1.0)
    fit(Progress(100, every=every, factor=factor, file=file), epochs, **options)
    return file.getvalue().splitlines()


def epochs_of(found):
    return [int(re.match(r"epoch (\d+)/", line)[1]) for line in found]


def test_without_a_terminal_a_line_now_and_then():
    found = lines(100)
    assert epochs_of(found) == [1, *range(10, 101, 10)]
    pattern = (
        r"epoch 10/100: training loss 0\.1, validation loss 0\.25, [\d,]+ rows/s, \d\d:\d\d left"
    )
    assert re.fullmatch(pattern, found[1])


@pytest.mark.parametrize(
    ("epochs", "options", "expected"),
    [
        (3, {}, [1, 2, 3]),
        (7, {"every": 5}, [1, 5, 7]),
        (1, {"every": 5}, [1]),
        (100, {"every": 1000}, [1, 100]),
        (10, {"first": 6, "every": 4}, [7, 8, 10]),
    ],
)
def test_which_epochs_have_a_line(epochs, options, expected):
    assert epochs_of(lines(epochs, **options)) == expected


def test_losses_are_in_the_unit_of_the_target_and_only_those_measured():
    (line,) = lines(1, factor=9.0, val_loss=float("nan"))
    assert "training loss 9, " in line
    assert "validation" not in line


@contextlib.contextmanager
def terminal(columns=100):
    """A real one; the list gets what is written to it."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    shown = []

    def read():
        with contextlib.suppress(OSError):  # the other end is closed
            while data := os.read(ours, 4096):
                shown.append(data.decode())

    reader = threading.Thread(target=read)
    reader.start()
    file = os.fdopen(theirs, "w")
    yield file, shown
    file.close()
    reader.join()
    os.close(ours)


@pytest.mark.parametrize("kind", [Progress, StepProgress])
def test_on_a_terminal_a_bar(kind):
    with terminal() as (file, shown):
        fit(kind(100, file=file, factor=2.0), 5)
    last = "".join(shown).split("\r")[-2].strip()
    assert last.startswith("epoch 5/5 |")
    assert "| 100%, training loss 0.4, validation loss 0.5, " in last
    assert re.search(r"[\d.]+k?M?rows/s, 00:00 left$", last)
    assert all(len(line.strip()) <= 100 for line in re.split(r"[\r\n]", "".join(shown)))


def test_a_run_that_stops_early_leaves_the_bar_where_it_was():
    with terminal() as (file, shown):
        fit(Progress(100, file=file), 10, stop=4)
    text = "".join(shown)
    assert "epoch 4/10" in text
    assert " 40%" in text
    assert "100%" not in text
    assert text.endswith("\n")


def test_a_continued_run_starts_where_it_was():
    with terminal() as (file, shown):
        fit(Progress(100, file=file), 4, first=2)
    assert "50%" in "".join(shown).split("\r")[1]


def test_after_an_error_the_bar_can_be_closed():
    with terminal() as (file, shown), contextlib.closing(Progress(100, file=file)) as bar:
        bar.on_fit_start(TrainingState(epochs=3, steps_per_epoch=4))
        bar.close()
    assert "".join(shown).endswith("\n")


def test_only_large_tables_ask_for_every_step():
    assert type(progress(99_999)) is Progress
    assert type(progress(100_000)) is StepProgress
