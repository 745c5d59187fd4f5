# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan for units: from what is and what is wished to the steps between."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.install import Taken
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.states import UnitStatus
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.plan import MissingUnit, Wish, plan_units
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.unit.read import Unit


def unit(
    name: str = "a.service",
    active: str = "inactive",
    sub: str = "",
    load: str = "loaded",
    file: str | None = None,
    job: tuple[int, str] = (0, ""),
    **more: t.Any,
) -> Unit:
    sub = sub or {"inactive": "dead", "active": "running", "failed": "failed"}.get(active, active)
    it = Unit(name, UnitStatus(name, "", load, active, sub, "", "/" + name, *job, "/"))
    it.file_state = file
    for key, value in more.items():
        setattr(it, key, value)
    return it


def steps(*units: Unit, check_mode: bool = False, files_written: bool = False, **wish: t.Any) -> list[str]:
    plan = plan_units(units, Wish(**wish), check_mode=check_mode, files_written=files_written)
    assert bool(plan.changes) is plan.changed or not plan.changes
    return plan.describe()


@pytest.mark.parametrize(
    ("state", "active", "expected"),
    [
        ("started", "inactive", ["start a.service"]),
        ("started", "failed", ["start a.service"]),
        ("started", "active", []),
        ("started", "reloading", []),
        ("stopped", "active", ["stop a.service"]),
        ("stopped", "activating", ["stop a.service"]),
        ("stopped", "inactive", []),
        ("stopped", "failed", []),
        ("restarted", "inactive", ["restart a.service"]),
        ("restarted", "active", ["restart a.service"]),
        ("reloaded", "active", ["reload a.service"]),
        ("try_restarted", "active", ["try-restart a.service"]),
        ("try_restarted", "inactive", []),
        ("reload_or_restarted", "inactive", ["reload-or-restart a.service"]),
        ("try_reload_or_restarted", "active", ["reload-or-try-restart a.service"]),
        ("try_reload_or_restarted", "failed", []),
    ],
)
def test_states(state: str, active: str, expected: list[str]) -> None:
    assert steps(unit(active=active), state=state) == expected


def test_waiting_for_a_restart_is_not_running() -> None:
    assert steps(unit(active="activating", sub="auto-restart"), state="started") == ["restart a.service"]


def test_a_job_of_somebody_else_is_joined_and_is_no_change() -> None:
    plan = plan_units([unit(active="activating", sub="start", job=(7, "start"))], Wish(state="started"))
    assert plan.describe() == ["wait for start a.service"]
    assert not plan.changed


def test_order() -> None:
    down = unit(file="masked", load="masked")
    assert steps(down, state="started", enabled=True, masked=False, settle=5.0, settle_told="5s") == [
        "unmask a.service",
        "enable a.service",
        "daemon-reload",
        "start a.service",
        "watch for 5s",
    ]
    up = unit(active="active", file="enabled")
    assert steps(up, state="stopped", masked=True) == ["stop a.service", "mask a.service", "daemon-reload"]
    assert steps(up, state="stopped", enabled=False) == ["stop a.service", "disable a.service", "daemon-reload"]


def test_many_units_are_one_step_of_each_kind_and_one_reload() -> None:
    units = [unit(f"a@{number}.service", file="disabled", stale=True) for number in range(20)]
    planned = steps(*units, state="started", enabled=True)
    assert planned == [
        "enable a@0.service, a@1.service and 18 more",
        "daemon-reload",
        "start a@0.service, a@1.service and 18 more",
    ]


@pytest.mark.parametrize(
    ("wish", "state", "expected"),
    [
        ({"enabled": True}, "disabled", "enable"),
        ({"enabled": True}, "enabled", ""),
        ({"enabled": True}, "enabled-runtime", "enable"),
        ({"enabled": True, "runtime": True}, "enabled-runtime", ""),
        ({"enabled": True}, "linked", "enable"),
        ({"enabled": True}, "static", ""),
        ({"enabled": True}, "generated", ""),
        ({"enabled": False}, "enabled", "disable"),
        ({"enabled": False}, "enabled-runtime", "disable"),
        ({"enabled": False, "runtime": True}, "enabled", ""),
        ({"enabled": False}, "static", ""),
        ({"enabled": False}, "masked", ""),
        ({"masked": True}, "enabled", "mask"),
        ({"masked": True}, "masked", ""),
        ({"masked": True}, "masked-runtime", "mask"),
        ({"masked": True, "runtime": True}, "masked-runtime", ""),
        ({"masked": False}, "masked", "unmask"),
        ({"masked": False}, "enabled", ""),
    ],
)
def test_enablement(wish: dict[str, bool], state: str, expected: str) -> None:
    planned = steps(unit(file=state), **wish)
    assert planned == ([f"{expected} a.service", "daemon-reload"] if expected else [])


def test_indirect_units() -> None:
    assert steps(unit(file="indirect", has_links=True), enabled=True)[0] == "enable a.service"
    assert steps(unit(file="indirect", also=["disabled"]), enabled=True)[0] == "enable a.service"
    assert steps(unit(file="indirect", also=["enabled"]), enabled=True) == []
    assert steps(unit(file="indirect", also=["enabled"]), enabled=False)[0] == "disable a.service"


def test_presets() -> None:
    assert steps(unit(file="disabled", preset="enabled"), preset=True)[0] == "preset a.service"
    assert steps(unit(file="enabled", preset="disabled"), preset=True)[0] == "preset a.service"
    assert steps(unit(file="enabled", preset="enabled"), preset=True) == []
    assert steps(unit(file="static", preset="enabled"), preset=True) == []


@pytest.mark.parametrize(
    ("mode", "stale", "written", "expected"),
    [
        ("auto", False, False, ["start a.service"]),
        ("auto", True, False, ["daemon-reload", "start a.service"]),
        ("auto", False, True, ["daemon-reload", "start a.service"]),
        ("never", True, True, ["start a.service"]),
        ("always", False, False, ["daemon-reload", "start a.service"]),
    ],
)
def test_reload(mode: str, stale: bool, written: bool, expected: list[str]) -> None:
    assert steps(unit(stale=stale), state="started", daemon_reload=mode, files_written=written) == expected


def test_reset_failed_comes_first() -> None:
    assert steps(unit(active="failed"), state="started", reset_failed=True) == [
        "reset-failed a.service",
        "start a.service",
    ]
    assert steps(unit(active="inactive"), reset_failed=True) == []


@pytest.mark.parametrize(
    ("it", "wish", "words"),
    [
        (unit(), {"state": "started", "masked": True}, ["masked:", "state"]),
        (unit(), {"enabled": True, "masked": True}, ["masked:", "enabled"]),
        (unit(), {"enabled": True, "preset": True}, ["preset:", "enabled"]),
        (unit(file="transient"), {"enabled": True}, ["enabled:", "transient"]),
        (unit(file="masked"), {"enabled": True}, ["enabled:", "masked: false"]),
        (unit(file="disabled", in_the_way="/etc/a"), {"masked": True}, ["masked:", "/etc/a", "unit_file"]),
        (unit(load="masked"), {"state": "started"}, ["state:", "masked: false"]),
        (unit(), {"state": "reloaded"}, ["state:", "never starts", "reload_or_restarted"]),
        (unit(active="active", can_reload=False), {"state": "reloaded"}, ["state:", "ExecReload"]),
        (Unit("a@.service", None), {"state": "started"}, ["name:", "template", "a@1.service"]),
        (unit(load="not-found"), {"state": "started"}, ["name:", "a.service"]),
    ],
)
def test_refusals(it: Unit, wish: dict[str, t.Any], words: list[str]) -> None:
    with pytest.raises(BadInput) as caught:
        steps(it, **wish)
    for word in words:
        assert word in caught.value.msg


def test_units_that_do_not_exist() -> None:
    gone = unit(load="not-found", file="")
    with pytest.raises(MissingUnit):
        steps(gone, enabled=True)
    plan = plan_units([gone], Wish(state="started", enabled=True), check_mode=True)
    assert plan.describe() == ["enable a.service", "daemon-reload", "start a.service"]
    assert "earlier task" in plan.warnings[0]
    plan = plan_units([gone], Wish(state="stopped", enabled=False))
    assert not plan.steps
    assert "a.service" in plan.warnings[0]
    assert steps(gone, masked=True)[0] == "mask a.service"


def test_two_names_of_one_unit_are_one() -> None:
    one, two = unit("a.service"), unit("a.service")
    two.name = "alias.service"
    assert steps(one, two, state="restarted") == ["restart a.service"]


def test_changes_say_what_becomes_of_each_unit() -> None:
    plan = plan_units(
        [unit(file="disabled"), unit("b.service", active="active", file="enabled")], Wish("started", True)
    )
    assert [tuple(change) for change in plan.changes] == [("a.service", "inactive (dead), disabled", "active, enabled")]


def test_start_takes_the_place_of_a_stop_that_waits() -> None:
    assert steps(unit(active="active", job=(7, "stop")), state="started") == ["start a.service"]
    assert steps(unit(active="active", job=(7, "reload")), state="started") == []


def test_each_name_of_a_unit_has_a_mask_of_its_own() -> None:
    one, two = unit("a.service", active="active", file="disabled"), unit("a.service", active="active", file="disabled")
    two.name = "alias.service"
    for units in ((one, two), (two, one)):
        names = ", ".join(each.name for each in units)
        assert steps(*units, masked=True, state="stopped") == ["stop a.service", f"mask {names}", "daemon-reload"]
    assert steps(one, one, masked=True)[0] == "mask a.service"


@pytest.mark.parametrize(
    ("path", "runtime", "words"),
    [
        ("/usr/lib/systemd/system/a@1.service", False, ["a@1.service", "unit_file"]),
        ("/etc/systemd/system/a@.service", False, ["a@1.service", "template", "unmask a@.service"]),
        ("/etc/systemd/system/a@1.service", True, ["a@1.service", "`runtime`"]),
    ],
)
def test_masks_that_unmasking_leaves(path: str, runtime: bool, words: list[str]) -> None:
    it = unit("a@1.service", load="masked", file="masked", masked_by=path)
    for check_mode in (False, True):
        with pytest.raises(BadInput, match="^masked: ") as caught:
            steps(it, masked=False, runtime=runtime, check_mode=check_mode)
        for word in words:
            assert word in caught.value.msg


def test_to_disable_a_template_is_to_disable_its_instances() -> None:
    template = Unit("a@.service", None)
    template.file_state = "indirect"
    assert steps(template, enabled=False) == []
    template.has_instances = True
    assert steps(template, enabled=False) == ["disable a@.service", "daemon-reload"]


def test_generated_units_cannot_be_disabled_either() -> None:
    for enabled in (True, False):
        plan = plan_units([unit(file="generated")], Wish(enabled=enabled))
        assert not plan.steps
        assert "generated" in plan.warnings[0]
    assert not plan_units([unit(file="static")], Wish(enabled=False)).warnings


@pytest.mark.parametrize(
    ("it", "wish", "words"),
    [
        (unit("-.mount", active="active", file=""), {"enabled": True}, ["enabled:", "no unit file"]),
        (unit(active="active", load="not-found", file=""), {"enabled": True}, ["enabled:", "gone"]),
        (unit(active="active", load="not-found"), {"state": "restarted"}, ["state:", "gone", "stopped"]),
    ],
)
def test_units_without_a_file(it: Unit, wish: dict[str, t.Any], words: list[str]) -> None:
    with pytest.raises(BadInput) as caught:
        steps(it, **wish)
    for word in words:
        assert word in caught.value.msg
    plan = plan_units([it], Wish(**wish), check_mode=True)
    assert plan.changed
    assert plan.warnings == [f"not there yet, and taken for made by an earlier task: {it.name}"]
    # Where the task itself writes the file, it is there by then.
    assert steps(it, files_written=True, **wish)


def test_a_unit_whose_file_is_gone_can_be_stopped() -> None:
    assert steps(unit(active="active", load="not-found"), state="stopped") == ["stop a.service"]


@pytest.mark.parametrize("wish", [{"enabled": True}, {"preset": True}])
@pytest.mark.parametrize(("load", "file"), [("error", ""), ("bad-setting", ""), ("error", "bad"), ("loaded", "bad")])
def test_a_file_that_systemd_cannot_read_is_not_enabled(wish: dict[str, t.Any], load: str, file: str) -> None:
    broken = unit(load=load, file=file, preset="enabled")
    with pytest.raises(
        BadInput, match=rf"^{next(iter(wish))}: systemd cannot read the unit file of a\.service; correct"
    ):
        steps(broken, **wish)
    # An earlier task may mend it, and this one may write it.
    plan = plan_units([broken], Wish(**wish), check_mode=True)
    assert plan.changed
    assert any("taken for mended" in warning for warning in plan.warnings)
    assert steps(broken, files_written=True, **wish)
    # Nothing is to be known of it for these.
    assert steps(broken, masked=True) == ["mask a.service", "daemon-reload"]
    assert steps(broken, enabled=False) == []


@pytest.mark.parametrize("load", ["masked", "bad-setting", "error"])
def test_what_was_mended_since_is_read_again(load: str) -> None:
    assert steps(unit(load=load, stale=True), state="started") == ["daemon-reload", "start a.service"]


def test_what_cannot_be_read_is_told_in_check_mode() -> None:
    plan = plan_units([unit(load="bad-setting")], Wish(state="started"), check_mode=True)
    assert "cannot read" in plan.warnings[0]


@pytest.mark.parametrize(
    ("state", "active", "refuses", "refused"),
    [
        ("started", "inactive", (True, False), True),
        ("started", "inactive", (False, True), False),
        ("stopped", "active", (False, True), True),
        ("stopped", "active", (True, False), False),
        ("restarted", "active", (False, True), True),
        ("try_restarted", "active", (True, False), True),
        ("reloaded", "active", (True, True), False),
    ],
)
def test_units_that_refuse(state: str, active: str, refuses: tuple[bool, bool], refused: bool) -> None:
    it = unit(active=active, refuses=refuses)
    if not refused:
        assert steps(it, state=state)
        return
    with pytest.raises(BadInput, match="^state: a.service cannot be .* by hand"):
        steps(it, state=state)
    it.stale = True
    assert steps(it, state=state), "what the file says now is not known"


def test_all_units_that_do_not_exist_are_told() -> None:
    gone = [unit(f"a{number}.service", load="not-found", file="") for number in range(3)]
    with pytest.raises(MissingUnit) as caught:
        steps(*gone, unit("b.service"), state="started")
    assert caught.value.names == ["a0.service", "a1.service", "a2.service"]


def test_a_watch_without_an_end() -> None:
    with pytest.raises(BadInput, match="^settle: infinity"):
        steps(unit(), state="started", settle=1.8e13, settle_told="infinity")


def test_what_starts_a_stopped_unit_again_is_told() -> None:
    it = unit(active="active", triggers=["a.socket"])
    plan = plan_units([it], Wish(state="stopped"))
    assert plan.describe() == ["stop a.service"]
    assert plan.warnings == [
        "a.service is stopped, but a.socket may start it again; stop that as well, or mask the unit"
    ]
    assert not plan_units([unit(active="inactive", triggers=["a.socket"])], Wish(state="stopped")).warnings


@pytest.mark.parametrize("wish", [{"state": "started"}, {"enabled": True}])
def test_who_writes_files_is_told_which_module_unmasks(wish: dict[str, t.Any]) -> None:
    for files_written, words in ((False, "in the same task"), (True, "with pidone.systemd.unit")):
        with pytest.raises(BadInput, match=words):
            steps(unit(load="masked", file="masked"), files_written=files_written, **wish)


def test_disabled_and_masked_is_first_the_one_then_the_other() -> None:
    assert steps(unit(file="enabled"), masked=True, enabled=False) == [
        "disable a.service",
        "mask a.service",
        "daemon-reload",
    ]
    assert steps(unit(file="disabled"), masked=True, enabled=False) == ["mask a.service", "daemon-reload"]
    assert steps(unit(file="masked", load="masked"), masked=True, enabled=False) == []


@pytest.mark.parametrize("wish", [{"masked": True}, {"masked": False}, {}])
def test_links_that_systemd_leaves_are_removed(wish: dict[str, t.Any]) -> None:
    left = {"/etc/systemd/system/x.target.wants/a.service": "/nowhere/a.service"}
    masked = unit(file="masked", load="masked", leftovers=left)
    assert "unlink /etc/systemd/system/x.target.wants/a.service" in steps(masked, enabled=False, **wish)
    gone = unit(file="", load="not-found", leftovers=left)
    assert "unlink /etc/systemd/system/x.target.wants/a.service" in steps(gone, enabled=False, **wish)
    running = unit(file="", load="not-found", active="active", leftovers=left)
    assert steps(running, enabled=False, state="stopped") == [
        "stop a.service",
        "unlink /etc/systemd/system/x.target.wants/a.service",
        "daemon-reload",
    ]


def test_links_that_install_gained() -> None:
    assert steps(unit(file="enabled", lacking=["b.target.wants/a.service"]), enabled=True) == [
        "enable a.service",
        "daemon-reload",
    ]
    assert steps(unit(file="enabled-runtime", lacking=["b"]), enabled=True, runtime=True) == [
        "enable a.service",
        "daemon-reload",
    ]
    assert steps(unit(file="enabled", lacking=["b.target.wants/a.service"]), enabled=False)[0] == "disable a.service"


@pytest.mark.parametrize("state", ["enabled", "disabled"])
def test_another_name_that_is_taken(state: str) -> None:
    link = Taken("/etc/systemd/system/dm.service", "/usr/lib/systemd/system/b.service")
    with pytest.raises(BadInput, match="disable b.service first, .*`force: true`"):
        steps(unit(file=state, taken=[link]), enabled=True)
    assert steps(unit(file=state, taken=[link]), enabled=True, force=True)[0] == "enable a.service"
    with pytest.raises(BadInput, match="a unit file in the place"):
        steps(unit(file=state, taken=[link._replace(target="")]), enabled=True, force=True)


def test_another_name_that_is_masked_is_left_alone_where_the_unit_is_enabled() -> None:
    mask = Taken("/etc/systemd/system/dm.service", "/dev/null")
    assert steps(unit(file="enabled", taken=[mask]), enabled=True) == []
    assert steps(unit(file="enabled", taken=[mask], lacking=["b.target.wants/a.service"]), enabled=True)
    with pytest.raises(BadInput, match="unmask dm.service first"):
        steps(unit(file="disabled", taken=[mask]), enabled=True)


def test_two_units_of_one_name() -> None:
    both = [unit(f"{name}.service", file=state, aliases=["dm.service"]) for name, state in (("a", "enabled"), ("b", "disabled"))]
    with pytest.raises(BadInput, match="a.service and b.service both ask for the name dm.service"):
        steps(*both, enabled=True, force=True)


def test_system_v_scripts() -> None:
    script: dict[str, t.Any] = {"script": "/etc/init.d/a", "has_tool": True, "file": "generated"}
    assert steps(unit(**script), enabled=True, state="started") == [
        "enable /etc/init.d/a",
        "daemon-reload",
        "start a.service",
    ]
    assert steps(unit(script_enabled=True, **script), enabled=True) == []
    assert steps(unit(script_enabled=True, **script), enabled=False) == ["disable /etc/init.d/a", "daemon-reload"]
    new = unit(**{**script, "file": ""}, load="not-found", stale=True)
    assert steps(new, enabled=True)[0] == "enable /etc/init.d/a"
    assert steps(new, state="started") == ["daemon-reload", "start a.service"]
    with pytest.raises(BadInput, match="^runtime: .*/etc/init.d/a"):
        steps(unit(**script), enabled=True, runtime=True)
    plan = plan_units([unit(**{**script, "has_tool": False})], Wish(enabled=True))
    assert not plan.steps
    assert "update-rc.d or chkconfig" in plan.warnings[0]
    assert "/etc/init.d/a" in plan.warnings[0]


def test_what_generates_a_unit_is_told() -> None:
    plan = plan_units([unit(file="generated", source="/etc/fstab")], Wish(enabled=True))
    assert plan.warnings == [
        "a.service cannot be enabled: it is generated from /etc/fstab, which decides about that"
    ]


def test_a_linked_unit_goes_with_its_links() -> None:
    plan = plan_units([unit(file="enabled", linked_from="/opt/a.service")], Wish(enabled=False))
    assert plan.changes[0].after == "inactive (dead), disabled and unlinked"
    assert "/opt/a.service" in plan.warnings[0]
    with pytest.raises(BadInput, match="cannot be started"):
        steps(unit(file="enabled", linked_from="/opt/a.service"), enabled=False, state="started")


def test_a_socket_is_not_closed_under_its_service() -> None:
    socket = unit("a.socket", active="active", kept_closed_by="a.service")
    with pytest.raises(BadInput, match="name a.service in the same task"):
        steps(socket, state="restarted")
    assert steps(socket, unit(active="active"), state="restarted") == ["restart a.socket, a.service"]
    assert steps(socket, state="stopped") == ["stop a.socket"]


def test_a_mount_of_another_path() -> None:
    wrong = unit("a.mount", load="bad-setting", where="/srv/b", right_name="srv-b.mount")
    with pytest.raises(BadInput, match="named srv-b.mount"):
        steps(wrong, state="started")
    plan = plan_units([wrong], Wish(state="started"), check_mode=True)
    assert "srv-b.mount" in plan.warnings[0]


def test_oneshots_are_down_when_they_have_run() -> None:
    for state, after in (("started", "inactive (dead), having run"), ("restarted", "inactive (dead), having run, by restart")):
        plan = plan_units([unit(ends=True)], Wish(state=state))
        assert plan.changes[0].after == after


@pytest.mark.parametrize("state", ["try_restarted", "try_reload_or_restarted"])
def test_what_an_earlier_task_makes_is_taken_for_up(state: str) -> None:
    missing = unit(load="not-found", file="")
    plan = plan_units([missing], Wish(state=state), check_mode=True)
    assert plan.changed
    assert "made and started by an earlier task" in plan.warnings[0]
    with pytest.raises(MissingUnit):
        steps(missing, state=state)


def frozen(active: str = "active", state: str = "running", **more: t.Any) -> Unit:
    return unit(active=active, freezer_state=state, **more)


@pytest.mark.parametrize(
    ("it", "wish", "expected"),
    [
        (frozen(), True, ["freeze a.service"]),
        (frozen(state="frozen"), True, []),
        (frozen(state="freezing"), True, []),
        (frozen(state="frozen-by-parent"), True, ["freeze a.service"]),
        (frozen(state="frozen"), False, ["thaw a.service"]),
        (frozen(), False, []),
        (frozen("inactive"), False, []),
        (frozen("inactive"), True, "state: a.service is inactive and cannot be frozen"),
        (frozen("failed"), True, "state: a.service is failed and cannot be frozen"),
        (frozen(can_freeze=False), True, "state: a.service is of a kind that systemd cannot freeze"),
        (frozen(holds_task=True), True, "state: this very task runs in a.service"),
        (frozen(holds_task=True, state="frozen"), False, ["thaw a.service"]),
        (frozen(state="frozen-by-parent"), False, "state: a.service is frozen together with the slice"),
    ],
)
def test_frozen_and_thawed(it: Unit, wish: bool, expected: list[str] | str) -> None:
    if isinstance(expected, str):
        with pytest.raises(BadInput, match=expected):
            steps(it, frozen=wish)
        return
    assert steps(it, frozen=wish) == expected


def test_frozen_after_all_else() -> None:
    it = frozen(file="disabled")
    assert steps(it, frozen=True, enabled=True) == ["enable a.service", "daemon-reload", "freeze a.service"]
    # In check mode an earlier task would have started it.
    plan = plan_units([frozen("inactive")], Wish(frozen=True), check_mode=True)
    assert plan.describe() == ["freeze a.service"]
    assert plan.warnings == ["not running yet, and taken for started by an earlier task: a.service"]
    gone = unit(load="not-found", can_freeze=False)
    assert steps(gone, frozen=True, check_mode=True) == ["freeze a.service"]
    with pytest.raises(MissingUnit):
        steps(gone, frozen=True)
    assert steps(gone, frozen=False) == []
    with pytest.raises(BadInput, match="name: a@.service is a template and cannot be frozen"):
        steps(Unit("a@.service", None), frozen=True)


def test_pulled_in_by_others() -> None:
    wants: dict[str, t.Any] = {"add_wants": ["m.target"], "add_requires": ["r.target"]}
    it = unit(file="static", dependencies=[("Wants", "m.target"), ("Requires", "r.target")])
    plan = plan_units([it, unit("b.service", file="disabled", dependencies=[("Wants", "m.target")])], Wish(**wants))
    assert plan.describe() == ["add-wants m.target a.service, b.service", "add-requires r.target a.service", "daemon-reload"]
    assert plan.changes[0].after == "inactive (dead), static, wanted by m.target, required by r.target"
    assert steps(unit(file="enabled"), **wants) == []
    assert steps(unit(file="masked", load="masked", dependencies=[("Wants", "m.target")]), masked=False, add_wants=["m.target"]) == [
        "unmask a.service", "add-wants m.target a.service", "daemon-reload"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("it", "wish", "says"),
    [
        (unit(file="masked"), {}, "add_wants: a.service is masked; add `masked: false`"),
        (unit(file=""), {}, "add_wants: a.service has no unit file"),
        (unit("a@.service", file="static"), {}, "add_wants: a@.service is a template"),
        (unit(file="static"), {"masked": True}, "add_wants: nothing can pull in a masked unit"),
        (unit(file="static"), {"enabled": False}, "leave out `add_wants` or `enabled`"),
        (unit(file="static"), {"preset": True}, "leave out `add_wants` or `preset`"),
    ],
)
def test_cannot_be_pulled_in(it: Unit, wish: dict[str, t.Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        steps(it, add_wants=["m.target"], **wish)
