"""Models with branches, made by the same lines on tconv and on Keras; and texts that tf.keras wrote."""

import numpy as np


def unet(module):
    """Down by strided convolutions, up by transposed ones, with skip connections."""
    layers = module.layers
    image = layers.Input((16, 12, 3), name="image")

    def block(x, filters, name, strides=1):
        x = layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False, name=name)(x)
        x = layers.BatchNormalization(name=f"{name}_norm")(x)
        return layers.LeakyReLU(negative_slope=0.1, name=f"{name}_act")(x)

    first = block(image, 4, "down1")
    second = block(first, 6, "down2", 2)
    x = block(second, 8, "bottom", 2)
    x = layers.Conv2DTranspose(6, 4, strides=2, padding="same", activation="relu", name="up2")(x)
    x = layers.Concatenate(name="skip2")([x, second])
    x = block(x, 6, "join2")
    x = layers.UpSampling2D(2, interpolation="bilinear", name="up1")(x)
    x = layers.Concatenate(name="skip1")([x, first])
    x = layers.Conv2D(3, 1, name="color")(x)
    x = layers.Add(name="residual")([x, image])
    return module.Model(image, layers.Activation("sigmoid", name="out")(x), name="unet")


def vae_decoder(module):
    """From a vector to an image, in one line of layers."""
    layers = module.layers
    latent = layers.Input((10,), name="latent")
    x = layers.Dense(4 * 4 * 8, activation="relu", name="dense")(latent)
    x = layers.Reshape((4, 4, 8), name="reshape")(x)
    x = layers.Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu", name="up1")(x)
    x = layers.Conv2DTranspose(4, 3, strides=2, padding="same", activation="relu", name="up2")(x)
    return module.Model(latent, layers.Conv2DTranspose(1, 3, padding="same", name="image")(x), name="decoder")


def several(module):
    """Two inputs, two outputs, a layer that is used twice, a model within."""
    layers = module.layers
    a, b = layers.Input((8, 8, 3), name="a"), layers.Input((4,), name="b")
    shared = layers.Conv2D(4, 3, padding="same", name="shared")
    x = shared(a)
    d = layers.Reshape((8, 8, 4), name="shape")(layers.Dense(256, name="dense")(b))
    y = layers.Add(name="sum")([layers.BatchNormalization(name="norm")(x), d])
    twice = layers.Conv2D(3, 1, name="back")(y)
    again = shared(twice)
    inner_input = layers.Input((8, 8, 8), name="inner_input")
    inner = module.Model(
        inner_input,
        [
            layers.Conv2D(2, 1, name="inner_conv")(inner_input),
            layers.Dropout(0.5, seed=1, name="inner_drop")(inner_input),
        ],
        name="inner",
    )
    one, two = inner(layers.Concatenate(name="both")([x, again]))
    return module.Model([a, b], [one, layers.Flatten(name="flat")(two)], name="several")


def of_dictionaries(module):
    layers = module.layers
    left, right = layers.Input((6,), name="z_left"), layers.Input((6,), name="a_right")
    both = layers.concatenate([left, right], name="both")
    outputs = {"wide": layers.Dense(5, name="wide")(both), "narrow": layers.Dense(2, name="narrow")(both)}
    return module.Model({"a_right": right, "z_left": left}, outputs, name="dictionaries")


def of_lists_of_one(module):
    layers = module.layers
    x = layers.Input((5, 2), name="x")
    y = layers.Conv1DTranspose(3, 3, strides=2, name="up")(x)
    return module.Model([x], [layers.Cropping1D((1, 2), name="crop")(y)], name="lists")


def nested(module):
    """A Sequential and a model within a model, the latter called twice."""
    layers = module.layers
    encoder = module.Sequential(
        [
            layers.Input((8, 3), name="waves"),
            layers.ZeroPadding1D(1, name="pad"),
            layers.Conv1D(4, 4, 2, activation="gelu", name="conv"),
        ],
        name="encoder",
    )
    point = layers.Input((4, 4), name="point")
    cell = module.Model(
        point, layers.Add(name="plus")([point, layers.Dense(4, activation="tanh", name="mix")(point)]), name="cell"
    )
    x = layers.Input((8, 3), name="steps")
    y = cell(cell(encoder(x)))
    y = layers.UpSampling1D(2, name="wide")(y)
    return module.Model(x, layers.Conv1DTranspose(2, 3, padding="same", name="last")(y), name="nested")


def volumes(module):
    layers = module.layers
    x = layers.Input((4, 4, 4, 2), name="volume")
    y = layers.Conv3D(4, 3, padding="same", activation="relu", name="conv")(layers.ZeroPadding3D(1, name="pad")(x))
    y = layers.Cropping3D(1, name="crop")(y)
    y = layers.UpSampling3D(2, name="large")(y)
    z = layers.Conv3DTranspose(4, 2, strides=2, name="up")(x)
    return module.Model(x, layers.ReLU(max_value=1.0, name="out")(layers.Add(name="sum")([y, z])), name="volumes")


MODELS = [unet, vae_decoder, several, of_dictionaries, of_lists_of_one, nested, volumes]


def inputs_for(make, model, count=3, dtype=np.float32):
    """Random inputs, arranged as the model has them."""
    rng = np.random.default_rng(5)
    values = {t.name: rng.standard_normal((count, *t.shape[1:])).astype(dtype) for t in model.inputs}
    if make is of_dictionaries:
        return values
    return [values[t.name] for t in model.inputs] if len(values) > 1 else next(iter(values.values()))


def _layer(kind, name, config, *inbound):
    return {
        "class_name": kind,
        "config": {"name": name, "trainable": True, "dtype": "float32", **config},
        "name": name,
        "inbound_nodes": [list(call) for call in inbound],
    }


def _input(name, shape):
    config = {"batch_input_shape": [None, *shape], "dtype": "float32", "sparse": False, "ragged": False, "name": name}
    return {"class_name": "InputLayer", "config": config, "name": name, "inbound_nodes": []}


_KERNEL = {
    "use_bias": True,
    "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": None}},
    "bias_initializer": {"class_name": "Zeros", "config": {}},
    "kernel_regularizer": None,
    "bias_regularizer": None,
    "activity_regularizer": None,
    "kernel_constraint": None,
    "bias_constraint": None,
}
_CONV = {"data_format": "channels_last", "groups": 1, **_KERNEL}
_UNET = {
    "class_name": "Functional",
    "config": {
        "name": "small_unet",
        "layers": [
            _input("image", [8, 8, 3]),
            _layer(
                "Conv2D",
                "down",
                {
                    **_CONV,
                    "filters": 4,
                    "kernel_size": [3, 3],
                    "strides": [2, 2],
                    "padding": "same",
                    "dilation_rate": [1, 1],
                    "activation": "relu",
                },
                [["image", 0, 0, {}]],
            ),
            _layer(
                "BatchNormalization",
                "norm",
                {
                    "axis": [3],
                    "momentum": 0.99,
                    "epsilon": 0.001,
                    "center": True,
                    "scale": True,
                    "beta_initializer": {"class_name": "Zeros", "config": {}},
                    "gamma_initializer": {"class_name": "Ones", "config": {}},
                    "moving_mean_initializer": {"class_name": "Zeros", "config": {}},
                    "moving_variance_initializer": {"class_name": "Ones", "config": {}},
                    "beta_regularizer": None,
                    "gamma_regularizer": None,
                    "beta_constraint": None,
                    "gamma_constraint": None,
                },
                [["down", 0, 0, {"training": False}]],
            ),
            _layer("LeakyReLU", "leak", {"alpha": 0.25}, [["norm", 0, 0, {}]]),
            _layer("Dropout", "drop", {"rate": 0.25, "noise_shape": None, "seed": None}, [["leak", 0, 0, {}]]),
            _layer(
                "UpSampling2D",
                "large",
                {"size": [2, 2], "data_format": "channels_last", "interpolation": "bilinear"},
                [["drop", 0, 0, {}]],
            ),
            _layer("Concatenate", "skip", {"axis": -1}, [["large", 0, 0, {}], ["image", 0, 0, {}]]),
            _layer(
                "Conv2DTranspose",
                "up",
                {
                    **{key: value for key, value in _CONV.items() if key != "groups"},
                    "filters": 3,
                    "kernel_size": [3, 3],
                    "strides": [1, 1],
                    "padding": "same",
                    "dilation_rate": [1, 1],
                    "activation": "linear",
                    "output_padding": None,
                },
                [["skip", 0, 0, {}]],
            ),
            _layer("Add", "sum", {}, [["up", 0, 0, {}], ["image", 0, 0, {}]]),
        ],
        "input_layers": [["image", 0, 0]],
        "output_layers": [["sum", 0, 0]],
    },
    "keras_version": "2.9.0",
    "backend": "tensorflow",
}
_SHARED = {
    "class_name": "Functional",
    "config": {
        "name": "shared",
        "layers": [
            _input("a", [6]),
            _input("b", [6]),
            _layer(
                "Dense", "dense", {**_KERNEL, "units": 4, "activation": "tanh"}, [["a", 0, 0, {}]], [["b", 0, 0, {}]]
            ),
            _layer("Flatten", "flat", {"data_format": "channels_last"}, [["dense", 1, 0, {}]]),
            _layer("Add", "sum", {}, [["dense", 0, 0, {}], ["flat", 0, 0, {}]]),
            _layer("ReLU", "relu", {"max_value": None, "negative_slope": 0.0, "threshold": 0.0}, [["sum", 0, 0, {}]]),
        ],
        "input_layers": [["a", 0, 0], ["b", 0, 0]],
        "output_layers": [["relu", 0, 0], ["dense", 1, 0]],
    },
    "keras_version": "2.9.0",
    "backend": "tensorflow",
}
TF_KERAS_JSON = {"unet": _UNET, "shared": _SHARED}
