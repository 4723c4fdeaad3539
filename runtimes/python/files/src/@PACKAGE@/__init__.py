"""The function's code: handler.py is what Lambda calls."""
