"""Pictures to upload: of every kind that phones and programs make, and of those that bad people make."""

import struct
import zlib
from io import BytesIO
from typing import Final

from PIL import Image

__all__ = ["BAD", "GOOD", "animated", "halves", "opened", "png_of_size", "saved", "turned"]

RED: Final = (255, 0, 0)
BLUE: Final = (0, 0, 255)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    content = BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def opened(content: bytes) -> Image.Image:
    return Image.open(BytesIO(content))


def halves(width: int = 300, height: int = 200) -> Image.Image:
    """Red above blue."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(BLUE, (0, height // 2, width, height))
    return image


def turned(orientation: int) -> bytes:
    """Red above blue, as a camera stores it that was held in this way (EXIF)."""
    undo = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    image = halves() if undo is None else halves().transpose(undo)
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = "where I live"
    return saved(image, "JPEG", exif=exif, quality=95)


def animated(kind: str) -> bytes:
    """Two frames, of which the first is red."""
    frames = [Image.new("RGB", (80, 80), colour) for colour in (RED, BLUE)]
    return saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=100, lossless=True)


def png_of_size(width: int, height: int, content: bytes = b"", bits: int = 8) -> bytes:
    """A PNG that claims a size and bits of each colour, whatever is in it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(content)) + chunk(b"IEND", b"")


def _good() -> dict[str, bytes]:
    rgb = halves()
    grey16 = Image.new("I;16", (50, 60), 40_000)
    palette = rgb.convert("P")
    return {
        "png": saved(rgb, "PNG"),
        "jpeg": saved(rgb, "JPEG"),
        "progressive jpeg": saved(rgb, "JPEG", progressive=True),
        "webp": saved(rgb, "WEBP"),
        "lossless webp": saved(rgb, "WEBP", lossless=True),
        "cmyk jpeg": saved(rgb.convert("CMYK"), "JPEG"),
        "grey jpeg": saved(rgb.convert("L"), "JPEG"),
        "grey png of 16 bits": saved(grey16, "PNG"),
        "png of 16 bits": png_of_size(8, 8, (b"\0" + b"\xff\xff\0\0\0\0" * 8) * 8, bits=16),
        "png with one bit": saved(rgb.convert("1"), "PNG"),
        "png with a palette": saved(palette, "PNG"),
        "png with a transparent colour": saved(palette, "PNG", transparency=0),
        "png with opacity": saved(rgb.convert("RGBA"), "PNG"),
        "grey png with opacity": saved(rgb.convert("LA"), "PNG"),
        "animated png": animated("PNG"),
        "animated webp": animated("WEBP"),
        "one pixel": saved(Image.new("RGB", (1, 1), RED), "PNG"),
        "one line": saved(Image.new("RGB", (20_000, 1), RED), "PNG"),
        "large": saved(Image.new("RGB", (5_000, 5_000), RED), "PNG"),
        "polyglot": saved(rgb, "JPEG") + b"PK\x03\x04<script>alert(1)</script>",
    }


def _bad() -> dict[str, tuple[bytes, str]]:
    png, jpeg, webp = (saved(halves(), kind) for kind in ("PNG", "JPEG", "WEBP"))
    return {
        "nothing": (b"", "neither"),
        "text": (b"do re mi", "neither"),
        "gif": (saved(halves(), "GIF"), "neither"),
        "bmp": (saved(halves(), "BMP"), "neither"),
        "tiff": (saved(halves(), "TIFF"), "neither"),
        "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "neither"),
        "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "neither"),
        "bomb": (png_of_size(100_000, 100_000), "25 million pixels"),
        "small bomb": (png_of_size(5_001, 5_000), "25 million pixels"),
        "truncated png": (png[: len(png) // 2], "damaged"),
        "truncated jpeg": (jpeg[: len(jpeg) // 2], "damaged"),
        "truncated webp": (webp[: len(webp) // 2], "neither|damaged"),
        "png without its pixels": (png_of_size(10, 10), "damaged"),
        "head of a png": (png[:20], "neither|damaged"),
    }


GOOD: Final = _good()
"""By what is special about it."""
BAD: Final = _bad()
"""The same, with a word of why it is refused."""
