"""The command line says what the library says."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import tconv
from tconv.__main__ import explain, main
from tconv.geometry import ShapeError, resolve

PADDINGS = st.sampled_from(["valid", "same", "same_lower"]) | st.tuples(st.integers(-2, 3), st.integers(-2, 3))


def run(capsys, *words):
    code = main(words)
    return code, capsys.readouterr()


def legal_outputs(input, kernel, stride, dilation, padding, limit=60):
    for output in range(limit):
        try:
            yield resolve(input, kernel, stride, dilation, padding, output=output).out
        except ShapeError:
            continue


@given(
    st.integers(0, 5), st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), PADDINGS, st.none() | st.integers(0, 3)
)
def test_the_explanation_agrees_with_the_core(input, kernel, stride, dilation, padding, output_padding):
    try:
        axis = resolve(input, kernel, stride, dilation, padding, output_padding)
    except ShapeError:
        assume(False)
    full, output, crop, legal = (line[18:] for line in explain(axis, padding, output_padding)[1:])
    assert eval_sum(full)
    assert eval_sum(output)
    assert int(output.rpartition("= ")[2]) == axis.out
    outputs = list(legal_outputs(input, kernel, stride, dilation, padding))
    expected = f"{outputs[0]}..{outputs[-1]}" if len(outputs) > 1 else str(outputs[0]) if outputs else "none"
    assert legal == expected
    assert f"{abs(axis.crop)} " in crop


def eval_sum(text):
    """Whether "a formula = its value" is true."""
    return eval(text.replace("= ", "== "), {"max": max})


def test_an_explicit_output_is_said_to_be_asked_for(capsys):
    words = ["shape", "8", "8", "--kernel-size", "3", "--strides", "2", "--padding", "same", "--output-shape", "15,16"]
    code, said = run(capsys, *words)
    assert code == 0
    assert "15, as asked" in said.out
    assert "8*2 = 16" in said.out
    assert said.out.endswith("output 15 16\n")


def test_info_names_the_instruction_set(capsys):
    code, said = run(capsys, "info")
    assert code == 0
    assert tconv.build_info()["isa"] in said.out
    assert tconv.__version__ in said.out


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["shape", "8"], "--kernel-size"),
        (["shape", "8", "--kernel-size", "x"], "integer"),
        (["shape", "8", "--kernel-size", "3", "--padding", "causal"], "padding"),
        (["shape", "8", "--kernel-size", "3,3"], "--kernel-size has 2 entries but the input has 1"),
        (["shape", "8", "--kernel-size", "3", "--strides", "0"], "strides[0]=0 must be at least 1"),
        (["shape", "8", "9", "--kernel-size", "3,0"], "kernel_size[1]=0 must be at least 1"),
        (["shape", "8", "-9", "--kernel-size", "3"], "input_shape[1]=-9 must be at least 0"),
        (["shape", "8", "9", "--kernel-size", "3", "--output-shape", "10,99"], "output_shape[1]=99 is unreachable"),
        (["shape", "8", "--kernel-size", "3", "--output-shape", "99"], "unreachable"),
        (["nonsense"], "nonsense"),
    ],
)
def test_an_error_is_one_sentence_and_code_2(capsys, words, reason):
    try:
        code = main(words)
    except SystemExit as error:
        code = error.code
    said = capsys.readouterr()
    assert (code, said.out) == (2, "")
    assert said.err.count("\n") == 1
    assert reason in said.err


@pytest.mark.parametrize(
    ("option", "file"), [("--cmake-dir", "tconvConfig.cmake"), ("--include-dir", "tconv/tconv.hpp")]
)
def test_the_folders_hold_what_they_promise(option, file):
    said = subprocess.run([sys.executable, "-m", "tconv", option], capture_output=True, text=True, check=True)
    assert (Path(said.stdout.strip()) / file).is_file()


def test_version():
    said = subprocess.run([sys.executable, "-m", "tconv", "--version"], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == tconv.__version__
