# Copyright (c) 2026, pidone.systemd contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Systemd's names on D-Bus, and the types of what it answers, as signatures (org.freedesktop.systemd1(5)).

A manager that answers anything else is none; the bus checks it, so nobody above has to. They are the same in all versions
that are tested, which tests ask those versions about.
"""

from __future__ import annotations

BUS_NAME = "org.freedesktop.systemd1"
MANAGER_PATH = "/org/freedesktop/systemd1"
MANAGER = "org.freedesktop.systemd1.Manager"
UNIT = "org.freedesktop.systemd1.Unit"
SERVICE = "org.freedesktop.systemd1.Service"
TIMER = "org.freedesktop.systemd1.Timer"
SOCKET = "org.freedesktop.systemd1.Socket"
SCOPE = "org.freedesktop.systemd1.Scope"

# Of answers and signals, by member. Each method that is called anywhere must be here.
ANSWERS = {
    "ListUnitsByNames": "a(ssssssouso)",
    "ListUnitsByPatterns": "a(ssssssouso)",
    "ListUnitFilesByPatterns": "a(ss)",
    "ListJobs": "a(usssoo)",
    "GetUnit": "o",
    "GetUnitFileState": "s",
    "GetUnitProcesses": "a(sus)",
    "GetDefaultTarget": "s",
    "Subscribe": "",
    "Reload": "",
    "Reexecute": "",
    "EnqueueMarkedJobs": "ao",
    "RefUnit": "",
    "KillUnit": "",
    "QueueSignalUnit": "",
    "FreezeUnit": "",
    "ThawUnit": "",
    "CleanUnit": "",
    "BindMountUnit": "",
    "MountImageUnit": "",
    "CancelJob": "",
    "ResetFailedUnit": "",
    "SetUnitProperties": "",
    "UnsetAndSetEnvironment": "",
    "SetDefaultTarget": "a(sss)",
    "EnableUnitFiles": "ba(sss)",
    "DisableUnitFiles": "a(sss)",
    "MaskUnitFiles": "a(sss)",
    "UnmaskUnitFiles": "a(sss)",
    "PresetUnitFiles": "ba(sss)",
    "AddDependencyUnitFiles": "a(sss)",
    "StartTransientUnit": "o",
    "StartUnitWithFlags": "o",
    "StartUnit": "o",
    "StopUnit": "o",
    "RestartUnit": "o",
    "ReloadUnit": "o",
    "TryRestartUnit": "o",
    "ReloadOrRestartUnit": "o",
    "ReloadOrTryRestartUnit": "o",
    "JobRemoved": "uoss",
}
# Of properties that are read by name; none has another type on another interface.
TYPES = {
    name: signature
    for signature, names in {
        "(aiai)": "RestartPreventExitStatus",
        "(bas)": "RestrictNetworkInterfaces",
        "(ss)": "LoadError",
        "(uo)": "Job",
        "a(iayu)": "IPAddressAllow IPAddressDeny",
        "a(iiqq)": "SocketBindAllow SocketBindDeny",
        "a(iiss)": "NFTSet",
        "a(sasbttttuii)": (
            "ExecActivate ExecCondition ExecMount ExecReload ExecRemount ExecStart ExecStartPost ExecStartPre"
        ),
        "a(sba(ss))": "ExtensionImages",
        "a(sbbsi)": "Asserts Conditions",
        "a(ss)": "BPFProgram DeviceAllow Listen",
        "a(ssba(ss))": "MountImages",
        "a(sst)": "TimersCalendar",
        "a(st)": (
            "BlockIODeviceWeight BlockIOReadBandwidth BlockIOWriteBandwidth IODeviceWeight IOReadBandwidthMax "
            "IOReadIOPSMax IOWriteBandwidthMax IOWriteIOPSMax"
        ),
        "a(stt)": "TimersMonotonic",
        "aay": "LogExtraFields",
        "as": (
            "After Before BindsTo BoundBy CacheDirectory CanClean ConfigurationDirectory ConflictedBy Conflicts ConsistsOf "
            "DelegateControllers DisableControllers "
            "DropInPaths Environment ExecSearchPath IPEgressFilterPath IPIngressFilterPath Markers Names OnFailure OnSuccess "
            "LogsDirectory PartOf RequiredBy Requires Requisite RequisiteOf RuntimeDirectory StateDirectory TriggeredBy Triggers "
            "UnitPath UpheldBy Upholds WantedBy Wants"
        ),
        "ay": "AllowedCPUs AllowedMemoryNodes InvocationID StartupAllowedCPUs StartupAllowedMemoryNodes",
        "b": (
            "Accept AllowIsolate AssertResult BlockIOAccounting CPUAccounting CanFreeze CanReload ConditionResult CoredumpReceive "
            "DefaultBlockIOAccounting DefaultCPUAccounting DefaultIOAccounting DefaultIPAccounting "
            "DefaultMemoryAccounting DefaultTasksAccounting DeferReactivation Delegate DynamicUser FixedRandomDelay "
            "IOAccounting IPAccounting MemoryAccounting MemoryZSwapWriteback NeedDaemonReload OnClockChange "
            "OnTimezoneChange Perpetual Persistent PrivateDevices RefuseManualStart RefuseManualStop RemainAfterElapse "
            "RemainAfterExit TasksAccounting Transient WakeSystem"
        ),
        "i": "ExecMainCode ExecMainStatus",
        "s": (
            "ActiveState Architecture BusName CleanResult CollectMode ControlGroup DelegateSubgroup Description DevicePolicy Features "
            "FragmentPath FreezerState Group KillMode LoadState LogLevel LogTarget ManagedOOMMemoryPressure ManagedOOMPreference ManagedOOMSwap "
            "MemoryPressureWatch ReloadResult Restart Result RootDirectory RootImage Slice SourcePath StandardError "
            "StandardOutput StatusText SubState SystemState Tainted Type Unit UnitFilePreset User Version Virtualization "
            "Where WorkingDirectory"
        ),
        "t": (
            "AccuracyUSec ActiveEnterTimestampMonotonic BlockIOWeight CPUQuotaPerSecUSec CPUShares CPUUsageNSec CPUWeight "
            "ConditionTimestamp DefaultMemoryLow DefaultMemoryMin DefaultStartupMemoryLow DefaultTasksMax "
            "ExecMainExitTimestamp ExecMainExitTimestampMonotonic ExecMainStartTimestamp ExecMainStartTimestampMonotonic "
            "FinishTimestampMonotonic FirmwareTimestampMonotonic GeneratorsFinishTimestampMonotonic "
            "GeneratorsStartTimestampMonotonic IOReadBytes IOWeight IOWriteBytes IPEgressBytes IPIngressBytes "
            "InactiveEnterTimestampMonotonic InactiveExitTimestamp InactiveExitTimestampMonotonic "
            "InitRDTimestampMonotonic KernelTimestampMonotonic LastTriggerUSec LastTriggerUSecMonotonic "
            "LoaderTimestampMonotonic MemoryHigh MemoryLimit MemoryLow MemoryMax MemoryMin MemoryPeak "
            "MemoryPressureThresholdUSec MemorySwapMax MemorySwapPeak MemoryZSwapMax NextElapseUSecMonotonic "
            "NextElapseUSecRealtime RandomizedDelayUSec RestartUSec SecurityFinishTimestampMonotonic SecurityStartTimestampMonotonic "
            "StartLimitIntervalUSec StartupBlockIOWeight StartupCPUShares StartupCPUWeight StartupIOWeight "
            "StartupMemoryHigh StartupMemoryLow StartupMemoryMax StartupMemorySwapMax StartupMemoryZSwapMax TasksMax "
            "UnitsLoadFinishTimestampMonotonic UnitsLoadStartTimestampMonotonic UnitsLoadTimestamp UnitsLoadTimestampMonotonic "
            "UserspaceTimestampMonotonic"
        ),
        "u": (
            "ControlPID ExecMainPID MainPID ManagedOOMMemoryPressureLimit NAccepted NConnections NFailedJobs NFailedUnits NFileDescriptorStore "
            "NInstalledJobs NJobs NNames NRefused NRestarts StartLimitBurst"
        ),
    }.items()
    for name in names.split()
}
