"""The settings that a command with one table needs; a real project loads more, and starts more slowly."""

import os

SECRET_KEY = "for a benchmark that serves nothing"
USE_TZ = True
INSTALLED_APPS = ["scheduled"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["PEER_DATABASE"]}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
