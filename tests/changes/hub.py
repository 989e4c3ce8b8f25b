"""Changes of the hub: commands, keepers, what survives a restart, what a client gets, recordings."""

from typing import Final

from tests.changes.tree import Tree, recipe

__all__: list[str] = []

KEEPING: Final = "rhythmd/hub/keeping"


@recipe("a chat command")
def chat_command(tree: Tree) -> None:
    path = "rhythmd/hub/handlers/commands.py"
    tree.before(
        path, "COMMANDS: Final", "def _bow(_moderation, session, text):\n    notice(session, f'you bow {text}')\n\n\n"
    )
    tree.after(path, "_help),\n", '    "bow": Command("/bow [HOW]", "bow to the room", _bow, Right.MODERATOR),\n')
    tree.before("protocol/PROTOCOL.md", "| `/me TEXT` | all |", "| `/bow [HOW]` | owner, moderator | bows |\n")
    tree.check("""
        from rhythmd.hub.handlers import commands
        from tests.changes.probes import ask, members
        from tests.hub.manual import ManualHub
        from tests.hub.test_commands import test_table_of_the_protocol_has_every_command_with_its_form_and_right as held
        held()
        guest, _ = members(ManualHub())
        guest.say("chat-message", {"content": "/bow"}, 7)
        assert guest.take()[0].error.code == "not-owner"
        guest.say("chat-message", {"content": "/help"})
        assert "/bow [HOW] - owner: bow to the room" in guest.take()[0].content
        ask(guest, "join-room", {"room": "Salon", "create": True})
        guest.say("chat-message", {"content": "/bow deeply"})
        assert guest.take()[-1].content == "you bow deeply"
    """)


KEEPER: Final = '''

class EchoKeeper(LiveKeeper):
    """Says every line twice."""

    def say(self, author, kind, content, request_id):
        super().say(author, kind, content, request_id)
        return super().say(author, kind, content, request_id)
'''


@recipe("a keeper of rooms")
def keeper(tree: Tree) -> None:
    tree.after(f"{KEEPING}/keepers.py", "__all__ = [", '"EchoKeeper", ')
    tree.append(f"{KEEPING}/keepers.py", KEEPER)
    catalogue = f"{KEEPING}/catalogue.py"
    tree.after(catalogue, "from rhythmd.hub.keeping.keepers import ", "EchoKeeper, ")
    tree.replace(catalogue, "partial(LiveKeeper, file=self._file,",
                 "partial(EchoKeeper, file=self._file,")  # fmt: skip
    tree.check("""
        from rhythm_protocol.messages import ChatLine
        from tests.changes.probes import ask
        from tests.hub.manual import ManualHub
        peer = ManualHub().connect()
        ask(peer, "join-room", {"room": "Salon", "create": True})
        peer.say("chat-message", {"content": "hello"})
        lines = [line for line in peer.take() if isinstance(line, ChatLine)]
        assert [line.content for line in lines] == ["hello", "hello"], lines
    """)


RESTART: Final = """
from tests.changes.probes import DATA, ask
from tests.hub import manual
from rhythmd.store.live import MappedLiveState

state = MappedLiveState(DATA / "live", 1)
state.open()
manual.NoLiveState = lambda: state

def start():
    server = manual.ManualHub()
    server.tick()
    server._loop.run_until_complete(server.hub.restore())
    server.hub._file.beat()
    return server
"""


@recipe("what of a seat survives a restart")
def seat_survives(tree: Tree) -> None:
    path = f"{KEEPING}/live_file.py"
    tree.after(path, "    announced: bool = False\n", "    refused_period: int = -1\n")
    tree.after(path, "            announced=member.announced,\n", "            refused_period=member.refused_period,\n")
    put_back = "        member.refused_period = self.refused_period\n"
    tree.after(path, "        member.announced = self.announced\n", put_back)
    tree.check(RESTART, """
        peer = start().connect()
        ask(peer, "join-room", {"room": "Salon", "create": True})
        room, member = peer.session.place
        member.refused_period = 12
        room.member_changed(member)
        (room,) = [room for room in start().hub.registry if room.name == "Salon"]
        assert room.members[member.slot].refused_period == 12
    """)  # fmt: skip


@recipe("what of a room survives a restart")
def room_survives(tree: Tree) -> None:
    path = f"{KEEPING}/live_file.py"
    tree.after(path, "    last_line: int = 0\n", "    playout_ms: int = 0\n")
    tree.after(path, "            last_line=room.chat.last_id,\n", "            playout_ms=room.playout_ms,\n")
    line = "        room.metronome.restore(saved.metronome)\n"
    tree.after(f"{KEEPING}/restoring.py", line, "        room.playout.delay_ms = saved.playout_ms\n")
    tree.check(RESTART, """
        peer = start().connect()
        ask(peer, "join-room", {"room": "Salon", "create": True})
        room = peer.session.place.room
        room.playout.delay_ms = 120
        room.changed()
        (room,) = [room for room in start().hub.registry if room.name == "Salon"]
        assert room.info().playout_ms == 120
    """)  # fmt: skip


@recipe("what a slow or lost client gets")
def transition(tree: Tree) -> None:
    path = "rhythmd/hub/sending/delivery.py"
    tree.before(path, "| any but `AWAY` |", "| `OVERRUN` | `DRAINED` | `THROTTLED` | it is given another chance |\n")
    row = "    (State.OVERRUN, Event.DRAINED): State.THROTTLED,\n"
    tree.before(path, "    **{(state, Event.LOST)", row)
    drawn = "    AWAY --CONNECTED--> LIVE "
    tree.replace("ARCHITECTURE.md", drawn, f"    OVERRUN --DRAINED--> THROTTLED\n{drawn}")
    tree.check("""
        from tests.test_common_changes import test_drawing_of_a_connection_is_the_table_of_transitions as held
        held()
        from rhythmd.hub.sending.delivery import Event, State
        from tests.changes.probes import members
        from tests.hub.manual import ManualHub
        peer, _ = members(ManualHub())
        peer.delivery.state = State.OVERRUN
        peer.delivery.drain()
        assert peer.delivery.state is State.THROTTLED
    """)


@recipe("what is in a recording's file")
def recording_file(tree: Tree) -> None:
    path = "rhythmd/midi/file.py"
    tree.replace(path, "= ()\n) -> bytes:", '= (), text: str = ""\n) -> bytes:')
    tree.replace(
        path,
        "    chunks = [track_chunk(",
        "    common.insert(1, (0, meta_event(0x01, text.encode())))\n    chunks = [track_chunk(",
    )
    tree.replace("rhythmd/hub/recording/transcript.py", "origin_ms, tempos)", 'origin_ms, tempos, "in tune")')
    tree.check("""
        from rhythmd.hub.recording.transcript import transcribe
        from rhythmd.hub.rooms.tape import Tape
        tape = Tape([], {})
        assert b"in tune" in transcribe("Title", [tape], 0, tape.began_ms + 1).file
    """)
