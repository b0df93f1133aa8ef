"""Plain NumPy programs, written as people of several trades write them, run unchanged under `jit` and `grad`.

Each file of this folder imports NumPy and SciPy only, and offers

- `main(*arguments)`: the program; it may write into its arguments,
- `arguments()`: some to call it with; where it takes `n`, a larger size is tried by the slow tests,
- `STATIC = (1, ...)`: the positions of arguments that are no arrays (sizes, names), where there are any,
- `CONSTANT = (0, ...)`: the positions of further ones that no derivative is taken for.

Compiled, a program gives the results and leaves the arguments that NumPy does, with the same dtypes. The gradient of a sum of its results, and of
what it wrote, agrees with finite differences, both as it is computed while the program runs and compiled.
"""

import copy
import importlib.util
import inspect
from pathlib import Path

import numpy as np
import pytest

import tracejit as tj

NAMES = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith(("test_", "__")))
LARGER = [name for name in NAMES if "def arguments(n=" in (Path(__file__).parent / f"{name}.py").read_text()]


def load(name):
    spec = importlib.util.spec_from_file_location(f"programs_{name}", Path(__file__).parent / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def statics(module):
    return getattr(module, "STATIC", ())


def check_equal(found, expected, where):
    assert tj.tree.structure(found) == tj.tree.structure(expected), where
    for a, b in zip(tj.tree.leaves(found), tj.tree.leaves(expected)):
        a, b = np.asarray(a), np.asarray(b)
        assert a.dtype == b.dtype, where
        assert a.shape == b.shape, where
        if b.dtype.kind in "biu":
            np.testing.assert_array_equal(a, b, err_msg=where)
        else:
            eps = np.finfo(b.dtype).eps
            scale = np.max(np.abs(b), initial=0, where=np.isfinite(b))
            np.testing.assert_allclose(a, b, rtol=1e6 * eps, atol=1e5 * eps * scale, err_msg=where)


def check_jit(module, given):
    expected_args, found_args = copy.deepcopy(given), copy.deepcopy(given)
    with np.errstate(all="ignore"):
        expected = module.main(*expected_args)
    compiled = tj.jit(module.main, static_argnums=statics(module))
    check_equal(compiled(*found_args), expected, "results")
    dynamic = [i for i in range(len(given)) if i not in statics(module)]
    check_equal([found_args[i] for i in dynamic], [expected_args[i] for i in dynamic], "arguments after the run")
    again = copy.deepcopy(given)
    check_equal(compiled(*again), expected, "results of the second call")


def differentiable(module, given):
    """The positions of the arguments, all of whose numbers are inexact."""
    fixed = (*statics(module), *getattr(module, "CONSTANT", ()))
    kinds = [{np.asarray(leaf).dtype.kind for leaf in tj.tree.leaves(x)} if i not in fixed else {"O"} for i, x in enumerate(given)]
    return tuple(i for i, kind in enumerate(kinds) if kind and kind <= set("fc"))


def scalar_of(module, positions):
    """A real function of the arguments: a weighted sum of the results, and of what is in the arguments at `positions` after the run."""

    def scalar(*args):
        results = module.main(*args)
        total, n = 0.0, 0
        for leaf in tj.tree.leaves((results, [args[i] for i in positions])):
            if np.result_type(leaf).kind not in "fc":
                continue
            weights = np.cos(np.arange(n, n + np.size(leaf))).reshape(np.shape(leaf))
            n += np.size(leaf)
            total = total + np.sum(weights * np.real(leaf))
            if np.result_type(leaf).kind == "c":
                total = total + np.sum(weights[::-1] * np.imag(leaf))
        return total

    return scalar


def difference(f, given, direction, h=2e-4):
    """The derivative of f along a direction (None where an argument stays), by central differences of sixth order."""

    def along(t):
        moved = copy.deepcopy(given)
        for i, v in enumerate(direction):
            if v is not None:
                moved[i] = tj.tree.map(lambda x, step: x + np.asarray(t * step).astype(np.result_type(x)), moved[i], v)
        return f(*moved)

    with np.errstate(all="ignore"):
        return sum(c * (along(k * h) - along(-k * h)) for k, c in ((1, 0.75), (2, -0.15), (3, 1 / 60))) / h


def check_gradient(module, given):
    positions = differentiable(module, given)
    assert positions, "nothing to differentiate"
    f = scalar_of(module, positions)
    rng = np.random.default_rng(1)

    def step(x):
        v = rng.standard_normal(np.shape(x)) * np.maximum(np.abs(x), 0.1)
        return v * np.exp(1j * rng.uniform(0, 6)) if np.iscomplexobj(x) else v

    differentiated = tj.grad(f, argnums=positions)
    gradient = differentiated(*copy.deepcopy(given))
    compiled = tj.jit(differentiated, static_argnums=statics(module))
    check_equal(compiled(*copy.deepcopy(given)), gradient, "compiled gradient")
    for _ in range(2):
        direction = [tj.tree.map(step, x) if i in positions else None for i, x in enumerate(given)]
        along = [direction[i] for i in positions]
        parts = [np.sum(np.real(g * v)) for g, v in zip(tj.tree.leaves(gradient), tj.tree.leaves(along))]
        tolerance = {"rtol": 2e-6, "atol": 2e-7 * (1 + sum(map(abs, parts)))}
        expected = difference(f, list(given), direction)
        if not np.allclose(sum(parts), expected, **tolerance):  # a kink within reach of the steps: a particle that crosses the border of a cell
            expected = difference(f, list(given), direction, h=2e-5)
        np.testing.assert_allclose(sum(parts), expected, **tolerance)


@pytest.mark.parametrize("name", NAMES)
def test_jit(name):
    module = load(name)
    check_jit(module, module.arguments())


@pytest.mark.parametrize("name", NAMES)
def test_grad(name):
    module = load(name)
    check_gradient(module, module.arguments())


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGER)
def test_larger(name):
    module = load(name)
    given = module.arguments(n=2 * inspect.signature(module.arguments).parameters["n"].default)
    check_jit(module, given)
    check_gradient(module, given)


@pytest.mark.parametrize("name", NAMES)
def test_imports(name):
    """The programs know nothing of this package."""
    text = (Path(__file__).parent / f"{name}.py").read_text()
    imported = {line.split()[1].partition(".")[0] for line in text.splitlines() if line.lstrip().startswith(("import ", "from "))}
    assert imported <= {"numpy", "scipy", "__future__", "math", "dataclasses", "functools", "collections", "itertools", "typing"}
    assert 20 <= len(text.splitlines()) <= 200
