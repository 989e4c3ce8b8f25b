"""The configuration: its sections, and how it is put together and checked at the start."""

from rhythmd.config.loading import load_config
from rhythmd.config.sections import (
    AuthConfig,
    BlobsConfig,
    Config,
    ErrorsConfig,
    HubConfig,
    LimitsConfig,
    QuotaConfig,
    RecordingConfig,
    RoomsConfig,
    ServerConfig,
    SheetsConfig,
    WorkersConfig,
)

__all__ = [
    "AuthConfig",
    "BlobsConfig",
    "Config",
    "ErrorsConfig",
    "HubConfig",
    "LimitsConfig",
    "QuotaConfig",
    "RecordingConfig",
    "RoomsConfig",
    "ServerConfig",
    "SheetsConfig",
    "WorkersConfig",
    "load_config",
]
