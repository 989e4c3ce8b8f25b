"""What a live room has that is kept in the store, beside its settings."""

__all__ = ["KeptState"]


class KeptState:
    """The owner's account and the hashed password."""

    __slots__ = ("owner_id", "password_hash")

    def __init__(self, owner_id: str | None, password_hash: str | None) -> None:
        self.owner_id = owner_id
        self.password_hash = password_hash
