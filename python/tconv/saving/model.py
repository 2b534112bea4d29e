"""Models and layers, whole, in Keras 3's .keras files."""

from __future__ import annotations

import datetime
import json
import zipfile
from typing import Any, BinaryIO

from tconv import models
from tconv._registry import Objects
from tconv.layers.base import Layer
from tconv.saving import files, hdf5, legacy, state
from tconv.saving.archive import Archive
from tconv.saving.files import Path
from tconv.saving.loading import Loading, match_places
from tconv.saving.weights import HDF5_MAGIC, WEIGHTS_IN_ARCHIVE, ZIP_MAGIC
from tconv.variable import unfilled

_LAYOUT = "3.15.1"  # the version of Keras whose layout is written
_LONGEST_CONFIG = 1 << 26


def save_model(model: Layer, path: Path, overwrite: bool = True) -> None:
    """Writes a model or layer into a `.keras` file, as Keras 3 does. An existing one is replaced whole, at the end.

    A compiled model is written with what it was compiled with and its optimizer's state, and goes on from there.

    Args:
        model: a model or layer, built or not.
        path: ends in ".keras".
        overwrite: whether an existing file may be replaced.

    Raises:
        ValueError: the name ends otherwise, or a function in the config has no name.
        FileExistsError: there is such a file, and it may not be replaced.
        OSError: the file cannot be written.
        ImportError: h5py is not installed.

    Example:
        >>> import tempfile, tconv
        >>> model = tconv.Sequential([tconv.layers.Input((4, 4, 2)), tconv.layers.Conv2DTranspose(8, 3, name="up")])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     tconv.saving.save_model(model, f"{folder}/decoder.keras")
        ...     tconv.saving.load_model(f"{folder}/decoder.keras").output_shape
        (None, 6, 6, 8)
    """
    name = files.text(path)
    if not name.endswith(".keras"):
        hint = " The older .h5 files are read, not written." if name.endswith((".h5", ".hdf5")) else ""
        raise ValueError(f"The filename must end in `.keras`. Received: filepath={name}.{hint}")
    if not isinstance(model, Layer):
        raise ValueError(f"save_model: {type(model).__name__} is no model or layer of tconv.")
    files.check_replaceable(name, overwrite)
    hdf5.library()
    config = json.dumps({**models.serialize(model), **state.compile_config(model)})
    metadata = {"keras_version": _LAYOUT, "date_saved": datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S")}
    with files.replacing(name) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("metadata.json", json.dumps(metadata))
        archive.writestr("config.json", config)
        with archive.open(WEIGHTS_IN_ARCHIVE, "w", force_zip64=True) as member:
            hdf5.write(member, model)


def load_model(path: Path, custom_objects: Objects | None = None, compile: bool = True, safe_mode: bool = True) -> Any:
    """The model or layer in a file: one of `save`, a `.keras` file of Keras 3, or a full `.h5` model of any Keras.

    Nothing that the file names is imported or executed. What it may name is built in, registered by
    `register_serializable`, or handed over here.

    Args:
        path: the file, which is recognized by its content.
        custom_objects: classes and functions of your own, by the name that the file gives them.
        compile: whether a compiled model is wanted compiled, with its optimizer's state, to go on training. What is not
            known here (another optimizer, a metric) leaves it uncompiled, with a warning; so do, silently, .h5 files.
        safe_mode: must be true. Keras executes code from the file when it is false.

    Raises:
        ValueError: the file is no such file, or is damaged, or names something that is not known, or safe_mode is
            false.
        OSError: there is no such file, or it may not be read.
        ImportError: h5py is not installed.

    Example:
        >>> import tempfile, tconv
        >>> layer = tconv.layers.Conv2DTranspose(8, 3, name="up")
        >>> layer.build((None, 4, 4, 2))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     layer.save(f"{folder}/up.keras")
        ...     tconv.saving.load_model(f"{folder}/up.keras")
        Conv2DTranspose(filters=8, kernel_size=(3, 3), name='up')
    """
    if not safe_mode:
        raise ValueError("load_model: safe_mode=False asks to execute code from the file, which is never done.")
    with files.reading(path) as file:
        start = file.read(len(HDF5_MAGIC))
        file.seek(0)
        if start == HDF5_MAGIC:
            return _from_hdf5(file, custom_objects)
        if start.startswith(ZIP_MAGIC):
            return _from_archive(Archive(file), custom_objects, compile)
        raise ValueError("it is neither a .keras nor an .h5 file.")


def _from_archive(archive: Archive, custom_objects: Objects | None, compile: bool) -> Any:
    try:
        config = json.loads(archive.read("config.json", _LONGEST_CONFIG).decode())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"its config.json is no JSON: {error}.") from None
    if WEIGHTS_IN_ARCHIVE not in archive.names:
        raise ValueError(f"it has no member '{WEIGHTS_IN_ARCHIVE}'; weights in pickled .npz are not read.")
    model = _made(config, custom_objects)
    if compile:
        state.compiled(model, config.get("compile_config"), custom_objects)
    loading = Loading()
    with hdf5.opened(archive.open(WEIGHTS_IN_ARCHIVE)) as root:
        match_places(loading, model, hdf5.read(root))
        state.match(loading, model, lambda: hdf5.read_training(root))
    return _filled(model, loading)


def _from_hdf5(file: BinaryIO, custom_objects: Objects | None) -> Any:
    with hdf5.opened(file) as root:
        if legacy.weights_group(root) is None:
            raise ValueError("it has weights, but no config: build the model, and use load_weights.")
        config = legacy.config(root)
    model, loading = _made(config, custom_objects), Loading()
    with hdf5.opened(file) as root:
        legacy.match(loading, model, legacy.weights_group(root), by_name=False)
    return _filled(model, loading)


def _made(config: Any, custom_objects: Objects | None) -> Layer:
    """The model, its weights not yet in memory: the file has still to show that it has them."""
    if not isinstance(config, dict):
        raise ValueError("its config is no JSON object.")
    with unfilled():
        return models.deserialize(config, custom_objects)


def _filled(model: Layer, loading: Loading) -> Layer:
    """The model with its weights; one with weights that nothing is assigned to is refused."""
    loading.finish()
    empty = [weight.path for weight in model.weights if not weight.version]
    if empty:
        raise ValueError(f"nothing in it is assigned to {empty[:3]}.")
    return model
