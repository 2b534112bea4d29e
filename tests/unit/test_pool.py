"""The memory of dead results is used again, never beyond the limit, and never while an array lives."""

import gc
import os
import threading

import numpy as np
import pytest

import tconv

LIMIT = 64 * 2**20


@pytest.fixture(autouse=True)
def _fresh_pool():
    before = tconv.get_output_pool_limit()
    tconv.set_output_pool_limit(0)
    tconv.set_output_pool_limit(LIMIT)
    yield
    tconv.set_output_pool_limit(before)


def kept():
    return tconv.build_info()["output_pool_bytes"]


def result(extent, value=1.0, dtype=np.float32):
    """extent * 64 * 16 numbers, all of them `value`."""
    return tconv.conv_transpose(np.full((1, extent, 64, 1), value, dtype), np.ones((1, 1, 16, 1), dtype))


def test_the_memory_of_a_dead_result_serves_the_next():
    y = result(256)
    address = y.ctypes.data
    assert kept() == 0
    del y
    assert kept() >= 256 * 64 * 16 * 4
    y = result(256, 2.0)
    assert y.ctypes.data == address
    assert kept() == 0
    assert (y == 2).all()


def test_a_living_result_keeps_its_numbers_and_so_does_a_view_of_it():
    y = result(256)
    view = y[0, 100:, ::2]
    del y
    gc.collect()
    assert kept() == 0
    other = result(256, 3.0)
    assert (view == 1).all()
    assert not np.shares_memory(view, other)


def test_results_are_ordinary_arrays():
    y = result(256)
    assert y.flags.writeable
    assert y.flags.c_contiguous
    assert y.flags.aligned
    y += 1
    assert (y == 2).all()
    copied = y.copy()
    assert copied.flags.owndata


def test_no_more_than_the_limit_is_kept_and_the_oldest_goes_first():
    some = [result(256 + 64 * i) for i in range(40)]
    addresses = [y.ctypes.data for y in some]
    sizes = [y.nbytes for y in some]
    while some:
        some.pop(0)
        assert kept() <= LIMIT
    assert kept() > LIMIT // 2
    assert result(256 + 64 * 39).ctypes.data == addresses[-1]
    assert sum(sizes) > 2 * LIMIT


def test_a_result_larger_than_the_limit_is_not_kept():
    tconv.set_output_pool_limit(2**20)
    del_me = result(512)
    assert del_me.nbytes > 2**20
    del del_me
    assert kept() == 0


def test_off():
    tconv.set_output_pool_limit(0)
    for extent in (16, 256):
        result(extent)
        assert kept() == 0


def test_what_a_call_takes_for_itself_serves_the_next_call():
    """Transformed weights of an input gradient: 9/4 of the kernel, in one piece of megabytes."""
    dy, kernel = np.ones((4, 16, 16, 128), np.float32), np.ones((4, 4, 128, 256), np.float32)
    out = np.empty((4, 8, 8, 256), np.float32)

    def gradient():
        tconv.conv_transpose_grad_input(dy, kernel, out.shape, strides=2, padding="same", algorithm="fast", out=out)
        return kept()

    after = gradient()
    assert after >= kernel.nbytes
    assert gradient() == after
    tconv.set_output_pool_limit(0)
    assert gradient() == 0


def test_a_much_larger_piece_is_not_wasted_on_a_small_result():
    del_me = result(4096)
    large = del_me.nbytes
    del del_me
    y = result(256)
    assert kept() >= large
    assert (y == 1).all()


def test_lowering_the_limit_frees():
    result(256)
    assert kept() > 0
    tconv.set_output_pool_limit(0)
    assert kept() == 0


def test_threads_never_share_a_piece():
    wrong = []

    def work(value):
        for turn in range(50):
            y = result(256, float(value))
            if not (y == value).all():
                wrong.append((value, turn))

    threads = [threading.Thread(target=work, args=(value,)) for value in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert kept() <= LIMIT


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_fork_has_a_pool_of_its_own():
    y = result(256)
    dead = result(256, 5.0)
    del dead
    child = os.fork()
    if child == 0:
        good = (result(256, 7.0) == 7).all() and (y == 1).all()
        os._exit(0 if good else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert (y == 1).all()


@pytest.mark.parametrize("limit", [-1, 2.5, "1", None, True])
def test_a_limit_is_a_number_of_bytes(limit):
    with pytest.raises((TypeError, ValueError), match="limit="):
        tconv.set_output_pool_limit(limit)
    assert tconv.get_output_pool_limit() == LIMIT
