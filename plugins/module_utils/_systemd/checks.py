# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What values of options have in common, whatever they mean: checked at the border, before anything is read or asked.

Each check names the option, of lists with the element (`name[3]`), shows of the value what fits into a line, and says what
to write instead.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.pidone.systemd.plugins.module_utils._errors import BadInput, shown
from ansible_collections.pidone.systemd.plugins.module_utils._systemd.numbers import count, is_digits

# Characters of a value that a message shows, and characters that a message has at most.
_SHOWN = 60
_MESSAGE = 8000
# MAX_ARG_STRLEN of Linux: an argument or variable has at most so many bytes, its end included (execve(2)).
ARGUMENT_BYTES = 32 * 4096
# Numbers of users and groups are 32 bits, of which the last one stands for "none", as does that of 16 bits (uid_is_valid() of
# systemd).
_LAST_ID = 2**32 - 2
_NONE_OF_16 = 2**16 - 1
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# What would move a terminal's cursor or colours; a message has lines.
_UNSHOWABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SYMBOLIC = re.compile(r"[ugoa]*(?:[-+=](?:[rwxXst]*|[ugo]))+")


def presentable(message: str, params: t.Any, most: int = _MESSAGE) -> str:
    """A message as it may be shown, whoever wrote it: values cut short, bounded, without control characters.

    :param params: the task's options, whose long values are looked for.
    :param most: characters at most.
    """
    if len(message) > _SHOWN * 2:
        for text in _long_texts(params):
            for form in (text, text.strip(), repr(text)[1:-1]):
                # What is left of blanks would be found everywhere.
                if len(form) > _SHOWN and form in message:
                    message = message.replace(form, f"{form[:_SHOWN]}... ({len(text)} characters)")
    if len(message) > most:
        head, tail = message[: most * 3 // 4], message[-most // 4 :]
        message = f"{head} ... ({len(message) - most} characters left out) ... {tail}"
    message = _UNSHOWABLE.sub(lambda found: f"\\x{ord(found.group()):02x}", message)
    return message.encode("utf-8", "backslashreplace").decode()


def showable(value: t.Any) -> t.Any:
    """Options as a result may hold them: without numbers that JSON cannot, as Python makes no text of them."""
    if isinstance(value, int) and value.bit_length() > 4096:
        return shown(value)
    if isinstance(value, dict):
        return {key: showable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [showable(each) for each in value]
    return value


def _long_texts(value: t.Any) -> t.Iterator[str]:
    """All that a message may have been given of a value and that is long, the whole before its parts."""
    if isinstance(value, str):
        if len(value) > _SHOWN * 2:
            yield value
    elif isinstance(value, int):
        # Beyond that, Python makes no text of it, so that it is in no message.
        if _SHOWN * 8 < value.bit_length() < 4096:
            yield str(value)
    elif isinstance(value, (dict, list, tuple)):
        try:
            text = repr(value)
        except (ValueError, RecursionError):
            text = ""
        if len(text) > _SHOWN * 2:
            yield text
            for each in [*value, *value.values()] if isinstance(value, dict) else value:
                yield from _long_texts(each)


def check_values(params: t.Mapping[str, t.Any], as_data: t.Container[str] = (), binary: t.Container[str] = ()) -> None:
    """Refuse what is a value for nobody, in any option and at any depth: a NUL, what is no Unicode, numbers beyond 64 bits.

    None can be in a path, a name, an argument, a variable or a message on D-Bus, and all that takes them ends in an
    error of its own.

    :param as_data: options that hold the contents of files, which may be any.
    :param binary: options of which the text is data, and may have NULs.
    :raises BadInput: naming the option and the place.
    """
    for option, value in params.items():
        if option not in as_data:
            _check_value(value, option, option in binary)


def _check_value(value: t.Any, option: str, nul: bool) -> None:
    if isinstance(value, str):
        # Both are quick, of megabytes too.
        at = -1 if nul else value.find("\0")
        if at >= 0:
            raise BadInput(f"{option}: character {at + 1} is a NUL, which no text here can have; take it out")
        if not value.isascii():
            found = _SURROGATE.search(value)
            if found:
                raise BadInput(
                    f"{option}: character {found.start() + 1} is {found.group()!a}, a byte that is no UTF-8 or half of a "
                    "surrogate pair; write the text in UTF-8"
                )
    elif isinstance(value, int):
        if value.bit_length() > 64:
            raise BadInput(f"{option}: {shown(value)} is more than 64 bits hold, and no number that is asked for here")
    elif isinstance(value, dict):
        for key, each in value.items():
            place = f"{option}.{key}" if isinstance(key, str) and key.isidentifier() and len(key) < _SHOWN else option
            _check_value(key, f"{option}: a key", nul)
            _check_value(each, place, nul)
    elif isinstance(value, (list, tuple)):
        for index, each in enumerate(value):
            # Names of thousands of units.
            if not isinstance(each, str) or not each.isascii() or "\0" in each:
                _check_value(each, f"{option}[{index}]", nul)


def check_line(text: str, option: str, what: str, example: str, most: int = 4096) -> str:
    """Text of one line: not empty, without control characters, bounded.

    :param what: what it is, with its article ("a time").
    :param example: what to write instead ("write one such as ...").
    :raises BadInput: it is not.
    """
    if not text.strip():
        raise BadInput(
            f"{option}: {'is empty' if not text else 'holds blanks only'}; {example}, or leave `{option}` out"
        )
    found = _CONTROL.search(text)
    if found:
        char = "a line break" if found.group() in "\r\n\u2028\u2029" else f"the control character {found.group()!r}"
        raise BadInput(f"{option}: {shown(text)} holds {char}, which {what} cannot; {example}")
    if len(text) > most:
        raise BadInput(f"{option}: {shown(text)} is longer than {most} characters, which {what} cannot be; {example}")
    return text


def check_range(number: int, option: str, low: int, high: int, example: str) -> int:
    """A number between two bounds, both included.

    :raises BadInput: it is not.
    """
    if not low <= number <= high:
        raise BadInput(f"{option}: {shown(number)} is not between {low} and {high}; {example}")
    return number


def check_account(text: str, option: str, what: str = "user") -> str:
    """The name or number of a user or group, as systemd takes it (valid_user_group_name(), relaxed); it need not be there.

    :param what: `user` or `group`.
    :raises BadInput: it can be the name of none.
    """
    example = f"write the name or number of a {what}"
    if not text:
        raise BadInput(f"{option}: is empty; {example}, or leave `{option.partition('[')[0]}` out")
    if is_digits(text):
        if count(text) > _LAST_ID:
            raise BadInput(f"{option}: {shown(text)} is more than {_LAST_ID}, the last number of a {what}; {example}")
        if count(text) == _NONE_OF_16 or (text[0] == "0" and text != "0"):
            raise BadInput(
                f"{option}: {shown(text)} is the number of no {what}: these go from 0 to {_LAST_ID}, without {_NONE_OF_16} and "
                f"without a 0 before them; {example}"
            )
        return text
    bad = _CONTROL.search(text) or re.search("[/:]", text)
    if bad:
        raise BadInput(
            f"{option}: {shown(text)} holds {'a line break' if bad.group() in chr(10) + chr(13) else repr(bad.group())}, "
            f"which the name of a {what} cannot; {example}"
        )
    if (
        text[0] == "-"
        or text.strip() != text
        or text in (".", "..")
        or re.fullmatch(r"[0-9-]*", text)
        # Of another script, or a superscript.
        or text.isdigit()
    ):
        raise BadInput(f"{option}: {shown(text)} cannot be the name of a {what}; {example}")
    if len(text) > 256:
        raise BadInput(f"{option}: {shown(text)} is longer than 256 characters, as no name of a {what} is; {example}")
    return text


def check_directory(path: str, option: str) -> str:
    """An absolute path without detours, `/` at its end taken off.

    :raises BadInput: it is not.
    """
    example = "write the absolute path of a directory"
    check_line(path, option, "a path", example)
    if not path.startswith("/"):
        raise BadInput(
            f"{option}: {shown(path)} is not absolute, and where a task works is nothing to rely on; {example}"
        )
    if ".." in path.split("/"):
        raise BadInput(f"{option}: {shown(path)} has '..' in it, which links make ambiguous; {example}")
    if any(len(part.encode()) > 255 for part in path.split("/")):
        raise BadInput(f"{option}: {shown(path)} has a part of more than 255 bytes, as no path can; {example}")
    return path.rstrip("/") or "/"


def check_mode(mode: t.Any, option: str = "mode") -> None:
    """The mode of a file that others read and nobody executes: octal digits or symbolic.

    What was not quoted may not be what was written: YAML makes 420 of 0644, which is the same mode, but leaves 644 what it
    is, which is 0o1204. Of numbers, only modes that somebody may want are taken: the group may do no more than the owner, and
    others no more than the group. Set-uid, set-gid and sticky bits mean nothing on a unit file, and are never taken.

    :raises BadInput: it is not.
    """
    example = "write one such as '0644' or 'u=rw,go=r', in quotes"
    if isinstance(mode, int) and not isinstance(mode, bool):
        parts = [mode >> 6, mode >> 3 & 7, mode & 7]
        # Nobody may more than who stands before, or write what may not be read.
        usual = all(before | part == before for before, part in zip(parts, parts[1:])) and not {1, 2, 3} & set(parts)
        if not (0 < mode <= 0o777 and usual):
            octal = f", which is 0o{mode:o}" if 0 <= mode < 10**6 else ""
            raise BadInput(
                f"{option}: {shown(mode)} is a number{octal}, as it was not quoted, and no mode of a unit file; {example}"
            )
        return
    text = mode if isinstance(mode, str) else ""
    if re.fullmatch("0?[0-7]{3}", text):
        return
    if not text or not all(_SYMBOLIC.fullmatch(part) for part in text.split(",")):
        raise BadInput(f"{option}: {shown(mode)} is no mode of a unit file; {example}")
    if re.search("[st]", text):
        raise BadInput(
            f"{option}: {shown(text)} has set-uid, set-gid or sticky bits, which a unit file has none of; {example}"
        )
