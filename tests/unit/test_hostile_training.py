"""compile, fit, evaluate, callbacks: every wrong argument gets one sentence, and changes nothing."""

import numpy as np
import pytest

import tconv
from tconv import callbacks, layers, losses
from training_models import X, Y, decoder, everything

HOSTILE = [
    (lambda m: tconv.Sequential([layers.Dense(1)]).fit(X, Y), ValueError, "compile()"),
    (lambda m: m.compile("adam") or m.fit(X, Y), ValueError, "No loss"),
    (lambda m: m.compile(None, "mse"), ValueError, "optimizer=None"),
    (lambda m: m.compile("adam", "mean_square_error"), ValueError, "Did you mean 'mean_squared_error'"),
    (lambda m: m.compile("adam", losses.MeanSquaredError(reduction=None)), ValueError, "no reduction"),
    (lambda m: m.compile("adam", lambda t, p: 0.0), TypeError, "cannot be differentiated"),
    (lambda m: m.compile("adam", ["mse", "mse"]), ValueError, "loss has 2 entries for 1 outputs"),
    (lambda m: m.compile("adam", {"b": "mse"}), ValueError, "the outputs are"),
    (lambda m: m.compile("adam", "mse", "heavy"), TypeError, "loss_weights='heavy'"),
    (lambda m: m.compile("adam", "mse", metrics="mae"), ValueError, "metrics='mae' must be a list"),
    (lambda m: m.compile("adam", "mse", metrics=["accuracy"]), ValueError, "accuracy"),
    (lambda m: m.compile("adam", "mse", metrics=[3]), ValueError, "metric 3"),
    (lambda m: m.fit(), ValueError, "no x"),
    (lambda m: m.fit(X), ValueError, "no targets y"),
    (lambda m: m.fit(X, Y[:7]), ValueError, "x 20, y 7"),
    (lambda m: m.fit(X[:0], Y[:0]), ValueError, "no examples"),
    (lambda m: m.fit(X, Y[:, :3], verbose=0), ValueError, "y_true must have y_pred's shape"),
    (lambda m: m.fit(X[..., :1], Y, verbose=0), ValueError, "incompatible"),
    (lambda m: m.fit(X, "text"), TypeError, "y"),
    (lambda m: m.fit(X, Y, batch_size=0), ValueError, "batch_size=0"),
    (lambda m: m.fit(X, Y, batch_size=2.5), ValueError, "batch_size=2.5"),
    (lambda m: m.fit(X, Y, epochs=-1), ValueError, "epochs=-1"),
    (lambda m: m.fit(X, Y, epochs="2"), TypeError, "epochs='2'"),
    (lambda m: m.fit(X, Y, verbose=3), ValueError, "verbose=3"),
    (lambda m: m.fit(X, Y, callbacks=["stop"]), ValueError, "'stop' is no instance"),
    (lambda m: m.fit(X, Y, callbacks=[callbacks.History]), ValueError, "is no instance"),
    (lambda m: m.fit(X, Y, validation_split=1.0), ValueError, "validation_split=1.0"),
    (lambda m: m.fit([(X, Y)], validation_split=0.5), ValueError, "validation_split is for arrays"),
    (lambda m: m.fit(X, Y, validation_data=(X,)), ValueError, "tuple of 1"),
    (lambda m: m.fit(X, Y, validation_data=(X, Y[:3])), ValueError, "validation_data: all arrays"),
    (lambda m: m.fit(X, Y, seed=-1), ValueError, "seed=-1"),
    (lambda m: m.fit(X, Y, shuffle="yes"), ValueError, "shuffle='yes'"),
    (lambda m: m.fit(X, Y, sample_weight=np.ones(3)), ValueError, "sample_weight 3"),
    (lambda m: m.fit(X, Y, sample_weight=np.ones((20, 3)), verbose=0), ValueError, "sample_weight must have the shape"),
    (lambda m: m.fit(iter([(X, Y)]), epochs=2, verbose=0), ValueError, "ran out in epoch 2 after 0"),
    (lambda m: m.fit(iter([(X, Y)]), steps_per_epoch=3, verbose=0), ValueError, "ran out in epoch 1 after 1"),
    (lambda m: m.fit(iter([X]), verbose=0), ValueError, r"a batch is \(x, y\)"),
    (lambda m: m.fit(iter([(X, Y)]), Y), ValueError, "have their own targets"),
    (lambda m: m.fit([], verbose=0), (ValueError, TypeError), "targets"),
    (lambda m: m.predict(iter([])), ValueError, "no batches"),
    (lambda m: m.fit(X, {"b": Y}, verbose=0), ValueError, r"no outputs \['b'\]"),
    (lambda m: m.compile_from_config({"optimizer": "adam", "loss": "mse", "spell": 1}), ValueError, "spell"),
    (lambda m: m.compile_from_config({"loss": "mse"}), ValueError, "no optimizer"),
    (lambda m: callbacks.EarlyStopping("accuracy"), ValueError, "give mode"),
    (lambda m: callbacks.EarlyStopping(mode="least"), ValueError, "mode='least'"),
    (lambda m: callbacks.EarlyStopping(patience=-1), ValueError, "patience=-1"),
    (lambda m: callbacks.ModelCheckpoint("model.h5"), ValueError, "must end in .keras"),
    (lambda m: callbacks.ModelCheckpoint("m.keras", save_freq=0), ValueError, "save_freq=0"),
    (
        lambda m: m.fit(X, Y, verbose=0, callbacks=callbacks.ModelCheckpoint("{acc}.keras")),
        ValueError,
        "cannot be filled in: 'acc'",
    ),
]


@pytest.mark.parametrize("act,kind,words", HOSTILE)
def test_hostile_arguments_are_one_sentence(act, kind, words):
    model = decoder()
    before = everything(model)[:-2]
    with pytest.raises(kind, match=words) as caught:
        act(model)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
    if "ran out" not in words and "filled" not in words:
        for a, b in zip(before, everything(model)):
            np.testing.assert_array_equal(a, b)
