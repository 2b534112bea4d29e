"""The source tree, as the laws of the house look at it."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "python" / "tconv"
CPP = ROOT / "cpp"

FOLDERS = ("cpp", "python", "tests", "third_party", "benchmarks", "docs", "examples", ".ci")
BUILT = {"__pycache__", "build", ".hypothesis", ".pytest_cache"}
CODE = {".py", ".pyi", ".cpp", ".hpp", ".cmake", ".txt", ".in", ".toml"}


def files(*suffixes, under=FOLDERS):
    """All source files with one of the suffixes, or all text files."""
    wanted = set(suffixes) or CODE | {".md", ".json", ""}
    found = [path for path in ROOT.iterdir() if path.is_file()] if under == FOLDERS else []
    for folder in under:
        found += [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    return sorted(p for p in found if p.suffix in wanted and not BUILT & set(p.relative_to(ROOT).parts))


def name(path):
    """A path relative to the root, for messages."""
    return path.relative_to(ROOT).as_posix()


def module(path):
    """ "layers.base" for python/tconv/layers/base.py; the package itself is ""."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imports(path, *, top_level_only=False):
    """The full names of all that a Python file imports: "tconv.ops", "tconv.ops.Plan", "numpy" ..."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(path, node)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _absolute(path, node):
    if not node.level:
        return node.module
    package = ["tconv", *path.relative_to(PACKAGE).parent.parts]
    return ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])])


def own_modules():
    """Module name -> file, for all modules of the package."""
    return {module(path): path for path in files(".py", under=("python",))}


def own_imports(path):
    """The package's own modules that a file imports: "ops", "layers.base" ..."""
    known = own_modules()
    wanted = {text.removeprefix("tconv").removeprefix(".") for text in imports(path) if re.match(r"tconv(\.|$)", text)}
    return {text for text in wanted if text in known and text} | ({"_core"} if _names_core(path) else set())


def _names_core(path):
    return any(text == "tconv._core" or text.startswith("tconv._core.") for text in imports(path))


def includes(path):
    """What a C++ file includes: "<vector>" or '"pack.hpp"'."""
    return re.findall(r'^\s*#\s*include\s*(<[^>]+>|"[^"]+")', path.read_text(), re.MULTILINE)


def without_comments(path):
    """A C++ file's code."""
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)


def offenders(pattern, paths, *, text=Path.read_text):
    """The lines "file: match" of all matches of a pattern."""
    return [f"{name(path)}: {match.group(0)}" for path in paths for match in re.finditer(pattern, text(path))]


def fenced(path, language):
    """The code blocks of a Markdown file."""
    return re.findall(rf"^```{language}\n(.*?)^```$", path.read_text(), re.MULTILINE | re.DOTALL)
