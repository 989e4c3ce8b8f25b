"""Peers in processes of their own: a library that crashes or hangs on a piece ends only its process."""

import contextlib
import multiprocessing
import os
import warnings
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Final, Self

from bench.sheets.corpus import Piece
from bench.sheets.peers import PEERS, PeerFailure, Reading

__all__ = ["PeerProcess"]

_SPAWN: Final = multiprocessing.get_context("spawn")


class PeerProcess:
    """One peer, asked piece by piece; its process is started anew after each that it did not survive.

    Args:
        name: of the peer.
        timeout_s: for one piece.
    """

    def __init__(self, name: str, timeout_s: float) -> None:
        self._name = name
        self._timeout_s = timeout_s
        self._start()

    def _start(self) -> None:
        self._ours, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_serve, args=(self._name, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._stop()

    def _stop(self) -> None:
        self._ours.close()
        self._process.kill()
        self._process.join()

    def read(self, piece: Piece) -> Reading:
        """The peer's reading of a piece.

        Raises:
            PeerFailure: it refuses the piece, crashes or does not end.
        """
        answer = self._ask(piece)
        if answer is None:
            self._stop()
            self._start()
            raise PeerFailure("it crashes, or does not end")
        if isinstance(answer, str):
            raise PeerFailure(answer)
        return answer

    def _ask(self, piece: Piece) -> Reading | str | None:
        """What the process answers; None if it does not."""
        try:
            self._ours.send(piece)
            if not self._ours.poll(self._timeout_s):
                return None
            answer: Reading | str = self._ours.recv()
        except (EOFError, OSError):
            return None
        return answer


def _serve(name: str, connection: Connection) -> None:
    """Answer pieces with their notes or the reason why there are none, until the other end is closed."""
    warnings.simplefilter("ignore")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    with contextlib.suppress(EOFError, OSError):
        while True:
            connection.send(_read(name, connection.recv()))


def _read(name: str, piece: Piece) -> Reading | str:
    try:
        return PEERS[name](piece)
    except PeerFailure as failure:
        return str(failure)
    except Exception as error:  # noqa: BLE001  (libraries raise what they like)
        return f"it raises {type(error).__name__}"
