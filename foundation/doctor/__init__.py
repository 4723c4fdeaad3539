"""`make doctor`: what would keep the foundation from being applied, and how what is there differs from it.

Usage: python -m foundation.doctor

Runs with credentials of the ops account, before `make foundation` and at any time after, and reads only.
Exits with 1 if the foundation would fail.
"""
