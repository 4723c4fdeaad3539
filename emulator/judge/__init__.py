"""The judge of every call: it knows policies and calls, and of services no more than where their tags are."""
