# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of services, whatever ran them before."""

from __future__ import annotations

from ansible_collections.pidone.systemd.plugins.plugin_utils._findings.kinds import Kind, command, hint, variables

KINDS: dict[str, Kind] = {
    "dependency.wants": Kind(
        "Another service that is asked for is started before",
        "info",
        hint("Use Requires= in a drop-in of {unit} where it must not run without the other."),
    ),
    "dependency.after": Kind(
        "Another service is before this one where both are enabled",
        "info",
        hint("Add Wants= in a drop-in of {unit} where the other is to be started as well."),
    ),
    "dependency.conflicts": Kind(
        "Another service is stopped when this one starts",
        "decision",
        hint(
            "Accept it where the two never run together. Otherwise write {unit} by hand, with systemctl stop in ExecStartPre=."
        ),
    ),
    "dependency.unasked": Kind(
        "Another service is started whatever a condition says",
        "decision",
        hint(
            "Accept it where that is right. Otherwise write {unit} by hand without Wants=, and leave it to the other's "
            "[Install]."
        ),
    ),
    "dependency.circle": Kind(
        "Services that wait for each other",
        "warning",
        hint("Say which of the two comes first, and take the other's After= out by a unit of your own."),
    ),
    "log.files": Kind(
        "The journal takes the output instead of log files",
        "decision",
        variables(
            "Accept it where the journal will do. The option log=svlogd keeps the log service, with its files, for all services "
            "of a host.",
            runit_migration_log="svlogd",
        ),
    ),
    "log.filters": Kind(
        "Lines were selected, sent or processed",
        "decision",
        variables(
            "Accept it where that is not needed any more. LogFilterPatterns= in a drop-in selects lines, rsyslog sends them; "
            "log=svlogd keeps the log service.",
            runit_migration_log="svlogd",
        ),
    ),
    "log.settings": Kind(
        "Sizes and forms of log files are the journal's",
        "info",
        hint(
            "Set SystemMaxUse= and MaxRetentionSec= in journald.conf for the host; journalctl --output= chooses the form."
        ),
    ),
    "log.program": Kind(
        "A program that did more than keep the log",
        "decision",
        variables(
            "Accept it where the program is not needed any more. Otherwise log=svlogd keeps the log service, or have the program "
            "follow journalctl.",
            runit_migration_log="svlogd",
        ),
    ),
    "log.unclear": Kind(
        "What becomes of the log is not understood",
        "decision",
        variables(
            "Read log/run, and accept it where the journal will do. Otherwise log=svlogd keeps the log service.",
            runit_migration_log="svlogd",
        ),
    ),
    "log.journal": Kind(
        "The journal takes the output",
        "info",
        command("Look at it there. rsyslog reads the journal where it is installed.", "journalctl --unit={unit}"),
    ),
    "log.steps": Kind(
        "Steps of the log service are left out", "info", hint("Keep or remove the old files as you wish.")
    ),
    "timer.interval": Kind(
        "A command that is run again after a pause is a timer",
        "decision",
        hint(
            "Accept it where nobody needs the service to be active all the time; enable and start the timer, not the service."
        ),
    ),
    "timer.snooze": Kind(
        "A timer does what snooze did", "info", command("Compare the times.", "systemctl list-timers --all {timer}")
    ),
    "timer.not-made": Kind(
        "snooze stays in the unit",
        "warning",
        hint("Leave the package of snooze installed, or write a timer by hand into the directory of overrides."),
    ),
    "timer.waiting-time": Kind(
        "A waiting time of snooze was left out",
        "decision",
        hint("Accept it where the calendar alone will do. Otherwise write the timer by hand, with OnUnitActiveSec=."),
    ),
    "service.packaged": Kind(
        "The host has a unit of this name already",
        "decision",
        variables("Use the package's unit, as the role does by default.", runit_migration_packaged=["{service}"]),
    ),
    "service.getty": Kind(
        "systemd has units of its own for login prompts",
        "decision",
        command(
            "Exclude the service, as the role does by default, and enable systemd's unit.", "systemctl enable {getty}"
        ),
    ),
    "service.early": Kind(
        "The service belongs to the early boot",
        "info",
        hint("Look whether its program needs more than local file systems."),
    ),
    "service.path": Kind(
        "The place of the service directory is assumed",
        "info",
        hint("Put the directory at {path} on the host, or translate on the host itself."),
    ),
    "service.collecting": Kind(
        "Something could not be collected",
        "warning",
        hint("Run it as root (become), look at what the finding names, and translate again."),
    ),
    "service.kept-down": Kind(
        "The script kept its service from being started from then on",
        "decision",
        command(
            "Accept it where that will do. Where the service is done for good, disable it.", "systemctl disable {unit}"
        ),
    ),
    "refused.run": Kind(
        "There is no run script that could be started", "warning", hint("Exclude the service, or mend it.")
    ),
    "refused.sv": Kind(
        "The script calls sv where it cannot be left out",
        "warning",
        hint(
            "Write {unit} by hand into the directory of overrides, or take sv out of the construct, and translate again."
        ),
    ),
    "refused.background": Kind(
        "The script ends while its service goes on",
        "warning",
        hint("Rewrite the script so that it runs the service in the foreground, with exec."),
    ),
    "refused.name": Kind("No unit can have the name", "warning", hint("Rename the service directory.")),
    "refused.size": Kind(
        "The service is too large to be translated",
        "warning",
        hint("Write {unit} by hand, or translate the services in parts, with the option name of service_import_info."),
    ),
    "refused.error": Kind(
        "The scripts could not be understood",
        "warning",
        hint("Report it with the script, and write {unit} by hand until it is mended."),
    ),
}
