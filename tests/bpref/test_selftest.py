"""The self-test passes here, covers every operator, and fails when a gradient is wrong."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from bpref import functional, selftest


def test_every_operator_is_checked() -> None:
    assert {f"{name}_backward" for name in selftest.operators()} <= set(functional.__all__)


def test_report_of_a_sound_installation(capsys: pytest.CaptureFixture[str]) -> None:
    assert selftest.main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "all checks passed"
    checks = [line for line in lines if line.startswith("ok  ")]
    assert len(checks) == len(selftest.operators()) + 1
    assert not any("FAIL" in line for line in lines)


@pytest.mark.parametrize("name", selftest.operators())
def test_a_backward_pass_with_the_wrong_factor_fails(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    right = getattr(functional, f"{name}_backward")

    def wrong(grad_output, cache):
        grads = right(grad_output, cache)
        if not isinstance(grads, (tuple, list)):
            return 1.001 * grads
        return tuple(None if g is None else 1.001 * g for g in grads)

    monkeypatch.setattr(functional, f"{name}_backward", wrong)
    assert selftest.main() == 1
    output = capsys.readouterr().out
    assert f"FAIL  {name}" in output
    assert "all checks passed" not in output


def test_a_step_uphill_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    right = functional.mse_loss_backward
    monkeypatch.setattr(functional, "mse_loss_backward", lambda g, cache: -right(g, cache))
    assert not selftest.check_training_step().ok


def test_command_works_without_torch_and_does_not_import_it() -> None:
    """A finder that refuses torch, as on a machine that never had it."""
    program = """
        import importlib.metadata, runpy, sys

        class NoTorch:
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] == "torch":
                    raise ImportError("torch is not here")

        sys.meta_path.insert(0, NoTorch())
        version = importlib.metadata.version

        def without_torch(name):
            if name == "torch":
                raise importlib.metadata.PackageNotFoundError(name)
            return version(name)

        importlib.metadata.version = without_torch
        runpy.run_module("bpref.selftest", run_name="__main__")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "PyTorch not found" in done.stdout
    assert done.stdout.rstrip().endswith("all checks passed")
