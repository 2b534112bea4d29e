"""Models and weights in files: what goes in comes out."""

import threading

import h5py
import numpy as np
import pytest

import tconv
from stored_models import ALL_ENDINGS, ENDINGS, Pair, Renaming, decoder, named, randomized, same, write
from tconv.layers import Conv1DTranspose, Conv2DTranspose, Input, Layer

# ------------------------------------------------------------------------------------------------------ there and back


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16", "mixed_float16"])
@pytest.mark.parametrize("ending", ALL_ENDINGS)
def test_weights_come_back_bit_for_bit(tmp_path, ending, dtype):
    model, other = decoder(0, dtype), decoder(1, dtype)
    write(model, tmp_path / f"m{ending}")
    other.load_weights(tmp_path / f"m{ending}")
    assert same(model, other)


@pytest.mark.parametrize("ending", ENDINGS)
def test_weights_of_a_layer(tmp_path, ending):
    layer, other = Pair(), Pair()
    for seed, each in enumerate((layer, other)):
        each.build((None, 4, 2))
        randomized(each, seed)
    layer.save_weights(tmp_path / f"w{ending}")
    other.load_weights(tmp_path / f"w{ending}")
    assert same(layer, other)


def test_a_model_comes_back_whole(tmp_path):
    model = decoder()
    model.save(tmp_path / "m.keras")
    again = tconv.saving.load_model(tmp_path / "m.keras")
    assert again.to_json() == model.to_json()
    assert [weight.name for weight in again.weights] == [weight.name for weight in model.weights]
    assert same(model, again)
    x = np.random.default_rng(0).standard_normal((2, 4, 4, 3))
    np.testing.assert_array_equal(again(x), model(x))


def test_keras_other_name_of_the_functions():
    assert tconv.models.load_model is tconv.saving.load_model
    assert tconv.models.save_model is tconv.saving.save_model
    assert not hasattr(tconv.models, "nothing")


def test_a_layer_comes_back_whole(tmp_path):
    layer = Conv2DTranspose(4, 3, activation="relu", kernel_regularizer="l2", name="up")
    layer.build((None, 4, 4, 2))
    layer.save(tmp_path / "up.keras")
    again = tconv.saving.load_model(tmp_path / "up.keras")
    assert again.get_config() == layer.get_config()
    assert same(layer, again)


def test_a_model_without_weights_yet(tmp_path):
    model = tconv.Sequential([Conv2DTranspose(4, 3, name="up")], name="later")
    model.save(tmp_path / "m.keras")
    again = tconv.saving.load_model(tmp_path / "m.keras")
    assert not again.built
    assert again.to_json() == model.to_json()


def test_places_are_keras(tmp_path):
    """The layout that real Keras wrote for a layer like Pair."""
    model = tconv.Sequential([Input((4, 2)), Pair(name="p"), Conv1DTranspose(1, 1), Conv1DTranspose(1, 1)], name="m")
    model.save_weights(tmp_path / "m.weights.h5")
    with h5py.File(tmp_path / "m.weights.h5") as file:
        groups = []
        file.visit(lambda name: groups.append(name) if name.endswith("vars") else None)
        assert dict(file["layers/pair/vars"].attrs) == {"name": "p"}
        assert list(file["layers/pair/vars"]) == ["0", "1"]
    assert set(groups) == {
        "vars",
        "layers/pair/vars",
        "layers/pair/again/vars",
        "layers/pair/named/conv1d_transpose/vars",
        "layers/pair/_first/conv1d_transpose/vars",
        "layers/pair/_first/container/conv1d_transpose/vars",
        "layers/conv1d_transpose/vars",
        "layers/conv1d_transpose_1/vars",
    }


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_same_weights_make_the_same_file(tmp_path, ending):
    for name in ("a", "b"):
        decoder().save_weights(tmp_path / f"{name}{ending}")
    assert (tmp_path / f"a{ending}").read_bytes() == (tmp_path / f"b{ending}").read_bytes()


def test_plain_readers_read_npz(tmp_path):
    model = decoder()
    model.save_weights(tmp_path / "w.npz")
    with np.load(tmp_path / "w.npz") as found:
        assert {name: found[name].tolist() for name in found} == {k: w.value.tolist() for k, w in named(model).items()}


def test_npz_that_numpy_wrote(tmp_path):
    model, other = decoder(0), decoder(1)
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "w.npz", **{k: np.asfortranarray(w.value.astype(">f8")) for k, w in named(model).items()})
        randomized(other, 2)
        other.load_weights(tmp_path / "w.npz")
        assert same(model, other)


def test_a_layer_that_stores_its_weights_otherwise(tmp_path):
    model, other = (
        randomized(tconv.Sequential([Input((4, 2)), Renaming(name="r"), Conv1DTranspose(2, 1)]), seed)
        for seed in (0, 1)
    )
    model.save_weights(tmp_path / "m.weights.h5")
    other.load_weights(tmp_path / "m.weights.h5")
    assert same(model, other)
    third = tconv.Sequential([Input((4, 2)), Renaming(name="r"), Conv1DTranspose(3, 1)])
    before = [weight.numpy() for weight in third.weights]
    with pytest.raises(ValueError, match=r"shape \(1, 2, 2\) in the file and \(1, 3, 2\)"):
        third.load_weights(tmp_path / "m.weights.h5")
    assert all(np.array_equal(a, b.value) for a, b in zip(before, third.weights))


@pytest.mark.parametrize("ending", ENDINGS)
def test_counters_stay_integers(tmp_path, ending):
    class Counter(Layer):
        def build(self, input_shape):
            self.calls = self.add_weight(shape=(2,), initializer="zeros", dtype="int32", trainable=False, name="calls")

    layer, other = Counter(), Counter()
    for each in (layer, other):
        each.build((None, 2))
    layer.calls.assign([7, 2**30 + 1])
    layer.save_weights(tmp_path / f"w{ending}")
    other.load_weights(tmp_path / f"w{ending}")
    assert other.calls.numpy().tolist() == [7, 2**30 + 1]
    assert other.calls.dtype == np.int32
    floats = Conv1DTranspose(1, 1)
    floats.build((None, 2, 1))
    floats.save_weights(tmp_path / f"floats{ending}")
    with pytest.raises(ValueError):
        other.load_weights(tmp_path / f"floats{ending}")
    np.savez(tmp_path / "large.npz", calls=np.array([1, 2**40]))
    with pytest.raises(ValueError, match="'calls' has values that int32 cannot hold"):
        other.load_weights(tmp_path / "large.npz")


def test_layers_after_one_that_cannot_tell_its_shape(tmp_path):
    """They are built for the shapes that the file says."""

    class Silent(Layer):
        def call(self, inputs):
            return inputs[:, 1:]

    model = tconv.Sequential([Input((4, 2)), Silent(), Conv1DTranspose(3, 2, name="after")], name="m")
    x = np.random.default_rng(0).standard_normal((2, 4, 2)).astype(np.float32)
    y = model(x)
    model.save(tmp_path / "m.keras")
    again = tconv.saving.load_model(tmp_path / "m.keras", custom_objects={"Silent": Silent})
    np.testing.assert_array_equal(again(x), y)
    assert [weight.path for weight in again.weights] == ["m/after/kernel", "m/after/bias"]


def test_reading_while_others_compute_and_load(tmp_path):
    """Every call sees whole weights of one file or the other."""
    paths = [tmp_path / "0.npz", tmp_path / "1.npz"]
    for value, path in enumerate(paths):
        layer = Conv1DTranspose(1, 1, use_bias=False, name="up")
        layer.build((None, 64, 64))
        layer.set_weights([np.full((1, 1, 64), value)])
        layer.save_weights(path)
    x = np.ones((1, 64, 64), np.float32)
    seen, done = set(), threading.Event()

    def compute():
        while not done.is_set():
            seen.update(layer(x).ravel().tolist())

    threads = [threading.Thread(target=compute) for _ in range(2)]
    for thread in threads:
        thread.start()
    for turn in range(100):
        layer.load_weights(paths[turn % 2])
    done.set()
    for thread in threads:
        thread.join()
    assert seen <= {0.0, 64.0}


# ------------------------------------------------------------------------------------------------- names of one's own


def test_registered_objects(tmp_path):
    @tconv.saving.register_serializable("tests")
    class Scaled(Layer):
        def __init__(self, factor=2.0, **kwargs):
            super().__init__(**kwargs)
            self.factor = factor

        def call(self, inputs):
            return inputs * self.factor

        def compute_output_shape(self, input_shape):
            return input_shape

        def get_config(self):
            return {**super().get_config(), "factor": self.factor}

    @tconv.saving.register_serializable("tests", name="half")
    def halved(x):
        return x / 2

    assert tconv.saving.get_registered_name(Scaled) == "tests>Scaled"
    assert tconv.saving.get_registered_object("tests>half") is halved
    model = tconv.Sequential([Input((3, 2)), Scaled(3.0), Conv1DTranspose(2, 1, activation=halved)])
    model.save(tmp_path / "m.keras")
    again = tconv.saving.load_model(tmp_path / "m.keras")
    assert isinstance(again.layers[0], Scaled)
    assert again.layers[0].factor == 3.0
    assert again.layers[1].activation is halved
    x = np.ones((1, 3, 2), np.float32)
    np.testing.assert_array_equal(again(x), model(x))


def test_custom_objects(tmp_path):
    model = tconv.Sequential([Input((4, 2)), Pair(name="p")])
    model.save(tmp_path / "m.keras")
    with pytest.raises(ValueError, match=r"m\.keras: .*Pair.*register it or hand it over as custom_objects"):
        tconv.saving.load_model(tmp_path / "m.keras")
    again = tconv.saving.load_model(tmp_path / "m.keras", custom_objects={"Pair": Pair})
    assert same(model, again)


def test_a_registered_name_has_one_owner():
    def first(x):
        return x

    def second(x):
        return x

    tconv.saving.register_serializable("tests", "taken")(first)
    tconv.saving.register_serializable("tests", "taken")(first)
    with pytest.raises(ValueError, match="'tests>taken' is the name of"):
        tconv.saving.register_serializable("tests", "taken")(second)
    assert tconv.saving.get_registered_object("tests>taken") is first
    for wrong in ({"package": "a>b"}, {"name": ""}, {"package": 3}):
        with pytest.raises(ValueError, match="must be a name"):
            tconv.saving.register_serializable(**wrong)
    with pytest.raises(ValueError, match="no get_config"):
        tconv.saving.register_serializable("tests")(int)
    with pytest.raises(ValueError, match="give `name`"):
        tconv.saving.register_serializable("tests")(lambda x: x)


def test_registering_from_many_threads():
    def register(number):
        tconv.saving.register_serializable("threads", f"f{number}")(lambda x: x)

    threads = [threading.Thread(target=register, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(callable(tconv.saving.get_registered_object(f"threads>f{number}")) for number in range(50))
