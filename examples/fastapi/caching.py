"""Owns: the one cache of the application. `memory://` unless TIERCEL_URL names a Redis."""

from __future__ import annotations

import os

from tiercel import RedisCache

# Nothing is opened here: the lifespan of the application connects (main.py).
cache = RedisCache(os.environ.get("TIERCEL_URL") or "memory://")
