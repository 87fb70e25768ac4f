"""Installs requirements into the environment whose Python runs this: by uv, or by pip where uv cannot be had or fails.

    .venv/bin/python install.py --size "2.3 GB" -r requirements.txt

It lies beside the Makefile, which calls it, and needs the standard library alone: it runs before anything is installed.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Sequence
from pathlib import Path

CONSTRAINTS = ("-c", "constraints.txt")
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")
UV = (sys.executable, "-m", "uv")
SITE = Path(sysconfig.get_path("purelib"))
SECONDS_BETWEEN_SIGNS = 10

# Python compiles what it imports once and keeps that, a small part of 12,000 files. To compile all of them here takes a minute
# on two cores and saves the first start ten seconds. Where Python is told to keep nothing, every start would take them.
COMPILE = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))


def say(text: str) -> None:
    """A line on standard error, at once."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def packages() -> int:
    """Number of packages in the environment."""
    return sum(1 for _ in SITE.glob("*.dist-info"))


def forget_halves(site: Path) -> None:
    """Forget packages that a broken-off install has left by half: pip and uv would take them for installed.

    Both write who installed a package after all its files, and then its record.
    """
    for folder in site.glob("*.dist-info"):
        if not ((folder / "INSTALLER").exists() and (folder / "RECORD").exists()):
            say(f"{folder.name.removesuffix('.dist-info')} was left by half: it is installed again")
            shutil.rmtree(folder)


def watched(command: Sequence[str]) -> tuple[int, str]:
    """Run a command and copy its output, with a sign of life wherever ten seconds pass; its exit status and its output."""
    lines: list[str] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace"
    ) as process:

        def copy() -> None:
            for line in process.stdout or ():
                lines.append(line)
                say(line.rstrip())

        reader = threading.Thread(target=copy, daemon=True)
        started = time.monotonic()
        reader.start()
        try:
            while reader.is_alive():
                reader.join(SECONDS_BETWEEN_SIGNS)
                if reader.is_alive():
                    say(f"... {time.monotonic() - started:.0f} s, {packages()} packages in place")
        except KeyboardInterrupt:
            process.terminate()
            raise
    return process.returncode, "".join(lines)


def reason(output: str) -> str:
    """What pip could not get or do, from its output."""
    unanswered = re.findall(r"Retry\(total=0,.*connection broken by '(.*)': (/\S+)$", output, flags=re.MULTILINE)
    if unanswered:
        error, address = unanswered[-1]
        cause = error.rpartition(": ")[2].rstrip("')")
        return f"no answer for {address} ({cause})"
    errors = re.findall(r"^ERROR: (?!Exception|ResolutionImpossible)(.+)", output, flags=re.MULTILINE)
    # A connection that breaks in the middle of a file ends pip with a traceback, whose last line tells.
    why = (errors or [line for line in output.splitlines() if line.strip()] or ["pip said nothing"])[-1]
    begun = re.findall(r"^\s*(?:Collecting|Downloading) (\S+)", output, flags=re.MULTILINE)
    return f"{why} (at {begun[-1]})" if begun else why


def by_uv(wanted: Sequence[str], size: str) -> bool:
    """Whether uv could be had and has installed what is wanted."""
    say("Getting uv, which installs the rest (37 MB, a few seconds)")
    code, output = watched([*PIP, "install", "--quiet", "--retries=2", "--only-binary=:all:", "uv", *CONSTRAINTS])
    if code:
        say(f"uv cannot be had, so pip takes over: {reason(output)}")
        return False
    about = "a minute or two" if COMPILE else "about 15 s with a fast connection, with CUDA's libraries some minutes"
    say(f"Installing by uv, {size} on disk: {about}")
    command = [*UV, "pip", "install", f"--python={sys.executable}", *wanted, *CONSTRAINTS]
    command += ["--compile-bytecode"] * COMPILE
    # On a terminal uv draws its own progress.
    code = subprocess.run(command, check=False).returncode if sys.stderr.isatty() else watched(command)[0]
    if code:
        say("uv could not install everything, for the reason above, so pip takes over, by its own configuration.")
    return not code


def by_pip(wanted: Sequence[str], size: str) -> bool:
    """Whether pip has installed what is wanted."""
    output = ""
    for attempt in ("Installing by pip", "Trying once more (what has been downloaded is kept)"):
        say(f"{attempt}, {size} on disk: two to three minutes with a fast connection")
        command = [*PIP, "install", "--retries=2", *wanted, *CONSTRAINTS]
        command += ["--no-compile"] * (not COMPILE)
        code, output = watched(command)
        if not code:
            return True
    say(f"Not installed: {reason(output)}. Check the connection, pip's index and its proxy, then try again.")
    return False


def main() -> int:
    """Exit status: 0 where everything is installed, 1 where not, 130 where it was interrupted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--installer", choices=("uv", "pip"), default="uv")
    parser.add_argument("--size", required=True, help="what it takes on disk, to be said")
    options, wanted = parser.parse_known_args()
    forget_halves(SITE)
    try:
        done = options.installer == "uv" and by_uv(wanted, options.size)
        done = done or by_pip(wanted, options.size)
    except KeyboardInterrupt:
        say("Interrupted: give the command again to go on.")
        return 130
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main())
