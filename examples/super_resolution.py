"""Trains a small network that doubles photographs, and compares it with bicubic interpolation on others.

The network is that of Dong, Loy and Tang, "Accelerating the Super-Resolution Convolutional Neural Network", 2016, in
small: convolutions at the low resolution, and one transposed convolution to the high one. It sees one colour at a time
and learns what is to be added to the bicubic image. The photographs come with scikit-image.

    python examples/super_resolution.py [--epochs 40] [--compare] [-o super_resolution.png]
"""

import argparse
import time

import numpy as np
from PIL import Image
from skimage import data
from upsample import psnr, write_png

import tconv
from tconv import layers

SCALE = 2
PATCH = 24  # pixels of the low resolution
BATCH = 32
TO_LEARN_FROM = ("coffee", "chelsea", "rocket", "coins", "brick", "grass", "gravel", "immunohistochemistry")
TO_JUDGE_BY = ("astronaut", "camera", "stereo_motorcycle")
DETAIL = np.s_[64:176, 168:280]  # the astronaut's face
GAP = 8


def photograph(name):
    """A photograph (h, w, colours), float32 in 0..1, of even extents."""
    found = getattr(data, name)()
    pixels = np.atleast_3d(found[0] if isinstance(found, tuple) else found)
    height, width = (extent // SCALE * SCALE for extent in pixels.shape[:2])
    return pixels[:height, :width].astype(np.float32) / 255


def resized(image, scale):
    """An image (h, w, colours) `scale` times as large, by bicubic interpolation, smoothed where it gets smaller."""
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    colours = [Image.fromarray(colour).resize(size, Image.Resampling.BICUBIC) for colour in np.moveaxis(image, 2, 0)]
    return np.stack([np.asarray(colour) for colour in colours], axis=2)


def pairs(image):
    """Its colours as examples: the low resolution (colours, h, w, 1), and what bicubic interpolation lacks."""
    low = resized(image, 1 / SCALE)
    lacking = image - resized(low, SCALE)
    return [np.moveaxis(part, 2, 0)[..., None] for part in (low, lacking)]


def patches(images):
    """Pieces of the images: low resolution, and what bicubic interpolation lacks."""
    found = ([], [])
    for image in images:
        for several, part, size in zip(found, pairs(image), (PATCH, PATCH * SCALE)):
            rows, columns = (extent // size for extent in part.shape[1:3])
            cut = part[:, : rows * size, : columns * size].reshape(-1, rows, size, columns, size, 1)
            several.append(cut.transpose(0, 1, 3, 2, 4, 5).reshape(-1, size, size, 1))
    return [np.concatenate(several) for several in found]


class Batches:
    """The pieces in batches: in another order in each epoch, every batch turned or mirrored."""

    def __init__(self, x, y, seed):
        self.pieces = x, y
        self.random = np.random.default_rng(seed)

    def __len__(self):
        return -(-len(self.pieces[0]) // BATCH)

    def __iter__(self):
        order = self.random.permutation(len(self.pieces[0]))
        for start in range(0, len(order), BATCH):
            turns, mirror = self.random.integers(4), self.random.choice((-1, 1))
            chosen = order[start : start + BATCH]
            yield tuple(np.rot90(part[chosen], turns, axes=(1, 2))[:, ::mirror] for part in self.pieces)


def network(of=layers, sequential=tconv.Sequential):
    """The network, of tconv's layers or Keras'."""
    return sequential(
        [
            of.Input((None, None, 1)),
            of.Conv2D(32, 5, padding="same", activation="relu"),  # features
            of.Conv2D(12, 1, padding="same", activation="relu"),  # fewer of them
            of.Conv2D(12, 3, padding="same", activation="relu"),  # mapped
            of.Conv2D(12, 3, padding="same", activation="relu"),
            of.Conv2D(32, 1, padding="same", activation="relu"),  # more of them again
            of.Conv2DTranspose(1, 9, strides=SCALE, padding="same"),
        ]
    )


def enlarged(model, low):
    """An image (h, w, colours) twice as large: bicubic, and what the network adds to each colour."""
    added = model.predict(np.moveaxis(low, 2, 0)[..., None])
    return np.clip(resized(low, SCALE) + np.moveaxis(added[..., 0], 0, 2), 0, 1)


def judged(model, names=TO_JUDGE_BY):
    """Name -> PSNR of the bicubic image and of the network's, in dB."""
    found = {}
    for name in names:
        truth = photograph(name)
        low = resized(truth, 1 / SCALE)
        found[name] = psnr(np.clip(resized(low, SCALE), 0, 1), truth), psnr(enlarged(model, low), truth)
    return found


def picture(model):
    """Low resolution, bicubic, the network's and the truth side by side on white, in 0..1."""
    truth = photograph("astronaut")
    low = resized(truth, 1 / SCALE)
    nearest = low.repeat(SCALE, axis=0).repeat(SCALE, axis=1)
    panels = [
        image[DETAIL].repeat(2, axis=0).repeat(2, axis=1)
        for image in (nearest, resized(low, SCALE), enlarged(model, low), truth)
    ]
    gap = np.ones((panels[0].shape[0], GAP, 3), np.float32)
    return np.concatenate([panels[0], *(part for panel in panels[1:] for part in (gap, panel))], axis=1)


def trained(x, y, epochs, verbose="auto"):
    """The network, trained, and the seconds that the median epoch took."""
    model, seconds = network(), []

    class Clock(tconv.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.start = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            seconds.append(time.perf_counter() - self.start)

    batches = Batches(x, y, seed=1)
    rate = tconv.optimizers.schedules.CosineDecay(2e-3, epochs * len(batches))
    model.compile(tconv.optimizers.Adam(rate), "mse")
    model.fit(batches, epochs=epochs, verbose=verbose, callbacks=Clock())
    return model, float(np.median(seconds))


def seconds_of_keras(x, y):
    """The seconds of an epoch of the same network in Keras; the first, in which it compiles, does not count."""
    import keras

    model = network(keras.layers, keras.Sequential)
    model.compile(keras.optimizers.Adam(1e-4), "mse")
    model.fit(x[:BATCH], y[:BATCH], batch_size=BATCH, verbose=0)
    start = time.perf_counter()
    model.fit(x[: len(x) // BATCH * BATCH], y[: len(x) // BATCH * BATCH], batch_size=BATCH, verbose=0)
    return time.perf_counter() - start


def seconds_of_pytorch(x, y):
    """The seconds of an epoch of the same network in PyTorch."""
    import torch
    from torch import nn

    model = nn.Sequential(
        *[nn.Conv2d(1, 32, 5, padding=2), nn.ReLU(), nn.Conv2d(32, 12, 1), nn.ReLU()],
        *[nn.Conv2d(12, 12, 3, padding=1), nn.ReLU(), nn.Conv2d(12, 12, 3, padding=1), nn.ReLU()],
        *[nn.Conv2d(12, 32, 1), nn.ReLU(), nn.ConvTranspose2d(32, 1, 9, SCALE, padding=4, output_padding=1)],
    )
    optimizer = torch.optim.Adam(model.parameters(), 1e-4)
    x, y = (torch.from_numpy(np.ascontiguousarray(part.transpose(0, 3, 1, 2))) for part in (x, y))
    start = time.perf_counter()
    for part in torch.randperm(len(x)).split(BATCH):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x[part]), y[part]).backward()
        optimizer.step()
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description="Train a network that doubles photographs.")
    parser.add_argument("--epochs", type=int, default=40, help="how often all photographs are seen")
    parser.add_argument("--compare", action="store_true", help="time an epoch in PyTorch and Keras too")
    parser.add_argument("-o", "--output", default="super_resolution.png", help="the PNG to write")
    chosen = parser.parse_args()

    x, y = patches(map(photograph, TO_LEARN_FROM))
    print(f"{len(x)} pieces of {PATCH} x {PATCH} pixels, of {len(TO_LEARN_FROM)} photographs")
    model, seconds = trained(x, y, chosen.epochs)
    for name, (bicubic, ours) in judged(model).items():
        print(f"{name:20} bicubic {bicubic:.2f} dB, tconv {ours:.2f} dB")
    write_png(chosen.output, picture(model))
    print(f"written to {chosen.output}: low resolution, bicubic, tconv, truth")
    print(f"seconds per epoch: tconv {seconds:.1f}")
    for name, measure in (("PyTorch", seconds_of_pytorch), ("Keras", seconds_of_keras)) if chosen.compare else ():
        try:
            print(f"seconds per epoch: {name} {measure(x, y):.1f}")
        except ImportError as error:
            print(f"{name} is not installed: {error}")


if __name__ == "__main__":
    main()
