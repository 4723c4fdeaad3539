"""Moves what pre_gen_project.py wrote to where it belongs: cookiecutter itself must be first to create folders."""

import os

for folder in ("deployment", "pipeline"):
    os.rename(f"wired/{folder}/environments", f"{folder}/environments")
    os.rmdir(f"wired/{folder}")
os.rmdir("wired")
