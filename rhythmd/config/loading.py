"""From `config.toml`, over it `RHYTHMD_SECTION__KEY` variables, over them `--set section.key=value`, to a `Config`."""

import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, get_args

from msgspec import Struct, ValidationError, convert

from rhythmd.config.relations import check_relations
from rhythmd.config.sections import Config
from rhythmd.errors import ConfigError

__all__ = ["load_config"]

ENV_PREFIX: Final = "RHYTHMD_"


class _Layers:
    """Values by section and key, each with the source that set it last."""

    def __init__(self) -> None:
        self.values: dict[str, dict[str, Any]] = {}
        self.sources: dict[tuple[str, str], str] = {}

    def put(self, section: str, key: str, value: object, source: str) -> None:
        self.values.setdefault(section, {})[key] = value
        self.sources[section, key] = source


def _read_file(path: Path, layers: _Layers) -> None:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    for section, table in tables.items():
        if not isinstance(table, dict):
            raise ConfigError(f"{path}: {section}: a key outside a section; sections are {_names(Config)}")
        for key, value in table.items():
            layers.put(section, key, value, str(path))


def _scalar(text: str) -> object:
    """`text` as TOML would read it; what is no TOML value is the string itself."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _read_environment(environment: Mapping[str, str], layers: _Layers) -> None:
    for name, text in environment.items():
        section, separator, key = name.removeprefix(ENV_PREFIX).lower().partition("__")
        if name.startswith(ENV_PREFIX) and separator:
            layers.put(section, key, _scalar(text), name)


def _read_settings(settings: Iterable[str], layers: _Layers) -> None:
    for setting in settings:
        path, separator, text = setting.partition("=")
        section, dot, key = path.strip().partition(".")
        if not (separator and dot and key):
            raise ConfigError(f"--set {setting}: the form is section.key=value")
        layers.put(section, key, _scalar(text.strip()), f"--set {path.strip()}")


def _names(struct: type[Struct]) -> str:
    return ", ".join(struct.__struct_fields__)


def _check_names(layers: _Layers) -> None:
    sections = Config.__struct_fields__
    for (section, key), source in layers.sources.items():
        if section not in sections:
            raise ConfigError(f"{source}: unknown section {section!r}; allowed: {', '.join(sections)}")
        struct = type(getattr(Config(), section))
        if key not in struct.__struct_fields__:
            raise ConfigError(f"{source}: unknown key {section}.{key}; allowed: {_names(struct)}")


def _convert(section: str, layers: _Layers) -> Any:
    struct = type(getattr(Config(), section))
    values = layers.values.get(section, {})
    for key, value in values.items():
        text = _string_wanted(struct, key, value)
        try:
            convert({key: text}, struct)
        except ValidationError as error:
            source = layers.sources[section, key]
            raise ConfigError(f"{source}: {section}.{key} = {value!r}: {_expected(struct, key, error)}") from error
        values[key] = text
    return convert(values, struct)


def _expected(struct: type[Struct], key: str, error: ValidationError) -> str:
    """The values that a key may have. msgspec says it, but does not list those of a choice."""
    choices = [choice for choice in get_args(struct.__annotations__[key]) if isinstance(choice, str)]
    if choices:
        return f"expected one of {', '.join(choices)}"
    return str(error).partition(" - at `")[0]


def _string_wanted(struct: type[Struct], key: str, value: object) -> object:
    """A value from the environment that looks like a number where a string is wanted is a string."""
    if struct.__annotations__.get(key) is str and isinstance(value, int | float):
        return str(value)
    return value


def load_config(path: Path | None, environment: Mapping[str, str] = os.environ, settings: Iterable[str] = ()) -> Config:
    """The checked configuration.

    Args:
        path: a TOML file; None for the defaults.
        environment: where `RHYTHMD_SECTION__KEY` variables are looked up; their values are written as in TOML.
        settings: `section.key=value`, strongest of all.

    Raises:
        ConfigError: a file cannot be read, a key is unknown or a value is not allowed; the text says which.
    """
    layers = _Layers()
    if path is not None:
        _read_file(path, layers)
    _read_environment(environment, layers)
    _read_settings(settings, layers)
    _check_names(layers)
    config = Config(**{section: _convert(section, layers) for section in Config.__struct_fields__})
    check_relations(config)
    return config
