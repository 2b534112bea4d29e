"""Threads, forks and processes."""

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import tconv
from problems import NAMED

P = NAMED["vae"].but(in_channels=32, filters=32)


def forward(threads=None):
    return tconv.conv_transpose(P.x, P.kernel, P.b, **P.geometry, num_threads=threads)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_computes():
    """After the parent has used its threads, a child has none of them: it must not wait for them."""
    expected = forward(2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python warns that forking with threads may hang
        child = os.fork()
    if child == 0:
        signal.alarm(60)
        try:
            same = all(np.array_equal(forward(threads), expected) for threads in (1, 2, 3))
        except BaseException:
            same = False
        os._exit(0 if same else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, "the child hung (-14), crashed or computed something else"
    np.testing.assert_array_equal(forward(2), expected)  # and the parent goes on


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system does not fork")
def test_a_pool_of_forked_processes():
    expected = forward(2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        with multiprocessing.get_context("fork").Pool(2) as pool:
            results = [pool.apply_async(forward, (2,)) for _ in range(4)]
            for result in results:
                np.testing.assert_array_equal(result.get(timeout=60), expected)


def together(count, work):
    """Runs work(number) in threads that start at the same moment; re-raises what one of them raised."""
    gate = threading.Barrier(count)

    def start(number):
        gate.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(start, range(count)))


def test_functions_from_many_threads():
    expected = forward()
    for y in together(8, lambda number: [forward(1 + number % 3) for _ in range(5)]):
        for each in y:
            np.testing.assert_array_equal(each, expected)


def test_one_plan_for_many_threads():
    plan = tconv.Plan(P.kernel, **P.geometry)
    batches = [P.but(batch=1 + i % 3, seed=i) for i in range(8)]
    expected = [tconv.conv_transpose(p.x, p.kernel, p.b, **p.geometry) for p in [b.but(seed=b.seed) for b in batches]]
    plans = [tconv.Plan(b.kernel, **b.geometry) for b in batches]
    for number, results in enumerate(together(8, lambda n: [plans[n](batches[n].x, batches[n].b) for _ in range(5)])):
        for y in results:
            np.testing.assert_array_equal(y, expected[number])
    shared = together(8, lambda n: plan(batches[n].x, batches[n].b))
    for number, y in enumerate(shared):
        p = batches[number]
        np.testing.assert_array_equal(y, tconv.conv_transpose(p.x, P.kernel, p.b, **p.geometry))


def test_one_layer_called_from_many_threads_is_built_once():
    for _ in range(10):
        layer = tconv.layers.Conv2DTranspose(4, 3, strides=2)
        x = np.ones((2, 5, 6, 3), np.float32)
        outputs = together(8, lambda _, layer=layer, x=x: layer(x))
        assert len(layer.weights) == 2
        for y in outputs:
            np.testing.assert_array_equal(y, outputs[0])


def test_weights_changed_while_others_compute():
    """Every result is that of one of the two weights, whole: never of a mixture."""
    layer = tconv.layers.Conv2DTranspose(8, 3, use_bias=False)
    x = np.ones((1, 9, 9, 4), np.float32)
    layer.build(x.shape)
    ones = np.ones(layer.kernel.shape, np.float32)
    layer.kernel.assign(ones)
    one = layer(x)

    def work(number):
        if number == 0:
            for i in range(200):
                layer.kernel.assign(ones * (1 + i % 2))
            return []
        return [layer(x) for _ in range(50)]

    for results in together(5, work):
        for y in results:
            assert np.array_equal(y, one) or np.array_equal(y, 2 * one)


def test_num_threads_setting():
    before = tconv.get_num_threads()
    try:
        tconv.set_num_threads(3)
        assert tconv.get_num_threads() == 3
        expected = forward(1)
        np.testing.assert_array_equal(forward(), expected)
    finally:
        tconv.set_num_threads(None)
    assert tconv.get_num_threads() == before


def test_num_threads_of_the_environment():
    code = "import tconv; print(tconv.get_num_threads())"
    environment = {**os.environ, "TCONV_NUM_THREADS": "5"}
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "5"


@pytest.mark.parametrize("value", ["", "0", "-1", "many", "1e9", "99999999999999999999"])
def test_a_strange_environment_does_no_harm(value):
    code = "import tconv, numpy as np; print(tconv.conv_transpose(np.ones((1, 4, 2)), np.ones((3, 1, 2))).sum())"
    environment = {**os.environ, "TCONV_NUM_THREADS": value, "TCONV_ISA": value}
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    if said.returncode:  # refused: with one sentence, not a crash
        assert said.returncode == 1
        assert "TCONV_" in said.stderr.strip().splitlines()[-1]
    else:
        assert said.stdout.strip() == "24.0"


@pytest.mark.parametrize("isa", tconv.build_info()["isas_available"])
def test_every_instruction_set_computes_the_same_whole_numbers(isa):
    code = """if True:
        import numpy as np, tconv
        random = np.random.default_rng(1)
        x = random.integers(-3, 4, (2, 9, 13, 19)).astype(np.float32)
        kernel = random.integers(-3, 4, (3, 4, 37, 19)).astype(np.float32)
        y = tconv.conv_transpose(x, kernel, strides=(2, 3), activation="relu")
        print(tconv.build_info()["isa"], int(y.astype(np.int64).sum()), int((y.astype(np.int64) ** 2).sum()))
    """
    said = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "TCONV_ISA": isa}, capture_output=True, text=True, check=True
    )
    import reference

    random = np.random.default_rng(1)
    x, kernel = random.integers(-3, 4, (2, 9, 13, 19)), random.integers(-3, 4, (3, 4, 37, 19))
    axes = [reference.resolve(9, 3, 2), reference.resolve(13, 4, 3)]
    y = np.maximum(reference.forward(x, kernel, axes=axes), 0)
    assert said.stdout.split() == [isa, str(int(y.sum())), str(int((y**2).sum()))]


def test_layers_and_models_pickle():
    layer = tconv.layers.Conv2DTranspose(4, 3, strides=2, activation="relu", name="up")
    x = np.random.default_rng(0).standard_normal((2, 5, 6, 3)).astype(np.float32)
    y = layer(x)
    again = pickle.loads(pickle.dumps(layer))
    np.testing.assert_array_equal(again(x), y)
    again.kernel.assign(again.kernel.value * 2)
    np.testing.assert_array_equal(layer(x), y)
    model = tconv.Sequential([tconv.layers.Input((5, 6, 3)), layer])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model))(x), model(x))


def test_import_needs_numpy_alone():
    code = """if True:
        import sys
        before = set(sys.modules)
        import numpy
        with_numpy = set(sys.modules)
        import tconv
        new = {name.split(".")[0] for name in set(sys.modules) - with_numpy}
        foreign = {n for n in new if n != "tconv" and not n.startswith("_") and n not in sys.stdlib_module_names}
        print(sorted(foreign - {"numpy"}))
    """
    said = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
