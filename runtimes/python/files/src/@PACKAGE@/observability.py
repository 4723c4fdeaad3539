"""Logs and metrics, set up once; deployment/ sets the names they go by, as POWERTOOLS_ variables."""

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics

logger = Logger()
metrics = Metrics()
