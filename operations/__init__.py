"""What people type in a generated repository: `lambda-template`, which its Makefile calls."""
