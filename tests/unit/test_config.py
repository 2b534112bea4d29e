"""Defaults: keras.json is read, never written; what is set in the program wins."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import tconv

CODE = """
import tconv
layer = tconv.layers.Conv2DTranspose(4, 3)
print(tconv.config.image_data_format(), tconv.config.floatx(), tconv.config.epsilon(), layer.data_format)
"""


def run(home, code=CODE, **environment):
    environment = {**os.environ, "KERAS_HOME": str(home), **environment}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)


def written(home, content):
    home.mkdir(exist_ok=True)
    (home / "keras.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return home


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "channels_last float32 1e-07 channels_last"),
        ({}, "channels_last float32 1e-07 channels_last"),
        ("not json", "channels_last float32 1e-07 channels_last"),
        ("[1]", "channels_last float32 1e-07 channels_last"),
        ({"image_data_format": "channels_first"}, "channels_first float32 1e-07 channels_first"),
        (
            {"floatx": "float64", "epsilon": 1e-5, "backend": "jax", "image_data_format": "channels_first"},
            "channels_first float64 1e-05 channels_first",
        ),
    ],
)
def test_keras_json(tmp_path, content, expected):
    home = tmp_path / "home"
    if content is not None:
        written(home, content)
    said = run(home)
    assert said.stdout.strip() == expected, said.stderr
    assert os.listdir(tmp_path) == ([] if content is None else ["home"])
    assert content is None or os.listdir(home) == ["keras.json"]


def test_the_home_directory_is_the_default(tmp_path):
    written(tmp_path / ".keras", {"image_data_format": "channels_first"})
    environment = {**os.environ, "HOME": str(tmp_path)}
    environment.pop("KERAS_HOME")
    said = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True)
    assert said.stdout.split()[0] == "channels_first"
    assert os.listdir(tmp_path / ".keras") == ["keras.json"]


@pytest.mark.parametrize(
    "content", [{"image_data_format": "NHWC"}, {"floatx": "bfloat16"}, {"floatx": 32}, {"epsilon": "small"}]
)
def test_nonsense_in_keras_json_is_named(tmp_path, content):
    said = run(written(tmp_path / "home", content))
    assert said.returncode == 1
    last = said.stderr.strip().splitlines()[-1]
    assert last.startswith("ValueError")
    assert next(iter(content)) in last


def test_read_at_construction(tmp_path, monkeypatch):
    """A layer keeps the data format of the moment when it was made; functions ask again at each call."""
    code = """if True:
        import tconv, numpy as np
        first = tconv.layers.Conv1DTranspose(4, 3)
        tconv.config.set_image_data_format("channels_first")
        second = tconv.layers.Conv1DTranspose(4, 3)
        print(first.data_format, second.data_format, first(np.ones((1, 5, 2))).shape, second(np.ones((1, 2, 5))).shape)
        print(tconv.conv_transpose_output_shape((1, 2, 5), 3, 4))
    """
    said = run(tmp_path / "none", code)
    assert said.stdout.splitlines() == ["channels_last channels_first (1, 7, 4) (1, 4, 7)", "(1, 4, 7)"], said.stderr


def test_setters_win_over_the_file(tmp_path):
    home = written(tmp_path / "home", {"image_data_format": "channels_first", "floatx": "float64"})
    code = 'import tconv; tconv.config.set_image_data_format("channels_last"); tconv.config.set_floatx("float16")'
    said = run(home, code + CODE)
    assert said.stdout.split() == ["channels_last", "float16", "1e-07", "channels_last"], said.stderr


@pytest.mark.parametrize(
    ("setter", "values"),
    [
        ("set_image_data_format", ["NHWC", "", None, 1, b"channels_last"]),
        ("set_floatx", ["float8", "", None, 32, "int32"]),
        ("set_epsilon", [0, -1, "small", None, float("nan"), float("inf"), True]),
    ],
)
def test_setters_refuse_nonsense(setter, values):
    before = tconv.config.image_data_format(), tconv.config.floatx(), tconv.config.epsilon()
    for value in values:
        with pytest.raises((ValueError, TypeError)):
            getattr(tconv.config, setter)(value)
    assert (tconv.config.image_data_format(), tconv.config.floatx(), tconv.config.epsilon()) == before


def test_keras_json_is_read_again_when_it_changes(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delitem(tconv.config._settings, "image_data_format", raising=False)
    x, kernel = np.ones((1, 2, 2, 2), np.float32), np.ones((2, 2, 3, 2), np.float32)
    for content, shape in [("channels_last", (1, 4, 4, 3)), ("channels_first", (1, 3, 4, 4)), (None, (1, 4, 4, 3))]:
        if content is None:
            (tmp_path / "keras.json").unlink()
        else:
            written(tmp_path, {"image_data_format": content})
        assert tconv.conv_transpose(x, kernel, strides=2).shape == shape
        assert tconv.conv_transpose_grad_input(np.ones(shape), kernel, x.shape, strides=2).shape == x.shape
