"""Settings of every test: hypothesis measures claims here, not the speed of the machine it runs on.

The same examples are drawn in every run, so that a commit passes or fails the same way everywhere;
`HYPOTHESIS_PROFILE=explore` draws new ones.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.real_data import real_file

settings.register_profile(
    "plures", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.register_profile("explore", settings.get_profile("plures"), derandomize=False, max_examples=500)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "plures"))


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """SIGINT raises KeyboardInterrupt, also where a shell started the tests in the background and it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def smollm2_folder() -> Path:
    """SmolLM2 as it was fetched on this machine; skips where it was not."""
    from adapters.bases.loader import base_path
    from adapters.errors import BaseModelError

    try:
        return base_path("smollm2")
    except BaseModelError as error:
        pytest.skip(f"{error} (`make test-smollm2` does it all)")


@pytest.fixture(scope="session")
def tweets_path() -> Path:
    """Timelines of real accounts, which are not ours to ship; skips where they are not at hand."""
    return real_file("tweets/timelines.jsonl.gz")
