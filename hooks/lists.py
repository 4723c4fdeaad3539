"""Reads the lists that a runtime or a trigger may bring."""

import os


def words(*path: str) -> list[str]:
    """Return the words in a file, none if it is not there; path: its folders and its name."""
    file_path = os.path.join(*path)
    if not os.path.exists(file_path):
        return []
    with open(file_path, encoding="ascii") as file:
        return file.read().split()
