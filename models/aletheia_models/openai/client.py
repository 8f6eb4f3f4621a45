"""Asks an endpoint for completions, many at a time. Knows requests and OpenAI's protocol, no cards."""

import random
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from threading import Event
from typing import Any

import openai

from aletheia_models.openai.endpoint import Endpoint
from aletheia_plugins import Completion, MissingError, Request, UsageError

__all__ = ["EndpointModel"]

UNKNOWN = -1
"""A token of which only the number is told."""
PAUSE, LONGEST = 0.5, 30.0
"""Seconds before the second try, and before any, unless the endpoint asks for others."""
HELLO = 10.0
"""Seconds in which an endpoint has to answer at all."""
NEWER = "max_completion_tokens"
"""What OpenAI's newer models want instead of max_tokens."""
FATAL = (openai.AuthenticationError, openai.PermissionDeniedError)


class EndpointModel:
    """A model behind an endpoint. Raises MissingError if nothing answers there, UsageError if it refuses the key."""

    def __init__(self, endpoint: Endpoint, key: str, *, chat: bool) -> None:
        self.endpoint, self.chat, self.key = endpoint, chat, key
        self.limit = "max_tokens"
        """What the endpoint calls the most tokens to write."""
        self.client = openai.OpenAI(
            base_url=endpoint.url, api_key=key or "none", max_retries=0, timeout=endpoint.timeout
        )
        self.pool = ThreadPoolExecutor(endpoint.concurrency)
        self.asked: set[Future[Completion]] = set()
        self.closed = Event()
        self._greet()

    def submit(self, request: Request) -> None:
        self.asked.add(self.pool.submit(self._complete, request))

    def poll(self) -> Sequence[Completion]:
        """Raises UsageError if the key is refused, once all that was answered is told."""
        done, self.asked = wait(self.asked, return_when=FIRST_COMPLETED) if self.asked else (set(), set())
        answered = [future for future in done if not future.exception()]
        if answered:
            self.asked |= done - set(answered)
            done = set(answered)
        return [future.result() for future in done]

    def facts(self) -> Mapping[str, str | int | float]:
        return {
            "openai": openai.__version__,
            "endpoint": self.endpoint.url,
            "batch_size": self.endpoint.concurrency,
        }

    def close(self) -> None:
        self.closed.set()  # nobody asks again; who waits for an answer has until its timeout
        self.pool.shutdown(cancel_futures=True)
        self.client.close()

    def _greet(self) -> None:
        """Whether anyone is there, and lets us in; that it lists no models is no fault."""
        url = self.endpoint.url
        try:
            self.client.with_options(max_retries=1, timeout=HELLO).models.list()
        except openai.APIConnectionError as error:
            self.close()
            cause = self._hidden(_cause(error))
            raise MissingError(f"Nothing answers at {url} ({cause}): start it, or mend the URL.") from None
        except FATAL as error:
            self.close()
            raise self._refused(error) from None
        except (openai.OpenAIError, ValueError):
            pass

    def _complete(self, request: Request) -> Completion:
        """Tries again what may pass, until the time is up; whatever comes back, no item is lost."""
        began = time.monotonic()
        error = "the run ended"
        for trial in range(self.endpoint.retries + 1):
            left = request.seconds - (time.monotonic() - began)
            if left <= 0 or self.closed.is_set():
                break
            pause = min(PAUSE * 2**trial, LONGEST) * random.uniform(0.5, 1)  # not all at once
            try:
                patient = self.client.with_options(timeout=min(left, self.endpoint.timeout))
                return self._read(request, self._put(patient, request), began)
            except openai.APITimeoutError:
                error = f"no answer in {self.endpoint.timeout:g} s"
            except openai.AuthenticationError as refused:
                raise self._refused(refused) from None
            except openai.OpenAIError as refused:
                error = _cause(refused)
                if not _may_pass(refused):
                    return self._failed(request, "error", error, began)
                pause = max(pause, _asked_for(refused))
            except Exception as garbage:  # noqa: BLE001  # an endpoint may answer with anything
                error = f"the endpoint's answer is no completion ({type(garbage).__name__})"
            if trial < self.endpoint.retries:
                self.closed.wait(min(pause, max(0.0, request.seconds - (time.monotonic() - began))))
        if time.monotonic() - began >= request.seconds:
            return self._failed(request, "timeout", f"no answer in {request.seconds:g} s", began)
        return self._failed(request, "error", error, began)

    def _put(self, client: openai.OpenAI, request: Request) -> Any:
        """Ask, in the newer words where the endpoint wants these."""
        limit = self.limit
        try:
            return self._ask(client, request, limit)
        except openai.BadRequestError as refused:
            if not self.chat or limit == NEWER or NEWER not in str(refused):
                raise
        self.limit = NEWER
        return self._ask(client, request, NEWER)

    def _ask(self, client: openai.OpenAI, request: Request, limit: str) -> Any:
        text = request.instruction + request.prompt
        options: dict[str, Any] = {
            "model": self.endpoint.model,
            limit: request.max_tokens,
            "temperature": request.temperature,
            "seed": request.seed % 2**31,
        }
        if request.stop:
            options["stop"] = list(request.stop)
        if self.chat:
            return client.chat.completions.create(messages=[{"role": "user", "content": text}], **options)
        return client.completions.create(prompt=text, **options)

    def _read(self, request: Request, answer: Any, began: float) -> Completion:
        """Raises whatever it stumbles over in what is no completion."""
        choice = answer.choices[0]
        text = choice.message.content or "" if self.chat else choice.text
        if not isinstance(text, str):
            raise TypeError(text)
        if choice.finish_reason not in ("stop", "length"):
            return self._failed(request, "error", f"it ended because of {choice.finish_reason!r}", began)
        usage = answer.usage
        read = max(0, int(usage.prompt_tokens)) if usage else 0
        written = min(max(0, int(usage.completion_tokens)) if usage else len(text.split()), request.max_tokens)
        busy = min(self.endpoint.concurrency, max(1, len(self.asked)))
        seconds = (time.monotonic() - began) / busy
        return Completion(request.id, text, (UNKNOWN,) * written, read, choice.finish_reason, seconds)

    def _refused(self, error: openai.APIStatusError) -> UsageError:
        return UsageError(f"{self.endpoint.url} refuses the key in ${self.endpoint.key} ({error.status_code}): set it.")

    def _failed(self, request: Request, finish: Any, error: str, began: float) -> Completion:
        return Completion(request.id, "", (), 0, finish, time.monotonic() - began, self._hidden(error))

    def _hidden(self, text: str) -> str:
        """The text without the key, which an endpoint may repeat."""
        return (text.replace(self.key, "***") if self.key else text)[:300]


def _may_pass(error: openai.OpenAIError) -> bool:
    """Whether the same request may be answered later."""
    if isinstance(error, openai.APIStatusError):
        return error.status_code in (408, 409, 429) or error.status_code >= 500
    return isinstance(error, openai.APIConnectionError | openai.APIResponseValidationError)


def _asked_for(error: openai.OpenAIError) -> float:
    """Seconds that the endpoint wants to be left alone, a minute at most."""
    told = error.response.headers.get("retry-after", "") if isinstance(error, openai.APIStatusError) else ""
    return min(float(told), 60.0) if told.isdecimal() else 0.0


def _cause(error: openai.OpenAIError) -> str:
    cause = error.__cause__ if isinstance(error, openai.APIConnectionError) and error.__cause__ else error
    return " ".join(f"{type(cause).__name__}: {cause}".split())
