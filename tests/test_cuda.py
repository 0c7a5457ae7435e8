"""The CUDA source: it compiles for every supported GPU, and its kernels take what Python sends."""

from __future__ import annotations

import ctypes
import importlib.util
import re
from pathlib import Path

import pytest

from genreg_np.backends.cuda.source import KERNELS, TYPES, compiler_options, source
from tests.helpers import standin

ARCHITECTURES = ("sm_70", "sm_80", "sm_90", "sm_120")


@pytest.fixture(scope="module")
def nvrtc() -> ctypes.CDLL:
    """NVIDIA's compiler, which needs no GPU."""
    try:
        found = importlib.util.find_spec("nvidia.cuda_nvrtc")
    except ModuleNotFoundError:
        found = None
    if found is None:
        pytest.skip("needs NVIDIA's runtime compiler: pip install nvidia-cuda-nvrtc-cu12")
    folder = Path(next(iter(found.submodule_search_locations)), "lib")
    return ctypes.CDLL(str(next(folder.glob("libnvrtc.so.*"))))


def compiled(nvrtc: ctypes.CDLL, text: str, options: tuple[str, ...], kind: str = "CUBIN") -> tuple[int, str, bytes]:
    """Return the compiler's status, its log, and the machine code (CUBIN) or the intermediate code (PTX)."""
    program = ctypes.c_void_p()
    assert nvrtc.nvrtcCreateProgram(ctypes.byref(program), text.encode(), b"kernels.cu", 0, None, None) == 0
    listed = (ctypes.c_char_p * len(options))(*[option.encode() for option in options])
    status = nvrtc.nvrtcCompileProgram(program, len(options), listed)

    def read(what: str) -> bytes:
        size = ctypes.c_size_t()
        getattr(nvrtc, f"nvrtcGet{what}Size")(program, ctypes.byref(size))
        held = ctypes.create_string_buffer(size.value)
        getattr(nvrtc, f"nvrtcGet{what}")(program, held)
        return held.raw

    log = read("ProgramLog").rstrip(b"\0").decode()
    code = read(kind) if status == 0 else b""
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    return status, log, code


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_kernels_compile_to_machine_code_without_a_warning(nvrtc: ctypes.CDLL, architecture: str) -> None:
    """From Volta to Blackwell, with CuPy's own options besides ours; every kernel is in the result."""
    options = (f"--gpu-architecture={architecture}", "-ftz=true", *compiler_options())
    status, log, code = compiled(nvrtc, source(), options)
    complaints = [
        line for line in log.splitlines() if "error" in line or ("warning" in line and "deprecated" not in line)
    ]
    assert (status, complaints) == (0, [])
    assert code.startswith(b"\x7fELF")
    for name in KERNELS:
        assert f".text.{name}\0".encode() in code


def test_the_compiler_check_can_fail(nvrtc: ctypes.CDLL) -> None:
    """A typing error in the source is an error here, as it would be on a GPU."""
    status, log, _ = compiled(nvrtc, source().replace("__fmul_rn", "__fmull_rn", 1), compiler_options())
    assert status != 0
    assert "__fmull_rn" in log


def test_kernel_arguments_are_declared_in_python_as_in_cuda() -> None:
    """Each letter of KERNELS is the type of the C argument at its place."""
    shim = standin().shim
    letter = {shim.NUMBERS[name]: name for name in shim.NUMBERS}
    for name, types in shim.signatures(source()).items():
        declared = [kind if kind == "p" else letter[TYPES[kind]] for kind in KERNELS[name]]
        assert declared == ["p" if kind.endswith("*") else kind for kind in types]
    assert KERNELS.keys() == shim.signatures(source()).keys()


def fused(nvrtc: ctypes.CDLL, text: str) -> list[str]:
    """Return the fused multiply-adds of float32 in the code of `mutate`, as the compiler hands it to a GPU."""
    ptx = compiled(nvrtc, text, ("--gpu-architecture=compute_80", *compiler_options()), "PTX")[2].decode()
    body = ptx[ptx.index(".entry mutate(") :].partition(".entry ")[2].partition(".entry ")[0]
    assert "mul" in body
    return re.findall(r"fma\.rn\S*f32", body)


def test_products_and_sums_of_weights_are_never_fused(nvrtc: ctypes.CDLL) -> None:
    """Where genes are made, every product is rounded before it is added; written with * and +, it would not be."""
    careful = "__fadd_rn(value[w], __fmul_rn(scale, noise[w]))"
    assert careful in source()
    assert fused(nvrtc, source()) == []
    assert fused(nvrtc, source().replace(careful, "value[w] + scale * noise[w]")) != []
