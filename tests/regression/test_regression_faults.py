"""What happens to a run: killed, interrupted, out of space, diverged, two at once."""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from regression_process import Command, die_at, run, signal_at, slowly

from bpref.regression import checkpoint

resource = pytest.importorskip("resource", reason="signals, locks and limits of POSIX")

EPOCHS, STEPS = 6, 4  # 34 training rows in batches of 10
TRAIN = ["fit", "table.csv", "--target", "y", "--epochs", EPOCHS, "--batch-size", 10]
TRAIN += ["--no-report", "--quiet", "--run", "run"]
BACKENDS = {
    "numpy": ["--backend", "numpy", "--optimizer", "adam", "--dropout", 0.25],
    "torch": ["--backend", "torch", "--optimizer", "rmsprop", "--schedule", "cosine"],
}
RESUME = ["resume", "run", "--no-report", "--quiet"]
OFTEN = ["--checkpoint-every", 0]  # after every step


def write_table(folder):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(48, 2))
    kind = rng.choice(["red", "blue"], 48)
    y = x @ [2.0, -1.0] + (kind == "red") + 0.1 * rng.normal(size=48)
    columns = zip(x.tolist(), kind, y.tolist(), strict=True)
    rows = [f"{a},{k},{b},{c}" for (a, b), k, c in columns]
    (folder / "table.csv").write_text("a,kind,b,y\n" + "\n".join(rows) + "\n")


@pytest.fixture
def folder(tmp_path):
    write_table(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What runs end with that nothing happened to."""
    found = {}
    for backend, options in BACKENDS.items():
        folder = tmp_path_factory.mktemp(backend)
        write_table(folder)
        done = run(folder, *TRAIN, *options)
        assert done == (0, "", ""), done
        found[backend] = content(folder / "run")
        found[f"size of {backend}"] = (folder / "run/checkpoint.safetensors").stat().st_size
    return found


def content(path):
    """All that decides what a run is, without the times."""
    found = {}
    for name in ("model", "checkpoint"):
        for key, value in checkpoint.load(path / f"{name}.safetensors").items():
            bits = (value.dtype, value.shape, value.tobytes()) if hasattr(value, "shape") else value
            if key != "seconds":
                found[name, key] = bits
    for line in (path / "metrics.jsonl").read_text().splitlines():
        values = json.loads(line)
        values.pop("seconds", None)
        found["metrics", values["epoch"]] = values
    for name in ("config.json", "preprocessing.json", "split.csv"):
        text = (path / name).read_text()
        found[name] = text.replace(str(path.parent), "")
    return found


def assert_same(path, expected):
    found = content(path)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key] == value or key == "config.json", key
    assert json.loads((path / "result.json").read_text())["status"] == "finished"
    assert list(path.glob("*.part")) == []


def assert_one_line(done, code, *parts):
    """Nothing on standard output, one line on standard error, no traceback."""
    assert done.code == code, done
    assert done.out == ""
    assert len(done.err.splitlines()) == 1, done.err
    assert done.err.startswith("bpref-train: "), done.err
    for part in parts:
        assert part in done.err, (part, done.err)


# SIGKILL


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("moment", ["half", "written", "synced", "renamed"])
@pytest.mark.parametrize("number", [1, 9, EPOCHS * (STEPS + 1) + 1])
def test_killed_within_a_checkpoint_it_ends_with_the_same_bits(
    folder, whole, backend, moment, number
):
    hook = die_at, moment, number, "checkpoint.safetensors"
    done = run(folder, *TRAIN, *BACKENDS[backend], *OFTEN, hook=hook)
    assert done.code == -signal.SIGKILL, done
    done = run(folder, *RESUME)
    assert done == (0, "", ""), done
    assert_same(folder / "run", whole[backend])


@pytest.mark.parametrize("moment", ["half", "renamed"])
def test_killed_in_every_write_of_a_checkpoint_one_after_the_other(folder, whole, moment):
    """Every process gets a few steps further; at the end the bits are the same."""
    hook = die_at, moment, 5, "checkpoint.safetensors"
    done = run(folder, *TRAIN, *BACKENDS["numpy"], *OFTEN, hook=hook)
    killed = 0
    while done.code == -signal.SIGKILL:
        killed += 1
        assert killed < 40
        done = run(folder, *RESUME, *OFTEN, hook=hook)
    assert done == (0, "", ""), done
    assert killed >= EPOCHS * (STEPS + 1) // 5
    assert_same(folder / "run", whole["numpy"])


@pytest.mark.parametrize("backend", BACKENDS)
def test_killed_at_random_moments_it_ends_with_the_same_bits(folder, whole, backend):
    rng = random.Random(backend)
    hook = slowly, 0.01
    process = Command(folder, *TRAIN, *BACKENDS[backend], *OFTEN, hook=hook)
    while not (folder / "run/config.json").exists():
        time.sleep(0.01)
    killed = 0
    for _ in range(6):
        time.sleep(rng.uniform(0, 0.3))
        process.signal(signal.SIGKILL)
        done = process.wait()
        killed += done.code == -signal.SIGKILL
        process = Command(folder, *RESUME, *OFTEN, hook=hook)
    done = process.wait()
    assert done.code == 0, done
    assert killed
    assert_same(folder / "run", whole[backend])


@pytest.mark.parametrize("name", ["preprocessing.json", "environment.json", "split.csv"])
@pytest.mark.parametrize("moment", ["half", "renamed"])
def test_killed_before_it_began_it_starts_again(folder, whole, name, moment):
    done = run(folder, *TRAIN, *BACKENDS["numpy"], hook=(die_at, moment, 1, name))
    assert done.code == -signal.SIGKILL
    assert_one_line(run(folder, *RESUME), 2, "run: the run was interrupted before it began")
    assert_one_line(run(folder, *TRAIN), 2, "--force")
    assert run(folder, *TRAIN, *BACKENDS["numpy"], "--force").code == 0
    assert_same(folder / "run", whole["numpy"])


@pytest.mark.parametrize("name", ["config.json", "metrics.jsonl"])
def test_killed_before_the_first_checkpoint_it_resumes_from_the_beginning(folder, whole, name):
    done = run(folder, *TRAIN, *BACKENDS["numpy"], hook=(die_at, "renamed", 1, name))
    assert done.code == -signal.SIGKILL
    assert_one_line(run(folder, "predict", "run", "table.csv"), 2, "no weights yet", "resume run")
    done = run(folder, *RESUME)
    assert done == (0, "", ""), done
    assert_same(folder / "run", whole["numpy"])


@pytest.mark.parametrize(
    "name", ["model.safetensors", "report.md", "result.json"], ids=lambda name: name.split(".")[0]
)
def test_killed_after_the_training_it_is_completed(folder, whole, name):
    if name == "report.md":
        hook = (die_in_report,)
        options = [option for option in TRAIN if option != "--no-report"]
    else:
        hook, options = (die_at, "half", 1, name), TRAIN
    done = run(folder, *options, *BACKENDS["numpy"], hook=hook)
    assert done.code == -signal.SIGKILL, done
    assert not (folder / "run/result.json").exists()
    assert run(folder, *RESUME).code == 0
    assert_same(folder / "run", whole["numpy"])
    done = run(folder, "resume", "run")
    assert done == (0, "run: the run has ended before; nothing is left to do\n", ""), done


def die_in_report():
    from bpref.regression import report

    report.write_report = lambda *args, **options: os.kill(os.getpid(), signal.SIGKILL)


# SIGINT and SIGTERM


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("step", [1, 7, 8, EPOCHS * STEPS])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_step_and_keeps_the_state(folder, whole, backend, step, number):
    hook = signal_at, step, number
    done = run(folder, *TRAIN, *BACKENDS[backend], hook=hook)
    epoch = (step - 1) // STEPS
    assert_one_line(
        done,
        128 + number,
        f"{number.name}: stopped; the state after step {step} (epoch {epoch}) is kept",
        "go on with: bpref-train resume run",
    )
    assert not (folder / "run/model.safetensors").exists()
    done = run(folder, *RESUME)
    assert done == (0, "", ""), done
    assert_same(folder / "run", whole[backend])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_from_outside(folder, whole, number):
    process = Command(folder, *TRAIN, *BACKENDS["numpy"], hook=(slowly, 0.05))
    while not (folder / "run/metrics.jsonl").exists():
        time.sleep(0.01)
    process.signal(number)
    assert_one_line(process.wait(), 128 + number, "resume run")
    assert run(folder, *RESUME).code == 0
    assert_same(folder / "run", whole["numpy"])


def test_the_log_of_the_gradients_goes_on_without_a_gap(folder):
    def steps():
        lines = (folder / "run/gradients.jsonl").read_text().splitlines()
        return [json.loads(line)["step"] for line in lines]

    run(folder, *TRAIN, "--log-gradients")
    expected = steps()
    run(folder, *TRAIN, "--log-gradients", "--force", hook=(signal_at, 10, signal.SIGINT))
    assert max(steps()) <= 10
    assert run(folder, *RESUME).code == 0
    assert steps() == expected


def test_a_second_signal_does_not_wait(folder, whole):
    options = [*BACKENDS["numpy"], *OFTEN]
    done = run(folder, *TRAIN, *options, hook=(signal_at, 6, signal.SIGINT, signal.SIGINT))
    assert_one_line(done, 130, "the state after step 5 (epoch 1) is kept")
    assert run(folder, *RESUME).code == 0
    assert_same(folder / "run", whole["numpy"])


def test_ctrl_c_under_torchrun_is_followed_by_sigterm_and_still_ends_the_step(folder):
    done = run(folder, *TRAIN, hook=(signal_at, 6, signal.SIGINT, signal.SIGTERM))
    assert_one_line(done, 130, "the state after step 6 (epoch 1) is kept")


def test_a_signal_while_the_table_is_read_leaves_nothing(folder):
    done = run(folder, *TRAIN, hook=(signal_in, "bpref.regression.preparation", "split_rows"))
    assert_one_line(done, 143, "SIGTERM: stopped")
    assert not (folder / "run").exists()


def test_a_signal_while_the_report_is_written(folder, whole):
    options = [option for option in TRAIN if option != "--no-report"]
    hook = signal_in, "bpref.regression.report", "baselines"
    done = run(folder, *options, *BACKENDS["numpy"], hook=hook)
    assert_one_line(done, 143, f"the state after step {EPOCHS * STEPS}", "resume run")
    assert run(folder, *RESUME).code == 0
    assert_same(folder / "run", whole["numpy"])


def signal_in(module, name):
    import importlib

    def call(*args, **options):
        signal.raise_signal(signal.SIGTERM)

    setattr(importlib.import_module(module), name, call)


def test_an_unfinished_run_predicts_with_its_best_weights_so_far(folder):
    run(folder, *TRAIN, hook=(signal_at, 3 * STEPS + 1, signal.SIGINT))
    done = run(folder, "predict", "run", "table.csv")
    assert done.code == 0
    assert len(done.out.splitlines()) == 49
    assert "note: the run is not finished: these are its best weights so far" in done.err
    assert run(folder, "evaluate", "run").code == 0
    done = run(folder, "plot", "run")
    assert done.code == 0
    assert "not finished: after 3 epochs" in (folder / "run/report.md").read_text()


# No space, no permission, no folder


def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5, 0.98, 0.999])
def test_when_no_file_may_grow_the_last_checkpoint_is_kept(folder, whole, share):
    """The first files cannot be written, or the first checkpoint, or one of the last."""
    size = int(share * whole["size of numpy"])
    done = run(folder, *TRAIN, *BACKENDS["numpy"], *OFTEN, hook=(limit, size))
    assert_one_line(done, 2, "cannot be written: File too large")
    assert_completed_or_fresh(folder, whole)


def assert_completed_or_fresh(folder, whole):
    if (folder / "run").exists():
        assert list((folder / "run").glob("*.part")) == []
        done = run(folder, *RESUME)
        assert done == (0, "", ""), done
        assert_same(folder / "run", whole["numpy"])
    else:
        assert run(folder, *TRAIN, *BACKENDS["numpy"]).code == 0


@pytest.mark.parametrize("left", [0, 1, 3, 8])
def test_a_full_disk(folder, whole, left):
    """A real one: `left` pages of 4 KiB are free when the run begins."""
    disk = folder / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a disk")
    try:
        (disk / "table.csv").write_bytes((folder / "table.csv").read_bytes())
        filler = disk / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        os.truncate(filler, max(0, filler.stat().st_size - 4096 * left))
        (disk / "logs").symlink_to(folder)
        done = run(disk, *TRAIN, *BACKENDS["numpy"], *OFTEN)
        assert_one_line(done, 2, "cannot be written: No space left on device")
        filler.unlink()
        assert_completed_or_fresh(disk, whole)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def limit_memory(size):
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + size
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="a file of Linux")
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_network_that_fits_no_memory(folder, backend):
    sizes = "--hidden-sizes", 20_000, 20_000
    done = run(folder, *TRAIN, *sizes, "--backend", backend, hook=(limit_memory, 2**29))
    assert_one_line(done, 2, "not enough memory for this table or this network")


def become_nobody():
    import codecs

    import filelock
    import safetensors.numpy

    codecs.lookup("utf-8-sig")  # what nobody may not import
    assert filelock
    assert safetensors.numpy
    if os.geteuid() == 0:
        os.seteuid(65534)


@pytest.fixture
def readable():
    """A folder that everybody may read, in a path that everybody may enter."""
    folder = Path(tempfile.mkdtemp())
    write_table(folder)
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_an_unwritable_folder(readable):
    (readable / "logs").mkdir()
    (readable / "logs").chmod(0o777)
    readable.chmod(0o555)
    done = run(readable, *TRAIN, hook=(become_nobody,))
    assert_one_line(done, 2, "run: cannot be written: Permission denied")
    assert not (readable / "run").exists()


def test_a_run_that_may_only_be_read_is_used_but_not_changed(readable):
    assert run(readable, *TRAIN).code == 0
    path = readable / "run"
    for file in (path, *path.iterdir()):
        file.chmod(0o555)
    before = {file.name: file.stat().st_mtime_ns for file in path.iterdir()}
    (readable / "logs").chmod(0o777)
    assert run(readable, "predict", "run", "table.csv", hook=(become_nobody,)).code == 0
    done = run(readable, "plot", "run", hook=(become_nobody,))
    assert_one_line(done, 2, "cannot be written: Permission denied")
    assert before == {file.name: file.stat().st_mtime_ns for file in path.iterdir()}


def test_a_file_in_the_way_of_the_folder(folder):
    (folder / "run").write_text("mine")
    assert_one_line(run(folder, *TRAIN, "--force"), 2, "run: cannot be made: there is a file")
    done = run(folder, *TRAIN[:-1], "run/below")
    assert_one_line(done, 2, "run/below: cannot be made: there is a file")
    assert (folder / "run").read_text() == "mine"


def remove_at(step):
    from regression_process import at_step

    at_step(lambda now: shutil.rmtree("run") if now == step else None)


@pytest.mark.parametrize("options", [[], OFTEN])
def test_the_folder_is_removed_while_it_is_used(folder, options):
    done = run(folder, *TRAIN, *options, hook=(remove_at, 7))
    assert_one_line(done, 2, "run: the folder of the run was removed; nothing is kept")
    assert not (folder / "run").exists()


# Divergence


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_a_loss_that_is_no_number_ends_the_run(folder, backend):
    options = ["--backend", backend, "--lr", 1e6, "--warmup-epochs", EPOCHS, "--hidden-sizes", 4]
    done = run(folder, *TRAIN, *options)
    assert_one_line(done, 1, "error: the loss became", " at step ", "try a smaller learning rate")
    found = json.loads((folder / "run/result.json").read_text())
    assert found["status"] == "diverged"
    assert "layer" in found["place"] or "targets" in found["place"]
    assert_one_line(run(folder, *RESUME), 2, "run: the run diverged, and would again")


def grow_at(step):
    """Make the learning rate huge behind a step: what follows diverges."""
    from bpref.regression.saving import Saving

    original = Saving.on_step

    def on_step(self, state):
        if state.step == step:
            state.optimizer.lr = 1e200
        return original(self, state)

    Saving.on_step = on_step


def test_the_last_good_weights_are_kept(folder):
    done = run(folder, *TRAIN, "--backend", "numpy", hook=(grow_at, 3 * STEPS + 1))
    assert_one_line(done, 1, "(epoch 4)", "the weights of epoch", "are kept in run")
    model = checkpoint.load(folder / "run/model.safetensors")
    assert 1 <= model["epoch"] <= 3
    assert all(np.isfinite(v).all() for v in model.values() if isinstance(v, np.ndarray))
    done = run(folder, "predict", "run", "table.csv")
    assert (done.code, done.err) == (0, "")
    lines = (folder / "run/metrics.jsonl").read_text().splitlines()
    assert len(lines) == 3


def test_diverged_before_an_epoch_has_ended(folder):
    run(folder, *TRAIN, "--backend", "numpy", hook=(grow_at, 1))
    done = run(folder, "predict", "run", "table.csv")
    assert_one_line(done, 2, "run: no weights: the run diverged before an epoch had ended")


# Two at once


def test_two_processes_do_not_share_a_folder(folder, whole):
    process = Command(folder, *TRAIN, *BACKENDS["numpy"], *OFTEN, hook=(slowly, 0.1))
    while not (folder / "run/checkpoint.safetensors").exists():
        time.sleep(0.01)
    at_work = "run: another bpref-train is at work in this folder"
    for command in (RESUME, [*TRAIN, "--force"], ["plot", "run"]):
        assert_one_line(run(folder, *command), 2, at_work)
    assert run(folder, "predict", "run", "table.csv").code in (0, 2)  # before an epoch: 2
    done = process.wait()
    assert done == (0, "", ""), done
    assert_same(folder / "run", whole["numpy"])


def test_of_two_that_begin_together_one_is_refused(folder):
    processes = [Command(folder, *TRAIN, hook=(slowly, 0.05)) for _ in range(2)]
    codes = sorted(process.wait().code for process in processes)
    assert codes == [0, 2]
    assert json.loads((folder / "run/result.json").read_text())["status"] == "finished"


# The table


def test_a_table_that_has_changed_is_noticed(folder, whole):
    run(folder, *TRAIN, *BACKENDS["numpy"], hook=(signal_at, 5, signal.SIGINT))
    table = folder / "table.csv"
    text = table.read_text()
    table.write_text(text.replace("red", "rot"))
    assert_one_line(run(folder, *RESUME), 2, "table.csv: not the table of run: the file has")
    table.rename(folder / "moved.csv")
    assert_one_line(run(folder, *RESUME), 2, "table.csv: the table of the run is no longer there")
    (folder / "moved.csv").write_text(text)
    done = run(folder, "resume", "run", "moved.csv", "--no-report", "--quiet")
    assert done == (0, "", ""), done
    assert_same(folder / "run", whole["numpy"])


def test_other_versions_are_named(folder):
    run(folder, *TRAIN, hook=(signal_at, 5, signal.SIGINT))
    path = folder / "run/environment.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"numpy": "1.0"}))
    done = run(folder, *RESUME)
    assert done.code == 0
    assert "note: numpy was 1.0, is " in done.err
