"""The table of a model: the same words in plain text and in colours."""

import io
import re
import sys

import pytest

import tconv
from stored_models import decoder
from tconv import _colors, _summary


def test_colors_change_no_character():
    """What rich lays out for a terminal is, without its colours, the plain text."""
    rich = pytest.importorskip("rich.console")
    model = decoder()
    for options in ({}, {"line_length": 52}, {"expand_nested": True, "show_trainable": True}):
        table = _summary.table(model, **options)
        stream = io.StringIO()
        console = rich.Console(
            file=stream, force_terminal=True, color_system="256", width=table.length, highlight=False
        )
        assert _colors.show(table, console)
        written = stream.getvalue()
        assert "\x1b[38;5;33mConv2DTranspose\x1b[0m" in written or "\x1b[38;5;33mConv2D" in written
        assert re.sub(r"\x1b\[[\d;]*m", "", written).rstrip("\n") == _summary.plain(table)


@pytest.mark.parametrize("has_rich", [True, False])
def test_what_is_no_terminal_gets_plain_text(capsys, monkeypatch, has_rich):
    if not has_rich:
        for name in [name for name in sys.modules if name.partition(".")[0] == "rich"]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, "rich", None)
    monkeypatch.setenv("COLUMNS", "80")
    decoder().summary()
    assert capsys.readouterr().out == _summary.plain(_summary.table(decoder())) + "\n"


def test_the_table(monkeypatch):
    monkeypatch.setenv("COLUMNS", "64")
    texts = []
    decoder().summary(print_fn=texts.append, expand_nested=True, show_trainable=True)
    assert texts == [
        """\
Model: "decoder"
┏━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━┳━━━━━━━━━┳━━━━━┓
┃ Layer (type)          ┃ Output Shape     ┃ Param # ┃ Tr… ┃
┡━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━╇━━━━━━━━━╇━━━━━┩
│ one (Conv2DTranspose) │ (None, 8, 8, 8)  │     392 │  Y  │
├───────────────────────┼──────────────────┼─────────┼─────┤
│ inner (Sequential)    │ (None, 10, 10,   │     292 │  Y  │
│                       │ 4)               │         │     │
├───────────────────────┼──────────────────┼─────────┼─────┤
│    └ deep             │ (None, 10, 10,   │     292 │  Y  │
│ (Conv2DTranspose)     │ 4)               │         │     │
├───────────────────────┼──────────────────┼─────────┼─────┤
│    └ act (Activation) │ (None, 10, 10,   │       0 │  -  │
│                       │ 4)               │         │     │
├───────────────────────┼──────────────────┼─────────┼─────┤
│ two (Conv2DTranspose) │ (None, 11, 11,   │      34 │  Y  │
│                       │ 2)               │         │     │
└───────────────────────┴──────────────────┴─────────┴─────┘
 Total params: 718 (2.80 KB)
 Trainable params: 718 (2.80 KB)
 Non-trainable params: 0 (0.00 B)"""
    ]


def test_bad_requests():
    model = tconv.Sequential([tconv.layers.Conv2DTranspose(1, 1, name="up")])
    for wrong in (
        {"line_length": 39},
        {"positions": [0.5, 1.0]},
        {"positions": [0.5, 0.4, 1.0]},
        {"positions": [0.5, 0.8, 1.1]},
        {"layer_range": ["up"]},
        {"layer_range": "up"},
        {"layer_range": ["up", "down"]},
        {"layer_range": [1, 2]},
    ):
        with pytest.raises(ValueError, match=f"summary: {next(iter(wrong))}="):
            model.summary(**wrong)
