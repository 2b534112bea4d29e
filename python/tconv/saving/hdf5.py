"""Keras 3's layout in HDF5, and HDF5 files of strangers.

A group per layer, at the places of `tree`, has a group `vars` with the layer's variables "0", "1", ... and an
attribute `name`. Reading follows plain links alone, and reads plain arrays alone: what would make the library open
other files, or load its plug-ins, is refused.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from typing import IO, Any, BinaryIO

import numpy as np

from tconv._convert import Array
from tconv.layers.base import Layer
from tconv.saving import state
from tconv.saving.entry import Entry, bits_of, widened
from tconv.saving.tree import places

_LONG, _GROWTH = 1 << 26, 100  # an array of more bytes has a hundredth of them in the file
_DEEPEST = 64  # groups within groups
_TRAINING = (state.OPTIMIZER, state.RANDOM, "metrics")  # at the root: what Keras 3, tf.keras and we keep of training
_LAYERS_BEFORE_KERAS_3 = "_layer_checkpoint_dependencies"
_FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 32000: "lzf"}  # those that h5py brings itself


def library() -> Any:
    """h5py.

    Raises:
        ImportError: it is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise ImportError(
            "Files in HDF5 (.keras, .weights.h5, .h5) need h5py: pip install 'tconv[keras]'. Weights also go into .npz "
            "and .safetensors, without it."
        ) from error
    return h5py


def write(file: IO[bytes], root: Layer) -> None:
    """Writes all layers' weights as Keras 3 does, and of a compiled model the state of its training.

    HDF5 makes its file in memory: some versions of h5py crash when a disk is full.
    """
    with library().File("weights", "w", driver="core", backing_store=False, block_size=1 << 20) as made:
        for path, place in places(root).items():
            layer, store = place.layer, dict[str, Any]()
            layer.save_own_variables(store)
            group = made.create_group(f"{path}/vars".lstrip("/"))
            group.attrs["name"] = layer.name
            _fill(group, store)
        for path, (name, variables) in state.of_training(root).items():
            group = made.create_group(f"{path}/vars")
            group.attrs["name"] = name
            _fill(group, {str(number): variable.value for number, variable in enumerate(variables)})
        made.flush()
        image = made.id.get_file_image()
    file.write(image)


def _fill(group: Any, arrays: Mapping[str, Any]) -> None:
    for key, value in arrays.items():
        array = np.asarray(value)
        if array.dtype.name == "bfloat16":
            group.create_dataset(key, data=bits_of(array).view("V2")).attrs["dtype"] = "bfloat16"
        else:
            group.create_dataset(key, data=array)


@contextlib.contextmanager
def opened(file: BinaryIO) -> Iterator[Any]:
    """The root group of an HDF5 file.

    Raises:
        ImportError: h5py is not installed.
        ValueError: it is no such file, or a damaged one.
    """
    h5py = library()
    try:
        root = h5py.File(file, "r")
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise ValueError(f"it is no whole HDF5 file: {error}.") from None
    with root:
        try:
            yield root
        except RecursionError:  # of other readers within; a RuntimeError, too
            raise
        except (OSError, RuntimeError, KeyError) as error:
            raise ValueError(f"its HDF5 is damaged: {error}.") from None


def child(group: Any, name: str, kind: str) -> Any:
    """The group or dataset ("Group", "Dataset") of a name.

    Raises:
        ValueError: there is none, or it is something else, a link to elsewhere, or outside of this file.
    """
    h5py = library()
    where = f"{group.name.rstrip('/')}/{name}"[:200]
    link = group.get(name, getlink=True)
    if link is None:
        raise ValueError(f"it has no {where}.")
    if type(link) is not h5py.HardLink:
        raise ValueError(f"{where} is a {type(link).__name__}, which is not followed.")
    found = group[name]
    if not isinstance(found, getattr(h5py, kind)):
        raise ValueError(f"{where} is a {type(found).__name__} where a {kind} belongs.")
    return found


def read(root: Any) -> dict[str, dict[str, Entry]]:
    """All variables by the places of their layers; what training left is passed over.

    Raises:
        ValueError: there is something in the file that is neither a group nor a plain array.
    """
    found: dict[str, dict[str, Entry]] = {}
    groups = [("", root, 0)]
    seen = set()
    while groups:
        path, group, depth = groups.pop()
        if group in seen or depth > _DEEPEST:
            raise ValueError(f"{group.name[:200]} is nested too deeply, or in itself.")
        seen.add(group)
        for name in group:
            if name in _TRAINING and not path:
                continue
            if name == "vars":
                variables = child(group, name, "Group")
                found[_present_name(path)] = {key: entry(child(variables, key, "Dataset")) for key in variables}
            else:
                groups.append((f"{path}/{name}".lstrip("/"), child(group, name, "Group"), depth + 1))
    return found


def read_training(root: Any) -> dict[str, dict[str, Entry]]:
    """The variables of training by their groups; none where there are none.

    Raises:
        ValueError: there is something in a group that is no plain array.
    """
    found = {}
    for name in (state.OPTIMIZER, state.RANDOM):
        if root.get(name, getlink=True) is not None:
            group = child(root, name, "Group")
            if group.get("vars", getlink=True) is not None:
                variables = child(group, "vars", "Group")
                found[name] = {key: entry(child(variables, key, "Dataset")) for key in variables}
    return found


def entry(dataset: Any) -> Entry:
    """A dataset as an array to come.

    Raises:
        ValueError: its data are elsewhere, or need a plug-in to be read.
    """
    name = dataset.name[:200]
    if dataset.shape is None:
        raise ValueError(f"{name} has no data.")
    if dataset.external or dataset.is_virtual:
        raise ValueError(f"{name} has its data in other files, which are not opened.")
    plist = dataset.id.get_create_plist()
    filters = [plist.get_filter(number)[0] for number in range(plist.get_nfilters())]
    if not set(filters) <= set(_FILTERS):
        raise ValueError(f"{name} is filtered by {filters}; known are {', '.join(_FILTERS.values())}.")
    # What is not stored is filled in by the library: a few bytes can say to be any number of them.
    if math.prod(dataset.shape) * dataset.dtype.itemsize > max(_LONG, _GROWTH * dataset.id.get_storage_size()):
        raise ValueError(f"{name} of shape {dataset.shape} has {dataset.id.get_storage_size()} bytes in the file.")
    half = dataset.dtype.kind == "V" and dataset.dtype.itemsize == 2 and _is_bfloat16(dataset)
    shape = tuple(int(extent) for extent in dataset.shape)

    def load() -> Array:
        array = np.asarray(dataset[()])
        return widened(array.view("<u2")) if half else array.astype(array.dtype.newbyteorder("="), copy=False)

    return Entry(shape, "bfloat16" if half else dataset.dtype.newbyteorder("=").name, load)


def _is_bfloat16(dataset: Any) -> bool:
    return "dtype" in dataset.attrs and dataset.attrs["dtype"] == "bfloat16"


def _present_name(path: str) -> str:
    """Keras before 3 has another name for a model's `layers`."""
    return "/".join("layers" if part == _LAYERS_BEFORE_KERAS_3 else part for part in path.split("/"))
