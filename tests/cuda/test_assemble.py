"""PTX and machine code of kernels, for devices that need not be here: what the text must hold, the cache, and the errors."""

import re

import numpy as np
import pytest

from tracejit.cuda.errors import CudaError
from tracejit.lowering.cuda import assemble as assembling
from tracejit.lowering.cuda.assemble import assemble, assemble_all, by_ptxas, machine_code, sass, tool

F32, I32 = np.dtype("f4"), np.dtype("i4")
PARAMETERS = [(F32, "pointer"), (F32, "pointer"), (F32, "value"), (I32, "value")]
SOURCE = """
def scaled(x, y, s, n):
    i = int32(cuda.grid(1))
    step = int32(cuda.gridsize(1))
    while i < n:
        y[i] = divide(x[i], s) * s + sqrt(x[i]) * s
        i = int32(i + step)
"""
ARCHITECTURES = [(8, 0), (9, 0)]
needs_ptxas = pytest.mark.skipif(tool("ptxas") is None, reason="ptxas is not installed (extra cuda-compile)")


def instructions(ptx):
    return re.findall(r"^\t(?:@%p\d+ )?([a-z][\w.:]*)", ptx, re.MULTILINE)


@pytest.mark.parametrize("cc", ARCHITECTURES)
def test_arithmetic_is_that_of_ieee_and_single(cc):
    found = instructions(assemble(SOURCE, "scaled", PARAMETERS, cc=cc).ptx)
    assert {"div.rn.f32", "sqrt.rn.f32", "mul.rn.f32", "add.rn.f32"} <= set(found)
    assert not [name for name in found if "f64" in name or "ftz" in name or "approx" in name or name.startswith(("fma", "call"))]


def test_memory_is_global_and_positions_have_32_bits():
    found = instructions(assemble(SOURCE, "scaled", PARAMETERS).ptx)
    assert "ld.global.nc.b32" in found and "st.global.b32" in found
    assert "mul.wide.s32" in found and "mad.lo.s32" in found
    assert not [name for name in found if name.startswith(("cvta", "ld.b", "st.b", "rem", "mad.lo.s64"))]


def test_what_a_kernel_writes_is_not_read_through_the_read_only_cache():
    found = instructions(assemble("def k(x):\n    i = int32(cuda.grid(1))\n    x[i] = x[i] + x[i + 1]\n", "k", [(F32, "pointer")]).ptx)
    assert "ld.global.b32" in found and "ld.global.nc.b32" not in found


def test_vectors_are_one_access():
    source = """
def k(x, y, out):
    i = int32(cuda.grid(1) * 4)
    a, b, c, d = load_vector(x, i, 4)
    e, f = load_vector(y, i, 2)
    store_vector(out, i, a + float32(e), b, c, d + float32(f))
"""
    parameters = [(F32, "pointer"), (np.dtype("f8"), "pointer"), (F32, "pointer")]
    found = instructions(assemble(source, "k", parameters).ptx)
    assert {"ld.global.nc.v4.b32", "ld.global.nc.v2.b64", "st.global.v4.b32"} <= set(found)


def test_a_function_that_is_used_often_is_one_function():
    lines = "".join(f"    x[i] = sin(x[i] + float32({k}))\n" for k in range(40))
    ptx = assemble(f"def k(x):\n    i = int32(cuda.grid(1))\n{lines}", "k", [(F32, "pointer")]).ptx
    assert 20 < ptx.count("elementary_sin_f32, ") < 30 and ptx.count("\n") < 2000


def test_division_by_constants_is_multiplication():
    source = "def k(x):\n    i = int32(cuda.grid(1))\n    x[udiv(i, int32(12))] = urem(i, int32(12))\n"
    assert not [name for name in instructions(assemble(source, "k", [(I32, "pointer")]).ptx) if name.startswith(("div", "rem"))]


@needs_ptxas
@pytest.mark.parametrize("cc", ARCHITECTURES)
def test_machine_code(cc):
    made = assemble(SOURCE, "scaled", PARAMETERS, cc=cc)
    code, log = by_ptxas(made.ptx, cc, ["-v"])
    assert code[:4] == b"\x7fELF" and "0 bytes spill stores" in log
    assert made.cubin[:4] == b"\x7fELF"


def test_a_kernel_is_found_on_disk(monkeypatch):
    source = SOURCE.replace("scaled", "kept")
    first = assemble(source, "kept", PARAMETERS)
    assert not first.cached and first.seconds > 0
    monkeypatch.setattr(assembling, "_ptx", None)
    again = assemble(source, "kept", PARAMETERS)
    assert again.cached and (again.ptx, again.cubin) == (first.ptx, first.cubin)


def test_kernels_are_compiled_side_by_side():
    sources = [SOURCE.replace("* s +", f"* s + {k}.0 +") for k in range(5)]
    together = assemble_all([(source, "scaled", tuple(PARAMETERS)) for source in sources], (9, 0))
    apart = [assemble(source, "scaled", PARAMETERS) for source in sources]
    assert [made.ptx for made in together] == [made.ptx for made in apart]
    assert [made.cubin for made in together] == [made.cubin for made in apart]
    assert assemble_all([], (9, 0)) == []


def test_without_an_assembler_the_driver_gets_ptx(monkeypatch):
    monkeypatch.setattr(assembling, "tool", lambda name: None)
    made = assemble(SOURCE.replace("scaled", "unassembled"), "unassembled", PARAMETERS)
    assert made.cubin is None and ".entry unassembled" in made.ptx
    with pytest.raises(CudaError, match=r"not assembled here: pip install 'tracejit\[cuda-compile\]'"):
        made.sass()


def test_newer_devices_get_code_of_the_newest_architecture_that_llvm_knows():
    assert ".target sm_120" in assembling._ptx("define ptx_kernel void @k() { ret void }", (12, 1))


def test_older_devices_are_refused():
    with pytest.raises(CudaError, match=r"compute capability 6\.1, and the CUDA target needs 7\.0"):
        assemble(SOURCE, "scaled", PARAMETERS, cc=(6, 1))


@needs_ptxas
def test_what_the_assembler_refuses_is_told():
    with pytest.raises(CudaError, match="ptxas does not take a kernel for compute capability 9.0"):
        machine_code(".version 7.8\n.target sm_90\nnonsense", (9, 0))
    with pytest.raises(CudaError, match="ptxas does not take a kernel for compute capability 9.0"):
        by_ptxas(".version 7.8\n.target sm_90\nnonsense", (9, 0))


@needs_ptxas
def test_a_device_that_ptxas_does_not_know_gets_ptx():
    assert machine_code(assemble(SOURCE, "scaled", PARAMETERS).ptx, (99, 0)) is None


def test_disassembly():
    if tool("nvdisasm") or tool("cuobjdump"):
        assert "EXIT" in assemble(SOURCE, "scaled", PARAMETERS).sass()
    else:
        with pytest.raises(CudaError, match="neither nvdisasm nor cuobjdump was found"):
            sass(b"code")


def test_without_ptxas(monkeypatch):
    monkeypatch.setattr(assembling, "tool", lambda name: None)
    with pytest.raises(CudaError, match="ptxas was not found"):
        by_ptxas("", (9, 0))
