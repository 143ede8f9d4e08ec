"""Owns: the module-level cache: `tiercel.cache`, `tiercel.cached`, `tiercel.configure`. Nothing is read or opened at import."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tiercel import _cache
from tiercel._cache import EXPIRE, RedisCache
from tiercel._settings import check_keywords

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from tiercel._cached_typing import CachedDecorator, CachedOptions
    from tiercel._expiry import ExpireOption
    from tiercel._settings import SettingsKeywords

cache: RedisCache = RedisCache()


def configure(url: str | None = None, **settings: Unpack[SettingsKeywords]) -> None:
    """Settings of the module-level cache, and of caches made without a URL. Before their first use, because then they are read."""
    if cache._resolved is not None:
        raise RuntimeError("configure: tiercel.cache has been used already; call configure before its first use")
    keywords: dict[str, Any] = dict(settings)
    if url is not None:
        keywords["url"] = url
    check_keywords(keywords)
    _cache.configured.update(keywords)


def cached(
    prefix: str | None = None,
    expire: ExpireOption = EXPIRE,
    key_builder: Callable[..., object] | None = None,
    **options: Unpack[CachedOptions],
) -> CachedDecorator:
    """The decorator on `tiercel.cache`; see `Cache.cached`."""
    return cache.cached(prefix, expire, key_builder, **options)
