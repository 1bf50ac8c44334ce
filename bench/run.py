"""Every benchmark that fits into a few minutes, one after another: `make bench`.

    python bench/run.py [FOLDER]

Without a folder, what needs no pictures of others. With FOLDER, a labelled folder as `likeness evaluate` reads it, the
quality on it, how long people wait with its pictures, and, if it has them, its hostile files and colors.
"""

import os
import platform
import subprocess
import sys
from pathlib import Path

import skimage.data

BENCH = Path(__file__).parent
SAMPLES = Path(skimage.data.__file__).parent
LIKENESS = Path(sys.executable).with_name("likeness")


def main() -> int:
    """Run them all; return 1 when one of them failed."""
    print(f"Python {platform.python_version()}, {platform.machine()}, {_cores()} cores\n", flush=True)
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    commands = [_script("peers.py")]
    if folder is None:
        commands.append(_script("latency.py", str(SAMPLES), "--synthetic", "20000"))
    else:
        commands.append(_script("latency.py", str(folder), "--pictures", "300", "--synthetic", "20000"))
        commands.append([str(LIKENESS), "evaluate", str(folder)])
        commands += [
            _script(script, str(folder / name))
            for script, name in (("colors.py", "colour"), ("hostile.py", "hostile"))
            if (folder / name).is_dir()
        ]
    return max(_run(command) for command in commands)


def _run(command: list[str]) -> int:
    print(f"== {Path(command[-1] if command[0] == str(LIKENESS) else command[1]).name}", flush=True)
    status = subprocess.run(command, check=False).returncode
    print(flush=True)
    return min(status, 1)


def _script(name: str, *arguments: str) -> list[str]:
    return [sys.executable, str(BENCH / name), *arguments]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if __name__ == "__main__":
    sys.exit(main())
