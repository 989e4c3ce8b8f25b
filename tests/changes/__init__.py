"""How to make each of the common changes that ARCHITECTURE.md lists: one function a row, found by the row's name."""
