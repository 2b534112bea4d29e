"""Models and weights in files: Keras' own formats, .npz and .safetensors; and the names of the user's own classes.

A file is read as data. Nothing that it names is imported or executed, a load that fails leaves the model as it was, and
a save that fails leaves the file as it was. docs/files.md has the formats and what is refused.
"""

from tconv._custom import get_registered_name, get_registered_object, register_serializable
from tconv.saving.model import load_model, save_model
from tconv.saving.weights import load_weights, save_weights

__all__ = [
    "get_registered_name",
    "get_registered_object",
    "load_model",
    "load_weights",
    "register_keras_serializable",
    "register_serializable",
    "save_model",
    "save_weights",
]

register_keras_serializable = register_serializable
