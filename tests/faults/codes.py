"""What AWS's error codes mean for a resource, judged from AWS's documents and not from the product's table.

Sources: the descriptions of the error shapes in botocore's service models; the API references' pages "Common
Error Types"; EC2's API reference, "Error codes for the Amazon EC2 API", since EC2's model declares none; S3's
API reference, "Error responses".
"""

from collections.abc import Mapping
from enum import Enum, auto


class Meaning(Enum):
    """What a person, or a later sweep, has to do."""

    UNCLEAR = auto()
    """Nobody knows whether the call took effect: a later sweep looks."""
    SLOW = auto()
    """AWS did nothing, since it was asked too much: a later sweep tries again."""
    BUSY = auto()
    """The thing is in a state that passes: a later sweep tries again."""
    FULL = auto()
    """As many copies or exports are under way as may be: a later sweep tries again."""
    STALE = auto()
    """The session's credentials are too old, and AWS did nothing: a later sweep has new ones."""
    GONE = auto()
    """The thing is not there."""
    TAKEN = auto()
    """Something else has the name."""
    DENIED = auto()
    """A person has to give a permission."""
    KEY = auto()
    """A person has to look after the KMS key."""
    QUOTA = auto()
    """A person has to raise a quota or make room."""
    SHARES = auto()
    """A person has to take back shares of the snapshot."""
    RECOVERY_OFF = auto()
    """A person has to switch point-in-time recovery on."""
    TOO_LATE = auto()
    """AWS no longer has the state of that instant; the next slot will do."""
    KEY_CHANGED = auto()
    """An export of this slot with other settings is still known; it can be repeated in some hours."""
    OTHER = auto()
    """No documented way leads there from a request that the product makes, or AWS's own words say what to do:
    a person has to read them."""


_RDS_COPY = {
    "KMSKeyNotAccessibleFault": Meaning.KEY,
    "SnapshotQuotaExceeded": Meaning.QUOTA,
    # Of RDS Custom and Outposts; the product names no such zone.
    "CustomAvailabilityZoneNotFound": Meaning.OTHER,
    "DBSnapshotNotFound": Meaning.GONE,
    "DBClusterSnapshotNotFoundFault": Meaning.GONE,
    "InvalidDBSnapshotState": Meaning.BUSY,
    "InvalidDBClusterSnapshotStateFault": Meaning.BUSY,
    "InvalidDBClusterStateFault": Meaning.BUSY,
    "DBSnapshotAlreadyExists": Meaning.TAKEN,
    "DBClusterSnapshotAlreadyExistsFault": Meaning.TAKEN,
}

_EC2_ANY = {
    # "Your account is currently blocked", "… in the process of being verified": for a person, with AWS.
    "Blocked": Meaning.OTHER,
    "PendingVerification": Meaning.OTHER,
    "AuthFailure": Meaning.DENIED,
    "OptInRequired": Meaning.DENIED,
    "InvalidParameterValue": Meaning.OTHER,
    "OperationNotPermitted": Meaning.OTHER,
    "EC2ThrottledException": Meaning.SLOW,
    # Server errors, which come with a status of 500 or 503.
    "InternalFailure": Meaning.UNCLEAR,
    "ServiceUnavailable": Meaning.UNCLEAR,
    "Unavailable": Meaning.UNCLEAR,
}
"""What EC2 may say of any operation, besides what `protocols` has: tried with one."""

EC2_SERVER_ERRORS = {
    "InternalError": 500,
    "InternalFailure": 500,
    "ServiceUnavailable": 503,
    "Unavailable": 503,
}
"""The statuses of EC2's server errors; all other codes come with 400, or 403 where the caller may not."""

_EC2_SNAPSHOT_LIMITS = {
    "ConcurrentSnapshotLimitExceeded": Meaning.SLOW,
    "PendingSnapshotLimitExceeded": Meaning.SLOW,
    "SnapshotLimitExceeded": Meaning.QUOTA,
    "SnapshotCreationPerVolumeRateExceeded": Meaning.SLOW,
    "TagLimitExceeded": Meaning.OTHER,
}

EC2: Mapping[str, Mapping[str, Meaning]] = {
    "DescribeVolumes": {"InvalidVolume.NotFound": Meaning.GONE},
    "DescribeInstances": {"InvalidInstanceID.NotFound": Meaning.GONE},
    "DescribeSnapshots": {"InvalidSnapshot.NotFound": Meaning.GONE},
    "CreateSnapshot": {
        **_EC2_ANY,
        **_EC2_SNAPSHOT_LIMITS,
        "InvalidVolume.NotFound": Meaning.GONE,
        "IncorrectState": Meaning.BUSY,
    },
    "CreateSnapshots": {
        **_EC2_SNAPSHOT_LIMITS,
        "InvalidInstanceID.NotFound": Meaning.GONE,
        "InvalidVolume.NotFound": Meaning.GONE,
        "IncorrectState": Meaning.BUSY,
        "IncorrectInstanceState": Meaning.BUSY,
    },
    "CopySnapshot": {
        "InvalidSnapshot.NotFound": Meaning.GONE,
        "IncorrectState": Meaning.BUSY,
        # "… for example, you might have too many snapshot copies in progress".
        "ResourceLimitExceeded": Meaning.FULL,
        "SnapshotLimitExceeded": Meaning.QUOTA,
        "PendingSnapshotLimitExceeded": Meaning.SLOW,
        "InvalidKmsKey.InvalidState": Meaning.KEY,
        "InvalidKmsKey.NotFound": Meaning.KEY,
        "SnapshotCopyUnsupported.InterRegion": Meaning.OTHER,
        "TagLimitExceeded": Meaning.OTHER,
    },
    "DeleteSnapshot": {
        "InvalidSnapshot.NotFound": Meaning.GONE,
        "InvalidSnapshot.InUse": Meaning.OTHER,
        "IncorrectState": Meaning.BUSY,
    },
    "ModifySnapshotAttribute": {
        "InvalidSnapshot.NotFound": Meaning.GONE,
        "IncorrectState": Meaning.BUSY,
    },
}
"""By operation, the codes that EC2's list describes for what it works on, and those of any operation."""

DECLARED: Mapping[str, Mapping[str, Meaning]] = {
    "dynamodb.CreateBackup": {
        "TableNotFoundException": Meaning.GONE,
        "TableInUseException": Meaning.BUSY,
        "ContinuousBackupsUnavailableException": Meaning.BUSY,
        "BackupInUseException": Meaning.BUSY,
        "LimitExceededException": Meaning.SLOW,
        "InternalServerError": Meaning.UNCLEAR,
    },
    "dynamodb.DeleteBackup": {
        "BackupNotFoundException": Meaning.GONE,
        "BackupInUseException": Meaning.BUSY,
        "LimitExceededException": Meaning.SLOW,
        "InternalServerError": Meaning.UNCLEAR,
    },
    "dynamodb.ListBackups": {"InternalServerError": Meaning.UNCLEAR},
    "dynamodb.ListTables": {"InternalServerError": Meaning.UNCLEAR},
    "dynamodb.DescribeTable": {
        "ResourceNotFoundException": Meaning.GONE,
        "InternalServerError": Meaning.UNCLEAR,
    },
    "dynamodb.DescribeExport": {
        # That one is a state of the export, and no failure of the listing.
        "LimitExceededException": Meaning.SLOW,
        "InternalServerError": Meaning.UNCLEAR,
    },
    "dynamodb.ExportTableToPointInTime": {
        "TableNotFoundException": Meaning.GONE,
        "PointInTimeRecoveryUnavailableException": Meaning.RECOVERY_OFF,
        "LimitExceededException": Meaning.FULL,
        "InvalidExportTimeException": Meaning.TOO_LATE,
        "ExportConflictException": Meaning.KEY_CHANGED,
        "InternalServerError": Meaning.UNCLEAR,
    },
    "rds.CreateDBSnapshot": {
        "DBInstanceNotFound": Meaning.GONE,
        "SnapshotQuotaExceeded": Meaning.QUOTA,
        "InvalidDBInstanceState": Meaning.BUSY,
        "DBSnapshotAlreadyExists": Meaning.TAKEN,
    },
    "rds.CreateDBClusterSnapshot": {
        "DBClusterNotFoundFault": Meaning.GONE,
        "SnapshotQuotaExceeded": Meaning.QUOTA,
        "InvalidDBClusterStateFault": Meaning.BUSY,
        "InvalidDBClusterSnapshotStateFault": Meaning.BUSY,
        "DBClusterSnapshotAlreadyExistsFault": Meaning.TAKEN,
    },
    "rds.CopyDBSnapshot": _RDS_COPY,
    "rds.CopyDBClusterSnapshot": _RDS_COPY,
    "rds.DeleteDBSnapshot": {"DBSnapshotNotFound": Meaning.GONE, "InvalidDBSnapshotState": Meaning.BUSY},
    "rds.DeleteDBClusterSnapshot": {
        "DBClusterSnapshotNotFoundFault": Meaning.GONE,
        "InvalidDBClusterSnapshotStateFault": Meaning.BUSY,
    },
    "rds.ModifyDBSnapshotAttribute": {
        "SharedSnapshotQuotaExceeded": Meaning.SHARES,
        "DBSnapshotNotFound": Meaning.GONE,
        "InvalidDBSnapshotState": Meaning.BUSY,
    },
    "rds.ModifyDBClusterSnapshotAttribute": {
        "SharedSnapshotQuotaExceeded": Meaning.SHARES,
        "DBClusterSnapshotNotFoundFault": Meaning.GONE,
        "InvalidDBClusterSnapshotStateFault": Meaning.BUSY,
    },
    "rds.DescribeDBInstances": {"DBInstanceNotFound": Meaning.GONE},
    "rds.DescribeDBClusters": {"DBClusterNotFoundFault": Meaning.GONE},
    "rds.DescribeDBSnapshots": {"DBSnapshotNotFound": Meaning.GONE},
    "rds.DescribeDBClusterSnapshots": {"DBClusterSnapshotNotFoundFault": Meaning.GONE},
    "resourcegroupstaggingapi.GetResources": {
        "InvalidParameterException": Meaning.OTHER,
        "ThrottledException": Meaning.SLOW,
        "InternalServiceException": Meaning.UNCLEAR,
        # "A PaginationToken is valid for a maximum of 15 minutes": the listing has to begin anew.
        "PaginationTokenExpiredException": Meaning.BUSY,
    },
    "sts.AssumeRole": {
        "MalformedPolicyDocument": Meaning.OTHER,
        "PackedPolicyTooLarge": Meaning.OTHER,
        # "STS is not activated in the requested region … The account administrator must activate STS in that
        # region": no policy permits it.
        "RegionDisabledException": Meaning.OTHER,
        "ExpiredTokenException": Meaning.STALE,
    },
    "s3.ListObjectsV2": {"NoSuchBucket": Meaning.GONE},
    "s3.DeleteObjects": {},
    "s3.PutObject": {
        "InvalidRequest": Meaning.OTHER,
        "InvalidWriteOffset": Meaning.OTHER,
        "TooManyParts": Meaning.OTHER,
        "EncryptionTypeMismatch": Meaning.OTHER,
    },
}
"""Every error that a service's model declares for an operation, by the code on the wire. Of what no outcome
depends on (see `sites.site.Harm`), no meaning is asked for."""
