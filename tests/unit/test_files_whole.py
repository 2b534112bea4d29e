"""Saving and loading happen whole or not at all."""

import os
import signal
import stat
import subprocess
import sys
import tracemalloc
import zipfile

import h5py
import numpy as np
import pytest

import tconv
from stored_models import ALL_ENDINGS, ENDINGS, Renaming, decoder, named, randomized, same, state, write
from tconv.layers import Conv1DTranspose, Conv2DTranspose, Input, Layer

# ---------------------------------------------------------------------------------------------------- whole or nothing


@pytest.mark.parametrize("ending", ALL_ENDINGS)
def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path, ending, monkeypatch):
    path = tmp_path / f"m{ending}"
    write(decoder(0), path)
    before = path.read_bytes()

    def full(*args):
        raise OSError(28, "No space left on device")

    for name in ("fsync", "replace"):
        with monkeypatch.context() as patched:
            patched.setattr(os, name, full)
            with pytest.raises(OSError, match="No space left"):
                write(decoder(1), path)
        assert os.listdir(tmp_path) == [path.name]
        assert path.read_bytes() == before


def test_a_full_disk_leaves_the_old_file(tmp_path):
    """The system refuses to write more than some bytes, in the middle of every format."""
    program = f"""
import resource, signal, sys, tconv
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
model = tconv.Sequential([tconv.layers.Input((4, 4, 64)), tconv.layers.Conv2DTranspose(64, 4, name="a")])
for ending in {ALL_ENDINGS}:
    save = model.save if ending == ".keras" else model.save_weights
    path = sys.argv[1] + "/m" + ending
    save(path)
    old = open(path, "rb").read()
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        save(path)
    except OSError:
        print("refused", ending)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert open(path, "rb").read() == old
"""
    said = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True)
    assert said.stdout.split() == [word for ending in ALL_ENDINGS for word in ("refused", ending)], said.stderr
    assert sorted(os.listdir(tmp_path)) == sorted(f"m{ending}" for ending in ALL_ENDINGS)


@pytest.mark.parametrize("ending", [".weights.h5", ".keras"])
def test_a_crash_in_the_middle_leaves_the_old_file(tmp_path, ending):
    path = tmp_path / f"m{ending}"
    model = tconv.Sequential(
        [Input((4, 2)), Conv1DTranspose(2, 1, name="a"), Conv1DTranspose(2, 1, name="b")], name="m"
    )
    write(model, path)
    before = path.read_bytes()
    program = """
import os, signal, sys, tconv
class Deadly(tconv.layers.Conv1DTranspose):
    def save_own_variables(self, store):
        super().save_own_variables(store)
        os.kill(os.getpid(), signal.SIGKILL)
layers = tconv.layers.Conv1DTranspose(2, 1, name="a"), Deadly(2, 1, name="b")
model = tconv.Sequential([tconv.layers.Input((4, 2)), *layers], name="m")
(model.save if sys.argv[1].endswith(".keras") else model.save_weights)(sys.argv[1])
"""
    assert subprocess.run([sys.executable, "-c", program, path]).returncode == -signal.SIGKILL
    assert path.read_bytes() == before
    model.load_weights(path)


def test_permissions_and_links_stay(tmp_path):
    real, link = tmp_path / "real.npz", tmp_path / "link.npz"
    decoder().save_weights(real)
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(real.stat().st_mode) == 0o666 & ~mask
    real.chmod(0o640)
    link.symlink_to(real)
    model = decoder(1)
    model.save_weights(link)
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    other = decoder(2)
    other.load_weights(real)
    assert same(model, other)


def test_what_is_no_regular_file_is_not_replaced(tmp_path):
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(OSError, match="not a regular file"):
        decoder().save_weights(tmp_path / "folder.npz")
    with pytest.raises(FileNotFoundError, match=r"w\.npz"):
        decoder().save_weights(tmp_path / "nowhere" / "w.npz")
    assert os.listdir(tmp_path) == ["folder.npz"]


@pytest.mark.parametrize("ending", ALL_ENDINGS)
def test_a_failed_load_touches_nothing(tmp_path, ending):
    write(decoder(filters=8), tmp_path / f"m{ending}")
    model = decoder(filters=5)
    before = state(model)
    with pytest.raises(ValueError, match=rf"m\{ending}: .*shape \(4, 4, 8, 3\) in the file and \(4, 4, 5, 3\)"):
        model.load_weights(tmp_path / f"m{ending}")
    assert state(model) == before


@pytest.mark.parametrize("ending", ALL_ENDINGS)
def test_mismatches_are_passed_over_on_request(tmp_path, ending):
    source, model, untouched = decoder(0, filters=8), decoder(1, filters=5), decoder(1, filters=5)
    write(source, tmp_path / f"m{ending}")
    with pytest.warns(UserWarning, match="shape"):
        model.load_weights(tmp_path / f"m{ending}", skip_mismatch=True)
    for name in ("one/kernel", "one/bias", "inner/deep/kernel", "two/bias"):
        found, old, new = (named(m)[name].value for m in (model, untouched, source))
        np.testing.assert_array_equal(found, new if new.shape == old.shape else old)


@pytest.mark.parametrize("ending", ENDINGS)
def test_missing_and_additional_weights_are_named(tmp_path, ending):
    short = tconv.Sequential([Input((4, 4, 3)), Conv2DTranspose(4, 3, name="a")], name="m")
    long = tconv.Sequential(
        [Input((4, 4, 3)), Conv2DTranspose(4, 3, name="a"), Conv2DTranspose(4, 3, name="b")], name="m"
    )
    short.save_weights(tmp_path / f"short{ending}")
    long.save_weights(tmp_path / f"long{ending}")
    place = "conv2d_transpose_1" if ending == ".weights.h5" else "b/kernel"
    for model, path in ((short, f"long{ending}"), (long, f"short{ending}")):
        before = state(model)
        with pytest.raises(ValueError, match=place):
            model.load_weights(tmp_path / path)
        assert state(model) == before


def test_values_that_do_not_fit_the_dtype(tmp_path):
    model, small = (
        tconv.Sequential([Input((4, 2)), Conv1DTranspose(2, 1, name="a", dtype=d)], name="m")
        for d in ("float64", "float16")
    )
    model.set_weights([np.full((1, 2, 2), 1e300), [0, 0]])
    model.save_weights(tmp_path / "w.npz")
    with pytest.raises(ValueError, match="'a/kernel' has values that float16 cannot hold"):
        small.load_weights(tmp_path / "w.npz")
    model.set_weights([np.full((1, 2, 2), np.inf), [np.nan, 1e-300]])
    model.save_weights(tmp_path / "w.npz")
    small.load_weights(tmp_path / "w.npz")
    assert np.isinf(small.layers[0].kernel.value).all()


def test_loading_a_model_runs_no_initializer(tmp_path):
    calls = []

    @tconv.saving.register_serializable("tests")
    def counting(shape, dtype=None):
        calls.append(shape)
        return np.zeros(shape, dtype)

    model = tconv.Sequential([Input((4, 2)), Conv1DTranspose(2, 3, kernel_initializer=counting)])
    model.save(tmp_path / "m.keras")
    assert calls == [(3, 2, 2)]
    assert same(tconv.saving.load_model(tmp_path / "m.keras"), model)
    assert calls == [(3, 2, 2)]


def test_a_shape_that_is_only_announced_takes_no_memory(tmp_path):
    decoder().save(tmp_path / "good.keras")
    with zipfile.ZipFile(tmp_path / "good.keras") as good, zipfile.ZipFile(tmp_path / "bad.keras", "w") as bad:
        for name in good.namelist():
            bad.writestr(name, good.read(name).replace(b'"filters": 8', b'"filters": 100000000'))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="shape"):
            tconv.saving.load_model(tmp_path / "bad.keras")
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_a_layer_that_fails_to_load_takes_the_others_back(tmp_path):
    """Also those that have assigned to their weights already, themselves."""

    class Failing(Renaming):
        def load_own_variables(self, store):
            super().load_own_variables(store)
            raise KeyError("level")

    source = randomized(tconv.Sequential([Input((4, 2)), Renaming(), Conv1DTranspose(2, 1), Renaming()], name="m"), 0)
    source.save_weights(tmp_path / "m.weights.h5")
    model = tconv.Sequential([Input((4, 2)), Renaming(), Conv1DTranspose(2, 1), Failing()], name="m")
    before = [weight.numpy() for weight in model.weights]
    with h5py.File(tmp_path / "m.weights.h5", "a") as file:
        file.move("layers/renaming_1", "layers/failing")
    with pytest.raises(ValueError, match=r"m\.weights\.h5: .*level"):
        model.load_weights(tmp_path / "m.weights.h5")
    assert all(np.array_equal(array, weight.value) for array, weight in zip(before, model.weights, strict=True))


def test_a_layer_that_leaves_its_weights_without_values(tmp_path):
    class Idle(Renaming):
        def load_own_variables(self, store):
            pass

    tconv.Sequential([Input((4, 2)), Idle(name="idle")], name="m").save(tmp_path / "m.keras")
    with pytest.raises(ValueError, match=r"nothing in it is assigned to \['m/idle/level'\]"):
        tconv.saving.load_model(tmp_path / "m.keras", custom_objects={"Idle": Idle})


# -------------------------------------------------------------------------------------------------------- bad requests


def test_bad_requests(tmp_path):
    model, unbuilt = decoder(), Conv2DTranspose(1, 1)
    for name in ("w.h5", "w.weights.json", "w", "w.npy"):
        with pytest.raises(ValueError, match=r"must end in \.weights\.h5, \.npz, \.safetensors"):
            model.save_weights(tmp_path / name)
    for name in ("m.h5", "m", "m.weights.h5"):
        with pytest.raises(ValueError, match=r"must end in `\.keras`"):
            model.save(tmp_path / name)
    for call in (unbuilt.save_weights, unbuilt.load_weights):
        with pytest.raises(ValueError, match="not yet been built"):
            call(tmp_path / "w.npz")
    with pytest.raises(TypeError):
        model.save_weights(3)
    with pytest.raises(FileNotFoundError):
        model.load_weights(tmp_path / "nothing.npz")
    with pytest.raises(FileNotFoundError):
        tconv.saving.load_model(tmp_path / "nothing.keras")
    assert os.listdir(tmp_path) == []
    model.save_weights(tmp_path / "w.npz")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        model.save_weights(tmp_path / "w.npz", overwrite=False)
    with pytest.raises(ValueError, match="by_name"):
        model.load_weights(tmp_path / "w.npz", by_name=True)
    with pytest.raises(ValueError, match="safe_mode"):
        tconv.saving.load_model(tmp_path / "m.keras", safe_mode=False)
    with pytest.raises(ValueError, match=r"w\.npz: "):
        tconv.saving.load_model(tmp_path / "w.npz")


def test_two_weights_of_one_name(tmp_path):
    class Twins(Layer):
        def build(self, input_shape):
            self.a, self.b = (self.add_weight(shape=(2,), name="w") for _ in range(2))

    layer = Twins(name="twins")
    layer.build((None, 2))
    with pytest.raises(ValueError, match="name 'w'"):
        layer.save_weights(tmp_path / "w.npz")
    assert os.listdir(tmp_path) == []
    layer.save_weights(tmp_path / "w.weights.h5")


def test_without_h5py(tmp_path, monkeypatch):
    model = decoder()
    model.save(tmp_path / "m.keras")
    model.save_weights(tmp_path / "m.weights.h5")
    monkeypatch.setitem(sys.modules, "h5py", None)
    for call in (
        lambda: model.save(tmp_path / "n.keras"),
        lambda: model.save_weights(tmp_path / "n.weights.h5"),
        lambda: model.load_weights(tmp_path / "m.weights.h5"),
        lambda: model.load_weights(tmp_path / "m.keras"),
        lambda: tconv.saving.load_model(tmp_path / "m.keras"),
    ):
        with pytest.raises(ImportError, match=r"pip install 'tconv\[keras\]'"):
            call()
    assert sorted(os.listdir(tmp_path)) == ["m.keras", "m.weights.h5"]
    for ending in (".npz", ".safetensors"):
        model.save_weights(tmp_path / f"w{ending}")
        model.load_weights(tmp_path / f"w{ending}")
