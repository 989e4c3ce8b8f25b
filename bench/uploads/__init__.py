"""Many uploads of sheet music at once: the files, and a process that sends them. What they do to notes is measured in
`bench.commands.uploads`.
"""
