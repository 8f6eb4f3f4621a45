"""The worker itself, but for prompts that bring a process down as native code would: run by test_gguf_processes.py."""

import os
import signal
import sys
import time

from aletheia_models.gguf import worker
from aletheia_models.gguf.engine import Engine


def poisoned(submit):
    def submitted(self, request):
        for name in ("SIGSEGV", "SIGFPE", "SIGKILL"):
            if name in request.prompt:
                os.kill(os.getpid(), getattr(signal, name))
        if "abort" in request.prompt:
            sys.stderr.write("GGML_ASSERT(it holds) failed\n")
            os._exit(6)
        if "half" in request.prompt:
            os.write(SENDING, b'{"done": {"id": "0", "te')
            os.kill(os.getpid(), signal.SIGKILL)
        if "hang" in request.prompt:
            time.sleep(3600)
        submit(self, request)

    return submitted


SENDING = os.dup(1)
Engine.submit = poisoned(Engine.submit)
worker.main()
