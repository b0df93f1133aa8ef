"""Every graph that a test makes is verified after every pass."""
from tracejit import config

config.check = True
