"""The reference names all that `bpref.regression` exports."""

import re
from importlib import import_module
from pathlib import Path

import pytest

import bpref.regression


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_public_name_is_on_the_page(lang):
    page = Path("docs", lang, "reference", "api", "regression.md").read_text(encoding="utf-8")
    entries = re.findall(r"^::: (bpref\.regression\.\w+)\.(\w+)$", page, re.M)
    assert {name for _, name in entries} >= set(bpref.regression.__all__)
    for module, name in entries:
        assert hasattr(import_module(module), name)
    assert len(entries) == len(set(entries))
