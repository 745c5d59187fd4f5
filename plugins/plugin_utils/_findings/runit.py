# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only runit and daemontools have."""

from __future__ import annotations

from ansible_collections.pidone.systemd.plugins.plugin_utils._findings.kinds import Kind, command, hint

KINDS: dict[str, Kind] = {
    "runit.stop": Kind(
        "How the service is stopped",
        "info",
        hint(
            "Set TimeoutStopSec= in a drop-in of {unit} where stopping takes longer, and KillMode=process where children are to "
            "live on."
        ),
    ),
    "runit.stderr": Kind(
        "Standard error goes to the journal",
        "info",
        hint("Set StandardError=null in a drop-in of {unit} where nobody should see it."),
    ),
    "runit.keep-directory": Kind(
        "The service directory stays the working directory", "info", hint("Keep {path} when runit goes.")
    ),
    "runit.keep-script": Kind(
        "The unit goes on running a script of the service directory", "warning", hint("Keep {path} when runit goes.")
    ),
    "runit.wrapped": Kind(
        "The unit runs the original script",
        "info",
        hint("Keep {path} when runit goes, and change the script there rather than the unit."),
    ),
    "runit.file": Kind(
        "A file of the service directory that may be in use", "info", hint("Keep it where it is when runit goes.")
    ),
    "runit.file-unused": Kind(
        "A file of the service directory that nobody uses", "info", hint("Nothing; it goes with the service directory.")
    ),
    "runit.not-run": Kind(
        "A script that runsv does not run either",
        "info",
        hint("Nothing. Where it was meant to be run, mend it, and translate again."),
    ),
    "runit.run-mode": Kind(
        "run is not executable", "warning", hint("Exclude the service where it is not to run; else nothing.")
    ),
    "runit.down": Kind(
        "The service is not started with the host",
        "info",
        command("Leave it disabled; start it when it is needed.", "systemctl start {unit}"),
    ),
    "runit.stays-down": Kind(
        "The service is not started again",
        "info",
        command("Start it by hand where it is to run again.", "systemctl start {unit}"),
    ),
    "runit.one-shot": Kind(
        "A service that is done at once stays active",
        "info",
        command("Restart it to have the steps done again.", "systemctl restart {unit}"),
    ),
    "runit.one-shot-failed": Kind(
        "A step that fails leaves the unit failed",
        "info",
        hint("Set Restart=on-failure in a drop-in of {unit} where it is to be tried again."),
    ),
    "runit.ends": Kind(
        "The script ends without leaving a process",
        "warning",
        hint(
            "If it is to be repeated, write a timer for it; if it starts a daemon that goes into the background, have that stay "
            "in the foreground."
        ),
    ),
    "runit.no-command": Kind(
        "The script starts no command of its own", "warning", hint("Exclude the service, or mend the script.")
    ),
    "runit.finish": Kind(
        "finish runs after each exit",
        "info",
        hint("Set TimeoutStopSec= in a drop-in of {unit} where finish may take longer."),
    ),
    "runit.finish-sv": Kind(
        "finish calls sv within a condition",
        "decision",
        hint(
            "Say with Restart=, OnFailure= or ExecStopPost= in a drop-in of {unit} what should happen, and accept it."
        ),
    ),
    "runit.check": Kind(
        "check is asked after the start",
        "info",
        hint("Nothing, unless seven seconds are too few: then write {unit} by hand with another ExecStartPost=."),
    ),
    "runit.check-sv": Kind(
        "check asks sv and was left out",
        "warning",
        hint(
            "Where others have to wait for more than the start, write ExecStartPost= with another test in a drop-in of {unit}."
        ),
    ),
    "runit.control-stop": Kind(
        "control/t runs instead of the stop signal",
        "info",
        hint("Set TimeoutStopSec= in a drop-in of {unit} where stopping takes more than 90 seconds."),
    ),
    "runit.control-reload": Kind(
        "control/h runs at a reload", "info", command("Use this where sv hup was.", "systemctl reload {unit}")
    ),
    "runit.control-down": Kind(
        "control/d or control/x acts besides the stop signal",
        "decision",
        hint("Accept it, or write the script as ExecStop= in a drop-in of {unit} where it prepares the stop."),
    ),
    "runit.control-other": Kind(
        "A script in control was left out",
        "decision",
        command(
            "Accept it, and send the signal by systemctl where sv was called.",
            "systemctl kill --signal=SIG{signal} {unit}",
        ),
    ),
    "runit.control-sv": Kind(
        "A script in control calls sv",
        "decision",
        hint("Say what it is for with KillSignal=, ExecStop= or ExecReload= in a drop-in of {unit}, and accept it."),
    ),
    "runit.sv-told": Kind(
        "systemd is told what sv was told",
        "info",
        hint("Where it is only there to start or order another service, Wants= and After= say so without a command."),
    ),
    "runit.sv-stops": Kind(
        "Another service is stopped by systemctl",
        "decision",
        hint("Accept it where the other is to be stopped there. Conflicts= is for services that never run together."),
    ),
    "runit.sv-finish": Kind(
        "finish has systemd start or stop another service",
        "decision",
        hint(
            "Accept it, or use PartOf=, BindsTo= or OnFailure=, which often say it better, in a unit written by hand."
        ),
    ),
    "runit.sv-left-out": Kind(
        "A call of sv was left out",
        "decision",
        hint(
            "Say by Wants=, After= or PartOf= in a drop-in of {unit} how the two services depend on each other, and accept it."
        ),
    ),
    "runit.sv-needless": Kind("A call of sv that needs no counterpart", "info", hint("Nothing.")),
    "runit.sv-own": Kind(
        "A call of sv is taken for the service itself",
        "warning",
        hint("Look whether another service of that name exists; if so, write {unit} by hand."),
    ),
    "runit.asks": Kind(
        "A program asks or tells the supervisor",
        "decision",
        hint(
            "Say by a dependency, or by systemctl, what it is for, in a unit written by hand; accept it where its failure does "
            "no harm."
        ),
    ),
    "runit.package": Kind(
        "The unit still runs programs of the old supervisor",
        "warning",
        hint("Leave the package that has them installed when runit goes."),
    ),
    "runit.runsvdir": Kind(
        "The service is a runsvdir of its own",
        "warning",
        hint(
            "Leave the package of runit installed, and move its services by themselves, with the option path of "
            "service_import_info."
        ),
    ),
    "runit.supervise": Kind(
        "The unit reads or makes files below supervise",
        "warning",
        hint(
            "Put what is read or made there elsewhere, in a unit written by hand. The process is $MAINPID for ExecReload= and "
            "ExecStop=."
        ),
    ),
    "runit.invoke-run": Kind(
        "What Debian's invoke-run does is in the unit",
        "info",
        hint(
            "Write no shell into /etc/default, and leave the package of runit installed where the original script is run."
        ),
    ),
}
