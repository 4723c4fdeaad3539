"""The judge of every call: it knows policies and calls, not services."""
