"""From `config.toml`, over it `RHYTHMD_SECTION__KEY` variables, over them `--set section.key=value`, to a `Config`.

All problems are found at once: a bad value does not hide the next one, nor a file that is no TOML what is wrong with
the environment. A rule between keys is looked at when its keys are good.
"""

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args

from msgspec import Struct, ValidationError, convert

from rhythmd.config.relations import broken_rules
from rhythmd.config.sections import Config
from rhythmd.errors import ConfigError
from rhythmd.terminal import has_surrogates

__all__ = ["Loaded", "load_config", "read_config", "with_sources"]

ENV_PREFIX: Final = "RHYTHMD_"
FILE_KEYS: Final = ("data_dir", "tls_cert", "tls_key")  # the names of files are bytes, which may be anything
SECRET_KEYS: Final = re.compile("secret|access_key")
USER_INFO: Final = re.compile(r"//[^/@\s]*@")


class _Text(str):
    """A value as it was written in the environment or an option, where a string needs no quotation marks."""

    __slots__ = ()


class Loaded(NamedTuple):
    """What was read.

    Attributes:
        config: with the defaults in the place of what is wrong.
        problems: what is wrong, a line each.
        doubtful: the keys (`section.key`) that are not known to be good.
        sources: by key, where its value comes from.
    """

    config: Config
    problems: list[str]
    doubtful: frozenset[str]
    sources: Mapping[str, str]


class _Layers:
    """Values by section and key, each with the source that set it last, and what is wrong with them."""

    def __init__(self) -> None:
        self.values: dict[str, dict[str, Any]] = {}
        self.sources: dict[str, str] = {}
        self.problems: list[str] = []
        self.is_complete = True

    def put(self, section: str, key: str, value: object, source: str) -> None:
        problem = _unknown(section, key)
        if problem is not None:
            self.problems.append(f"{source}: {problem}")
            return
        self.values.setdefault(section, {})[key] = value
        self.sources[f"{section}.{key}"] = source

    def lack(self, problem: str) -> None:
        """A source cannot be read: what it would have said about any key is not known."""
        self.problems.append(problem)
        self.is_complete = False


def _unknown(section: str, key: str) -> str | None:
    sections = Config.__struct_fields__
    if section not in sections:
        return f"unknown section {section!r}; allowed: {', '.join(sections)}"
    fields = _struct(section).__struct_fields__
    return None if key in fields else f"unknown key {section}.{key}; allowed: {', '.join(fields)}"


def _struct(section: str) -> type[Struct]:
    return type(getattr(Config(), section))


def _read_file(path: Path, layers: _Layers) -> None:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        layers.lack(f"{path}: cannot be read: {error.strerror}")
        return
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        layers.lack(f"{path}: not TOML: {error}")
        return
    for section, table in tables.items():
        if not isinstance(table, dict):
            names = ", ".join(Config.__struct_fields__)
            layers.problems.append(f"{path}: {section}: a key outside a section; sections are {names}")
            continue
        if not table and section not in Config.__struct_fields__:
            layers.put(section, "", None, str(path))
        for key, value in table.items():
            layers.put(section, key, value, str(path))


def _read_environment(environment: Mapping[str, str], layers: _Layers) -> None:
    for name, text in environment.items():
        section, separator, key = name.removeprefix(ENV_PREFIX).lower().partition("__")
        if name.startswith(ENV_PREFIX) and separator:
            layers.put(section, key, _Text(text), name)


def _read_settings(settings: Iterable[str], options: Mapping[str, str], layers: _Layers) -> None:
    for source, setting in (*(("--set", setting) for setting in settings), *options.items()):
        path, separator, text = setting.partition("=")
        section, dot, key = path.strip().partition(".")
        if separator and dot and key:
            layers.put(section, key, _Text(text.strip()), f"--set {path.strip()}" if source == "--set" else source)
        else:
            layers.problems.append(f"--set {setting}: the form is section.key=value")


def _convert(section: str, layers: _Layers, doubtful: set[str]) -> Any:
    """The section, with the defaults of what is wrong in it."""
    struct, good = _struct(section), {}
    for key, given in layers.values.get(section, {}).items():
        name = f"{section}.{key}"
        value = _value(struct, key, given)
        problem = _problem(struct, key, value)
        if problem is None:
            good[key] = value
        else:
            doubtful.add(name)
            layers.problems.append(f"{layers.sources[name]}: {name} = {_shown(key, value)}: {problem}")
    return convert(good, struct)


def _value(struct: type[Struct], key: str, given: object) -> object:
    """`given` as TOML would read it. What is no TOML value is the string itself, and so is a number that shall be one.

    A string is taken as it is written: as a number, a secret of digits would lose its zeros.
    """
    is_string = struct.__annotations__[key] is str
    if not isinstance(given, _Text):
        return str(given) if is_string and isinstance(given, int | float) else given
    try:
        value = tomllib.loads(f"value = {given}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return str(given)
    return str(given) if is_string and not isinstance(value, str) else value


def _shown(key: str, value: object) -> str:
    """A value in a message, which may end in a log: without secrets."""
    return "(not shown)" if SECRET_KEYS.search(key) else USER_INFO.sub("//…@", repr(value))


def _problem(struct: type[Struct], key: str, value: object) -> str | None:
    """What a key may have, if this is something else. msgspec says it, but does not list the values of a choice."""
    if key not in FILE_KEYS and isinstance(value, str) and has_surrogates(value):
        return "expected UTF-8"
    try:
        convert({key: value}, struct)
    except ValidationError as error:
        choices = [choice for choice in get_args(struct.__annotations__[key]) if isinstance(choice, str)]
        if choices:
            return f"expected one of {', '.join(choices)}"
        text = str(error).partition(" - at `")[0]
        if "matching regex" in text:
            return "expected a URL such as https://piano.example"
        return f'{text}, such as ["a", "b"]' if text.startswith("Expected `array`") else text
    return None


def read_config(
    path: Path | None,
    environment: Mapping[str, str] = os.environ,
    settings: Iterable[str] = (),
    options: Mapping[str, str] = {},
) -> Loaded:
    """Read everything, and find all that is wrong.

    The arguments are those of `load_config`, and `options`: by the name of an option (`--port`) what it sets, as
    `section.key=value`.
    """
    layers = _Layers()
    if path is not None:
        _read_file(path, layers)
    _read_environment(environment, layers)
    _read_settings(settings, options, layers)
    doubtful: set[str] = set()
    config = Config(**{section: _convert(section, layers, doubtful) for section in Config.__struct_fields__})
    if not layers.is_complete:
        names = {
            f"{section}.{key}" for section in Config.__struct_fields__ for key in _struct(section).__struct_fields__
        }
        doubtful |= names - layers.sources.keys()
    for keys, text in broken_rules(config, doubtful):
        layers.problems.append(with_sources(text, keys, layers.sources))
    return Loaded(config, layers.problems, frozenset(doubtful), layers.sources)


def with_sources(text: str, keys: Iterable[str], sources: Mapping[str, str]) -> str:
    """A problem of some keys, with where their values come from before it."""
    origins = dict.fromkeys(sources[key] for key in keys if key in sources)
    return ": ".join([", ".join(origins), text]) if origins else text


def load_config(path: Path | None, environment: Mapping[str, str] = os.environ, settings: Iterable[str] = ()) -> Config:
    """The checked configuration.

    Args:
        path: a TOML file; None for the defaults.
        environment: where `RHYTHMD_SECTION__KEY` variables are looked up; their values are written as in TOML.
        settings: `section.key=value`, strongest of all.

    Raises:
        ConfigError: a file cannot be read, a key is unknown or a value is not allowed; the text says which, in a line
            for each problem.
    """
    loaded = read_config(path, environment, settings)
    if loaded.problems:
        raise ConfigError("\n".join(loaded.problems))
    return loaded.config
