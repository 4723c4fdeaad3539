"""The whole path of a generated repository on one machine, with an emulated AWS."""
