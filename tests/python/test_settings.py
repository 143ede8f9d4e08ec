"""Settings: where they come from, who wins, and what is said about a wrong one."""

from __future__ import annotations

import logging
import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel import _settings
from tiercel._errors import ConfigurationError
from tiercel._settings import READERS, Settings, SettingsKeywords, check_keywords

SECRET = "hunter2-Geheim"


def resolve(
    url: str | None = "memory://", /, environ: dict[str, str] | None = None, configured: Any = None, **keywords: Any
) -> Settings:
    return Settings.resolve(url, keywords, configured=configured, environ=environ or {})


@pytest.fixture(autouse=True)
def notices_are_not_yet_given() -> None:
    _settings._notice_no_url.cache_clear()
    _settings._notice_variable.cache_clear()


def test_the_defaults_are_those_of_the_documentation() -> None:
    settings = resolve()
    assert (settings.namespace, settings.op_timeout, settings.staleness) == ("tiercel", 0.1, 1.0)
    assert (settings.max_connections, settings.l1_bytes_max, settings.value_bytes_max) == (2, 64 << 20, 8 << 20)
    assert settings.in_memory
    assert settings.enabled
    assert not settings.strict


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://", "redis://localhost:6379/0"),
        ("redis://cache", "redis://cache:6379/0"),
        ("redis://cache/3", "redis://cache:6379/3"),
        ("redis://cache?db=3", "redis://cache:6379/3"),
        ("redis://[::1]:7000/1", "redis://[::1]:7000/1"),
        ("rediss://cache", "rediss://cache:6379/0"),
        ("REDIS://cache", "redis://cache:6379/0"),
        ("valkey://cache:1/2", "redis://cache:1/2"),
        ("unix:///run/redis.sock?db=2", "unix:///run/redis.sock?db=2"),
        ("unix:///run/a%20b.sock", "unix:///run/a b.sock?db=0"),
        ("memory://", "memory://"),
    ],
)
def test_a_url_names_its_address(url: str, address: str) -> None:
    assert resolve(url).address == address


def test_user_and_password_are_percent_decoded_and_never_shown() -> None:
    settings = resolve("redis://sh%3Aop:p%40ss%2Fw%23rd@cache")
    assert (settings.user, settings.password) == ("sh:op", "p@ss/w#rd")
    assert "p@ss" not in repr(settings) + settings.address
    assert "sh:op" not in repr(settings) + settings.address
    assert resolve("redis://:pw@cache").password == "pw"
    assert resolve("unix://me:pw@/run/redis.sock").user == "me"


def test_user_and_password_may_be_given_apart_and_then_win() -> None:
    settings = resolve("redis://a:b@cache", environ={"TIERCEL_PASSWORD": SECRET}, user="me")
    assert (settings.user, settings.password) == ("me", SECRET)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://cache", "scheme 'http' is not known"), ("cache:6379", "no scheme"), ("", "no scheme"),
        ("redis://cache:0", "port"), ("redis://cache:65536", "port"), ("redis://cache:x", "port"), ("redis://cache:-1", "port"),
        ("redis://cache/x", "database"), ("redis://cache/-1", "database"), ("redis://cache/1/2", "database"), ("redis://cache?db=x", "database"),  # noqa: E501
        ("redis://cache/1?db=2", "twice"), ("redis://::1", "IPv6"), (f"redis://:{SECRET}/x@cache", "percent-encode"),
        (f"redis://:{SECRET}#x@cache", "%23"), (f"redis://:{SECRET}?x@cache", "name=value"), (f"redis://:{SECRET}:x@ca:che:1", "malformed"),
        (f"redis://{SECRET}@cache", "without a password"), (f"redis://{SECRET}:@cache", "password after the user name is empty"),
        ("redis://cache?colour=red", "option colour"), ("redis://cache?op_timeout=1s&op_timeout=2s", "twice"), ("redis://ca che", "spaces"),
        ("redis://cache\n", "control characters"), ("redis://%ff", "UTF-8"), ("memory://x", "followed by nothing"), ("memory:///0", "nothing"),  # noqa: E501
        ("unix://run/x", "absolute"), ("unix://", "absolute"), ("unix:///a%00b", "NUL"),
    ],
)  # fmt: skip
def test_a_malformed_url_is_refused_without_showing_credentials(url: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why) as refused:
        resolve(url)
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None
    assert str(refused.value).startswith("url: ")


def test_the_url_is_looked_for_in_the_order_of_the_documentation() -> None:
    both = {"TIERCEL_URL": "redis://tiercel", "REDIS_URL": "redis://redis"}
    configured = {"url": "redis://configured"}
    assert resolve("redis://argument", both, configured).host == "argument"
    assert resolve(None, both, configured).host == "configured"
    assert resolve(None, both).host == "tiercel"
    assert resolve(None, {"REDIS_URL": "redis://redis"}).host == "redis"
    assert resolve(None, {"TIERCEL_URL": "", "REDIS_URL": "redis://redis"}).url_source == "REDIS_URL"


def test_without_any_url_it_is_memory_with_one_warning_that_names_the_ways(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "tiercel"):
        assert resolve(None).in_memory
        assert resolve(None).url_source == "default"
    assert len(caplog.messages) == 1
    for way in ("Cache(url)", "tiercel.configure(url=…)", "TIERCEL_URL", "REDIS_URL", "memory://"):
        assert way in caplog.messages[0]


def test_memory_that_is_meant_warns_of_nothing(caplog: pytest.LogCaptureFixture) -> None:
    resolve("memory://")
    resolve(None, {"TIERCEL_URL": "memory://"})
    assert not caplog.messages


def test_a_setting_is_looked_for_in_keyword_configure_url_and_variable() -> None:
    url, variable = "redis://cache?op_timeout=3s", {"TIERCEL_OP_TIMEOUT": "4s"}
    assert resolve(url, variable, {"op_timeout": "2s"}, op_timeout="1s").op_timeout == 1.0
    assert resolve(url, variable, {"op_timeout": "2s"}).op_timeout == 2.0
    assert resolve(url, variable).op_timeout == 3.0
    assert resolve("redis://cache", variable).op_timeout == 4.0
    assert resolve("redis://cache", {"TIERCEL_OP_TIMEOUT": ""}).op_timeout == 0.1


GOOD: dict[str, list[tuple[Any, Any]]] = {
    "namespace": [("shop", "shop"), ("a.B_c-9", "a.B_c-9")],
    "user": [],
    "password": [("geheim", "geheim")],
    "client_name": [("web-1", "web-1")],
    "l1_bytes_max": [("64MiB", 64 << 20), ("1.5 GiB", 3 << 29), ("10MB", 10**7), (0, 0), ("0", 0), ("2k", 2048)],
    "value_bytes_max": [("1MiB", 1 << 20)],
    "op_timeout": [("50ms", 0.05), (1, 1.0), ("0.2", 0.2), (timedelta(seconds=2), 2.0)],
    "connect_timeout": [("1s", 1.0)],
    "staleness": [("2s", 2.0)],
    "outage_staleness": [("30s", 30.0), (1, 1.0), (None, None)],
    "after_restart": [("trust", "trust"), ("distrust", "distrust")],
    "breaker_overruns": [("5", 5)],
    "breaker_rest": [("1m", 60.0)],
    "tracking": [("Broadcast", "broadcast"), ("off", "off")],
    "max_connections": [(1, 1), ("20", 20)],
    "pending_max": [("5", 5)],
    "enabled": [("0", False), ("off", False), ("No", False), ("FALSE", False), (1, True), ("1", True), (False, False)],
    "strict": [("1", True), ("true", True), (True, True)],
    "tls_ca_file": [],
    "tls_cert_file": [],
    "tls_key_file": [],
    "tls_verify": [("0", False)],
    "pickle_secret": [("0123456789abcdef", b"0123456789abcdef"), (b"0123456789abcdef", b"0123456789abcdef")],
}
BAD: dict[str, list[Any]] = {
    "namespace": ["", "a b", "a:b", "x" * 65, "Zürich", 5],
    "user": [5],
    "password": [5, "\ud800"],
    "client_name": ["", "a b", "é", "x" * 129],
    "l1_bytes_max": ["64XB", "-1", -1, 1.5, True, "", "1e9", 1 << 60, None],
    "value_bytes_max": [0, "0", "1TiB"],
    "op_timeout": [0, "0s", -1, "5x", float("nan"), True, None, []],
    "connect_timeout": ["never"],
    "staleness": [0],
    "outage_staleness": [0, -1, "-1s", float("nan"), "x"],
    "after_restart": ["", "mistrust", "never", 1, None],
    "breaker_overruns": [0, "x", 1.5],
    "breaker_rest": [0],
    "tracking": ["", "on", "optin,broadcast"],
    "max_connections": [0, -1, "many", 2000, True, 10**40],
    "pending_max": [0],
    "enabled": ["maybe", 2, None, "٠"],
    "strict": ["2"],
    "tls_ca_file": ["/nowhere/ca.pem", 5],
    "tls_cert_file": ["/nowhere/cert.pem"],
    "tls_key_file": ["/nowhere/key.pem"],
    "tls_verify": ["perhaps"],
    "pickle_secret": ["short", 5],
}


def test_an_outage_is_bridged_for_no_less_than_staleness() -> None:
    assert resolve(outage_staleness="1s").outage_staleness == 1.0
    for wrong in ({"outage_staleness": 0.5}, {"staleness": "10s", "outage_staleness": "5s"}):
        with pytest.raises(ConfigurationError, match=r"^outage_staleness: .* below the staleness"):
            resolve(**wrong)


def test_the_tables_know_every_setting() -> None:
    assert list(GOOD) == list(BAD) == list(READERS) == list(SettingsKeywords.__annotations__)


@pytest.mark.parametrize(("name", "given", "held"), [(n, g, h) for n, pairs in GOOD.items() for g, h in pairs])
def test_a_good_setting_is_read_from_keyword_and_variable_alike(name: str, given: Any, held: Any) -> None:
    assert getattr(resolve(**{name: given}), name) == held
    if isinstance(given, str):
        assert getattr(resolve(environ={f"TIERCEL_{name.upper()}": given}), name) == held


@pytest.mark.parametrize(("name", "given"), [(n, g) for n, values in BAD.items() for g in values])
def test_a_bad_setting_is_refused_under_the_name_it_was_given(name: str, given: Any) -> None:
    with pytest.raises((ConfigurationError, TypeError), match=f"^{name}: "):
        resolve(**{name: given})
    with pytest.raises((ConfigurationError, TypeError), match=rf"^configure\({name}=…\): "):
        check_keywords({name: given})
    if isinstance(given, str) and given:
        with pytest.raises((ConfigurationError, TypeError), match=f"^variable TIERCEL_{name.upper()}: "):
            resolve(environ={f"TIERCEL_{name.upper()}": given})


def test_a_bad_option_in_a_url_is_refused_as_such() -> None:
    with pytest.raises(ConfigurationError, match=r"^variable REDIS_URL: option op_timeout: "):
        resolve(None, {"REDIS_URL": "redis://cache?op_timeout=5x"})


def test_secrets_stand_in_no_message_and_no_repr() -> None:
    settings = resolve("redis://cache", user="me", password=SECRET, pickle_secret=SECRET + "0123456789")
    assert SECRET not in repr(settings)
    with pytest.raises(ConfigurationError) as refused:
        resolve(pickle_secret="hunter2")
    assert "hunter2" not in str(refused.value)


def test_an_unknown_keyword_is_a_type_error_with_the_nearest_name() -> None:
    with pytest.raises(TypeError, match="did you mean 'op_timeout'"):
        resolve(op_timout=1)
    with pytest.raises(TypeError, match="no setting 'colour'"):
        check_keywords({"colour": 1})
    with pytest.raises(ConfigurationError, match="scheme 'http'"):
        check_keywords({"url": "http://x"})


def test_a_misspelt_variable_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        resolve(environ={"TIERCEL_OP_TIMOUT": "1s", "TIERCEL_SOMETHING_ELSE": "1"})
    assert [message for message in caplog.messages if "TIERCEL_OP_TIMEOUT" in message] == caplog.messages
    assert len(caplog.messages) == 1


def test_settings_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "file.pem"
    file.write_text("x")
    with pytest.raises(ConfigurationError, match="tls_cert_file"):
        resolve("rediss://cache", tls_key_file=file)
    with pytest.raises(ConfigurationError, match="write rediss://"):
        resolve("redis://cache", tls_ca_file=str(file))
    with pytest.raises(ConfigurationError, match="user name without a password"):
        resolve("redis://cache", user="me")


def test_tls_is_verified_unless_told_otherwise() -> None:
    checked = resolve("rediss://cache").tls_context()
    assert checked is not None
    assert checked.verify_mode is ssl.CERT_REQUIRED
    assert checked.check_hostname
    for unchecked in (resolve("rediss://cache?ssl_cert_reqs=none"), resolve("rediss://cache", tls_verify=False)):
        context = unchecked.tls_context()
        assert context is not None
        assert context.verify_mode is ssl.CERT_NONE
    assert resolve("redis://cache").tls_context() is None


@given(st.text(max_size=40))
def test_any_text_is_a_url_or_a_configuration_error(text: str) -> None:
    for url in (text, f"redis://{text}", f"unix:///{text}"):
        try:
            settings = resolve(url)
        except ConfigurationError:
            continue
        assert settings.scheme in ("redis", "rediss", "unix", "memory")
        assert settings.database >= 0


@given(st.text(min_size=1), st.text(min_size=1))
def test_what_was_percent_encoded_comes_back(user: str, password: str) -> None:
    from urllib.parse import quote

    settings = resolve(f"redis://{quote(user, safe='')}:{quote(password, safe='')}@cache")
    assert (settings.user, settings.password) == (user, password)
