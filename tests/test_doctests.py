"""The examples in the documentation strings of every module run and give what they say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import tracejit

MODULES = ["tracejit", *sorted(m.name for m in pkgutil.walk_packages(tracejit.__path__, "tracejit."))]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name, monkeypatch):
    monkeypatch.setattr(tracejit.config, "check", False)  # the default, which an example shows
    failed, _ = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert failed == 0
