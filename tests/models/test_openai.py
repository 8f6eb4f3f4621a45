"""An endpoint is asked side by side: nothing is lost or doubled, whatever it answers, and keys stay secret."""

import http.client
import json
import random
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Lock, Thread

import pytest
from click.testing import CliRunner

if find_spec("openai") is None or find_spec("llama_cpp") is None or find_spec("fastapi") is None:
    pytest.skip("without the extras [openai] and [gguf], or llama-cpp-python's server", allow_module_level=True)

from aletheia_bench import cards
from aletheia_bench.cli.main import main
from aletheia_models.openai import OpenAI
from aletheia_plugins import Card, MissingError, ModelFileError, Request, UsageError, load_plugins

WORDS = ("red", "green", "blue", "grey", "x")
KEY = "sk-very-secret"


@pytest.fixture(scope="module")
def server(tokenizer, architecture, tmp_path_factory):
    """llama-cpp-python's own server with the toy student; its port."""
    from aletheia_models.gguf import GGUF
    from aletheia_models.hf.student import build_student

    folder = tmp_path_factory.mktemp("served")
    build_student(architecture, tokenizer, seed=0).save_pretrained(folder / "toy")
    tokenizer.save_pretrained(folder / "toy")
    GGUF().export(Card("toy", "hf", folder, weights=folder / "toy"), folder / "toy.gguf", quant="f32")
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = ["--model", str(folder / "toy.gguf"), "--model_alias", "toy", "--port", str(port), "--n_threads", "1",
               "--n_ctx", "4096", "--api_key", KEY]  # fmt: skip
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([sys.executable, "-m", "llama_cpp.server", *command], stdout=log, stderr=log)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with closing(socket.socket()) as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    yield port
    process.kill()
    process.wait()


class Faulty(ThreadingHTTPServer):
    """Passes requests on to the server, and spoils a share of them."""

    daemon_threads = True

    def __init__(self, port, share, faults):
        self.target, self.share, self.faults = port, share, faults
        self.random, self.lock = random.Random(1), Lock()
        self.done, self.asked = Counter(), Counter()
        super().__init__(("127.0.0.1", 0), _Passing)
        Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass

    def fault(self):
        with self.lock:
            return self.random.choice(self.faults) if self.random.random() < self.share else ""


class _Passing(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200, b'{"object": "list", "data": []}')

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        prompt = json.loads(body).get("prompt", "")
        fault = self.server.fault()
        with self.server.lock:
            self.server.asked[fault] += 1
        if fault == "dropped":
            self.close_connection = True
            return
        if fault == "half":
            self.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"choices"')
            self.close_connection = True
            return
        if fault == "garbage":
            self.answer(200, b"<html>gateway</html>")
            return
        if fault == "empty":
            self.answer(200, b'{"choices": []}')
            return
        if fault == "slow":
            time.sleep(3)
        if fault == "stalled":
            with self.server.lock:
                self.server.share = 0.0  # the next try is answered
            time.sleep(3)
        if fault == "told":
            text = json.dumps({"choices": [{"text": "", "index": 0, "finish_reason": self.headers["Authorization"]}]})
            self.answer(200, text.encode())
            return
        if fault == "newer" and "max_tokens" in json.loads(body):
            self.answer(400, b'{"error": {"message": "Use max_completion_tokens instead of max_tokens."}}')
            return
        if fault == "later":
            self.server.share = 0.0
            self.answer(429, b'{"error": {"message": "busy"}}', ("Retry-After", "2"))
            return
        if fault.isdigit():
            self.answer(int(fault), json.dumps({"error": {"message": f"no, {self.headers['Authorization']}"}}).encode())
            return
        with closing(http.client.HTTPConnection("127.0.0.1", self.server.target)) as passed:
            headers = {"Content-Type": "application/json", "Authorization": self.headers["Authorization"]}
            passed.request("POST", self.path, body, headers)
            response = passed.getresponse()
            said = response.read()
        with self.server.lock:  # before the answer: who has all answers looks here
            self.server.done[prompt] += 1
        self.answer(response.status, said)

    def answer(self, status, body, *headers):
        self.send_response(status)
        for header in headers:
            self.send_header(*header)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def faulty(server):
    made = []

    def make(share=1.0, *faults):
        made.append(Faulty(server, share, faults))
        return made[-1], f"http://127.0.0.1:{made[-1].server_port}/v1"

    yield make
    for proxy in made:
        proxy.shutdown()
        proxy.server_close()


@pytest.fixture
def opened(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    made = []

    def make(url, **options):
        table = {"model": "toy", "url": url, "retries": 2, **options}
        made.append(OpenAI().open(Card("toy", "openai", Path("toy"), settings={"endpoint": table})))
        return made[-1]

    yield make
    for model in made:
        model.close()


def requests(count):
    return [Request(str(n), f"after {WORDS[n % 5]} comes {n}\n", (), 6) for n in range(count)]


def ask(model, asked):
    for request in asked:
        model.submit(request)
    done = []
    while part := model.poll():
        done += part
    return done


def test_it_writes_what_the_model_writes(server, opened):
    done = ask(opened(f"http://127.0.0.1:{server}/v1"), requests(10))
    assert sorted(int(c.id) for c in done) == list(range(10))
    assert {c.finish for c in done} <= {"length", "stop"}
    assert all(0 < len(c.tokens) <= 6 and c.prompt_tokens > 3 for c in done)
    again = {c.id: c.text for c in ask(opened(f"http://127.0.0.1:{server}/v1", concurrency=1), requests(10))}
    assert again == {c.id: c.text for c in done}


@pytest.mark.parametrize("count", [120, pytest.param(1000, marks=pytest.mark.heavy)])
def test_one_failure_in_ten_loses_and_doubles_nothing(faulty, opened, count):
    proxy, url = faulty(0.1, "dropped", "half", "garbage", "empty", "429", "500", "503")
    done = ask(opened(url, concurrency=32, retries=8), requests(count))
    assert sorted(int(c.id) for c in done) == list(range(count))
    assert {c.finish for c in done} <= {"length", "stop"}, Counter(c.error for c in done if c.error)
    assert set(proxy.done) == {request.prompt for request in requests(count)}
    assert sum(n for fault, n in proxy.asked.items() if fault) > 0.05 * count


@pytest.mark.parametrize(
    ("fault", "finish", "error"),
    [
        ("dropped", "error", "RemoteProtocolError"),
        ("garbage", "error", "the endpoint's answer is no completion"),
        ("empty", "error", "the endpoint's answer is no completion (IndexError)"),
        ("429", "error", "RateLimitError"),
        ("500", "error", "InternalServerError"),
        ("404", "error", "NotFoundError"),
        ("told", "error", "it ended because of 'Bearer ***'"),
    ],
)
def test_what_fails_every_time_is_an_error_of_that_item(faulty, opened, fault, finish, error):
    _, url = faulty(1.0, fault)
    (done,) = ask(opened(url, retries=1), requests(1))
    assert (done.finish, done.tokens, done.text) == (finish, (), "")
    assert error in done.error
    assert KEY not in done.error, "an endpoint may repeat the key"


def test_what_takes_too_long_is_a_timeout(faulty, opened):
    _, url = faulty(1.0, "slow")
    model = opened(url, retries=0)
    slow, quick = (Request(name, "after red comes\n", (), 3, seconds=s) for name, s in (("slow", 0.5), ("quick", 60.0)))
    done = {c.id: c for c in ask(model, [slow, quick])}
    assert (done["slow"].finish, done["slow"].error) == ("timeout", "no answer in 0.5 s")
    assert done["quick"].finish in ("length", "stop")


def test_an_answer_that_does_not_come_is_asked_for_again_and_else_an_error(faulty, opened):
    proxy, url = faulty(1.0, "stalled")
    (done,) = ask(opened(url, retries=1, timeout=1), requests(1))
    assert (done.finish in ("length", "stop"), proxy.asked) == (True, {"stalled": 1, "": 1})
    proxy.share = 1.0
    (done,) = ask(opened(url, retries=0, timeout=1), requests(1))
    assert (done.finish, done.error) == ("error", "no answer in 1 s")  # the next run of the command asks again


def test_who_asks_to_be_left_alone_is(faulty, opened):
    _, url = faulty(1.0, "later")
    began = time.monotonic()
    (done,) = ask(opened(url, retries=1), requests(1))
    assert done.finish in ("length", "stop")
    assert time.monotonic() - began > 2


def test_a_key_that_is_refused_while_asking_ends_the_run(faulty, opened):
    _, url = faulty(1.0, "401")
    model = opened(url)
    with pytest.raises(UsageError, match=r"refuses the key in \$OPENAI_API_KEY \(401\): set it\.$"):
        ask(model, requests(5))


def test_a_chat_that_wants_the_newer_word_for_max_tokens_gets_it(faulty, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    proxy, url = faulty(1.0, "newer")
    table = {"model": "toy", "url": url, "concurrency": 4}
    with closing(OpenAI().open(Card("toy", "openai", Path("toy"), chat=True, settings={"endpoint": table}))) as model:
        done = ask(model, requests(3))
    assert {c.finish for c in done} <= {"length", "stop"}, done
    assert 4 <= proxy.asked["newer"] <= 6, "each was refused once at most"


def test_an_endpoint_that_is_down_is_missing(opened):
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with pytest.raises(MissingError) as caught:
        opened(url)
    assert str(caught.value).startswith(f"Nothing answers at {url} (ConnectError: ")
    assert str(caught.value).endswith("): start it, or mend the URL.")


def test_a_key_that_is_refused_is_said_at_once(server, opened, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong")
    url = f"http://127.0.0.1:{server}/v1"
    with pytest.raises(UsageError) as caught:
        opened(url)
    assert str(caught.value) == f"{url} refuses the key in $OPENAI_API_KEY (401): set it."


def test_an_endpoint_needs_no_card():
    card = cards.find(load_plugins(autoload=False), "openai:org/name@http://localhost:1/v1")
    assert card.settings == {"endpoint": {"model": "org/name", "url": "http://localhost:1/v1"}}
    assert (card.context, card.instructed, card.chat, card.weights) == ("cumulative", True, True, None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": ""}, "toy: [endpoint] needs model, what the endpoint calls it: openai:NAME@URL."),
        (
            {"url": "localhost:1/v1"},
            "localhost:1/v1 is no address of an endpoint: expected such as http://localhost:8080/v1.",
        ),
        (
            {"url": "http://me:secret@host/v1"},
            "The address of host has a key in it, which a report would show: set $OPENAI_API_KEY.",
        ),
        ({"concurrency": 0}, "toy: [endpoint] concurrency is 0, expected a positive number."),
        ({"timeout": "long"}, "toy: [endpoint] timeout is 'long', expected float."),
        (
            {"modle": 1},
            "toy: [endpoint] has no option 'modle'; it takes model, url, key, concurrency, retries, timeout.",
        ),
    ],
)
def test_options_that_are_none_are_a_sentence(opened, options, message):
    with pytest.raises((UsageError, ModelFileError)) as caught:
        opened(**{"url": "http://localhost:1/v1", **options})
    assert str(caught.value) == message


def test_a_chat_is_asked_as_a_chat(server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    table = {"endpoint": {"model": "toy", "url": f"http://127.0.0.1:{server}/v1"}}
    model = OpenAI().open(Card("toy", "openai", Path("toy"), chat=True, settings=table))
    (done,) = ask(model, [replace(requests(1)[0], instruction="say\n", max_tokens=3)])
    model.close()
    assert done.finish in ("length", "stop"), done.error
    assert done.prompt_tokens > 3


def test_what_failed_is_asked_again_by_the_same_command(faulty, monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    proxy, url = faulty(1.0, "500")
    command = ["run", "--task", "sat", "--limit", "3", "--max-tokens", "5", "--model", f"openai:toy@{url}"]
    command += ["-M", "endpoint.retries=0", "-o", str(tmp_path)]
    failed = CliRunner().invoke(main, command)
    assert failed.exit_code == 1
    assert "on sat-tiny: 3 items ended in an error, 3 of them in: InternalServerError: " in failed.stderr
    assert proxy.asked["500"] == 3
    proxy.share = 0.0
    assert CliRunner().invoke(main, command).exit_code == 0
    assert proxy.asked[""] == 3
    assert CliRunner().invoke(main, command).exit_code == 0
    assert proxy.asked[""] == 3, "what is done is not asked again"
    assert all(KEY not in path.read_text() for path in tmp_path.rglob("*") if path.is_file())


@pytest.mark.parametrize("key", ["sk-\n1", "sk-é"])
def test_a_key_that_is_none_is_not_shown(opened, monkeypatch, key):
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(UsageError) as caught:
        opened("http://localhost:1/v1")
    assert str(caught.value) == "$OPENAI_API_KEY has characters that no key has: set it anew."


def test_a_key_does_not_belong_into_a_card(opened):
    with pytest.raises(UsageError, match=r"\[endpoint\] key must name an environment variable"):
        opened("http://localhost:1/v1", key="sk-secret")
