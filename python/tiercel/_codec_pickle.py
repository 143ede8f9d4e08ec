"""Owns: pickle, for those who ask for it by name and give a secret. Nothing is unpickled before its signature was
checked.

Payload: one byte of version (1), 32 bytes HMAC-SHA256 over a label, the version and the pickle, then the pickle. The
signature says that a holder of the secret wrote it, not for which key: whoever can write to Redis can still move one
signed value to another key.
"""

from __future__ import annotations

import hashlib
import hmac
import pickle
from typing import Any

from tiercel._codec import ID_PICKLE, Codec
from tiercel._errors import ConfigurationError, DecodeError, NotCacheable
from tiercel._settings_read import SECRET_BYTES_MIN

_VERSION = b"\x01"
_LABEL = b"tiercel.pickle"
_SIGNATURE_BYTES = 32


def pickle_codec(secret: bytes | None) -> Codec:
    if secret is None or len(secret) < SECRET_BYTES_MIN:
        raise ConfigurationError(
            f'codec="pickle" needs a secret of at least {SECRET_BYTES_MIN} bytes: '
            "set pickle_secret or TIERCEL_PICKLE_SECRET"
        )
    key = bytes(secret)

    def sign(data: bytes) -> bytes:
        return hmac.new(key, _LABEL + _VERSION + data, hashlib.sha256).digest()

    def encode(value: Any) -> bytes:
        try:
            data = pickle.dumps(value, protocol=5)
        except Exception as error:
            raise NotCacheable(f"value: it cannot be pickled: {error}") from error
        return _VERSION + sign(data) + data

    def decode(payload: bytes) -> Any:
        signature, data = payload[1 : 1 + _SIGNATURE_BYTES], payload[1 + _SIGNATURE_BYTES :]
        if payload[:1] != _VERSION or not hmac.compare_digest(signature, sign(data)):
            raise DecodeError("a pickle that this secret has not signed")
        try:
            return pickle.loads(data)
        except Exception as error:
            raise DecodeError(f"a pickle that does not load: {error}") from error

    return Codec(ID_PICKLE, encode, decode, "pickle")
