"""Signed assertions (private-key JWT): RS256 and ES256, which is what token endpoints take (RFC 7523).

Belongs here: the signature. Not here: the claims, which differ per provider.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import orjson

from ev_platform.errors import SettingError


def signed_assertion(claims: Mapping[str, Any], private_key: str, key_id: str | None = None) -> str:
    """A compact JWT; the kind of the key (RSA or P-256, PEM) decides the algorithm.

    Raises:
        SettingError: the key is no such key; its text is not shown.
    """
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(private_key.encode(), None)
    except (ValueError, TypeError):
        raise SettingError("the private key is no unencrypted PEM") from None
    if isinstance(key, rsa.RSAPrivateKey):
        text = _unsigned("RS256", claims, key_id)
        signature = key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    elif isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        text = _unsigned("ES256", claims, key_id)
        r, s = decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")  # JWS wants both numbers, not DER (RFC 7518, 3.4)
    else:
        raise SettingError("the private key must be RSA or P-256")
    return f"{text}.{_base64url(signature)}"


def _unsigned(algorithm: str, claims: Mapping[str, Any], key_id: str | None) -> str:
    header = {"alg": algorithm, "typ": "JWT"} | ({"kid": key_id} if key_id else {})
    return f"{_base64url(orjson.dumps(header))}.{_base64url(orjson.dumps(dict(claims)))}"


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
