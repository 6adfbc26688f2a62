import dataclasses

import pytest
import torch

from bpref.regression.backend import choose_backend, choose_device
from bpref.regression.config import Config
from bpref.regression.engine import TorchEngine
from bpref.regression.errors import ConfigError

ARTICLE = (1, 10, 1)


@pytest.mark.parametrize(
    ("options", "sizes", "expected"),
    [
        ({}, ARTICLE, "numpy"),
        ({"backend": "torch"}, ARTICLE, "torch"),
        ({"backend": "numpy", "batch_size": 4096}, (20, 1024, 1024, 1), "numpy"),
        ({"device": "cpu"}, ARTICLE, "numpy"),
        ({"device": "cuda"}, ARTICLE, "torch"),
        ({"amp": True}, ARTICLE, "torch"),
        ({"batch_size": 1024}, (20, 64, 64, 1), "numpy"),
        ({"batch_size": 1024}, (20, 256, 256, 1), "torch"),
        ({"batch_size": 32}, (20, 256, 256, 1), "numpy"),
        ({"batch_size": 1024, "activation": "gelu"}, (20, 64, 64, 1), "torch"),
        ({"batch_size": 256, "activation": "gelu"}, (20, 64, 64, 1), "numpy"),
    ],
)
def test_the_measured_rule(options, sizes, expected):
    assert choose_backend(Config(**options), sizes) == expected


def test_auto_is_the_cpu_where_there_is_no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device(Config()).type == "cpu"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device(Config()).type == "mps"
    assert choose_device(Config(dtype="float64")).type == "cpu"  # mps has no float64
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert choose_device(Config()) == torch.device("cuda", 3)


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cpu:abc", ""])
def test_a_device_that_does_not_exist(name):
    with pytest.raises(ConfigError, match="cannot be used") as caught:
        choose_device(Config(device=name))
    assert "\n" not in str(caught.value)


def test_small_work_leaves_the_other_cores_alone():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        small = TorchEngine(Config(), ARTICLE, torch.device("cpu"))
        with small.context():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
        sizes = (20, 1024, 1024, 1)
        config = dataclasses.replace(Config(), hidden_sizes=sizes[1:-1])
        large = TorchEngine(config, sizes, torch.device("cpu"))
        with large.context():
            assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
