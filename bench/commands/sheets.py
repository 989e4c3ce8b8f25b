"""Real sheet music: how much of it parses, and whether other libraries read the same notes in it."""

import argparse
import io
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final

from msgspec import Struct, field

from bench.options import Cores, conditions
from bench.report import Report, Table, Target
from bench.sheets.comparison import Comparison, compare
from bench.sheets.corpus import Piece, default_folder, pieces
from bench.sheets.isolation import PeerProcess
from bench.sheets.peers import PEERS, PeerFailure, read_midi, version_of
from rhythmd.sheets.formats.analysis import analyse
from rhythmd.sheets.formats.bounds import RefusedFile

__all__ = ["HELP", "Findings", "add_arguments", "run"]

HELP: Final = "a corpus of sheet music: what parses, and other libraries' reading of it, note by note"
_PEER_TIMEOUT_S: Final = 120.0
_LINE: Final = re.compile(r"^(?:line|byte) \d+: ")
_EXAMPLES: Final = 3

# Of how many pieces a peer reads one: all would take music21 hours.
_EVERY: Final = {
    ("MusicXML", "Verovio"): 1,
    ("MusicXML", "music21"): 15,
    ("ABC", "music21"): 20,
}


class Findings(Struct):
    """What the reading of one format found; times in seconds."""

    pieces: int = 0
    notes: int = 0
    seconds: list[float] = field(default_factory=list)
    refusals: list[tuple[str, str]] = field(default_factory=list)
    remarks: Counter[str] = field(default_factory=Counter)


class Agreement(Struct):
    """What the comparison with one peer found."""

    pieces: int = 0
    equal: int = 0
    agreed: int = 0
    followed: int = 0
    ours: int = 0
    notes: int = 0
    lengths: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    pieces_of_kind: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)

    def add(self, result: Comparison) -> None:
        self.pieces += 1
        self.equal += not result.kinds
        self.agreed += result.agreed
        self.followed += result.followed
        self.ours += result.ours
        self.notes += max(result.ours, result.theirs)
        self.lengths += result.lengths
        self.kinds.update(result.kinds)
        self.pieces_of_kind.update(result.kinds.keys())

    @property
    def share(self) -> float:
        """Of the notes of the longer reading, those in the same place."""
        return self.agreed / self.notes if self.notes else 0.0

    @property
    def share_followed(self) -> float:
        """Of our notes, those that the peer has when its bars may be elsewhere."""
        return self.followed / self.ours if self.ours else 0.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--folder", type=Path, help="where the pieces are (the works in music21's package)")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="reads only one of N pieces (%(default)s)")
    parser.add_argument("--least", type=int, default=1_000, help="pieces that must parse (%(default)s)")
    parser.add_argument("--share", type=float, default=0.95, help="share of notes that must agree (%(default)s)")
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=list(PEERS), help="whom to compare with")


def run(arguments: argparse.Namespace) -> Report:
    found: dict[str, Findings] = {}
    agreements: dict[tuple[str, str], Agreement] = {}
    with ExitStack() as stack:
        peers = {name: stack.enter_context(PeerProcess(name, _PEER_TIMEOUT_S)) for name in arguments.peers}
        for number, piece in _numbered(arguments):
            midi = _read(piece, found.setdefault(piece.format, Findings()))
            if midi is None:
                continue
            for name, peer in peers.items():
                every = _EVERY.get((piece.format, name), 0)
                if every and number % every == 0:
                    agreement = agreements.setdefault((piece.format, name), Agreement())
                    _compare(piece, midi, peer, agreement)
    return _report(arguments, found, agreements)


def _numbered(arguments: argparse.Namespace) -> Iterator[tuple[int, Piece]]:
    """The pieces that are read, each with its number among those of its format."""
    numbers: Counter[str] = Counter()
    for index, piece in enumerate(pieces(arguments.folder or default_folder())):
        if index % arguments.every == 0:
            yield numbers[piece.format], piece
            numbers[piece.format] += 1


def _read(piece: Piece, findings: Findings) -> bytes | None:
    """Our MIDI file of a piece; None if it is refused."""
    midi = io.BytesIO()
    findings.pieces += 1
    began = perf_counter()
    try:
        facts = analyse(io.BytesIO(piece.content), midi)
    except RefusedFile as refused:
        findings.refusals.append((piece.name, refused.reason))
        return None
    findings.seconds.append(perf_counter() - began)
    findings.notes += facts.notes
    findings.remarks.update(re.sub(r" \(\d+\)$", "", remark) for remark in facts.remarks)
    return midi.getvalue()


def _compare(piece: Piece, midi: bytes, peer: PeerProcess, agreement: Agreement) -> None:
    try:
        theirs = peer.read(piece)
    except PeerFailure as failure:
        agreement.failures[str(failure)] += 1
        return
    if not theirs:
        agreement.failures["it finds no notes"] += 1
        return
    agreement.add(compare(read_midi(midi), theirs))


def _report(
    arguments: argparse.Namespace, found: dict[str, Findings], agreements: dict[tuple[str, str], Agreement]
) -> Report:
    parsed = sum(len(findings.seconds) for findings in found.values())
    versions = {name: version_of(name) for name in arguments.peers}
    targets = [Target("pieces that parse", f"at least {arguments.least:,}", f"{parsed:,}", parsed >= arguments.least)]
    for format_, name in (("MusicXML", "Verovio"), ("ABC", "music21")):
        if agreement := agreements.get((format_, name)):
            bound = f"at least {arguments.share:.0%}"
            is_held = agreement.share >= arguments.share
            targets.append(
                Target(f"notes that {name} reads in {format_}, too", bound, f"{agreement.share:.2%}", is_held)
            )
    return Report(
        command="sheets",
        title=f"{parsed:,} pieces of sheet music parsed, and other libraries' reading of them",
        conditions=conditions(Cores(None, None), every=arguments.every, **versions),
        tables=[_parsed(found), _refusals(found), _remarks(found), _agreements(agreements), _kinds(agreements)],
        targets=targets,
        remarks=[
            "A note agrees if the peer has one with the same key that begins within a fiftieth of a quarter; notes of "
            "one key that begin together count once. The share is of the notes of the longer reading: one bar of "
            "another length, or a repeat that the peer leaves out, moves all notes after it. So the next column counts "
            "our notes that the peer has when its bars may be elsewhere; the target is for these. Lengths are "
            "counted apart, where they differ by more than a tenth of a quarter: staccato shortens here, and peers "
            "release repeated and tied notes otherwise.",
        ],
    )


def _parsed(found: dict[str, Findings]) -> Table:
    columns = ["format", "pieces", "parsed", "refused", "notes", "time, median", "p99", "max"]
    rows: list[list[str]] = []
    for format_, findings in found.items():
        times = sorted(findings.seconds) or [0.0]
        marks = [median(times), times[int(0.99 * (len(times) - 1))], times[-1]]
        counts = [findings.pieces, len(findings.seconds), len(findings.refusals), findings.notes]
        rows.append([format_, *(f"{count:,}" for count in counts), *(f"{mark * 1e3:.1f} ms" for mark in marks)])
    return Table("Parsed", columns, rows)


def _refusals(found: dict[str, Findings]) -> Table:
    """Each reason with its pieces; the line stands with the piece."""
    groups: dict[tuple[str, str], list[str]] = {}
    for format_, findings in found.items():
        for name, reason in findings.refusals:
            place = _LINE.match(reason)
            shown = f"{name}, {place[0].removesuffix(': ')}" if place else name
            groups.setdefault((format_, _LINE.sub("", reason)), []).append(shown)
    ordered = sorted(groups.items(), key=lambda group: (group[0][0], -len(group[1])))
    rows = [
        [format_, reason, str(len(names)), "; ".join(names[:_EXAMPLES]) + ("; …" if len(names) > _EXAMPLES else "")]
        for (format_, reason), names in ordered
    ]
    return Table("Refusals", ["format", "reason", "pieces", "where"], rows)


def _remarks(found: dict[str, Findings]) -> Table:
    rows = [
        [format_, remark, f"{count:,}"]
        for format_, findings in found.items()
        for remark, count in findings.remarks.most_common()
    ]
    return Table("What does not sound as written", ["format", "remark", "pieces"], rows)


def _agreements(agreements: dict[tuple[str, str], Agreement]) -> Table:
    columns = [
        "format",
        "peer",
        "pieces",
        "all notes agree",
        "notes",
        "agree",
        "bars elsewhere",
        "lengths differ",
        "the peer fails",
    ]
    rows = [
        [
            format_,
            name,
            f"{agreement.pieces:,}",
            f"{agreement.equal:,}",
            f"{agreement.notes:,}",
            f"{agreement.share:.2%}",
            f"{agreement.share_followed:.2%}",
            f"{agreement.lengths:,}",
            "; ".join(f"{reason}: {count}" for reason, count in agreement.failures.most_common()) or "-",
        ]
        for (format_, name), agreement in agreements.items()
    ]
    return Table("Note by note beside other libraries", columns, rows)


def _kinds(agreements: dict[tuple[str, str], Agreement]) -> Table:
    rows = [
        [format_, name, kind, f"{count:,}", f"{agreement.pieces_of_kind[kind]:,}"]
        for (format_, name), agreement in agreements.items()
        for kind, count in agreement.kinds.most_common()
    ]
    return Table("Disagreements by kind", ["format", "peer", "kind", "notes of either", "pieces"], rows)
