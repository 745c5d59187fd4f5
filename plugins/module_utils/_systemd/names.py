# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unit names: what is valid, what is a template, an instance or a glob, and systemd's escaping (systemd.unit(5))."""

from __future__ import annotations

import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import has_surrogates

TYPES = ("service", "socket", "target", "device", "mount", "automount", "swap", "timer", "path", "slice", "scope")
# Types of which there are templates and instances, as unit_type_may_template() of systemd has them.
MAY_TEMPLATE = ("service", "socket", "target", "timer", "path")
_USUAL = tuple(f".{kind}" for kind in MAY_TEMPLATE)
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_VALID = _LETTERS | frozenset(":-_.\\@")
_GLOB = frozenset("*?[")
# Classes of characters in patterns, as far as names have them.
_CLASSES = {
    "digit": "0-9", "lower": "a-z", "upper": "A-Z", "alpha": "a-zA-Z", "alnum": "a-zA-Z0-9", "xdigit": "0-9a-fA-F",
}  # fmt: skip
# UNIT_NAME_MAX of systemd: one less than the longest file name Linux takes, with room for the NUL.
_LONGEST = 255


def unit_type(name: str) -> str:
    """The suffix without its dot (`service`), or an empty string where the name has none that systemd knows."""
    suffix = name.rpartition(".")[2]
    return suffix if suffix in TYPES and "." in name else ""


def is_glob(name: str) -> bool:
    """Whether the name is a pattern for fnmatch(3)."""
    return not _GLOB.isdisjoint(name)


def python_pattern(name: str) -> str:
    """A pattern for fnmatch(3), as systemd takes it, for Python's fnmatch: sets are negated with `!`, classes spelled out."""
    for word, members in _CLASSES.items():
        name = name.replace(f"[:{word}:]", members)
    return name.replace("[^", "[!")


def is_template(name: str) -> bool:
    """Whether the name is a template: `app@.service`."""
    return "@" in name and name.partition("@")[2] == f".{unit_type(name)}" and unit_type(name) != ""


def template_of(name: str) -> str:
    """The template of an instance: `app@.service` of `app@7.service`; an empty string for any other name."""
    prefix, at, rest = name.partition("@")
    dot = rest.rfind(".")
    return f"{prefix}@{rest[dot:]}" if at and dot > 0 else ""


def instance_of(name: str) -> str:
    """The instance string, still escaped: `7` of `app@7.service`; an empty string for any other name."""
    _prefix, at, rest = name.partition("@")
    dot = rest.rfind(".")
    return rest[:dot] if at and dot > 0 else ""


def prefix_of(name: str) -> str:
    """What stands before the `@`, or before the suffix where there is no `@` (systemd's %p)."""
    prefix, at, _rest = name.partition("@")
    return prefix if at else name.rpartition(".")[0]


def check_name(name: t.Any, option: str = "name", globs: bool = False, loadable: bool = True) -> str:
    """Return the full unit name for what a user wrote, `.service` added where there is no suffix.

    :param option: the option's name, for the error.
    :param globs: whether patterns may pass.
    :param loadable: whether names are refused that a file may have although systemd loads none of that name.
    :raises BadInput: for a name that systemd would not take, with what is wrong and what to write instead.
    """
    if not isinstance(name, str) or not name:
        raise BadInput(f"{option}: {shown(name)} is not a unit name; write one such as 'nginx.service'")
    if name.endswith(_USUAL) and name[0] not in ".@" and len(name) <= _LONGEST and _VALID.issuperset(name):
        # Nearly all, by the thousand: nothing of what follows is wrong with these.
        return name
    if "/" in name:
        hint, base = "", name.rpartition("/")[2]
        if unit_type(base):
            hint = (
                f", and no path; a unit file that systemd does not look for there is linked (`state: linked`) or written with "
                f"pidone.systemd.unit_file, and then named {shown(base)}"
            )
        elif name.startswith("/") and "\0" not in name and len(name) <= _LONGEST and not has_surrogates(name):
            hint = f"; the unit of a path is named by escaping it, for example {shown(escape_path(name))} and .mount"
        raise BadInput(f"{option}: {shown(name)} holds a slash, which a unit name cannot{hint}")
    pattern = globs and is_glob(name)
    for char in () if _VALID.issuperset(name) else name:
        if char in _VALID or (pattern and char in "*?[]!^"):
            continue
        if char in _GLOB and not globs:
            raise BadInput(f"{option}: {shown(name)} is a pattern; this option takes plain unit names only")
        what = "a line break" if char in "\r\n" else "a NUL" if char == "\0" else shown(char)
        raise BadInput(
            f"{option}: {shown(name)} holds {what}, which a unit name cannot; "
            "letters, digits and any of : - _ . \\ @ may be used, anything else is written as systemd-escape(1) does"
        )
    full = name if unit_type(name) or pattern else f"{name}.service"
    if len(full) > _LONGEST:
        raise BadInput(f"{option}: {shown(name)} is {len(full)} characters long; a unit name has at most {_LONGEST}")
    stem = full.rpartition(".")[0]
    if not pattern and (not stem or stem.startswith("@")):
        raise BadInput(f"{option}: {shown(name)} has nothing before its {'@' if stem else 'suffix'}")
    if loadable and "@" in stem and not pattern and unit_type(full) not in MAY_TEMPLATE:
        raise BadInput(
            f"{option}: {shown(name)} has an @, as only templates and their instances have, and systemd loads none of type "
            f"{unit_type(full)}; take it out (in the name of a path, systemd-escape(1) writes it \\x40)"
        )
    return full


def check_slice(name: t.Any, option: str = "slice") -> str:
    """The full name of a slice, `.slice` added where there is no suffix.

    :raises BadInput: it is no unit name, or that of a unit of another type.
    """
    text = name if isinstance(name, str) else ""
    full = check_name(name if unit_type(text) or not text else f"{text}.slice", option, loadable=False)
    if unit_type(full) != "slice":
        raise BadInput(f"{option}: {shown(name)} is no slice; write one such as machine.slice")
    # slice_name_is_valid() of systemd: no templates or instances, and each part between dashes is that of a slice above it.
    if "@" in full or (full != "-.slice" and not all(full.rpartition(".")[0].split("-"))):
        raise BadInput(
            f"{option}: {shown(name)} can be no slice: its name has no @, and something before, between and after its dashes; "
            "write one such as machine.slice"
        )
    return full


def check_file_name(name: str, option: str, pattern: str, what: str) -> None:
    """Refuse a unit whose name systemd takes, but of which a file beside it would have too long a name.

    :param pattern: the name of that file, with `{}` for the unit's: `{}.d`, `stamp-{}`.
    :param what: what that file is, for the error: `its directory of drop-ins`.
    :raises BadInput: it would have more than the 255 bytes that Linux takes.
    """
    file = pattern.format(name)
    if len(file.encode("utf-8", "surrogatepass")) > _LONGEST:
        most = _LONGEST - len(pattern.format(""))
        raise BadInput(
            f"{option}: {shown(name)} is {len(name)} characters long; {what} {pattern.format('NAME')} would have a longer name "
            f"than the {_LONGEST} bytes that Linux takes, so choose a name of at most {most} characters"
        )


def escape(text: str, option: str = "text") -> str:
    """`systemd-escape TEXT`: `/` becomes `-`, other characters than letters, digits, `:`, `_` and `.` become `\\xNN`.

    :raises BadInput: there is half a character (a lone surrogate) in it that stands for no byte.
    """
    out = []
    for index, byte in enumerate(_bytes(text, option)):
        char = chr(byte)
        if char == "/":
            out.append("-")
        elif char in _LETTERS or char in ":_" or (char == "." and index > 0):
            out.append(char)
        else:
            out.append(f"\\x{byte:02x}")
    return "".join(out)


def unescape(text: str, option: str = "text") -> str:
    """`systemd-escape --unescape TEXT`.

    :raises BadInput: for a backslash that does not begin `\\xNN`.
    """
    out, at = bytearray(), 0
    while at < len(text):
        char = text[at]
        if char == "-":
            out += b"/"
        elif char == "\\":
            digits = text[at + 2 : at + 4]
            if (
                text[at + 1 : at + 2] != "x"
                or len(digits) != 2
                or not all(d in "0123456789abcdefABCDEF" for d in digits)
            ):
                raise BadInput(
                    f"{option}: {shown(text)} is not escaped text: at character {at + 1}, \\ without xNN after it"
                )
            out.append(int(digits, 16))
            at += 3
        else:
            out += _bytes(char, option) if char > "\x7f" else char.encode()
        at += 1
    return out.decode("utf-8", "surrogateescape")


def _bytes(text: str, option: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        char = text[error.start]
        raise BadInput(f"{option}: {shown(text)} holds {shown(char)}, which is no character; leave it out") from None


def escape_path(path: str, option: str = "text") -> str:
    """`systemd-escape --path PATH`: slashes at both ends and doubled ones go, the root itself is `-`."""
    parts = [part for part in path.split("/") if part and part != "."]
    return escape("/".join(parts), option) if parts else "-"


def unescape_path(text: str, option: str = "text") -> str:
    """`systemd-escape --unescape --path TEXT`: the absolute path that an escaped name stands for."""
    return "/" if text == "-" else "/" + unescape(text, option)


def object_path(name: str) -> str:
    """The D-Bus object path of a loaded unit (sd_bus_path_encode(3)): every byte but letters and digits as `_NN`."""
    out = []
    for index, byte in enumerate(name.encode("utf-8", "surrogatepass")):
        char = chr(byte)
        plain = char in _LETTERS and not (index == 0 and char in "0123456789")
        out.append(char if plain else f"_{byte:02x}")
    return "/org/freedesktop/systemd1/unit/" + "".join(out)
