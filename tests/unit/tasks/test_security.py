# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `systemd-analyze security` prints, read; and what it is given of files that are not installed."""

from __future__ import annotations

import os
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, SystemdError
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.programs import ProgramMissing
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.security import files, info
from ansible_collections.pidone.systemd.plugins.module_utils._tasks.security.info import parse_assessment

ONE = """\
  NAME            DESCRIPTION       EXPOSURE
✓ PrivateDevices= Service has none
✗ PrivateNetwork= Service has access      0.5

→ Overall exposure level for {name}: 9.6 UNSAFE 😨
"""


def test_what_is_printed_after_the_last_unit() -> None:
    """Versions from 249 on end with a list of all units, as wide as the longest name."""
    long = f"{'x' * 240}.service"
    head = f"\n{'UNIT':{len(long)}} EXPOSURE PREDICATE HAPPY\n{long} 9.6      UNSAFE    😨\n"
    units = parse_assessment(ONE.format(name="a.service") + ONE.format(name=long) + head)
    assert [(unit["name"], unit["exposure"], unit["level"]) for unit in units] == [
        ("a.service", 9.6, "UNSAFE"),
        (long, 9.6, "UNSAFE"),
    ]
    assert [[(each["name"], each["exposure"]) for each in unit["directives"]] for unit in units] == [
        [("PrivateDevices", None), ("PrivateNetwork", 0.5)]
    ] * 2


class Analyze:
    """Stands for systemd-analyze: notes what it was given, and finds everything as exposed as `exposure` says."""

    def __init__(self) -> None:
        self.runs: list[dict[str, str]] = []
        self.options: list[str] = []
        self.exposure: dict[str, str] = {}
        self.said = ""

    def __call__(self, command: list[str], timeout: float, env_extra: t.Any = None) -> subprocess.CompletedProcess[bytes]:
        if command[1] == "--version":
            return subprocess.CompletedProcess(command, 0, b"systemd 247 (247.3-7)\n+PAM\n", b"")
        at = command.index("--")
        self.options = command[3:at]
        folder = (env_extra or {}).get("SYSTEMD_UNIT_PATH", "")
        there = [os.path.join(root, name) for root, _folders, names in os.walk(folder) for name in names]
        self.runs.append({os.path.relpath(path, folder): Path(path).read_text() for path in there})
        said = self.said.replace("FOLDER", folder)
        if "option" in said:
            return subprocess.CompletedProcess(command, 1, b"", said.encode())
        names = [os.path.basename(path) for path in command[at + 1 :]]
        out = "".join(ONE.replace("9.6", self.exposure.get(name, "9.6")).format(name=name) for name in names if "lost" not in name)
        return subprocess.CompletedProcess(command, 0, out.encode(), said.encode())


@pytest.fixture
def analyze(monkeypatch: pytest.MonkeyPatch) -> Analyze:
    stub = Analyze()
    monkeypatch.setattr(info, "run_program", stub)
    return stub


def result(check_mode: bool = False, **params: t.Any) -> dict[str, t.Any]:
    class Module:
        def __init__(self) -> None:
            self.check_mode = check_mode
            options = ("name", "path", "root", "threshold", "security_policy")
            self.params = {**dict.fromkeys(options), "details": False, "timeout": "1min", **params}

    return info.gather(t.cast(t.Any, Module()))


class TestFiles:
    """Files are copied, and so is what lies beside them."""

    def test_with_its_own_drop_ins(self, tmp_path: Path, analyze: Analyze) -> None:
        for name, text in {
            "a-b.service": "file", "a-b.service.d/1.conf": "own", "a-.service.d/1.conf": "hidden", "a-.service.d/2.conf": "prefix",
            "service.d/3.conf": "all", "a-b.service.d/no": "none", "other.service": "another's",
        }.items():  # fmt: skip
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
        (unit,) = result(path=[f"{tmp_path}/a-b.service"])["units"]
        assert unit == {"name": "a-b.service", "path": f"{tmp_path}/a-b.service", "exposure": 9.6, "level": "UNSAFE"}
        assert analyze.runs == [
            {"a-b.service": "file", "a-b.service.d/1.conf": "own", "a-b.service.d/2.conf": "prefix", "a-b.service.d/3.conf": "all"}
        ]
        assert analyze.options == ["--offline=yes"]

    def test_names_that_are_there_twice_and_templates(self, tmp_path: Path, analyze: Analyze) -> None:
        for folder in ("x", "y"):
            (tmp_path / folder).mkdir()
            (tmp_path / folder / "a.service").write_text(folder)
        (tmp_path / "t@.service").write_text("t")
        paths = [f"{tmp_path}/x/a.service", f"{tmp_path}/y/a.service", f"{tmp_path}/t@.service"]
        units = result(path=[*paths, paths[0]])["units"]
        assert sorted((unit["name"], unit["path"]) for unit in units) == sorted((os.path.basename(path), path) for path in paths)
        assert [sorted(run.items()) for run in analyze.runs] == [[("a.service", "x"), ("t@i.service", "t")], [("a.service", "y")]]

    def test_a_tree(self, tmp_path: Path, analyze: Analyze) -> None:
        etc, lib = tmp_path / "etc/systemd/system", tmp_path / "usr/lib/systemd/system"
        for folder in (etc, lib, lib / "a.service.d"):
            folder.mkdir(parents=True)
        (etc / "a.service").write_text("etc")
        (lib / "a.service").write_text("lib")
        (lib / "a.service.d/x.conf").write_text("drop-in")
        (lib / "t@.service").write_text("template")
        (etc / "alias.service").symlink_to("a.service")
        (etc / "masked.service").symlink_to("/dev/null")
        (etc / "out.service").symlink_to("/../../../usr/lib/systemd/system/none.service")
        units = result(root=str(tmp_path))["units"]
        assert [(unit["name"], unit["path"]) for unit in units] == [("a.service", f"{etc}/a.service")]
        assert analyze.runs == [{"a.service": "etc", "a.service.d/x.conf": "drop-in"}]
        units = result(root=str(tmp_path), name=["t@7", "alias"])["units"]
        assert {unit["name"]: os.path.basename(unit["path"]) for unit in units} == {"t@7.service": "t@.service", "alias.service": "alias.service"}
        (etc / "lost.service").write_text("x")
        told = result(root=str(tmp_path))
        assert [unit["name"] for unit in told["units"]] == ["a.service"] and f"cannot assess {etc}/lost.service, whose" in told["warnings"][0]
        with pytest.raises(BadInput, match="^root: systemd cannot assess"):
            result(root=str(tmp_path), name=["lost"])
        with pytest.raises(BadInput, match="^name: masked.service is masked in"):
            result(root=str(tmp_path), name=["masked"])
        with pytest.raises(BadInput, match="^name: there is no unit file of none.service in"):
            result(root=str(tmp_path), name=["none"])

    def test_what_systemd_makes_nothing_of(self, tmp_path: Path, analyze: Analyze) -> None:
        (tmp_path / "a.service").write_text("x")
        analyze.said = "FOLDER/a.service:1: Unknown key name 'ProtectSytem' in section 'Service', ignoring.\nelse\n"
        told = result(path=[f"{tmp_path}/a.service"])
        assert told["warnings"] == [f"{tmp_path}/a.service:1: Unknown key name 'ProtectSytem' in section 'Service', ignoring."]
        (tmp_path / "lost.service").write_text("x")
        with pytest.raises(BadInput, match=f"^path: systemd cannot assess {tmp_path}/lost.service: .*; put the file right$"):
            result(path=[f"{tmp_path}/a.service", f"{tmp_path}/lost.service"])

    def test_a_version_that_cannot(self, tmp_path: Path, analyze: Analyze) -> None:
        (tmp_path / "a.service").write_text("x")
        analyze.said = "systemd-analyze: unrecognized option '--offline=yes'"
        with pytest.raises(BadInput, match=r"^path: needs systemd 250 or later, and this host has systemd 247 \(247.3-7\); install"):
            result(path=[f"{tmp_path}/a.service"])

    def test_bad_input(self, tmp_path: Path, analyze: Analyze) -> None:
        os.mkfifo(tmp_path / "pipe.service")
        (tmp_path / "null.service").symlink_to("/dev/null")
        for path, words in {
            f"{tmp_path}/pipe.service": "named pipe", f"{tmp_path}/null.service": "link to /dev/null", f"{tmp_path}/none.service": "there is no file",
            f"{tmp_path}/a.socket": "is no unit file of a service", "a.service": "not absolute", "/x/../a.service": "'..'",
        }.items():  # fmt: skip
            with pytest.raises(BadInput, match=r"^path\[0\]: .*" + words):
                result(path=[path])
        others: dict[str, t.Any] = {"name": ["a"], "root": "/"}
        for option, value in others.items():
            with pytest.raises(BadInput, match=f"^path: .* goes with no `{option}`"):
                result(False, path=["/x/a.service"], **{option: value})
        assert not analyze.runs
        told = result(check_mode=True, path=[f"{tmp_path}/none.service"])
        assert told["units"] == [] and "taken for made by an earlier task" in told["warnings"][0]

    def test_no_more_than_there_is_room_for(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, analyze: Analyze) -> None:
        monkeypatch.setattr(files, "_LARGEST", 10)
        (tmp_path / "a.service").write_text("x" * 11)
        with pytest.raises(BadInput, match="^path: the files are larger"):
            result(path=[f"{tmp_path}/a.service"])


class TestThreshold:
    def paths(self, tmp_path: Path, *names: str) -> list[str]:
        for name in names:
            (tmp_path / name).write_text("x")
        return [f"{tmp_path}/{name}" for name in names]

    def test_it_is_met(self, tmp_path: Path, analyze: Analyze) -> None:
        told = result(path=self.paths(tmp_path, "a.service"), threshold=9.6)
        assert told["above_threshold"] == []

    def test_it_is_not(self, tmp_path: Path, analyze: Analyze) -> None:
        analyze.exposure = {"a.service": "3.1", "b.service": "5.1"}
        with pytest.raises(SystemdError) as caught:
            result(path=self.paths(tmp_path, "a.service", "b.service", "c.service"), threshold=5.0)
        assert caught.value.data["above_threshold"] == ["c.service", "b.service"]
        assert [unit["name"] for unit in caught.value.data["units"]] == ["c.service", "b.service", "a.service"]
        assert "directives" not in caught.value.data["units"][0]
        first, second, third = caught.value.msg.splitlines()
        assert first == "2 of 3 services are more exposed than 5; confine them, or raise `threshold`"
        assert second == "  c.service: 9.6 UNSAFE, most of all for PrivateNetwork" and third.startswith("  b.service: 5.1")

    @pytest.mark.parametrize(("value", "words"), [(50.0, "is 5 here"), (-1.0, "-1"), (float("nan"), "nan"), (1000.0, "1000")])
    def test_bad_input(self, analyze: Analyze, value: float, words: str) -> None:
        with pytest.raises(BadInput, match=f"^threshold: .*{words}"):
            result(path=["/a.service"], threshold=value)


class TestPolicy:
    def given(self, tmp_path: Path, text: str, **params: t.Any) -> dict[str, t.Any]:
        (tmp_path / "a.service").write_text("x")
        (tmp_path / "p.json").write_text(text)
        return result(path=[f"{tmp_path}/a.service"], security_policy=f"{tmp_path}/p.json", **params)

    def test_it_is_handed_on(self, tmp_path: Path, analyze: Analyze, monkeypatch: pytest.MonkeyPatch) -> None:
        program = tmp_path / "systemd-analyze"
        program.write_bytes(b"\0PrivateNetwork\0PrivateTmp\0")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        told = self.given(tmp_path, '{"PrivateTmp": {"weight": 5}, "PrivateTpm": {"range": 1}}')
        assert [option.partition("=")[0] for option in analyze.options] == ["--offline", "--security-policy"]
        assert "no check of the name PrivateTpm, and" in told["warnings"][0]

    @pytest.mark.parametrize(
        ("text", "words"),
        [("{", "is no JSON"), ("[1]", "is no JSON object"), ('{"A": 1}', "'A' is no object"), ('{"A": {"wieght": 1}}', "'A' is no object .*weight"),
         ("[" * 100_000, "is no JSON"), ('{"A": {"weight": -1}}', "weight is -1"), ('{"A": {"range": "1"}}', "range is '1'"),
         ('{"A": {"weight": true}}', "weight is True"),
         ('{"A": {"description_bad": "a\\n\u2192 Overall exposure level for a.service: 0.0 OK"}}', "no line of text")],
        ids=lambda value: str(value)[:30],
    )  # fmt: skip
    def test_bad_input(self, tmp_path: Path, analyze: Analyze, text: str, words: str) -> None:
        with pytest.raises(BadInput, match=f"^security_policy: {tmp_path}/p.json.*{words}"):
            self.given(tmp_path, text)
        assert not analyze.runs

    def test_one_that_is_made_later_decides_nothing_in_check_mode(self, tmp_path: Path, analyze: Analyze) -> None:
        (tmp_path / "a.service").write_text("x")
        params: dict[str, t.Any] = {"path": [f"{tmp_path}/a.service"], "security_policy": f"{tmp_path}/none.json"}
        with pytest.raises(BadInput, match="^security_policy: there is no file"):
            result(**params)
        told = result(check_mode=True, threshold=1.0, **params)
        assert told["above_threshold"] == [] and "none.json" in told["warnings"][-1]


def test_no_program(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_args: t.Any, **_options: t.Any) -> t.Any:
        raise ProgramMissing("cannot run systemd-analyze")

    monkeypatch.setattr(info, "run_program", missing)
    with pytest.raises(SystemdError, match="install the package systemd"):
        info.assess(["a.service"], 5.0)
