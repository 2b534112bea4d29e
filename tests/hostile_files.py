"""Files of weights, good ones and ones that were tampered with, and the check that these are refused."""

import io
import json
import os
import struct
import tracemalloc
import warnings
import zipfile

import h5py
import numpy as np
import pytest

import tconv
from stored_models import decoder, named, state

PEAK = 30_000_000  # bytes; the model has a few thousand


def check_refused(tmp_path, content, match, *, whole=False):
    """Loading some bytes is refused with a sentence that names the file, at no cost and without a trace."""
    path = tmp_path / "hostile.bin"
    path.write_bytes(content)
    model = decoder(0)
    before, files, folder = state(model), os.listdir(tmp_path), os.listdir(tmp_path.parent)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=match) as caught:
            (tconv.saving.load_model if whole else model.load_weights)(path)
        assert tracemalloc.get_traced_memory()[1] < PEAK
    finally:
        tracemalloc.stop()
    assert "hostile.bin: " in str(caught.value)
    assert len(str(caught.value)) < 1500
    assert state(model) == before
    assert (os.listdir(tmp_path), os.listdir(tmp_path.parent)) == (files, folder)


def arrays():
    return {name: weight.numpy() for name, weight in named(decoder(1)).items()}


def npy(array, **kwargs):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, **kwargs)
    return stream.getvalue()


def header(descr, shape, data=b""):
    """A .npy file with any header."""
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def archive(members, compression=zipfile.ZIP_STORED):
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w", compression) as made:
        warnings.simplefilter("ignore")  # of a name that is there twice
        for name, content in members:
            made.writestr(name, content)
    return stream.getvalue()


def npz(**changed):
    members = {name: npy(array) for name, array in arrays().items()} | changed
    return archive((f"{name}.npy", content) for name, content in members.items())


def patched(content, name, **fields):
    """An archive whose headers of one member say something else."""
    offsets = {"flag": (6, 8, "<H"), "method": (8, 10, "<H"), "size": (22, 24, "<I")}
    found = bytearray(content)
    for signature, column, start in ((b"PK\x03\x04", 0, 30), (b"PK\x01\x02", 1, 46)):
        at = found.find(signature)
        while at >= 0:
            if found[at + start : at + start + len(name)] == name.encode():
                for field, value in fields.items():
                    where, form = offsets[field][column], offsets[field][2]
                    struct.pack_into(form, found, at + where, value)
            at = found.find(signature, at + 1)
    return bytes(found)


def safetensors(change=None, data=b"", raw=None):
    """A file whose header was changed, or is `raw`."""
    head, content = {}, b""
    for name, array in arrays().items():
        offsets = [len(content), len(content) + array.nbytes]
        head[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": offsets}
        content += array.tobytes()
    if change is not None:
        change(head)
    text = json.dumps(head).encode() if raw is None else raw
    return struct.pack("<Q", len(text)) + text + content + data


DATASET = "layers/conv2d_transpose/vars/1"


def hdf5(change=None, path=DATASET):
    """Good weights in which one dataset is replaced by whatever `change(group, name)` makes."""
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        places = ("conv2d_transpose", "sequential/layers/conv2d_transpose", "conv2d_transpose_1")
        values = iter(arrays().values())
        for place in places:
            for key in "01":
                file[f"layers/{place}/vars/{key}"] = next(values)
        if change is not None:
            folder, _, name = path.rpartition("/")
            if path in file:
                del file[path]
            change(file[folder or "/"], name)
    return stream.getvalue()
