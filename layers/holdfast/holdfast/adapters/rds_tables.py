"""Every setting of an RDS instance and of a cluster, and how each is brought back."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from holdfast.adapters.rds_settings import (
    DAYS,
    FEATURES,
    FLAG,
    HOURS,
    KEY,
    NAME,
    NUMBER,
    NUMBERS,
    PROTECTION,
    ROLE,
    TEXT,
    TEXTS,
    Answer,
    Form,
    Setting,
    Table,
    as_told,
    in_state,
    logs_change,
    numbers,
    security_groups,
    sorted_texts,
    unless_zero,
)
from holdfast.core.restoring import Json

SCALING = "ServerlessV2ScalingConfiguration"

_OF_THE_BACKUP = "it is as the backup has it"
_BY_HAND = "no restore brings it back: add it by hand"


def _subnet_group(answer: Answer) -> Json:
    name: Json = (answer.get("DBSubnetGroup") or {}).get("DBSubnetGroupName")
    return name


def _features(answer: Answer) -> Json:
    return {one["Name"]: one["Value"] for one in answer.get("ProcessorFeatures", ())} or None


def _features_change(has: Json, wanted: Json) -> object:  # noqa: ARG001
    return named_features(wanted)


def named_features(features: object) -> list[dict[str, object]]:
    found = features if isinstance(features, Mapping) else {}
    return [{"Name": name, "Value": value} for name, value in sorted(found.items())]


def _port(answer: Answer) -> Json:
    port: Json = (answer.get("Endpoint") or {}).get("Port") or answer.get("DbInstancePort")
    return port or None


def _growth(answer: Answer) -> Json:
    """To which storage may grow by itself; there is none where that is what it has."""
    most = answer.get("MaxAllocatedStorage")
    return most if most != answer.get("AllocatedStorage") else None


def _roles(answer: Answer) -> Json:
    """The roles that the database can take on, with what for."""
    found = [
        {"FeatureName": one.get("FeatureName", ""), "RoleArn": one["RoleArn"]}
        for one in answer.get("AssociatedRoles", ())
    ]
    return sorted(found, key=lambda one: (one["FeatureName"], one["RoleArn"])) or None


def _secret(answer: Answer) -> Json:
    return True if answer.get("MasterUserSecret") else None


def _directory(answer: Answer) -> Json:
    return next((one.get("Domain") for one in answer.get("DomainMemberships", ())), None)


def _directory_role(answer: Answer) -> Json:
    return next((one.get("IAMRoleName") for one in answer.get("DomainMemberships", ())), None)


def _same(name: str, form: Form, **more: Any) -> Setting:
    """A setting that describe, restore and modify call alike."""
    return Setting(name=name, form=form, read=as_told(name), restored=name, modified=name, **more)


def _changed(name: str, form: Form, **more: Any) -> Setting:
    """One that no restore takes."""
    return Setting(name=name, form=form, read=as_told(name), modified=name, **more)


def _fixed(name: str, lost: str = _OF_THE_BACKUP, read: Callable[[Answer], Json] | None = None) -> Setting:
    """One that nothing changes."""
    return Setting(name=name, form=TEXT, read=read or as_told(name), lost=lost)


def _insights() -> list[Setting]:
    """Enhanced monitoring and Performance Insights, which come back with the first modify call."""
    return [
        _changed("MonitoringInterval", NUMBER, group="monitoring"),
        _changed("MonitoringRoleArn", ROLE, group="monitoring"),
        Setting(
            name="PerformanceInsightsEnabled",
            form=FLAG,
            read=as_told("PerformanceInsightsEnabled"),
            modified="EnablePerformanceInsights",
            group="insights",
        ),
        _changed("PerformanceInsightsKMSKeyId", KEY, group="insights", regional=True),
        _changed("PerformanceInsightsRetentionPeriod", NUMBER, group="insights"),
        _changed("DatabaseInsightsMode", TEXT, group="insights"),
    ]


def _access_and_logs() -> list[Setting]:
    return [
        Setting(
            name="EnableIAMDatabaseAuthentication",
            form=FLAG,
            read=as_told("IAMDatabaseAuthenticationEnabled"),
            restored="EnableIAMDatabaseAuthentication",
            modified="EnableIAMDatabaseAuthentication",
        ),
        Setting(
            name="EnabledCloudwatchLogsExports",
            form=TEXTS,
            read=sorted_texts("EnabledCloudwatchLogsExports"),
            restored="EnableCloudwatchLogsExports",
            modified="CloudwatchLogsExportConfiguration",
            change=logs_change,
        ),
        Setting(
            name="VpcSecurityGroupIds",
            form=TEXTS,
            read=security_groups,
            restored="VpcSecurityGroupIds",
            modified="VpcSecurityGroupIds",
            regional=True,
        ),
        Setting(
            name="Domain",
            form=TEXT,
            read=_directory,
            restored="Domain",
            only_given=True,
            lost="give settings.Domain and settings.DomainIAMRoleName to join it to its directory",
        ),
        Setting(
            name="DomainIAMRoleName",
            form=TEXT,
            read=_directory_role,
            restored="DomainIAMRoleName",
            only_given=True,
            lost="give settings.Domain and settings.DomainIAMRoleName to join it to its directory",
        ),
        _fixed("AssociatedRoles", _BY_HAND, _roles),
        _fixed(
            "ManageMasterUserPassword",
            "the master password is that of the backup, and no secret rotates it: turn that on by hand",
            _secret,
        ),
    ]


def _keeping() -> list[Setting]:
    """What concerns its automated backups, maintenance and deletion."""
    return [
        _changed("BackupRetentionPeriod", NUMBER),
        _changed("PreferredBackupWindow", HOURS, group="windows"),
        _changed("PreferredMaintenanceWindow", DAYS, group="windows"),
        _same("CopyTagsToSnapshot", FLAG),
        _changed(PROTECTION, FLAG),
    ]


INSTANCE = Table(
    word="instance",
    settings=(
        _fixed("Engine"),
        _fixed("EngineVersion", "it is the backup's: upgrade it by hand"),
        _same("DBInstanceClass", TEXT),
        Setting(
            name="DBSubnetGroupName",
            form=NAME,
            read=_subnet_group,
            restored="DBSubnetGroupName",
            regional=True,
        ),
        Setting(
            name="DBParameterGroupName",
            form=NAME,
            read=in_state("DBParameterGroups", "DBParameterGroupName"),
            restored="DBParameterGroupName",
            modified="DBParameterGroupName",
            regional=True,
        ),
        Setting(
            name="OptionGroupName",
            form=NAME,
            read=in_state("OptionGroupMemberships", "OptionGroupName"),
            restored="OptionGroupName",
            modified="OptionGroupName",
            regional=True,
        ),
        _same("MultiAZ", FLAG),
        _same("StorageType", TEXT, group="storage"),
        Setting(
            name="AllocatedStorage",
            form=NUMBER,
            read=as_told("AllocatedStorage"),
            restored="AllocatedStorage",
            only_given=True,
            lost="it is the backup's: give settings.AllocatedStorage, if it is to be more",
        ),
        Setting(
            name="MaxAllocatedStorage",
            form=NUMBER,
            read=_growth,
            modified="MaxAllocatedStorage",
        ),
        Setting(
            name="Iops",
            form=NUMBER,
            read=unless_zero("Iops"),
            restored="Iops",
            modified="Iops",
            group="storage",
        ),
        Setting(
            name="StorageThroughput",
            form=NUMBER,
            read=unless_zero("StorageThroughput"),
            restored="StorageThroughput",
            modified="StorageThroughput",
            group="storage",
        ),
        _same("DedicatedLogVolume", FLAG),
        _fixed("StorageEncrypted"),
        _fixed("KmsKeyId", "an instance has the key of the backup that it is made of"),
        Setting(name="Port", form=NUMBER, read=_port, restored="Port", modified="DBPortNumber"),
        _same("PubliclyAccessible", FLAG, always=True),
        _same("AutoMinorVersionUpgrade", FLAG, always=True),
        _same("LicenseModel", TEXT),
        _same("NetworkType", TEXT),
        _same("CACertificateIdentifier", TEXT),
        _same("EngineLifecycleSupport", TEXT),
        Setting(
            name="ProcessorFeatures",
            form=FEATURES,
            read=_features,
            restored="ProcessorFeatures",
            modified="ProcessorFeatures",
            change=_features_change,
        ),
        *_access_and_logs(),
        *_insights(),
        *_keeping(),
    ),
)


def is_aurora(answer: Answer) -> bool:
    return str(answer.get("Engine", "")).startswith("aurora")


def _of_aurora(read: Callable[[Answer], Json]) -> Callable[[Answer], Json]:
    return lambda answer: read(answer) if is_aurora(answer) else None


def _of_multi_az(read: Callable[[Answer], Json]) -> Callable[[Answer], Json]:
    """Of what Aurora tells too, and means nothing there."""
    return lambda answer: None if is_aurora(answer) else read(answer)


def _storage_type(answer: Answer) -> Json:
    told: Json = answer.get("StorageType")
    return told if told == "aurora-iopt1" or not is_aurora(answer) else "aurora"


def _cluster_insights() -> list[Setting]:
    """Aurora's instances have their own monitoring."""
    return [
        replace(one, read=_of_multi_az(one.read)) if one.group == "monitoring" else one for one in _insights()
    ]


CLUSTER = Table(
    word="cluster",
    settings=(
        _fixed("Engine"),
        Setting(
            name="EngineVersion",
            form=TEXT,
            read=as_told("EngineVersion"),
            lost="it is the backup's: upgrade it by hand",
        ),
        _fixed("EngineMode"),
        Setting(
            name="DBClusterInstanceClass",
            form=TEXT,
            read=as_told("DBClusterInstanceClass"),
            restored="DBClusterInstanceClass",
            modified="DBClusterInstanceClass",
        ),
        Setting(
            name="DBSubnetGroupName",
            form=NAME,
            read=as_told("DBSubnetGroup"),
            restored="DBSubnetGroupName",
            regional=True,
        ),
        Setting(
            name="DBClusterParameterGroupName",
            form=NAME,
            read=as_told("DBClusterParameterGroup"),
            restored="DBClusterParameterGroupName",
            modified="DBClusterParameterGroupName",
            regional=True,
        ),
        Setting(
            name="StorageType",
            form=TEXT,
            read=_storage_type,
            restored="StorageType",
            modified="StorageType",
            group="storage",
        ),
        Setting(
            name="AllocatedStorage",
            form=NUMBER,
            read=_of_multi_az(unless_zero("AllocatedStorage")),
            modified="AllocatedStorage",
            only_given=True,
            lost="it is the backup's: give settings.AllocatedStorage, if it is to be more",
        ),
        Setting(
            name="Iops",
            form=NUMBER,
            read=_of_multi_az(unless_zero("Iops")),
            restored="Iops",
            modified="Iops",
            group="storage",
        ),
        _fixed("StorageEncrypted"),
        Setting(
            name="KmsKeyId",
            form=KEY,
            read=lambda answer: answer.get("KmsKeyId") if answer.get("StorageEncrypted") else None,
            restored="KmsKeyId",
            regional=True,
            only_given=True,
            lost="it has the key of the backup that it is made of: settings.KmsKeyId gives another",
        ),
        _same("Port", NUMBER),
        Setting(
            name="PubliclyAccessible",
            form=FLAG,
            read=_of_multi_az(as_told("PubliclyAccessible")),
            restored="PubliclyAccessible",
            always=True,
        ),
        _changed("AutoMinorVersionUpgrade", FLAG),
        _same("NetworkType", TEXT),
        _same("EngineLifecycleSupport", TEXT),
        Setting(
            name="BacktrackWindow",
            form=NUMBER,
            read=unless_zero("BacktrackWindow"),
            restored="BacktrackWindow",
            modified="BacktrackWindow",
        ),
        Setting(
            name=SCALING,
            form=NUMBERS,
            read=numbers(SCALING, "MinCapacity", "MaxCapacity", "SecondsUntilAutoPause"),
            restored=SCALING,
            modified=SCALING,
        ),
        _fixed(
            "HttpEndpointEnabled",
            "the Data API is off: turn it on by hand (EnableHttpEndpoint)",
            _of_aurora(as_told("HttpEndpointEnabled")),
        ),
        _fixed("GlobalClusterIdentifier", "it stands alone: add it to the global cluster by hand"),
        *_access_and_logs(),
        *_cluster_insights(),
        *_keeping(),
    ),
)
