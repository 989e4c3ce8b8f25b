"""The load: clients that play on a fixed timetable and note when everything arrives. Runs in its own process.

- `bench.load.spec`       what to play and what came of it, as values
- `bench.load.timetable`  every event of the run, with the moment it is due
- `bench.load.frames`     bytes from a server, back to events
- `bench.load.client`     one WebSocket connection
- `bench.load.sender`     sends each event when it is due
- `bench.load.run`        connect, join, play, drain
- `bench.load.analysis`   reads to numbers
"""
