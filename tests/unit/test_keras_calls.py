"""What Keras' layers can be asked besides."""

import numpy as np
import pytest

import tconv
from tconv.layers import BatchNormalization, Conv2DTranspose, Dense, Dropout, Input


def test_a_spec_has_what_a_call_gives():
    layer = Conv2DTranspose(8, 3, strides=2, padding="same", dtype="mixed_float16", name="up")
    spec = layer.compute_output_spec(Input((4, None, 3)))
    assert (spec.shape, spec.dtype) == ((None, 8, None, 8), "float16")
    assert not layer.built
    y = layer(np.ones((2, 4, 5, 3)))
    spec = layer.symbolic_call(np.ones((2, 4, 5, 3)))
    assert (spec.shape, spec.dtype) == (y.shape, y.dtype.name)


def test_a_spec_belongs_to_no_model():
    layer = Dense(2)
    spec = layer.compute_output_spec(Input((3,)))
    with pytest.raises(AttributeError, match="not called"):
        layer.output
    with pytest.raises(ValueError, match="shape"):
        layer.compute_output_spec("text")
    assert spec.shape == (None, 2)


def test_a_stateless_call_leaves_the_layer_alone():
    layer = Dense(2)
    layer.build((None, 3))
    before = layer.get_weights()
    kernel, bias = np.full((3, 2), 2.0), np.ones(2)
    y, after = layer.stateless_call([kernel, bias], [], np.ones((1, 3)))
    np.testing.assert_array_equal(y, [[7.0, 7.0]])
    assert after == []
    for one, other in zip(before, layer.get_weights()):
        np.testing.assert_array_equal(one, other)


def test_a_stateless_call_gives_the_state_and_the_losses():
    layer = BatchNormalization(gamma_regularizer="l2")
    layer.build((None, 3))
    x = np.random.default_rng(0).normal(size=(8, 3))
    values = [v.numpy() for v in layer.non_trainable_variables]
    _, after, losses = layer.stateless_call(
        [v.numpy() * 2 for v in layer.trainable_variables], values, x, training=True, return_losses=True
    )
    assert len(losses) == 1 and float(losses[0]) == pytest.approx(0.01 * 3 * 4)
    assert not np.array_equal(after[0], values[0])
    np.testing.assert_array_equal(layer.moving_mean.numpy(), values[0])
    layer(x, training=True)
    np.testing.assert_array_equal(layer.moving_mean.numpy(), after[0])


@pytest.mark.parametrize("values", [[], [np.ones((3, 2))], 5, None])
def test_a_stateless_call_wants_all_values(values):
    layer = Dense(2)
    with pytest.raises(ValueError, match="must be built"):
        layer.stateless_call(values, [], np.ones((1, 3)))
    layer.build((None, 3))
    with pytest.raises(ValueError, match="trainable_variables must be a sequence of 2 values"):
        layer.stateless_call(values, [], np.ones((1, 3)))


def test_names_that_answer_as_in_keras():
    layer = Dropout(0.5)
    assert layer.compute_mask(np.ones(3), "mask") == "mask"
    assert layer.metrics == [] and layer.metrics_variables == [] and layer.quantization_mode is None
    weight = tconv.layers.Layer().add_variable((2,), "ones", name="scale")
    assert weight.numpy().tolist() == [1.0, 1.0]
    for refused in (
        layer.quantize,
        layer.quantized_call,
        layer.add_metric,
        lambda: layer.quantized_build((1,), "int8"),
    ):
        with pytest.raises(NotImplementedError):
            refused()
    with pytest.raises(NotImplementedError, match="does not have a `quantize` method"):
        Conv2DTranspose(4, 3).quantize("int8")
