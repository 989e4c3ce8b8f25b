"""Sheet music, the files of it, and what is searched for."""

from enum import StrEnum
from typing import Final

from msgspec import UNSET, Struct, UnsetType

__all__ = [
    "FACET_LIMIT",
    "FACET_TAGS",
    "Approval",
    "Difficulty",
    "ScoreFacts",
    "Sheet",
    "SheetCategory",
    "SheetChanges",
    "SheetFacets",
    "SheetFile",
    "SheetPrivacy",
    "SheetQuery",
    "SheetScope",
    "SheetSort",
]


class SheetCategory(StrEnum):
    """The formats of sheet music, as a file's content shows them."""

    MIDI = "midi"
    MUSICXML = "musicxml"
    ABC = "abc"
    VIRTUAL_PIANO = "virtual-piano"
    MULTIPLAYER_PIANO = "multiplayer-piano"


class ScoreFacts(Struct, frozen=True, kw_only=True):
    """What a file of sheet music says about itself. Text is empty, and a number 0, where the file does not say it.

    `tempo` is the first one, in quarter notes a minute. `key` is a tonic and a mode ("E-flat minor"), `time_signature`
    the first one ("6/8"). `duration_ms` ends with the last release, and `notes` counts sounded notes, both with repeats
    played. `parts` is how many hands, voices or tracks have notes. `remarks` name what of the file its MIDI leaves
    out, and what was wrong with a MIDI file and was forgiven.
    """

    category: SheetCategory
    title: str = ""
    composer: str = ""
    tempo: float = 0.0
    key: str = ""
    time_signature: str = ""
    duration_ms: int = 0
    notes: int = 0
    parts: int = 0
    remarks: tuple[str, ...] = ()


class Difficulty(StrEnum):
    """How hard a sheet is to play, as its uploader says."""

    UNKNOWN = "unknown"
    BEGINNER = "beginner"
    INTERMEDIATE = "intermediate"
    ADVANCED = "advanced"
    EXPERT = "expert"


class SheetPrivacy(StrEnum):
    """The users who may have a sheet: everybody, everybody who knows its id, or its creator alone."""

    PUBLIC = "public"
    UNLISTED = "unlisted"
    PRIVATE = "private"


class Approval(StrEnum):
    """What an editor has said of a sheet's content. A public sheet is listed once it is approved."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"


class SheetFile(Struct, frozen=True, kw_only=True):
    """One content of sheets, stored once however many sheets have it. Its bytes are a blob, named by `id`.

    `hash` is the content's SHA-256 in hexadecimal, `size` its bytes, `midi_size` those of the MIDI made from it (0 for
    a content that is MIDI itself). `used` is when somebody last uploaded it: a content that no sheet has may be removed
    a while after that. `extension` is what a file of this content is called, ".mxl" for one. `network` is what its
    bytes count under beside its uploader, a digest too short to tell an address; "" where it is not known.
    """

    hash: str
    id: str
    extension: str
    size: int
    midi_size: int
    facts: ScoreFacts
    created: int
    used: int
    network: str = ""


class Sheet(Struct, frozen=True, kw_only=True):
    """A sheet of the library; `hash` names its SheetFile.

    `number` counts the sheets of a store as they come; the store gives it. `creator` is the usertag of the account
    `creator_id` at the time. `rejection` is why an editor rejected it, until it is approved. `file_name` is what its
    uploader called it. The fields from `category` on are those of ScoreFacts.
    """

    id: str
    number: int = 0
    hash: str
    size: int
    file_name: str
    title: str
    artist: str = ""
    album: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    difficulty: Difficulty = Difficulty.UNKNOWN
    privacy: SheetPrivacy = SheetPrivacy.PUBLIC
    approval: Approval = Approval.PENDING
    rejection: str = ""
    creator_id: str
    creator: str
    created: int
    updated: int
    views: int = 0
    category: SheetCategory
    tempo: float = 0.0
    key: str = ""
    time_signature: str = ""
    duration_ms: int = 0
    notes: int = 0
    parts: int = 0
    remarks: tuple[str, ...] = ()


class SheetChanges(Struct, frozen=True, kw_only=True):
    """Any part of a Sheet; what is left out stays."""

    updated: int
    hash: str | UnsetType = UNSET
    size: int | UnsetType = UNSET
    file_name: str | UnsetType = UNSET
    title: str | UnsetType = UNSET
    artist: str | UnsetType = UNSET
    album: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    difficulty: Difficulty | UnsetType = UNSET
    privacy: SheetPrivacy | UnsetType = UNSET
    approval: Approval | UnsetType = UNSET
    rejection: str | UnsetType = UNSET
    category: SheetCategory | UnsetType = UNSET
    tempo: float | UnsetType = UNSET
    key: str | UnsetType = UNSET
    time_signature: str | UnsetType = UNSET
    duration_ms: int | UnsetType = UNSET
    notes: int | UnsetType = UNSET
    parts: int | UnsetType = UNSET
    remarks: tuple[str, ...] | UnsetType = UNSET


class SheetScope(StrEnum):
    """Which sheets a search looks at, before its filters.

    LISTED: public and approved. PUBLIC: public, whatever an editor has said. OWN: the viewer's. READABLE: what the
    viewer may read: neither others' private sheets nor what was rejected of others' and is not approved since.
    """

    LISTED = "listed"
    PUBLIC = "public"
    OWN = "own"
    READABLE = "readable"


class SheetSort(StrEnum):
    """The order of found sheets.

    BEST puts those first whose title has the words, then those whose title has words that begin so, then the others;
    the newest first in each. Of equally many views the newest is first.
    """

    BEST = "best"
    NEWEST = "newest"
    OLDEST = "oldest"
    VIEWED = "viewed"


class SheetQuery(Struct, frozen=True, kw_only=True):
    """What is searched for: sheets that agree with all that is given.

    Each word of `text` begins a word of the title, artist, album, tags or creator, whatever its case and accents.
    `viewer` is an account's id, "" for nobody. `favorite` asks for the viewer's favourites.
    """

    text: str = ""
    scope: SheetScope = SheetScope.LISTED
    viewer: str = ""
    category: SheetCategory | None = None
    difficulty: Difficulty | None = None
    tag: str | None = None
    creator: str | None = None
    approval: Approval | None = None
    favorite: bool = False
    sort: SheetSort = SheetSort.BEST


class SheetFacets(Struct, frozen=True, kw_only=True):
    """How many of the found sheets have each value; the twenty most frequent tags.

    Counted are at most `FACET_LIMIT` sheets, which ones is the database's choice; `complete` is False if there may be
    more.
    """

    total: int
    complete: bool
    category: dict[str, int]
    difficulty: dict[str, int]
    tags: dict[str, int]


FACET_LIMIT: Final = 2_000
FACET_TAGS: Final = 20
