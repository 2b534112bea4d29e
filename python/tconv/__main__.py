"""The command line: ``tconv info``, ``tconv shape``, ``tconv bench``; the same as ``python -m tconv``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import tconv
from tconv.bench.command import add_arguments as bench_arguments
from tconv.bench.command import run as bench_run
from tconv.geometry import Axis, resolve

Crop = tuple[int, int]


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence."""

    def error(self, message: str) -> NoReturn:
        """Ends the program with code 2."""
        self.exit(2, f"{self.prog}: {message.rstrip('.')}; see {self.prog} --help.\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code.

    Args:
        arguments: the words after the program's name; None for those of this process.

    Raises:
        SystemExit: with code 2 for arguments that cannot be understood.

    Example:
        >>> from tconv.__main__ import main
        >>> main(["shape", "8", "--kernel-size", "3", "--strides", "2", "--padding", "same"])
        axis 0: input 8, kernel 3, stride 2, dilation 1, padding same
            effective kernel  (3 - 1)*1 + 1 = 3
            full output       (8 - 1)*2 + 3 = 17
            output            8*2 = 16
            crop              0 at the begin, 1 at the end
            legal outputs     15..16
        output 16
        0
    """
    parser = _parser()
    chosen = parser.parse_args(arguments)
    try:
        for line in chosen.run(chosen):
            print(line, flush=True)
    except (ValueError, TypeError, OSError) as error:
        print(f"tconv: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> Parser:
    parser = Parser(prog="tconv", description="Transposed convolutions of any rank on CPUs.")
    parser.set_defaults(run=lambda _: [parser.format_help().rstrip()])
    parser.add_argument("--version", action="version", version=tconv.__version__)
    for option, folder, what in (
        ("--cmake-dir", tconv.get_cmake_dir, "the folder for CMake's tconv_DIR"),
        ("--include-dir", tconv.get_include, "the folder of the C++ headers"),
    ):
        parser.add_argument(
            option,
            dest="run",
            action="store_const",
            const=lambda _, folder=folder: [folder()],
            help=f"print {what}",
        )

    commands = parser.add_subparsers(metavar="COMMAND", parser_class=Parser)
    info = commands.add_parser("info", help="what this build has and uses")
    info.set_defaults(run=_info)

    shape = commands.add_parser(
        "shape",
        help="the arithmetic of a layer, explained",
        description="Says, axis by axis, how long the output is, why, and which outputs could be asked for. "
        "N,N stands for one number per axis; one number alone holds for all.",
    )
    shape.add_argument("input", metavar="EXTENT", nargs="+", type=int, help="the spatial extents of the input")
    shape.add_argument("--kernel-size", metavar="N,N", type=_numbers, required=True, help="taps")
    shape.add_argument("--strides", metavar="N,N", type=_numbers, default=[1])
    shape.add_argument("--dilation-rate", metavar="N,N", type=_numbers, default=[1])
    shape.add_argument(
        "--padding",
        type=_paddings,
        default=["valid"],
        help="valid, same, same_lower, or crops: N or BEGIN:END, one for all axes or one per axis; "
        "write --padding=-1:0 where the first is negative",
    )
    shape.add_argument("--output-padding", metavar="N,N", type=_numbers, default=[None])
    shape.add_argument("--output-shape", metavar="N,N", type=_numbers, default=[None], help="the extents wanted")
    shape.set_defaults(run=_shape)

    bench = commands.add_parser(
        "bench",
        help="time tconv beside the libraries that are installed",
        description="Times tconv beside PyTorch, ONNX Runtime, OpenVINO, TensorFlow, JAX, LiteRT and ncnn, those of "
        "them that are installed, in turns on equal threads.",
    )
    bench_arguments(bench)
    bench.set_defaults(run=bench_run)
    return parser


def _numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def _paddings(text: str) -> list[str] | list[Crop]:
    if text.lower() in ("valid", "same", "same_lower"):
        return [text.lower()]
    crops = []
    for word in text.split(","):
        begin, colon, end = word.partition(":")
        crops.append((int(begin), int(end if colon else begin)))
    return crops


_numbers.__name__, _paddings.__name__ = "integer or list of integers", "padding"  # argparse names them in its errors


def _info(_: argparse.Namespace) -> list[str]:
    facts = tconv.build_info()
    names = {
        "isas_compiled": "compiled for",
        "isas_available": "runs here",
        "isa": "uses",
        "default_threads": "threads",
    }
    texts = {key: " ".join(map(str, value)) if isinstance(value, list) else str(value) for key, value in facts.items()}
    return [f"{names.get(key, key):12}  {text}" for key, text in texts.items()]


def _shape(chosen: argparse.Namespace) -> list[str]:
    rank = len(chosen.input)
    columns = [
        _per_axis(name, getattr(chosen, name), rank)
        for name in ("kernel_size", "strides", "dilation_rate", "padding", "output_padding", "output_shape")
    ]
    kernel_size, strides, dilation_rate, paddings, output_padding, output_shape = columns
    outs = tconv.conv_transpose_output_shape(  # its errors name the argument and the axis
        (*chosen.input, 1),
        kernel_size,
        1,
        strides=strides,
        dilation_rate=dilation_rate,
        padding=paddings[0] if isinstance(paddings[0], str) else paddings,
        output_padding=None if output_padding[0] is None else output_padding,
        output_shape=None if output_shape[0] is None else output_shape,
        data_format="channels_last",
    )[:-1]
    lines = []
    for number, extent in enumerate(chosen.input):
        kernel, stride, dilation, padding, extra, wanted = (column[number] for column in columns)
        axis = resolve(extent, kernel, stride, dilation, padding, extra, wanted)
        lines += [f"axis {number}: {_title(axis, padding)}", *("    " + line for line in explain(axis, padding, extra))]
    return [*lines, "output " + " ".join(map(str, outs))]


def _per_axis(name: str, values: list[Any], rank: int) -> list[Any]:
    if len(values) == 1:
        return values * rank
    if len(values) != rank:
        option = "--" + name.replace("_", "-")
        raise ValueError(f"{option} has {len(values)} entries but the input has {rank}; give one, or one per axis.")
    return values


def _title(axis: Axis, padding: str | Crop) -> str:
    mode = padding if isinstance(padding, str) else "{}:{}".format(*padding)
    return f"input {axis.input}, kernel {axis.kernel}, stride {axis.stride}, dilation {axis.dilation}, padding {mode}"


def explain(axis: Axis, padding: str | Crop, output_padding: int | None = None) -> list[str]:
    """The arithmetic of a resolved axis, one line per step.

    Args:
        axis: what `resolve` made of `padding` and `output_padding`, or of an explicit extent.
        padding: "valid", "same", "same_lower" or (begin, end).
        output_padding: pixels.

    Example:
        >>> from tconv.geometry import resolve
        >>> from tconv.__main__ import explain
        >>> for line in explain(resolve(4, 3, 2, padding=(1, 1)), (1, 1)):
        ...     print(line)
        effective kernel  (3 - 1)*1 + 1 = 3
        full output       (4 - 1)*2 + 3 = 9
        output            9 - 1 - 1 = 7
        crop              1 at the begin, 1 at the end
        legal outputs     7..8
    """
    stride, reach = axis.stride, (axis.kernel - 1) * axis.dilation + 1
    steps, before = f"({axis.input} - 1)*{stride}", (axis.input - 1) * stride
    full, extra = before + reach, output_padding or 0
    plus = f" + {extra}" if extra else ""
    if not isinstance(padding, str):
        begin, end = padding
        first = full - begin - end
        formula, usual = f"{full} - {begin} - {end}{plus}".replace("- -", "+ "), first + extra
    elif padding == "valid":
        first = full
        formula, usual = f"{full}{plus}", full + extra
        if output_padding is None:
            formula, usual = f"{steps} + max({reach}, {stride})", before + max(reach, stride)
    else:
        first = before + 1
        formula, usual = f"{steps} + {reach} % 2{plus}", before + reach % 2 + extra
        if output_padding is None:
            formula, usual = f"{axis.input}*{stride}", axis.input * stride
    lowest, highest = max(first, 1 if axis.input else 0), first + stride - 1
    legal = "none" if highest < lowest else f"{lowest}..{highest}" if lowest < highest else f"{lowest}"
    return [
        f"effective kernel  ({axis.kernel} - 1)*{axis.dilation} + 1 = {reach}",
        f"full output       {steps} + {reach} = {full}",
        f"output            {formula} = {axis.out}" if axis.out == usual else f"output            {axis.out}, as asked",
        f"crop              {_ends(axis.crop, full - axis.out - axis.crop)}",
        f"legal outputs     {legal}",
    ]


def _ends(begin: int, end: int) -> str:
    parts = [
        f"{pixels} at the {place}" if pixels >= 0 else f"{-pixels} of bias only at the {place}"
        for pixels, place in ((begin, "begin"), (end, "end"))
    ]
    return ", ".join(parts)


if __name__ == "__main__":
    sys.exit(main())
