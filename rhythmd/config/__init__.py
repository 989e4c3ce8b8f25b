"""The configuration: its sections, and how it is put together and checked at the start."""

from rhythmd.config.loading import Loaded, load_config, read_config, with_sources
from rhythmd.config.machine import check_packages, lacking, load_tls
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
from rhythmd.config.urls import local_url, socket_address

__all__ = [
    "AuthConfig",
    "BlobsConfig",
    "Config",
    "ErrorsConfig",
    "HubConfig",
    "LimitsConfig",
    "Loaded",
    "QuotaConfig",
    "RecordingConfig",
    "RoomsConfig",
    "ServerConfig",
    "SheetsConfig",
    "WorkersConfig",
    "check_packages",
    "lacking",
    "load_config",
    "load_tls",
    "local_url",
    "read_config",
    "socket_address",
    "with_sources",
]
