"""Tests that computed numbers decide, run again as other processors compute: ``python -m tests.portable [--short] [ARGS]``.

Libraries choose their code by the processor as they are loaded, so each variant is a process of its own, from which the
workers that tests start inherit. What this processor lacks cannot be turned off: such a variant is left out and told. ONNX
Runtime has no such switch, and BLAS chooses by itself. JAX, Keras' other backend, comes last: its tests run here alone.
``--short``, for every change, turns everything off at once and leaves out the rooms that train or load a network, real
X-rays, and four threads, but not JAX. ARGS go to pytest.
"""

import os
import subprocess
import sys

import cv2
from numpy._core import _multiarray_umath as numpy_core
from threadpoolctl import threadpool_info

# Whole rooms, so that a new test is taken along without a thought.
SHORT = (
    "tests/data",
    "tests/evaluation",
    "tests/augmentation",
    "tests/test_closeness.py",
    "tests/test_published.py",
    "tests/config/test_run.py",
)
FULL = (
    *SHORT,
    "tests/inference",
    "tests/models",
    "tests/reporting",
    "tests/training",
    *(f"tests/test_{name}.py" for name in ("benchmarks", "documents", "reference", "worker", "worker_gan")),
)
# They move bytes and wait for a server; nothing is computed.
LEFT_OUT = ("--ignore=tests/data/test_archive.py", "--ignore=tests/data/test_download.py")
# Where JAX is not installed, nothing is left to run.
JAX = ("-m", "jax", "tests/models", "tests/training")
REAL = ("PNEUMO_REAL_DATA", "PNEUMO_VGG16_WEIGHTS")

# What oneDNN calls its code for a processor, and what it says when asked.
ONEDNN = {"AVX2": "Intel AVX2", "SSE41": "Intel SSE4.1"}
_ASK_ONEDNN = "import tensorflow as tf; tf.nn.conv2d(tf.ones((1, 8, 8, 3)), tf.ones((3, 3, 3, 4)), 1, 'SAME')"


def variants() -> dict[str, dict[str, str]]:
    """Environment of each variant, by its name; an empty one where this processor has nothing to turn off."""
    has = numpy_core.__cpu_features__
    found: dict[str, dict[str, str]] = {}
    # NumPy's optimizations from the least to the most: none but the first, then none at all.
    for names in (numpy_core.__cpu_dispatch__[1:], numpy_core.__cpu_dispatch__):
        on = any(has[name] for name in names)
        found[f"NumPy without {' '.join(names)}"] = {"NPY_DISABLE_CPU_FEATURES": " ".join(names)} if on else {}
    below = "AVX2" if has["AVX512F"] else "SSE41"
    found[f"oneDNN up to {below}"] = {"ONEDNN_MAX_CPU_ISA": below} if has["AVX2"] else {}
    chosen = [name[1:] for name in cv2.getCPUFeaturesLine().split() if name.startswith("*") and not name.endswith("?")]
    found[f"OpenCV without {' '.join(chosen)}"] = {"OPENCV_CPU_DISABLE": ",".join(chosen)} if chosen else {}
    for count in (4, 1):
        names = ("OMP_NUM_THREADS", "OPENCV_FOR_THREADS_NUM", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
        found[f"threads: {count}"] = dict.fromkeys(names, str(count))
    return found


def pytest_configure() -> None:
    """As a plugin of each variant's pytest and of its workers: fail where the environment did not take."""
    for name in os.environ.get("NPY_DISABLE_CPU_FEATURES", "").split():
        assert not numpy_core.__cpu_features__[name], f"NumPy still uses {name}"
    features = cv2.getCPUFeaturesLine().split()
    for name in filter(None, os.environ.get("OPENCV_CPU_DISABLE", "").split(",")):
        assert f"*{name}?" in features, f"OpenCV still uses {name}: {features}"
    if isa := os.environ.get("ONEDNN_MAX_CPU_ISA"):
        asked = [sys.executable, "-c", _ASK_ONEDNN]
        told = subprocess.run(
            asked, env={**os.environ, "ONEDNN_VERBOSE": "1"}, capture_output=True, text=True, check=True
        )
        assert f"cpu,isa:{ONEDNN[isa]}\n" in told.stdout, f"oneDNN is not held to {isa}: {told.stdout}"
    if threads := os.environ.get("OPENCV_FOR_THREADS_NUM"):
        assert cv2.getNumThreads() == int(threads)
        # BLAS takes no more threads than there are cores.
        assert {pool["num_threads"] for pool in threadpool_info()} == {min(int(threads), os.cpu_count() or 1)}


def say(line: str) -> None:
    """Tell now: a variant takes minutes."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def run(name: str, changes: dict[str, str], *arguments: str) -> bool:
    """Run the tests under a variant; say in one line how it went, and all that pytest told where it failed."""
    say(f"{name} ...")
    pytest = (sys.executable, "-m", "pytest", "-p", "tests.portable", "-q", "-n", "2", "--dist", "loadfile")
    environment = {key: value for key, value in {**os.environ, **changes}.items() if value}
    result = subprocess.run(
        [*pytest, *LEFT_OUT, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if result.returncode:
        say(result.stdout + result.stderr)
    last = (result.stdout.splitlines() or ["no output"])[-1]
    say(f"{name}: {'FAILED' if result.returncode else 'passed'}, {last.strip('= ')}")
    return result.returncode == 0


def main(arguments: list[str]) -> int:
    """Run all variants, or with ``--short`` the one that is all of them; the exit status is 0 where every test passed."""
    found = variants()
    if "--short" in arguments:
        arguments = [*SHORT, *(argument for argument in arguments if argument != "--short")]
        # Of two variants that set the same, the later one asks for more.
        changes = {key: value for changes in found.values() for key, value in changes.items()}
        passed = run("all at once, one thread", changes | dict.fromkeys(REAL, ""), "-m", "not jax", *arguments)
        return 0 if run("JAX", {}, *JAX) and passed else 1
    passed = True
    for name, changes in found.items():
        if changes:
            # TensorFlow itself crashes in bfloat16 where oneDNN may not use it and the processor has it.
            chosen = "not jax and not bfloat16" if "ONEDNN_MAX_CPU_ISA" in changes else "not jax"
            passed &= run(name, changes, "-m", chosen, *FULL, *arguments)
        else:
            say(f"{name}: left out, for this processor has none of it")
    passed &= run("JAX", {}, *JAX, *arguments)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
