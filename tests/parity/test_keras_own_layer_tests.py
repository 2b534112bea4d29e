"""Keras' own tests of transposed convolutions, on tconv's layers.

TCONV_KERAS_SOURCE names a checkout of Keras, the folder that holds keras/src.
"""

import json
import os
from types import SimpleNamespace

os.environ.setdefault("KERAS_BACKEND", "jax")

import numpy as np
import pytest

import tconv
from parity.borrowed import cases, folder

SOURCE = folder("TCONV_KERAS_SOURCE", "Keras")
pytest.importorskip("keras")
testing = pytest.importorskip("keras.src.testing")
pytestmark = pytest.mark.filterwarnings("ignore")


class Case(testing.TestCase):
    """Keras' test case, whose test of a layer is about what tconv's layers have in its place."""

    def run_layer_test(
        self,
        layer_cls,
        init_kwargs,
        input_shape,
        expected_output_shape,
        expected_num_trainable_weights,
        expected_num_non_trainable_weights,
        expected_num_losses,
        supports_masking,
    ):
        """Config, weights, symbolic call, call, gradients and mixed precision of a layer."""
        x = np.random.default_rng(0).standard_normal(input_shape).astype(np.float32)
        layer = layer_cls(**init_kwargs)
        revived = tconv.layers.deserialize(json.loads(json.dumps(tconv.layers.serialize(layer))))
        for one in (layer, revived, layer_cls.from_config(layer.get_config())):
            assert one.get_config() == layer.get_config()
            one.build(input_shape)
            assert one.built
            assert len(one.trainable_weights) == expected_num_trainable_weights
            assert len(one.non_trainable_weights) == expected_num_non_trainable_weights
            assert one.supports_masking == supports_masking
            assert one(tconv.layers.Input(batch_shape=input_shape)).shape == expected_output_shape
            assert one(x).shape == expected_output_shape
            assert len(one.losses) == expected_num_losses
        before = layer(x).sum(dtype=np.float64)
        y, pullback = layer.vjp(x)
        _, gradients = pullback(np.ones_like(y))
        size = sum(float(np.square(gradient, dtype=np.float64).sum()) for gradient in gradients)
        for weight, gradient in zip(layer.trainable_weights, gradients, strict=True):
            weight.assign(weight.numpy() - gradient / size)
        assert layer(x).sum(dtype=np.float64) == pytest.approx(before - 1, rel=1e-3)  # affine in its weights
        for policy, dtype in (("mixed_float16", "float16"), ("mixed_bfloat16", "bfloat16")):
            mixed = layer_cls(**init_kwargs, dtype=policy)
            assert mixed(x).dtype.name == dtype
            assert all(weight.dtype == np.float32 for weight in mixed.weights)


ANSWERS = {
    "keras.src.layers": tconv.layers,
    "keras.src.testing": SimpleNamespace(**{**vars(testing), "TestCase": Case}),
}
globals().update(cases(SOURCE / "keras/src/layers/convolutional/conv_transpose_test.py", ANSWERS, []))


def test_the_file_is_not_empty():
    """Basic and correctness tests."""
    assert sum(name.endswith("Test") for name in globals()) == 2
