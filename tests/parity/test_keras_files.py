"""Real Keras 3 and tconv read each other's files, and write the same ones."""

import io
import json
import os
import zipfile

os.environ.setdefault("KERAS_BACKEND", "jax")

import numpy as np
import pytest

import tconv

pytestmark = pytest.mark.filterwarnings("ignore")
keras = pytest.importorskip("keras")
h5py = pytest.importorskip("h5py")
if tuple(map(int, keras.__version__.split(".")[:2])) < (3, 15):
    pytest.skip("the layout that is compared with is of Keras 3.15", allow_module_level=True)


def plain(library, dtype=None, **options):
    """Three layers, two of one class, one of them in a model of its own."""
    layers = library.layers
    inner = library.Sequential([layers.Conv2DTranspose(4, 3, dtype=dtype), layers.Activation("tanh")], name="inner")
    return library.Sequential(
        [
            layers.Input((4, 5, 3)),
            layers.Conv2DTranspose(8, 4, strides=2, padding="same", activation="relu", dtype=dtype, **options),
            inner,
            layers.Conv2DTranspose(2, (2, 3), use_bias=False, name="last", dtype=dtype),
        ],
        name="decoder",
    )


def line(library):
    layers = library.layers
    return library.Sequential([layers.Input((7, 3)), layers.Conv1DTranspose(4, 3, 2, activation="swish")], name="line")


def volume(library):
    layers = library.layers
    options = {
        "kernel_regularizer": library.regularizers.L2(1e-4),
        "kernel_constraint": library.constraints.MaxNorm(3.0, axis=[0, 1, 2]),
        "kernel_initializer": library.initializers.HeNormal(seed=3),
        "bias_initializer": "ones",
    }
    up = layers.Conv3DTranspose(4, (3, 2, 2), 2, "same", output_padding=(1, 0, 1), **options)
    return library.Sequential([layers.Input((3, 2, 4, 2)), up], name="volume")


def encoder(library, name):
    layers = library.layers
    image = layers.Input((8, 8, 3))
    inside = layers.Conv2D(4, 3, strides=2, padding="same")(image)
    outside = layers.BatchNormalization(momentum=0.9)(inside)
    return library.Model(image, layers.LeakyReLU(negative_slope=0.1)(outside), name=name)


def unet(library):
    """Skip connections, a nested functional model that is used twice, four variables in a layer, and two inputs."""
    layers = library.layers
    image, noise = layers.Input((8, 8, 3), name="image"), layers.Input((8, 8, 3), name="noise")
    shared = encoder(library, "shared")
    first, second = shared(image), shared(noise)
    x = layers.Concatenate()([first, second])
    x = layers.Dropout(0.5)(layers.Conv2D(8, 3, padding="same", activation="relu")(x))
    x = layers.Conv2DTranspose(8, 4, strides=2, padding="same", use_bias=False)(x)
    x = layers.ReLU(max_value=6.0)(layers.BatchNormalization(scale=False)(x))
    skip = layers.ZeroPadding2D(1)(layers.Cropping2D(1)(image))
    x = layers.Concatenate()([x, skip, layers.UpSampling2D(2)(first)])
    y = layers.Conv2DTranspose(3, 3, padding="same", name="logits")(x)
    y = layers.Add()([y, image])
    code = layers.Dense(5, activation="tanh")(layers.Flatten()(second))
    return library.Model([image, noise], [y, layers.Reshape((5, 1))(code), second, first], name="unet")


MAKERS = (plain, unet, line, volume)
POLICIES = ("float32", "float16", "bfloat16", "mixed_float16", "mixed_bfloat16")


def randomized(model, seed):
    random = np.random.default_rng(seed)
    model.set_weights([random.uniform(0.1, 1, weight.shape) for weight in model.weights])
    return model


def inputs(model):
    random = np.random.default_rng(9)
    shapes = model.input_shape if isinstance(model.input_shape, list) else [model.input_shape]
    arrays = [random.standard_normal((2, *shape[1:])).astype(np.float32) for shape in shapes]
    return arrays if len(arrays) > 1 else arrays[0]


def same_weights(ours, theirs):
    pairs = list(zip(ours.get_weights(), theirs.get_weights(), strict=True))
    return all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in pairs)


def agree(ours, theirs):
    x = inputs(ours)
    assert same_weights(ours, theirs)
    found, wanted = ours(x), theirs(x)
    pairs = zip(found, wanted, strict=True) if isinstance(wanted, (list, tuple)) else [(found, wanted)]
    for a, b in pairs:
        np.testing.assert_allclose(np.asarray(a, np.float64), np.asarray(b).astype(np.float64), rtol=1e-4, atol=1e-4)


def content(path_or_bytes):
    """Everything in an HDF5 file, optimizers aside."""
    with h5py.File(io.BytesIO(path_or_bytes) if isinstance(path_or_bytes, bytes) else path_or_bytes) as file:
        found = {}

        def visit(name, item):
            value = (item.dtype.str, item[()].tobytes()) if isinstance(item, h5py.Dataset) else None
            if not name.startswith("optimizer"):
                found[name] = (dict(item.attrs), value)

        file.visititems(visit)
        return found


def member(path, name):
    with zipfile.ZipFile(path) as archive:
        return archive.read(name)


def without_ids(config):
    """Keras' config without what only tells Keras which objects are one."""
    if isinstance(config, dict):
        return {key: without_ids(value) for key, value in config.items() if key != "shared_object_id"}
    return [without_ids(value) for value in config] if isinstance(config, list) else config


# ------------------------------------------------------------------------------------------------------- Keras -> ours


@pytest.mark.parametrize("make", MAKERS)
def test_models_of_keras_load(tmp_path, make):
    theirs = randomized(make(keras), 0)
    for name in ("m.keras", "m.h5"):
        theirs.save(tmp_path / name)
        agree(tconv.saving.load_model(tmp_path / name), theirs)


@pytest.mark.parametrize("make", MAKERS)
def test_weights_of_keras_load(tmp_path, make):
    theirs = randomized(make(keras), 0)
    theirs.save_weights(tmp_path / "w.weights.h5")
    theirs.save(tmp_path / "m.keras")
    theirs.save(tmp_path / "m.h5")
    for name in ("w.weights.h5", "m.keras", "m.h5"):
        ours = randomized(make(tconv), 1)
        ours.load_weights(tmp_path / name)
        agree(ours, theirs)


@pytest.mark.parametrize("policy", POLICIES)
def test_dtypes_of_keras_load(tmp_path, policy):
    theirs = randomized(plain(keras, policy), 0)
    theirs.save(tmp_path / "m.keras")
    ours = tconv.saving.load_model(tmp_path / "m.keras")
    assert same_weights(ours, theirs)
    assert ours.layers[0].dtype_policy.name == policy


def test_a_trained_model_of_keras_loads(tmp_path):
    """Optimizer, loss and metrics are left aside."""
    theirs = plain(keras)
    theirs.compile(keras.optimizers.Adam(1e-2), "mse", metrics=["mae"])
    x = inputs(theirs)
    theirs.fit(x, np.zeros(theirs(x).shape), epochs=2, verbose=0)
    for name in ("m.keras", "m.h5"):
        theirs.save(tmp_path / name)
        agree(tconv.saving.load_model(tmp_path / name, compile=False), theirs)
    theirs.save_weights(tmp_path / "w.weights.h5")
    ours = plain(tconv)
    ours.load_weights(tmp_path / "w.weights.h5")
    agree(ours, theirs)


def test_weights_alone_in_the_older_layout(tmp_path):
    from keras.src.legacy.saving import legacy_h5_format

    theirs = randomized(plain(keras), 0)
    with h5py.File(tmp_path / "w.h5", "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, theirs)
    ours = plain(tconv)
    ours.load_weights(tmp_path / "w.h5")
    agree(ours, theirs)


def test_a_layer_of_keras_loads(tmp_path):
    from keras.src.saving import saving_lib

    theirs = keras.layers.Conv2DTranspose(4, 3, name="up")
    theirs.build((None, 4, 4, 2))
    saving_lib.save_model(theirs, tmp_path / "up.keras")
    ours = tconv.saving.load_model(tmp_path / "up.keras")
    assert isinstance(ours, tconv.layers.Conv2DTranspose)
    assert same_weights(ours, theirs)


def test_pickled_weights_of_keras_are_refused(tmp_path):
    from keras.src.saving import saving_lib

    saving_lib.save_model(plain(keras), tmp_path / "m.keras", weights_format="npz")
    with pytest.raises(ValueError, match="pickled"):
        tconv.saving.load_model(tmp_path / "m.keras")
    with pytest.raises(ValueError, match=r"neither a \.keras nor"):
        plain(tconv).load_weights(tmp_path / "m.keras")


# ------------------------------------------------------------------------------------------------------- ours -> Keras


@pytest.mark.parametrize("make", MAKERS)
def test_our_files_load_in_keras(tmp_path, make):
    ours = randomized(make(tconv), 0)
    ours.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    agree(ours, again)
    again.save(tmp_path / "again.keras")
    agree(tconv.saving.load_model(tmp_path / "again.keras"), again)
    ours.save_weights(tmp_path / "w.weights.h5")
    theirs = randomized(make(keras), 1)
    theirs.load_weights(tmp_path / "w.weights.h5")
    agree(ours, theirs)


@pytest.mark.parametrize("policy", POLICIES)
def test_our_dtypes_load_in_keras(tmp_path, policy):
    ours = randomized(plain(tconv, policy), 0)
    ours.save(tmp_path / "m.keras")
    theirs = keras.saving.load_model(tmp_path / "m.keras")
    assert same_weights(ours, theirs)
    assert theirs.layers[0].dtype_policy.name == policy


def test_our_layers_load_in_keras(tmp_path):
    from keras.src.saving import saving_lib

    ours = tconv.layers.Conv2DTranspose(4, 3, name="up")
    ours.build((None, 4, 4, 2))
    ours.save(tmp_path / "up.keras")
    assert same_weights(ours, saving_lib.load_model(tmp_path / "up.keras"))


# ---------------------------------------------------------------------------------------------------- the same files


@pytest.mark.parametrize("make", MAKERS)
def test_the_same_model_makes_the_same_files(tmp_path, make):
    theirs = randomized(make(keras), 0)
    theirs.save(tmp_path / "theirs.keras")
    ours = tconv.saving.load_model(tmp_path / "theirs.keras")
    ours.save(tmp_path / "ours.keras")
    weights = [content(member(tmp_path / name, "model.weights.h5")) for name in ("ours.keras", "theirs.keras")]
    assert weights[0] == weights[1]
    configs = [json.loads(member(tmp_path / name, "config.json")) for name in ("ours.keras", "theirs.keras")]
    assert written_alike(without_ids(configs[0])) == written_alike(without_ids(configs[1]))
    with zipfile.ZipFile(tmp_path / "ours.keras") as a, zipfile.ZipFile(tmp_path / "theirs.keras") as b:
        assert [(i.filename, i.compress_type) for i in a.infolist()] == [
            (i.filename, i.compress_type) for i in b.infolist()
        ]
        assert list(json.loads(a.read("metadata.json"))) == list(json.loads(b.read("metadata.json")))
    ours.save_weights(tmp_path / "ours.weights.h5")
    theirs.save_weights(tmp_path / "theirs.weights.h5")
    assert content(tmp_path / "ours.weights.h5") == content(tmp_path / "theirs.weights.h5")


def written_alike(config):
    """Without the keys that only one side writes and the other side takes without them."""
    if isinstance(config, dict):
        gone = {"input_axes", "output_axes", "compile_config", "mask"}
        if config.get("class_name") in ("Reshape", "Flatten", "Cropping2D", "ZeroPadding2D", "UpSampling2D"):
            gone.add("build_config")  # of no use to a layer without weights
        return {key: written_alike(value) for key, value in config.items() if key not in gone}
    return [written_alike(value) for value in config] if isinstance(config, list) else config


def test_weights_go_around(tmp_path):
    """Keras, .keras, ours, .safetensors, ours, .weights.h5, Keras: not a bit is lost."""
    theirs = randomized(plain(keras), 0)
    theirs.save(tmp_path / "m.keras")
    first, second, last = tconv.saving.load_model(tmp_path / "m.keras"), plain(tconv), plain(keras)
    for layer, other in zip(second.layers, first.layers):
        layer._name = other.name
    second.layers[1].layers[0]._name = first.layers[1].layers[0].name
    first.save_weights(tmp_path / "w.safetensors")
    second.load_weights(tmp_path / "w.safetensors")
    second.save_weights(tmp_path / "w.weights.h5")
    last.load_weights(tmp_path / "w.weights.h5")
    assert all(np.array_equal(a, b) for a, b in zip(theirs.get_weights(), last.get_weights(), strict=True))


# --------------------------------------------------------------------------------------------------- names of one's own


def subclassed(library):
    class Decoder(library.Model):
        """Attributes before and after "layers" in the alphabet, a private one, and a list."""

        def __init__(self):
            super().__init__(name="subclassed")
            self.up = library.layers.Conv2DTranspose(4, 2)
            self.down = library.layers.Conv2D(3, 2)
            self._last = library.layers.Conv2DTranspose(2, 2)
            self.norms = [library.layers.BatchNormalization(), library.layers.BatchNormalization()]

        def call(self, inputs):
            first = self.norms[0](self.up(inputs))
            return self._last(self.norms[1](self.down(first)))

    model = Decoder()
    model(np.ones((1, 4, 4, 3), np.float32))
    return randomized(model, 0)


def test_subclassed_models_go_both_ways(tmp_path):
    ours, theirs = subclassed(tconv), randomized(subclassed(keras), 1)
    theirs.save_weights(tmp_path / "theirs.weights.h5")
    ours.save_weights(tmp_path / "ours.weights.h5")
    assert list(content(tmp_path / "ours.weights.h5")) == list(content(tmp_path / "theirs.weights.h5"))
    x = np.random.default_rng(0).standard_normal((2, 4, 4, 3)).astype(np.float32)
    before = ours(x)
    ours.load_weights(tmp_path / "theirs.weights.h5")
    np.testing.assert_allclose(ours(x), theirs(x), rtol=1e-4, atol=1e-4)
    theirs.load_weights(tmp_path / "ours.weights.h5")
    np.testing.assert_allclose(before, theirs(x), rtol=1e-4, atol=1e-4)


def custom(library, register):
    """A layer with a weight, a layer in an attribute, and layers in a list; and a function."""

    @register("files", "Lift")
    class Lift(library.layers.Layer):
        def __init__(self, steps=2, **kwargs):
            super().__init__(**kwargs)
            self.steps = steps
            self.up = library.layers.Conv1DTranspose(2, 3, padding="same")
            self._parts = [library.layers.Conv1DTranspose(2, 1) for _ in range(steps)]

        def build(self, input_shape):
            self.level = self.add_weight(shape=(2,), initializer="ones", name="level")
            self.count = self.add_weight(shape=(), initializer="zeros", trainable=False, name="count")
            for layer in (self.up, *self._parts):
                layer.build(input_shape)
            super().build(input_shape)

        def call(self, inputs):
            outputs = self.up(inputs) + (self.level.value if library is tconv else self.level)
            for part in self._parts:
                outputs = part(outputs)
            return outputs

        def compute_output_shape(self, input_shape):
            return input_shape

        def get_config(self):
            return {**super().get_config(), "steps": self.steps}

    @register("files", "twice")
    def twice(x):
        return x * 2

    layers = library.layers
    last = layers.Conv1DTranspose(2, 1, activation=twice)
    return library.Sequential([layers.Input((5, 2)), Lift(3, name="lift"), last], name="own")


def test_registered_objects_go_both_ways(tmp_path):
    ours = randomized(custom(tconv, tconv.saving.register_serializable), 0)
    theirs = randomized(custom(keras, keras.saving.register_keras_serializable), 1)
    ours.save(tmp_path / "ours.keras")
    theirs.save(tmp_path / "theirs.keras")
    agree(ours, keras.saving.load_model(tmp_path / "ours.keras"))
    theirs.save(tmp_path / "theirs.h5")
    for name in ("theirs.keras", "theirs.h5"):
        agree(tconv.saving.load_model(tmp_path / name), theirs)


# ------------------------------------------------------------------------------------------ the safetensors package


@pytest.mark.parametrize("policy", ["float64", *POLICIES])
def test_the_safetensors_package_reads_and_writes_the_same(tmp_path, policy):
    theirs = pytest.importorskip("safetensors.numpy")
    model = randomized(plain(tconv, policy), 0)
    model.save_weights(tmp_path / "ours.safetensors")
    read = theirs.load_file(tmp_path / "ours.safetensors")
    assert next(iter(read.values())).dtype == model.weights[0].dtype
    assert sorted(array.tobytes() for array in read.values()) == sorted(w.value.tobytes() for w in model.weights)
    theirs.save_file(read, tmp_path / "theirs.safetensors", metadata={"format": "np"})
    before = model.get_weights()
    randomized(model, 1)
    model.load_weights(tmp_path / "theirs.safetensors")
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
