"""Triton's kernels compile to machine code for GPUs, which needs no GPU: the compiler comes with Triton."""

import pytest

from s2vt_model.flow.farneback_kernels import BORDER_WEIGHTS, polynomial_kernels
from tests.kernels import forget_kernels

triton = pytest.importorskip("triton", reason="needs Triton, which torch brings along for CUDA on Linux")

WARP = 32  # threads
SHARED_MEMORY_BYTES = 48 * 1024  # what every GPU gives a program without being asked
ARCHITECTURES = {"Turing (T4)": 75, "Hopper (H100, H200)": 90}

POINTS_TO_INDICES = {"above", "below", "left", "right"}
INTEGERS = {"height", "width", "full_height", "full_width", "taps", "times"}
NUMBERS = {"limit", "theta", "taut"}  # every other argument is a float32 tensor


def kernels() -> dict:
    """All kernels by name, each with its constants."""
    forget_kernels()
    from s2vt_model.flow import farneback_triton as farneback
    from s2vt_model.flow import tvl1_triton as tvl1

    forget_kernels()
    polynomial = polynomial_kernels(5, 1.2)
    taps = {"G": polynomial.g, "XG": polynomial.xg, "XXG": polynomial.xxg}
    tile = farneback.TILE
    found = {
        farneback._shrink_vertically: tile,
        farneback._shrink_horizontally: tile,
        farneback._expand_vertically: {**taps, **tile},
        farneback._expand_horizontally: {**taps, "INVERSE": (1.0, 1.0, 1.0, 1.0), **tile},
        farneback._compare: {"BORDER": BORDER_WEIGHTS, **tile},
        farneback._window_vertically: tile,
        farneback._window_horizontally_and_solve: {"REGULARISER": farneback.REGULARISER, **tile},
        tvl1._iterate: {"MARGIN": tvl1.MARGIN, **tvl1.ITERATION_TILE},
        tvl1._median: {"SIZE": 5, **tvl1.MEDIAN_TILE},
    }
    return {kernel.__name__: (kernel, constants) for kernel, constants in found.items()}


KERNELS = kernels()


def type_of(argument: str, constants: dict) -> str:
    if argument in constants:
        return "constexpr"
    if argument in POINTS_TO_INDICES:
        return "*i64"
    if argument in INTEGERS:
        return "i32"
    return "fp32" if argument in NUMBERS else "*fp32"


@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES)
@pytest.mark.parametrize("name", KERNELS)
def test_compiles(name, architecture, tmp_path, monkeypatch):
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    kernel, constants = KERNELS[name]
    constants = dict(constants)
    options = {"num_warps": constants.pop("num_warps")}
    signature = {argument: type_of(argument, constants) for argument in kernel.arg_names}
    source = triton.compiler.ASTSource(kernel, signature, constants)
    target = triton.backends.compiler.GPUTarget("cuda", architecture, WARP)
    compiled = triton.compile(source, target=target, options=options)
    assert compiled.asm["cubin"].startswith(b"\x7fELF")
    assert compiled.metadata.shared <= SHARED_MEMORY_BYTES
    assert "tf32" not in compiled.asm["ptx"]
