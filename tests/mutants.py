"""A seeded sample of mutants against the tests that reach them: ``python -m tests.mutants [--count N] [--seed N] [NAME ...]``.

Run it in the project's folder. mutmut makes and runs the mutants; ``[tool.mutmut]`` in pyproject.toml says of which modules
and by which tests. Each module gives about as many to the sample. NAMEs are mutants to run instead of a sample. Those that no
test killed are printed with what they change; docs/mutants.md names those that may survive.
"""

import argparse
import os
import random
import subprocess
import sys
from collections import Counter
from itertools import chain, zip_longest
from pathlib import Path

from mutmut.__main__ import create_mutants
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code
from mutmut.utils.file_utils import copy_src_dir, walk_mutatable_files


def say(line: str) -> None:
    """Print a line at once: the sample takes a while."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def exit_codes() -> dict[Path, dict[str, int | None]]:
    """Of each module that has mutants, the exit code of the tests of each, or None where they did not run."""
    found = {}
    for path in sorted(walk_mutatable_files()):
        data = SourceFileMutationData(path=path)
        data.load()
        if data.exit_code_by_key:
            found[path] = data.exit_code_by_key
    return found


def sample(modules: list[list[str]], count: int, seed: int) -> list[str]:
    """As many names of each module, as far as it has them, in an order that only the seed decides."""
    rng = random.Random(seed)
    shuffled = [rng.sample(names, len(names)) for names in rng.sample(modules, len(modules))]
    return [name for name in chain.from_iterable(zip_longest(*shuffled)) if name is not None][:count]


def main() -> None:
    parser = argparse.ArgumentParser(description="Run a seeded sample of mutants against the tests that reach them.")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("names", nargs="*", metavar="NAME")
    arguments = parser.parse_args()
    say("Making the mutants: about a minute the first time")
    copy_src_dir()
    create_mutants(arguments.processes)
    chosen = arguments.names or sample(
        [list(codes) for codes in exit_codes().values()], arguments.count, arguments.seed
    )
    mutmut = [str(Path(sys.executable).with_name("mutmut")), "run", "--max-children", str(arguments.processes)]
    subprocess.run([*mutmut, *chosen], env={**os.environ, "PYTHONHASHSEED": "0"}, check=True)

    counts: Counter[str] = Counter()
    for path, codes in exit_codes().items():
        for name in codes.keys() & set(chosen):
            status = status_by_exit_code[codes[name]]
            counts[status] += 1
            if status != "killed":
                say(f"\n{status}: {name}\n{get_diff_for_mutant(name, path=path)}")
    say(f"\n{counts.total()} mutants: " + ", ".join(f"{count} {status}" for status, count in counts.most_common()))


if __name__ == "__main__":
    main()
