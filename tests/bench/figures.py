# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures. Each function measures one, and is called like it; they run in this order, which the host grows by.

What is compared runs in turn (a, b, a, b, ...), so that a busy machine slows both; medians are compared.
"""

from __future__ import annotations

import os
import tempfile
import time
import typing as t
from pathlib import Path

from tests.bench.bench import Bench, Figure, median, play_on
from tests.lab import registry
from tests.unit.translate.case_files import all_cases

SLEEP = "ExecStart=/bin/sleep infinity"
# Costs nothing while it is up, so that a thousand do not matter.
DONE = "Type=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true"

# The same without even a process.
NOTHING = "Type=oneshot\nRemainAfterExit=yes\nExecStop=/bin/true"

# A delegated task runs with the controller's own Python.
LOCAL = {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}

_PATIENCE = 75.0  # seconds after which no further round is begun

UNIT = "pidone.systemd.unit"
UNIT_INFO = "pidone.systemd.unit_info"
UNIT_SET = "pidone.systemd.unit_set"
TIMER = "pidone.systemd.timer"
SERVICE = "ansible.builtin.systemd_service"
COPY = "ansible.builtin.copy"
DIRECTORY = "ansible.builtin.file"
PING = "ansible.builtin.ping"
RESOURCE_CONTROL = "pidone.systemd.resource_control"
IMPORT = "pidone.systemd.service_import_info"


def first_contact_extra_round_trips(bench: Bench) -> Figure:
    """Commands that Ansible runs over SSH for one task on a host that has no jeepney, beyond those of later tasks."""
    (name,) = bench.units("first", 1, SLEEP, enabled=True, started=True)
    unit: dict[str, t.Any] = {"name": "unit", UNIT: {"name": name, "state": "started", "enabled": True}}
    ping_task: dict[str, t.Any] = {"name": "ping", PING: {}}
    trips = [bench.playbook([task], "-vvv").output.count("> SSH: EXEC ") for task in (unit, unit, ping_task)]
    first, later, ping = trips
    if later != ping:
        raise AssertionError(f"a later task took {later} round trips, ping {ping}")
    told = f"first contact {first}, later contacts {later}, ping {ping}"
    return Figure("first_contact_extra_round_trips", first - later, "round trips", "lower", 1, told)


def unit_1_vs_ping(bench: Bench) -> Figure:
    """One unit already as wanted: the task's duration in a running play, against ping's."""
    (name,) = bench.units("one", 1, SLEEP, enabled=True, started=True)
    wish = {"name": name, "state": "started", "enabled": True}
    tasks: list[dict[str, t.Any]] = [
        {"name": "ping", PING: {}},
        {"name": "unit", UNIT: wish},
        {"name": "service", SERVICE: wish},
    ]
    run = bench.playbook([{"name": "warm up", PING: {}}, *tasks, *(tasks * 15)])
    run.expect("unit", changed=False)
    ping, unit, service = (median(run.seconds(name)[1:]) for name in ("ping", "unit", "service"))
    told = f"ping {ping * 1e3:.0f} ms, unit {unit * 1e3:.0f} ms; systemd_service {service * 1e3:.0f} ms, {service / ping:.2f}"
    return Figure("unit_1_vs_ping", unit / ping, "ratio", "lower", 0.85, told)


def payload_unit_vs_systemd_service(bench: Bench) -> Figure:
    """Bytes that Ansible sends for one task, against systemd_service."""
    wish = {"name": "dbus.service", "state": "started"}
    paths_of = [bench.payload(name, module, wish)[-1] for name, module in (("unit", UNIT), ("service", SERVICE))]
    unit, service = (int(bench.host.run(["stat", "-c", "%s", path], check=True).stdout) for path in paths_of)
    told = f"unit {unit / 1e3:.0f} kB, systemd_service {service / 1e3:.0f} kB"
    return Figure("payload_unit_vs_systemd_service", unit / service, "ratio", "lower", 1.5, told)


def units_100_steady_speedup(bench: Bench) -> Figure:
    """100 units already as wanted: one task, against systemd_service in a loop."""
    names = bench.units("steady", 100, SLEEP, enabled=True, started=True)
    wish = {"state": "started", "enabled": True}
    unit: dict[str, t.Any] = {"name": "unit", UNIT: {"name": names, **wish}}
    loop: dict[str, t.Any] = {"name": "loop", SERVICE: {"name": "{{ item }}", **wish}, "loop": names}
    tasks: list[float] = []
    loops: list[float] = []
    begun = time.monotonic()
    # A loop takes half a minute, and minutes on a busy machine: then fewer of them.
    while len(loops) < 3 and time.monotonic() - begun < _PATIENCE:
        run = bench.playbook([{"name": "warm up", PING: {}}, unit, unit, unit, loop, unit, unit, unit])
        run.expect("unit", changed=False)
        run.expect("loop", changed=False)
        tasks += run.seconds("unit")
        loops += run.seconds("loop")
    one, many = median(tasks), median(loops)
    told = f"systemd_service {many:.1f} s, unit {one:.3f} s"
    return Figure("units_100_steady_speedup", many / one, "times", "higher", 130, told)


def start_300_vs_systemctl(bench: Bench) -> Figure:
    """300 stopped units: one task that starts them, against one call of systemctl on the host."""
    names = bench.units("start", 300, SLEEP)
    tasks: list[float] = []
    calls: list[float] = []
    for _round in range(5):
        # The first task of a module builds its payload on the controller, once for all its tasks and hosts of a run.
        warm = {"name": "warm up", UNIT: {"name": names[:1], "state": "stopped"}}
        run = bench.playbook([warm, {"name": "unit", UNIT: {"name": names, "state": "started"}}])
        run.expect("unit", changed=True)
        tasks += run.seconds("unit")
        bench.host.run(["systemctl", "stop", *names], check=True)
        calls += bench.on_host({"systemctl": ["systemctl", "start", *names]}, 1)["systemctl"]
        bench.host.run(["systemctl", "stop", *names], check=True)
    one, other = median(tasks), median(calls)
    told = f"task over SSH with its watch of 200 ms {one:.2f} s, systemctl start {other:.2f} s"
    return Figure("start_300_vs_systemctl", one / other, "ratio", "lower", 1.2, told)


def unit_1000_state_ms(bench: Bench) -> Figure:
    """What one more unit costs inside the module, state only."""
    names = bench.units("many", 1000, DONE, enabled=True, started=True)
    one = bench.payload("one", UNIT, {"name": names[:1], "state": "started"})
    many = bench.payload("many", UNIT, {"name": names, "state": "started"})
    seconds = bench.on_host({"one": one, "many": many}, 15)
    low, high = median(seconds["one"]), median(seconds["many"])
    told = f"module on the host: 1 unit {low * 1e3:.0f} ms, 1,000 units {high * 1e3:.0f} ms"
    return Figure("unit_1000_state_ms", (high - low) * 1e3 / 999, "ms", "lower", 0.2, told)


def unit_1000_enabled_vs_raw(bench: Bench) -> Figure:
    """State and enablement: the whole module on the host, against a process that only asks the bus."""
    names = bench.units("many", 1000, DONE, enabled=True, started=True)
    module = bench.payload("both", UNIT, {"name": names, "state": "started", "enabled": True})
    seconds = bench.on_host({"raw": bench.raw("raw", "many-%04d.service", "1000"), "module": module}, 7)
    raw, unit = median(seconds["raw"]), median(seconds["module"])
    told = f"module on the host {unit:.2f} s, raw {raw:.2f} s"
    return Figure("unit_1000_enabled_vs_raw", unit / raw, "ratio", "lower", 0.4, told)


def import_1000_services_s(bench: Bench) -> Figure:
    """1,000 service directories on the controller: the whole task, from collecting to the units in the result."""
    cases = all_cases()
    with tempfile.TemporaryDirectory(prefix="pidone-bench-") as folder:
        for number in range(1000):
            case = cases[number % len(cases)]
            for path, content in case["files"].items():
                file = Path(folder, f"{case['name']}-{number}", path)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(content)
                file.chmod(0o755)
        task = {
            "name": "import",
            IMPORT: {"source": "runit", "path": folder},
            "delegate_to": "localhost",
            "vars": LOCAL,
        }
        count = {"ansible.builtin.assert": {"that": "made.services | length == 1000"}}
        run = bench.playbook([task, task, {**task, "register": "made"}, count])
    took = median(run.seconds("import"))
    return Figure("import_1000_services_s", took, "s", "lower", 2, f"made of {len(cases)} different ones")


def migration_controller_cpu_s(_bench: Bench) -> Figure:
    """What one more host costs the controller, for five services that runsvdir runs and the role hands over."""
    prefix, owner = f"bench-{os.getpid()}-runit", os.getpid()
    names = [f"{prefix}-{number}" for number in range(4)]
    hosts = registry.up(dict.fromkeys(names, "runit-run"), owner=owner)
    try:
        for host in hosts:
            for number in range(5):
                host.write(f"/etc/sv/bench-{number}/run", f"#!/bin/sh\nexec 2>&1\nexec sleep {1000 + number}\n", mode=0o755)
            up = "for i in $(seq 100); do sv check bench-4 >/dev/null && exit; sleep 0.1; done; exit 1"
            host.run(f"ln -s /etc/sv/bench-* /etc/service/; {up}", check=True)
        options = {"runit_migration_mode": "handover", "runit_migration_select": ["bench-*"], "runit_migration_settle": "1s"}
        with tempfile.TemporaryDirectory(prefix="pidone-bench-") as folder:
            role = {"role": "pidone.systemd.runit_migration", **options, "runit_migration_report_dir": folder}
            play = {"hosts": "all", "gather_facts": False, "remote_user": "root", "roles": [role]}
            one, three = play_on(hosts[:1], play), play_on(hosts[1:], play)
        for run, count in ((one, 1), (three, 3)):
            if run.output.count("handed over 5") != count:
                raise AssertionError(f"not all services were handed over:\n{run.output[-3000:]}")
    finally:
        registry.down(names)
    told = f"one host {one.cpu:.2f} s, three {three.cpu:.2f} s, {len(one.tasks)} tasks"
    return Figure("migration_controller_cpu_s", (three.cpu - one.cpu) / 2, "s", "lower", 1.2, told)


def resource_control_100_ms(bench: Bench) -> Figure:
    """What one more unit costs inside the module: five properties, in effect and in the files as wanted."""
    names = bench.units("limits", 100, SLEEP, started=True)
    properties = {
        "CPUQuota": "50%",
        "MemoryMax": "512M",
        "TasksMax": 100,
        "IPAddressDeny": "any",
        "IPAddressAllow": ["localhost", "10.0.0.0/8"],
    }
    task = {"name": "limit", RESOURCE_CONTROL: {"name": names, "properties": properties}}
    bench.playbook([task])
    bench.playbook([task]).expect("limit", changed=False)
    one = bench.payload("one", RESOURCE_CONTROL, {"name": names[:1], "properties": properties})
    many = bench.payload("many", RESOURCE_CONTROL, {"name": names, "properties": properties})
    seconds = bench.on_host({"one": one, "many": many}, 15)
    low, high = median(seconds["one"]), median(seconds["many"])
    told = f"module on the host: 1 unit {low * 1e3:.0f} ms, 100 units {high * 1e3:.0f} ms"
    return Figure("resource_control_100_ms", (high - low) * 1e3 / 99, "ms", "lower", 0.4, told)


def timers_100_over_ping_s(bench: Bench) -> Figure:
    """100 timers with their services, already as wanted, in one task: seconds more than ping."""
    timers = [
        {
            "name": f"bench-{number:03}",
            "description": f"Timer {number}",
            "OnCalendar": [f"*-*-* {number % 24:02}:30", "Sat 12:00 UTC"],
            "RandomizedDelaySec": "20min",
            "Persistent": True,
            "command": f"/bin/echo {number}",
            "service": {"User": "nobody", "MemoryMax": "200M", "ProtectSystem": "strict", "Environment": {"A": "b c"}},
        }
        for number in range(100)
    ]
    tasks: list[dict[str, t.Any]] = [
        {"name": "ping", PING: {}},
        {"name": "timer", TIMER: {"timers": timers}},
    ]
    bench.playbook([tasks[1]])
    run = bench.playbook([{"name": "warm up", PING: {}}, *tasks, *(tasks * 9)])
    run.expect("timer", changed=False)
    ping, timer = (median(run.seconds(name)[1:]) for name in ("ping", "timer"))
    bench.playbook([{"name": "gone", TIMER: {"timers": [], "purge": True}}])
    told = f"ping {ping * 1e3:.0f} ms, timer {timer * 1e3:.0f} ms"
    return Figure("timers_100_over_ping_s", timer - ping, "s", "lower", 0.25, told)


def _ping_against(bench: Bench, name: str, task: dict[str, t.Any], rounds: int) -> tuple[float, float]:
    """Medians of ping and of a task that changes nothing, in one play."""
    tasks = [{"name": "ping", PING: {}}, {"name": name, **task}]
    run = bench.playbook([{"name": "warm up", PING: {}}, *(tasks * (rounds + 1))])
    run.expect(name, changed=False)
    ping, other = (median(run.seconds(each)[1:]) for each in ("ping", name))
    return ping, other


_TIER, _TIER_DROPINS = 50, 10


def _tier(stem: str) -> tuple[list[str], str, str]:
    """A tier: names of its units, the text of each of their files, and that of the drop-in that the first ones have."""
    names = [f"{stem}-{number:02}.service" for number in range(_TIER)]
    text = f"[Unit]\nDescription=A unit of a tier\n\n[Service]\n{SLEEP}\n\n[Install]\nWantedBy=multi-user.target\n"
    return names, text, "[Service]\nNice=5\n"


def _tier_as_set(stem: str) -> dict[str, t.Any]:
    """The task that makes a tier as one set."""
    names, text, dropin = _tier(stem)
    units: list[dict[str, t.Any]] = [{"name": name, "content": text, "enabled": True, "state": "started"} for name in names]
    for unit in units[:_TIER_DROPINS]:
        unit["dropins"] = {"10-nice": dropin}
    return {"name": "set", UNIT_SET: {"name": stem, "units": units}}


def _tier_as_loops(stem: str, reload: bool) -> list[dict[str, t.Any]]:
    """The tasks that make a tier file by file and unit by unit."""
    names, text, dropin = _tier(stem)
    path = "/etc/systemd/system/{{ item }}"
    return [
        {"name": "loop", COPY: {"dest": path, "content": text}, "loop": names},
        {"name": "loop", DIRECTORY: {"path": f"{path}.d", "state": "directory"}, "loop": names[:_TIER_DROPINS]},
        {"name": "loop", COPY: {"dest": f"{path}.d/10-nice.conf", "content": dropin}, "loop": names[:_TIER_DROPINS]},
        *([{"name": "reload", SERVICE: {"daemon_reload": True}}] if reload else []),
        {"name": "loop", SERVICE: {"name": "{{ item }}", "state": "started", "enabled": True}, "loop": names},
    ]


def _no_tiers(bench: Bench) -> None:
    wipe = (
        "systemctl stop 'tier-*' && systemctl -q disable $(cd /etc/systemd/system && ls -d tier-*.service 2>/dev/null) 2>/dev/null; "
        "rm -rf /etc/systemd/system/tier-* /etc/systemd/system/multi-user.target.wants/tier-* /var/lib/pidone.systemd/sets; "
        "systemctl daemon-reload; systemctl reset-failed"
    )
    bench.host.run(wipe, check=True)


def tier_50_speedup(bench: Bench) -> Figure:
    """A tier of 50 unit files, 10 drop-ins, 50 enabled and started units, from nothing: one task, against loops."""
    loops: list[float] = []
    sets: list[float] = []
    begun = time.monotonic()
    while not loops or (len(loops) < 3 and time.monotonic() - begun < _PATIENCE):
        # The first task of a module builds its payload on the controller, once for all its tasks and hosts of a run.
        warm: list[dict[str, t.Any]] = [
            {"name": "warm up", UNIT_SET: {"name": "tier-none", "state": "absent"}},
            {"name": "warm up", SERVICE: {"name": "dbus.service", "state": "started"}},
        ]
        for number in range(3):
            _no_tiers(bench)
            loop = _tier_as_loops("tier-l", True) if number == 1 else []
            run = bench.playbook([*warm, _tier_as_set("tier-s"), *loop])
            run.expect("set", changed=True)
            run.expect("loop", changed=True)
            sets += run.seconds("set")
            loops += [sum(run.seconds("loop") + run.seconds("reload"))] if loop else []
    one, many = median(sets), median(loops)
    told = f"copy and systemd_service {many:.1f} s, unit_set {one:.2f} s with its watch of 200 ms"
    return Figure("tier_50_speedup", many / one, "times", "higher", 40, told)


def tier_50_steady_speedup(bench: Bench) -> Figure:
    """The same, already as wanted."""
    _no_tiers(bench)
    bench.playbook([_tier_as_set("tier-s"), *_tier_as_loops("tier-l", True)])
    sets: list[float] = []
    loops: list[float] = []
    begun = time.monotonic()
    while not loops or (len(loops) < 3 and time.monotonic() - begun < _PATIENCE):
        one = _tier_as_set("tier-s")
        run = bench.playbook([{"name": "warm up", PING: {}}, one, one, one, *_tier_as_loops("tier-l", False), one, one, one])
        run.expect("set", changed=False)
        run.expect("loop", changed=False)
        sets += run.seconds("set")[1:]
        loops.append(sum(run.seconds("loop")))
    _no_tiers(bench)
    few, many = median(sets), median(loops)
    told = f"copy and systemd_service {many:.1f} s, unit_set {few:.3f} s"
    return Figure("tier_50_steady_speedup", many / few, "times", "higher", 80, told)


def unit_set_500_s_over_ping(bench: Bench) -> Figure:
    """A set of 500 units with a file each, already as wanted: how much longer the task takes than ping in a running play."""
    text = f"[Service]\n{NOTHING}\n\n[Install]\nWantedBy=multi-user.target\n"
    units = [
        {"name": f"wide-{number:03}.service", "content": text, "enabled": True, "state": "started"} for number in range(500)
    ]
    task = {UNIT_SET: {"name": "wide", "units": units}}
    bench.playbook([{"name": "make", **task}])
    ping, wide = _ping_against(bench, "set", task, 7)
    bench.playbook([{"name": "gone", UNIT_SET: {"name": "wide", "state": "absent"}}])
    told = f"ping {ping:.2f} s, unit_set {wide:.2f} s, {wide / ping:.2f} times ping"
    return Figure("unit_set_500_s_over_ping", wide - ping, "s", "lower", 1, told)


def unit_5000_enabled_s_over_ping(bench: Bench) -> Figure:
    """State and enablement of 5,000 units that are as wanted: the task's duration in a running play, against ping's."""
    names = bench.units("huge", 5000, NOTHING, enabled=True, started=True)
    wish = {"name": names, "state": "started", "enabled": True}
    ping, unit = _ping_against(bench, "unit", {UNIT: wish}, 7)
    told = f"ping {ping:.2f} s, unit {unit:.2f} s"
    return Figure("unit_5000_enabled_s_over_ping", unit / ping, "ratio", "lower", 3, told)


def unit_info_5000_s_over_ping(bench: Bench) -> Figure:
    """Facts about 5,000 units: the task's duration in a running play, against ping's."""
    bench.units("huge", 5000, NOTHING, enabled=True, started=True)
    ping, info = _ping_against(bench, "info", {UNIT_INFO: {"name": ["huge-*.service"]}}, 5)
    told = f"ping {ping:.2f} s, unit_info {info:.2f} s"
    return Figure("unit_info_5000_s_over_ping", info / ping, "ratio", "lower", 4, told)


def memory_5000_units_mib(bench: Bench) -> Figure:
    """What the modules of the two figures before have in memory at most."""
    names = bench.units("huge", 5000, NOTHING, enabled=True, started=True)
    unit = bench.payload("huge", UNIT, {"name": names, "state": "started", "enabled": True})
    info = bench.payload("huge_info", UNIT_INFO, {"name": ["huge-*.service"]})
    ping = bench.payload("ping", PING, {})
    sizes = bench.memory({"unit": unit, "unit_info": info, "ping": ping})
    told = ", ".join(f"{name} {size:.0f} MiB" for name, size in sizes.items())
    return Figure("memory_5000_units_mib", max(sizes["unit"], sizes["unit_info"]), "MiB", "lower", 80, told)


# A new figure is a function here, and its name in this list.
FIGURES: list[t.Callable[[Bench], Figure]] = [
    first_contact_extra_round_trips,
    unit_1_vs_ping,
    payload_unit_vs_systemd_service,
    units_100_steady_speedup,
    start_300_vs_systemctl,
    unit_1000_state_ms,
    unit_1000_enabled_vs_raw,
    import_1000_services_s,
    migration_controller_cpu_s,
    resource_control_100_ms,
    timers_100_over_ping_s,
    tier_50_speedup,
    tier_50_steady_speedup,
    unit_set_500_s_over_ping,
    unit_5000_enabled_s_over_ping,
    unit_info_5000_s_over_ping,
    memory_5000_units_mib,
]
