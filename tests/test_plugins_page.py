"""docs/plugins.md: the sink that it shows works, by the contract of all sinks."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

from logrouter.sinks import SinkContext
from logrouter.testing import assert_sink_contract

PAGE = Path(__file__).parents[1] / "docs" / "plugins.md"


def test_the_sink_of_the_page_keeps_the_contract() -> None:
    found = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    module = ModuleType("logrouter_pigeon")
    exec(compile(found[1], str(PAGE), "exec"), vars(module))
    options = module.PigeonSink.options_from_url("pigeon+https://loft.example/")
    assert options == {"url": "https://loft.example/"}
    sink = module.PigeonSink(module.PigeonConfig(**options), SinkContext("loft"))
    assert_sink_contract(sink)
