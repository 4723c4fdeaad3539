"""Logs and metrics, set up once; deployment/ sets the names they go by, as POWERTOOLS_ variables."""

import warnings

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics

logger = Logger()
metrics = Metrics()
# An invocation that fails early has none, and its error is told.
warnings.filterwarnings("ignore", "No application metrics to publish")
