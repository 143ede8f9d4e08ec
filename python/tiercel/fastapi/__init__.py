"""Tiercel for FastAPI: responses from the cache, policies beside the route, the cache as a dependency."""

from tiercel.fastapi._depends import CacheDep, get_cache
from tiercel.fastapi._middleware import CREDENTIAL_HEADERS, ResponseCacheMiddleware
from tiercel.fastapi._policy import CacheControl, CachePolicy, Invalidates
from tiercel.fastapi._router import cache_router
from tiercel.fastapi._startup import check_app

__all__ = [
    "CREDENTIAL_HEADERS",
    "CacheControl",
    "CacheDep",
    "CachePolicy",
    "Invalidates",
    "ResponseCacheMiddleware",
    "cache_router",
    "check_app",
    "get_cache",
]
