"""What deployment/ sets for the function, set for its tests."""

import os

os.environ["DEFAULT_LANGUAGE"] = "en"
os.environ["POWERTOOLS_METRICS_NAMESPACE"] = "tests"
os.environ["POWERTOOLS_SERVICE_NAME"] = "tests"
