"""The front end of kernels: statements and expressions as device code run on the host, against the same source run by Python."""

from types import SimpleNamespace

import numpy as np
import pytest

from tracejit.lowering.cuda.device_functions import namespace
from tracejit.lowering.cuda.front_end import SourceError, llvm_text
from tracejit.lowering.cuda.on_host import HostKernel
from tracejit.lowering.cuda.simulated import quiet

I32, I64, F32, F64 = (np.dtype(d) for d in ("i4", "i8", "f4", "f8"))
N = 24


def kernel(body, head=""):
    """A kernel of four arrays, an integer and a float, by whose threads each element is computed."""
    lines = "\n".join(f"    {line}" for line in body.strip("\n").splitlines())
    return f"{head}\ndef k(a, b, c, d, n, s):\n    i = int32(cuda.grid(1))\n{lines}\n"


PARAMETERS = [(I32, "pointer"), (I64, "pointer"), (F32, "pointer"), (F64, "pointer"), (I32, "value"), (F32, "value")]


def arrays():
    rng = np.random.default_rng(3)
    return [
        rng.integers(-50, 50, N).astype("i4"),
        rng.integers(-(2**40), 2**40, N),
        rng.standard_normal(N).astype("f4"),
        rng.standard_normal(N),
    ]


def by_python(source):
    args = arrays()
    words = namespace()
    for t in range(N):
        words["cuda"] = SimpleNamespace(
            grid=lambda _, t=t: t, gridsize=lambda _: N, threadIdx=SimpleNamespace(x=t), local=SimpleNamespace(array=lambda n, d: np.zeros(n, d))
        )
        exec(source, words)
        with quiet():
            words["k"](*args, np.int32(7), np.float32(0.5))
    return args


@pytest.mark.parametrize(
    "body",
    {
        "arithmetic": "a[i] = int32(a[i] * 3 + n) - a[i]\nc[i] = c[i] * s - -c[i] / c[i]",
        "wrapping": "a[i] = int32(int32(a[i] * 2000000000) + int32(a[i] * a[i]))",
        "integers of two widths": "b[i] = b[i] + a[i]",
        "floor division": "a[i] = a[i] // 7 + a[i] % 5\nb[i] = b[i] // int64(-3) + b[i] % -11",
        "bits": "a[i] = (a[i] & 15 | 64) ^ ~a[i]\nb[i] = b[i] << 3 >> 5",
        "comparisons": "a[i] = int32(a[i] < n) + int32(-20 <= a[i] <= 20) + int32(c[i] != c[i]) + int32(b[i] >= 0)",
        "booleans": "a[i] = int32(a[i] > 0 and not c[i] > s or a[i] == -3)",
        "guarded reads": "a[i] = a[i + 1] if i + 1 < n and a[i + 1] > 0 else int32(5)",
        "choice": "c[i] = c[i] if c[i] > s else s",
        "if": "if a[i] > 10:\n    c[i] = s\nelif a[i] > 0:\n    c[i] = c[i] + s\n    a[i] = 0\nelse:\n    a[i] = 1",
        "variable of both branches": "v = c[i]\nif a[i] > 0:\n    v = v + s\nelse:\n    v = v - s\nc[i] = v",
        "while": "t = c[i]\nk = int32(0)\nwhile k < n:\n    t = t * s + c[i]\n    k = int32(k + 1)\nc[i] = t",
        "break": "k = int32(0)\nwhile True:\n    if k * k > i:\n        break\n    k = int32(k + 1)\na[i] = k",
        "continue": "t = int32(0)\nfor k in range(n):\n    if k % 2 == 0:\n        continue\n    t = t + k\na[i] = t",
        "range downwards": "t = int64(0)\nfor k in range(10, 0, -3):\n    t = t * 10 + k\nb[i] = t",
        "nested loops": "t = 0\nfor k in range(3):\n    for m in range(1, 4):\n        if m == 3:\n            break\n        t += k * m\nb[i] = t",
        "return": "if a[i] > 0:\n    return\na[i] = -1",
        "update in place": "a[i] += 2\nc[i] *= s\nb[i] -= a[i]",
        "local array": "m = cuda.local.array(4, float32)\nfor k in range(4):\n    m[k] = c[i] + float32(k)\nc[i] = m[a[i] & 3]",
        "extremes": "a[i] = min(max(a[i], -5), n)",
        "casts": "c[i] = float32(float64(a[i]) + d[i])\na[i] = int32(int8(a[i] * 5)) + int32(uint8(a[i]))",
        "negative literals": "a[i] = -a[i] + (-3)\nd[i] = -d[i] - 1.5",
        "loop variable": "k = 0\nwhile k < 3:\n    k = k + 1\nb[i] = k",
    }.items(),
    ids=lambda case: case[0].replace(" ", "-"),
)
def test_source_means_what_python_means(body):
    source = kernel(body[1])
    want = by_python(source)
    got = arrays()
    HostKernel(source, "k", PARAMETERS).launch(2, N // 2, [*got, np.int32(7), np.float32(0.5)])
    for g, w in zip(got, want):
        np.testing.assert_array_equal(g, w)


def test_constants_of_the_module():
    source = kernel("c[i] = c0 if c[i] > c1 else c2", 'c0 = float32(float("inf"))\nc1 = float32(-0.0)\nc2 = float32(0.1)\n')
    got, want = arrays(), by_python(source)
    HostKernel(source, "k", PARAMETERS).launch(1, N, [*got, np.int32(7), np.float32(0.5)])
    np.testing.assert_array_equal(got[2], want[2])


def test_shared_memory_and_barriers():
    source = """
def k(x, out):
    tile = cuda.shared.array((4, 5), float32)
    t = cuda.threadIdx.x
    for r in range(4):
        tile[r, t] = x[cuda.blockIdx.x * 16 + r * 4 + t]
    cuda.syncthreads()
    for r in range(4):
        out[cuda.blockIdx.x * 16 + r * 4 + t] = tile[t, r]
"""
    x, out = np.arange(48, dtype="f4"), np.zeros(48, "f4")
    HostKernel(source, "k", [(F32, "pointer")] * 2).launch(3, 4, [x, out])
    np.testing.assert_array_equal(out.reshape(3, 4, 4), x.reshape(3, 4, 4).swapaxes(1, 2))


def test_threads_that_wait_at_different_barriers_are_found():
    source = """
def k(x):
    if cuda.threadIdx.x < 4:
        cuda.syncthreads()
    else:
        cuda.syncwarp()
    if cuda.threadIdx.x == 7:
        cuda.syncwarp()
"""
    x = np.zeros(1, "f4")
    with pytest.raises(RuntimeError, match="threads of the kernel k wait at different barriers"):
        HostKernel(source, "k", [(F32, "pointer")], warp=8).launch(1, 8, [x])
    HostKernel(source, "k", [(F32, "pointer")], warp=1).launch(2, 8, [x])


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8"])
def test_vectors(dtype):
    source = """
def k(x, out):
    i = int32(cuda.grid(1) * 2)
    a, b = load_vector(x, i, 2)
    store_vector(out, i, b, a + b)
"""
    x, out = np.arange(8).astype(dtype), np.zeros(8, dtype)
    HostKernel(source, "k", [(x.dtype, "pointer")] * 2).launch(2, 2, [x, out])
    want = np.stack([x[1::2], x[::2] + x[1::2]], axis=1).ravel()
    np.testing.assert_array_equal(out, want)
    words = namespace()
    exec(source, words)
    out[:] = 0
    for t in range(4):
        words["cuda"] = SimpleNamespace(grid=lambda _, t=t: t)
        words["k"](x, out)
    np.testing.assert_array_equal(out, want)


def test_parameters_that_are_assigned_to():
    source = "def k(out, n):\n    while n > 0:\n        n = int32(n - 3)\n    out[0] = n\n"
    out = np.zeros(1, "i4")
    HostKernel(source, "k", [(I32, "pointer"), (I32, "value")]).launch(1, 1, [out, np.int32(10)])
    assert out[0] == -2


def test_arrays_that_kernels_are_not_made_for():
    made = HostKernel("def k(x, y, out):\n    i = cuda.grid(1)\n    out[i] = x[i] + y[i]\n", "k", [(F32, "pointer")] * 3)
    x = np.arange(8, dtype="f4")
    with pytest.raises(ValueError, match="writes to an array that overlaps another one"):
        made.launch(1, 4, [x[:4], x[4:], x[2:6]])
    with pytest.raises(ValueError, match="not in C order"):
        made.launch(1, 4, [x[::2], x[:4], np.zeros(4, "f4")])
    out = np.zeros(4, "f4")
    made.launch(1, 4, [x[:4], x[2:6], out])
    np.testing.assert_array_equal(out, x[:4] + x[2:6])


def test_numbers_by_value():
    source = "def k(out, flag, small, wide, half, x):\n    out[0] = float64(small) + float64(wide) + x\n    out[1] = float64(1 if flag else 0)\n"
    out = np.zeros(2)
    parameters = [(F64, "pointer"), (np.dtype(bool), "value"), (np.dtype("i1"), "value"), (I64, "value"), (F32, "value"), (F64, "value")]
    HostKernel(source, "k", parameters).launch(1, 1, [out, np.True_, np.int8(-3), np.int64(2**40), np.float32(1), np.float64(0.25)])
    np.testing.assert_array_equal(out, [2**40 - 2.75, 1])


def test_booleans_are_bytes_in_memory():
    source = "def k(x, out):\n    i = cuda.grid(1)\n    out[i] = x[i] == 0\n"
    x, out = np.array([True, False, True]), np.zeros(3, bool)
    HostKernel(source, "k", [(np.dtype(bool), "pointer")] * 2).launch(1, 3, [x, out])
    np.testing.assert_array_equal(out, ~x)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("a[i] = unknown(a[i])", "there is no word unknown"),
        ("a[i] = missing", "nothing is known of the name missing"),
        ("v = c[i]\nv = d[i]\nc[i] = v", "v is float32 before and float64 here"),
        ("a[i] = c[i] + a[i]", "say which one is meant"),
        ("a[i] = a[i] / n", "integers are divided by //"),
        ("for k in [1, 2]:\n    a[i] = k", "no List"),
        ("for k in range(0, 5, n):\n    a[i] = k", "the step of a range is a constant"),
        ("with c:\n    pass", "no With"),
        ("return 1", "a kernel returns nothing"),
        ("a[i, i] = 1", "2 indices of a"),
        ("n[i] = 1", "n is not an array"),
    ],
)
def test_what_the_front_end_does_not_know(body, message):
    with pytest.raises(SourceError, match=message) as raised:
        llvm_text(kernel(body), "k", PARAMETERS)
    assert "line " in str(raised.value)


def test_a_kernel_that_is_not_there():
    with pytest.raises(SourceError, match="no function k"):
        llvm_text("def other():\n    pass\n", "k", [])
