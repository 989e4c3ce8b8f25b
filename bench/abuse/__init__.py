"""Attacks by one guest on the server's defaults, beside two honest players in another room.

- `bench.abuse.spec`       what the processes are told and what they report, as values
- `bench.abuse.attacker`   one address: its connections, and the row of the catalogue
- `bench.abuse.wire`       one connection of an attacker, as cheap as it can be
- `bench.abuse.catalogue`  all attacks, from one module for each family of them
- `bench.abuse.striking`   the attackers' process
- `bench.abuse.players`    the honest ones' process
- `bench.abuse.run`        one attack from beginning to end
"""
