"""One-axis cases with their numbers, as measured on the peers: each separates two conventions easily mixed up."""

from typing import Any, NamedTuple


class Case(NamedTuple):
    name: str
    y: list[int]
    x: tuple[int, ...] = (1, 2, 3, 4)
    w: tuple[int, ...] = (1, 10, 100)
    stride: int = 1
    dilation: int = 1
    padding: Any = "valid"  # "valid" | "same" | "same_lower" | (begin, end)
    output_padding: int | None = None
    output_shape: int | None = None

    def __str__(self):
        return self.name.replace(" ", "_")


FULL = [1, 10, 102, 20, 203, 30, 304, 40, 400]  # stride 2
X3, W2, W4, W5 = (1, 2, 3), (1, 10), (1, 10, 100, 1000), (1, 10, 100, 1000, 10000)
GAPS = [1, 10, 0, 0, 2, 20, 0, 0, 3, 30]  # kernel 2, stride 4

CASES = [
    Case("1 valid", FULL, stride=2),
    Case("2 same crops the end", FULL[:8], stride=2, padding="same"),
    Case("3 same_lower crops the begin", FULL[1:], stride=2, padding="same_lower"),
    Case("3 pytorch p1 op1", FULL[1:], stride=2, padding=(1, 1), output_padding=1),
    Case("3 onnx output_shape 8", FULL[1:], stride=2, padding="same_lower", output_shape=8),
    Case("4 same op0", FULL[1:8], stride=2, padding="same", output_padding=0),
    Case("4 pytorch p1", FULL[1:8], stride=2, padding=(1, 1)),
    Case("5 same op1", FULL[:8], stride=2, padding="same", output_padding=1),
    Case("6 valid op1", [*FULL, 0], stride=2, output_padding=1),
    Case("6 valid op0", FULL, stride=2, output_padding=0),
    Case("7 even kernel same op0", [10, 2, 20, 3], X3, W2, 2, padding="same", output_padding=0),
    Case("8 k4 same", [10, 102, 1020, 203, 2030, 300], X3, W4, 2, padding="same"),
    Case("9 k4 same op0", [102, 1020, 203, 2030], X3, W4, 2, padding="same", output_padding=0),
    Case("9 k4 same op1", [10, 102, 1020, 203, 2030], X3, W4, 2, padding="same", output_padding=1),
    Case("10 stride beyond kernel valid", [*GAPS, 0, 0], X3, W2, 4),
    Case("10 stride beyond kernel same", [*GAPS, 0, 0], X3, W2, 4, padding="same"),
    Case("10 stride beyond kernel pytorch p0", GAPS, X3, W2, 4, padding=(0, 0)),
    Case("11 op0", [10, 0, 0, 2, 20, 0, 0, 3], X3, W2, 4, padding="same", output_padding=0),
    Case("11 op3", [*GAPS, 0], X3, W2, 4, padding="same", output_padding=3),
    Case("12 dilation same", [13, 20, 130], X3, stride=1, dilation=2, padding="same"),
    Case("12 dilation valid", [1, 2, 13, 20, 130, 200, 300], X3, dilation=2),
    Case("13 stride and dilation valid", [1, 0, 12, 0, 123, 0, 234, 0, 340, 0, 400], stride=2, dilation=2),
    Case("14 stride and dilation same", [0, 12, 0, 123, 0, 230], X3, stride=2, dilation=2, padding="same"),
    Case("15 even kernel s1 same", [1, 12, 23], X3, W2, padding="same"),
    Case("15 even kernel s1 same op0", [12, 23], X3, W2, padding="same", output_padding=0),
    Case("16 w4 s3 same", [1, 10, 100, 1002, 20, 200, 2003, 30, 300], X3, W4, 3, padding="same"),
    Case("16 w5 s3 same", [10, 100, 1002, 10020, 200, 2003, 20030, 300, 3000], X3, W5, 3, padding="same"),
    Case("17 pytorch p2 op1", [102, 20, 203, 30, 304, 40], stride=2, padding=(2, 2), output_padding=1),
    Case("18 tensorflow SAME 7", FULL[1:8], stride=2, padding="same", output_shape=7),
    Case("18 tensorflow SAME 8", FULL[:8], stride=2, padding="same", output_shape=8),
    Case("18 tensorflow VALID 10", [*FULL, 0], stride=2, output_shape=10),
    Case("19 explicit pad output 9", [*FULL[1:], 0], stride=2, padding=(1, 0), output_shape=9),
    Case("21 one tap same", [1, 0, 0, 2, 0, 0, 3, 0, 0], X3, (1,), 3, padding="same"),
    Case("21 one tap op0", [1, 0, 0, 2, 0, 0, 3], X3, (1,), 3, padding="same", output_padding=0),
    Case("zeros before and after", [0, 0, *FULL, 0], stride=2, padding=(-2, -1)),
    Case("asymmetric crop", FULL[2:8], stride=2, padding=(2, 1)),
    Case("op below dilation", [1, 2, 13, 24, 130, 240, 300, 400, 0], dilation=2, padding=(0, 0), output_padding=1),
]
