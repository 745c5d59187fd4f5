# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd itself says of values, and values to ask it about. Used without a host and on hosts.

`run` runs a command given as a list and returns its standard output and error; it must not fail when the command does.
"""

from __future__ import annotations

import datetime as dt
import random
import re
import subprocess
import typing as t

Run = t.Callable[[list[str]], tuple[str, str]]

WEEKDAYS = "Mon Tue Wed Thu Fri Sat Sun Monday tuesday SATURDAY".split()
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Cairo")
SHORTHANDS = "minutely hourly daily weekly monthly quarterly semiannually yearly annually biannually Daily".split()


def run_here(command: list[str]) -> tuple[str, str]:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={"TZ": "UTC", "PATH": "/usr/bin:/bin"}
    )
    return done.stdout, done.stderr


class Verdict(t.NamedTuple):
    """What `systemd-analyze calendar` says of an event: its normal form, and elapses as whole seconds since the epoch.

    Both, or `elapses` alone, are None where systemd fails to find the next elapse.
    """

    normal: str | None
    elapses: list[int] | None


def calendars(run: Run, events: list[str], base: dt.datetime, count: int) -> list[Verdict | None]:
    """One verdict for each event, None where systemd does not take it."""
    verdicts: list[Verdict | None] = []
    for start in range(0, len(events), 100):
        batch = events[start : start + 100]
        command = [
            "env",
            "TZ=UTC",
            "LC_ALL=C",
            "systemd-analyze",
            "calendar",
            f"--base-time={base:%Y-%m-%d %H:%M:%S} UTC",
        ]
        out, err = run([*command, f"--iterations={count}", "--", *batch])
        err = re.sub("\033\\[[0-9;]*m", "", err)  # systemd 247 has colours even where nobody sees them
        refused = set(re.findall(r"^Failed to parse calendar (?:specification|expression) '(.*)': ", err, re.M))
        # A flaw of systemd's: some events in zones with summer time are "Resource deadlock avoided".
        stuck = set(re.findall(r"^Failed to determine next elapse for '(.*)': ", err, re.M))
        blocks = re.split(r"^ *Normalized form: ", out, flags=re.M)[1:]
        silent = len(blocks) < len([event for event in batch if event not in refused])
        taken = iter(blocks)
        for event in batch:
            if event in refused:
                verdicts.append(None)
                continue
            if silent and event in stuck:
                verdicts.append(Verdict(None, None))
                continue
            block = next(taken)
            times = re.findall(r"(?:Next elapse|Iter\. #\d+|Iteration #\d+): \w+ (\S+ \S+) UTC", block)
            stamps = [int(dt.datetime.fromisoformat(f"{when}+00:00").timestamp()) for when in times]
            verdicts.append(Verdict(block.split("\n", 1)[0], None if event in stuck else stamps))
        assert next(taken, None) is None
    return verdicts


def each(run: Run, command: str, texts: list[str]) -> list[str | None]:
    """Standard output of one command for each text, None where it fails; the text is its `$1`."""
    loop = f'for text; do if out=$({command} "$text" 2>/dev/null); then printf "%s\\037\\036" "$out"; else printf "\\036"; fi; done'
    found: list[str | None] = []
    for start in range(0, len(texts), 100):
        out, err = run(["env", "LC_ALL=C.UTF-8", "TZ=UTC", "sh", "-c", loop, "sh", *texts[start : start + 100]])
        answers = out.split("\036")[:-1]
        assert len(answers) == len(texts[start : start + 100]), err
        found += [answer[:-1] if answer else None for answer in answers]
    return found


def timespans(run: Run, texts: list[str]) -> list[tuple[int, str] | None]:
    """Microseconds and printed form of each, None where systemd does not take it."""
    verdicts: list[tuple[int, str] | None] = []
    for out in each(run, "systemd-analyze timespan --", texts):
        found = re.search(r"(?:μ|u|µ)s: (\d+)\n\s*Human: (.*)", out or "")
        verdicts.append((int(found[1]), found[2]) if found else None)
    return verdicts


def some_calendar(rng: random.Random, faulty: bool = True) -> str:
    """A calendar event; with `faulty`, about half of them are none."""

    def number(low: int, high: int) -> int:
        if faulty and rng.random() < 0.03:
            return rng.choice((low - 1 if low else high + 1, high + 1, 99, 100000))
        return rng.randint(low, high)

    def field(low: int, high: int, seconds: bool = False) -> str:
        if rng.random() < 0.35:
            return "*"
        words = []
        for _n in range(rng.choice((1, 1, 1, 2, 3))):
            first = number(low, high)
            word = rng.choice((f"{first}", f"{first:02d}"))
            if seconds and rng.random() < 0.2:
                word += "." + "".join(rng.choices("0123456789", k=rng.randint(1, 8)))
            kind = rng.random()
            if kind < 0.3:
                word += f"..{number(min(first, high) if rng.random() < 0.9 else low, high)}"
            if kind > 0.85 or 0.2 < kind < 0.3:
                word += f"/{number(1, max(1, min(high - first, 12)))}"
                if seconds and rng.random() < 0.3:
                    word += ".5"
            words.append(word)
        return ",".join(words)

    words = []
    if rng.random() < 0.08:
        words.append(rng.choice(SHORTHANDS))
    else:
        if rng.random() < 0.35:
            days = []
            for _n in range(rng.choice((1, 1, 2, 3))):
                day = rng.choice(WEEKDAYS)
                days.append(day if rng.random() < 0.6 else day + rng.choice(("..", "-")) + rng.choice(WEEKDAYS))
            words.append(",".join(days))
        shape = rng.random()
        end = "~" if rng.random() < 0.15 else "-"
        day_field = field(1, 28 if end == "~" else 31)
        if shape < 0.35:
            year = rng.choice(
                ("*", "*", "*", "2026", "2027..2031/2", "26", "2024,2028", "1998", "2300" if faulty else "*")
            )
            words.append(f"{year}-{field(1, 12)}{end}{day_field}")
        elif shape < 0.6:
            words.append(f"{field(1, 12)}{end}{day_field}")
        if rng.random() < 0.8 or not words:
            clock = f"{field(0, 23)}:{field(0, 59)}"
            if rng.random() < 0.4:
                clock += f":{field(0, 59, seconds=True)}"
            words.append(clock)
    if rng.random() < 0.25:
        words.append(rng.choice(ZONES))
    text = " ".join(words)
    if faulty and rng.random() < 0.15:
        at = rng.randrange(len(text) + 1)
        text = (
            text[:at]
            + rng.choice(("", " ", "-", "~", ":", "*", "/", ",", "..", "x", "0", "@", "."))
            + text[at + rng.randint(0, 1) :]
        )
    return text


def some_timespan(rng: random.Random) -> str:
    units = (
        "y year years month months M w week weeks d day days h hr hour hours m min minute minutes s sec second seconds"
    )
    names = [*units.split(), "ms", "msec", "us", "usec", "µs", "", "", "parsec", "S", "mins"]
    words = []
    for _n in range(rng.choice((1, 1, 2, 3))):
        number = str(rng.choice((rng.randint(0, 9), rng.randint(0, 300), rng.randint(0, 10**7))))
        kind = rng.random()
        if kind < 0.25:
            number += "." + "".join(rng.choices("0123456789", k=rng.randint(1, 7)))
        elif kind < 0.3:
            number = "." + number
        elif kind < 0.33:
            number = rng.choice(("-", "+", "--", "+ ", "")) + number + rng.choice(("", ".", "e3", ".."))
        words.append(number + rng.choice(("", "", " ")) + rng.choice(names))
    return rng.choice((" ", "", "  ")).join(words)


def some_text(rng: random.Random) -> str:
    alphabet = "abcXYZ019/:_.-\\@%é ß€\t\"'*[]~x2d"
    return "".join(rng.choices(alphabet, k=rng.randint(1, 14)))


def some_cron(rng: random.Random) -> str:
    """A cron expression."""
    names = {
        3: "jan feb MAR apr may jun Jul aug sep oct nov dec".split(),
        4: "sun mon TUE wed Thu fri sat".split(),
    }

    def field(index: int, low: int, high: int) -> str:
        kind = rng.random()
        if kind < 0.35:
            return "*"
        if kind < 0.45:
            return f"*/{rng.randint(1, max(2, (high - low) // 2))}"
        words = []
        for _n in range(rng.choice((1, 1, 1, 2, 4))):
            first = rng.randint(low, high)
            last = rng.randint(first, high)
            shape = rng.random()
            if shape < 0.5:
                words.append(str(first) if index not in names or shape < 0.25 else rng.choice(names[index]))
            elif shape < 0.75:
                words.append(f"{first}-{last}")
            elif shape < 0.9 and first < last:  # cronsim takes `5-5/2` for `5/2`
                words.append(f"{first}-{last}/{rng.randint(1, 9)}")
            else:
                words.append(f"{first}/{rng.randint(1, 9)}")
        return ",".join(words)

    limits = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
    return " ".join(field(index, low, high) for index, (low, high) in enumerate(limits))
