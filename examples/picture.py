"""Draws docs/upsample.png: a detail of the photograph, small, by nearest neighbour, by tconv, and as it was.

python examples/picture.py docs/upsample.png
"""

import sys

import numpy as np
from upsample import nearest, photograph, reduced, upsample, upsampling_layer, write_png

TOP, LEFT, SIZE = 64, 168, 112  # the face, in pixels of the original
ZOOM = 2
GAP = 8


def picture():
    """Four panels side by side on white, (h, w, 3) in 0..1."""
    truth = photograph()
    small = reduced(truth)
    detail = np.s_[TOP : TOP + SIZE, LEFT : LEFT + SIZE]
    large = upsample(upsampling_layer(channels=3), small)
    panels = [image[detail].repeat(ZOOM, axis=0).repeat(ZOOM, axis=1) for image in (nearest(small), large, truth)]

    side = SIZE * ZOOM
    low = np.ones((side, SIZE, 3), np.float32)  # the input in the same scale of pixels: half as large
    low[side // 4 : side // 4 + SIZE] = nearest(small[TOP // 2 : (TOP + SIZE) // 2, LEFT // 2 : (LEFT + SIZE) // 2])
    gap = np.ones((side, GAP, 3), np.float32)
    return np.concatenate([low, gap, panels[0], gap, panels[1], gap, panels[2]], axis=1)


if __name__ == "__main__":
    write_png(sys.argv[1], picture())
