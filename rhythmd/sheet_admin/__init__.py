"""The operator's commands for the library of sheet music: a folder in, a folder out, and a look for what is wrong.

What a sheet is, and who may do what with it, does not belong here (`rhythmd/sheets/`), nor do other commands.
"""
