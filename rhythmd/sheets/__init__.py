"""The library of sheet music: what its files say and how they sound, who may have, change and approve a sheet.

How rows and files are kept (`store/`) and how requests are answered (`rest/`) does not belong here.
"""
