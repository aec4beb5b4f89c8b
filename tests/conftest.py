"""For all tests.

How long an example takes says something about the machine, and nothing about the code. And a shell makes SIGINT mean
nothing to what it runs in the background, and so to every process that is started there: tests send it to some.
"""

import signal

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
signal.signal(signal.SIGINT, signal.default_int_handler)
