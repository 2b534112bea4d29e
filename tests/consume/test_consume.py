"""A C++ program outside of the tree, README's first, finds the installed package and computes with it."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

SCRIPTS = sysconfig.get_path("scripts")
ENVIRONMENT = {**os.environ, "PATH": SCRIPTS + os.pathsep + os.environ["PATH"]}


def run(*words, **options):
    said = subprocess.run(words, capture_output=True, text=True, env=ENVIRONMENT, **options)
    assert said.returncode == 0, said.stdout + said.stderr
    return said.stdout


@pytest.mark.slow
def test_the_installed_package_is_found_from_cmake(tmp_path):
    for tool in ("cmake", "ninja"):
        if shutil.which(tool, path=ENVIRONMENT["PATH"]) is None:
            pytest.skip(f"needs {tool}")
    folder = run(sys.executable, "-m", "tconv", "--cmake-dir").strip()
    run(
        "cmake",
        "-S",
        Path(__file__).parent,
        "-B",
        tmp_path,
        "-G",
        "Ninja",
        "-DCMAKE_BUILD_TYPE=Release",
        f"-Dtconv_DIR={folder}",
    )
    run("cmake", "--build", tmp_path)
    assert run(tmp_path / "consume") == "16 x 16, halfway between 3 and 4: 3.25 3.75\n"
    assert run(tmp_path / "surface").endswith("missing: 0, unrefused: 0\n")
