"""The actions of pipelines, a file for each kind of them."""
