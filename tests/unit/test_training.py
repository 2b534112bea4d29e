"""compile, fit, evaluate: whole steps, data of all kinds, callbacks, what goes wrong."""

import itertools
import os
import signal

import numpy as np
import pytest

import tconv
from tconv import callbacks, constraints, layers, losses, optimizers
from training_models import RNG, X, Y, check_same, decoder, everything, fitted

# ---- what is the same


def test_arrays_and_batches_of_them_train_the_same():
    order = np.random.default_rng([3, 0]).permutation(20)
    batches = [(X[order[i : i + 8]], Y[order[i : i + 8]]) for i in (0, 8, 16)]
    models = [decoder() for _ in range(5)]
    fitted(models[0], X, Y)
    fitted(models[1], batches)
    fitted(models[2], (batch for batch in batches))
    fitted(models[3], itertools.cycle(batches), steps_per_epoch=3)
    for x, y in batches:
        models[4].train_on_batch(x, y)
    for model in models[1:]:
        check_same(models[0], model)


def test_a_seed_gives_one_result_and_another_seed_another():
    first, second, third = decoder(), decoder(), decoder()
    assert fitted(first, X, Y, epochs=2) == fitted(second, X, Y, epochs=2)
    check_same(first, second)
    assert fitted(third, X, Y, epochs=2, seed=4) != first.history.history
    assert third.history.epoch == [0, 1]


def test_every_number_of_threads_gives_the_same_bits():
    models, before = [], tconv.get_num_threads()
    try:
        for threads in (1, 2, 3):
            tconv.set_num_threads(threads)
            models.append(decoder(dropout=0.3))
            fitted(models[-1], X, Y, epochs=2)
    finally:
        tconv.set_num_threads(before)
    for model in models[1:]:
        check_same(models[0], model)


@pytest.mark.parametrize("ending", ["keras", "weights.h5"])
@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adam", "adamw"])
def test_training_goes_on_from_a_file_bit_for_bit(tmp_path, optimizer, ending):
    pytest.importorskip("h5py")
    whole, begun = (decoder(optimizer, dropout=0.3) for _ in range(2))
    fitted(whole, X, Y, epochs=3)
    fitted(begun, X, Y, epochs=1)
    path = tmp_path / f"begun.{ending}"
    if ending == "keras":
        begun.save(path)
        resumed = tconv.saving.load_model(path)
    else:
        begun.save_weights(path)
        resumed = decoder(optimizer, dropout=0.3)
        resumed.load_weights(path)
    fitted(resumed, X, Y, epochs=3, initial_epoch=1)
    check_same(whole, resumed)
    assert resumed.optimizer.iterations == 9


def test_the_state_of_an_optimizer_goes_to_its_like_alone(tmp_path):
    pytest.importorskip("h5py")
    model = decoder("adam")
    fitted(model, X, Y)
    model.save(tmp_path / "a.keras")
    other = decoder("sgd")
    with pytest.warns(UserWarning, match="does not fit 'sgd'"):
        other.load_weights(tmp_path / "a.keras")
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])
    assert other.optimizer.iterations == 0
    assert tconv.saving.load_model(tmp_path / "a.keras", compile=False).optimizer is None
    unused = decoder("adam")
    unused.save(tmp_path / "b.keras")
    assert tconv.saving.load_model(tmp_path / "b.keras").optimizer.iterations == 0


def test_what_a_file_cannot_say_is_left_out_with_a_warning(tmp_path):
    pytest.importorskip("h5py")
    model = decoder(metrics=[lambda y_true, y_pred: y_pred - y_true])
    with pytest.warns(UserWarning, match="without what it was compiled with"):
        model.save(tmp_path / "a.keras")
    assert not tconv.saving.load_model(tmp_path / "a.keras").compiled

    def far(y_true, y_pred):
        return np.abs(y_pred - y_true) > 1

    decoder(metrics=[far]).save(tmp_path / "b.keras")
    with pytest.warns(UserWarning, match="the model is not compiled: .*far"):
        assert not tconv.saving.load_model(tmp_path / "b.keras").compiled
    loaded = tconv.saving.load_model(tmp_path / "b.keras", {"far": far})
    assert loaded.evaluate(X, Y, verbose=0)[1] == decoder(metrics=[far]).evaluate(X, Y, verbose=0)[1]


# ---- what a step changes


def test_frozen_layers_stay_frozen():
    model = decoder()
    model.get_layer("up").trainable = False
    before = model.get_layer("up").get_weights()
    fitted(model, X, Y)
    for a, b in zip(before, model.get_layer("up").get_weights()):
        np.testing.assert_array_equal(a, b)
    assert len(model.optimizer.variables) == 2 + 2 * 4
    model.get_layer("up").trainable = True
    with pytest.raises(ValueError, match=r"was not built for .*up/kernel.*compile the model again"):
        fitted(model, X, Y)


def test_penalties_count_in_the_loss_and_pull_the_weights():
    model = tconv.Sequential(
        [
            layers.Input((3,)),
            layers.Dense(2, kernel_regularizer=tconv.regularizers.L2(0.5), activity_regularizer="l1", name="a"),
        ]
    )
    model.compile(optimizers.SGD(0.1), "mse")
    x = np.ones((4, 3), np.float32)
    y = model(x)
    kernel = model.get_layer("a").kernel.value
    loss = model.evaluate(x, y, verbose=0)
    activity = 0.01 * np.abs(y).sum() / 4
    np.testing.assert_allclose(loss, 0.5 * np.square(kernel).sum() + activity, rtol=1e-6)
    np.testing.assert_allclose(model.train_on_batch(x, y), loss, rtol=1e-6)
    slope = kernel + 0.01 * np.sign(y[0])
    np.testing.assert_allclose(model.get_layer("a").kernel.value, kernel - 0.1 * slope, rtol=1e-5)


def test_constraints_hold_after_each_step():
    head = layers.Dense(2, kernel_constraint=constraints.NonNeg(), kernel_initializer="ones")
    model = tconv.Sequential([layers.Input((3,)), head])
    model.compile(optimizers.SGD(1.0), "mse")
    seen = []

    class Watch(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(self.model.get_weights()[0].min())

    fitted(model, np.ones((8, 3)), -np.ones((8, 2)), epochs=3, callbacks=Watch(), batch_size=4)
    assert len(seen) == 6
    assert seen[0] == min(seen) == 0


def test_moving_statistics_move_in_training_alone():
    model = decoder()
    before = model.get_layer("norm").moving_mean.value
    model.evaluate(X, Y, verbose=0)
    np.testing.assert_array_equal(model.get_layer("norm").moving_mean.value, before)
    model.train_on_batch(X, Y)
    assert (model.get_layer("norm").moving_mean.value != before).any()


def test_evaluation_is_the_mean_over_examples():
    model = decoder(metrics=["mae", losses.MeanAbsoluteError(), lambda t, p: p])
    found = model.evaluate(X, Y, batch_size=7, verbose=0)
    predicted = model.predict(X)
    wanted = [losses.MeanSquaredError()(Y, predicted), *[np.abs(Y - predicted).mean()] * 2, predicted.mean()]
    np.testing.assert_allclose(found, wanted, rtol=1e-4)


def test_weights_of_examples():
    model = decoder(optimizers.SGD(0.0))
    weights = np.arange(20.0)
    each = [model.evaluate(X[i : i + 1], Y[i : i + 1], verbose=0) for i in range(20)]
    np.testing.assert_allclose(model.evaluate(X, Y, sample_weight=weights, verbose=0), np.dot(each, weights) / 20, 1e-5)
    fitted(model, X, Y, sample_weight=weights)


def branched():
    image = layers.Input((4,), name="image")
    return image, layers.Dense(2, name="a")(image), layers.Dense(1, name="b")(image)


@pytest.mark.parametrize("arranged", [list, dict])
def test_several_outputs(arranged):
    image, a, b = branched()
    model = tconv.Model(image, [a, b] if arranged is list else {"a": a, "b": b})
    x, ya, yb = RNG.normal(size=(6, 4)), RNG.normal(size=(6, 2)), RNG.normal(size=(6, 1))
    y = [ya, yb] if arranged is list else {"a": ya, "b": yb}
    model.compile("sgd", {"a": "mse", "b": "mae"}, {"b": 0.5}, {"a": ["mae"]})
    history = fitted(model, x, y, validation_data=(x, y))
    assert sorted(history) == sorted(
        prefix + name for prefix in ("", "val_") for name in ("loss", "a_loss", "b_loss", "a_mae")
    )
    found = model.evaluate(x, y, verbose=0, return_dict=True)
    np.testing.assert_allclose(found["loss"], found["a_loss"] + 0.5 * found["b_loss"], rtol=1e-6)
    model.compile("sgd", ["mse", None])
    before = model.get_layer("b").get_weights()[0]
    fitted(model, x, y if arranged is list else {"a": ya})
    np.testing.assert_array_equal(model.get_layer("b").get_weights()[0], before)


# ---- callbacks


def test_callbacks_are_called_in_keras_order():
    called = []

    class Tell(callbacks.Callback):
        def __getattribute__(self, name):
            if name.startswith("on_"):
                return lambda *args: called.append((name, *(entry for entry in args if not isinstance(entry, dict))))
            return super().__getattribute__(name)

    class Once(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["extra"] = 1.0

    history = fitted(decoder(), X, Y, batch_size=16, callbacks=[Tell(), Once()], validation_data=(X[:4], Y[:4]))
    assert called == [
        ("on_train_begin",),
        ("on_epoch_begin", 0),
        *[
            ("on_train_batch_begin", 0),
            ("on_train_batch_end", 0),
            ("on_train_batch_begin", 1),
            ("on_train_batch_end", 1),
        ],
        *[("on_test_begin",), ("on_test_batch_begin", 0), ("on_test_batch_end", 0), ("on_test_end",)],
        ("on_epoch_end", 0),
        ("on_train_end",),
    ]
    assert history["extra"] == [1.0]


def test_callbacks_while_predicting():
    called = []

    class Tell(callbacks.Callback):
        def on_predict_batch_end(self, batch, logs=None):
            called.append(batch)

        def on_predict_end(self, logs=None):
            called.append("end")

    whole = decoder().predict(X, batch_size=8, callbacks=Tell())
    np.testing.assert_array_equal(
        whole, decoder().predict(iter([X[:8], (X[8:16], Y[8:16]), X[16:]]), callbacks=[Tell()])
    )
    assert called == [0, 1, 2, "end"] * 2


def test_early_stopping_gives_back_the_best_weights():
    model, kept = decoder(optimizers.SGD(0.0)), []
    values = iter([3.0, 1.0, 2.0, 2.0, 0.0])

    class Score(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["score"] = next(values)
            self.model.get_layer("last").bias.assign([epoch])
            kept.append(epoch)

    stop = callbacks.EarlyStopping("score", patience=2, mode="min", restore_best_weights=True)
    fitted(model, X, Y, epochs=9, callbacks=[Score(), stop])
    assert kept == [0, 1, 2, 3]
    assert model.get_layer("last").bias.value[0] == 1
    assert stop.stopped_epoch == 3


def test_checkpoints_are_the_best_and_named(tmp_path):
    pytest.importorskip("h5py")
    path = str(tmp_path / "new" / "at-{epoch:02d}-{loss:.2f}.keras")
    model = decoder()
    fitted(model, X, Y, epochs=2, callbacks=callbacks.ModelCheckpoint(path))
    assert [name[:6] for name in sorted(os.listdir(tmp_path / "new"))] == ["at-01-", "at-02-"]
    best = callbacks.ModelCheckpoint(tmp_path / "best.npz", "loss", save_best_only=True, save_weights_only=True)
    best.best = -1.0
    fitted(model, X, Y, callbacks=best)
    assert not (tmp_path / "best.npz").exists()
    every = callbacks.ModelCheckpoint(str(tmp_path / "{epoch}-{batch}.npz"), save_freq=2, save_weights_only=True)
    fitted(model, X, Y, epochs=2, callbacks=every)
    assert sorted(p.name for p in tmp_path.glob("*.npz")) == ["1-2.npz", "2-1.npz", "2-3.npz"]


def test_one_line_per_epoch(capsys):
    fitted(decoder(), X, Y, epochs=2, verbose="auto", validation_split=0.2)
    lines = capsys.readouterr().out.splitlines()
    assert [line[:10] for line in lines] == ["Epoch 1/2:", "Epoch 2/2:"]
    assert "val_loss" in lines[0]


def test_a_bar_on_terminals(monkeypatch, capsys):
    pytest.importorskip("tqdm")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    fitted(decoder(), X, Y, verbose=1)
    told = capsys.readouterr()
    assert "3/3" in told.err or "Epoch 1/1" in told.err
    assert told.out.count("\n") == 1


# ---- what goes wrong


def test_a_loss_that_is_no_number_is_reported_with_its_step():
    model, twin = decoder(), decoder()
    good, bad = (X[:8], Y[:8]), (X[:8], np.full_like(Y[:8], np.nan))
    fitted(model, [good, good])
    with pytest.raises(FloatingPointError, match=r"loss is nan in step 4 \(epoch 2, batch 2\)"):
        fitted(model, [good, bad, good], initial_epoch=1, epochs=3)
    fitted(twin, [good] * 3)
    check_same(model, twin)


def test_gradients_that_are_no_numbers_are_reported():
    class Steep(losses.MeanSquaredError):
        def call_vjp(self, y_true, y_pred):
            return self.call(y_true, y_pred), lambda dv: np.full(y_pred.shape, np.inf)

    model = decoder(loss=Steep())
    with pytest.raises(FloatingPointError, match=r"gradient of '.*' is not finite in step 1 \(epoch 1, batch 1\)"):
        fitted(model, X, Y)
    assert model.optimizer.iterations == 0


@pytest.fixture
def _ctrl_c_counts():
    """A shell ignores it for what it starts in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_ctrl_c_counts")
def test_ctrl_c_leaves_whole_steps_and_the_last_checkpoint(tmp_path, monkeypatch):
    """Here it comes in the midst of the fifth step, of two in the second epoch, after some of its weights."""
    pytest.importorskip("h5py")
    model, twin, path = decoder(), decoder(), tmp_path / "last.keras"
    fitted(twin, X, Y)
    checkpoint = everything(twin)
    step, calls = optimizers.Adam.step, []

    def interrupted(self, *args):
        calls.append(args)
        if len(calls) == 4 * 6 + 3:
            signal.raise_signal(signal.SIGINT)
        return step(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(optimizers.Adam, "step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fitted(model, X, Y, epochs=9, callbacks=callbacks.ModelCheckpoint(path))
    assert [p.name for p in tmp_path.iterdir()] == ["last.keras"]
    for a, b in zip(checkpoint, everything(tconv.saving.load_model(path)), strict=True):
        np.testing.assert_array_equal(a, b)
    order = np.random.default_rng([3, 1]).permutation(20)[:8]
    twin.train_on_batch(X[order], Y[order])
    check_same(model, twin)
    fitted(model, X, Y)
