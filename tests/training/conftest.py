"""A process on Keras' other backend."""

import importlib.util
import os
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import active_children, get_context

import pytest


def begin(environment: dict[str, str]) -> None:
    """What the other process does first, before Keras is imported."""
    os.environ.update(environment)


@pytest.fixture(scope="session")
def jax(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Executor]:
    """A process whose Keras is on JAX: one for all tests, because it takes ten seconds to start."""
    if importlib.util.find_spec("jax") is None:
        pytest.skip("install JAX: pip install -r requirements-dev.txt -c constraints.txt")
    environment = {
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        # Once for the same shapes.
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path_factory.mktemp("compiled")),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    pool = ProcessPoolExecutor(1, get_context("spawn"), initializer=begin, initargs=(environment,))
    yield pool
    for child in active_children():
        child.kill()  # Or one that hangs would hold up the end.
    pool.shutdown()
