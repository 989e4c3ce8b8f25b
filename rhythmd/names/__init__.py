"""What people call themselves and rooms: one rule for every way in.

`characters` knows what may stand in a name, `rule` what a name may be, and `looks` which names look alike.
"""
