"""Settings of all Python tests.

Hypothesis runs the profile "ci": small and the same examples every time. `HYPOTHESIS_PROFILE=fuzz` looks for new ones.
"""

import os
import random
import secrets
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from hypothesis import HealthCheck, settings

_common = {"deadline": None, "print_blob": True, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("ci", max_examples=60, derandomize=True, database=None, **_common)
settings.register_profile("fuzz", max_examples=3000, **_common)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes more than a few seconds")


@pytest.fixture(autouse=True)
def _the_same_numbers_every_time(request, monkeypatch):
    """What a test draws without a seed depends on its name alone: neither on the run nor on the tests before it."""
    seed = zlib.crc32(request.node.nodeid.encode())
    monkeypatch.setattr(secrets, "randbits", random.Random(seed).getrandbits)  # tconv's seeds where none is given
    if hasattr(request.module, "RNG"):
        monkeypatch.setattr(request.module, "RNG", np.random.default_rng(seed))
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(seed)


@pytest.fixture(autouse=True)
def _no_settings_of_the_user(tmp_path_factory, monkeypatch):
    """No test reads or writes the user's own keras.json."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path_factory.getbasetemp() / "no-keras-home"))
