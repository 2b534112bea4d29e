"""Laws that hold for every file."""

import re

import pytest

from codebase.house import CODE, ROOT, fenced, files, name, offenders

VERSION = re.search(r'TCONV_VERSION "(.+)"', (ROOT / "cpp/include/tconv/version.hpp").read_text()).group(1)
THIS = ROOT / "tests" / "codebase" / "test_texts.py"


def test_files_are_short():
    lengths = {name(path): path.read_text().count("\n") for path in files(*CODE - {""})}
    assert {file: lines for file, lines in lengths.items() if lines > 450} == {}


def test_nothing_is_left_to_do():
    assert not offenders(r"\b(?:TODO|FIXME|XXX|HACK)\b", [path for path in files() if path != THIS])


def test_no_path_of_a_machine():
    assert not offenders(
        r"(?<![\w.}$])/(?:home|root|tmp|work|Users|opt|mnt)/\w*", [path for path in files() if path != THIS]
    )


def test_lines_end_cleanly():
    assert not offenders(r"[ \t]+(?=\n)|\r", files())
    assert [name(path) for path in files() if not path.read_text().endswith("\n") and path.stat().st_size] == []


def test_the_changelog_knows_the_version():
    assert re.search(rf"^## {re.escape(VERSION)}\b", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_the_headers_agree_on_the_version():
    text = (ROOT / "cpp/include/tconv/version.hpp").read_text()
    parts = [re.search(rf"TCONV_VERSION_{part} (\d+)", text).group(1) for part in ("MAJOR", "MINOR", "PATCH")]
    assert ".".join(parts) == VERSION


def test_the_installed_package_is_of_this_version():
    assert pytest.importorskip("tconv").__version__ == VERSION


def test_the_readme_shows_the_program_that_is_tested():
    assert (ROOT / "tests/consume/main.cpp").read_text() in fenced(ROOT / "README.md", "cpp")


def test_ci_runs_the_readme_s_commands():
    ci = (ROOT / ".ci" / "run").read_text()
    commands = [line for block in fenced(ROOT / "README.md", "sh") for line in block.splitlines()]
    assert len(commands) == 2
    for command in commands:
        assert command in ci


def test_links_between_pages_lead_somewhere():
    for path in files(".md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text()):
            assert (path.parent / target).exists(), (name(path), target)


def test_every_outside_dependency_of_the_build_names_its_licence():
    for path in files(".cmake", under=("third_party",)):
        assert re.match(r"# \w+ \(.*(?:BSD|MIT|Apache|GPL)", path.read_text()), name(path)
