"""Runs test files of a peer's sources on tconv: nothing of the peer is shipped, its files are read where they lie.

The peer's imports are answered from a table, so that what is tested is tconv's and what the tests are written with is
the peer's own.
"""

import ast
import importlib
import os
from pathlib import Path

import pytest


def folder(variable, peer):
    """The folder that an environment variable names; without one the module that asks is skipped."""
    path = os.environ.get(variable)
    if not path:
        pytest.skip(f"{variable} names no folder with the sources of {peer}", allow_module_level=True)
    found = Path(path)
    if not found.is_dir():
        raise FileNotFoundError(f"{variable}={path} is no folder with the sources of {peer}")
    return found


def cases(path, answers, left_out):
    """The classes of tests in a file.

    Args:
        path: the file.
        answers: "module.name" -> what importing it gives; what isn't there is imported.
        left_out: the names "Class.test" of tests that are not about what is tested.
    """
    tree = ast.parse(path.read_text(), str(path))
    names = {"__name__": path.stem}
    kept = []
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = _imported(node.module, alias.name, answers)
        else:
            kept.append(node)
    exec(compile(ast.Module(kept, []), str(path), "exec"), names)
    found = {name: value for name, value in names.items() if isinstance(value, type) and name.endswith("Test")}
    for entry in left_out:
        name, _, method = entry.partition(".")
        if method in vars(found.get(name, object)):
            delattr(found[name], method)
    return found


def _imported(module, name, answers):
    key = f"{module}.{name}"
    if key in answers:
        return answers[key]
    found = importlib.import_module(module)
    return getattr(found, name) if hasattr(found, name) else importlib.import_module(key)
