"""Weights of a model or layer to a file, and back: all of them or none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from tconv._convert import Array
from tconv.layers.base import Layer
from tconv.saving import files, hdf5, legacy, npz, safetensors, state, tree
from tconv.saving.archive import Archive
from tconv.saving.files import Path
from tconv.saving.loading import Loading, match_names, match_places

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
ZIP_MAGIC = b"PK"
WEIGHTS_IN_ARCHIVE = "model.weights.h5"

Writer = Callable[[BinaryIO, Layer], None]


def save_weights(layer: Layer, path: Path, overwrite: bool = True) -> None:
    """Writes the weights of a model or layer into a file. An existing one is replaced whole, at the end.

    Args:
        layer: the model or layer, built.
        path: ends in ".weights.h5" for Keras 3's own layout (needs h5py: `tconv[keras]`), which also has the state of a
            compiled model's optimizer, or in ".npz" or
            ".safetensors" for one array per weight under its name: the names of the layers on the way to it and its
            own, "decoder/up/kernel", without the name of `layer`.
        overwrite: whether an existing file may be replaced.

    Raises:
        ValueError: the layer is not built, the name ends otherwise, or two weights have one name.
        FileExistsError: there is such a file, and it may not be replaced.
        OSError: the file cannot be written.
        ImportError: h5py is not installed.

    Example:
        >>> import tempfile, tconv
        >>> layer = tconv.layers.Conv2DTranspose(8, 3, name="up")
        >>> layer.build((None, 4, 4, 2))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     tconv.saving.save_weights(layer, f"{folder}/up.safetensors")
        ...     tconv.saving.load_weights(layer, f"{folder}/up.safetensors")
    """
    name = files.text(path)
    write = next((write for ending, write in _WRITERS.items() if name.endswith(ending)), None)
    if write is None:
        raise ValueError(f"The filename must end in {', '.join(_WRITERS)}. Received: filepath={name}")
    _check_built(layer, "saving the weights of")
    files.check_replaceable(name, overwrite)
    with files.replacing(name) as file:
        write(file, layer)


def load_weights(layer: Layer, path: Path, skip_mismatch: bool = False, by_name: bool = False) -> None:
    """Takes the weights of a model or layer out of a file: all of them, or, when anything is wrong, none.

    The file is recognized by its content: what `save_weights` wrote, `.keras` and `.weights.h5` files of Keras 3, and
    full models and weights in the older HDF5 layout of Keras 2 and tf.keras. A compiled model takes the state of its
    optimizer, too, from a file in Keras 3's layout; where that fits another optimizer, it is left aside with a warning.

    Args:
        layer: the model or layer, built.
        path: the file.
        skip_mismatch: whether weights that are missing, left over, or of another shape are passed over with a warning.
        by_name: whether to match layers by their names instead of their order; for the older HDF5 layout only.

    Raises:
        ValueError: the layer is not built, or the file is no such file, or is damaged, or has other weights.
        OSError: there is no such file, or it may not be read.
        ImportError: it is an HDF5 file, and h5py is not installed.

    Example:
        >>> import tempfile, tconv
        >>> one, other = (tconv.layers.Conv2DTranspose(8, 3, name="up") for _ in range(2))
        >>> one.build((None, 4, 4, 2)), other.build((None, 4, 4, 2))
        (None, None)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     tconv.saving.save_weights(one, f"{folder}/up.npz")
        ...     tconv.saving.load_weights(other, f"{folder}/up.npz")
        >>> bool((one.kernel.value == other.kernel.value).all())
        True
    """
    _check_built(layer, "loading weights into")
    with files.reading(path) as file:
        fill(layer, file, skip_mismatch, by_name)


def fill(layer: Layer, file: BinaryIO, skip_mismatch: bool = False, by_name: bool = False) -> None:
    """Reads the weights of whatever file this is and assigns them.

    Raises:
        ValueError: the file is none that has weights, is damaged, or has other weights.
        ImportError: h5py is not installed.
    """
    start = file.read(len(HDF5_MAGIC))
    file.seek(0)
    loading = Loading(skip_mismatch)
    if start == HDF5_MAGIC:
        with hdf5.opened(file) as root:
            _match_hdf5(loading, layer, root, by_name)
    elif by_name:
        raise ValueError("by_name=True is for the older HDF5 layout, and this is no HDF5 file.")
    elif start.startswith(ZIP_MAGIC):
        archive = Archive(file)
        if WEIGHTS_IN_ARCHIVE in archive.names:
            with hdf5.opened(archive.open(WEIGHTS_IN_ARCHIVE)) as root:
                _match_keras(loading, layer, root)
        else:
            match_names(loading, layer, npz.read(archive))
    else:
        match_names(loading, layer, safetensors.read(file))
    loading.finish()


def _match_hdf5(loading: Loading, layer: Layer, root: Any, by_name: bool) -> None:
    group = legacy.weights_group(root)
    if group is not None:
        legacy.match(loading, layer, group, by_name)
    elif by_name:
        raise ValueError("by_name=True is for the older HDF5 layout, and this is Keras 3's.")
    else:
        _match_keras(loading, layer, root)


def _match_keras(loading: Loading, layer: Layer, root: Any) -> None:
    match_places(loading, layer, hdf5.read(root))
    state.match(loading, layer, lambda: hdf5.read_training(root))


def _check_built(layer: Layer, doing: str) -> None:
    if not isinstance(layer, Layer):
        raise ValueError(f"tconv.saving takes a model or layer of tconv, not {type(layer).__name__}.")
    if not layer.built:
        raise ValueError(
            f"You are {doing} '{layer.name}', which has not yet been built. Build it first, by calling it on some data "
            "or by `build()`."
        )


def _write_names(write: Callable[[BinaryIO, Mapping[str, Array]], None]) -> Writer:
    def written(file: BinaryIO, layer: Layer) -> None:
        write(file, {name: weight.value for name, weight in tree.by_name(layer).items()})

    return written


_WRITERS: dict[str, Writer] = {
    ".weights.h5": hdf5.write,
    ".npz": _write_names(npz.write),
    ".safetensors": _write_names(safetensors.write),
}
