"""Upsamples a photograph 2x by a transposed convolution with bilinear weights.

Fully convolutional networks upsample so, and start training from these weights: Long, Shelhamer and Darrell, "Fully
Convolutional Networks for Semantic Segmentation", 2015. The photograph, NASA's astronaut Eileen Collins unless another
is named, is reduced by 2 first, so that the result can be compared with the original.

    python examples/upsample.py [PHOTOGRAPH] [-o upsampled.png]
"""

import argparse
import math
import time

import numpy as np

import tconv


def bilinear_kernel(channels, stride=2):
    """FCN's weights (k, k, 1, channels), k = 2*stride: every channel by itself, groups=channels."""
    size = 2 * stride
    taps = 1 - np.abs(np.arange(size) - (size - 1) / 2) / stride
    return np.repeat(np.outer(taps, taps)[:, :, None, None], channels, axis=3).astype(np.float32)


def upsampling_layer(channels, stride=2):
    """(batch, h, w, channels) -> (batch, h*stride, w*stride, channels)."""
    layer = tconv.layers.Conv2DTranspose(
        channels, 2 * stride, strides=stride, padding="same", groups=channels, use_bias=False
    )
    layer.build((None, None, None, channels))
    layer.set_weights([bilinear_kernel(channels, stride)])
    return layer


def upsample(layer, image):
    """An image (h, w, channels) 2x as large. Beyond its edge it goes on as it ends: zeros would darken the border."""
    return layer(np.pad(image, ((1, 1), (1, 1), (0, 0)), mode="edge")[None])[0, 2:-2, 2:-2]


def reduced(image):
    """An image (h, w, channels) half as large: the means of blocks of 2x2 pixels."""
    height, width = (extent // 2 * 2 for extent in image.shape[:2])
    blocks = image[:height, :width].reshape(height // 2, 2, width // 2, 2, -1)
    return blocks.mean(axis=(1, 3))


def nearest(image):
    """An image (h, w, channels) 2x as large: every pixel four times."""
    return image.repeat(2, axis=0).repeat(2, axis=1)


def psnr(image, truth):
    """Peak signal-to-noise ratio in dB of values in 0..1."""
    return -10 * math.log10(np.mean(np.square(image - truth, dtype=np.float64)))


def photograph(path=None):
    """An RGB image (h, w, 3), float32 in 0..1, of even extents."""
    if path is None:
        from skimage import data

        pixels = data.astronaut()
    else:
        from PIL import Image

        pixels = np.asarray(Image.open(path).convert("RGB"))
    height, width = (extent // 2 * 2 for extent in pixels.shape[:2])
    return pixels[:height, :width].astype(np.float32) / 255


def write_png(path, image):
    """Writes values in 0..1 as a PNG of 8 bits per channel."""
    from PIL import Image

    Image.fromarray(np.uint8(np.clip(image, 0, 1) * 255 + 0.5)).save(path)


def main():
    parser = argparse.ArgumentParser(description="Upsample a photograph 2x by a transposed convolution.")
    parser.add_argument("photograph", nargs="?", help="an image file; NASA's astronaut when left out")
    parser.add_argument("-o", "--output", default="upsampled.png", help="the PNG to write")
    chosen = parser.parse_args()

    truth = photograph(chosen.photograph)
    small = reduced(truth)
    layer = upsampling_layer(channels=3)
    upsample(layer, small)  # the first call packs the kernel

    start = time.perf_counter()
    large = upsample(layer, small)
    seconds = time.perf_counter() - start

    write_png(chosen.output, large)
    print(f"{small.shape} -> {large.shape} in {seconds * 1e3:.2f} ms, written to {chosen.output}")
    print(f"PSNR {psnr(large, truth):.2f} dB; nearest neighbour {psnr(nearest(small), truth):.2f} dB")


if __name__ == "__main__":
    main()
