"""What a server says of itself at `/metrics`: whom it has hindered."""

from collections.abc import Mapping
from typing import Final
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from bench.report import Target
from bench.servers import Running

__all__ = ["hindered", "nobody_hindered"]

_WAITS: Final = "rhythmd_slowed"
_HINDRANCES: Final = {"rhythmd_refusals": "refused", _WAITS: "slowed", "rhythmd_closes": "closed"}
_WAIT_MS: Final = 50.0
"""The shortest wait that is counted."""
_PATIENCE_S: Final = 10.0


def hindered(server: Running, late_ms: float = 0.0) -> dict[str, int]:
    """How often the server refused a message, let a connection wait for its turn, or closed one, each by its reason.

    Waits say nothing where the load itself was `late_ms` late, and that is as long as they are. Raises OSError.
    """
    with urlopen(f"http://{server.host}:{server.port}/metrics", timeout=_PATIENCE_S) as answer:
        text = answer.read().decode()
    return {
        f"{_HINDRANCES[family.name]} {sample.labels['code']}": int(sample.value)
        for family in text_string_to_metric_families(text)
        if family.name in _HINDRANCES
        for sample in family.samples
        if sample.value and not (family.name == _WAITS and late_ms >= _WAIT_MS)
    }


def nobody_hindered(what: str, hindrances: Mapping[str, int]) -> Target:
    """No message was refused, no connection had to wait for its turn, none was closed."""
    measured = ", ".join(f"{count} {name}" for name, count in hindrances.items()) or "nobody"
    return Target(f"{what}: refused, slowed or closed", "nobody", measured, not hindrances)
