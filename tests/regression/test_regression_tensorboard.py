import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from bpref.regression.callbacks import TrainingState
from bpref.regression.tensorboard import TensorBoard


def fit(log, epochs, first=0, loss=1.0, val_loss=True, stop=None, train_loss=False):
    """Call what a run calls; with `stop` it dies after that epoch."""
    state = TrainingState(epochs=epochs, steps_per_epoch=4, epoch=first)
    log.on_fit_start(state)
    for epoch in range(first + 1, epochs + 1):
        state.epoch, state.step, state.lr = epoch, 4 * epoch, 0.1 / epoch
        state.epoch_loss = loss / epoch
        if val_loss:
            state.val_loss = 2 * loss / epoch
        if train_loss:
            state.history.train_loss.append(loss / epoch / 2)
        log.on_epoch_end(state)
        if epoch == stop:
            log.close()  # what a killed process leaves
            return
    log.on_fit_end(state)


def read(folder):
    reader = EventAccumulator(str(folder))
    reader.Reload()
    return {
        tag: [(event.step, event.value) for event in reader.Scalars(tag)]
        for tag in reader.Tags()["scalars"]
    }


def test_a_reader_finds_what_was_written(tmp_path):
    fit(TensorBoard(tmp_path / "log", factor=4.0), 3, train_loss=True)
    found = read(tmp_path / "log")
    assert found == {
        "loss/training": [(e, pytest.approx(4 / e)) for e in (1, 2, 3)],
        "loss/training_after": [(e, pytest.approx(2 / e)) for e in (1, 2, 3)],
        "loss/validation": [(e, pytest.approx(8 / e)) for e in (1, 2, 3)],
        "learning_rate": [(e, pytest.approx(0.1 / e)) for e in (1, 2, 3)],
    }


def test_gradient_norms_and_whatever_else_is_given(tmp_path):
    norms = iter([0.5, 0.25])
    log = TensorBoard(
        tmp_path, more=lambda: {"gradient_norm/0.weight": next(norms), "gradient_norm/2.bias": 1.0}
    )
    fit(log, 2)
    found = read(tmp_path)
    assert found["gradient_norm/0.weight"] == [(1, 0.5), (2, 0.25)]
    assert found["gradient_norm/2.bias"] == [(1, 1.0), (2, 1.0)]


def test_what_was_not_measured_is_not_written(tmp_path):
    fit(TensorBoard(tmp_path), 2, val_loss=False)
    assert set(read(tmp_path)) == {"loss/training", "learning_rate"}


def test_a_run_that_is_continued_takes_back_what_its_checkpoint_does_not_know(tmp_path):
    fit(TensorBoard(tmp_path), 6, loss=1.0, stop=4)  # killed after epoch 4 …
    fit(TensorBoard(tmp_path), 6, first=2, loss=8.0)  # … with a checkpoint of epoch 2
    found = read(tmp_path)["loss/training"]
    assert found == [
        (e, pytest.approx(v))
        for e, v in [(1, 1), (2, 0.5), (3, 8 / 3), (4, 2), (5, 1.6), (6, 4 / 3)]
    ]


def test_a_clock_that_was_set_back_changes_nothing(tmp_path, monkeypatch):
    (tmp_path / "events.out.tfevents.of-another-program").touch()
    monkeypatch.setattr("time.time", lambda: 2e9)
    fit(TensorBoard(tmp_path), 6, loss=1.0, stop=4)
    monkeypatch.setattr("time.time", lambda: 1e9)
    fit(TensorBoard(tmp_path), 6, first=2, loss=8.0)
    found = read(tmp_path)["loss/training"]
    assert found == [
        (e, pytest.approx(v))
        for e, v in [(1, 1), (2, 0.5), (3, 8 / 3), (4, 2), (5, 1.6), (6, 4 / 3)]
    ]


def test_closing_twice_does_nothing(tmp_path):
    log = TensorBoard(tmp_path)
    log.close()
    fit(log, 1)
    log.close()
    log.close()
    assert read(tmp_path)["learning_rate"]
