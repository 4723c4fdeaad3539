memory_size        = 256
timeout            = 10
log_retention_days = 365
traffic            = "AllAtOnce"
settings           = { DEFAULT_LANGUAGE = "en" }
