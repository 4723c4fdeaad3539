"""AWS on one machine: accounts, the services beyond moto, and the judge of every call."""
