"""The formats of sheet music: bytes in, facts and a Standard MIDI File out, or a refusal that says where and why.

Each format has its reader here. No loop, store or network does, nor a library that the server does not need otherwise.
"""
