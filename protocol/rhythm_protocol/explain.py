"""What msgspec says of a value that is not what it must be, in words for people."""

from collections.abc import Mapping

from msgspec import ValidationError

__all__ = ["explain"]


def explain(error: ValidationError, forms: Mapping[str, str]) -> tuple[str, str | None]:
    """What was expected, and the dotted name of the field; None if it is the whole value.

    Args:
        error: its text is "what was expected - at `$.path`"; if the text names a field, that field ends the path.
        forms: what each regular expression asks for, in words.
    """
    text, _, path = str(error).partition(" - at `")
    _, _, named = text.partition(" field `")
    names = path.strip("$.`"), named.strip("`")
    _, has_form, pattern = text.partition(" matching regex ")
    if has_form:
        words = {repr(form): words for form, words in forms.items()}
        text = f"Expected {words.get(pattern, 'another form')}"
    return text, ".".join(name for name in names if name) or None
