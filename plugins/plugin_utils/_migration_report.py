# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a migration: a few lines for the terminal, Markdown for people, data for programs. No I/O."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._sources import names
from ansible_collections.pidone.systemd.plugins.plugin_utils._answers import TRANSLATIONS
from ansible_collections.pidone.systemd.plugins.plugin_utils._markdown import block, code, inline, plain
from ansible_collections.pidone.systemd.plugins.plugin_utils._places import file_name

if t.TYPE_CHECKING:
    from ansible_collections.pidone.systemd.plugins.module_utils._sources.definition import State
    from ansible_collections.pidone.systemd.plugins.plugin_utils._answers import Finding
    from ansible_collections.pidone.systemd.plugins.plugin_utils._migration import LeftOut

    class Difference(t.TypedDict, total=False):
        """What a host found another way than before (`parity.py`, there)."""

        what: str
        before: t.Any
        after: t.Any
        expected: bool
        worse: bool
        reason: str

    class Row(t.TypedDict):
        """A service in a report. Of one that an earlier run has moved, only what came of that is known."""

        name: str
        # One of `KINDS`.
        kind: str
        origin: str
        path: str
        # `name`, and `content` or, of a package's unit, `path`.
        units: list[dict[str, str]]
        state: State | dict[str, t.Any]
        findings: list[Finding]
        # A unified diff of the reviewed units against a fresh translation.
        drift: str
        # Why it waits for a decision.
        blocked: list[str]
        # One of `OUTCOMES`, or empty where nothing was tried.
        outcome: str
        message: str
        parity: bool | None
        differences: list[Difference]
        before: t.Any
        after: t.Any
        seconds: float | None

    class _Parity(t.TypedDict):
        same: int
        of: int

    class Summary(t.TypedDict):
        """What is told of a host in the report of many."""

        host: str
        source: str
        # `plan`, `handover`, `system`, `rollback` or `finish`.
        mode: str
        checked: bool
        when: str
        ok: bool
        # `services`, and the number of each of `KINDS`.
        counts: dict[str, int]
        outcomes: dict[str, int]
        parity: _Parity
        seconds: float | None
        notes: list[str]
        blocked: dict[str, list[str]]

    class HostReport(Summary):
        """The whole report of a host."""

        services: list[Row]
        listeners: list[Difference]
        left_out: list[LeftOut]


#: Words for what became of a service, in the order of the summary.
OUTCOMES = {
    "handed_over": "handed over",
    "already": "already under systemd",
    "planned": "to hand over",
    "given_back": "given back",
    "back": "back",
    "waiting": "waiting for another",
    "failed": "failed",
}
#: Kinds of services, in the order of the summary: what a translation has come to, and whose the unit is else.
KINDS = (*TRANSLATIONS[:-1], "packaged", "by hand", TRANSLATIONS[-1])
_ALWAYS = ("handed_over", "back")
_BAD = ("back", "waiting", "failed")
_LOUD = ("warning", "decision")
# What the line about parity speaks of.
_PARITY = ("command", "program", "user", "group", "groups", "limits", "sockets")


class Report(t.NamedTuple):
    """A report in its forms; the summary is the data without services. `file`: a name for files of it, without a suffix."""

    lines: list[str]
    markdown: str
    data: t.Mapping[str, t.Any]
    summary: dict[str, t.Any]
    file: str = ""


def kind(service: dict[str, t.Any]) -> str:
    """What the unit of a service is, in one word."""
    return {"packaged": "packaged", "override": "by hand"}.get(
        str(service.get("origin")), str(service.get("translation"))
    )


def report(facts: dict[str, t.Any]) -> Report:
    """Make the report of one host.

    :param facts: `host`, `mode`, `source` (what is left; the first of the registry if that is not told), `services` and `blocked` and
        `left_out` (of `service_import_plan`), `results` (of `service_handover` or `init_handover`),
        `listeners` (its `host`), `seconds`, `notes` (lines to add), `checked` (whether it was check mode).
    """
    services = list(facts.get("services") or [])
    results = {str(one["name"]): one for one in facts.get("results") or []}
    blocked = {str(one["name"]): list(one["reasons"]) for one in facts.get("blocked") or []}
    data = _data(facts, services, results, blocked)
    summary = {key: value for key, value in data.items() if key not in ("services", "listeners", "left_out")}
    return Report(_lines(data), _markdown(data), data, summary, _file(data))


def _file(data: HostReport) -> str:
    """A name of its own for each host, source and kind of report; the source that is meant where none is named goes without saying."""
    usual, *others = names()
    name = file_name(data["host"])
    above, dot, last = name.rpartition(".")
    if dot and last in ("plan", *others):
        # It would be a report of another host.
        name = f"{above}%2E{last}"
    source = "" if data["source"] == usual else f".{data['source']}"
    return name + source + (".plan" if data["mode"] == "plan" else "")


def _data(
    facts: dict[str, t.Any],
    services: list[dict[str, t.Any]],
    results: dict[str, dict[str, t.Any]],
    blocked: dict[str, list[str]],
) -> HostReport:
    kinds = dict.fromkeys(KINDS, 0)
    outcomes: dict[str, int] = {}
    rows: list[Row] = []
    for service in services:
        name = str(service["name"])
        row = _row(name, results.pop(name, {}))
        row.update(
            {
                "kind": kind(service),
                "origin": service.get("origin", "translated"),
                "path": service.get("path", ""),
                "units": _units(service),
                "state": service.get("state") or {},
                "findings": service.get("findings") or [],
                "drift": service.get("drift") or "",
                "blocked": blocked.pop(name, []),
            }
        )
        kinds[row["kind"]] = kinds.get(row["kind"], 0) + 1
        rows.append(row)
    for name, result in results.items():
        # Moved by an earlier run, and no longer among the services of the old supervisor.
        rows.append(_row(name, {**result, "outcome": result.get("outcome") or "already"}))
    for row in rows:
        if row["outcome"]:
            outcomes[row["outcome"]] = outcomes.get(row["outcome"], 0) + 1
    compared = [
        row
        for row in rows
        if row["outcome"] in ("handed_over", "already", "back", "failed") and row["parity"] is not None
    ]
    return {
        "host": str(facts.get("host") or ""),
        "mode": str(facts.get("mode") or "plan"),
        "source": str(facts.get("source") or names()[0]),
        "checked": bool(facts.get("checked")),
        "when": str(facts.get("when") or ""),
        "ok": not facts.get("failed") and not any(row["outcome"] in _BAD for row in rows),
        "counts": {"services": len(rows), **kinds},
        "outcomes": outcomes,
        "parity": {"same": sum(bool(row["parity"]) for row in compared), "of": len(compared)},
        "seconds": facts.get("seconds"),
        "notes": [str(one) for one in facts.get("notes") or [] if one],
        "listeners": facts.get("listeners") or [],
        "left_out": facts.get("left_out") or [],
        "blocked": {**{row["name"]: row["blocked"] for row in rows if row["blocked"]}, **blocked},
        "services": rows,
    }


def _row(name: str, result: dict[str, t.Any]) -> Row:
    """A service of which only the result of its move is known."""
    return {
        "name": name,
        "kind": "",
        "origin": "",
        "path": "",
        "units": [],
        "state": {},
        "findings": [],
        "drift": "",
        "blocked": [],
        "outcome": str(result.get("outcome") or ""),
        "message": result.get("message") or "",
        "parity": _same(result),
        "differences": result.get("differences") or [],
        "before": result.get("before"),
        "after": result.get("after"),
        "seconds": result.get("seconds"),
    }


def _same(result: dict[str, t.Any]) -> bool | None:
    """Whether the process is what it was in all that matters; None where there were no two to be compared."""
    if not result.get("before"):
        return None
    if not result.get("after"):
        return False if result.get("outcome") in ("back", "failed") else None
    return not any(one["what"] in _PARITY and not one.get("expected") for one in result.get("differences") or ())


def _units(service: dict[str, t.Any]) -> list[dict[str, str]]:
    if service.get("packaged"):
        return [{"name": service["packaged"]["name"], "path": service["packaged"]["path"]}]
    return [{"name": one["name"], "content": one["content"]} for one in service.get("units") or []]


def _counts(counts: dict[str, int], known: bool) -> str:
    """:param known: whether kinds are known: after the move, the old supervisor has nothing left to tell them of."""
    words = [f"{counts[one]} {one}" for one in KINDS
             if counts.get(one) or one in TRANSLATIONS]  # fmt: skip
    total = f"{counts['services']} service{'' if counts['services'] == 1 else 's'}"
    return f"{total}: {', '.join(words)}" if known else total


def _ends(data: Summary) -> str:
    outcomes = data["outcomes"]
    words = []
    for key, word in OUTCOMES.items():
        if outcomes.get(key) or (key in _ALWAYS and data["mode"] in ("handover", "system") and not data["checked"]):
            words.append(f"{word} {outcomes.get(key, 0)}")
    if data["blocked"]:
        words.append(f"to be decided {len(data['blocked'])}")
    if data["seconds"] is not None and data["mode"] != "plan":
        words.append(f"{float(data['seconds']):.1f} s")
    return ", ".join(words)


def _counted(data: HostReport) -> str:
    rows = data["services"]
    return _counts(data["counts"], not rows or any(row["kind"] for row in rows))


def _lines(data: HostReport) -> list[str]:
    head = f"{data['host']}   {_counted(data)}"
    ends = _ends(data)
    lines = [f"{head}    {ends}" if ends else head]
    rows = data["services"]
    width = max([len(row["name"]) for row in rows], default=0)
    for row in rows:
        told = []
        if row["outcome"] in _BAD:
            told.append(
                f"{OUTCOMES[row['outcome']]}: {row['message'].splitlines()[0] if row['message'] else 'see the report'}"
            )
        elif row["message"] and row["outcome"]:
            told.append(row["message"].splitlines()[0])
        if row["blocked"]:
            told += row["blocked"]
        elif row["origin"] not in ("packaged", "override") and row["outcome"] != "already":
            told += [_finding(one) for one in row["findings"] if one["severity"] in _LOUD]
        told += [_difference(one) for one in row["differences"] if not one.get("expected")]
        if row["drift"]:
            told.append("the reviewed unit differs from a fresh translation; the report has the difference")
        for number, one in enumerate(told):
            left = f"  {row['name']:<{width}}  {row['kind']:<8}" if number == 0 else " " * (width + 12)
            lines.append(f"{left}  {one}")
    for name, reasons in data["blocked"].items():
        if name not in {row["name"] for row in rows}:
            lines += [f"  {name}  {one}" for one in reasons]
    if data["parity"]["of"]:
        lines.append(f"parity: {_parity(data)}")
    lines += [f"host: {_difference(one)}" for one in data["listeners"] if one.get("worse")]
    lines += _lost(data) + data["notes"]
    return [plain(line).rstrip() for line in lines]


def _lost(data: HostReport) -> list[str]:
    """What is left out on a host whose old supervisor will not run any more."""
    names = [str(one["name"]) for one in data["left_out"] if one.get("running")]
    return [f"left out, so there under systemd only with units of their own: {', '.join(names)}"] if names and data["mode"] == "system" else []


def _parity(data: Summary) -> str:
    parity = data["parity"]
    return f"{parity['same']} of {parity['of']} run the same command as the same user, with the same limits and sockets"


def _finding(one: Finding) -> str:
    place = (
        f"{one['file']}:{one['line']} "
        if one.get("file") and one.get("line")
        else f"{one['file']} "
        if one.get("file")
        else ""
    )
    return f"{place}{one['message']}"


def _remedy(one: Finding) -> str:
    remediation = one["remediation"]
    more = [remediation["command"]] if remediation.get("command") else []
    more += [f"{name}: {_short(value)}" for name, value in (remediation.get("variables") or {}).items()]
    return f"{remediation['text']} ({'; '.join(more)})" if more else str(remediation["text"])


def _difference(one: Difference) -> str:
    text = f"{one['what']}: {_short(one.get('before'))} -> {_short(one.get('after'))}"
    return f"{text} ({one['reason']})" if one.get("reason") else text


def _short(value: t.Any) -> str:
    if isinstance(value, (list, tuple)):
        return " ".join(str(one) for one in value) or "none"
    return "none" if value in (None, "") else str(value)


def _markdown(data: HostReport) -> str:
    left = "" if data["source"] == names()[0] else f", from {inline(data['source'])}"
    out = [f"# Moving to systemd: {inline(data['host'])}{left}", ""]
    about = {"plan": "A plan; nothing was changed on the host.", "handover": "Services handed over in place.",
             "system": "The whole system moved to systemd.", "rollback": "The way back from systemd.",
             "finish": "The way back was removed."}  # fmt: skip
    out.append(
        about.get(data["mode"], inline(data["mode"])) + (" Check mode: nothing was changed." if data["checked"] else "")
    )
    if data["when"]:
        out.append(inline(data["when"]))
    ends = _ends(data)
    out += ["", f"**{_counted(data)}**" + (f"; {ends}" if ends else ""), ""]
    if data["parity"]["of"]:
        out += [f"Parity: {_parity(data)}.", ""]
    out += [f"- {inline(one)}" for one in (*_lost(data), *data["notes"])]
    if data["notes"] or _lost(data):
        out.append("")
    if data["services"]:
        out += ["| service | unit | became | parity | seconds |", "|---|---|---|---|---|"]
        for row in data["services"]:
            parity = {None: "", True: "same", False: "differs"}[row["parity"]]
            seconds = "" if row["seconds"] is None else f"{float(row['seconds']):.1f}"
            outcome = OUTCOMES.get(row["outcome"], row["outcome"]) or ("to be decided" if row["blocked"] else "")
            out.append(f"| {inline(row['name'])} | {inline(row['kind'])} | {inline(outcome)} | {parity} | {seconds} |")
        out.append("")
    if data["blocked"]:
        out += ["## To be decided", ""]
        for name, reasons in data["blocked"].items():
            out += [f"- **{inline(name)}**: {inline(one)}" for one in reasons]
        out.append("")
    if data["listeners"]:
        out += ["## What listens on the host", "", "| socket | before | after | |", "|---|---|---|---|"]
        for one in data["listeners"]:
            remark = (
                f"**{inline(one.get('reason') or 'worse')}**" if one.get("worse") else inline(one.get("reason") or "")
            )
            out.append(
                f"| {inline(one['what'])} | {inline(_short(one.get('before')))} | {inline(_short(one.get('after')))} | {remark} |"
            )
        out.append("")
    if data["left_out"]:
        out += ["## Left where they are", ""]
        out += [f"- {inline(one['name'])}: {inline(one['reason'])}" for one in data["left_out"]]
        out.append("")
    for row in data["services"]:
        out += _section(row)
    return "\n".join(out).rstrip() + "\n"


def _section(row: Row) -> list[str]:
    out = [f"## {inline(row['name'])}", ""]
    words = [
        f"From {row['path']}" if row["path"] else "",
        row["kind"],
        "reviewed" if row["origin"] == "reviewed" else "",
    ]
    if any(words):
        out += [inline(", ".join(word for word in words if word) + "."), ""]
    if row["message"]:
        out += [*block(row["message"]), ""]
    if row["differences"]:
        out += ["| what | before | after | |", "|---|---|---|---|"]
        for one in row["differences"]:
            remark = f"expected: {one.get('reason') or ''}".rstrip(": ") if one.get("expected") else one.get("reason")
            remark = inline(remark) if remark else "**differs**"
            out.append(
                f"| {inline(one['what'])} | {inline(_short(one.get('before')))} | {inline(_short(one.get('after')))} | {remark} |"
            )
        out.append("")
    if row["findings"]:
        for found in row["findings"]:
            out.append(f"- {inline(found['severity'])} {code(found['key'])}: {inline(_finding(found))}")
            out += [f"  - {inline(_remedy(found))}"] if found["severity"] in _LOUD and found.get("remediation") else []
        out.append("")
    if row["drift"]:
        out += [*block(row["drift"], "diff"), ""]
    for unit in row["units"]:
        if "content" in unit:
            out += [code(unit["name"]), "", *block(unit["content"], "ini"), ""]
        else:
            out += [f"{code(unit['name'])} of the package, {inline(unit['path'])}", ""]
    return out


def fleet(summaries: t.Mapping[str, dict[str, t.Any] | None]) -> Report:
    """The report of many hosts.

    :param summaries: name of the host -> the summary of its report, None for one whose turn has not come. `stopped` alone is why
        there is no report: `unreachable`, or `stopped` by an error of its own or of another host of its wave.
    """
    stopped = {name: str(one["stopped"]) for name, one in summaries.items() if one and one.get("stopped")}
    done: dict[str, Summary] = {
        name: t.cast("Summary", one) for name, one in summaries.items() if one and name not in stopped
    }
    bad = [name for name, one in done.items() if not one["ok"]]
    # Prepared for a reboot that somebody has to do, or looked at in check mode.
    ready = [name for name, one in done.items() if one["ok"] and one["outcomes"].get("planned")]
    left = len(summaries) - len(done) - len(stopped) + len(ready)
    total: dict[str, int] = {}
    for one in done.values():
        for key, number in one["outcomes"].items():
            total[key] = total.get(key, 0) + number
    words = [
        f"{len(done) - len(bad) - len(ready)} of {len(summaries)} hosts done",
        f"{len(bad)} failed",
        f"{left} to go",
    ]
    words += [f"{list(stopped.values()).count(why)} {why}" for why in dict.fromkeys(stopped.values())]
    ends = [f"{word} {total[key]}" for key, word in OUTCOMES.items() if total.get(key)]
    lines = [f"fleet   {', '.join(words)}" + (f"    services: {', '.join(ends)}" if ends else "")]
    width = max([len(name) for name in summaries], default=0)
    table = ["| host | | services | parity |", "|---|---|---|---|"]
    for name in summaries:
        if name in stopped:
            state = stopped[name].upper()
            lines.append(f"  {name:<{width}}  {state}")
            table.append(f"| {inline(name)} | {inline(state)} | | |")
            continue
        mine = done.get(name)
        state = "to go" if not mine or name in ready else "ok" if mine["ok"] else "FAILED"
        told = "" if not mine else _ends(mine) or _counts(mine["counts"], True)
        parity = "" if not mine or not mine["parity"]["of"] else f"{mine['parity']['same']} of {mine['parity']['of']}"
        lines.append(f"  {name:<{width}}  {state:<6}  {told}" + (f", parity {parity}" if parity else ""))
        table.append(f"| {inline(name)} | {state} | {inline(told)} | {parity} |")
    markdown = "\n".join(["# Moving to systemd: the fleet", "", f"**{inline(', '.join(words))}**", "", *table]) + "\n"
    data = {
        "hosts": len(summaries),
        "done": len(done) - len(ready),
        "failed": bad,
        "stopped": stopped,
        "outcomes": total,
        "summaries": dict(summaries),
    }
    return Report([plain(line).rstrip() for line in lines], markdown, data, {})
