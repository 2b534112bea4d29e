"""Facts about this build: what was compiled in, and where its headers and CMake files lie."""

from __future__ import annotations

import os
from typing import Any

import tconv
from tconv import _core

__all__ = ["build_info", "get_cmake_dir", "get_include"]


def build_info() -> dict[str, Any]:
    """What was compiled in and what is used here.

    Returns:
        "version", "compiler", "openmp" (bool), "default_threads" (int), "isas_compiled" and "isas_available" (the
        instruction sets with kernels of their own, and those of them that this processor has; best first), "isa" (the
        one in use), "output_pool_limit" and "output_pool_bytes" (kept for results to come: see set_output_pool_limit).

    Example:
        >>> import tconv
        >>> info = tconv.build_info()
        >>> info["isa"] in info["isas_available"]
        True
    """
    return dict(_core.build_info())


def get_include() -> str:
    """The folder to give a C++ compiler for ``#include <tconv/tconv.hpp>``.

    Raises:
        FileNotFoundError: tconv wasn't installed, but imported from its sources.

    Example:
        >>> import os, tconv
        >>> os.path.isfile(os.path.join(tconv.get_include(), "tconv", "tconv.hpp"))
        True
    """
    return _folder("include")


def get_cmake_dir() -> str:
    """The folder for CMake's ``tconv_DIR``, where ``find_package(tconv)`` finds ``tconvConfig.cmake``.

    Raises:
        FileNotFoundError: tconv wasn't installed, but imported from its sources.

    Example:
        >>> import os, tconv
        >>> os.path.isfile(os.path.join(tconv.get_cmake_dir(), "tconvConfig.cmake"))
        True
    """
    return _folder("lib", "cmake", "tconv")


def _folder(*parts: str) -> str:
    folders = [os.path.join(base, *parts) for base in tconv.__path__]
    for folder in folders:
        if os.path.isdir(folder):
            return folder
    raise FileNotFoundError(f"tconv: {', '.join(folders)} is missing; it comes with an installed tconv.")
