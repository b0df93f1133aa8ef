"""The examples in the documentation strings of every module run and give what they say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import tracejit

MODULES = ["tracejit", *sorted(m.name for m in pkgutil.walk_packages(tracejit.__path__, "tracejit."))]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0
