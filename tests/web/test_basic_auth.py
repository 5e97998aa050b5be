import asyncio
import base64
import time

import bcrypt
import pytest

from exporter.web.basic_auth import BasicAuth


def hashed(password: str, rounds: int = 4) -> str:
    return bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(rounds)).decode()


def header(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def allows(auth: BasicAuth, *headers: str) -> list[bool]:
    async def ask() -> list[bool]:
        return [await auth.allows(value) for value in headers]

    try:
        return asyncio.run(ask())
    finally:
        auth.close()


def test_the_right_password_is_let_in_each_time() -> None:
    auth = BasicAuth({"alice": hashed("open:sesame"), "zoë": hashed("pässword")})
    right = header("alice", "open:sesame")
    assert (
        allows(auth, right, right, header("zoë", "pässword"), right.replace("Basic", "bAsIc")) == [True] * 4
    )


def test_a_hash_as_htpasswd_writes_it_works() -> None:
    auth = BasicAuth({"alice": hashed("secret").replace("$2b$", "$2y$")})
    assert allows(auth, header("alice", "secret"), header("alice", "other")) == [True, False]


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"alice").decode(),
        "Basic " + base64.b64encode(b"\xff\xfe:secret").decode(),
        "Bearer " + base64.b64encode(b"alice:secret").decode(),
        header("alice", ""),
        header("alice", "Secret"),
        header("alice", "secret "),
        header("alice", "secret\0"),
        header("bob", "secret"),
        header("Alice", "secret"),
        header("", "secret"),
    ],
)
def test_everything_else_is_kept_out_each_time(value: str) -> None:
    assert allows(BasicAuth({"alice": hashed("secret")}), value, value) == [False, False]


def test_a_password_longer_than_bcrypt_reads_is_compared_as_far_as_it_reads() -> None:
    auth = BasicAuth({"alice": hashed("x" * 100)})
    assert allows(auth, header("alice", "x" * 100), header("alice", "x" * 71)) == [True, False]


def test_no_hash_shows_in_its_repr() -> None:
    auth = BasicAuth({"alice": hashed("secret")})
    assert repr(auth) == "BasicAuth(1 users)"


@pytest.mark.slow
def test_bcrypt_runs_once_for_the_same_credentials_and_leaves_the_loop_free() -> None:
    auth = BasicAuth({"alice": hashed("secret", rounds=11)})
    value = header("alice", "secret")

    async def ask() -> tuple[float, float, int]:
        begin, turns = time.perf_counter(), 0
        first = asyncio.create_task(auth.allows(value))
        while not first.done():
            await asyncio.sleep(0)
            turns += 1
        middle = time.perf_counter()
        assert all([await auth.allows(value) for _ in range(50)])
        return middle - begin, time.perf_counter() - middle, turns

    first_seconds, fifty_more_seconds, turns = asyncio.run(ask())
    auth.close()
    assert fifty_more_seconds < first_seconds
    assert turns > 100


@pytest.mark.slow
def test_an_unknown_user_takes_as_long_as_a_wrong_password() -> None:
    auth = BasicAuth({"alice": hashed("secret", rounds=10)})

    async def seconds(user: str) -> float:
        times = []
        for attempt in range(15):
            begin = time.perf_counter()
            assert not await auth.allows(header(user, f"guess {attempt}"))
            times.append(time.perf_counter() - begin)
        return min(times)

    async def compare() -> tuple[float, float]:
        return await seconds("alice"), await seconds("bob")

    known, unknown = asyncio.run(compare())
    auth.close()
    assert 1 / 3 < known / unknown < 3


@pytest.mark.slow
def test_it_remembers_a_bounded_number_of_answers() -> None:
    auth = BasicAuth({"alice": hashed("secret")})
    guesses = [header("alice", f"guess {number}") for number in range(200)]
    assert allows(auth, *guesses) == [False] * 200
    assert len(auth._answers) == 128
