"""Who may know whom in the C++ library and the bindings."""

import re
import subprocess
from pathlib import Path
from shutil import which

import pytest

from codebase.house import CPP, files, includes, name, offenders, own_modules, without_comments

PUBLIC = files(".hpp", under=("cpp/include",))
SOURCES = files(".cpp", ".hpp", under=("cpp/src",))
BINDINGS = files(".cpp", ".hpp", under=("cpp/bindings",))
KERNELS = [path for path in SOURCES if path.parent.name == "kernels"]
INTRINSICS = r"<(?:\w*mmintrin|x86intrin|x86gprintrin|arm_neon|arm_sve)\.h>"


def all_includes(paths):
    return [(name(path), text) for path in paths for text in includes(path)]


def test_there_is_something_to_look_at():
    assert PUBLIC
    assert SOURCES
    assert BINDINGS
    assert KERNELS


def test_installed_headers_need_the_standard_library_only():
    for file, text in all_includes(PUBLIC):
        assert re.fullmatch(r"<(?:[a-z_]+|tconv/[a-z_]+\.hpp)>", text), (file, text)


def test_python_is_known_to_the_bindings_only():
    paths = PUBLIC + SOURCES
    assert not offenders(r"\bpy::|\bpybind11\b|\bPython\.h\b|\bPyObject\b", paths, text=without_comments)


def test_bindings_know_the_public_headers_only():
    siblings = {f'"{path.name}"' for path in BINDINGS}
    for file, text in all_includes(BINDINGS):
        known = r"<(?:[a-z_]+|tconv/[a-z_]+\.hpp|pybind11/[a-z0-9_/]+\.h)>"
        pages = Path(file).name == "pool.cpp" and text == "<sys/mman.h>"
        assert pages or text in siblings or re.fullmatch(known, text), (file, text)


def test_bindings_have_no_defaults():
    assert not offenders(r'(?:py::arg\("\w+"\)|"\w+"_a)(?:\.noconvert\(\))?\s*=(?!=)', BINDINGS, text=without_comments)


def test_openmp_is_known_to_one_file_only():
    others = [path for path in PUBLIC + SOURCES + BINDINGS if path.name != "parallel.hpp"]
    assert not offenders(r"#\s*pragma\s+omp|<omp\.h>|\bomp_\w+", others, text=without_comments)


def test_nobody_sets_the_threads_of_the_process():
    assert not offenders(r"omp_set_\w+", PUBLIC + SOURCES + BINDINGS, text=without_comments)


def test_intrinsics_are_known_to_kernels_only():
    others = [path for path in PUBLIC + SOURCES + BINDINGS if path not in KERNELS]
    assert not offenders(INTRINSICS + r"|\b_mm\d*_\w+|\b__m(?:128|256|512)", others, text=without_comments)


def test_kernels_know_tables_and_intrinsics_only():
    """The linker may keep a kernel file's copy of an inline function for everybody, and crash older processors."""
    harmless = {
        "<cstddef>",
        "<cstdint>",
        "<type_traits>",
        "<tconv/types.hpp>",
        "<tconv/activation.hpp>",
        "<tconv/isa.hpp>",
    }
    siblings = {f'"{path.name}"' for path in KERNELS}
    baseline = {("cpp/src/kernels/generic.cpp", '"../half.hpp"')}  # compiled like the rest of the library
    for file, text in all_includes(KERNELS):
        assert text in harmless | siblings or re.fullmatch(INTRINSICS, text) or (file, text) in baseline, (file, text)


def test_kernels_know_no_threads_no_memory_no_exceptions():
    assert not offenders(r"\b(?:throw|new|malloc|try|catch|std::vector|std::string)\b", KERNELS, text=without_comments)


def test_instruction_set_flags_are_given_in_one_place():
    others = [path for path in files(".txt", ".cmake", ".in", under=("cpp", "third_party")) if path.name != "Isa.cmake"]
    assert not offenders(r"-m(?:avx|fma|f16c|sse|arch|cpu|tune)\w*|/arch:", others)


def test_environment_is_read_in_known_places():
    readers = {
        Path(text.partition(":")[0]).name
        for text in offenders(r"\bgetenv\b", SOURCES + BINDINGS, text=without_comments)
    }
    assert readers <= {"cpu.cpp", "dispatch.cpp"}


def test_no_suffix_stands_for_an_axis():
    assert not offenders(
        r"\b(?:stride|kernel|dilation|crop|pad|in|out|output|input)_[hwd]\b", PUBLIC + SOURCES, text=without_comments
    )


def test_bindings_are_declared_for_type_checkers():
    stub = (CPP.parent / "python" / "tconv" / "_core.pyi").read_text()
    bound = {match for path in BINDINGS for match in re.findall(r'\.def\(\s*"(\w+)"', path.read_text())}
    bound |= {
        match
        for path in BINDINGS
        for match in re.findall(r'py::class_<[^;]*?>\s*\w*\(\s*\w+,\s*"(\w+)"', path.read_text())
    }
    assert bound
    assert {text for text in bound if not re.search(rf"\b(?:def|class) {text}\b", stub)} == set()
    assert "_core" not in own_modules()


@pytest.fixture(scope="module")
def symbols():
    """[(object, kind, demangled name)] of all that the installed static library's kernel objects define."""
    tconv = pytest.importorskip("tconv")
    libraries = sorted((Path(tconv.get_cmake_dir()).parents[1]).glob("libtconv*.a"))
    if which("nm") is None or not libraries:
        pytest.skip("needs nm and a static library")
    said = subprocess.run(
        ["nm", "--demangle", "--defined-only", libraries[0]], capture_output=True, text=True, check=True
    )
    kernels, found, member = {path.stem for path in KERNELS if path.suffix == ".cpp"}, [], ""
    for line in said.stdout.splitlines():
        if line.endswith(":"):
            member = line.removesuffix(":").split(".")[0]
        elif line and member in kernels:
            _, kind, symbol = line.split(maxsplit=2)
            found.append((member, kind, symbol))
    assert "generic" in {member for member, _, _ in found}
    return found


def test_kernel_objects_export_their_tables_and_nothing_else(symbols):
    for file, kind, symbol in symbols:
        if kind.isupper() or kind in "uvw":
            assert re.fullmatch(rf"tconv::{file}::\w+", symbol), (file, kind, symbol)


def test_kernel_objects_run_no_code_at_load(symbols):
    assert not [entry for entry in symbols if "_GLOBAL__sub_I" in entry[2] or "global constructors" in entry[2]]
