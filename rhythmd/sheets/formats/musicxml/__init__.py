"""MusicXML 1.0 to 4.0: partwise and timewise scores, plain or in an .mxl container, read measure by measure.

Here belongs what a document says. How a score sounds is the same for other formats, and not here.
"""
