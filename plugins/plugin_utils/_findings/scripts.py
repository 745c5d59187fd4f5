# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of start scripts, whatever runs them."""

from __future__ import annotations

from ansible_collections.pidone.systemd.plugins.plugin_utils._findings.kinds import Kind, command, hint

KINDS: dict[str, Kind] = {
    "shell.line": Kind(
        "A line of shell runs the service",
        "warning",
        hint(
            "Read the line in ExecStart=. Where a constant or an EnvironmentFile= would do, write {unit} by hand into the "
            "directory of overrides."
        ),
    ),
    "shell.step": Kind(
        "A step before the command is a line of shell",
        "info",
        hint("Read the step. Directories are better made by RuntimeDirectory= and its kin, files by systemd-tmpfiles."),
    ),
    "shell.condition": Kind(
        "A condition is a line of shell",
        "info",
        hint("Read the line in ExecCondition=. Where it only asks for a file, a Condition...= directive is shorter."),
    ),
    "shell.command": Kind(
        "Other commands of the unit are lines of shell",
        "info",
        hint("Read the lines in the directives that the finding names."),
    ),
    "shell.decided": Kind(
        "A condition was decided at translation", "info", hint("Translate again when what it asks for has changed.")
    ),
    "shell.fixed": Kind(
        "A value was fixed at translation",
        "decision",
        hint(
            "Accept it where the value is to stay. Otherwise write it into a drop-in for each host, or translate again after "
            "each change."
        ),
    ),
    "shell.home": Kind(
        "The home directory is taken for that of root",
        "decision",
        hint("Accept it where /root is meant. Otherwise set HOME= in the script, or write the unit by hand."),
    ),
    "shell.unset": Kind(
        "A variable that nothing sets",
        "warning",
        hint("Give the variable its value by Environment= in a drop-in of {unit}, or take it out of the script."),
    ),
    "shell.unset-optional": Kind(
        "An optional variable that nothing sets",
        "info",
        hint("Where it is to be of use, give it a value by Environment= in a drop-in of {unit}."),
    ),
    "shell.message": Kind(
        "Messages and output of the script are left out",
        "info",
        hint(
            "Look into the journal instead; where a program waits for the text, such as a monitor of log files, have it look for "
            "systemd's own messages."
        ),
    ),
    "shell.package": Kind(
        "A program in the shell text that a package must bring",
        "info",
        hint("Leave the package installed that has the program, or write {unit} by hand with User= and Limit...=."),
    ),
    "shell.substitution": Kind(
        "A command within an argument runs as the user of the service",
        "decision",
        hint(
            "Look whether the command may do its work as that user. Where not, have it done by a step (ExecStartPre=+) that "
            "leaves its answer in a file."
        ),
    ),
    "shell.unreachable": Kind(
        "Statements that are never reached",
        "info",
        hint("Nothing is to be done where they were meant to be dead; else mend the script, and translate it again."),
    ),
    "shell.globs": Kind(
        "The shell of the script expands no patterns",
        "warning",
        hint("Look for *, ? and [ in the commands of {unit}, and quote them where they are in a line of shell."),
    ),
    "script.construct": Kind(
        "The original script is run for a construct in it",
        "warning",
        hint(
            "Keep the service directory. Better, put a plain exec of the program in place of the construct, and translate again."
        ),
    ),
    "script.long": Kind(
        "The original script is run, as too much of it is shell",
        "warning",
        hint(
            "Keep the service directory, or shorten the script: settings into a file of NAME=value lines, preparations into a "
            "program of their own."
        ),
    ),
    "script.syntax": Kind(
        "The script cannot be read as shell",
        "warning",
        hint("Run sh -n on the script and mend it; where it runs all the same, keep the service directory."),
    ),
    "script.words": Kind(
        "The script changes how the shell splits words",
        "warning",
        hint("Keep the service directory. Better, write the words where they are used, without IFS."),
    ),
    "script.output": Kind(
        "The script writes messages into the file of its output, or makes the directory of that file",
        "warning",
        hint("Keep the service directory, or take the messages out of the script; make the directory of that file beforehand, as by tmpfiles.d."),
    ),
    "script.root": Kind(
        "The script computes something as root that its command gets",
        "warning",
        hint(
            "Keep the service directory. Better, have a step (ExecStartPre=+) leave the value in a file for EnvironmentFile=."
        ),
    ),
    "script.background": Kind(
        "The script put its service into the background",
        "decision",
        hint("Accept it where the program is to run once. Look for a second one of it on the host, and stop that."),
    ),
    "script.program": Kind(
        "What runs the service is no shell script that could be read",
        "warning",
        hint("Keep the service directory, or write {unit} by hand with the settings that the program needs."),
    ),
    "settings.file": Kind(
        "A file of settings is read by EnvironmentFile=",
        "info",
        hint("Nothing, unless the program minds a variable more; then UnsetEnvironment= in a drop-in takes it away."),
    ),
    "settings.absent": Kind(
        "A file of settings that does not exist",
        "info",
        hint("Write no shell into it. Where the unit does not name the file, translate again once it exists."),
    ),
    "settings.not-collected": Kind(
        "A file of settings that was not collected",
        "warning",
        hint("Look at the file on the host. If it is shell, translate on the host itself rather than from a checkout."),
    ),
    "settings.shell": Kind(
        "A file of settings uses shell",
        "warning",
        hint("Write its values out as NAME=value lines, and translate again: then EnvironmentFile= reads it."),
    ),
    "settings.fixed": Kind(
        "Values of a file of settings were fixed at translation",
        "decision",
        hint(
            "Accept it where the values are to stay. Otherwise write them out as NAME=value lines, and translate again."
        ),
    ),
    "settings.private": Kind(
        "A private file of settings uses shell",
        "warning",
        hint(
            "Write its values out as NAME=value lines, mode 0600, and translate again: then EnvironmentFile= reads it."
        ),
    ),
    "settings.unused": Kind(
        "A file of settings that sets nothing of use",
        "info",
        hint("Remove the file together with the service directory, if nobody else reads it."),
    ),
    "condition.skips": Kind(
        "Where a condition does not hold, the service is skipped",
        "info",
        hint("Start {unit} once the condition holds, where that may come later than the host's start."),
    ),
    "condition.once": Kind(
        "A condition that may hold later is asked once",
        "warning",
        hint("Have whoever makes the file start {unit}, or write a path unit (PathExists=) for it."),
    ),
    "account.nobody": Kind(
        "The service runs as nobody",
        "decision",
        hint(
            "Give the service a user of its own, or DynamicUser=yes, in a drop-in of {unit}; accept it where that can wait."
        ),
    ),
    "account.groups": Kind(
        "User= adds supplementary groups",
        "decision",
        hint(
            "Accept it where the groups may be there. Otherwise take the user out of the groups, or give the service another "
            "user."
        ),
    ),
    "account.groups-unknown": Kind(
        "User= may add supplementary groups",
        "info",
        command(
            "Look whether the user has further groups, and take it out of them or give the service another user where it "
            "matters.",
            "id {user}",
        ),
    ),
    "account.ids": Kind(
        "UID and GID were fixed at translation",
        "warning",
        hint("Translate again on each host where the account may have other numbers."),
    ),
    "account.late": Kind(
        "The account is known only when the service starts",
        "decision",
        hint("Accept it, and leave the package of that program installed; or write {unit} by hand with User=."),
    ),
    "account.login": Kind(
        "The profile of a login shell is no longer read",
        "warning",
        hint("Set what the service needs of the profile by Environment= in a drop-in of {unit}."),
    ),
    "account.pam": Kind(
        "No PAM session is opened",
        "info",
        hint("Set PAMName=su in a drop-in of {unit} where the service relies on what a session brings."),
    ),
    "environment.public": Kind(
        "Variables of an environment directory are in the unit",
        "decision",
        hint(
            "Accept it where none is a secret. Otherwise move secrets into a file of mode 0600 for EnvironmentFile=, or use "
            "LoadCredential=, and write {unit} by hand."
        ),
    ),
    "environment.private": Kind(
        "What only some users could read is in the unit",
        "decision",
        hint(
            "Accept it where nothing of it is a secret. Otherwise move secrets into a file of mode 0600 for EnvironmentFile=, "
            "and write {unit} by hand."
        ),
    ),
    "environment.not-collected": Kind(
        "An environment directory that was not collected",
        "warning",
        hint("Leave the directory and the package of chpst where they are, or translate on the host itself."),
    ),
    "environment.name": Kind(
        "The name of a variable that systemd does not take",
        "warning",
        hint("Rename the variable, or look whether anybody reads it."),
    ),
    "environment.clean": Kind(
        "The environment is systemd's",
        "info",
        hint("Nothing, unless the program minds a variable more; then UnsetEnvironment= in a drop-in takes it away."),
    ),
    "limit.hard": Kind(
        "The hard limit is set too",
        "info",
        hint("Write SOFT:HARD into the directive, in a drop-in of {unit}, where the service raises the limit itself."),
    ),
    "limit.steps": Kind(
        "A limit applies to the steps before the command as well",
        "warning",
        hint(
            "Look whether the steps can do with it. Otherwise write {unit} by hand, with prlimit in front of the command."
        ),
    ),
    "limit.left": Kind(
        "A limit stays what systemd has it",
        "info",
        command(
            "Compare the limit with that of the running service.",
            "systemctl show --property=LimitNOFILE,LimitNPROC,LimitMEMLOCK,LimitCORE,LimitSTACK {unit}",
        ),
    ),
    "output.closed": Kind(
        "A closed stream is /dev/null", "info", hint("Nothing, unless the program looks whether the stream is open.")
    ),
    "output.truncate": Kind(
        "A file of output is emptied at each start",
        "info",
        hint("On hosts with an older systemd, use append: in a drop-in of {unit}, and rotate the file."),
    ),
    "directory.runtime": Kind(
        "A runtime directory goes when the service stops",
        "info",
        hint("Set RuntimeDirectoryPreserve=yes in a drop-in of {unit} where something in it is to stay."),
    ),
    "directory.shared": Kind(
        "A runtime directory of several services stays",
        "info",
        hint("Nothing, unless it should go with the last of them; then remove it by tmpfiles.d or by hand."),
    ),
    "directory.owner": Kind(
        "systemd gives the directory to the service where it is another's",
        "info",
        hint("Where single files in it may belong to others, add ExecStartPre=+chown -R in a drop-in of {unit}."),
    ),
    "process.wrapper": Kind(
        "A program stays in front of the command", "info", hint("Leave the package of that program installed.")
    ),
    "process.hangup": Kind(
        "SIGHUP is no longer ignored",
        "info",
        hint(
            "Nothing, unless somebody sends the service SIGHUP: without nohup that ends a program that does not handle it."
        ),
    ),
}
