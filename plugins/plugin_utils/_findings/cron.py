# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only cron and anacron have."""

from __future__ import annotations

from ansible_collections.pidone.systemd.plugins.plugin_utils._findings.kinds import Kind, hint

KINDS: dict[str, Kind] = {
    "cron.reboot": Kind(
        "The job runs at boot and has no times",
        "info",
        hint("Enable a service for it instead of a timer, as the finding says."),
    ),
    "cron.never": Kind("The job never runs", "warning", hint("Correct the fields, or remove the line.")),
    "cron.both-days": Kind(
        "Both fields of days have to match", "info", hint("Nothing; compare the calendar where this was not meant.")
    ),
    "cron.random-time": Kind(
        "A time that differs between crons",
        "warning",
        hint("Add RandomizedDelaySec= and FixedRandomDelay=true where hosts shall not run it at the same time."),
    ),
    "cron.backwards": Kind(
        "A range that runs backwards", "warning", hint("Write it as the finding says, if all of them are meant.")
    ),
    "cron.step": Kind(
        "A step after a single number", "warning", hint("Write the range out, such as 5-59/10, or the number alone.")
    ),
    "cron.clock-forward": Kind(
        "Times that are skipped when summer time begins",
        "info",
        hint("Choose another hour, or UTC, where that matters."),
    ),
    "cron.clock-back": Kind(
        "Times that come twice when summer time ends",
        "info",
        hint("Choose UTC, or OnUnitActiveSec=, where that matters."),
    ),
    "cron.zone": Kind(
        "A time zone that not every cron reads", "warning", hint("Compare the times with those at which the job ran.")
    ),
    "cron.user": Kind(
        "It is not known whose crontab it is", "warning", hint("Say it with the option user of the filter.")
    ),
    "cron.percent": Kind(
        "A percent sign ends the command",
        "warning",
        hint("Write \\% in the crontab where a percent sign is meant, and convert it again."),
    ),
    "cron.period": Kind(
        "A period of days is no calendar", "decision", hint("Choose dates for OnCalendar=, or OnUnitActiveSec=.")
    ),
    "cron.missed": Kind(
        "A missed run is made up for", "info", hint("Choose another hour where many hosts would run it at once.")
    ),
    "cron.hours": Kind("START_HOURS_RANGE is no range of hours", "warning", hint("Write it as a range such as 3-22.")),
    "cron.umask": Kind(
        "The umask may differ", "info", hint("Set UMask=0002 where others of the group write what the job makes.")
    ),
    "cron.variable": Kind("Nothing is expanded in the variable", "warning", hint("Write what it should come to.")),
    "cron.mail": Kind(
        "What the job prints is not mailed",
        "info",
        hint("Write OnFailure= with a unit that sends mail where somebody has to know."),
    ),
    "cron.delay": Kind(
        "A random delay that not every cron knows",
        "warning",
        hint("Compare it with when the job ran, and take the line out where it had no effect."),
    ),
}
