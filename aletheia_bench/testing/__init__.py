"""For tests of plugins: a small real model, and what the contract promises of every task and model.

def test_it_keeps_the_contract():
    check_task(MyTask)                                  AssertionError with all findings, each a sentence

for finding in findings(MyTask): print(finding)         the same as values

check_model(lambda: MyBackend().open(card), prompts=["once upon a time"])
"""

from aletheia_bench.testing.findings import Finding
from aletheia_bench.testing.model import check_model, model_findings
from aletheia_bench.testing.playback import Playback
from aletheia_bench.testing.task import check_task, findings

__all__ = ["Finding", "Playback", "check_model", "check_task", "findings", "model_findings"]
