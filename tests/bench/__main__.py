# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Boot a host, measure, print a table, write build/bench.json. It is no test: a goal that is missed fails nothing."""

from __future__ import annotations

import json
import os
import sys
import time

from tests.bench.bench import Bench, Figure
from tests.bench.figures import FIGURES
from tests.lab import paths, registry


def main() -> int:
    """Run the benchmarks that were asked for."""
    kind = os.environ.get("BENCH_KIND") or "bookworm"
    only = (os.environ.get("BENCH_ONLY") or "").split()
    chosen = [function for function in FIGURES if not only or any(word in function.__name__ for word in only)]
    if not chosen:
        print(f"bench: no figure is called like {' '.join(only)}", file=sys.stderr)
        return 2
    begun = time.monotonic()
    name = f"bench-{os.getpid()}"
    keep = bool(os.environ.get("BENCH_KEEP"))
    (host,) = registry.up({name: kind}, owner=None if keep else os.getpid())
    figures: list[Figure] = []
    try:
        version = host.run("systemctl --version", check=True).stdout.splitlines()[0]
        print(f"{kind}: {version}", flush=True)
        bench = Bench(host)
        for function in chosen:
            print(f"  {function.__name__} ... ", end="", flush=True)
            figures.append(function(bench))
            print(f"{figures[-1].value:.3f} {figures[-1].unit}", flush=True)
    finally:
        if keep:
            print(f"The host is still up: tests/lab/lab enter {name}")
        else:
            registry.down([name])
    target = paths.ROOT / "build" / "bench.json"
    target.parent.mkdir(exist_ok=True)
    rows = [
        {"name": f.name, "value": round(f.value, 4), "unit": f.unit, "better": f.better, "goal": f.goal}
        for f in figures
    ]
    target.write_text(json.dumps(rows, indent=2) + "\n")
    print(table(figures))
    print(f"\n{target.relative_to(paths.ROOT)} written after {time.monotonic() - begun:.0f} s")
    return 0


def table(figures: list[Figure]) -> str:
    """The figures for people."""
    lines = [f"\n{'figure':33}{'value':>9}  {'goal':>8}  {'':6}  measured"]
    for f in figures:
        goal = f"{'>=' if f.better == 'higher' else '<='} {f.goal:g}"
        lines.append(f"{f.name:33}{f.value:9.3f}  {goal:>8}  {'met' if f.met() else 'MISSED':6}  {f.told}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
