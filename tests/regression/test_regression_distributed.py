import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import distributed_script as script
import numpy as np
import pytest
from regression_process import torchrun

from bpref.regression import distributed
from bpref.regression.callbacks import Callback, TrainingState
from bpref.regression.config import Config
from bpref.regression.distributed import Together, check_device, exit_code, join, train_on
from bpref.regression.errors import ConfigError, DataError, DivergenceError
from bpref.regression.trainer import train

SCRIPT = Path(script.__file__)
TOLERANCE = {"float32": 1e-6, "float64": 1e-12}


def start(task, folder, processes):
    """Start real processes, as a user does."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return subprocess.Popen(
        [sys.executable, *launcher, str(SCRIPT), json.dumps(task), str(folder)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(launcher, timeout=300):
    try:
        output, errors = launcher.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        launcher.terminate()
        raise
    return messages_in(errors), output, errors


def messages_in(errors):
    prefix = "bpref-train: error: "
    return [line.removeprefix(prefix) for line in errors.splitlines() if line.startswith(prefix)]


def codes(folder):
    return {int(path.stem): int(path.read_text()) for path in folder.glob("*.code")}


# --- gradients ---------------------------------------------------------------------------------

ODD = {"batch_size": 4}  # 4, 4, and 3 rows: no whole number for 2 or 3 processes
GRADIENTS = {
    f"{dtype} {name}": {"options": {**ODD, "dtype": dtype, **options}, "data": data}
    for dtype in ("float32", "float64")
    for name, options, data in (
        ("mse", {"activation": "tanh"}, {}),
        ("accumulate", {"accumulate": 2, "hidden_sizes": (6, 5)}, {}),
        ("autograd", {"hidden_sizes": (), "loss": "huber"}, {"weights": True}),
        ("mae", {"loss": "mae", "activation": "gelu"}, {"weights": True}),
        ("one row left", {"batch_size": 5}, {}),
        ("one row", {}, {"rows": 1}),
        ("even", {"batch_size": 6}, {"rows": 12}),
    )
}


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Folder of all that two processes did, one task after the other."""
    folder = tmp_path_factory.mktemp("two")
    tasks = {
        "gradients": {"function": "gradients", "cases": GRADIENTS},
        "runs": {"function": "runs", "cases": RUNS},
        **{name: {"function": "fault", **task} for name, (task, *_) in FAULTS.items()},
        "signal": {"function": "fault", "kind": "signal", "rank": 1},
    }
    messages, _, errors = finish(start(tasks, folder, 2))
    assert not messages, errors
    return folder


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    folder = tmp_path_factory.mktemp("three")
    tasks = {"gradients": {"function": "gradients", "cases": GRADIENTS}}
    messages, _, errors = finish(start(tasks, folder, 3))
    assert not messages, errors
    return folder


@pytest.fixture(params=["two", "three"])
def summed(request):
    """Gradients of two and of three processes, as each of them had them."""
    folder = request.getfixturevalue(request.param) / "gradients"
    assert set(codes(folder).values()) == {0}, (folder / "0.err").read_text()
    return [np.load(path) for path in sorted(folder.glob("*.npz"))]


@pytest.mark.parametrize("name", GRADIENTS)
def test_processes_have_the_gradient_of_one_and_of_distributed_data_parallel(summed, name):
    case = GRADIENTS[name]
    config, data = script.still(case["options"]), script.table(**case["data"])
    alone = script.Gradients()
    train(config, data, callbacks=[alone])
    tolerance = TOLERANCE[config.dtype]
    assert len(alone.found) == -(-len(data.X_train) // config.batch_size)
    for of_rank in summed:
        for batch, expected in enumerate(alone.found):
            for way in ("engine", "weighted"):
                found = of_rank[f"{name} {way}"][batch]
                assert found.dtype == np.dtype(config.dtype)
                np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)
        # The same bits everywhere: nothing drifts apart.
        assert (of_rank[f"{name} engine"] == summed[0][f"{name} engine"]).all()


def test_the_plain_mean_of_distributed_data_parallel_is_another_gradient(summed):
    """Why the docstring of the module says that the engine does not use it as it is."""
    even, odd = (np.asarray(summed[0][f"float64 {name} plain"]) for name in ("even", "mse"))
    np.testing.assert_allclose(even, summed[0]["float64 even engine"], rtol=0, atol=1e-12)
    differences = np.abs(odd - summed[0]["float64 mse engine"]).max(axis=1)
    uneven = {2: 2, 3: 0}[len(summed)]  # the batch of 3 rows, and the first of 4
    assert differences[uneven] > 1e-3
    assert differences[2 - uneven] < 1e-12


# --- whole runs --------------------------------------------------------------------------------

RUNS = {
    "sgd": {"options": {"epochs": 6, "momentum": 0.9, "loss": "huber"}},
    "adam": {
        "options": {"epochs": 6, "optimizer": "adam", "schedule": "cosine", "warmup_epochs": 2},
        "data": {"weights": True},
    },
    "dropout": {"options": {"epochs": 6, "dropout": 0.4, "hidden_sizes": (8, 7)}},
    "clipping": {"options": {"epochs": 6, "clip_norm": 0.05, "accumulate": 2, "lr": 0.1}},
    "one row left": {"options": {"epochs": 6, "batch_size": 5}},
    "early stopping": {
        "options": {"epochs": 400, "patience": 4, "lr": 0.2, "hidden_sizes": (20,)},
        "data": {"rows": 6},
    },
}
for _case in RUNS.values():
    _common = {"batch_size": 4, "dtype": "float64", "backend": "auto", "device": "cpu"}
    _case["options"] = {**_common, **_case["options"]}


@pytest.fixture
def whole(two):
    folder = two / "runs"
    assert codes(folder) == {0: 0, 1: 0}, (folder / "0.err").read_text()
    return [
        (np.load(folder / f"{rank}.npz"), json.loads((folder / f"{rank}.json").read_text()))
        for rank in range(2)
    ]


@pytest.mark.parametrize("name", RUNS)
def test_a_run_of_two_processes_is_that_of_one(whole, name):
    case = RUNS[name]
    config, data = Config(**case["options"]), script.table(**case.get("data", {}))
    outcome = train(config, data)  # in NumPy, as "auto" chooses here
    for arrays, numbers in whole:
        history, *rest = numbers[name]
        assert rest == [outcome.best_epoch, outcome.epochs_run, outcome.stop_reason]
        for key, values in vars(outcome.history).items():
            np.testing.assert_allclose(history[key], values, rtol=0, atol=1e-12)
        for key, expected in outcome.last.items():
            np.testing.assert_allclose(arrays[f"{name} {key}"], expected, rtol=0, atol=1e-12)
    assert whole[0][1] == whole[1][1]
    assert all((whole[0][0][key] == whole[1][0][key]).all() for key in whole[0][0])


def test_early_stopping_came_before_the_end(whole):
    _, best_epoch, epochs_run, reason = whole[0][1]["early stopping"]
    assert (epochs_run, reason) == (best_epoch + 4, "early stopping")
    assert epochs_run < 400


# --- faults ------------------------------------------------------------------------------------


FULL = "run/checkpoint: no space left on the device"
FAULTS = {  # task, exit code, message
    "error in 0": ({"kind": "error", "rank": 0}, 2, FULL),
    "error in 1": ({"kind": "error", "rank": 1}, 2, FULL),
    "error in all": ({"kind": "error", "rank": "all"}, 2, FULL),
    "fault": ({"kind": "fault", "rank": 1}, 1, "a fault of the program"),
    "interrupt": ({"kind": "interrupt", "rank": 1}, 130, "KeyboardInterrupt"),
    "kill 0": ({"kind": "kill", "rank": 0}, 1, "a process has ended without a message"),
    "kill 1": ({"kind": "kill", "rank": 1}, 1, "a process has ended without a message"),
    "hang": ({"kind": "hang", "rank": 1, "timeout": 10}, 1, "a process does not answer"),
    "data": ({"kind": "other data", "rank": 1}, 2, "data of process 1 are not those of process 0"),
    "nan": ({"kind": "nan", "rank": 0}, 1, "the inputs are not finite"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_one_process_ends_all_with_one_message(two, name):
    task, code, expected = FAULTS[name]
    folder = two / name
    errors = "".join((folder / f"{rank}.err").read_text() for rank in range(2))
    (message,) = messages_in(errors)
    assert expected in message
    assert "Traceback" not in errors
    killed = {task["rank"]} if task["kind"] == "kill" else set()
    assert codes(folder) == dict.fromkeys({0, 1} - killed, code)
    for stream in ("out", "err"):  # process 0 alone prints what is not an error
        assert "of process 1" not in (folder / f"1.{stream}").read_text().replace(message, "")


def test_a_signal_to_one_process_ends_all_after_the_same_step(two):
    folder = two / "signal"
    ends = [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]
    assert ends == [["SIGINT", 6], ["SIGINT", 6]]  # it came during step 5, behind the callback
    assert codes(folder) == {0: 130, 1: 130}
    errors = [(folder / f"{rank}.err").read_text() for rank in range(2)]
    assert messages_in("".join(errors)) == ["resume process 0"]


@pytest.mark.parametrize("name", ["error in 1", "kill 1"])
def test_torchrun_ends_with_them(tmp_path, name):
    task, code, expected = FAULTS[name]
    launcher = start({"function": "fault", **task}, tmp_path, 2)
    (message,), _, errors = finish(launcher)
    assert expected in message
    assert codes(tmp_path)[0] == code
    assert launcher.returncode == 1
    assert f"exitcode  : {-9 if task['kind'] == 'kill' else code}" in errors


def test_a_signal_to_torchrun_ends_all_after_the_same_step(tmp_path):
    launcher = start({"function": "fault", "kind": "ready", "rank": "all"}, tmp_path, 2)
    while len(list(tmp_path.glob("*.ready"))) < 2:
        assert launcher.poll() is None, launcher.stderr.read()
        time.sleep(0.05)
    launcher.send_signal(signal.SIGTERM)
    messages, _, errors = finish(launcher)
    assert messages == ["resume process 0"], errors
    ends = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2)]
    assert ends[0] == ends[1]
    assert ends[0][0] == "SIGTERM"
    assert codes(tmp_path) == {0: 143, 1: 143}


def test_a_process_that_stays_alone_says_so(tmp_path):
    environment = {
        **os.environ,
        **{"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"},
    }
    task = json.dumps({"function": "fault", "kind": "none", "rank": 0, "timeout": 2})
    done = subprocess.run(
        [sys.executable, str(SCRIPT), task, str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 1
    assert "bpref-train: error: the processes do not find each other" in done.stderr
    assert "Traceback" not in done.stderr


# --- the command -------------------------------------------------------------------------------

TRAIN = ("fit", "--epochs", "4", "--batch-size", "20", "--no-report", "--device", "cpu")


def state_of(run):
    from bpref.regression.run_folder import RunFolder

    state, _ = RunFolder(run).checkpoint()
    return state


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_command_whose_process_1_gets_a_signal_alone_is_taken_up_again(tmp_path, number):
    done, lines = torchrun(tmp_path, *TRAIN, "--checkpoint-every", 0, signal=number)
    run = tmp_path / "bpref-run"
    assert done.returncode == 1
    assert len(lines) == 1, done.stderr
    assert "is kept; go on with: bpref-train resume bpref-run" in lines[0]
    if number == signal.SIGTERM:
        assert lines[0].startswith("bpref-train: SIGTERM: stopped; the state after step 6 ")
    else:
        assert "a process has ended without a message" in lines[0]
    assert not (run / "result.json").exists()
    assert not (run / "model.safetensors").exists()
    done, lines = torchrun(tmp_path, "resume", "bpref-run", "--no-report")
    assert (done.returncode, lines) == (0, []), done.stderr
    resumed = state_of(run)
    done, lines = torchrun(tmp_path, *TRAIN, "--force")
    assert (done.returncode, lines) == (0, []), done.stderr
    whole = state_of(run)
    for key in whole:
        assert np.array_equal(whole[key], resumed[key]), key


def test_a_bad_option_is_refused_once(tmp_path):
    done, lines = torchrun(tmp_path, "fit", "--no-such-option")
    assert done.returncode == 1
    assert lines == ["bpref-train: error: unrecognized arguments: --no-such-option"], done.stderr


# --- without other processes -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"WORLD_SIZE": "two"}, "WORLD_SIZE must be an integer, got 'two'"),
        ({"WORLD_SIZE": "0"}, "WORLD_SIZE must be at least 1"),
        ({"WORLD_SIZE": "2"}, "RANK is not set"),
        ({"WORLD_SIZE": "2", "RANK": "0"}, "MASTER_ADDR is not set"),
        (
            {"WORLD_SIZE": "2", "RANK": "2", "MASTER_ADDR": "a", "MASTER_PORT": "1"},
            "RANK must be below 2, got 2",
        ),
    ],
)
def test_an_environment_that_does_not_fit_is_named(monkeypatch, environment, message):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=message), join():
        pass


@pytest.mark.parametrize("size", [None, "1"])
def test_one_process_is_a_run_as_any_other(monkeypatch, capsys, size):
    if size:
        monkeypatch.setenv("WORLD_SIZE", size)
    config, data = Config(epochs=2), script.table()
    with join() as group:
        assert group is None
        print("heard")
        outcome = train_on(group, config, data)
    assert capsys.readouterr().out == "heard\n"
    expected = train(config, data)
    assert outcome.backend == expected.backend
    assert all((outcome.last[key] == expected.last[key]).all() for key in expected.last)


def test_the_module_does_not_import_torch():
    code = "import sys, bpref.regression.distributed; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("device", "named", "count", "message"),
    [
        ("cuda:1", "cuda:1", 8, "one GPU for 2 processes"),
        ("cuda:1", "auto", 1, "2 processes on this machine, but 1 GPU"),
        ("cuda", "cuda", 0, "but 0 GPU"),
        ("mps", "auto", 0, "mps trains in one process"),
        ("cuda:1", "auto", 2, None),
        ("cpu", "cpu", 0, None),
    ],
)
def test_a_gpu_belongs_to_one_process(monkeypatch, device, named, count, message):
    import torch

    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setattr(distributed, "choose_device", lambda config: torch.device(device))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    if message is None:
        check_device(Config(device=named))
        return
    with pytest.raises(ConfigError, match=message):
        check_device(Config(device=named))


def with_code(code):
    error = RuntimeError()
    error.exit_code = code
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DataError("x"), 2),
        (OSError("x"), 2),
        (DivergenceError("x"), 1),
        (RuntimeError("x"), 1),
        (KeyboardInterrupt(), 130),
        (SystemExit(7), 7),
        (SystemExit(None), 0),
        (SystemExit("text"), 1),
        (with_code(143), 143),
    ],
)
def test_exit_codes(error, code):
    assert exit_code(error) == code


class Alone:
    """A group of one process, which hears what another says."""

    rank, world_size = 0, 2

    def __init__(self, other=False, reason=""):
        self.ended = False
        self.other, self.reason, self.sums = other, reason, 0

    def any(self, answer):
        self.sums += 1
        return answer or self.other

    def gather(self, text):
        return [text, self.reason]


def test_what_another_process_says_ends_the_run_here():
    group = Alone()
    together = Together(group, [Callback()])
    state = TrainingState()
    together.on_fit_start(state)
    assert (together.on_step(state), together.on_epoch_end(state)) == (False, False)
    assert not group.ended
    assert group.sums == 3  # none for the step: no process has a callback that may end it
    group.other, group.reason = True, "SIGTERM"
    assert together.on_epoch_end(state)
    assert state.stop_reason == "SIGTERM"
    assert group.ended
    assert Together(group, []).on_fit_start(state) is None
    assert together.on_fit_end(state) is None


def test_the_place_nearest_to_the_cause_is_told():
    generic = "the outputs are finite, their distance from the targets is not"
    layer = "the output of layer 2 (Linear) is not finite"
    inputs = "the inputs are not finite"
    assert distributed._where([generic, layer]) == layer
    assert distributed._where([layer, generic, inputs]) == inputs
    assert distributed._where([generic, generic]) == generic
