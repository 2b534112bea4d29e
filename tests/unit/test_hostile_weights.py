"""Weights of strangers: one clear error, and nothing is imported, executed, allocated, extracted or changed."""

import functools
import os
import pickle
import struct

import h5py
import numpy as np
import pytest

from hostile_files import DATASET, archive, arrays, check_refused, hdf5, header, npy, npz, patched, safetensors
from stored_models import decoder


@pytest.fixture
def refused(tmp_path):
    return functools.partial(check_refused, tmp_path)


# ------------------------------------------------------------------------------------------------------------ archives


class Trap:
    def __reduce__(self):
        return os.mkdir, ("unpickled",)


BIAS = "one/bias"
NPZ = {
    "no weights": (archive([]), "lacks 'one/kernel'"),
    "a pickle": (npz(**{BIAS: npy(np.array([Trap()], object), allow_pickle=True)}), "Python objects"),
    "a bare pickle": (npz(**{BIAS: pickle.dumps(Trap())}), "no header"),
    "not an array": (npz(**{BIAS: b"x"}), "no header"),
    "no bytes": (npz(**{BIAS: b""}), "no header"),
    "nested header": (npz(**{BIAS: header("(" * 4000, (8,))}), "no header"),
    "a negative shape": (npz(**{BIAS: header("<f4", (-8,), bytes(32))}), "not as long as"),
    "two negatives": (npz(**{BIAS: header("<f4", (-8, -1), bytes(32))}), "not as long as"),
    "an absurd shape": (npz(**{BIAS: header("<f4", (10**15,), bytes(32))}), "not as long as"),
    "a shape that wraps": (npz(**{BIAS: header("<f4", (2**32, 2**32, 8), bytes(32))}), "not as long as"),
    "another shape": (npz(**{BIAS: npy(np.zeros((2, 4), "f4"))}), r"shape \(2, 4\) in the file and \(8,\)"),
    "no axes": (npz(**{BIAS: npy(np.float32(1))}), r"shape \(\) in the file"),
    "integers": (npz(**{BIAS: npy(np.zeros(8, "i4"))}), "dtype int32"),
    "complex numbers": (npz(**{BIAS: npy(np.zeros(8, "c8"))}), "dtype complex64"),
    "text": (npz(**{BIAS: npy(np.zeros(8, "U3"))}), "dtype str"),
    "a record": (npz(**{BIAS: npy(np.zeros(8, [("a", "f4"), ("b", "f4")]))}), "dtype void"),
    "too short": (npz(**{BIAS: npy(np.zeros(8, "f4"))[:-4]}), "not as long as"),
    "too long": (npz(**{BIAS: npy(np.zeros(8, "f4")) + b"more"}), "not as long as"),
    "additional weights": (npz(more=npy(np.zeros(3))), "has 'more', which the model has not"),
    "a member twice": (archive([(f"{BIAS}.npy", npy(np.zeros(8))), (f"{BIAS}.npy", npy(np.ones(8)))]), "there twice"),
    "zip slip": (archive([("../../slipped.npy", npy(np.zeros(8)))]), "outside"),
    "zip slip, absolute": (archive([("/slipped.npy", npy(np.zeros(8)))]), "outside"),
    "zip slip, backwards": (archive([("..\\slipped.npy", npy(np.zeros(8)))]), "outside"),
    "zip slip, a drive": (archive([("C:slipped.npy", npy(np.zeros(8)))]), "outside"),
    "encrypted": (patched(npz(), f"{BIAS}.npy", flag=1), "bias.npy. is encrypted"),
    "unknown compression": (patched(npz(), f"{BIAS}.npy", method=99), "compressed by method 99"),
    "an oversized member": (patched(npz(), f"{BIAS}.npy", size=2**32 - 2), "says to be 4294967294 bytes"),
    "a member larger than the file": (patched(npz(), f"{BIAS}.npy", size=50_000_000), "not as long as|damaged"),
    "damaged data": (npz().replace(npy(arrays()[BIAS])[-8:], b"\1" * 8, 1), "damaged: Bad CRC-32"),
    "something else": (archive([("readme.txt", "hello")]), "neither a .keras nor a .npz"),
    "cut off": (npz()[:-30], "not a whole ZIP archive"),
    "an empty file": (b"", "none of the files"),
    "garbage": (b"\x00" * 1000, "none of the files"),
    "text file": (b"kernel: 1, 2, 3\n" * 10, "none of the files"),
}


@pytest.mark.parametrize("case", NPZ)
def test_hostile_archives(refused, case):
    refused(*NPZ[case])
    assert not os.path.exists("unpickled")


# --------------------------------------------------------------------------------------------------------- safetensors


def changed(**fields):
    return safetensors(lambda head: head[BIAS].update(fields))


SAFETENSORS = {
    "not JSON": (safetensors(raw=b"{nonsense}"), "no JSON"),
    "not an object": (safetensors(raw=b"[]"), "no JSON object"),
    "not text": (safetensors(raw=b"\xff\xfe"), "no JSON"),
    "nested": (safetensors(raw=b"[" * 200_000), "nested too deeply"),
    "a name twice": (safetensors(raw=b'{"a": 1, "a": 2}'), "a name twice"),
    "a header longer than the file": (struct.pack("<Q", 10**18) + b"{}", "none of the files"),
    "no dtype": (safetensors(lambda head: head[BIAS].pop("dtype")), "must have dtype, shape and data_offsets"),
    "more keys": (changed(code="os.system"), "must have dtype, shape and data_offsets"),
    "unknown dtype": (changed(dtype="O"), "dtype O"),
    "no dtype name": (changed(dtype=["F32"]), "dtype"),
    "integers": (changed(dtype="I32"), "dtype int32; it must be"),
    "negative shape": (changed(shape=[-8]), "no sizes"),
    "two negatives": (changed(shape=[-2, -4]), "no sizes"),
    "NaN": (changed(shape=[float("nan")]), "no sizes"),
    "floats": (changed(shape=[8.0]), "no sizes"),
    "bool": (changed(shape=[True, 8]), "no sizes"),
    "absurd shape": (changed(shape=[10**18]), "no sizes"),
    "a shape that wraps": (changed(shape=[2**32, 2**32, 8]), "no sizes"),
    "offsets backwards": (changed(data_offsets=[1600, 1568]), "no sizes"),
    "three offsets": (changed(data_offsets=[0, 32, 64]), "no sizes"),
    "overlapping": (changed(data_offsets=[0, 32]), "do not fill"),
    "beyond the end": (changed(data_offsets=[10**12, 10**12 + 32]), "do not fill"),
    "another shape": (changed(shape=[2, 4]), r"shape \(2, 4\) in the file and \(8,\)"),
    "a hole at the end": (safetensors(data=b"hidden"), "do not fill"),
    "cut off": (safetensors()[:-1], "do not fill"),
}


@pytest.mark.parametrize("case", SAFETENSORS)
def test_hostile_safetensors(refused, case):
    refused(*SAFETENSORS[case])


def test_missing_and_additional_safetensors(refused):
    def rename(head):
        head["other"] = head.pop(BIAS)

    refused(safetensors(rename), "lacks 'one/bias' and has 'other'")


# ---------------------------------------------------------------------------------------------------------------- HDF5


def linked(link):
    return hdf5(lambda group, name: group.__setitem__(name, link))


def dataset(**kwargs):
    return hdf5(lambda group, name: group.create_dataset(name, **kwargs))


def virtual(group, name):
    layout = h5py.VirtualLayout((8,), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (8,))
    group.create_virtual_dataset(name, layout)


def external(group, name):
    group.create_dataset(name, (8,), "f4", external=[("/etc/passwd", 0, 32)])


def filtered(group, name):
    """A dataset that says to be filtered by what a plug-in would bring."""
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((8,))
    plist.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))
    space = h5py.h5s.create_simple((8,))
    h5py.h5d.create(group.id, name.encode(), h5py.h5t.IEEE_F32LE, space, plist)


def circular(group, name):
    group["loop"] = group


def deep(group, name):
    for _ in range(200):
        group = group.create_group("x")


HDF5 = {
    "soft link": (linked(h5py.SoftLink("/layers/conv2d_transpose_1/vars/1")), "is a SoftLink"),
    "external link": (linked(h5py.ExternalLink("/etc/passwd", "/x")), "is a ExternalLink"),
    "external group": (
        hdf5(lambda g, n: g.__setitem__("x", h5py.ExternalLink("/dev/zero", "/")), "layers/x"),
        "External",
    ),
    "virtual dataset": (hdf5(virtual), "other files"),
    "external storage": (hdf5(external), "other files"),
    "plug-in filter": (hdf5(filtered), "filtered by"),
    "group": (hdf5(lambda group, name: group.create_group(name)), "is a Group where a Dataset belongs"),
    "named type": (linked(np.dtype("f4")), "is a Datatype where a Dataset belongs"),
    "dataset for a group": (
        hdf5(lambda g, n: g.create_dataset("x", data=1.0), "layers/x"),
        "is a Dataset where a Group",
    ),
    "circular": (hdf5(circular), "is nested too deeply|is a Group where"),
    "circular groups": (hdf5(circular, "layers/loop"), "nested too deeply, or in itself"),
    "nested": (hdf5(deep, "layers/x"), "nested too deeply"),
    "objects": (dataset(data=["a"] * 8, dtype=h5py.string_dtype()), "dtype object"),
    "references": (dataset(shape=(8,), dtype=h5py.ref_dtype), "dtype object"),
    "arrays in arrays": (dataset(shape=(8,), dtype=h5py.vlen_dtype("f4")), "dtype object"),
    "a record": (dataset(shape=(8,), dtype=[("a", "f4")]), "dtype void"),
    "opaque": (dataset(shape=(8,), dtype="V2"), "dtype void"),
    "integers": (dataset(shape=(8,), dtype="i4"), "dtype int32"),
    "truth": (dataset(shape=(8,), dtype=bool), "dtype bool"),
    "complex": (dataset(shape=(8,), dtype="c8"), "dtype complex64"),
    "empty": (dataset(data=h5py.Empty("f4")), "has no data"),
    "another shape": (dataset(shape=(4, 2), dtype="f4"), r"shape \(4, 2\) in the file and \(8,\)"),
    "absurd shape": (dataset(shape=(10**14,), dtype="f4", chunks=(100,)), "bytes in the file"),
    "absurd and compressed": (dataset(shape=(10**9, 4), dtype="f4", chunks=(10**5, 4), compression="gzip"), "bytes in"),
    "missing": (hdf5(lambda group, name: None), "expected 2 variables .'kernel', 'bias'., but the file has 1"),
    "more variables": (hdf5(lambda g, n: g.create_dataset("2", data=1.0), DATASET[:-1] + "2"), "the file has 3"),
    "another key": (hdf5(lambda g, n: g.create_dataset("x", data=1.0)), "the file has 2 of other names"),
    "more layers": (hdf5(lambda g, n: g.create_dataset("vars/0", data=1.0), "layers/x"), "model has none"),
    "cut off": (hdf5()[:-200], "no whole HDF5|is damaged"),
    "only a signature": (b"\x89HDF\r\n\x1a\n", "no whole HDF5"),
}


@pytest.mark.parametrize("case", HDF5)
def test_hostile_hdf5(refused, case):
    refused(*HDF5[case])


def test_the_good_files_are_good(tmp_path):
    """What the tests above change is right before."""
    for content in (npz(), safetensors(), hdf5()):
        (tmp_path / "good").write_bytes(content)
        model = decoder(0)
        model.load_weights(tmp_path / "good")
        assert all(np.array_equal(weight.value, array) for weight, array in zip(model.weights, arrays().values()))
