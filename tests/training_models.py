"""A small decoder to be trained, with its data."""

import numpy as np

import tconv
from tconv import layers, optimizers

RNG = np.random.default_rng(2)
X = RNG.normal(size=(20, 4, 4, 2)).astype(np.float32)
Y = RNG.normal(size=(20, 8, 8, 1)).astype(np.float32)


def decoder(optimizer="adam", loss="mse", dropout=0.0, **compiling):
    model = tconv.Sequential(
        [
            layers.Input((4, 4, 2)),
            layers.Conv2DTranspose(
                3, 4, strides=2, padding="same", activation="relu", kernel_initializer=ones(0.1), name="up"
            ),
            layers.BatchNormalization(name="norm"),
            layers.Dropout(dropout, seed=5, name="drop"),
            layers.Conv2DTranspose(1, 3, padding="same", kernel_initializer=ones(0.2), name="last"),
        ],
        name="decoder",
    )
    model.compile(optimizers.get(optimizer), loss, **compiling)
    return model


def ones(seed):
    return tconv.initializers.RandomNormal(seed=int(seed * 10))


def everything(model):
    state = [*model.variables, *model.optimizer.variables]
    return [variable.numpy() for variable in state]


def check_same(a, b):
    for one, other in zip(everything(a), everything(b), strict=True):
        np.testing.assert_array_equal(one, other)


def fitted(model, *args, **kwargs):
    return model.fit(*args, **{"verbose": 0, "batch_size": 8, "seed": 3, **kwargs}).history
